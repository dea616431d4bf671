//! Whom the rules concern, and what of them comes to nothing: warnings about rules and models together.
//!
//! In: everything that has rules, compiled. Out: warnings. Keys share lists of models and rules, so what there is to say
//! of a list is worked out once.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Findings;
use crate::document::member;
use crate::limit::rule::{Limit, Rules, Then, Unit};
use crate::provider::Provider;
use crate::world::{Allowed, Key, Model, ModelId, Only, Target, Team};

/// Everything that has rules.
pub(super) struct Subjects<'w> {
    pub(super) all: Option<&'w Rules>,
    pub(super) providers: &'w [Provider],
    pub(super) models: &'w [Model],
    pub(super) teams: &'w [Team],
    pub(super) keys: &'w [Key],
}

/// Which models are under a budget in dollars, by their places.
struct Budgeted {
    /// Under any.
    any: Vec<bool>,
    /// Under one that refuses by what an answer may be at most.
    strict: Vec<bool>,
}

/// Names given of those that a warning is about.
const NAMED: usize = 3;

impl Subjects<'_> {
    pub(super) fn warn(&self, findings: &mut Findings) {
        let mut budgeted = Budgeted {
            any: vec![false; self.models.len()],
            strict: vec![false; self.models.len()],
        };
        let any_cheaper = self.models.iter().any(|model| model.cheaper.is_some());
        if let Some(rules) = self.all {
            budgeted.mark(rules, self.ids());
            self.warn_of_no_cheaper("", downgrades(rules) && !any_cheaper, findings);
        }
        self.warn_of_providers(&mut budgeted, findings);
        for (id, model) in self.ids().zip(self.models) {
            let Some(rules) = &model.rules else { continue };
            budgeted.mark(rules, [id]);
            let path = member("models", &model.name);
            self.warn_of_no_cheaper(&path, downgrades(rules) && model.cheaper.is_none(), findings);
        }
        self.warn_of_teams(&mut budgeted, findings);
        self.warn_of_keys(&mut budgeted, findings);
        self.warn_of_forbidden_cheaper(findings);
        self.warn_of_budgeted(&budgeted, findings);
    }

    fn ids(&self) -> impl Iterator<Item = ModelId> + use<> {
        (0..self.models.len() as u32).map(ModelId)
    }

    fn model(&self, id: ModelId) -> Option<&Model> {
        self.models.get(id.0 as usize)
    }

    fn has_cheaper(&self, mut models: impl Iterator<Item = ModelId>) -> bool {
        models.any(|id| self.model(id).is_some_and(|model| model.cheaper.is_some()))
    }

    fn warn_of_no_cheaper(&self, path: &str, none: bool, findings: &mut Findings) {
        if none {
            findings.warning(
                path,
                "`downgrade` comes to nothing: none of the models concerned has a `cheaper`",
                "give one of them a `cheaper`, or write `block`",
            );
        }
    }

    fn warn_of_providers(&self, budgeted: &mut Budgeted, findings: &mut Findings) {
        for (index, provider) in self.providers.iter().enumerate() {
            let Some(rules) = &provider.rules else { continue };
            let served = |model: &Model| model.targets.iter().any(|target| target.provider.0 as usize == index);
            let served = || self.ids().filter(|id| self.model(*id).is_some_and(served));
            budgeted.mark(rules, served());
            let path = member("providers", &provider.name);
            self.warn_of_no_cheaper(&path, downgrades(rules) && !self.has_cheaper(served()), findings);
        }
    }

    fn warn_of_teams(&self, budgeted: &mut Budgeted, findings: &mut Findings) {
        /// Which models the keys of a team may use; `None`: all.
        type Reach = Option<HashMap<*const Only, Arc<Only>>>;
        let mut reaches: Vec<Option<Reach>> = self.teams.iter().map(|_| None).collect();
        for key in self.keys {
            let Some(reach) = key.team.and_then(|team| reaches.get_mut(team.0 as usize)) else {
                continue;
            };
            let reach = reach.get_or_insert_with(|| Some(HashMap::new()));
            match (&key.models, reach.as_mut()) {
                (Allowed::All, _) => *reach = None,
                (Allowed::Only(only), Some(lists)) => {
                    lists.insert(Arc::as_ptr(only), only.clone());
                }
                (Allowed::Only(_), None) => {}
            }
        }
        for (team, reach) in self.teams.iter().zip(&reaches) {
            let Some(rules) = &team.rules else { continue };
            let path = member("teams", &team.name);
            let none = match reach {
                None => {
                    findings.warning(
                        path,
                        "it has limits or budgets and no key: they concern nobody",
                        "name the team in a key, or remove them",
                    );
                    continue;
                }
                Some(None) => {
                    budgeted.mark(rules, self.ids());
                    !self.has_cheaper(self.ids())
                }
                Some(Some(lists)) => {
                    let models = || lists.values().flat_map(|only| only.models().iter().copied());
                    budgeted.mark(rules, models());
                    !self.has_cheaper(models())
                }
            };
            self.warn_of_no_cheaper(&path, downgrades(rules) && none, findings);
        }
    }

    fn warn_of_keys(&self, budgeted: &mut Budgeted, findings: &mut Findings) {
        let mut seen: HashMap<(Option<*const Only>, *const Rules), bool> = HashMap::new();
        let mut seen_per_model: HashMap<_, bool> = HashMap::new();
        for (index, key) in self.keys.iter().enumerate() {
            if let Some(rules) = &key.rules {
                let none = *seen
                    .entry((list(key), Arc::as_ptr(rules)))
                    .or_insert_with(|| match &key.models {
                        Allowed::All => {
                            budgeted.mark(rules, self.ids());
                            downgrades(rules) && !self.has_cheaper(self.ids())
                        }
                        Allowed::Only(only) => {
                            budgeted.mark(rules, only.models().iter().copied());
                            downgrades(rules) && !self.has_cheaper(only.models().iter().copied())
                        }
                    });
                self.warn_of_no_cheaper(&format!("keys[{index}]"), none, findings);
            }
            let none = *seen_per_model.entry(key.per_model.as_ptr()).or_insert_with(|| {
                let mut models = key.per_model.iter();
                models.clone().for_each(|(id, rules)| budgeted.mark(rules, [*id]));
                let downgraded = models.clone().any(|(_, rules)| downgrades(rules));
                downgraded && !models.any(|(id, rules)| downgrades(rules) && self.has_cheaper([*id].into_iter()))
            });
            self.warn_of_no_cheaper(&format!("keys[{index}].per_model"), none, findings);
        }
    }

    /// Keys that a rule would have downgraded to a model they may not use.
    fn warn_of_forbidden_cheaper(&self, findings: &mut Findings) {
        let all = self.all.is_some_and(downgrades);
        let provider = |provider: &Provider| provider.rules.as_deref().is_some_and(downgrades);
        let concerned = |model: &Model| {
            let mut targets = model.targets.iter();
            all || model.rules.as_deref().is_some_and(downgrades)
                || targets.any(|target| self.providers.get(target.provider.0 as usize).is_some_and(provider))
        };
        let concerned: Vec<bool> = self.models.iter().map(concerned).collect();
        let mut seen: HashMap<_, Option<String>> = HashMap::new();
        for (index, key) in self.keys.iter().enumerate() {
            let Allowed::Only(only) = &key.models else { continue };
            let team = key
                .team
                .and_then(|team| self.teams.get(team.0 as usize)?.rules.as_deref());
            let always = [team, key.rules.as_deref()].into_iter().flatten().any(downgrades);
            let likeness = (Arc::as_ptr(only), key.per_model.as_ptr(), always);
            let warning = seen.entry(likeness).or_insert_with(|| {
                let pairs = only.models().iter().filter_map(|id| {
                    let model = self.model(*id)?;
                    let cheaper = model.cheaper.filter(|cheaper| !key.models.contains(*cheaper))?;
                    let concerned = always
                        || concerned.get(id.0 as usize) == Some(&true)
                        || key.rules_for(*id).is_some_and(|rules| downgrades(rules));
                    let cheaper = self.model(cheaper).filter(|_| concerned)?;
                    Some(format!("`{}` but not `{}`", model.name, cheaper.name))
                });
                let pairs: Vec<_> = pairs.collect();
                (!pairs.is_empty()).then(|| format!("it may use {}: there it is not downgraded", some(&pairs)))
            });
            if let Some(warning) = warning {
                let remedy = "add the cheaper models to it";
                findings.warning(format!("keys[{index}].models"), warning.as_str(), remedy);
            }
        }
    }

    /// What the document's budgets in dollars cannot hold or do not see.
    fn warn_of_budgeted(&self, budgeted: &Budgeted, findings: &mut Findings) {
        let names = |marked: &[bool], of: fn(&Model) -> bool| -> Vec<String> {
            let marked = self
                .models
                .iter()
                .zip(marked)
                .filter(|(model, marked)| **marked && of(model));
            marked.map(|(model, _)| format!("`{}`", model.name)).collect()
        };
        let open = names(&budgeted.strict, |model| {
            let costs = |target: &Target| {
                let price = target.price.as_ref();
                target.is_open() || price.is_some_and(|price| price.standard.base.output > 0)
            };
            model.max_output_tokens.is_none() && model.targets.iter().any(costs)
        });
        if !open.is_empty() {
            let warning = format!(
                "a budget in dollars, and no `max_output_tokens`, for {}: requests that name no max_tokens can overshoot by \
                 as much as their answers are longer than usual",
                some(&open)
            );
            findings.warning(
                "models",
                warning,
                "give each the `max_output_tokens` of its longest answer",
            );
        }
        let unpriced = names(&budgeted.any, |model| {
            let unpriced = |target: &Target| target.price.is_none() && !target.is_open();
            model.targets.iter().any(unpriced)
        });
        if !unpriced.is_empty() {
            let warning = format!(
                "a budget in dollars, and no price, for {}: what it answers spends nothing of it",
                some(&unpriced)
            );
            findings.warning(
                "models",
                warning,
                "add their prices to `prices`, or give them a budget in tokens",
            );
        }
    }
}

