//! What was spent in a period.
//!
//! In: amounts and times. Out: what was spent in the period that is now, and when there will be more room. A piece of the
//! calendar begins afresh at its end; should the clock be set back, nothing is given back: what was spent stays spent until
//! the calendar moves on. It knows no budget.

use super::bytes::{self, unzigzag, zigzag};
use super::rule::{Period, Span, Unit};
use super::store::Clock;
use super::window::{Length, Window};
use crate::caller::UnixSeconds;

/// What was spent of one unit in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    unit: Unit,
    spent: Spent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Spent {
    /// Since the beginning of a piece of the calendar.
    Since {
        span: Span,
        offset: i32,
        begins: UnixSeconds,
        amount: u64,
    },
    /// In the last so many seconds.
    Lately { seconds: u64, window: Window },
}

impl Ledger {
    /// A ledger in which nothing is spent.
    pub fn new(unit: Unit, period: Period) -> Self {
        let spent = match period {
            Period::Calendar { span, offset } => Spent::Since {
                span,
                offset,
                begins: UnixSeconds(i64::MIN),
                amount: 0,
            },
            Period::Rolling { seconds } => Spent::Lately {
                seconds,
                window: Window::default(),
            },
        };
        Self { unit, spent }
    }

    /// What is counted.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// For how long.
    pub fn period(&self) -> Period {
        match self.spent {
            Spent::Since { span, offset, .. } => Period::Calendar { span, offset },
            Spent::Lately { seconds, .. } => Period::Rolling { seconds },
        }
    }

    pub(super) fn is_of(&self, unit: Unit, period: Period) -> bool {
        self.unit == unit && self.period() == period
    }

    /// What was spent in the period that is now.
    pub fn spent(&mut self, clock: Clock) -> u64 {
        match &mut self.spent {
            Spent::Since {
                span,
                offset,
                begins,
                amount,
            } => {
                let (current, _) = span.around(clock.wall, *offset);
                if current > *begins {
                    *amount = 0;
                }
                *begins = current;
                *amount
            }
            Spent::Lately { seconds, window } => window.sum(Length::seconds(*seconds), clock.steady),
        }
    }

    /// Spends.
    pub fn add(&mut self, clock: Clock, spend: u64) {
        self.spent(clock);
        match &mut self.spent {
            Spent::Since { amount, .. } => *amount = amount.saturating_add(spend),
            Spent::Lately { .. } if spend == 0 => {}
            Spent::Lately { seconds, window } => {
                window.add(Length::seconds(*seconds), clock.steady, spend);
            }
        }
    }

    /// In how many milliseconds no more than `most` will be spent, should nothing be spent meanwhile.
    pub fn until_at_most(&mut self, clock: Clock, most: u64) -> u64 {
        if self.spent(clock) <= most {
            return 0;
        }
        match &mut self.spent {
            Spent::Since { .. } => self.period().until_end(clock),
            Spent::Lately { seconds, window } => window.until_at_most(Length::seconds(*seconds), clock.steady, most),
        }
    }

    /// In how many milliseconds nothing will be spent any more, should nothing come meanwhile.
    pub fn until_afresh(&mut self, clock: Clock) -> u64 {
        match &mut self.spent {
            Spent::Since { .. } => self.period().until_end(clock),
            Spent::Lately { seconds, window } => window.until_at_most(Length::seconds(*seconds), clock.steady, 0),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        bytes::put(
            out,
            match self.unit {
                Unit::Nanodollars => 0,
                Unit::Tokens => 1,
            },
        );
        match &self.spent {
            Spent::Since {
                span,
                offset,
                begins,
                amount,
            } => {
                bytes::put(
                    out,
                    match span {
                        Span::Hour => 0,
                        Span::Day => 1,
                        Span::Week => 2,
                        Span::Month => 3,
                    },
                );
                bytes::put(out, zigzag(i64::from(*offset)));
                bytes::put(out, zigzag(begins.0));
                bytes::put(out, *amount);
            }
            Spent::Lately { seconds, window } => {
                bytes::put(out, ROLLING);
                bytes::put(out, *seconds);
                window.encode(out);
            }
        }
    }

    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let unit = match bytes::take(bytes)? {
            0 => Unit::Nanodollars,
            1 => Unit::Tokens,
            _ => return None,
        };
        let span = match bytes::take(bytes)? {
            0 => Span::Hour,
            1 => Span::Day,
            2 => Span::Week,
            3 => Span::Month,
            ROLLING => {
                let seconds = bytes::take(bytes)?;
                let window = Window::decode(bytes)?;
                let spent = Spent::Lately { seconds, window };
                return Some(Self { unit, spent });
            }
            _ => return None,
        };
        let offset = i32::try_from(unzigzag(bytes::take(bytes)?)).ok()?;
        let begins = UnixSeconds(unzigzag(bytes::take(bytes)?));
        let amount = bytes::take(bytes)?;
        Some(Self {
            unit,
            spent: Spent::Since {
                span,
                offset,
                begins,
                amount,
            },
        })
    }
}

