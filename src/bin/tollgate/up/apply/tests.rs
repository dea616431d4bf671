//! Changes under a stand-in for Envoy that reads the same files and tells the same statistics.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tollgate::document::Document;
use tollgate::envoy::{self, Site};
use tollgate::world::World;

use super::*;

/// What a part's file said when it was looked at.
type Seen = BTreeMap<Part, Value>;

/// Takes over what is in the directory whenever it is asked for its statistics, but for a document that says `refuse me`.
struct StandIn {
    admin: Admin,
    history: Arc<Mutex<Vec<Seen>>>,
}

impl StandIn {
    fn start(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = Admin::new(listener.local_addr().unwrap());
        let history = Arc::new(Mutex::new(Vec::new()));
        let (directory, seen) = (directory.to_owned(), Arc::clone(&history));
        thread::spawn(move || {
            let (mut taken, mut refused) = (Seen::new(), BTreeMap::<Part, (u64, Value)>::new());
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                for part in Part::ALL {
                    let Ok(bytes) = fs::read(directory.join(part.file_name())) else {
                        continue;
                    };
                    let value: Value = serde_json::from_slice(&bytes).unwrap();
                    if !value.to_string().contains("refuse me") {
                        taken.insert(part, value);
                    } else if refused.get(&part).is_none_or(|(_, last)| *last != value) {
                        refused.entry(part).or_insert((0, Value::Null)).0 += 1;
                        refused.get_mut(&part).unwrap().1 = value;
                    }
                }
                seen.lock().unwrap().push(taken.clone());
                let mut text = "cluster_manager.warming_clusters: 0\n".to_owned();
                for (part, value) in &taken {
                    text.push_str(&format!(
                        "{}.version_text: \"{}\"\n",
                        part.statistics(),
                        envoy::version(value)
                    ));
                    let rejected = refused.get(part).map_or(0, |(times, _)| *times);
                    text.push_str(&format!("{}.update_rejected: {rejected}\n", part.statistics()));
                }
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                )
                .unwrap();
            }
        });
        Self { admin, history }
    }

    fn history(&self) -> Vec<Seen> {
        self.history.lock().unwrap().clone()
    }
}

fn rendered(key: &str, providers: &[&str]) -> Rendered {
    let providers: serde_json::Map<String, Value> = providers
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                json!({ "dialect": "openai", "endpoint": format!("http://{name}.test/v1") }),
            )
        })
        .collect();
    let text = json!({ "providers": providers, "keys": [{ "name": key, "sha256": "ab".repeat(32) }] }).to_string();
    let document = Document::parse(&text).unwrap();
    let world = World::compile(&document, &|_| None).unwrap();
    envoy::render(&text, &document, &world, &Site::new("/m.wasm", "/run", "/ca.pem"))
}

fn start(directory: &Path, configuration: &Rendered) -> (InForce, StandIn) {
    let in_force = InForce::new(directory.to_owned(), configuration.clone()).unwrap();
    (in_force, StandIn::start(directory))
}

fn on_disk(directory: &Path) -> Seen {
    let read = |part: Part| serde_json::from_slice(&fs::read(directory.join(part.file_name())).unwrap()).unwrap();
    Part::ALL.into_iter().map(|part| (part, read(part))).collect()
}

#[test]
fn whichever_document_the_gateway_has_its_providers_have_clusters_and_routes() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (rendered("k", &["kept", "old"]), rendered("k", &["kept", "new"]));
    let (mut in_force, envoy) = start(directory.path(), &old);
    assert_eq!(in_force.replace(new.clone(), &envoy.admin).unwrap(), Outcome::Applied);
    assert_eq!(on_disk(directory.path()), new.parts);
    for seen in envoy.history() {
        let known = if seen[&Part::GatewayFilter] == old.parts[&Part::GatewayFilter] {
            "old"
        } else {
            "new"
        };
        for part in [Part::Clusters, Part::Routes] {
            let text = seen[&part].to_string();
            assert!(
                text.contains(&format!("\"{known}\"")) && text.contains("\"kept\""),
                "{known} {part:?}"
            );
        }
    }
}

#[test]
fn what_the_module_refuses_is_taken_back_whole() {
    let directory = tempfile::tempdir().unwrap();
    let old = rendered("k", &["kept", "old"]);
    let (mut in_force, envoy) = start(directory.path(), &old);
    let outcome = in_force
        .replace(rendered("refuse me", &["kept", "new"]), &envoy.admin)
        .unwrap();
    assert_eq!(outcome, Outcome::Refused(Part::ProviderFilter));
    assert_eq!(on_disk(directory.path()), old.parts);
    let good = rendered("another", &["kept"]);
    assert_eq!(in_force.replace(good.clone(), &envoy.admin).unwrap(), Outcome::Applied);
    assert_eq!(on_disk(directory.path()), good.parts);
}

#[test]
fn what_did_not_change_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut in_force, envoy) = start(directory.path(), &rendered("k", &["kept"]));
    let path = directory.path().join(Part::Clusters.file_name());
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(
        in_force.replace(rendered("another", &["kept"]), &envoy.admin).unwrap(),
        Outcome::Applied
    );
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn another_address_waits_for_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let old = rendered("k", &["kept"]);
    let (mut in_force, envoy) = start(directory.path(), &old);
    let mut new = rendered("another", &["kept"]);
    new.parts.insert(Part::Listeners, envoy::closed());
    assert_eq!(in_force.replace(new, &envoy.admin).unwrap(), Outcome::Applied);
    assert_eq!(on_disk(directory.path())[&Part::Listeners], old.parts[&Part::Listeners]);
}