impl Budgeted {
    fn mark(&mut self, rules: &Rules, models: impl IntoIterator<Item = ModelId>) {
        let dollars = || rules.budgets.iter().filter(|budget| budget.unit == Unit::Nanodollars);
        if dollars().next().is_none() {
            return;
        }
        let strict = dollars().any(|budget| matches!(budget.then, Then::Block | Then::Downgrade));
        for id in models {
            let index = id.0 as usize;
            if let (Some(any), Some(under_strict)) = (self.any.get_mut(index), self.strict.get_mut(index)) {
                *any = true;
                *under_strict |= strict;
            }
        }
    }
}

/// Whether any of them says so.
fn downgrades(rules: &Rules) -> bool {
    let says = |limit: &Option<Limit>| limit.as_ref().is_some_and(|limit| limit.then == Then::Downgrade);
    says(&rules.rpm)
        || says(&rules.tpm)
        || says(&rules.parallel)
        || rules.budgets.iter().any(|budget| budget.then == Then::Downgrade)
}

/// What tells one list of models from another.
fn list(key: &Key) -> Option<*const Only> {
    match &key.models {
        Allowed::All => None,
        Allowed::Only(only) => Some(Arc::as_ptr(only)),
    }
}

/// The first few, and how many more there are.
fn some(names: &[String]) -> String {
    let first = names
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
