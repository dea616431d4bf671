//! Whether a provider is fit to be asked: what became of the attempts at it, remembered by all workers together.
//!
//! In: what an attempt came to ([`Sign`]), a [`rule::Rule`] and the [`Books`]. Out: how a provider stands with one of its
//! credentials ([`Standing`]). It does not know who is asked in its place: that is [`crate::route`]'s part.
//!
//! # The course of things
//!
//! ```text
//!  fit ──► resting ──► trying ──► recovering ──► fit
//!             ▲          │            │
//!             └──────────┴────────────┘ failed again: rests twice as long
//! ```
//!
//! - A provider that is *fit* and fails so many times in a row ([`rule::Rule::failures`]), or in half of at least
//!   [`rule::ENOUGH`] attempts within [`rule::WINDOW`] seconds, *rests*. So does one that answers 429, for as long as it
//!   asks, and one that refuses our credential.
//! - Once the rest is over, one request at a time may *try* it ([`claim`]). Whoever tries has a lease that ends by itself:
//!   a VM that dies with it keeps nobody out.
//! - If that is served, the provider *recovers*: its share of the traffic rises from [`rule::FIRST_SHARE`] percent to all.
//!   A failure then sends it back.
//! - An attempt that began before the present phase says nothing of it: of a hundred requests that fail at once, the first
//!   few take the provider out and the others do not count against it later.
//! - What a client did wrong is no sign at all ([`Sign::Nothing`]).
//!
//! Where all providers rest, they are tried all the same; whoever serves then has recovered as in a trial.
//!
//! A provider that serves is never written: attempts are counted from the first failure on, for as long as there is one in
//! the window. Each provider and credential has a cell, and so has each of its models for rate limits alone, changed by
//! compare-and-swap.
//!
//! - [`rule`]: the numbers. [`cell`](mod@cell): the state, as bytes, and how it changes.
//! - [`place`]: a provider's cell and that of one of its models, together: what an attempt needs.
//! - [`wait`]: how long a provider that answers 429 wants to be left alone.
//! - [`quota`]: what a provider says is left of its own limits.
//! - [`gauge`]: all of it, for metrics.

use std::time::Duration;

use crate::limit::store::{Books, Unwritable};
use cell::Cell;
use rule::Rule;

pub mod cell;
pub mod gauge;
pub mod place;
pub mod quota;
pub mod rule;
pub mod wait;

#[cfg(test)]
mod tests;

/// What an attempt says of its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It answers: the head of a good answer is there, or the first event of a stream.
    Served,
    /// It cannot be reached, breaks off, takes too long, or answers with an error of its own.
    Failed,
    /// It answers 429, and wants to be left alone for so long; `None`: it does not say ([`wait::retry_after`]).
    Limited(Option<Duration>),
    /// It refuses the gateway's own credential.
    Refused,
    /// Nothing: the request was at fault, or its client went away. It only makes room for another trial.
    Nothing,
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it says.
    pub sign: Sign,
    /// When the attempt began, in milliseconds of [`Clock::steady`](crate::limit::store::Clock::steady).
    pub began: u64,
    /// With which lease, if it was a trial.
    pub trial: Option<Lease>,
}

/// Leave to try a provider whose rest is over. The number is not given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(u64);

/// How a provider stands with one of its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be asked.
    Fit,
    /// It is left alone until then, in milliseconds of the steady clock: for a rest, or while somebody tries it.
    Resting {
        /// When that ends, as far as is known.
        until: u64,
    },
    /// Its rest is over: whoever has a lease may try it.
    Trying,
    /// It can be asked by this share of the requests.
    Recovering {
        /// In percent, from 1 to 100.
        share: u8,
    },
}

/// Why a provider rests. A label of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It failed.
    Failed,
    /// It answered 429.
    Limited,
    /// It refused the gateway's credential.
    Refused,
}

impl Reason {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

impl Standing {
    /// How much of its traffic a provider gets, in percent: 0 while it rests or is tried.
    pub fn percent(self) -> u8 {
        match self {
            Self::Fit => 100,
            Self::Resting { .. } | Self::Trying => 0,
            Self::Recovering { share } => share,
        }
    }

    /// The worse of two: whoever rests, for as long as either does, then whoever is to be tried, then the smaller share.
    pub fn or_worse(self, other: Self) -> Self {
        let rank = |standing| match standing {
            Self::Resting { until } => (0, u64::MAX - until),
            Self::Trying => (1, 0),
            Self::Recovering { share } => (2, u64::from(share)),
            Self::Fit => (3, 0),
        };
        if rank(other) < rank(self) { other } else { self }
    }
}

/// Where it is known how a provider stands with its credential of this index. No name has a semicolon.
pub fn cell_name(provider: &str, credential: usize) -> String {
    ["tollgate.health.", provider, ";", &credential.to_string()].concat()
}

/// How a provider stands. A cell of another version, or none, is one of a provider that is fit.
pub fn standing(cell: &str, rule: &Rule, books: &mut Books<'_>) -> Standing {
    match books.store.read(cell) {
        Some((bytes, _)) => Cell::decode(&bytes, books.clock.steady).standing(rule, books.clock.steady),
        None => Standing::Fit,
    }
}

/// Leave to try a provider that stands at [`Standing::Trying`]. `None`: it does not, or no longer, because somebody else was
/// first.
pub fn claim(cell: &str, rule: &Rule, books: &mut Books<'_>) -> Result<Option<Lease>, Unwritable> {
    books.update(cell, |bytes, books| {
        let now = books.clock.steady;
        let mut cell = Cell::decode(&bytes, now);
        let lease = cell.claim(rule, now).map(Lease);
        (lease.map(|_| cell.encode()), lease)
    })
}

/// Takes down what became of an attempt. If the provider rests from now on, why.
pub fn note(cell: &str, rule: &Rule, outcome: Outcome, books: &mut Books<'_>) -> Result<Option<Reason>, Unwritable> {
    books.update(cell, |bytes, books| {
        let now = books.clock.steady;
        let before = Cell::decode(&bytes, now);
        let mut cell = before;
        let rests = cell.note(rule, outcome, now);
        ((cell != before).then(|| cell.encode()), rests)
    })
}
