//! One subject's rules, asked about one request.
//!
//! In: the subject's cell and rules, what the request may use at most, the time. Out: a [`Verdict`]: what stands in the
//! way, what is nearly used up, what the client is told. The cell is brought up to date, and nothing is taken from it.

use std::fmt;

use super::cell::Cell;
use super::ledger::Ledger;
use super::rule::{Budget, Limit, Period, Rules, Share, Then, Unit};
use super::store::Clock;
use super::window::Length;

/// What kind of thing has rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everything together.
    All,
    /// A team.
    Team,
    /// A virtual key.
    Key,
    /// A virtual key with one model.
    KeyModel,
    /// A model.
    Model,
    /// A provider's credential.
    Provider,
}

/// Which rule of which kind of subject. It shows as `key.rpm`, `team.budget.day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleName {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub measure: Measure,
}

/// What a rule measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Requests in any 60 seconds.
    Rpm,
    /// Tokens in any 60 seconds.
    Tpm,
    /// Requests under way.
    Parallel,
    /// What is spent of a unit in a period.
    Budget(Unit, Period),
}

/// What a request may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Tokens it is expected to use, input and output.
    pub tokens: u64,
    /// The most tokens it can use, as far as is known.
    pub most_tokens: u64,
    /// The most it can cost, in nanodollars.
    pub most_nanodollars: u64,
    /// Whether its price is not known, so that nothing can be said of its cost.
    pub unpriced: bool,
    /// Whether it cannot use anything: it fits, whatever is used up.
    pub free: bool,
}

/// When there will be room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// As soon as requests that are under way are over.
    Unknown,
    /// In so many milliseconds, should nobody else come.
    Milliseconds(u64),
    /// Never: the request is larger than the whole.
    Never,
}

/// What stands in a request's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The rule.
    pub rule: RuleName,
    /// Its value: requests, tokens or nanodollars.
    pub most: u64,
    /// When it no longer does.
    pub wait: Wait,
}

/// How much of a rate is used, before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The limit.
    pub most: u64,
    /// What is used of it.
    pub used: u64,
    /// What the request adds, if it is admitted.
    pub adds: u64,
    /// In how many milliseconds all of it is there again, should nothing be admitted meanwhile.
    pub reset: u64,
}

/// What is left of a budget that can cut answers short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The budget.
    pub rule: RuleName,
    /// What it is counted in.
    pub unit: Unit,
    /// What is neither spent nor set aside.
    pub rest: u64,
}

/// What the rules of a subject, or of several, say of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What stands in its way; of several rules the one that does for longest.
    pub obstacle: Option<Obstacle>,
    /// Rules that would stand in its way, were they enforced.
    pub would_deny: Vec<RuleName>,
    /// Rules that are used up to their warning.
    pub near: Vec<RuleName>,
    /// Rules that send requests to cheaper models.
    pub downgrade: Vec<RuleName>,
    /// Budgets that the request does not fit and that would have its answer cut instead.
    pub clamp: Vec<Rest>,
    /// The tightest limit of requests.
    pub requests: Option<Rate>,
    /// The tightest limit of tokens.
    pub tokens: Option<Rate>,
    /// Which rules send requests to cheaper models, as the cell is to remember it.
    pub(super) eased: u64,
    /// Whether there is a budget of whose period the cell has no ledger yet.
    pub(super) unbegun: bool,
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// Whether nothing is to be refused (shadow mode of the key, its team or everything).
    pub shadow: bool,
    /// Whether answers have been cut already to what budgets' rests buy.
    pub clamped: bool,
    /// When.
    pub clock: Clock,
}

