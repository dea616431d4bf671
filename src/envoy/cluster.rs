//! A provider's cluster: where it is and how to talk to it.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::listener::CONNECTION_BUFFER_BYTES;
use super::{Site, ahead, discovery, health, socket_address, upstream};
use crate::provider::{Origin, Provider};

/// Requests, connections and retries at once. Envoy's defaults (1024 requests, 3 retries) suit services that answer in
/// milliseconds; a stream lasts minutes, and a provider in trouble sends every request to the next one.
const CONCURRENCY: u64 = 100_000;

/// How long a connection may take, TLS included, before the next provider is tried.
pub(super) const CONNECT_TIMEOUT: &str = "5s";

pub(super) fn cluster(provider: &Provider, hold_headers: bool, site: &Site) -> Value {
    let origin = &provider.endpoint;
    let mut cluster = Map::new();
    let mut set = |name: &str, value: Value| {
        cluster.insert(name.to_owned(), value);
    };
    set("@type", json!("type.googleapis.com/envoy.config.cluster.v3.Cluster"));
    set("name", json!(provider.name));
    set("connect_timeout", json!(CONNECT_TIMEOUT));
    set("per_connection_buffer_limit_bytes", json!(CONNECTION_BUFFER_BYTES));
    let is_address = origin.host.parse::<IpAddr>().is_ok();
    match is_address {
        true => set("type", json!("STATIC")),
        false => set("cluster_type", by_name()),
    }
    // As a member of an aggregate it is followed by other members instead.
    let ahead = hold_headers && !site.envoy.chooses_for_each_attempt();
    let followed = ahead && ahead::joins(provider);
    let may_be_empty = !is_address || provider.health_check.is_some();
    set(
        "load_assignment",
        assignment(provider, may_be_empty && !followed, ahead),
    );
    if let Some(check) = &provider.health_check {
        set("health_checks", health::checks(check, origin));
    }
    if origin.tls {
        set("transport_socket", tls(origin, site));
    }
    set("circuit_breakers", circuit_breakers());
    set(
        "outlier_detection",
        json!({
            "consecutive_5xx": 5,
            "interval": "5s",
            "base_ejection_time": "10s",
            "max_ejection_time": "60s",
            // Of several addresses some may rest; an only address never does. Taking a provider out of the order is the
            // gateway role's business.
            "max_ejection_percent": 34,
            "enforcing_success_rate": 0,
        }),
    );
    // A model that thinks says nothing for minutes, and something between here and there forgets silent connections.
    set(
        "upstream_connection_options",
        json!({ "tcp_keepalive": { "keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 4 } }),
    );
    set(
        "typed_extension_protocol_options",
        upstream::protocols(origin.tls, upstream::filters(provider, hold_headers, site)),
    );
    Value::Object(cluster)
}

pub(super) fn circuit_breakers() -> Value {
    json!({
        "thresholds": [{
            "max_connections": CONCURRENCY,
            "max_pending_requests": CONCURRENCY,
            "max_requests": CONCURRENCY,
            "max_retries": CONCURRENCY,
        }],
    })
}

/// A cluster whose only address refuses every connection.
pub(super) fn refusing(name: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket_address("127.0.0.1", 0) } }] }],
        },
    })
}

/// The clusters of both discovery responses; of two with one name that of `new`.
pub(super) fn both(new: &Value, old: &Value) -> Value {
    let resources = |part: &Value| {
        part.get("resources")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut clusters = resources(new);
    let names: Vec<_> = clusters.iter().map(|cluster| cluster.get("name").cloned()).collect();
    clusters.extend(
        resources(old)
            .into_iter()
            .filter(|cluster| !names.contains(&cluster.get("name").cloned())),
    );
    discovery(clusters)
}

/// Every address behind the host's name, asked for again when the answer's time to live has passed.
fn by_name() -> Value {
    json!({
        "name": "envoy.cluster.dns",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            // Not every network that resolves IPv6 addresses can reach them.
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
            "dns_failure_refresh_rate": { "base_interval": "1s", "max_interval": "10s" },
        },
    })
}

/// The provider's address, and where a name that does not resolve, or a failing health check, leads.
///
/// A cluster without a host answers 503 without trying the next provider. So a cluster that may lose its hosts has, behind
/// them, an address that refuses every connection (nobody listens on port 0), and a refused connection is tried elsewhere.
/// The provisioning factor keeps requests away from it as long as there is one address in front of it.
///
/// `named`: whether the address says in its metadata whose it is.
fn assignment(provider: &Provider, with_last_resort: bool, named: bool) -> Value {
    let origin = &provider.endpoint;
    let endpoint = json!({ "address": socket_address(&origin.host, origin.port) });
    let own = match named {
        true => {
            let metadata = json!({ "filter_metadata": { "tollgate": { "provider": provider.name } } });
            json!([{ "endpoint": endpoint, "metadata": metadata }])
        }
        false => json!([{ "endpoint": endpoint }]),
    };
    if !with_last_resort {
        return json!({ "cluster_name": provider.name, "endpoints": [{ "lb_endpoints": own }] });
    }
    let mut last_resort = json!({ "address": socket_address("127.0.0.1", 0) });
    if provider.health_check.is_some()
        && let Some(members) = last_resort.as_object_mut()
    {
        // Nobody asks it, so that it is there when nothing else is.
        let unasked = json!({ "disable_active_health_check": true });
        members.insert("health_check_config".to_owned(), unasked);
    }
    json!({
        "cluster_name": provider.name,
        "endpoints": [
            { "priority": 0, "lb_endpoints": own },
            { "priority": 1, "lb_endpoints": [{ "endpoint": last_resort }] },
        ],
        "policy": { "overprovisioning_factor": 100_000 },
    })
}

fn tls(origin: &Origin, site: &Site) -> Value {
    let kind = match origin.host.parse::<IpAddr>() {
        Ok(_) => "IP_ADDRESS",
        Err(_) => "DNS",
    };
    let mut context = Map::new();
    context.insert(
        "@type".to_owned(),
        json!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    );
    if kind == "DNS" {
        context.insert("sni".to_owned(), json!(origin.host));
    }
    context.insert(
        "common_tls_context".to_owned(),
        json!({
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "validation_context": {
                "trusted_ca": { "filename": site.ca_file.display().to_string() },
                "match_typed_subject_alt_names": [{ "san_type": kind, "matcher": { "exact": origin.host } }],
            },
        }),
    );
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}
