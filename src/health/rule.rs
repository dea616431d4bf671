//! When a provider that fails is left alone, and for how long: numbers that cannot be wrong.
//!
//! In: nothing. Out: a [`Rule`], and the constants that no document changes.

use std::time::Duration;

/// One provider's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Failures in a row that take it out; at least 1.
    pub failures: u64,
    /// Its first rest; at least a millisecond.
    pub rest: Duration,
    /// Its longest rest.
    pub rest_at_most: Duration,
    /// From its first traffic after a rest to all of it.
    pub recovery: Duration,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(10),
            rest_at_most: Duration::from_secs(300),
            recovery: Duration::from_secs(30),
        }
    }
}

/// How far back failures are counted as a share of all attempts, in seconds.
pub const WINDOW: u64 = 10;

/// The fewest attempts in the window of which a share is taken: half of them failed, and the provider is out.
pub const ENOUGH: u64 = 20;

/// The first rest after a 429 that does not say how long, in milliseconds; twice as long each time, up to the other.
pub const LIMITED_AT_FIRST: u64 = 1_000;
/// The longest of those rests, in milliseconds.
pub const LIMITED_AT_MOST: u64 = 30_000;

/// The longest rest that a provider can ask for, in milliseconds.
pub const ASKED_AT_MOST: u64 = 600_000;

/// The rest of a credential that was refused, in milliseconds.
pub const REFUSED: u64 = 60_000;

/// How long a trial may take before another may begin, in milliseconds: who began it may be dead.
pub const TRIAL: u64 = 30_000;

/// The share of its traffic with which a provider begins to recover, in percent.
pub const FIRST_SHARE: u64 = 10;
