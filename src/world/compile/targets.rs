//! A key's own providers for some models.
//!
//! In: names of models with names of providers. Out: ids of models with ids of providers, which are among the model's
//! targets. Most keys share one of a few such lists, so each is worked out once.

use std::sync::Arc;

use hashbrown::HashMap;

use super::models::Models;
use super::{Findings, place::Place, providers::Providers};
use crate::document::{Document, Entries};
use crate::world::{Allowed, ModelId, ProviderId};

/// Providers of each of some models, in ascending order of the models.
type Resolved = Arc<[(ModelId, Box<[ProviderId]>)]>;

/// The own providers of all keys.
pub(super) struct Own<'d> {
    document: &'d Document,
    models: &'d Models,
    providers: &'d Providers,
    none: Resolved,
    /// Those in which there was nothing wrong, by where they are in memory: what is written alike is there once.
    flawless: HashMap<*const Entries<Vec<String>>, Resolved>,
}

impl<'d> Own<'d> {
    pub(super) fn new(document: &'d Document, models: &'d Models, providers: &'d Providers) -> Self {
        Self {
            document,
            models,
            providers,
            none: Arc::default(),
            flawless: HashMap::new(),
        }
    }

    pub(super) fn of_key(
        &mut self,
        place: Place<'_>,
        written: &Arc<Entries<Vec<String>>>,
        allowed: &Allowed,
        findings: &mut Findings,
    ) -> Resolved {
        if written.is_empty() {
            return self.none.clone();
        }
        let place = place.member("targets");
        if let Some(resolved) = self.flawless.get(&Arc::as_ptr(written)) {
            for (model, _) in resolved.iter() {
                self.warn_of_forbidden(place, *model, allowed, findings);
            }
            return resolved.clone();
        }
        let before = findings.problems.len() + findings.warnings.len();
        let mut resolved: Vec<(ModelId, Box<[ProviderId]>)> = Vec::with_capacity(written.0.len());
        for (name, providers) in &written.0 {
            let place = place.member(name);
            let Some(model) = self.model(place, name, findings) else {
                continue;
            };
            if resolved.iter().any(|(known, _)| *known == model) {
                findings.problem(place, "the model is named twice", "keep one of the two");
                continue;
            }
            if providers.is_empty() {
                let remedy = "name the providers in the order in which they are to be tried, or remove the model";
                findings.problem(place, "there is no provider", remedy);
            }
            resolved.push((model, self.of_model(place, model, providers, findings)));
        }
        resolved.sort_by_key(|(model, _)| *model);
        let flawless = findings.problems.len() + findings.warnings.len() == before;
        let resolved: Resolved = resolved.into();
        for (model, _) in resolved.iter() {
            self.warn_of_forbidden(place, *model, allowed, findings);
        }
        if flawless {
            self.flawless.insert(Arc::as_ptr(written), resolved.clone());
        }
        resolved
    }

    fn model(&self, place: Place<'_>, name: &str, findings: &mut Findings) -> Option<ModelId> {
        let prefix = name.strip_suffix('*');
        let mut prefixes = self.models.prefixes.iter();
        let prefixed = prefix.and_then(|prefix| prefixes.find(|(known, _)| **known == *prefix));
        let found = self.models.names.get(name).or(prefixed.map(|(_, id)| id)).copied();
        if found.is_none() {
            let known = self.document.models.0.iter().map(|(name, _)| name.as_str());
            let remedy = findings.suggestion(name, known, "add the model, or remove this");
            findings.problem(place, format!("there is no model `{name}`"), remedy);
        }
        found
    }

    fn of_model(
        &self,
        place: Place<'_>,
        model: ModelId,
        written: &[String],
        findings: &mut Findings,
    ) -> Box<[ProviderId]> {
        let targets = self.models.models.get(model.0 as usize);
        let targets = targets.map(|model| model.targets.as_slice()).unwrap_or_default();
        let names = targets
            .iter()
            .filter_map(|target| self.providers.providers.get(target.provider.0 as usize));
        let names = names.map(|provider| &*provider.name);
        let mut resolved: Vec<ProviderId> = Vec::with_capacity(written.len());
        for (index, name) in written.iter().enumerate() {
            let place = place.element(index);
            match self.providers.names.get(name.as_str()) {
                Some(id) if resolved.contains(id) => {
                    findings.problem(place, format!("`{name}` is named twice"), "keep one of the two");
                }
                Some(id) if targets.iter().any(|target| target.provider == *id) => resolved.push(*id),
                Some(_) => {
                    let remedy = findings.suggestion(name, names.clone(), "add it to the model's `targets`");
                    findings.problem(place, format!("`{name}` is no target of the model"), remedy);
                }
                None => {
                    let remedy = findings.suggestion(name, names.clone(), "add it to `providers`");
                    findings.problem(place, format!("there is no provider `{name}`"), remedy);
                }
            }
        }
        resolved.into()
    }

    fn warn_of_forbidden(&self, place: Place<'_>, model: ModelId, allowed: &Allowed, findings: &mut Findings) {
        let name = self.models.models.get(model.0 as usize).map(|model| &*model.name);
        if let Some(name) = name.filter(|_| !allowed.contains(model)) {
            findings.warning(
                place.member(name),
                "the key may use no such model",
                "add the model to the key's `models`, or remove this",
            );
        }
    }
}
