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

fn upstream_filters(cluster: &Value) -> Vec<&Value> {
    let options =
        &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    options["http_filters"].as_array().into_iter().flatten().collect()
}

fn cluster<'r>(rendered: &'r Rendered, name: &str) -> &'r Value {
    let named = |cluster: &&Value| cluster["name"] == name;
    resources(rendered, Part::Clusters).iter().find(named).unwrap()
}

const ADDED_BY_ENVOY: &str = r#"{
    "hold_headers": HOLD,
    "providers": {
        "bedrock": {"settings": {"region": "eu-west-1"}},
        "vertex": {"dialect": "openai", "endpoint": "https://llm.example.com/v1", "auth": "oauth", "credential": {"file": "/run/secrets/token"}},
        "azure": {"dialect": "openai", "endpoint": "https://azure.example.com/v1", "auth": "api-key", "credential": {"file": "/key"}},
        "local": {"dialect": "openai", "endpoint": "http://10.0.0.7:8000/v1"}
    }
}"#;

#[test]
fn envoy_adds_what_the_module_cannot_after_the_body_is_in_the_providers_words() {
    for (hold, role) in [("true", &["provider"][..]), ("false", &[])] {
        let rendered = rendered_text(&ADDED_BY_ENVOY.replace("HOLD", hold));
        let names = |name: &str| -> Vec<Value> {
            let filters = upstream_filters(cluster(&rendered, name));
            filters.iter().map(|filter| filter["name"].clone()).collect()
        };
        let with = |added: &[&'static str]| [role, added].concat();
        let codec = "envoy.filters.http.upstream_codec";
        assert_eq!(
            names("bedrock"),
            with(&["envoy.filters.http.aws_request_signing", codec])
        );
        assert_eq!(
            names("vertex"),
            with(&["envoy.filters.http.credential_injector", codec])
        );
        assert_eq!(names("local").len(), if hold == "true" { 2 } else { 0 });
        let signing = upstream_filters(cluster(&rendered, "bedrock"))[role.len()]["typed_config"].clone();
        assert_eq!(
            (&signing["service_name"], &signing["region"]),
            (&json!("bedrock"), &json!("eu-west-1"))
        );
    }
}

#[test]
fn of_a_credential_in_a_file_only_the_files_name_is_written() {
    let rendered = rendered_text(&ADDED_BY_ENVOY.replace("HOLD", "true"));
    let secrets: Vec<_> = rendered
        .secrets
        .iter()
        .map(|(name, value)| (name.as_str(), value["resources"][0]["generic_secret"]["secret"].clone()))
        .collect();
    assert_eq!(
        secrets,
        [
            (
                "sds-azure.json",
                json!({ "filename": "/key", "watched_directory": { "path": "/" } })
            ),
            (
                "sds-vertex.json",
                json!({ "filename": "/run/secrets/token", "watched_directory": { "path": "/run/secrets" } })
            ),
        ]
    );
    let injected = |name: &str| {
        let filter = upstream_filters(cluster(&rendered, name))[1];
        filter["typed_config"]["credential"]["typed_config"].clone()
    };
    let vertex = injected("vertex");
    assert_eq!(
        (&vertex["header"], &vertex["header_value_prefix"]),
        (&json!("authorization"), &json!("Bearer "))
    );
    let source = &vertex["credential"]["sds_config"]["path_config_source"];
    assert_eq!(source["path"], "/run/tollgate/sds-vertex.json");
    let azure = injected("azure");
    assert_eq!(
        (&azure["header"], &azure["header_value_prefix"]),
        (&json!("api-key"), &Value::Null)
    );
}

#[test]
fn a_failing_health_check_leads_to_a_refused_connection() {
    let document = json!({ "providers": {
        "local": { "dialect": "openai", "endpoint": "http://10.0.0.7:8000/v1", "health_check": { "path": "/health" } },
        "named": { "dialect": "openai", "endpoint": "https://llm.example.com/v1", "health_check": { "path": "/up", "interval": "1m" } },
    } });
    let rendered = rendered_text(&document.to_string());
    for (name, host, interval, alpn) in [
        ("local", "10.0.0.7:8000", "10s", Value::Null),
        ("named", "llm.example.com", "60s", json!(["http/1.1"])),
    ] {
        let cluster = cluster(&rendered, name);
        let check = &cluster["health_checks"][0];
        assert_eq!(check["http_health_check"]["host"], host);
        assert_eq!(
            (&check["interval"], &check["no_traffic_interval"]),
            (&json!(interval), &json!(interval))
        );
        assert_eq!(check["tls_options"]["alpn_protocols"], alpn);
        let last_resort = &cluster["load_assignment"]["endpoints"][1]["lb_endpoints"][0]["endpoint"];
        assert_eq!(last_resort["address"]["socket_address"]["port_value"], 0);
        assert_eq!(
            last_resort["health_check_config"],
            json!({ "disable_active_health_check": true })
        );
    }
}

fn rendered_for(envoy: &str, document: &Value) -> (Rendered, Vec<String>) {
    let text = document.to_string();
    let document = Document::parse(&text).unwrap();
    let world = World::compile(&document, &|_| Some(SECRET.to_owned())).unwrap();
    let mut site = Site::new("/opt/tollgate.wasm", "/run/tollgate", "/etc/ssl/ca.pem");
    site.envoy = envoy.parse().unwrap();
    (render(&text, &document, &world, &site), losses(&world, site.envoy))
}

fn many(names: &[&str]) -> Value {
    let providers: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            let provider = json!({ "dialect": "openai", "endpoint": format!("https://{name}.example.com/v1") });
            ((*name).to_owned(), provider)
        })
        .collect();
    let targets: Vec<Value> = names.iter().map(|name| json!({ "provider": name })).collect();
    json!({ "providers": providers, "models": { "m": { "targets": targets } } })
}

