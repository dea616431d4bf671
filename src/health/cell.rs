//! How one provider stands with one credential: the state, its bytes, and how it changes.
//!
//! In: bytes of the store, the outcome of an attempt, the time. Out: the state, of a fixed size. All times are milliseconds
//! of the clock that workers share; it is never asked here.

use super::rule::{
    ASKED_AT_MOST, ENOUGH, FIRST_SHARE, LIMITED_AT_FIRST, LIMITED_AT_MOST, REFUSED, Rule, TRIAL, WINDOW,
};
use super::{Outcome, Reason, Sign, Standing};

/// The form of the bytes. A value of another form is taken for none.
const FORM: u64 = 1;

/// Seconds that are kept apart.
const SECONDS: usize = WINDOW as usize;

/// Numbers of eight bytes: the form, nine of the state, and one for each second of the window.
const WORDS: usize = 10 + SECONDS;

/// Longer than any rest: a cell that says otherwise is nonsense.
const LONGEST: u64 = 86_400_000;

/// How far the clocks of two readers may be apart, in milliseconds.
const SLACK: u64 = 60_000;

/// The state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    phase: Phase,
    /// When the phase began.
    since: u64,
    /// When the rest ends.
    until: u64,
    /// The last rest for failures, and the last for a 429 that did not say how long; 0: none since it was fit.
    rest: u64,
    limited: u64,
    /// How many leases were given, and until when the last one is in force; 0: it is given back.
    leases: u64,
    leased_until: u64,
    /// Failures without a success in between.
    in_a_row: u64,
    /// The second of the first number of the window.
    second: u64,
    /// Attempts and failures of the last seconds, the newest first.
    window: [Count; SECONDS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    attempts: u32,
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Fit,
    /// And, once the rest is over, trying.
    Resting,
    Recovering,
}

