//! What a request goes through on its way to a provider: protocols, and the filters of each attempt.

use serde_json::{Map, Value, json};

use super::{Part, Site, credential, discovered_filter};
use crate::provider::Provider;

/// A cluster's `typed_extension_protocol_options`: HTTP/2 where the provider offers it under TLS, else HTTP/1.1; and the
/// filters.
pub(super) fn protocols(tls: bool, filters: Vec<Value>) -> Value {
    let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let mut options = Map::new();
    options.insert("@type".to_owned(), json!(format!("type.googleapis.com/{name}")));
    options.insert(
        "common_http_protocol_options".to_owned(),
        json!({ "idle_timeout": "60s" }),
    );
    match tls {
        true => options.insert(
            "auto_config".to_owned(),
            json!({
                "http_protocol_options": {},
                "http2_protocol_options": { "connection_keepalive": { "interval": "30s", "timeout": "10s" } },
            }),
        ),
        false => options.insert(
            "explicit_http_config".to_owned(),
            json!({ "http_protocol_options": {} }),
        ),
    };
    if !filters.is_empty() {
        options.insert("http_filters".to_owned(), json!(filters));
    }
    let mut by_name = Map::new();
    by_name.insert(name.to_owned(), Value::Object(options));
    Value::Object(by_name)
}

/// The filters of one provider's attempts, none where it needs none.
///
/// First the provider role, which takes the credential of another provider off and puts the body into this one's words;
/// then what Envoy adds, a signature over that very body; last the connection.
pub(super) fn filters(provider: &Provider, hold_headers: bool, site: &Site) -> Vec<Value> {
    let role = hold_headers.then(|| discovered_filter("provider", Part::ProviderFilter, site));
    let filters: Vec<Value> = role.into_iter().chain(credential::filter(provider, site)).collect();
    match filters.is_empty() {
        true => filters,
        false => [filters, vec![connection()]].concat(),
    }
}

/// The filters of attempts whose provider is not known before: the provider role, and nothing that one of them needs alone.
pub(super) fn role(site: &Site) -> Vec<Value> {
    vec![discovered_filter("provider", Part::ProviderFilter, site), connection()]
}

fn connection() -> Value {
    json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        },
    })
}