#[test]
fn for_an_older_envoy_there_is_a_cluster_for_every_order_of_providers() {
    let (rendered, losses) = rendered_for("1.38", &many(&["a", "b", "c"]));
    assert_eq!(losses, [] as [String; 0]);
    let orders = [
        "a,b", "a,b,c", "a,c", "a,c,b", "b,a", "b,a,c", "b,c", "b,c,a", "c,a", "c,a,b", "c,b", "c,b,a",
    ];
    let wanted: BTreeSet<&str> = orders.iter().chain(&["a", "b", "c", "(nobody)"]).copied().collect();
    assert_eq!(cluster_names(&rendered), wanted);
    let aggregate = cluster(&rendered, "c,a");
    let members = &aggregate["cluster_type"]["typed_config"]["clusters"];
    assert_eq!(members, &json!(["c", "a", "(nobody)"]));
    let filters: Vec<_> = upstream_filters(aggregate)
        .iter()
        .map(|filter| &filter["name"])
        .collect();
    assert_eq!(filters, ["provider", "envoy.filters.http.upstream_codec"]);
    let endpoints = &cluster(&rendered, "a")["load_assignment"]["endpoints"];
    assert_eq!(endpoints.as_array().unwrap().len(), 1);
    let metadata = &endpoints[0]["lb_endpoints"][0]["metadata"]["filter_metadata"];
    assert_eq!(metadata, &json!({ "tollgate": { "provider": "a" } }));
    let route = &resources(&rendered, Part::Routes)[0]["virtual_hosts"][0]["routes"][0]["route"];
    assert_eq!(route["retry_policy"]["refresh_cluster_on_retry"], Value::Null);
    let matcher = &route["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["cluster_matcher"];
    let routed = matcher["matcher_tree"]["exact_match_map"]["map"].as_object().unwrap();
    assert_eq!(routed.keys().collect::<Vec<_>>(), orders);
    let single = &matcher["on_no_match"]["matcher"]["matcher_tree"]["exact_match_map"]["map"];
    assert_eq!(single.as_object().unwrap().len(), 3);
    for part in [Part::GatewayFilter, Part::ProviderFilter] {
        let vm = &resources(&rendered, part)[0]["typed_config"]["config"]["vm_config"];
        assert_eq!(
            vm["environment_variables"]["key_values"],
            json!({ "TOLLGATE_ORDERS_AHEAD": "1" })
        );
    }
}

#[test]
fn from_1_39_on_nothing_is_different_and_nothing_lost() {
    let document = many(&["a", "b"]);
    let (newest, losses) = rendered_for("1.40", &document);
    assert_eq!(losses, [] as [String; 0]);
    assert_eq!(rendered_for("1.39", &document), (newest, losses));
}

#[test]
fn what_an_older_envoy_cannot_do_is_said() {
    let (rendered, lost) = rendered_for("1.35", &many(&["a", "b", "c", "d"]));
    let aggregates = cluster_names(&rendered).into_iter().filter(|name| name.contains(','));
    assert_eq!(
        aggregates.collect::<Vec<_>>(),
        ["a,b,c,d", "b,a,c,d", "c,a,b,d", "d,a,b,c"]
    );
    assert!(
        lost[0].contains("1 MiB") && lost[1].starts_with("m: of 4 providers"),
        "{lost:?}"
    );
    let host = &resources(&rendered, Part::Routes)[0]["virtual_hosts"][0];
    assert_eq!(host["request_body_buffer_limit"], Value::Null);
    let mut document = many(&["a", "b"]);
    document["providers"]["a"]["credential"] = json!({ "file": "/run/token" });
    let (rendered, lost) = rendered_for("1.38", &document);
    assert!(cluster_names(&rendered).into_iter().all(|name| !name.contains(',')));
    assert_eq!(
        lost,
        ["m: no failover in orders that have a in them, whose credential Envoy adds"]
    );
    for version in ["1.34", "1.41", "2.0", "1", "latest", ""] {
        assert!(version.parse::<Version>().is_err(), "{version}");
    }
}
