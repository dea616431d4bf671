//! What was spent in a period.
//!
//! In: amounts and times. Out: what was spent in the period that is now, and when there will be more room. A piece of the
//! calendar begins afresh at its end; should the clock be set back, nothing is given back: what was spent stays spent until
//! the calendar moves on. It knows no budget. Like a window, a ledger is changed where it is kept.

use super::bytes::{WORD, set_word, word};
use super::rule::{Period, Span, Unit};
use super::store::Clock;
use super::window::{self, Length, Window};

/// Places in a ledger: its kind, and of a piece of the calendar its beginning (seconds since 1970, as a signed number) and
/// what was spent; of a period that rolls, a window.
const KIND: usize = 0;
const BEGINS: usize = WORD;
const SPENT: usize = 2 * WORD;
const WINDOW: usize = WORD;

/// Bytes of a ledger for a piece of the calendar.
const CALENDAR: usize = 3 * WORD;

/// What was spent of one unit in one period.
#[derive(Debug)]
pub struct Ledger<'a> {
    bytes: &'a mut Vec<u8>,
    at: usize,
    period: Period,
}

/// A unit and a period, as one number: the unit in the lowest bit, then what kind of period, then which.
pub(super) fn kind(unit: Unit, period: Period) -> u64 {
    let unit = match unit {
        Unit::Nanodollars => 0,
        Unit::Tokens => 1,
    };
    match period {
        Period::Rolling { seconds } => (seconds & MOST_SECONDS) << 8 | ROLLING << 1 | unit,
        Period::Calendar { span, offset } => {
            let span = match span {
                Span::Hour => 0,
                Span::Day => 1,
                Span::Week => 2,
                Span::Month => 3,
            };
            u64::from(offset as u32) << 8 | span << 1 | unit
        }
    }
}

/// In the place of a span's number.
const ROLLING: u64 = 4;
/// The longest period that is kept: more seconds than any document may say.
const MOST_SECONDS: u64 = (1 << 56) - 1;

/// The unit and the period that a number stands for.
pub(super) fn of_kind(kind: u64) -> Option<(Unit, Period)> {
    let unit = match kind & 1 {
        0 => Unit::Nanodollars,
        _ => Unit::Tokens,
    };
    let which = kind >> 8;
    let span = match kind >> 1 & 0x7f {
        0 => Span::Hour,
        1 => Span::Day,
        2 => Span::Week,
        3 => Span::Month,
        ROLLING => return Some((unit, Period::Rolling { seconds: which })),
        _ => return None,
    };
    let offset = u32::try_from(which).ok()? as i32;
    Some((unit, Period::Calendar { span, offset }))
}

/// The bytes of a ledger in which nothing is spent.
pub(super) fn empty(unit: Unit, period: Period) -> Vec<u8> {
    let size = match period {
        Period::Calendar { .. } => CALENDAR,
        Period::Rolling { .. } => WINDOW + window::EMPTY,
    };
    let mut bytes = vec![0; size];
    set_word(&mut bytes, KIND, kind(unit, period));
    if let Period::Calendar { .. } = period {
        set_word(&mut bytes, BEGINS, i64::MIN as u64);
    }
    bytes
}

/// How many bytes the ledger has that begins there; `None` if it is none.
pub(super) fn size(bytes: &[u8], at: usize) -> Option<usize> {
    match of_kind(word(bytes, at))?.1 {
        Period::Calendar { .. } => (at.checked_add(CALENDAR)? <= bytes.len()).then_some(CALENDAR),
        Period::Rolling { .. } => Some(WINDOW + window::size(bytes, at.checked_add(WINDOW)?)?),
    }
}

impl<'a> Ledger<'a> {
    /// The ledger that begins there. Its bytes must have been found whole ([`size`]).
    pub(super) fn at(bytes: &'a mut Vec<u8>, at: usize, period: Period) -> Self {
        Self { bytes, at, period }
    }

    fn window(&mut self) -> Window<'_> {
        Window::at(self.bytes, self.at + WINDOW)
    }

    /// What was spent in the period that is now.
    pub fn spent(&mut self, clock: Clock) -> u64 {
        match self.period {
            Period::Calendar { span, offset } => {
                let (current, ends) = span.around(clock.wall, offset);
                let begins = word(self.bytes, self.at + BEGINS) as i64;
                // A clock that was read just before the end, by another worker, or set back a little: the new piece has begun.
                if current.0 != begins && ends.0 != begins {
                    set_word(self.bytes, self.at + BEGINS, current.0 as u64);
                    if current.0 > begins {
                        set_word(self.bytes, self.at + SPENT, 0);
                    }
                }
                word(self.bytes, self.at + SPENT)
            }
            Period::Rolling { seconds } => self.window().sum(Length::seconds(seconds), clock.steady),
        }
    }

    /// Spends.
    pub fn add(&mut self, clock: Clock, spend: u64) {
        match self.period {
            Period::Calendar { .. } => {
                let spent = self.spent(clock).saturating_add(spend);
                set_word(self.bytes, self.at + SPENT, spent);
            }
            Period::Rolling { seconds } => {
                self.window().add(Length::seconds(seconds), clock.steady, spend);
            }
        }
    }

    /// In how many milliseconds no more than `most` will be spent, should nothing be spent meanwhile.
    pub fn until_at_most(&mut self, clock: Clock, most: u64) -> u64 {
        match self.period {
            Period::Calendar { .. } => match self.spent(clock) <= most {
                true => 0,
                false => self.period.until_end(clock),
            },
            Period::Rolling { seconds } => self
                .window()
                .until_at_most(Length::seconds(seconds), clock.steady, most),
        }
    }

    /// In how many milliseconds nothing will be spent any more, should nothing come meanwhile.
    pub fn until_afresh(&mut self, clock: Clock) -> u64 {
        match self.period {
            Period::Calendar { .. } => self.period.until_end(clock),
            Period::Rolling { .. } => self.until_at_most(clock, 0),
        }
    }
}

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

    /// The word in metrics and in headers: `day`, `day+01:00`, `rolling_24h`.
    pub fn name(self) -> String {
        match self {
            Self::Calendar { span, offset: 0 } => span.name().to_owned(),
            // A day there is another than a day here.
            Self::Calendar { span, offset } => {
                let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
                format!("{}{sign}{:02}:{:02}", span.name(), minutes / 60, minutes % 60)
            }
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
mod tests;