/// In the place of a span's number.
const ROLLING: u64 = 4;

impl Period {
    /// In how many milliseconds the piece of the calendar that is now ends. What rolls has no end.
    pub(super) fn until_end(self, clock: Clock) -> u64 {
        match self {
            Self::Rolling { .. } => 0,
            Self::Calendar { span, offset } => {
                let (_, ends) = span.around(clock.wall, offset);
                let seconds = ends.0.saturating_sub(clock.wall.0);
                u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000)
            }
        }
    }

    /// The word in metrics and in headers: `day`, `rolling_24h`.
    pub fn name(self) -> String {
        match self {
            Self::Calendar { span, .. } => span.name().to_owned(),
            Self::Rolling { seconds } => {
                let (number, unit) = match seconds {
                    // A day is said as 24 hours, because a day of the calendar is something else.
                    _ if seconds % 86_400 == 0 && seconds > 86_400 => (seconds / 86_400, 'd'),
                    _ if seconds % 3_600 == 0 => (seconds / 3_600, 'h'),
                    _ if seconds % 60 == 0 => (seconds / 60, 'm'),
                    _ => (seconds, 's'),
                };
                format!("rolling_{number}{unit}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Period = Period::Calendar {
        span: Span::Day,
        offset: 0,
    };

    fn at(text: &str) -> Clock {
        let wall = UnixSeconds::parse(text).unwrap();
        Clock {
            wall,
            steady: wall.0 as u64 * 1_000,
        }
    }

    #[test]
    fn a_piece_of_the_calendar_begins_afresh_at_its_end() {
        let mut ledger = Ledger::new(Unit::Nanodollars, DAY);
        ledger.add(at("2026-11-25T10:00:00Z"), 5);
        assert_eq!(ledger.spent(at("2026-11-25T23:59:59Z")), 5);
        assert_eq!(ledger.until_at_most(at("2026-11-25T23:00:00Z"), 4), 3_600_000);
        assert_eq!(ledger.until_at_most(at("2026-11-25T23:00:00Z"), 5), 0);
        assert_eq!(ledger.spent(at("2026-11-26T00:00:00Z")), 0);
    }

    #[test]
    fn a_clock_that_is_set_gives_nothing_back() {
        let mut ledger = Ledger::new(Unit::Nanodollars, DAY);
        ledger.add(at("2026-11-25T10:00:00Z"), 5);
        ledger.add(at("2026-11-24T10:00:00Z"), 1);
        assert_eq!(ledger.spent(at("2026-11-24T11:00:00Z")), 6);
        let mut ledger = Ledger::new(Unit::Nanodollars, DAY);
        ledger.add(at("2036-11-25T10:00:00Z"), 5);
        assert_eq!(ledger.spent(at("2026-11-25T10:00:00Z")), 5);
        assert_eq!(
            ledger.spent(at("2026-11-26T10:00:00Z")),
            0,
            "and the calendar moves on from there"
        );
    }

    #[test]
    fn what_rolls_goes_bit_by_bit() {
        let mut ledger = Ledger::new(Unit::Tokens, Period::Rolling { seconds: 3_600 });
        ledger.add(at("2026-11-25T10:00:00Z"), 5);
        ledger.add(at("2026-11-25T10:30:00Z"), 7);
        assert_eq!(ledger.spent(at("2026-11-25T10:59:00Z")), 12);
        assert_eq!(ledger.spent(at("2026-11-25T11:00:00Z")), 7);
        assert_eq!(ledger.until_at_most(at("2026-11-25T11:00:00Z"), 6), 1_800_000);
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
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_ledger_or_none(bytes: Vec<u8>, wall: i32) {
            if let Some(mut ledger) = Ledger::decode(&mut &bytes[..]) {
                let clock = Clock { wall: UnixSeconds(i64::from(wall)), steady: 7 };
                ledger.add(clock, u64::MAX);
                ledger.until_at_most(clock, 0);
            }
        }

        #[test]
        fn what_was_written_is_read(amounts in proptest::collection::vec((0i64..400_000, 1u64..1_000_000), 0..50),
            period in prop_oneof![Just(DAY), Just(Period::Calendar { span: Span::Week, offset: -3_600 }), Just(Period::Rolling { seconds: 7_200 })]) {
            let mut ledger = Ledger::new(Unit::Tokens, period);
            for (wall, amount) in amounts {
                ledger.add(Clock { wall: UnixSeconds(wall), steady: wall as u64 * 1_000 }, amount);
                let mut bytes = Vec::new();
                ledger.encode(&mut bytes);
                prop_assert_eq!(Ledger::decode(&mut &bytes[..]), Some(ledger.clone()));
            }
        }
    }
}
