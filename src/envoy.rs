//! Envoy's configuration, written from the document.
//!
//! In: a compiled [`World`], the document's text and a [`Site`] (where files and certificates are on this machine). Out:
//! JSON values, the same ones every time: a bootstrap that only a restart can change, and [`Part`]s that Envoy watches and
//! takes over while it runs. It writes no files, knows no process, and never sees a credential's value.
//!
//! The division decides what an operator can change without cutting a stream. Envoy drains a listener whose
//! configuration changed and cuts what is still running on it, so the listener says nothing of providers, models or keys.
//! Those are in the other parts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::document::Document;
use crate::world::World;

mod ahead;
mod bootstrap;
mod cluster;
mod credential;
mod filter;
mod health;
mod listener;
mod route;
mod stats;
mod upstream;
mod version;

pub use ahead::losses;
pub use version::Version;

/// `vm_id` of both roles: what makes them share a VM, and with it shared data and metrics.
pub const VM_ID: &str = "tollgate";

/// Filter state that names the cluster of the next attempt; set by the module as property `tollgate.cluster`.
pub const CLUSTER_KEY: &str = "wasm.tollgate.cluster";

/// Filter state that names the providers of all attempts, for an Envoy that cannot choose for each; set by the module as
/// property `tollgate.order`.
pub const ORDER_KEY: &str = "wasm.tollgate.order";

/// Request header by which an attempt's answer asks for the next attempt.
pub const RETRY_HEADER: &str = "x-tollgate-retry";

/// The most attempts after the first. The gateway lowers it per request with `x-envoy-max-retries`.
pub const MAX_RETRIES: u32 = 10;

/// What the rendered configuration needs to know about the machine Envoy runs on.
#[derive(Clone, Debug)]
pub struct Site {
    /// Absolute path of `tollgate.wasm`.
    pub module: PathBuf,
    /// Absolute path of the directory that holds the [`Part`]s.
    pub run_dir: PathBuf,
    /// Certificates of the authorities that providers are checked against, as one PEM file.
    pub ca_file: PathBuf,
    /// Where to write one JSON line per request, if anywhere.
    pub access_log: Option<PathBuf>,
    /// How long a request may be silent in both directions before it is cut, in seconds.
    pub stream_idle_seconds: u64,
    /// Which Envoy it is.
    pub envoy: Version,
}

impl Site {
    /// How long a request may be silent unless told otherwise, in seconds. A reasoning model without streaming says
    /// nothing for minutes; the official SDKs give up after ten.
    pub const STREAM_IDLE_SECONDS: u64 = 600;

    /// A site with nothing out of the ordinary.
    pub fn new(module: impl Into<PathBuf>, run_dir: impl Into<PathBuf>, ca_file: impl Into<PathBuf>) -> Self {
        Self {
            module: module.into(),
            run_dir: run_dir.into(),
            ca_file: ca_file.into(),
            access_log: None,
            stream_idle_seconds: Self::STREAM_IDLE_SECONDS,
            envoy: Version::NEWEST,
        }
    }

    fn part(&self, part: Part) -> String {
        self.run_dir.join(part.file_name()).display().to_string()
    }
}

/// A file that Envoy watches. It has to be replaced by rename: Envoy looks when a name in its directory changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The provider role's filter: the document, as the module reads it.
    ProviderFilter,
    /// A cluster per provider.
    Clusters,
    /// Which cluster an attempt goes to, and what is tried again.
    Routes,
    /// The gateway role's filter: the document, as the module reads it.
    GatewayFilter,
    /// Where clients connect.
    Listeners,
}

impl Part {
    /// All of them, each after those it depends on.
    pub const ALL: [Self; 5] = [
        Self::ProviderFilter,
        Self::Clusters,
        Self::Routes,
        Self::GatewayFilter,
        Self::Listeners,
    ];

