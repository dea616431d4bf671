//! What holds for every rendered configuration.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::metrics::{self, CATALOGUE};

const SECRET: &str = "sk-this-must-stay-in-the-environment";

fn document(hold_headers: bool, providers: &[(&str, &str)]) -> String {
    let providers: serde_json::Map<String, Value> = providers
        .iter()
        .map(|(name, endpoint)| {
            let credential = json!({ "env": "PROVIDER_KEY" });
            let provider = json!({ "dialect": "openai", "endpoint": endpoint, "credential": credential });
            ((*name).to_owned(), provider)
        })
        .collect();
    json!({ "hold_headers": hold_headers, "providers": providers }).to_string()
}

fn rendered_text(text: &str) -> Rendered {
    let document = Document::parse(text).unwrap();
    let world = World::compile(&document, &|_| Some(SECRET.to_owned())).unwrap();
    let site = Site::new("/opt/tollgate.wasm", "/run/tollgate", "/etc/ssl/ca.pem");
    render(text, &document, &world, &site)
}

fn rendered(hold_headers: bool, providers: &[(&str, &str)]) -> Rendered {
    rendered_text(&document(hold_headers, providers))
}

fn resources(rendered: &Rendered, part: Part) -> &[Value] {
    rendered.parts[&part]["resources"].as_array().unwrap()
}

fn cluster_names(rendered: &Rendered) -> BTreeSet<&str> {
    resources(rendered, Part::Clusters)
        .iter()
        .map(|cluster| cluster["name"].as_str().unwrap())
        .collect()
}

fn routed_names(rendered: &Rendered) -> BTreeSet<&str> {
    let clusters = rendered.parts[&Part::Routes].pointer(route::CLUSTERS).unwrap();
    clusters.as_object().unwrap().keys().map(String::as_str).collect()
}

const TWO: &[(&str, &str)] = &[
    ("openai", "https://api.openai.com/v1"),
    ("local", "http://10.0.0.7:8000/v1"),
];

#[test]
fn there_is_a_cluster_and_a_route_to_it_for_every_provider_and_nothing_else() {
    let two = rendered(true, TWO);
    assert_eq!(cluster_names(&two), BTreeSet::from(["local", "openai"]));
    assert_eq!(routed_names(&two), cluster_names(&two));
    assert_eq!(two.parts.keys().copied().collect::<Vec<_>>(), Part::ALL);
}

#[test]
fn no_credential_is_written_anywhere_only_the_name_of_its_variable() {
    for hold_headers in [true, false] {
        let rendered = rendered(hold_headers, TWO);
        let everything = format!("{} {:?}", rendered.bootstrap, rendered.parts);
        assert!(!everything.contains(SECRET));
        let filter = &resources(&rendered, Part::GatewayFilter)[0]["typed_config"]["config"];
        assert_eq!(
            filter["vm_config"]["environment_variables"],
            json!({ "host_env_keys": ["PROVIDER_KEY"] })
        );
    }
}

#[test]
fn providers_models_and_keys_leave_bootstrap_and_listener_alone() {
    let one = rendered(true, &TWO[..1]);
    for other in [rendered(true, TWO), rendered(false, TWO), rendered(true, &[])] {
        assert_eq!(one.bootstrap, other.bootstrap);
        assert_eq!(one.parts[&Part::Listeners], other.parts[&Part::Listeners]);
    }
}

#[test]
fn a_new_key_changes_the_filters_and_no_other_part() {
    let mut changed: Value = serde_json::from_str(&document(true, TWO)).unwrap();
    changed["keys"] = json!([{ "name": "new", "sha256": "ab".repeat(32) }]);
    let (old, new) = (rendered(true, TWO), rendered_text(&changed.to_string()));
    for part in Part::ALL {
        let is_filter = matches!(part, Part::ProviderFilter | Part::GatewayFilter);
        assert_eq!(
            version(&old.parts[&part]) != version(&new.parts[&part]),
            is_filter,
            "{part:?}"
        );
    }
}

#[test]
fn both_roles_share_a_vm_and_only_their_roots_differ() {
    let rendered = rendered(true, TWO);
    let [gateway, provider] = [Part::GatewayFilter, Part::ProviderFilter]
        .map(|part| resources(&rendered, part)[0]["typed_config"]["config"].clone());
    assert_eq!(
        (&gateway["root_id"], &provider["root_id"]),
        (&json!("gateway"), &json!("provider"))
    );
    for member in [
        "vm_config",
        "configuration",
        "failure_policy",
        "allow_on_headers_stop_iteration",
    ] {
        assert_eq!(gateway[member], provider[member], "{member}");
    }
    assert_eq!(gateway["allow_on_headers_stop_iteration"], json!(true));
    assert_eq!(gateway["configuration"]["value"], json!(document(true, TWO)));
}

#[test]
fn without_held_headers_the_host_decides_and_the_first_provider_of_a_host_has_it() {
    let providers = [
        ("a-first", "https://api.example.com/v1"),
        ("b-second", "https://api.example.com/other"),
        ("c-port", "http://api.example.com:8000/v1"),
        ("d-six", "http://[::1]:80/v1"),
    ];
    let rendered = rendered(false, &providers);
    let hosts = resources(&rendered, Part::Routes)[0]["virtual_hosts"]
        .as_array()
        .unwrap();
    let domains: Vec<_> = hosts
        .iter()
        .map(|host| (host["name"].as_str().unwrap(), &host["domains"]))
        .collect();
    assert_eq!(
        domains,
        [
            ("a-first", &json!(["api.example.com:443", "api.example.com"])),
            ("c-port", &json!(["api.example.com:8000"])),
            ("d-six", &json!(["[::1]:80", "[::1]"])),
        ]
    );
    assert!(
        hosts
            .iter()
            .all(|host| host["routes"][0]["route"]["cluster"] == host["name"])
    );
    assert!(!rendered.parts.contains_key(&Part::ProviderFilter));
    let everything = format!("{:?}", rendered.parts);
    assert!(!everything.contains("allow_on_headers_stop_iteration") && !everything.contains("upstream_codec"));
}

