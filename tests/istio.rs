//! `istio/wasmplugin.yaml`: its document is one the module takes, and it says of metrics what the catalogue says.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is missing fails the test that needs it"
)]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::document::Document;
use tollgate::metrics::{self, CATALOGUE};
use tollgate::world::World;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/istio/wasmplugin.yaml");

/// The file's objects by their kind.
fn objects() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(PATH).unwrap();
    serde_norway::Deserializer::from_str(&text)
        .map(|object| Value::deserialize(object).unwrap())
        .map(|object| (object["kind"].as_str().unwrap().to_owned(), object))
        .collect()
}

/// The environment variables that the plugin is given.
fn given(plugin: &Value) -> Vec<&str> {
    let env = plugin["spec"]["vmConfig"]["env"].as_array().unwrap();
    assert!(
        env.iter()
            .all(|variable| variable["valueFrom"] == "HOST" && variable.get("value").is_none())
    );
    env.iter().map(|variable| variable["name"].as_str().unwrap()).collect()
}

#[test]
fn the_plugins_configuration_is_a_document_for_a_host_that_cannot_hold_headers() {
    let objects = objects();
    let plugin = &objects["WasmPlugin"];
    let text = plugin["spec"]["pluginConfig"].to_string();
    let document = Document::parse(&text).unwrap();
    let env = given(plugin);
    let world = World::compile(&document, &|name| env.contains(&name).then(|| "sk-test".to_owned())).unwrap();
    assert!(!world.hold_headers);
    assert!(
        world.max_body_bytes < 1 << 20,
        "Envoy refuses more than a mebibyte before the module can"
    );
    assert_eq!(world.warnings, []);
    assert_eq!(plugin["spec"]["pluginName"], "gateway");
}

#[test]
fn the_mesh_originates_tls_to_every_provider() {
    let objects = objects();
    let providers = objects["WasmPlugin"]["spec"]["pluginConfig"]["providers"]
        .as_object()
        .unwrap();
    for provider in providers.values() {
        let host = provider["endpoint"]
            .as_str()
            .unwrap()
            .strip_prefix("https://")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        assert_eq!(objects["ServiceEntry"]["spec"]["hosts"], json!([host]));
        assert_eq!(objects["DestinationRule"]["spec"]["host"], host);
    }
}

#[test]
fn the_sidecar_knows_every_label_and_the_buckets_of_every_histogram() {
    let objects = objects();
    let annotations = &objects["Deployment"]["spec"]["template"]["metadata"]["annotations"];
    let config: Value = serde_norway::from_str(annotations["proxy.istio.io/config"].as_str().unwrap()).unwrap();
    assert_eq!(config["extraStatTags"], json!(metrics::labels()));
    let buckets: Value =
        serde_json::from_str(annotations["sidecar.istio.io/statsHistogramBuckets"].as_str().unwrap()).unwrap();
    let wanted: BTreeMap<String, Vec<f64>> = CATALOGUE
        .iter()
        .filter(|metric| !metric.buckets.is_empty())
        .map(|metric| (format!("wasmcustom.{}", metric.name), metric.buckets.to_vec()))
        .collect();
    let same = buckets.as_object().is_some_and(|written| {
        written.len() == wanted.len()
            && wanted.iter().all(|(name, bounds)| {
                let written: Vec<f64> = serde_json::from_value(buckets[name].clone()).unwrap_or_default();
                written == *bounds
            })
    });
    assert!(same, "statsHistogramBuckets should be {}", json!(wanted));
}

#[test]
fn the_providers_credentials_are_in_the_sidecar_and_not_in_the_agent() {
    let objects = objects();
    let containers = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    let secrets = |name: &str| -> Vec<(String, String)> {
        let container = containers.iter().find(|container| container["name"] == name).unwrap();
        let env = container["env"].as_array().unwrap().iter();
        env.filter_map(|variable| {
            let secret = variable.pointer("/valueFrom/secretKeyRef/name")?.as_str()?;
            Some((variable["name"].as_str()?.to_owned(), secret.to_owned()))
        })
        .collect()
    };
    let sidecar = secrets("istio-proxy");
    for name in given(&objects["WasmPlugin"]) {
        assert!(sidecar.iter().any(|(variable, _)| variable == name), "{name}");
    }
    assert!(
        secrets("agent")
            .iter()
            .all(|(_, secret)| sidecar.iter().all(|(_, other)| other != secret))
    );
}
