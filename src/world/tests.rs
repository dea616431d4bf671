//! Documents beside what is said of them (`golden/`; `UPDATE_GOLDEN=1` rewrites), and what a world answers.

#![cfg(not(target_arch = "wasm32"))]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::Dialect;

mod routing;
mod rules;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "OPENAI_API_KEY" => "sk-openai\n",
        "ANTHROPIC_API_KEY" => "sk-ant",
        "BLANK" => " ",
        "TWO_LINES" => "a\nb",
        _ => return None,
    };
    Some(value.to_owned())
}

fn world(document: &Value) -> World {
    let document = Document::parse(&document.to_string()).unwrap();
    World::compile(&document, &env).unwrap()
}

fn full() -> World {
    let text = include_str!("golden/good-full.json");
    World::compile(&Document::parse(text).unwrap(), &env).unwrap()
}

/// What there is to say of a document, as a person would read it.
fn said_of(text: &str) -> String {
    let mut said = String::new();
    match Document::parse(text).and_then(|document| World::compile(&document, &env)) {
        Ok(world) => {
            writeln!(said, "good; warnings: {}", world.warnings.len()).unwrap();
            world
                .warnings
                .iter()
                .for_each(|warning| writeln!(said, "{warning}").unwrap());
        }
        Err(problems) => {
            writeln!(said, "problems: {}", problems.len()).unwrap();
            problems.iter().for_each(|problem| writeln!(said, "{problem}").unwrap());
        }
    }
    said
}

#[test]
fn every_document_of_the_golden_ones_gets_exactly_the_findings_beside_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/world/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let document = entry.unwrap().path();
        if document.extension().is_some_and(|extension| extension == "txt") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&document).unwrap();
        let said = said_of(&text);
        let name = document.file_name().unwrap().to_str().unwrap();
        assert_eq!(name.starts_with("good-"), said.starts_with("good"), "{name}: {said}");
        for secret in ["sk-", "tg-in", "tg-Gr"] {
            assert!(!said.contains(secret), "{name} gives away a secret: {said}");
        }
        let golden = document.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(said, expected, "{name}");
    }
    assert!(seen >= 15);
}

#[test]
fn a_world_answers_by_name_host_and_digest() {
    let world = full();
    let name = |id: Option<ProviderId>| id.and_then(|id| world.provider(id)).map(|provider| &*provider.name);
    assert_eq!(name(world.default_provider), Some("openai"));
    assert_eq!(name(world.provider_by_name("local")), Some("local"));
    assert_eq!(name(world.provider_by_name("Local")), None);
    for (authority, expected) in [
        ("api.openai.com", Some("openai")),
        ("API.OpenAI.com:443", Some("openai")),
        ("api.openai.com:80", None),
        ("api.openai.com:0443", Some("openai")),
        ("api.openai.com:", None),
        ("api.openai.com.evil", None),
        ("127.0.0.1:8000", Some("local")),
        ("127.0.0.1", None),
        ("", None),
        ("[::1]", None),
    ] {
        assert_eq!(name(world.provider_by_host(authority)), expected, "{authority}");
    }

    let model = world.model_by_name("gpt-4o").unwrap();
    assert_eq!(world.model_by_name("gpt-4o-2024-11-20"), Some(model));
    assert_eq!(world.model_by_name("gpt-4"), None);
    assert_eq!(&*world.model(model).unwrap().name, "gpt-4o");

    let digest = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
        .repeat(4)
        .try_into()
        .unwrap();
    let key = world.key(world.key_by_digest(&digest).unwrap()).unwrap();
    assert_eq!(&*key.name, "checkout-agent");
    assert_eq!(&*world.team(key.team.unwrap()).unwrap().name, "payments");
    assert!(key.models.contains(model));
    assert!(!key.models.contains(world.model_by_name("llama").unwrap()));
    assert_eq!(key.expires.unwrap().to_string(), "2027-01-01T00:00:00Z");
    assert!(world.key_by_digest(&[0xff; 32]).is_some());
    assert!(world.key_by_digest(&[0; 32]).is_none());
}

