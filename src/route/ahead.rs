//! What is left of an order where the host has to know it ahead of the first attempt.
//!
//! In: legs as they would be tried by a host that asks before each attempt. Out: those of them that this host can try, which
//! has a way laid out for each order that there can be. Both whoever lays the ways out and who chooses among them look here.

use super::Leg;
use crate::provider::{CredentialSource, Provider};
use crate::world::{Model, ProviderId, World};

/// How many of a model's providers, in the document's order, have ways that lead from one to another.
pub const MEMBERS: usize = 5;

/// How many providers there are on a way at most.
pub const LENGTH: usize = 3;

/// Whether there can be a way from or to this provider: what the host adds to a request it adds on the whole way.
pub fn joins(provider: &Provider) -> bool {
    let by_module = |source: &CredentialSource| matches!(source, CredentialSource::Env(_));
    provider.sources.iter().all(by_module)
}

/// The providers of a model between which there are ways, each once.
pub fn members(world: &World, model: &Model) -> Vec<ProviderId> {
    let mut members = Vec::new();
    for target in &model.targets {
        let id = target.provider;
        if members.len() < MEMBERS && !members.contains(&id) && world.provider(id).is_some_and(joins) {
            members.push(id);
        }
    }
    members
}

/// Leaves the legs that can be tried after the first. Any order of them, and of some of them, has its way.
pub fn keep(world: &World, model: &Model, legs: &mut Vec<Leg>) {
    let Some(first) = legs.first().map(|leg| leg.provider) else {
        return;
    };
    let members = members(world, model);
    if !members.contains(&first) {
        legs.retain(|leg| leg.provider == first);
        return;
    }
    let mut on_the_way: Vec<ProviderId> = Vec::new();
    legs.retain(|leg| {
        let known = on_the_way.contains(&leg.provider);
        let fits = known || members.contains(&leg.provider) && on_the_way.len() < LENGTH;
        if fits && !known {
            on_the_way.push(leg.provider);
        }
        fits
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::Document;

    fn world() -> World {
        let named = |name: &str| json!({ "dialect": "openai", "endpoint": format!("http://{name}.test") });
        let mut providers: serde_json::Map<String, Value> = ["a", "b", "c", "d", "e", "f"]
            .map(|name| (name.to_owned(), named(name)))
            .into_iter()
            .collect();
        providers.insert(
            "aws".to_owned(),
            json!({ "kind": "bedrock", "settings": { "region": "eu-west-1" } }),
        );
        let targets: Vec<Value> = ["a", "aws", "b", "c", "a", "d", "e", "f"]
            .iter()
            .enumerate()
            .map(|(index, name)| json!({ "provider": name, "model": format!("m{index}") }))
            .collect();
        let document = json!({ "providers": providers, "models": { "m": { "targets": targets } } });
        World::compile(&Document::parse(&document.to_string()).unwrap(), &|_| None).unwrap()
    }

    fn kept(order: &[&str]) -> Vec<String> {
        let world = world();
        let mut legs: Vec<Leg> = order
            .iter()
            .map(|name| Leg::without_model(world.provider_by_name(name).unwrap()))
            .collect();
        keep(&world, &world.models[0], &mut legs);
        let name = |leg: &Leg| world.provider(leg.provider).unwrap().name.to_string();
        legs.iter().map(name).collect()
    }

    #[test]
    fn what_has_no_way_is_left_out_and_what_begins_without_one_is_alone() {
        assert_eq!(kept(&["a", "aws", "b", "c"]), ["a", "b", "c"]);
        assert_eq!(kept(&["c", "a", "a", "b", "d", "a"]), ["c", "a", "a", "b", "a"]);
        assert_eq!(kept(&["aws", "a", "b", "aws"]), ["aws", "aws"]);
        // The sixth of a model that has ways between five.
        assert_eq!(kept(&["f", "a"]), ["f"]);
        assert_eq!(kept(&["e", "f", "a"]), ["e", "a"]);
        assert_eq!(kept(&[]), [] as [&str; 0]);
    }
}
