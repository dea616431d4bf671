//! The models that a pattern means: a name, an alias, or a prefix that ends in `*`.
//!
//! In: patterns. Out: models, and of a model that itself stands for many names (`claude-*`) the part of them that a pattern
//! means (`claude-3*`, `claude-3-haiku`).

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Findings, models::Models, place::Place};
use crate::world::ModelId;
use crate::world::allowed::{Allowed, Only, Part};

/// The names and aliases of all models.
pub(super) struct Names<'d> {
    models: &'d Models,
    /// In order, so that a prefix is a range.
    sorted: Vec<(&'d str, ModelId)>,
}

impl<'d> Names<'d> {
    pub(super) fn new(models: &'d Models) -> Self {
        let mut sorted: Vec<_> = models.names.iter().map(|(name, id)| (&**name, *id)).collect();
        // The name of one that stands for many begins as all of them do.
        let prefixed = models.prefixes.iter().filter_map(|(_, id)| {
            let model = models.models.get(id.0 as usize)?;
            Some((&*model.name, *id))
        });
        sorted.extend(prefixed);
        sorted.sort_unstable();
        Self { models, sorted }
    }

    /// The models of this name, alias or prefix; one that matches by several of its names as often. Of models that stand for
    /// many names only those are there of which the pattern means every name.
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

    /// The models that stand for many names, and of them the part that a pattern means, where that is not all.
    fn parts(&self, pattern: &str) -> impl Iterator<Item = (ModelId, Part)> {
        let begin = pattern.strip_suffix('*');
        let wanted = begin.unwrap_or(pattern);
        let exact = begin.is_none();
        let known = exact && self.models.names.contains_key(pattern);
        let fitting = self.models.prefixes.iter().filter(move |(prefix, _)| {
            !known && wanted.starts_with(&**prefix) && (exact || wanted.len() > prefix.len())
        });
        // A name belongs to the longest prefix alone; a prefix may go through several.
        let fitting = fitting.take(if exact { 1 } else { usize::MAX });
        fitting.map(move |(_, id)| {
            let part = match exact {
                true => Part::Name(wanted.into()),
                false => Part::Prefix(wanted.into()),
            };
            (*id, part)
        })
    }

    /// Says that no model matches: where there is a second `*` none ever can, which is a problem.
    pub(super) fn warn_of_unmatched(&self, place: Place<'_>, pattern: &str, findings: &mut Findings) {
        if pattern.trim_end_matches('*').contains('*') {
            let problem = format!("`{pattern}` has a `*` before its end");
            findings.problem(place, problem, "write `*` only as the last character");
            return;
        }
        let part_of = self.parts(pattern).next();
        if let Some(whole) = part_of.and_then(|(id, _)| self.models.models.get(id.0 as usize)) {
            let warning = format!(
                "`{pattern}` is a part of `{}`, and that counts as one model",
                whole.name
            );
            findings.warning(place, warning, "name the whole, or make the part a model of its own");
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
    only: Arc<Only>,
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
        if list.only.models.is_empty() {
            let remedy = r#"name models in `models`, or leave it out to allow all"#;
            findings.warning(place, "the key can use no model: all its requests are refused", remedy);
        }
        Allowed::Only(list.only)
    }

    fn resolve(&self, patterns: &[String]) -> List {
        let (mut models, mut unmatched) = (Vec::new(), Vec::new());
        let mut parts: Vec<(ModelId, Part)> = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let before = (models.len(), parts.len());
            models.extend(self.names.matching(pattern));
            parts.extend(self.names.parts(pattern));
            if (models.len(), parts.len()) == before {
                unmatched.push(index);
            }
        }
        models.sort_unstable();
        models.dedup();
        // Of what is there as a whole, parts say nothing more.
        parts.retain(|(model, _)| models.binary_search(model).is_err());
        models.extend(parts.iter().map(|(model, _)| *model));
        models.sort_unstable();
        models.dedup();
        List {
            only: Arc::new(Only {
                models: models.into(),
                parts: parts.into(),
            }),
            unmatched,
        }
    }
}