/// Asks every rule.
pub fn judge(scope: Scope, cell: &mut Cell, rules: &Rules, want: &Want, asking: Asking) -> Verdict {
    let mut verdict = Verdict {
        eased: cell.eased(),
        ..Verdict::default()
    };
    let clock = asking.clock;
    let held = cell.set_aside();
    let named = |measure| RuleName { scope, measure };
    if let Some(limit) = &rules.rpm {
        let (most, used) = (
            limit.most_at(clock.wall),
            cell.requests().sum(Length::MINUTE, clock.steady),
        );
        let fits = used < most;
        let wait = |cell: &mut Cell| match most {
            0 => Wait::Never,
            most => Wait::Milliseconds(cell.requests().until_at_most(Length::MINUTE, clock.steady, most - 1)),
        };
        if !limit.shadow && !asking.shadow {
            verdict.requests = Some(Rate {
                most,
                used,
                adds: 1,
                reset: cell.requests().until_at_most(Length::MINUTE, clock.steady, 0),
            });
        }
        let case = Case::of_limit(limit, 0, used, most, fits);
        verdict.note(case, named(Measure::Rpm), asking, || wait(cell));
    }
    if let Some(limit) = &rules.tpm {
        let (most, used) = (
            limit.most_at(clock.wall),
            cell.tokens().sum(Length::MINUTE, clock.steady),
        );
        let fits = want.free || used.saturating_add(want.tokens) <= most;
        let wait = |cell: &mut Cell| match most.checked_sub(want.tokens) {
            None => Wait::Never,
            Some(room) => Wait::Milliseconds(cell.tokens().until_at_most(Length::MINUTE, clock.steady, room)),
        };
        if !limit.shadow && !asking.shadow {
            verdict.tokens = Some(Rate {
                most,
                used,
                adds: want.tokens,
                reset: cell.tokens().until_at_most(Length::MINUTE, clock.steady, 0),
            });
        }
        let case = Case::of_limit(limit, 1, used, most, fits);
        verdict.note(case, named(Measure::Tpm), asking, || wait(cell));
    }
    if let Some(limit) = &rules.parallel {
        let (most, used) = (limit.most_at(clock.wall), held.running);
        let case = Case::of_limit(limit, 2, used, most, used < most);
        verdict.note(case, named(Measure::Parallel), asking, || Wait::Unknown);
    }
    for (index, budget) in rules.budgets.iter().enumerate() {
        let rule = named(Measure::Budget(budget.unit, budget.period));
        let ledger = cell.ledger(budget.unit, budget.period);
        verdict.unbegun |= ledger.is_none();
        let state = Spending {
            bit: 1 << (3 + index % 61),
            held: held.of(budget.unit),
            ledger,
        };
        verdict.note_budget(rule, budget, state, want, asking);
    }
    verdict
}

/// What a rule finds.
#[derive(Clone, Copy)]
struct Case {
    bit: u64,
    then: Then,
    shadow: bool,
    warn_at: Share,
    used: u64,
    most: u64,
    fits: bool,
}

/// What is known of a budget's use.
struct Spending<'c> {
    bit: u64,
    held: u64,
    ledger: Option<Ledger<'c>>,
}

impl Case {
    fn of_limit(limit: &Limit, place: usize, used: u64, most: u64, fits: bool) -> Self {
        Self {
            bit: 1 << place,
            then: limit.then,
            shadow: limit.shadow,
            warn_at: limit.warn_at,
            used,
            most,
            fits,
        }
    }
}

impl Verdict {
    fn note(&mut self, case: Case, rule: RuleName, asking: Asking, wait: impl FnOnce() -> Wait) {
        let warn = case.warn_at.of(case.most);
        let near = case.used >= warn || case.then == Then::Warn && !case.fits;
        let shadow = case.shadow || asking.shadow;
        if near {
            self.near.push(rule);
        }
        if case.then == Then::Downgrade && !shadow {
            // What has begun ends only well below where it began: else every other request would go elsewhere.
            let eased = near || self.eased & case.bit != 0 && case.used >= warn.saturating_sub(warn / 10).max(1);
            match eased {
                true => self.eased |= case.bit,
                false => self.eased &= !case.bit,
            }
            // A request too large for what is left goes elsewhere too, and those after it need not.
            if eased || !case.fits {
                self.downgrade.push(rule);
            }
        }
        if case.fits || case.then == Then::Warn {
            return;
        }
        if shadow {
            self.would_deny.push(rule);
            return;
        }
        self.stand(Obstacle {
            rule,
            most: case.most,
            wait: wait(),
        });
    }

