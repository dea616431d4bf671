//! Failover where Envoy cannot choose a cluster for each attempt: a cluster made of several for each order of providers.
//!
//! In: models, and what Envoy it is. Out: aggregate clusters, and the orders there are. The module names all providers of a
//! request in filter state before the first attempt; a route leads to the cluster of that order, and Envoy's
//! `previous_priorities` takes an attempt to the next member. A host's metadata says whose it is, and the provider role,
//! which is the aggregate's, puts each attempt into the words of the host that was chosen.
//!
//! What is lost that way is told by [`losses`]. Sources: Envoy's documentation, "Aggregate Cluster"; that the host is known
//! when the filters begin, that filters of members are not run, and that an unreachable member leads to the next one was
//! seen in Envoy 1.40.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cluster::{circuit_breakers, refusing};
use super::listener::CONNECTION_BUFFER_BYTES;
use super::{Site, Version, upstream};
use crate::provider::{CredentialSource, Provider};
use crate::world::{Model, World};

/// The last member of every aggregate: an address that refuses. No provider can be called so.
pub(super) const NOBODY: &str = "(nobody)";

/// Of so many providers there is a cluster for every order of two or more of them. Of more, only for those in which each
/// comes first, and the others follow as in the document.
const EVERY_ORDER: usize = 3;

/// Whether a provider can be part of an aggregate. Filters are the aggregate's, and so the same for all of its members:
/// what Envoy adds for one would go to all.
pub(super) fn joins(provider: &Provider) -> bool {
    let by_module = |source: &CredentialSource| matches!(source, CredentialSource::Env(_));
    provider.sources.iter().all(by_module)
}

/// The orders there are, each as the module names it: `first,second`.
pub(super) fn orders(world: &World) -> BTreeSet<String> {
    let mut orders = BTreeSet::new();
    for model in &world.models {
        let members = members(world, model);
        let all = match members.len() {
            0..=EVERY_ORDER => arrangements(&members),
            _ => each_first(&members),
        };
        let several = all.into_iter().filter(|order| order.len() > 1);
        orders.extend(several.map(|order| order.join(",")));
    }
    orders
}

/// The clusters of the orders.
pub(super) fn clusters(world: &World, site: &Site) -> Vec<Value> {
    let orders = orders(world);
    let mut clusters: Vec<Value> = orders.iter().map(|order| aggregate(order, site)).collect();
    if !clusters.is_empty() {
        clusters.push(refusing(NOBODY));
    }
    clusters
}

fn aggregate(order: &str, site: &Site) -> Value {
    let members: Vec<&str> = order.split(',').chain([NOBODY]).collect();
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": order,
        "connect_timeout": super::cluster::CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": members,
            },
        },
        "circuit_breakers": circuit_breakers(),
        "typed_extension_protocol_options": upstream::protocols(false, upstream::role(site)),
    })
}

/// What the configuration cannot do that it could with a newer Envoy, in words. Empty: nothing.
pub fn losses(world: &World, version: Version) -> Vec<String> {
    let mut losses = Vec::new();
    if !world.hold_headers {
        return losses;
    }
    if !version.keeps_long_bodies() {
        losses.push("requests with bodies above 1 MiB are refused with 413".to_owned());
    }
    if !version.signs_what_it_is_told() && world.providers.iter().any(|provider| provider.region.is_some()) {
        losses.push("signatures for AWS cover nearly all headers: nothing on the way may change them".to_owned());
    }
    if version.chooses_for_each_attempt() {
        return losses;
    }
    for model in &world.models {
        let joined = members(world, model).len();
        if joined > EVERY_ORDER {
            losses.push(format!(
                "{}: of {joined} providers only some orders can be had; a request whose order is another one is tried at \
                 its first provider alone",
                model.name
            ));
        }
        let alone: Vec<&str> = providers(world, model)
            .filter(|provider| !joins(provider))
            .map(|provider| &*provider.name)
            .collect();
        if !alone.is_empty() && providers(world, model).count() > 1 {
            losses.push(format!(
                "{}: no failover in orders that have {} in them, whose credential Envoy adds",
                model.name,
                alone.join(" or ")
            ));
        }
    }
    if world.providers.iter().any(|provider| provider.credentials.len() > 1) {
        losses.push(
            "of a provider's credentials an order has its turn with one before the next provider is tried".to_owned(),
        );
    }
    losses
}

fn providers<'w>(world: &'w World, model: &'w Model) -> impl Iterator<Item = &'w Provider> {
    model
        .targets
        .iter()
        .filter_map(|target| world.provider(target.provider))
}

/// The names of a model's providers that can be in an aggregate, each once.
fn members<'w>(world: &'w World, model: &'w Model) -> Vec<&'w str> {
    let mut names = Vec::new();
    for provider in providers(world, model).filter(|provider| joins(provider)) {
        if !names.contains(&&*provider.name) {
            names.push(&*provider.name);
        }
    }
    names
}

/// Every order of one or more of them.
fn arrangements<'n>(names: &[&'n str]) -> Vec<Vec<&'n str>> {
    let mut all = Vec::new();
    for (index, first) in names.iter().enumerate() {
        let mut others = names.to_vec();
        others.remove(index);
        all.push(vec![*first]);
        for order in arrangements(&others) {
            all.push([vec![*first], order].concat());
        }
    }
    all
}

fn each_first<'n>(names: &[&'n str]) -> Vec<Vec<&'n str>> {
    let order = |first: &&'n str| {
        let others = names.iter().filter(|name| *name != first);
        std::iter::once(first).chain(others).copied().collect()
    };
    names.iter().map(order).collect()
}
