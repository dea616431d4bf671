//! Which cluster an attempt goes to, and what is tried again.
//!
//! Where headers are held, the module names the cluster of each attempt in filter state. Where they are not, the host the
//! client asked for decides.

use serde_json::{Map, Value, json};

use super::listener::ROUTES;
use super::{CLUSTER_KEY, MAX_RETRIES, ORDER_KEY, RETRY_HEADER, Site, ahead, discovery, orders_ahead};
use crate::provider::Origin;
use crate::world::World;

/// The cluster of a request that the module did not send anywhere. It does not exist, and Envoy answers 503.
const NOWHERE: &str = "nowhere";

/// Above the largest body the module accepts, so that a larger one is answered by the module, in the client's words.
const BODY_MARGIN_BYTES: u64 = 1 << 20;

/// Where in the discovery response the clusters are that the module may name.
pub(super) const CLUSTERS: &str = "/resources/0/virtual_hosts/0/routes/0/route/inline_cluster_specifier_plugin/extension/typed_config\
                        /cluster_matcher/matcher_tree/exact_match_map/map";

pub(super) fn routes(world: &World, site: &Site) -> Value {
    let body_limit = world.max_body_bytes as u64 + BODY_MARGIN_BYTES;
    let body_limit = site.envoy.keeps_long_bodies().then_some(body_limit);
    let virtual_hosts = match world.hold_headers {
        true => vec![by_module(world, site, body_limit)],
        false => by_host(world, body_limit),
    };
    json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": virtual_hosts,
    })
}

/// The routes of `new` that still know the clusters of `old`, where the module chooses among them.
pub(super) fn both(new: &Value, old: &Value) -> Value {
    let (Some(mut resources), Some(known)) = (
        new.get("resources").cloned(),
        old.pointer(CLUSTERS).and_then(Value::as_object),
    ) else {
        return new.clone();
    };
    let pointer = CLUSTERS.trim_start_matches("/resources");
    if let Some(clusters) = resources.pointer_mut(pointer).and_then(Value::as_object_mut) {
        for (name, action) in known {
            clusters.entry(name.clone()).or_insert_with(|| action.clone());
        }
    }
    discovery(resources.as_array().cloned().unwrap_or_default())
}

fn by_module(world: &World, site: &Site, body_limit: Option<u64>) -> Value {
    let mut action = common();
    match world.providers.is_empty() {
        // A map without entries is an error to Envoy.
        true => action.insert("cluster".to_owned(), json!(NOWHERE)),
        false => action.insert("inline_cluster_specifier_plugin".to_owned(), named_cluster(world, site)),
    };
    action.insert("retry_policy".to_owned(), retries(orders_ahead(world, site)));
    virtual_host("tollgate", &["*".to_owned()], "tollgate", action, body_limit)
}

/// The cluster that the module named in filter state, asked for again before each attempt. Where that cannot be, the cluster
/// of the order that it named, if there is one.
fn named_cluster(world: &World, site: &Site) -> Value {
    let names = world.providers.iter().map(|provider| provider.name.to_string());
    let by_cluster = chosen_by(CLUSTER_KEY, names, json!({ "action": to_cluster(NOWHERE) }));
    let orders = match orders_ahead(world, site) {
        true => ahead::orders(world),
        false => Default::default(),
    };
    let matcher = match orders.is_empty() {
        // A map without entries is an error to Envoy.
        true => by_cluster,
        false => chosen_by(ORDER_KEY, orders.into_iter(), json!({ "matcher": by_cluster })),
    };
    json!({
        "extension": {
            "name": "tollgate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
                "cluster_matcher": matcher,
            },
        },
    })
}

/// The cluster whose name the filter state has at `key`.
fn chosen_by(key: &str, names: impl Iterator<Item = String>, otherwise: Value) -> Value {
    let clusters: Map<String, Value> = names
        .map(|name| {
            let action = to_cluster(&name);
            (name, json!({ "action": action }))
        })
        .collect();
    json!({
        "matcher_tree": {
            "input": {
                "name": "cluster",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                    "key": key,
                },
            },
            "exact_match_map": { "map": clusters },
        },
        "on_no_match": otherwise,
    })
}

/// A virtual host per host of a provider; for any other host Envoy answers 404. Of several providers at one host the first
/// has it, as the module sees it too.
fn by_host(world: &World, body_limit: Option<u64>) -> Vec<Value> {
    let mut taken: Vec<String> = Vec::new();
    let mut hosts = Vec::new();
    for provider in &world.providers {
        let mut domains = domains(&provider.endpoint);
        domains.retain(|domain| !taken.contains(domain));
        if domains.is_empty() {
            continue;
        }
        taken.extend(domains.iter().cloned());
        let mut action = common();
        action.insert("cluster".to_owned(), json!(provider.name));
        hosts.push(virtual_host(
            &provider.name,
            &domains,
            &provider.name,
            action,
            body_limit,
        ));
    }
    hosts
}

/// What a client may call the host: with its port, and without where the port is the scheme's own.
fn domains(origin: &Origin) -> Vec<String> {
    let host = match origin.host.contains(':') {
        true => format!("[{}]", origin.host),
        false => origin.host.to_string(),
    };
    let mut domains = vec![format!("{host}:{}", origin.port)];
    if origin.authority() == host {
        domains.push(host);
    }
    domains
}

fn virtual_host(
    name: &str,
    domains: &[String],
    route: &str,
    action: Map<String, Value>,
    body_limit: Option<u64>,
) -> Value {
    let mut host = Map::new();
    host.insert("name".to_owned(), json!(name));
    host.insert("domains".to_owned(), json!(domains));
    if let Some(limit) = body_limit {
        host.insert("request_body_buffer_limit".to_owned(), json!(limit));
    }
    let route = json!({ "name": route, "match": { "prefix": "/" }, "route": action });
    host.insert("routes".to_owned(), json!([route]));
    Value::Object(host)
}

/// No limit on how long an answer may take: the listener ends a request that has gone silent.
fn common() -> Map<String, Value> {
    let mut action = Map::new();
    action.insert("timeout".to_owned(), json!("0s"));
    action
}

fn retries(ahead: bool) -> Value {
    let mut policy = json!({
        // Alone this repeats only what no provider can have seen. Where there is another provider, the gateway role adds
        // the rest by `x-envoy-retry-on`, and it bounds the attempts by `x-envoy-max-retries`.
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "retriable_status_codes": [408, 429],
        "retriable_headers": [{ "name": RETRY_HEADER, "present_match": true }],
        "num_retries": MAX_RETRIES,
        // Another provider need not be spared; the default would add 25 ms and more.
        "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.010s" },
    });
    if let Some(members) = policy.as_object_mut() {
        match ahead {
            // Each attempt goes to another member of the order.
            true => members.insert("retry_priority".to_owned(), previous_priorities()),
            // Each attempt goes where the filter state says by then.
            false => members.insert("refresh_cluster_on_retry".to_owned(), json!(true)),
        };
    }
    policy
}

fn previous_priorities() -> Value {
    json!({
        "name": "envoy.retry_priorities.previous_priorities",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
            "update_frequency": 1,
        },
    })
}

fn to_cluster(name: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
            "cluster": name,
        },
    })
}
