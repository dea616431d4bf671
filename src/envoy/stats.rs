//! How the module's metrics become Prometheus series.
//!
//! The module writes a series' labels into its name, `name.label=.=value;.;label2=.=value2;.;`, which Istio understands
//! as it is. A bootstrap needs one regular expression per label, and the histograms' buckets.

use serde_json::{Value, json};

use crate::metrics::{self, CATALOGUE, Kind};

/// The prefix Envoy gives every metric of a wasm module. Prometheus output drops it again.
const PREFIX: &str = "wasmcustom.";

/// Envoy's `stats_config` for the metrics of the catalogue.
pub(super) fn stats_config() -> Value {
    let tags: Vec<Value> = metrics::labels()
        .into_iter()
        .map(|label| json!({ "tag_name": label, "regex": label_regex(label) }))
        .collect();
    let buckets: Vec<Value> = CATALOGUE
        .iter()
        .filter(|metric| metric.kind == Kind::Histogram)
        .map(|metric| json!({ "match": { "prefix": format!("{PREFIX}{}", metric.name) }, "buckets": metric.buckets }))
        .collect();
    json!({ "stats_tags": tags, "histogram_bucket_settings": buckets })
}

/// What finds one label in a series' name: group 1 is cut out of the name, group 2 is the value.
///
/// Anchored at the module's prefix, so that Envoy's own metrics are left alone, and it steps over whole labels, so that
/// neither a label whose name ends like this one nor a value that looks like a label is taken for it. Values have no `;`.
fn label_regex(label: &str) -> String {
    format!(r"^wasmcustom\.[a-z0-9_]+\.(?:[a-z0-9_]+=\.=[^;]*;\.;)*?({label}=\.=([^;]*);\.;)")
}
