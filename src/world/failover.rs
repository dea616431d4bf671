//! When the next target is tried, compiled: numbers that cannot be wrong.
//!
//! In: nothing. Out: [`Failover`]. Who is next is [`crate::route`]'s question, and whether somebody failed is known where
//! answers are read.

use std::time::Duration;

/// The settings of one model, or of requests that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// The most attempts of a request, the first included; at least 1.
    pub attempts: usize,
    /// How long an attempt at a stream waits for its first event.
    pub first_token_timeout: Duration,
    /// How long an attempt waits for an answer in one piece.
    pub answer_timeout: Duration,
    /// For how long after the request came another attempt may begin.
    pub total: Duration,
    /// Whether an answer that a content filter withheld goes to the next target.
    pub content_filter: bool,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_token_timeout: Duration::from_secs(120),
            answer_timeout: Duration::from_secs(300),
            total: Duration::from_secs(600),
            content_filter: false,
        }
    }
}
