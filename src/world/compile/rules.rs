//! Limits and budgets, from what is written to what is kept.
//!
//! In: the limits and budgets of one subject, and where they are written. Out: its [`Rules`], shared with every subject
//! that has equal ones: ten thousand keys of three kinds have three. It does not know whose they are.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::{Findings, numbers, place::Place};
use crate::caller::UnixSeconds;
use crate::document::{self, Budgets, LimitThen, Limits, Mode, Span as WrittenSpan, Then as WrittenThen};
use crate::limit::rule::{Budget, Limit, Period, Raise, Rules, Share, Span, Then, Unit};

/// The largest limit or number of tokens: nothing that is added up from such numbers overflows.
const MOST: u64 = 1_000_000_000_000_000;

/// Budgets of one subject. Each is looked at for each of its requests.
const MOST_BUDGETS: usize = 16;

/// From a minute to 400 days.
const OVER: (u64, u64, &str) = (60, 400 * 86_400, "from \"1m\" to \"400d\"");

/// Which limits and budgets of the document, by where they are in memory: what is written alike is there once.
type Written = (Option<*const Limits>, Option<*const Budgets>);

/// The rules of all subjects of one document.
#[derive(Default)]
pub(super) struct Rulebook {
    known: HashSet<Arc<Rules>>,
    /// Those of what is written there, where there was nothing to say of it.
    flawless: HashMap<Written, Option<Arc<Rules>>>,
    /// Where a raise is written, and when it is over.
    pub(super) raises: Vec<(String, UnixSeconds)>,
}

impl Rulebook {
    /// The rules of what is at `place`. `None`: there are none.
    pub(super) fn rules(
        &mut self,
        place: Place<'_>,
        limits: Option<&Limits>,
        budgets: Option<&Budgets>,
        findings: &mut Findings,
    ) -> Option<Arc<Rules>> {
        let written = (limits.map(std::ptr::from_ref), budgets.map(std::ptr::from_ref));
        if let Some(rules) = self.flawless.get(&written) {
            return rules.clone();
        }
        let said = |rulebook: &Self, findings: &Findings| {
            rulebook.raises.len() + findings.problems.len() + findings.warnings.len()
        };
        let before = said(self, findings);
        let rules = self.compiled(place, limits, budgets, findings);
        if said(self, findings) == before {
            self.flawless.insert(written, rules.clone());
        }
        rules
    }

    fn compiled(
        &mut self,
        place: Place<'_>,
        limits: Option<&Limits>,
        budgets: Option<&Budgets>,
        findings: &mut Findings,
    ) -> Option<Arc<Rules>> {
        let mut rules = Rules::default();
        if let Some(limits) = limits {
            let place = place.member("limits");
            let mut limit = |name: &str, written: &Option<document::Limit>| {
                let written = written.as_ref()?;
                self.limit(place.member(name), written, findings)
            };
            rules.rpm = limit("rpm", &limits.rpm);
            rules.tpm = limit("tpm", &limits.tpm);
            rules.parallel = limit("parallel", &limits.parallel);
        }
        if let Some(budgets) = budgets {
            rules.budgets = self.budgets(place.member("budget"), budgets, findings);
        }
        if rules.is_empty() {
            return None;
        }
        if let Some(rules) = self.known.get(&rules) {
            return Some(rules.clone());
        }
        let rules = Arc::new(rules);
        self.known.insert(rules.clone());
        Some(rules)
    }

    fn limit(&mut self, place: Place<'_>, written: &document::Limit, findings: &mut Findings) -> Option<Limit> {
        let most = numbers::count(place, written.limit, MOST, findings);
        let raise = written.raise.as_ref().and_then(|raise| {
            let place = place.member("raise");
            let to = numbers::count(place.member("to"), raise.to, MOST, findings);
            self.raise(place, to, &raise.until, findings)
        });
        let warn_at = share(place, written.warn_at, findings);
        Some(Limit {
            most: most?,
            raise,
            warn_at,
            then: match written.then.unwrap_or(LimitThen::Block) {
                LimitThen::Block => Then::Block,
                LimitThen::Downgrade => Then::Downgrade,
                LimitThen::Warn => Then::Warn,
            },
            shadow: written.mode == Some(Mode::Shadow),
        })
    }

    fn budgets(&mut self, all: Place<'_>, written: &Budgets, findings: &mut Findings) -> Vec<Budget> {
        let several = written.each().len();
        if several > MOST_BUDGETS {
            let problem = format!("there are {several} budgets, and {MOST_BUDGETS} are allowed");
            findings.problem(all, problem, "remove those that others include");
        }
        let mut compiled = Vec::with_capacity(several.min(MOST_BUDGETS));
        let mut places: Vec<Place<'_>> = Vec::new();
        for (index, written) in written.each().take(MOST_BUDGETS) {
            let place = index.map_or(all, |index| all.element(index));
            let Some(budget) = self.budget(place, written, findings) else {
                continue;
            };
            let same = |other: &Budget| {
                (other.unit, other.period, other.then, other.shadow)
                    == (budget.unit, budget.period, budget.then, budget.shadow)
            };
            let first = compiled.iter().position(same).and_then(|first| places.get(first));
            if let Some(first) = first {
                let problem = format!("{} has the same unit, period and `then`", String::from(*first));
                findings.problem(place, problem, "remove one of the two");
            }
            compiled.push(budget);
            places.push(place);
        }
        compiled
    }