#[test]
fn the_hash_is_the_beginning_of_the_texts_sha256() {
    let document = Document::parse(r#"{"providers": {}}"#).unwrap();
    assert_eq!(World::compile(&document, &env).unwrap().hash, "c2b27b9384e2c84c");
}

#[test]
fn the_documents_price_comes_first_by_whole_name_then_by_the_longest_prefix() {
    let mut document = json!({
        "providers": {"a": {"dialect": "openai", "endpoint": "http://a:1"}, "b": {"dialect": "openai", "endpoint": "http://b:1"}},
        "models": {},
        "prices": [
            {"provider": "a", "model": "*", "input": 1, "output": 1},
            {"provider": "a", "model": "m-1*", "input": 2, "output": 2},
            {"provider": "a", "model": "m-1-large", "input": 3, "output": 3},
        ],
    });
    for (provider, model, expected) in [
        ("a", "m-1-large", Some(3_000_000)),
        ("a", "m-1-larger", Some(2_000_000)),
        ("a", "m-2", Some(1_000_000)),
        ("b", "m-2", None),
    ] {
        document["models"] = json!({"m": {"targets": [{"provider": provider, "model": model}]}});
        let world = world(&document);
        let price = world.models[0].targets[0]
            .price
            .as_ref()
            .map(|price| price.standard.base.input);
        assert_eq!(price, expected, "{model} at {provider}");
    }
}

#[test]
fn a_rehearsal_warns_of_what_is_not_set_and_goes_on_without() {
    let text = include_str!("golden/good-full.json");
    let world = World::rehearse(&Document::parse(text).unwrap(), &|_| None).unwrap();
    assert_eq!(
        world
            .warnings
            .iter()
            .map(|warning| format!("{}: {}", warning.path, warning.warning))
            .collect::<Vec<_>>(),
        [
            "providers.openai.credential.env: the environment variable OPENAI_API_KEY is not set here",
            "providers.anthropic.credential.env: the environment variable ANTHROPIC_API_KEY is not set here",
            "models.claude-sonnet-4-5: none of its providers has its credential: every request for it would fail",
            "models[\"claude-*\"]: none of its providers has its credential: every request for it would fail",
        ]
    );
    assert!(world.providers.iter().all(|provider| provider.credential().is_none()));
}

#[test]
fn a_provider_that_the_price_list_does_not_know_is_warned_of() {
    let world = world(&json!({
        "providers": {"a": {"dialect": "openai", "endpoint": "http://a:1", "priced_as": "a-new-one"}},
    }));
    assert_eq!(world.warnings[0].path, "providers.a.priced_as");
    assert_eq!(&*world.providers[0].priced_as, "a-new-one");
}

#[test]
fn an_expired_key_is_warned_of_from_its_last_second_on() {
    let world = full();
    let end = world.keys[0].expires.unwrap();
    assert_eq!(world.warnings_at(UnixSeconds(end.0 - 1)), []);
    let warnings = world.warnings_at(end);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].path, "keys[0].expires");
}

#[test]
fn keys_with_the_same_list_of_models_share_it() {
    let world = world(&large(3));
    let lists: Vec<_> = world.keys.iter().map(|key| &key.models).collect();
    let [Allowed::Only(first), Allowed::Only(second), ..] = lists.as_slice() else {
        panic!("{lists:?}")
    };
    assert!(Arc::ptr_eq(first, second));
}

#[test]
fn ten_thousand_keys_of_a_thousand_teams_compile() {
    let world = world(&large(10_000));
    assert_eq!((world.keys.len(), world.teams.len()), (10_000, 1_000));
    for key in &world.keys {
        let Allowed::Only(only) = &key.models else {
            panic!("{key:?}")
        };
        assert_eq!(only.models().len(), 100);
    }
}

#[test]
fn ten_thousand_mistakes_are_all_reported() {
    let mut document = large(10_000);
    for key in document["keys"].as_array_mut().unwrap() {
        key["team"] = json!("nobody");
    }
    let document = Document::parse(&document.to_string()).unwrap();
    assert_eq!(World::compile(&document, &env).unwrap_err().len(), 10_000);
}