    fn note_budget(&mut self, rule: RuleName, budget: &Budget, state: Spending<'_>, want: &Want, asking: Asking) {
        let Spending { bit, held, mut ledger } = state;
        let clock = asking.clock;
        let most = budget.most_at(clock.wall);
        let spent = ledger.as_mut().map_or(0, |ledger| ledger.spent(clock));
        let worst = want.of(budget.unit);
        let used = spent.saturating_add(held);
        let exhausted = spent >= most && want.unpriced;
        let fits = want.free || used.saturating_add(worst) <= most && !exhausted;
        let enforced = !budget.shadow && !asking.shadow;
        if !fits && budget.then == Then::Clamp && enforced && !asking.clamped {
            let rest = most.saturating_sub(used);
            self.clamp.push(Rest {
                rule,
                unit: budget.unit,
                rest,
            });
        }
        let case = Case {
            bit,
            then: budget.then,
            shadow: budget.shadow,
            warn_at: budget.warn_at,
            used: spent,
            most,
            fits,
        };
        self.note(case, rule, asking, || {
            let room = match exhausted {
                true => most.checked_sub(1),
                false => most.checked_sub(worst),
            };
            match (room, ledger) {
                (None, _) => Wait::Never,
                (Some(room), Some(mut ledger)) if spent > room => Wait::Milliseconds(ledger.until_at_most(clock, room)),
                (Some(_), _) => Wait::Unknown,
            }
        });
    }

    fn stand(&mut self, obstacle: Obstacle) {
        if self.obstacle.is_none_or(|other| other.wait < obstacle.wait) {
            self.obstacle = Some(obstacle);
        }
    }

    /// What both say.
    pub fn and(mut self, other: Self) -> Self {
        if let Some(obstacle) = other.obstacle {
            self.stand(obstacle);
        }
        self.would_deny.extend(other.would_deny);
        self.near.extend(other.near);
        self.downgrade.extend(other.downgrade);
        self.clamp.extend(other.clamp);
        self.requests = tighter(self.requests, other.requests);
        self.tokens = tighter(self.tokens, other.tokens);
        self
    }

    /// Whether a rule of this measure would have stood in the way, were it enforced: what it did not let through must
    /// not use it up.
    pub(super) fn spares(&self, scope: Scope, measure: Measure) -> bool {
        self.would_deny.contains(&RuleName { scope, measure })
    }
}

impl Want {
    /// The most of a unit.
    pub fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Nanodollars => self.most_nanodollars,
            Unit::Tokens => self.most_tokens,
        }
    }
}

impl Rate {
    /// What is left, and in how many milliseconds all of it is there again, once the request was admitted or refused.
    pub fn left(&self, admitted: bool) -> (u64, u64) {
        match admitted && self.adds > 0 {
            // Its own part is the youngest.
            true => (
                self.most.saturating_sub(self.used.saturating_add(self.adds)),
                Length::MINUTE.milliseconds(),
            ),
            false => (self.most.saturating_sub(self.used), self.reset),
        }
    }
}

/// Of two rates the one with less left.
pub fn tighter(one: Option<Rate>, other: Option<Rate>) -> Option<Rate> {
    match (one, other) {
        (Some(one), Some(other)) if other.left(true).0 < one.left(true).0 => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

impl Scope {
    /// All of them.
    pub const EVERY: [Self; 6] = [
        Self::All,
        Self::Team,
        Self::Key,
        Self::KeyModel,
        Self::Model,
        Self::Provider,
    ];

    /// The word in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Team => "team",
            Self::Key => "key",
            Self::KeyModel => "key_model",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope.name();
        match self.measure {
            Measure::Rpm => write!(f, "{scope}.rpm"),
            Measure::Tpm => write!(f, "{scope}.tpm"),
            Measure::Parallel => write!(f, "{scope}.parallel"),
            Measure::Budget(Unit::Nanodollars, period) => write!(f, "{scope}.budget.{}", period.name()),
            Measure::Budget(Unit::Tokens, period) => write!(f, "{scope}.token_budget.{}", period.name()),
        }
    }
}

#[cfg(test)]
mod tests;
