//! The listener clients connect to. It is the same for every document but for its address.

use serde_json::{Map, Value, json};

use super::{Part, Site, discovered_filter, socket_address, watched};
use crate::world::World;

/// What Envoy holds of one direction of a connection before it stops reading.
pub(super) const CONNECTION_BUFFER_BYTES: u64 = 1 << 20;

/// The name under which Envoy asks for the routes.
pub(super) const ROUTES: &str = "tollgate";

pub(super) fn listener(world: &World, site: &Site) -> Value {
    let at = world.listen;
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "tollgate",
        "address": socket_address(&at.ip().to_string(), at.port()),
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "filter_chains": [{
            "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": connection_manager(site),
            }],
        }],
    })
}

fn connection_manager(site: &Site) -> Value {
    let mut manager = Map::new();
    let mut set = |name: &str, value: Value| {
        manager.insert(name.to_owned(), value);
    };
    set(
        "@type",
        json!("type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    );
    set("stat_prefix", json!("tollgate"));

    // Who is asking is the connection's other end, and what it says about itself in `x-envoy-*` is dropped: a client must
    // not choose its own retries and timeouts, wherever it is.
    set("use_remote_address", json!(true));
    set("skip_xff_append", json!(true));
    set("internal_address_config", nobody_is_internal());

    // The gateway role decides on the path, so it sees the one path that everything after it sees.
    set("normalize_path", json!(true));
    set("merge_slashes", json!(true));
    set("path_with_escaped_slashes_action", json!("UNESCAPE_AND_FORWARD"));
    set("strip_trailing_host_dot", json!(true));

    // Without this the answer would name the provider's server.
    set("server_name", json!("tollgate"));

    set("max_request_headers_kb", json!(60));
    set(
        "common_http_protocol_options",
        json!({ "idle_timeout": "3600s", "max_headers_count": 100 }),
    );
    set(
        "http2_protocol_options",
        json!({
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        }),
    );

    // A client has ten seconds for its headers and five minutes for its body. After that only silence ends a request:
    // a stream may take as long as it takes.
    set("request_headers_timeout", json!("10s"));
    set("request_timeout", json!("300s"));
    set("stream_idle_timeout", json!(format!("{}s", site.stream_idle_seconds)));

    // A WebSocket is refused by the gateway role, which can say why. Without this Envoy would refuse it in silence.
    set("upgrade_configs", json!([{ "upgrade_type": "websocket" }]));
    set(
        "local_reply_config",
        json!({ "mappers": [own_reply("invalid_request_error", "LE", 499), own_reply("api_error", "GE", 500)] }),
    );

    if let Some(path) = &site.access_log {
        set("access_log", json!([access_log(&path.display().to_string())]));
    }
    set(
        "rds",
        json!({ "route_config_name": ROUTES, "config_source": watched(&site.part(Part::Routes)) }),
    );
    set(
        "http_filters",
        json!([
            discovered_filter("gateway", Part::GatewayFilter, site),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    // Providers need not know that Envoy is here, nor clients how long an attempt took.
                    "suppress_envoy_headers": true,
                },
            },
        ]),
    );
    Value::Object(manager)
}

/// Left out or empty, this would trust private addresses with `x-envoy-*`; no client has the broadcast address.
fn nobody_is_internal() -> Value {
    json!({ "cidr_ranges": [{ "address_prefix": "255.255.255.255", "prefix_len": 32 }] })
}

/// What Envoy itself answers, in a form that clients of either dialect understand. Such an answer has details; one by the
/// module has none, and is left as it is.
fn own_reply(kind: &str, op: &str, status: u32) -> Value {
    json!({
        "filter": {
            "and_filter": {
                "filters": [
                    {
                        "extension_filter": {
                            "name": "envoy.access_loggers.extension_filters.cel",
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                                "expression": "response.code_details != ''",
                            },
                        },
                    },
                    {
                        "status_code_filter": {
                            "comparison": {
                                "op": op,
                                "value": { "default_value": status, "runtime_key": "tollgate.own_reply" },
                            },
                        },
                    },
                ],
            },
        },
        "body_format_override": {
            "json_format": {
                "type": "error",
                "error": {
                    "type": kind,
                    "code": "%RESPONSE_CODE_DETAILS%",
                    "message": "The proxy could not handle this request: %RESPONSE_CODE_DETAILS%",
                },
            },
        },
    })
}

/// One line per request. Neither headers nor bodies nor the query: nothing of a prompt or a credential.
fn access_log(path: &str) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {
                "json_format": {
                    "time": "%START_TIME%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ)%",
                    "status": "%RESPONSE_CODE%",
                    "flags": "%RESPONSE_FLAGS%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "duration_ms": "%DURATION%",
                    "bytes_received": "%BYTES_RECEIVED%",
                    "bytes_sent": "%BYTES_SENT%",
                    "provider": "%UPSTREAM_CLUSTER%",
                    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                },
            },
        },
    })
}