    /// The name of its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::ProviderFilter => "ecds-provider.json",
            Self::Clusters => "cds.json",
            Self::Routes => "rds.json",
            Self::GatewayFilter => "ecds-gateway.json",
            Self::Listeners => "lds.json",
        }
    }

    /// What the names of Envoy's statistics about it begin with: `….version_text`, `….update_rejected`.
    pub fn statistics(self) -> &'static str {
        match self {
            Self::ProviderFilter => "extension_config_discovery.upstream_http_filter.provider",
            Self::Clusters => "cluster_manager.cds",
            Self::Routes => "http.tollgate.rds.tollgate",
            Self::GatewayFilter => "extension_config_discovery.http_filter.gateway",
            Self::Listeners => "listener_manager.lds",
        }
    }
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// What Envoy is started with.
    pub bootstrap: Value,
    /// What it watches, each a discovery response. A configuration without providers, or with headers that are not held,
    /// has no [`Part::ProviderFilter`].
    pub parts: BTreeMap<Part, Value>,
    /// What else it watches, by the names of the files: where the credentials are that it adds itself. They have to be
    /// there before [`Part::Clusters`], which refers to them.
    pub secrets: BTreeMap<String, Value>,
}

/// Writes Envoy's configuration for one document.
///
/// `text` is the document exactly as the operator wrote it: the module's configuration hash is computed over it.
/// `document` and `world` are read and compiled from it.
pub fn render(text: &str, document: &Document, world: &World, site: &Site) -> Rendered {
    let filters = filter::Filters {
        text,
        credentials: credential_names(document),
        hold_headers: world.hold_headers,
        site,
    };
    let clusters = world
        .providers
        .iter()
        .map(|provider| cluster::cluster(provider, world.hold_headers, site));
    let ahead = match orders_ahead(world, site) {
        true => ahead::clusters(world, site),
        false => Vec::new(),
    };
    let mut parts = BTreeMap::from([
        (Part::Clusters, discovery(clusters.chain(ahead))),
        (Part::Routes, discovery([route::routes(world, site)])),
        (Part::GatewayFilter, discovery([filters.role("gateway")])),
        (Part::Listeners, discovery([listener::listener(world, site)])),
    ]);
    if world.hold_headers && !world.providers.is_empty() {
        parts.insert(Part::ProviderFilter, discovery([filters.role("provider")]));
    }
    Rendered {
        bootstrap: bootstrap::bootstrap(world, site),
        parts,
        secrets: world.providers.iter().filter_map(credential::secret).collect(),
    }
}

impl Rendered {
    /// What to have in force while Envoy goes from `old` to `self`: the clusters and routes of both, so that wherever a
    /// request is sent, there is something. Where both have a cluster of one name, it is the new one.
    pub fn bridge(&self, old: &Self) -> Self {
        let mut bridge = self.clone();
        for (part, value) in &mut bridge.parts {
            if let Some(old) = old.parts.get(part) {
                match part {
                    Part::Clusters => *value = cluster::both(value, old),
                    Part::Routes => *value = route::both(value, old),
                    Part::ProviderFilter | Part::GatewayFilter | Part::Listeners => {}
                }
            }
        }
        bridge
    }
}

/// Whether all providers of a request have to be named before its first attempt.
fn orders_ahead(world: &World, site: &Site) -> bool {
    world.hold_headers && !site.envoy.chooses_for_each_attempt()
}

/// A part's version, as Envoy reports it once it is in force.
pub fn version(part: &Value) -> &str {
    part.get("version_info").and_then(Value::as_str).unwrap_or_default()
}

/// Listeners, none: Envoy lets go of its port, and what is running on it goes on.
pub fn closed() -> Value {
    discovery([])
}

/// The environment variables the document takes credentials from, sorted, each once.
pub fn credential_names(document: &Document) -> Vec<String> {
    let mut names: Vec<String> = document
        .providers
        .0
        .iter()
        .flat_map(|(_, provider)| {
            provider
                .references()
                .filter_map(|(_, credential)| credential.env.clone())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A discovery response whose version is the hash of what it says, so that equal content has an equal version.
fn discovery(resources: impl IntoIterator<Item = Value>) -> Value {
    let resources = Value::Array(resources.into_iter().collect());
    let digest = Sha256::digest(resources.to_string().as_bytes());
    let version: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    json!({ "version_info": version, "resources": resources })
}

/// Envoy's address of a socket.
fn socket_address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// A configuration source that watches one file, and waits for it rather than going on without.
fn watched(path: &str) -> Value {
    json!({ "path_config_source": { "path": path }, "resource_api_version": "V3", "initial_fetch_timeout": "0s" })
}

/// A wasm HTTP filter whose configuration is watched, in a listener or in a cluster.
fn discovered_filter(role: &str, part: Part, site: &Site) -> Value {
    json!({
        "name": role,
        "config_discovery": {
            "config_source": watched(&site.part(part)),
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        },
    })
}

#[cfg(test)]
mod tests;
