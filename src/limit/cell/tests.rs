use super::*;
use crate::caller::UnixSeconds;
use crate::limit::rule::Span;
use crate::limit::store::Clock;
use crate::limit::window::Length;
use proptest::prelude::*;

fn day(offset: i32) -> Period {
    Period::Calendar {
        span: Span::Day,
        offset,
    }
}

#[test]
fn what_the_dead_hold_does_not_count() {
    let mut census = Census::default();
    let (living, dead) = (census.enter(), census.enter());
    let mut cell = Cell::default();
    cell.hold(living, |held| held.running = 2);
    cell.hold(dead, |held| {
        held.running = 3;
        held.present = 4;
    });
    let bytes = cell.into_bytes();
    assert_eq!(Cell::decode(bytes.clone(), &census).set_aside().running, 5);
    census.bury(dead);
    let mut cell = Cell::decode(bytes, &census);
    assert_eq!(cell.set_aside().running, 2);
    assert_eq!(cell.bury(&census), 4, "and is counted out once");
    assert_eq!(Cell::decode(cell.into_bytes(), &census).bury(&census), 0);
}

#[test]
fn the_place_of_a_vm_goes_with_the_vm() {
    let mut census = Census::default();
    let own = census.enter();
    let mut cell = Cell::default();
    cell.hold(own, |_| {});
    assert_eq!(cell, Cell::default(), "nothing is kept for nothing");
    cell.hold(own, |held| held.present += 1);
    cell.hold(own, |held| held.present -= 1);
    assert_eq!(cell.set_aside(), Held::default());
    census.bury(own);
    assert_eq!(Cell::decode(cell.into_bytes(), &census), Cell::default());
}

#[test]
fn another_period_begins_afresh_and_says_so() {
    let mut cell = Cell::default();
    assert_eq!(cell.begin_ledger(Unit::Tokens, day(0), &[]), None);
    assert_eq!(cell.begin_ledger(Unit::Tokens, day(0), &[]), None);
    assert_eq!(
        cell.begin_ledger(Unit::Nanodollars, day(3_600), &[]),
        None,
        "another unit"
    );
    assert_eq!(
        cell.begin_ledger(Unit::Tokens, Period::Rolling { seconds: 60 }, &[]),
        Some(day(0))
    );
}

#[test]
fn a_cell_is_bounded() {
    let mut census = Census::default();
    let mut cell = Cell::default();
    for _ in 0..128 {
        cell.hold(census.enter(), |held| {
            *held = Held {
                owner: held.owner,
                present: 1_000,
                running: 1_000,
                nanodollars: 1 << 40,
                tokens: 1 << 30,
            }
        });
    }
    for seconds in 0..100 {
        let period = Period::Rolling {
            seconds: 86_400 * 30 + seconds,
        };
        cell.begin_ledger(Unit::Nanodollars, period, &[]);
        for minute in 0..500u64 {
            let clock = Clock {
                wall: UnixSeconds(0),
                steady: (1 << 41) + minute * 10_000_000,
            };
            cell.ledger(Unit::Nanodollars, period).unwrap().add(clock, 1 << 40);
        }
    }
    for milli in 0..100_000 {
        cell.requests().add(Length::MINUTE, (1 << 41) + milli, 1);
        cell.tokens().add(Length::MINUTE, (1 << 41) + milli, 10_000);
    }
    let size = cell.bytes().len();
    assert!(size < 34 << 10, "{size}");
    assert!(Cell::decode(cell.bytes().to_vec(), &census) == cell);
}

proptest! {
    #[test]
    fn any_bytes_are_a_cell(bytes: Vec<u8>) {
        let census = Census::default();
        let cell = Cell::decode(bytes, &census);
        prop_assert_eq!(Cell::decode(cell.bytes().to_vec(), &census), cell);
    }

    /// Nonsense that looks like a cell, and whatever is done with it.
    #[test]
    fn nothing_that_looks_like_a_cell_does_harm(numbers in proptest::collection::vec(prop_oneof![0u64..4, any::<u64>()], 10..40)) {
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        set_word(&mut bytes, 0, FORM);
        let mut cell = Cell::decode(bytes, &Census::default());
        cell.hold(Owner(3), |held| held.running += 1);
        cell.requests().add(Length::MINUTE, 5, 1);
        cell.tokens().until_at_most(Length::MINUTE, 5, 0);
        cell.begin_ledger(Unit::Tokens, day(0), &[]);
        cell.ledger(Unit::Tokens, day(0)).unwrap().add(Clock { wall: UnixSeconds(5), steady: 5 }, 7);
        prop_assert_eq!(Cell::decode(cell.bytes().to_vec(), &Census::default()), cell);
    }
}
