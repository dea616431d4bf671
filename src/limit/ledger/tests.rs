use super::*;
use crate::caller::UnixSeconds;
use proptest::prelude::*;

const DAY: Period = Period::Calendar {
    span: Span::Day,
    offset: 0,
};

/// A ledger of its own.
struct Own(Vec<u8>, Period);

impl Own {
    fn new(unit: Unit, period: Period) -> Self {
        Self(empty(unit, period), period)
    }

    fn ledger(&mut self) -> Ledger<'_> {
        Ledger::at(&mut self.0, 0, self.1)
    }
}

fn at(text: &str) -> Clock {
    let wall = UnixSeconds::parse(text).unwrap();
    Clock {
        wall,
        steady: wall.0 as u64 * 1_000,
    }
}

#[test]
fn a_piece_of_the_calendar_begins_afresh_at_its_end() {
    let mut own = Own::new(Unit::Nanodollars, DAY);
    let mut ledger = own.ledger();
    ledger.add(at("2026-11-25T10:00:00Z"), 5);
    assert_eq!(ledger.spent(at("2026-11-25T23:59:59Z")), 5);
    assert_eq!(ledger.until_at_most(at("2026-11-25T23:00:00Z"), 4), 3_600_000);
    assert_eq!(ledger.until_at_most(at("2026-11-25T23:00:00Z"), 5), 0);
    assert_eq!(ledger.spent(at("2026-11-26T00:00:00Z")), 0);
}

#[test]
fn a_clock_that_is_set_gives_nothing_back() {
    let mut own = Own::new(Unit::Nanodollars, DAY);
    let mut ledger = own.ledger();
    ledger.add(at("2026-11-25T10:00:00Z"), 5);
    ledger.add(at("2026-11-24T10:00:00Z"), 1);
    assert_eq!(ledger.spent(at("2026-11-24T11:00:00Z")), 6);
    let mut own = Own::new(Unit::Nanodollars, DAY);
    let mut ledger = own.ledger();
    ledger.add(at("2036-11-25T10:00:00Z"), 5);
    assert_eq!(ledger.spent(at("2026-11-25T10:00:00Z")), 5);
    assert_eq!(
        ledger.spent(at("2026-11-26T10:00:00Z")),
        0,
        "and the calendar moves on from there"
    );
}

#[test]
fn a_worker_that_is_late_at_the_end_loses_nothing() {
    let mut own = Own::new(Unit::Nanodollars, DAY);
    let mut ledger = own.ledger();
    ledger.add(at("2026-11-26T00:00:00Z"), 100);
    ledger.add(at("2026-11-25T23:59:59Z"), 7);
    assert_eq!(ledger.spent(at("2026-11-26T00:00:01Z")), 107);
}

#[test]
fn what_rolls_goes_bit_by_bit() {
    let mut own = Own::new(Unit::Tokens, Period::Rolling { seconds: 3_600 });
    let mut ledger = own.ledger();
    ledger.add(at("2026-11-25T10:00:00Z"), 5);
    ledger.add(at("2026-11-25T10:30:00Z"), 7);
    assert_eq!(ledger.spent(at("2026-11-25T10:59:00Z")), 12);
    assert_eq!(ledger.spent(at("2026-11-25T11:00:00Z")), 7);
    assert_eq!(ledger.until_at_most(at("2026-11-25T11:00:00Z"), 6), 1_800_000);
    assert_eq!(ledger.until_afresh(at("2026-11-25T11:00:00Z")), 1_800_000);
}

#[test]
fn periods_have_the_names_people_say() {
    for (seconds, name) in [
        (60, "rolling_1m"),
        (90, "rolling_90s"),
        (86_400, "rolling_24h"),
        (7 * 86_400, "rolling_7d"),
        (5_400, "rolling_90m"),
    ] {
        assert_eq!(Period::Rolling { seconds }.name(), name);
    }
    assert_eq!(DAY.name(), "day");
    for (offset, name) in [(3_600, "month+01:00"), (-12_600, "month-03:30")] {
        let span = Span::Month;
        assert_eq!(Period::Calendar { span, offset }.name(), name);
    }
}

proptest! {
    #[test]
    fn a_kind_is_one_unit_and_period(tokens: bool, rolling: bool, seconds in 1u64..1 << 40, offset in -86_399i32..86_400,
        span in prop_oneof![Just(Span::Hour), Just(Span::Day), Just(Span::Week), Just(Span::Month)]) {
        let unit = if tokens { Unit::Tokens } else { Unit::Nanodollars };
        let period = if rolling { Period::Rolling { seconds } } else { Period::Calendar { span, offset } };
        prop_assert_eq!(of_kind(kind(unit, period)), Some((unit, period)));
    }

    #[test]
    fn any_bytes_are_a_ledger_or_none(mut bytes: Vec<u8>, wall: i32) {
        if let Some((_, period)) = of_kind(word(&bytes, 0)) && size(&bytes, 0).is_some() {
            let clock = Clock { wall: UnixSeconds(i64::from(wall)), steady: 7 };
            let mut ledger = Ledger::at(&mut bytes, 0, period);
            ledger.add(clock, u64::MAX);
            ledger.until_at_most(clock, 0);
        }
    }
}
