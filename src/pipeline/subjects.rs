//! Whose rules a request keeps, and under which keys of the store their use is known.
//!
//! In: the caller, the model, a leg. Out: [`Subject`]s. Keys of the store are names of the document, so that a subject
//! keeps its use when the document changes around it.

use std::sync::Arc;

use super::Arrival;
use crate::limit::admit::Subject;
use crate::limit::judge::Scope;
use crate::limit::rule::Rules;
use crate::world::{Key, Model, ModelId, ProviderId, World};

/// The subjects of a request for a model, but for its provider: from the one that most requests share to the one that
/// fewest do.
pub(super) fn of(arrival: &Arrival, model: Option<ModelId>) -> Vec<Subject> {
    let world = &arrival.world;
    let mut subjects = Vec::with_capacity(6);
    let mut add = |scope, cell: &dyn Fn() -> String, rules: Option<&Arc<Rules>>| {
        if let Some(rules) = rules.filter(|rules| !rules.is_empty()) {
            subjects.push(Subject {
                scope,
                cell: cell(),
                rules: Arc::clone(rules),
                provider: None,
            });
        }
    };
    add(Scope::All, &|| ALL.to_owned(), world.all.as_ref());
    let named = model.and_then(|id| Some((id, world.model(id)?)));
    if let Some((_, model)) = named {
        add(Scope::Model, &|| model_cell(model), model.rules.as_ref());
    }
    if let Some(key) = arrival.key.and_then(|id| world.key(id)) {
        if let Some(team) = key.team.and_then(|id| world.team(id)) {
            add(Scope::Team, &|| team_cell(&team.name), team.rules.as_ref());
        }
        add(Scope::Key, &|| key_cell(key), key.rules.as_ref());
        if let Some((id, model)) = named {
            add(Scope::KeyModel, &|| key_model_cell(key, model), key.rules_for(id));
        }
    }
    subjects
}

/// A provider as a subject, if it has rules.
pub(super) fn of_provider(world: &World, id: ProviderId) -> Option<Subject> {
    let provider = world.provider(id)?;
    let rules = provider.rules.as_ref().filter(|rules| !rules.is_empty())?;
    Some(Subject {
        scope: Scope::Provider,
        cell: provider_cell(&provider.name),
        rules: Arc::clone(rules),
        provider: Some(id),
    })
}

/// Where the use of everything together is known.
pub(crate) const ALL: &str = "tollgate.limit.all";

/// Where a key's use is known, and how many of its requests are present.
pub(crate) fn key_cell(key: &Key) -> String {
    cell("key", &key.name)
}

/// Where a team's use is known.
pub(crate) fn team_cell(name: &str) -> String {
    cell("team", name)
}

/// Where a model's use is known.
pub(crate) fn model_cell(model: &Model) -> String {
    cell("model", &model.name)
}

/// Where a provider's use is known.
pub(crate) fn provider_cell(name: &str) -> String {
    cell("provider", name)
}

/// Where a key's use of one model is known. No name has a semicolon.
pub(crate) fn key_model_cell(key: &Key, model: &Model) -> String {
    ["tollgate.limit.key_model.", &key.name, ";", &model.name].concat()
}

/// Where it is known how long a key's answers from a model are.
pub(super) fn habit_cell(key: &Key, model: &Model) -> String {
    ["tollgate.habit.", &key.name, ";", &model.name].concat()
}

fn cell(kind: &str, name: &str) -> String {
    ["tollgate.limit.", kind, ".", name].concat()
}
