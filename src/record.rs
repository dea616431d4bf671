//! What happened to one request, once it is over.
//!
//! In: the facts the pipeline gathered. Out: observations for the metrics. A request makes exactly one record, however
//! it ended. It holds names and numbers only: nothing of what was asked or answered.

use crate::limit::admit::{Afresh, Use};
use crate::metrics::{self, Sink};
use crate::price::Nanodollars;
use crate::usage::{CLASSES, Usage};

/// One request, over.
#[derive(Clone, Debug)]
pub struct Record<'w> {
    /// The virtual key's name, or `unknown`.
    pub key: &'w str,
    /// The key's team, or `none`.
    pub team: &'w str,
    /// The configured model's name, or `none`.
    pub model: &'w str,
    /// The provider that served it or was tried last, or `none`.
    pub provider: &'w str,
    /// The endpoint's label.
    pub endpoint: &'static str,
    /// How it ended.
    pub outcome: &'static str,
    /// Whether it was counted as in flight: its key was recognised, and its headers alone did not decide how it ends.
    pub in_flight: bool,
    /// From first header to end, in milliseconds.
    pub duration_ms: u64,
    /// From first header to first generated token, in milliseconds; streams only.
    pub first_token_ms: Option<u64>,
    /// Between output tokens, in microseconds; streams of at least two tokens only.
    pub per_token_us: Option<u64>,
    /// Spent inside Tollgate before the request left, in microseconds; only where it left.
    pub added_us: Option<u64>,
    /// Providers that rest from now on, and why.
    pub rests: Vec<(&'w str, &'static str)>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempted<'w>>,
    /// What rules did to it, or would have done.
    pub remarks: Remarks<'w>,
}

/// What limits, budgets and the loop guard did to a request, or would have done.
#[derive(Clone, Debug, Default)]
pub struct Remarks<'w> {
    /// The rule that refused it.
    pub refused_by: Option<String>,
    /// Rules that were used up to their warning when it was admitted.
    pub near: Vec<String>,
    /// Rules that would have refused it, were they enforced.
    pub would_deny: Vec<String>,
    /// The models it was not sent to, each with the rule that sent it on to a cheaper one.
    pub downgraded: Vec<(&'w str, String)>,
    /// The budget that had its answers cut short.
    pub clamped_by: Option<String>,
    /// What the loop guard found.
    pub guard: Option<Loop>,
    /// Budgets that it found with another period than before.
    pub afresh: Vec<Afresh>,
}

/// A finding of the loop guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// `warn`, `slow` or `block`.
    pub step: &'static str,
    /// By what it was recognised.
    pub sign: &'static str,
    /// Whether the request would have been refused, were the guard enforced.
    pub would_deny: bool,
}

/// One attempt at a provider, over.
#[derive(Clone, Debug)]
pub struct Attempted<'w> {
    /// The provider's name.
    pub provider: &'w str,
    /// How it ended.
    pub outcome: &'static str,
    /// What it used, if it used anything.
    pub bill: Bill,
    /// Whether its answer, or its usage in it, could not be understood.
    pub undecoded: bool,
    /// Why it was given up for the next one, if it was.
    pub moved: Option<&'static str>,
    /// What of the request did not reach the provider: labels.
    pub dropped: Vec<&'static str>,
}

/// What one attempt used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bill {
    /// Nothing to pay: it failed, or the endpoint is free.
    #[default]
    Nothing,
    /// It answered, but told no usage and left nothing to estimate from.
    Unmetered,
    /// It used tokens.
    Metered {
        /// As the provider reported.
        reported: Usage,
        /// On top of that, as estimated.
        estimated: Usage,
        /// The price of both, where the model has a price.
        cost: Option<Cost>,
    },
}

impl Bill {
    /// Tokens and money, reported and estimated.
    fn used(&self) -> Use {
        match self {
            Self::Nothing | Self::Unmetered => Use::default(),
            Self::Metered {
                reported,
                estimated,
                cost,
            } => {
                let usage = reported.plus(estimated);
                let cost = cost.map_or(0, |cost| cost.reported.0.saturating_add(cost.estimated.0));
                Use {
                    tokens: usage.prompt().saturating_add(usage.completion()),
                    nanodollars: cost,
                }
            }
        }
    }

    /// Tokens of output, as far as the provider told them.
    pub fn reported_output(&self) -> Option<u64> {
        match self {
            Self::Metered {
                reported, estimated, ..
            } if estimated.is_zero() => Some(reported.completion()),
            Self::Nothing | Self::Unmetered | Self::Metered { .. } => None,
        }
    }
}

/// The price of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of the tokens that the provider reported.
    pub reported: Nanodollars,
    /// Of the estimated tokens on top.
    pub estimated: Nanodollars,
}

const REPORTED: &str = "reported";
const ESTIMATED: &str = "estimated";

