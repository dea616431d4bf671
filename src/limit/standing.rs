//! How a subject stands: each of its rules with what is used and what is left.
//!
//! In: a subject's cell and rules. Out: [`Standing`]s, for gauges and for whoever asks. Nothing is changed.

use super::cell::Cell;
use super::judge::{Measure, RuleName, Scope};
use super::rule::{Rules, Share, Then};
use super::store::Clock;
use super::window::Length;
use crate::caller::UnixSeconds;

/// One rule, and how it stands. All amounts are in the rule's own unit: requests, tokens or nanodollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which rule.
    pub rule: RuleName,
    /// Its value at present.
    pub most: u64,
    /// Used in the last minute, under way, or spent in the period that is now.
    pub used: u64,
    /// Set aside besides, for requests under way.
    pub set_aside: u64,
    /// In how many milliseconds nothing of it will be used any more, should nothing come meanwhile. `None`: who knows.
    pub reset: Option<u64>,
    /// When it warns.
    pub warn_at: Share,
    /// What follows.
    pub then: Then,
    /// Whether it is only computed.
    pub shadow: bool,
    /// Until when its value is another than usual.
    pub raised_until: Option<UnixSeconds>,
}

impl Standing {
    /// What is neither used nor set aside.
    pub fn remaining(&self) -> u64 {
        self.most.saturating_sub(self.used.saturating_add(self.set_aside))
    }

    /// The moment of its reset.
    pub fn resets_at(&self, clock: Clock) -> Option<UnixSeconds> {
        let seconds = i64::try_from(self.reset?.div_ceil(1_000)).unwrap_or(i64::MAX);
        Some(UnixSeconds(clock.wall.0.saturating_add(seconds)))
    }
}

/// How each rule of a subject stands.
pub fn standings(scope: Scope, cell: &mut Cell, rules: &Rules, clock: Clock) -> Vec<Standing> {
    let mut found = Vec::new();
    let held = cell.set_aside();
    let limits = [
        (Measure::Rpm, &rules.rpm),
        (Measure::Tpm, &rules.tpm),
        (Measure::Parallel, &rules.parallel),
    ];
    for (measure, limit) in limits {
        let Some(limit) = limit else { continue };
        let window = match measure {
            Measure::Rpm => Some(cell.requests()),
            Measure::Tpm => Some(cell.tokens()),
            Measure::Parallel | Measure::Budget(..) => None,
        };
        let (used, reset) = match window {
            Some(mut window) => (
                window.sum(Length::MINUTE, clock.steady),
                Some(window.until_at_most(Length::MINUTE, clock.steady, 0)),
            ),
            None => (held.running, None),
        };
        found.push(Standing {
            rule: RuleName { scope, measure },
            most: limit.most_at(clock.wall),
            used,
            set_aside: 0,
            reset,
            warn_at: limit.warn_at,
            then: limit.then,
            shadow: limit.shadow,
            raised_until: limit.raise.map(|raise| raise.until).filter(|until| clock.wall < *until),
        });
    }
    for budget in &rules.budgets {
        let (used, reset) = match cell.ledger(budget.unit, budget.period) {
            Some(mut ledger) => (ledger.spent(clock), ledger.until_afresh(clock)),
            None => (0, budget.period.until_end(clock)),
        };
        found.push(Standing {
            rule: RuleName {
                scope,
                measure: Measure::Budget(budget.unit, budget.period),
            },
            most: budget.most_at(clock.wall),
            used,
            set_aside: held.of(budget.unit),
            reset: Some(reset),
            warn_at: budget.warn_at,
            then: budget.then,
            shadow: budget.shadow,
            raised_until: budget
                .raise
                .map(|raise| raise.until)
                .filter(|until| clock.wall < *until),
        });
    }
    found
}
