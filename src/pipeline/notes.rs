//! What rules did to a request that was admitted, or would have done: told to its client in headers, and to the operator
//! in metrics.
//!
//! In: verdicts and decisions, as they come. Out: headers for the answer, and [`Remarks`] for the record.

use super::Arrival;
use super::told::{self, Header};
use crate::limit::admit::Afresh;
use crate::limit::judge::{RuleName, Verdict};
use crate::limit::store::Clock;
use crate::record::{Loop, Remarks};
use crate::world::{ModelId, World};

/// What happened on the way in.
#[derive(Debug, Default)]
pub(super) struct Notes {
    near: Vec<RuleName>,
    would_deny: Vec<String>,
    downgraded: Vec<(ModelId, RuleName)>,
    clamped: Option<(u64, RuleName)>,
    unsaid: Option<u64>,
    guard: Option<Loop>,
    afresh: Vec<Afresh>,
    headers: Vec<Header>,
}

impl Notes {
    /// The request goes to a cheaper model than this.
    pub(super) fn downgrade(&mut self, from: Option<ModelId>, rule: RuleName) {
        self.downgraded.extend(from.map(|from| (from, rule)));
    }

    /// From which models it was sent on.
    pub(super) fn downgraded(&self) -> &[(ModelId, RuleName)] {
        &self.downgraded
    }

    /// The model that was asked for, whichever it is now.
    pub(super) fn asked_for(&self, now: Option<ModelId>) -> Option<ModelId> {
        self.downgraded.first().map(|(from, _)| *from).or(now)
    }

    /// Its answers are cut to so many tokens.
    pub(super) fn clamp(&mut self, most: u64, rule: RuleName) {
        self.clamped = Some((most, rule));
    }

    /// To how many tokens its answers are cut.
    pub(super) fn clamped(&self) -> Option<u64> {
        self.clamped.map(|(most, _)| most)
    }

    /// The request is made to say its longest answer, which it did not.
    pub(super) fn say(&mut self, most: Option<u64>) {
        self.unsaid = most;
    }

    /// The longest answer that the request is made to say, if it is not left as it is.
    pub(super) fn longest(&self) -> Option<u64> {
        self.clamped().or(self.unsaid)
    }

    /// What the loop guard found, and only says.
    pub(super) fn guard(&mut self, found: Loop) {
        if found.would_deny {
            self.would_deny.push(format!("loop_guard.{}", found.sign));
        }
        self.guard = Some(found);
    }

    /// Budgets whose period is another than before.
    pub(super) fn afresh(&mut self) -> &mut Vec<Afresh> {
        &mut self.afresh
    }

    /// What all rules said in the end.
    pub(super) fn admitted(&mut self, arrival: &Arrival, verdict: &Verdict, clock: Clock) {
        self.headers = told::rates(arrival.dialect, verdict.requests, verdict.tokens, true, clock);
        // Two budgets of one unit and period have one name.
        for rule in &verdict.near {
            if !self.near.contains(rule) {
                self.near.push(*rule);
            }
        }
        for rule in verdict.would_deny.iter().map(ToString::to_string) {
            if !self.would_deny.contains(&rule) {
                self.would_deny.push(rule);
            }
        }
    }

    /// The headers for the answer.
    pub(super) fn headers(&self, world: &World) -> Vec<Header> {
        let mut headers = self.headers.clone();
        let name = |id| world.model(id).map(|model| model.name.to_string());
        if !self.near.is_empty() {
            headers.push(("x-tollgate-warning", listed(&self.near)));
        }
        if !self.would_deny.is_empty() {
            headers.push(("x-tollgate-would-deny", self.would_deny.join(", ")));
        }
        if let Some((from, rule)) = self.downgraded.first()
            && let Some(from) = name(*from)
        {
            headers.push(("x-tollgate-downgraded", format!("{from}; {rule}")));
        }
        if let Some((most, _)) = self.clamped {
            headers.push(("x-tollgate-clamped", most.to_string()));
        }
        if let Some(found) = &self.guard {
            headers.push(("x-tollgate-loop", format!("{}; {}", found.step, found.sign)));
        }
        headers
    }

    /// What the record says of it.
    pub(super) fn remarks<'w>(&self, world: &'w World) -> Remarks<'w> {
        let name = |id: &ModelId| world.model(*id).map(|model| &*model.name);
        let written = |rules: &[RuleName]| rules.iter().map(ToString::to_string).collect();
        Remarks {
            refused_by: None,
            near: written(&self.near),
            would_deny: self.would_deny.clone(),
            downgraded: self
                .downgraded
                .iter()
                .filter_map(|(from, rule)| Some((name(from)?, rule.to_string())))
                .collect(),
            clamped_by: self.clamped.map(|(_, rule)| rule.to_string()),
            guard: self.guard,
            afresh: self.afresh.clone(),
        }
    }
}

/// Names of rules, for a header or a person.
fn listed(rules: &[RuleName]) -> String {
    let names: Vec<String> = rules.iter().map(ToString::to_string).collect();
    names.join(", ")
}