#[test]
fn a_name_that_does_not_resolve_leads_to_a_refused_connection_and_an_address_always_resolves() {
    let rendered = rendered(true, TWO);
    for cluster in resources(&rendered, Part::Clusters) {
        let priorities = cluster["load_assignment"]["endpoints"].as_array().unwrap().len();
        assert_eq!(
            priorities,
            if cluster["name"] == "openai" { 2 } else { 1 },
            "{}",
            cluster["name"]
        );
    }
}

#[test]
fn a_provider_under_tls_has_to_prove_its_name_or_address() {
    let rendered = rendered(
        true,
        &[("ip", "https://10.1.2.3/v1"), ("name", "https://llm.example.com/v1")],
    );
    let checked: Vec<_> = resources(&rendered, Part::Clusters)
        .iter()
        .map(|cluster| {
            let tls = &cluster["transport_socket"]["typed_config"];
            let context = &tls["common_tls_context"]["validation_context"];
            (tls["sni"].as_str(), context["match_typed_subject_alt_names"][0].clone())
        })
        .collect();
    let name = |kind: &str, exact: &str| json!({ "san_type": kind, "matcher": { "exact": exact } });
    assert_eq!(
        checked,
        [
            (None, name("IP_ADDRESS", "10.1.2.3")),
            (Some("llm.example.com"), name("DNS", "llm.example.com"))
        ]
    );
}

#[test]
fn bodies_that_are_too_large_are_the_modules_to_refuse() {
    let mut document: Value = serde_json::from_str(&document(true, TWO)).unwrap();
    document["max_body_bytes"] = json!(5 << 20);
    let rendered = rendered_text(&document.to_string());
    let host = &resources(&rendered, Part::Routes)[0]["virtual_hosts"][0];
    assert_eq!(host["request_body_buffer_limit"], json!(6 << 20));
}

#[test]
fn between_two_configurations_the_providers_of_both_can_be_reached() {
    let old = rendered(true, &[("kept", "http://10.0.0.1/v1"), ("old", "http://10.0.0.2/v1")]);
    let new = rendered(true, &[("kept", "http://10.0.0.9/v1"), ("new", "http://10.0.0.3/v1")]);
    let bridge = new.bridge(&old);
    assert_eq!(cluster_names(&bridge), BTreeSet::from(["kept", "new", "old"]));
    assert_eq!(routed_names(&bridge), cluster_names(&bridge));
    let kept = |rendered: &Rendered| resources(rendered, Part::Clusters)[0].clone();
    assert_eq!(kept(&bridge), kept(&new));
    assert_ne!(
        version(&bridge.parts[&Part::Clusters]),
        version(&new.parts[&Part::Clusters])
    );
    assert_eq!(new.bridge(&new), new);
    // Where the host decides, its routes are the new ones.
    let by_host = rendered(false, TWO);
    assert_eq!(by_host.bridge(&old).parts[&Part::Routes], by_host.parts[&Part::Routes]);
}

/// The labels' names, and what finds them.
static TAGS: LazyLock<Vec<(String, Regex)>> = LazyLock::new(|| {
    let stats = stats::stats_config();
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap().to_owned();
    let tags = stats["stats_tags"].as_array().unwrap().iter();
    tags.map(|tag| (text(tag, "tag_name"), Regex::new(&text(tag, "regex")).unwrap()))
        .collect()
});

/// What Envoy makes of a series: its name without the labels, and their values.
fn extracted(series: &str) -> (String, Vec<(String, String)>) {
    let full = format!("wasmcustom.{series}");
    let mut cut: Vec<std::ops::Range<usize>> = Vec::new();
    let mut labels = Vec::new();
    for (label, regex) in TAGS.iter() {
        if let Some(found) = regex.captures(&full) {
            cut.push(found.get(1).unwrap().range());
            labels.push((label.clone(), found[2].to_owned()));
        }
    }
    cut.sort_by_key(|range| range.start);
    let mut name = full;
    cut.iter().rev().for_each(|range| name.replace_range(range.clone(), ""));
    labels.sort();
    (name.trim_end_matches('.').to_owned(), labels)
}

proptest! {
    #[test]
    fn every_series_of_the_catalogue_gets_its_labels_back_whatever_their_values(
        metric in prop::sample::select(CATALOGUE),
        values in prop::collection::vec(r"[^;\pC]{0,20}|key=\.=x|\.team=\.=y|a\.b=\.=", 6),
    ) {
        let values: Vec<&str> = values.iter().map(String::as_str).take(metric.labels.len()).collect();
        let (name, labels) = extracted(&metrics::series_name(metric, &values));
        let mut wanted: Vec<_> =
            metric.labels.iter().zip(&values).map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        wanted.sort();
        prop_assert_eq!(name, format!("wasmcustom.{}", metric.name));
        prop_assert_eq!(labels, wanted);
    }
}

#[test]
fn envoys_own_statistics_keep_their_names() {
    for name in [
        "http.tollgate.downstream_rq_active",
        "cluster.key=.=a;.;.upstream_rq",
        "wasmcustom.other.key.x",
    ] {
        assert!(TAGS.iter().all(|(_, regex)| !regex.is_match(name)), "{name}");
    }
}
