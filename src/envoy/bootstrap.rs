//! What Envoy is started with, and keeps until it ends.

use serde_json::{Value, json};

use super::{Part, Site, socket_address, stats, watched};
use crate::world::World;

/// Clients connected at once. A bound on memory, not on traffic: an HTTP/2 connection carries many requests.
const MAX_CONNECTIONS: u64 = 50_000;

/// The pages of the admin interface that change nothing. It has no authentication, and Prometheus has to reach it.
const ADMIN_PAGES: [&str; 8] = [
    "/ready",
    "/stats",
    "/server_info",
    "/clusters",
    "/listeners",
    "/config_dump",
    "/memory",
    "/certs",
];

pub(super) fn bootstrap(world: &World, site: &Site) -> Value {
    json!({
        // A configuration source needs to know who is asking, even if it is a file.
        "node": { "id": "tollgate", "cluster": "tollgate" },
        "admin": {
            "address": socket_address(&world.admin.ip().to_string(), world.admin.port()),
            "allow_paths": ADMIN_PAGES.map(|page| json!({ "prefix": page })),
        },
        "dynamic_resources": {
            "cds_config": watched(&site.part(Part::Clusters)),
            "lds_config": watched(&site.part(Part::Listeners)),
        },
        "stats_config": stats::stats_config(),
        // A histogram shows what it has counted after the next flush.
        "stats_flush_interval": "1s",
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": MAX_CONNECTIONS,
                },
            }],
        },
    })
}
