//! A key's rules for some models, from patterns to one entry for each model.

use std::cmp::Reverse;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::patterns::Names;
use super::rules::Rulebook;
use super::{Findings, place::Place};
use crate::document::{Entries, PerModel};
use crate::limit::rule::Rules;
use crate::world::{Allowed, ModelId, Only};

/// The rules of one key for each of some models, in ascending order of the models.
type Resolved = Arc<[(ModelId, Arc<Rules>)]>;

/// What makes two keys' rules per model the same: the patterns with their rules, and the models they may use. Equal rules
/// and equal lists of models are one allocation each, so that it is enough to compare where they are.
type Likeness<'d> = (Vec<(&'d str, Option<*const Rules>)>, Option<*const Only>);

/// The rules per model of all keys. Most keys share one of a few, so each is worked out once: a prefix may stand for a
/// thousand models.
pub(super) struct PerModels<'d> {
    names: &'d Names<'d>,
    none: Resolved,
    known: HashMap<Likeness<'d>, Known>,
}

#[derive(Clone)]
struct Known {
    resolved: Resolved,
    /// Which patterns fit no model, and which only models that the key may not use.
    unmatched: Vec<usize>,
    forbidden: Vec<usize>,
    /// Which names are those of one model, the later one first.
    doubled: Vec<(usize, usize)>,
}

impl<'d> PerModels<'d> {
    pub(super) fn new(names: &'d Names<'d>) -> Self {
        Self {
            names,
            none: Arc::default(),
            known: HashMap::new(),
        }
    }

    pub(super) fn of_key(
        &mut self,
        place: Place<'_>,
        written: &'d Entries<PerModel>,
        allowed: &Allowed,
        rulebook: &mut Rulebook,
        findings: &mut Findings,
    ) -> Resolved {
        if written.is_empty() {
            return self.none.clone();
        }
        let place = place.member("per_model");
        let mut rules = Vec::with_capacity(written.0.len());
        let mut patterns = HashSet::with_capacity(written.0.len());
        for (pattern, written) in &written.0 {
            let place = place.member(pattern);
            if !patterns.insert(pattern.as_str()) {
                findings.problem(place, "it is written twice", "keep one of them");
            }
            let limits = rulebook.rules(place, written.limits.as_ref(), written.budget.as_ref(), findings);
            rules.push((pattern.as_str(), limits));
        }
        let known = self.resolved(&rules, allowed);
        let pattern = |index: usize| rules.get(index).map_or("", |(pattern, _)| *pattern);
        for index in known.unmatched {
            let pattern = pattern(index);
            self.names.warn_of_unmatched(place.member(pattern), pattern, findings);
        }
        for index in known.forbidden {
            findings.warning(
                place.member(pattern(index)),
                "the key may use no such model",
                "add the model to the key's `models`, or remove this",
            );
        }
        for (later, earlier) in known.doubled {
            let problem = format!("it is the same model as `{}`", pattern(earlier));
            findings.problem(place.member(pattern(later)), problem, "remove one of the two");
        }
        known.resolved
    }

    fn resolved(&mut self, rules: &[(&'d str, Option<Arc<Rules>>)], allowed: &Allowed) -> Known {
        let patterns = rules
            .iter()
            .map(|(pattern, rules)| (*pattern, rules.as_ref().map(Arc::as_ptr)));
        let models = match allowed {
            Allowed::All => None,
            Allowed::Only(only) => Some(Arc::as_ptr(only)),
        };
        let likeness = (patterns.collect(), models);
        let names = self.names;
        let known = self
            .known
            .entry(likeness)
            .or_insert_with(|| resolve(names, rules, allowed));
        known.clone()
    }
}

fn resolve(names: &Names<'_>, rules: &[(&str, Option<Arc<Rules>>)], allowed: &Allowed) -> Known {
    let (mut unmatched, mut forbidden, mut doubled) = (Vec::new(), Vec::new(), Vec::new());
    // Whole names before prefixes, longer prefixes before shorter.
    let mut order: Vec<_> = rules.iter().enumerate().collect();
    order.sort_by_key(|(_, (pattern, _))| (pattern.ends_with('*'), Reverse(pattern.len())));
    let mut chosen: HashMap<ModelId, usize> = HashMap::new();
    let mut resolved = Vec::new();
    for (index, (pattern, rules)) in order {
        let (mut matched, mut usable) = (false, false);
        for model in names.matching(pattern) {
            matched = true;
            if !allowed.contains(model) {
                continue;
            }
            usable = true;
            match chosen.get(&model) {
                Some(earlier) if !pattern.ends_with('*') => {
                    doubled.push((index.max(*earlier), index.min(*earlier)));
                }
                Some(_) => {}
                None => {
                    chosen.insert(model, index);
                    // A name without rules is an exception from a prefix.
                    resolved.extend(rules.clone().map(|rules| (model, rules)));
                }
            }
        }
        match (matched, usable) {
            (false, _) => unmatched.push(index),
            (true, false) => forbidden.push(index),
            (true, true) => {}
        }
    }
    resolved.sort_by_key(|(model, _)| *model);
    unmatched.sort_unstable();
    forbidden.sort_unstable();
    Known {
        resolved: resolved.into(),
        unmatched,
        forbidden,
        doubled,
    }
}
