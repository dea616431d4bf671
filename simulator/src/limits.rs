//! Requests and tokens per minute, for each credential.
//!
//! In: what a request wants and the time. Out: whether it may, and the numbers behind the providers' rate limit
//! headers. Both limits are buckets that refill continuously, as the providers describe theirs; a bucket holds one
//! minute's worth. It knows no header names: [`Standing`] is turned into headers by the dialect.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The limits of one server, and how much of them each credential has left.
#[derive(Debug)]
pub struct Limits(Mutex<State>);

#[derive(Debug)]
struct State {
    rpm: u64,
    tpm: u64,
    buckets: HashMap<String, [Bucket; 2]>,
}

/// How a credential stands after a request was admitted or refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Requests per minute.
    pub requests: Level,
    /// Tokens per minute.
    pub tokens: Level,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Per minute.
    pub limit: u64,
    /// What is left now.
    pub remaining: u64,
    /// Until the bucket is full again.
    pub reset: Duration,
}

/// Which limit refused a request, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// `requests` or `tokens`.
    pub what: &'static str,
    /// The limit per minute.
    pub limit: u64,
    /// Until the bucket holds what the request wanted.
    pub wait: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    as_of: Instant,
}

impl Limits {
    /// Limits per minute and credential.
    pub fn new(rpm: u64, tpm: u64) -> Self {
        Self(Mutex::new(State {
            rpm: rpm.max(1),
            tpm: tpm.max(1),
            buckets: HashMap::new(),
        }))
    }

    /// Other limits from now on; if they are other, all buckets are full.
    pub fn set(&self, rpm: u64, tpm: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (state.rpm, state.tpm) != (rpm.max(1), tpm.max(1)) {
            *state = State {
                rpm: rpm.max(1),
                tpm: tpm.max(1),
                buckets: HashMap::new(),
            };
        }
    }

    /// Takes one request and `tokens` tokens, or nothing at all.
    pub fn admit(&self, credential: &str, tokens: u64, now: Instant) -> (Standing, Result<(), Refusal>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { rpm, tpm, buckets } = &mut *state;
        let (rpm, tpm) = (*rpm, *tpm);
        if !buckets.contains_key(credential) {
            let full = |limit| Bucket {
                level: limit as f64,
                as_of: now,
            };
            buckets.insert(credential.to_owned(), [full(rpm), full(tpm)]);
        }
        let Some([requests, spent]) = buckets.get_mut(credential) else {
            return (
                Standing {
                    requests: Level::full(rpm),
                    tokens: Level::full(tpm),
                },
                Ok(()),
            );
        };
        requests.refill(rpm, now);
        spent.refill(tpm, now);
        let refusal = requests
            .lacks(1, rpm, "requests")
            // A request larger than the bucket could never pass; the providers let it empty the bucket.
            .or_else(|| spent.lacks(tokens.min(tpm), tpm, "tokens"));
        if refusal.is_none() {
            requests.level -= 1.0;
            spent.level -= tokens.min(tpm) as f64;
        }
        let standing = Standing {
            requests: requests.standing(rpm),
            tokens: spent.standing(tpm),
        };
        (standing, refusal.map_or(Ok(()), Err))
    }
}

impl Bucket {
    fn refill(&mut self, limit: u64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.as_of).as_secs_f64();
        self.level = (self.level + elapsed * limit as f64 / 60.0).min(limit as f64);
        self.as_of = now;
    }

    fn lacks(&self, wanted: u64, limit: u64, what: &'static str) -> Option<Refusal> {
        let missing = wanted as f64 - self.level;
        // A billionth of a token short is rounding, not a refusal.
        (missing > 1e-9).then(|| Refusal {
            what,
            limit,
            wait: Duration::from_secs_f64(missing * 60.0 / limit as f64),
        })
    }

    fn standing(&self, limit: u64) -> Level {
        let missing = (limit as f64 - self.level).max(0.0);
        let reset = Duration::from_secs_f64(missing * 60.0 / limit as f64);
        Level {
            limit,
            remaining: self.level.max(0.0) as u64,
            reset,
        }
    }
}

impl Level {
    fn full(limit: u64) -> Self {
        Self {
            limit,
            remaining: limit,
            reset: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_limit_passes_and_a_wait_helps() {
        let (limits, now) = (Limits::new(3, 1_000), Instant::now());
        for left in [2, 1, 0] {
            let (standing, admitted) = limits.admit("a", 10, now);
            assert_eq!((standing.requests.remaining, admitted), (left, Ok(())));
        }
        let refusal = limits.admit("a", 10, now).1.unwrap_err();
        assert_eq!((refusal.what, refusal.wait), ("requests", Duration::from_secs(20)));
        assert_eq!(
            limits.admit("b", 10, now).1,
            Ok(()),
            "another credential has its own buckets"
        );
        assert_eq!(limits.admit("a", 10, now + Duration::from_secs(20)).1, Ok(()));
    }

    #[test]
    fn tokens_are_limited_too_and_a_refusal_takes_nothing() {
        let (limits, now) = (Limits::new(100, 600), Instant::now());
        assert_eq!(limits.admit("a", 590, now).1, Ok(()));
        let (standing, refused) = limits.admit("a", 20, now);
        assert_eq!(refused.unwrap_err().what, "tokens");
        assert_eq!((standing.requests.remaining, standing.tokens.remaining), (99, 10));
        assert_eq!(limits.admit("a", 10, now).1, Ok(()));
    }
}