fn large(keys: usize) -> Value {
    let models = (0..1_000).map(|n| (format!("model-{n:03}"), json!({"targets": [{"provider": "openai"}]})));
    let teams = (0..1_000).map(|n| (format!("team-{n}"), json!({})));
    let keys = (0..keys).map(|n| {
        json!({"name": format!("key-{n}"), "sha256": format!("{n:064x}"), "team": format!("team-{}", n % 1_000), "models": ["model-1*"]})
    });
    json!({
        "providers": {"openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1"}},
        "models": Value::Object(models.collect()),
        "teams": Value::Object(teams.collect()),
        "keys": keys.collect::<Vec<_>>(),
        "prices": [{"provider": "openai", "model": "model-*", "input": 1, "output": 1}],
    })
}

/// JSON that looks like a document from afar: its field names and some of its values, put together anyhow.
fn document_like() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 52] = [
        "providers",
        "models",
        "teams",
        "keys",
        "prices",
        "listen",
        "admin",
        "hold_headers",
        "max_series",
        "dialect",
        "endpoint",
        "credential",
        "env",
        "targets",
        "aliases",
        "provider",
        "model",
        "name",
        "sha256",
        "expires",
        "limits",
        "rpm",
        "limit",
        "budget",
        "usd",
        "per",
        "month",
        "over",
        "24h",
        "then",
        "raise",
        "to",
        "until",
        "per_model",
        "loop_guard",
        "off",
        "tool_calls",
        "warn",
        "operators",
        "cheaper",
        "order",
        "fastest",
        "sticky",
        "weight",
        "failover",
        "attempts",
        "health",
        "rest",
        "openai",
        "gpt-4*",
        "https://a.example:1/v1",
        "2027-01-01T00:00:00Z",
    ];
    let word = prop_oneof![4 => proptest::sample::select(&WORDS).prop_map(str::to_owned), 1 => ".{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((word.clone(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A path into a document and what to put there.
fn damage() -> impl Strategy<Value = (Vec<prop::sample::Index>, Value)> {
    (
        prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        document_like(),
    )
}

fn damaged(value: &mut Value, path: &[prop::sample::Index], new: Value) {
    let (step, rest) = path.split_first().unwrap();
    let inner = match value {
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(step.index(members.len())).unwrap().clone();
            members.get_mut(&name).unwrap()
        }
        Value::Array(elements) if !elements.is_empty() => {
            let index = step.index(elements.len());
            &mut elements[index]
        }
        _ => return *value = new,
    };
    match rest {
        [] => *inner = new,
        rest => damaged(inner, rest, new),
    }
}

/// Reads and compiles; a failure must say at least one thing, with a remedy.
fn judge(text: &str) {
    if let Err(problems) = Document::parse(text).and_then(|document| World::compile(&document, &env)) {
        assert!(!problems.is_empty());
        for problem in problems {
            assert!(!problem.problem.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(document in document_like()) {
        judge(&document.to_string());
    }

    #[test]
    fn no_damaged_document_makes_it_panic(damages in prop::collection::vec(damage(), 1..4)) {
        let mut document: Value = serde_json::from_str(include_str!("golden/good-full.json")).unwrap();
        for (path, new) in damages {
            damaged(&mut document, &path, new);
        }
        judge(&document.to_string());
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}") {
        judge(&text);
    }
}

#[test]
fn a_credential_is_shown_to_its_provider_and_to_nobody_else() {
    let world = full();
    let header = |name| {
        let provider = world.provider(world.provider_by_name(name).unwrap()).unwrap();
        provider.credential().map(|credential| credential.header())
    };
    assert_eq!(header("openai"), Some(("authorization", "Bearer sk-openai")));
    assert_eq!(header("anthropic"), Some(("x-api-key", "sk-ant")));
    assert_eq!(header("local"), None);
    assert!(!format!("{world:?}").contains("sk-"));
    assert_eq!(world.providers[1].dialect, Dialect::Anthropic);
}