impl Cell {
    /// Reads it; nonsense, and the form of another version, is a provider of which nothing is known.
    pub fn decode(bytes: &[u8], now: u64) -> Self {
        let read = Self::read(bytes).filter(|cell| {
            let soon = now.saturating_add(SLACK);
            cell.since <= soon
                && cell.leased_until <= soon.saturating_add(TRIAL)
                && cell.until <= soon.saturating_add(LONGEST)
                && cell.second <= soon / 1_000
        });
        read.unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let words: &[[u8; 8]; WORDS] = words.try_into().ok()?;
        let [
            form,
            phase,
            since,
            until,
            pause,
            limited,
            leases,
            leased_until,
            in_a_row,
            second,
            counts @ ..,
        ] = words.map(u64::from_le_bytes);
        let phase = match phase {
            0 => Phase::Fit,
            1 => Phase::Resting,
            2 => Phase::Recovering,
            _ => return None,
        };
        (form == FORM && rest.is_empty()).then_some(Self {
            phase,
            since,
            until,
            rest: pause,
            limited,
            leases,
            leased_until,
            in_a_row,
            second,
            window: counts.map(|count| Count {
                attempts: (count >> 32) as u32,
                failures: count as u32,
            }),
        })
    }

    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let phase = match self.phase {
            Phase::Fit => 0,
            Phase::Resting => 1,
            Phase::Recovering => 2,
        };
        let state = [
            FORM,
            phase,
            self.since,
            self.until,
            self.rest,
            self.limited,
            self.leases,
            self.leased_until,
            self.in_a_row,
            self.second,
        ];
        let counts = self.window.iter();
        let counts = counts.map(|count| u64::from(count.attempts) << 32 | u64::from(count.failures));
        state.into_iter().chain(counts).flat_map(u64::to_le_bytes).collect()
    }

    /// How it stands.
    pub fn standing(&self, rule: &Rule, now: u64) -> Standing {
        match self.settled(rule, now).phase {
            Phase::Fit => Standing::Fit,
            Phase::Resting if now < self.until => Standing::Resting { until: self.until },
            Phase::Resting if now < self.leased_until => Standing::Resting {
                until: self.leased_until,
            },
            Phase::Resting => Standing::Trying,
            Phase::Recovering => {
                let gone = now.saturating_sub(self.since);
                let rise = (100 - FIRST_SHARE).saturating_mul(gone) / millis(rule.recovery).max(1);
                Standing::Recovering {
                    share: FIRST_SHARE.saturating_add(rise).min(100) as u8,
                }
            }
        }
    }

    /// Leave to try it: the lease's number.
    pub(super) fn claim(&mut self, rule: &Rule, now: u64) -> Option<u64> {
        (self.standing(rule, now) == Standing::Trying).then(|| {
            self.leases = self.leases.wrapping_add(1);
            self.leased_until = now.saturating_add(TRIAL);
            self.leases
        })
    }

    /// Takes down what became of an attempt. Why it rests, if it does from now on.
    pub(super) fn note(&mut self, rule: &Rule, outcome: Outcome, now: u64) -> Option<Reason> {
        let Outcome { sign, began, trial } = outcome;
        let settled = self.settled(rule, now);
        let leased = self.leased_until > 0 && trial.is_some_and(|lease| lease.0 == self.leases);
        match settled.phase {
            Phase::Resting if leased || began >= self.until => self.tried(rule, sign, leased, now),
            _ if began < settled.since => None,
            Phase::Resting => self.asked_at_rest(rule, sign, now),
            Phase::Fit => {
                let before = std::mem::replace(self, settled);
                let rests = self.asked(rule, sign, now);
                // Time alone is no reason to write.
                if *self == settled {
                    *self = before;
                }
                rests
            }
            Phase::Recovering => match sign {
                Sign::Served | Sign::Nothing => None,
                sign => self.rest(rule, sign, now),
            },
        }
    }

    /// Its rest was over when the attempt began.
    fn tried(&mut self, rule: &Rule, sign: Sign, leased: bool, now: u64) -> Option<Reason> {
        match sign {
            Sign::Served => self.recover(now),
            Sign::Nothing if leased => self.leased_until = 0,
            Sign::Nothing => {}
            sign => return self.rest(rule, sign, now),
        }
        None
    }

    /// It was asked although it rests, for want of any other.
    fn asked_at_rest(&mut self, rule: &Rule, sign: Sign, now: u64) -> Option<Reason> {
        match sign {
            Sign::Served => self.recover(now),
            Sign::Limited(Some(_)) | Sign::Refused => {
                // It is told anew for how long, and that is no failure of a trial.
                let mut again = *self;
                again.rest(rule, sign, now);
                self.until = self.until.max(again.until);
            }
            Sign::Failed | Sign::Limited(None) | Sign::Nothing => {}
        }
        None
    }

    fn asked(&mut self, rule: &Rule, sign: Sign, now: u64) -> Option<Reason> {
        match sign {
            Sign::Nothing => None,
            Sign::Limited(_) | Sign::Refused => self.rest(rule, sign, now),
            // Nothing to forget, and nothing to compare it with.
            Sign::Served if self.in_a_row == 0 && self.counted().failures == 0 => None,
            Sign::Served => {
                self.in_a_row = 0;
                self.turn(now);
                let [newest, ..] = &mut self.window;
                newest.attempts = newest.attempts.saturating_add(1);
                None
            }
            Sign::Failed => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.turn(now);
                let [newest, ..] = &mut self.window;
                newest.attempts = newest.attempts.saturating_add(1);
                newest.failures = newest.failures.saturating_add(1);
                let Count { attempts, failures } = self.counted();
                let half = u64::from(attempts) >= ENOUGH && failures >= attempts.div_ceil(2);
                match half || self.in_a_row >= rule.failures {
                    true => self.rest(rule, sign, now),
                    false => None,
                }
            }
        }
    }

    /// Moves the window on to this second.
    fn turn(&mut self, now: u64) {
        let second = now / 1_000;
        let gone = usize::try_from(second.saturating_sub(self.second)).unwrap_or(SECONDS);
        let gone = gone.min(SECONDS);
        self.window.rotate_right(gone);
        self.window
            .iter_mut()
            .take(gone)
            .for_each(|count| *count = Count::default());
        self.second = self.second.max(second);
    }

    fn counted(&self) -> Count {
        self.window.iter().fold(Count::default(), |sum, count| Count {
            attempts: sum.attempts.saturating_add(count.attempts),
            failures: sum.failures.saturating_add(count.failures),
        })
    }

    fn recover(&mut self, now: u64) {
        self.phase = Phase::Recovering;
        self.since = now;
        self.leased_until = 0;
    }

    fn rest(&mut self, rule: &Rule, sign: Sign, now: u64) -> Option<Reason> {
        let (first, most) = (millis(rule.rest), millis(rule.rest_at_most));
        let (length, reason) = match sign {
            Sign::Served | Sign::Nothing => return None,
            Sign::Failed => {
                self.rest = longer(self.rest, first, most);
                (self.rest, Reason::Failed)
            }
            Sign::Limited(Some(wait)) => (millis(wait).min(ASKED_AT_MOST), Reason::Limited),
            Sign::Limited(None) => {
                self.limited = longer(self.limited, LIMITED_AT_FIRST, LIMITED_AT_MOST);
                (self.limited, Reason::Limited)
            }
            Sign::Refused => (REFUSED, Reason::Refused),
        };
        *self = Self {
            phase: Phase::Resting,
            since: now,
            until: now.saturating_add(length.clamp(1, LONGEST)),
            rest: self.rest,
            limited: self.limited,
            leases: self.leases,
            ..Self::default()
        };
        Some(reason)
    }

    /// As it is once time is taken into account: whoever has recovered is fit, and its rests are forgotten.
    fn settled(&self, rule: &Rule, now: u64) -> Self {
        let recovered = self.since.saturating_add(millis(rule.recovery));
        match self.phase {
            Phase::Recovering if now >= recovered => Self {
                since: recovered,
                leases: self.leases,
                ..Self::default()
            },
            Phase::Fit | Phase::Resting | Phase::Recovering => *self,
        }
    }
}

/// The first length, or twice the last.
fn longer(last: u64, first: u64, most: u64) -> u64 {
    match last {
        0 => first.min(most),
        last => last.saturating_mul(2).min(most),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
