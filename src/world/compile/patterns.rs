//! The models that a pattern means: a name, an alias, or a prefix that ends in `*`.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Findings, models::Models, place::Place};
use crate::world::{Allowed, ModelId};

/// The names and aliases of all models.
pub(super) struct Names<'d> {
    models: &'d Models,
    /// In order, so that a prefix is a range.
    sorted: Vec<(&'d str, ModelId)>,
}

impl<'d> Names<'d> {
    pub(super) fn new(models: &'d Models) -> Self {
        let mut sorted: Vec<_> = models.names.iter().map(|(name, id)| (&**name, *id)).collect();
        sorted.sort_unstable();
        Self { models, sorted }
    }

    /// The models of this name, alias or prefix; one that matches by several of its names as often.
    pub(super) fn matching(&self, pattern: &str) -> impl Iterator<Item = ModelId> {
        let prefix = pattern.strip_suffix('*');
        let exact = match prefix {
            None => self.models.names.get(pattern).copied(),
            Some(_) => None,
        };
        let prefixed = prefix.into_iter().flat_map(|prefix| {
            let start = self.sorted.partition_point(|(name, _)| *name < prefix);
            let rest = self.sorted.get(start..).unwrap_or_default();
            rest.iter()
                .take_while(move |(name, _)| name.starts_with(prefix))
                .map(|(_, id)| *id)
        });
        exact.into_iter().chain(prefixed)
    }

    /// Says that no model matches: where there is a second `*` none ever can, which is a problem.
    pub(super) fn warn_of_unmatched(&self, place: Place<'_>, pattern: &str, findings: &mut Findings) {
        if pattern.trim_end_matches('*').contains('*') {
            let problem = format!("`{pattern}` has a `*` before its end");
            findings.problem(place, problem, "write `*` only as the last character");
            return;
        }
        let names = self.sorted.iter().map(|(name, _)| *name);
        let remedy = findings.suggestion(pattern, names, "add the model, or remove this");
        findings.warning(place, format!("no model matches `{pattern}`"), remedy);
    }
}

/// The lists of models that keys name. Most keys share one of a few, so each is worked out once.
pub(super) struct Lists<'d> {
    names: &'d Names<'d>,
    known: HashMap<&'d [String], List>,
}

#[derive(Clone)]
struct List {
    models: Arc<[ModelId]>,
    unmatched: Vec<usize>,
}

impl<'d> Lists<'d> {
    pub(super) fn new(names: &'d Names<'d>) -> Self {
        Self {
            names,
            known: HashMap::new(),
        }
    }

    pub(super) fn allowed(&mut self, place: Place<'_>, patterns: &'d [String], findings: &mut Findings) -> Allowed {
        let list = match self.known.get(patterns) {
            Some(list) => list.clone(),
            None => {
                let list = self.resolve(patterns);
                self.known.insert(patterns, list.clone());
                list
            }
        };
        let pattern = |index: usize| patterns.get(index).map_or("", String::as_str);
        for index in list.unmatched {
            self.names
                .warn_of_unmatched(place.member("models").element(index), pattern(index), findings);
        }
        if list.models.is_empty() {
            let remedy = r#"name models in `models`, or leave it out to allow all"#;
            findings.warning(place, "the key can use no model: all its requests are refused", remedy);
        }
        Allowed::Only(list.models)
    }

    fn resolve(&self, patterns: &[String]) -> List {
        let (mut models, mut unmatched) = (Vec::new(), Vec::new());
        for (index, pattern) in patterns.iter().enumerate() {
            let before = models.len();
            models.extend(self.names.matching(pattern));
            if models.len() == before {
                unmatched.push(index);
            }
        }
        models.sort_unstable();
        models.dedup();
        List {
            models: models.into(),
            unmatched,
        }
    }
}