    fn budget(&mut self, place: Place<'_>, written: &document::Budget, findings: &mut Findings) -> Option<Budget> {
        let amount = amount(place, written, findings);
        let period = period(place, written, findings);
        let raise = written.raise.as_ref().and_then(|raise| {
            let place = place.member("raise");
            let unit = match written.usd {
                Some(_) => Unit::Nanodollars,
                None => Unit::Tokens,
            };
            let to = raised(place.member("to"), raise.to, unit, findings);
            self.raise(place, to, &raise.until, findings)
        });
        let warn_at = share(place, written.warn_at, findings);
        let (unit, most) = amount?;
        Some(Budget {
            unit,
            most,
            raise,
            period: period?,
            warn_at,
            then: match written.then.unwrap_or(WrittenThen::Block) {
                WrittenThen::Block => Then::Block,
                WrittenThen::Downgrade => Then::Downgrade,
                WrittenThen::Clamp => Then::Clamp,
                WrittenThen::Warn => Then::Warn,
            },
            shadow: written.mode == Some(Mode::Shadow),
        })
    }

    fn raise(&mut self, place: Place<'_>, to: Option<u64>, until: &str, findings: &mut Findings) -> Option<Raise> {
        let until = numbers::time(place.member("until"), until, findings)?;
        self.raises.push((place.into(), until));
        Some(Raise { to: to?, until })
    }
}

fn amount(place: Place<'_>, written: &document::Budget, findings: &mut Findings) -> Option<(Unit, u64)> {
    match (written.usd, written.tokens) {
        (Some(dollars), None) => {
            let most = numbers::nanodollars(place.member("usd"), dollars, f64::MIN_POSITIVE, findings);
            most.map(|most| (Unit::Nanodollars, most))
        }
        (None, Some(tokens)) => {
            let most = numbers::count(place.member("tokens"), tokens, MOST, findings);
            most.map(|most| (Unit::Tokens, most))
        }
        (Some(_), Some(_)) => {
            let remedy = "keep one of them, or write two budgets";
            findings.problem(place, "it has both `usd` and `tokens`", remedy);
            None
        }
        (None, None) => {
            findings.problem(place, "it has no amount", "add `usd` or `tokens`");
            None
        }
    }
}

/// The amount of a raise, in the budget's own unit.
fn raised(place: Place<'_>, to: f64, unit: Unit, findings: &mut Findings) -> Option<u64> {
    if unit == Unit::Nanodollars {
        return numbers::nanodollars(place, to, f64::MIN_POSITIVE, findings);
    }
    let tokens = numbers::scaled(to, 0).filter(|tokens| (1..=MOST).contains(tokens));
    if tokens.is_none() {
        let problem = format!("{to} is no number of tokens");
        findings.problem(place, problem, format!("write a whole number from 1 to {MOST}"));
    }
    tokens
}

fn period(place: Place<'_>, written: &document::Budget, findings: &mut Findings) -> Option<Period> {
    let offset_at = place.member("utc_offset");
    let offset = written.utc_offset.as_deref();
    match (written.per, written.over.as_deref()) {
        (Some(span), None) => Some(Period::Calendar {
            span: match span {
                WrittenSpan::Hour => Span::Hour,
                WrittenSpan::Day => Span::Day,
                WrittenSpan::Week => Span::Week,
                WrittenSpan::Month => Span::Month,
            },
            offset: offset.map_or(Some(0), |text| numbers::offset(offset_at, text, findings))?,
        }),
        (None, Some(text)) => {
            if offset.is_some() {
                findings.problem(
                    offset_at,
                    "a budget with `over` follows no calendar",
                    "remove it, or write `per` in place of `over`",
                );
            }
            let seconds = numbers::seconds(place.member("over"), text, OVER, findings)?;
            Some(Period::Rolling { seconds })
        }
        (Some(_), Some(_)) => {
            let remedy = "keep one of them, or write two budgets";
            findings.problem(place, "it has both `per` and `over`", remedy);
            None
        }
        (None, None) => {
            let remedy = r#"add `per`, such as "day", or `over`, such as "24h""#;
            findings.problem(place, "it does not say for how long", remedy);
            None
        }
    }
}

fn share(place: Place<'_>, written: Option<f64>, findings: &mut Findings) -> Share {
    numbers::share(place.member("warn_at"), written, findings)
}