impl Record<'_> {
    /// Hands every observation of this record to the sink, except the end of being in flight, which is a step down of
    /// a gauge and the shell's.
    pub fn observe(&self, sink: &mut impl Sink) {
        let served = [self.key, self.team, self.model, self.provider];
        let [key, team, model, provider] = served;
        sink.observe(
            &metrics::REQUESTS,
            &[key, team, model, provider, self.endpoint, self.outcome],
            1,
        );
        if self.in_flight {
            sink.observe(&metrics::DURATION, &served, self.duration_ms);
        }
        if let Some(ms) = self.first_token_ms {
            sink.observe(&metrics::FIRST_TOKEN, &served, ms);
        }
        if let Some(us) = self.per_token_us {
            sink.observe(&metrics::PER_TOKEN, &[model, provider], us);
        }
        if let Some(us) = self.added_us {
            sink.observe(&metrics::ADDED, &[], us);
        }
        for attempt in &self.attempts {
            self.observe_attempt(attempt, sink);
        }
        for (from, to) in self.attempts.iter().zip(self.attempts.iter().skip(1)) {
            if let Some(reason) = from.moved {
                let labels = [self.model, from.provider, to.provider, reason];
                sink.observe(&metrics::FAILOVERS, &labels, 1);
            }
        }
        for (provider, reason) in &self.rests {
            sink.observe(&metrics::PROVIDER_RESTS, &[provider, reason], 1);
        }
        self.observe_remarks(sink);
    }

    fn observe_remarks(&self, sink: &mut impl Sink) {
        let [key, team, model] = [self.key, self.team, self.model];
        let remarks = &self.remarks;
        if let Some(rule) = &remarks.refused_by {
            sink.observe(&metrics::REFUSALS, &[key, team, model, rule], 1);
        }
        for rule in &remarks.near {
            sink.observe(&metrics::NEAR_LIMIT, &[key, team, model, rule], 1);
        }
        for rule in &remarks.would_deny {
            sink.observe(&metrics::WOULD_DENY, &[key, team, model, rule], 1);
        }
        for (asked, rule) in &remarks.downgraded {
            sink.observe(&metrics::DOWNGRADES, &[key, team, asked, model, rule], 1);
        }
        if let Some(rule) = &remarks.clamped_by {
            sink.observe(&metrics::CLAMPS, &[key, team, model, rule], 1);
        }
        if let Some(found) = remarks.guard {
            sink.observe(&metrics::LOOP_GUARD, &[key, team, found.step, found.sign], 1);
        }
    }

    /// What it used in all, or of one provider alone.
    pub fn used(&self, provider: Option<&str>) -> Use {
        let of_it = |attempt: &&Attempted<'_>| provider.is_none_or(|provider| attempt.provider == provider);
        self.attempts.iter().filter(of_it).fold(Use::default(), |sum, attempt| {
            let used = attempt.bill.used();
            Use {
                tokens: sum.tokens.saturating_add(used.tokens),
                nanodollars: sum.nanodollars.saturating_add(used.nanodollars),
            }
        })
    }

    fn observe_attempt(&self, attempt: &Attempted<'_>, sink: &mut impl Sink) {
        let [key, team, model, provider] = [self.key, self.team, self.model, attempt.provider];
        let outcome = attempt.outcome;
        sink.observe(&metrics::ATTEMPTS, &[model, provider, attempt.outcome], 1);
        for member in &attempt.dropped {
            sink.observe(&metrics::DROPPED, &[model, provider, member], 1);
        }
        if attempt.undecoded {
            sink.observe(&metrics::INTERNAL_ERRORS, &["undecoded_answer"], 1);
        }
        match attempt.bill {
            Bill::Nothing => {}
            Bill::Unmetered => sink.observe(&metrics::UNMETERED, &[key, team, model, provider], 1),
            Bill::Metered {
                reported,
                estimated,
                cost,
            } => {
                for (usage, source) in [(reported, REPORTED), (estimated, ESTIMATED)] {
                    for (class, tokens) in classes(&usage) {
                        let labels = [key, team, model, provider, class, source, outcome];
                        sink.observe(&metrics::TOKENS, &labels, tokens);
                    }
                }
                match cost {
                    None => sink.observe(&metrics::UNPRICED, &[key, team, model, provider], 1),
                    Some(cost) => {
                        for (part, source) in [(cost.reported, REPORTED), (cost.estimated, ESTIMATED)] {
                            let labels = [key, team, model, provider, source, outcome];
                            sink.observe(&metrics::COST, &labels, part.0);
                        }
                    }
                }
            }
        }
    }
}

/// The label of each class that has tokens.
fn classes(usage: &Usage) -> impl Iterator<Item = (&'static str, u64)> {
    CLASSES
        .into_iter()
        .zip(usage.classes())
        .filter(|(_, tokens)| *tokens > 0)
}
