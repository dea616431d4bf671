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
use crate::provider::Auth;
use crate::route::ahead;
use crate::world::World;

/// The last member of every aggregate: an address that refuses. No provider can be called so.
pub(super) const NOBODY: &str = "(nobody)";

/// The orders there are, each as the module names it: `first,second`.
pub(super) fn orders(world: &World) -> BTreeSet<String> {
    let mut orders = BTreeSet::new();
    for model in &world.models {
        let members = ahead::members(world, model).into_iter();
        let names: Vec<&str> = members
            .filter_map(|id| world.provider(id))
            .map(|provider| &*provider.name)
            .collect();
        let all = arrangements(&names, ahead::LENGTH).into_iter();
        orders.extend(all.filter(|order| order.len() > 1).map(|order| order.join(",")));
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
    if !version.signs_what_it_is_told() && world.providers.iter().any(|provider| provider.auth == Auth::AwsSigV4) {
        losses.push("signatures for AWS cover nearly all headers: nothing on the way may change them".to_owned());
    }
    if version.chooses_for_each_attempt() {
        return losses;
    }
    for model in &world.models {
        let members = ahead::members(world, model);
        let mut alone: Vec<&str> = Vec::new();
        for target in &model.targets {
            if let Some(provider) = world.provider(target.provider)
                && !members.contains(&target.provider)
                && !alone.contains(&&*provider.name)
            {
                alone.push(&provider.name);
            }
        }
        if !alone.is_empty() && members.len() + alone.len() > 1 {
            losses.push(format!(
                "model {}: no failover to or from {}; there is between its first {} providers whose credential is in the environment",
                model.name,
                alone.join(" and "),
                ahead::MEMBERS,
            ));
        }
        if model.failover.attempts > ahead::LENGTH && members.len() > ahead::LENGTH {
            losses.push(format!(
                "model {}: a request is tried at {} providers at most",
                model.name,
                ahead::LENGTH
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

/// Every order of one to `longest` of them.
fn arrangements<'n>(names: &[&'n str], longest: usize) -> Vec<Vec<&'n str>> {
    let mut all = Vec::new();
    if longest == 0 {
        return all;
    }
    for (index, first) in names.iter().enumerate() {
        let mut others = names.to_vec();
        others.remove(index);
        all.push(vec![*first]);
        let after = arrangements(&others, longest - 1).into_iter();
        all.extend(after.map(|order| [vec![*first], order].concat()));
    }
    all
}
