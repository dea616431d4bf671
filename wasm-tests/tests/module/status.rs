//! What Tollgate itself tells: a key of itself, an operator of everything, nobody else of anything, and no secret to anyone.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Outcome, Request};

use crate::fixture::*;

const ME: &str = "/tollgate/v1/me";
const KEYS: &str = "/tollgate/v1/keys";

fn document_with_operator() -> Value {
    let mut document = agent_with(json!({
        "limits": {"rpm": 10, "tpm": {"limit": 50_000, "warn_at": 0.9, "mode": "shadow"}, "parallel": 3},
        "budget": {"usd": 2, "per": "month", "then": "clamp"},
        "per_model": {"gpt-4o": {"limits": {"rpm": 5}}}
    }));
    merge(
        &mut document["teams"]["payments"],
        json!({"budget": {"tokens": 9000, "over": "24h"}}),
    );
    merge(&mut document["models"]["gpt-4o"], json!({"limits": {"rpm": 50}}));
    merge(&mut document["providers"]["first"], json!({"limits": {"rpm": 60}}));
    document["limits"] = json!({"rpm": 100});
    document["operators"] = json!([{"name": "on-call", "sha256": sha256(OPERATOR_KEY)}]);
    document
}

fn get(gateway: &Gateway, path: &str, key: &str) -> Outcome {
    gateway.send(Request::get(path).bearer(key))
}

#[test]
fn a_key_is_told_its_own_and_its_teams_rules() {
    let gateway = started(&document_with_operator());
    gateway.send(chat("gpt-4o"));
    let outcome = get(&gateway, ME, AGENT_KEY);
    assert_eq!(outcome.headers.text("content-type").unwrap(), "application/json");
    assert!(outcome.attempts.is_empty());
    let me = outcome.json();
    assert_eq!(
        (&me["key"], &me["team"], &me["mode"]),
        (&json!("agent"), &json!("payments"), &json!("enforce"))
    );
    assert_eq!(me["in_flight"], 0);
    let names: Vec<_> = me["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["rule"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "key.rpm",
            "key.tpm",
            "key.parallel",
            "key.budget.month",
            "key_model.rpm",
            "team.token_budget.rolling_24h"
        ]
    );
    assert_eq!(
        rule(&gateway, "key.rpm"),
        json!({"rule": "key.rpm", "scope": "key", "unit": "requests", "limit": 10, "used": 1, "set_aside": 0, "remaining": 9,
            "warn_at": 0.8, "then": "block", "mode": "enforce", "resets_at": "2026-09-01T12:01:00Z"})
    );
    let tpm = rule(&gateway, "key.tpm");
    assert_eq!(
        (&tpm["mode"], &tpm["warn_at"], &tpm["used"]),
        (&json!("shadow"), &json!(0.9), &json!(1200))
    );
    let budget = rule(&gateway, "key.budget.month");
    assert_eq!(
        (&budget["used_usd"], &budget["limit_usd"]),
        (&json!(0.004), &json!(2.0))
    );
    assert_eq!(
        (&budget["then"], &budget["resets_at"]),
        (&json!("clamp"), &json!("2026-10-01T00:00:00Z"))
    );
    assert_eq!(rule(&gateway, "key_model.rpm")["model"], "gpt-4o");
    assert_eq!(
        rule(&gateway, "team.token_budget.rolling_24h")["remaining"],
        9000 - 1200
    );
}

#[test]
fn a_key_without_rules_has_none_to_tell() {
    let gateway = gateway();
    let me = get(&gateway, ME, LIMITED_KEY).json();
    assert_eq!(
        me,
        json!({"key": "limited", "team": null, "mode": "enforce", "in_flight": 0, "rules": []})
    );
}

#[test]
fn an_operator_is_told_of_everything_page_by_page() {
    let gateway = started(&document_with_operator());
    let other = gateway.another_worker(&document_with_operator(), &ENV);
    other.send(chat("gpt-4o"));
    let names = |page: &Value| -> Vec<String> {
        let keys = page["keys"].as_array().unwrap();
        keys.iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
    };
    let page = get(&gateway, KEYS, OPERATOR_KEY).json();
    assert_eq!(names(&page), ["agent", "limited", "disabled", "expired"]);
    assert_eq!(page["next_after"], Value::Null);
    assert_eq!(page["all"][0]["used"], 1);
    assert_eq!(page["teams"][0]["name"], "payments");
    assert_eq!(page["models"][0]["rules"][0]["rule"], "model.rpm");
    assert_eq!(page["providers"][0]["rules"][0]["used"], 1);

    let first = get(&gateway, "/tollgate/v1/keys?most=2", OPERATOR_KEY).json();
    assert_eq!(
        (names(&first), &first["next_after"]),
        (vec!["agent".to_owned(), "limited".to_owned()], &json!("limited"))
    );
    assert!(first.get("teams").is_some());
    let second = get(&gateway, "/tollgate/v1/keys?after=limited&most=2", OPERATOR_KEY).json();
    assert_eq!(
        (names(&second), &second["next_after"]),
        (vec!["disabled".to_owned(), "expired".to_owned()], &Value::Null)
    );
    assert!(second.get("teams").is_none(), "on the first page only");
    let one = get(&gateway, "/tollgate/v1/keys?key=agent", OPERATOR_KEY).json();
    assert_eq!(names(&one), ["agent"]);
    assert_eq!(one["keys"][0]["rules"][0]["used"], 1);
    for nobody in ["key=nobody", "after=nobody"] {
        let outcome = get(&gateway, &format!("{KEYS}?{nobody}"), OPERATOR_KEY);
        assert_eq!(
            (outcome.status, &outcome.json()["error"]["code"]),
            (404, &json!("not_found"))
        );
    }
}

#[test]
fn who_may_not_is_told_so_and_who_has_no_key_learns_nothing() {
    let gateway = started(&document_with_operator());
    let status = |method: &str, path: &str, key: Option<&str>| {
        let request = Request::new(method, path);
        let request = match key {
            Some(key) => request.bearer(key),
            None => request,
        };
        let outcome = gateway.send(request);
        assert!(outcome.attempts.is_empty());
        outcome.status
    };
    for (method, path) in [("GET", KEYS), ("POST", "/tollgate/v1/release?key=agent")] {
        assert_eq!(status(method, path, Some(AGENT_KEY)), 403, "{path}");
        for key in [None, Some("tg-wrong"), Some(DISABLED_KEY), Some(EXPIRED_KEY)] {
            assert_eq!(status(method, path, key), 401, "{path}");
        }
    }
    for key in [
        None,
        Some("tg-wrong"),
        Some(DISABLED_KEY),
        Some(EXPIRED_KEY),
        Some(OPERATOR_KEY),
    ] {
        assert_eq!(status("GET", ME, key), 401);
    }
    for path in ["/tollgate/v1/everything", "/tollgate/v1/me/more", "/tollgate/v1"] {
        assert_eq!(status("GET", path, Some(OPERATOR_KEY)), 404, "{path}");
    }
    for (method, path) in [
        ("POST", ME),
        ("DELETE", KEYS),
        ("GET", "/tollgate/v1/release?key=agent"),
    ] {
        assert_eq!(status(method, path, Some(OPERATOR_KEY)), 405, "{path}");
    }
    // An operator's key opens nothing else.
    assert_eq!(gateway.send(chat("gpt-4o").bearer(OPERATOR_KEY)).status, 401);
    assert_eq!(status("GET", "/v1/models", Some(OPERATOR_KEY)), 401);
    assert_eq!(recorded(&gateway).1, 0);
    let kinds: Vec<String> = outcomes(&gateway).into_iter().map(|(outcome, _)| outcome).collect();
    assert!(kinds.contains(&"refused_operator_only".to_owned()), "{kinds:?}");
}

#[test]
fn looking_uses_nothing_up_and_is_no_request_of_the_keys() {
    let gateway = started(&document_with_operator());
    for _ in 0..50 {
        assert_eq!(get(&gateway, ME, AGENT_KEY).status, 200);
    }
    assert_eq!(amount(&gateway, "key.rpm", "used"), 0);
    let labels = [("endpoint", "status"), ("outcome", "ok")];
    assert_eq!(gateway.process.metric("tollgate_requests_total", &labels), 51);
    assert_eq!(gateway.process.metric("tollgate_request_duration_milliseconds", &[]), 0);
}

#[test]
fn no_secret_is_in_it() {
    let gateway = started(&document_with_operator());
    gateway.send(chat("gpt-4o"));
    let secrets = [
        AGENT_KEY,
        OPERATOR_KEY,
        FIRST_CREDENTIAL,
        SECOND_CREDENTIAL,
        ANTHROPIC_CREDENTIAL,
        &sha256(AGENT_KEY),
        &sha256(OPERATOR_KEY),
        "grüß Gott",
        ".test",
    ];
    for text in [
        get(&gateway, ME, AGENT_KEY).text(),
        get(&gateway, KEYS, OPERATOR_KEY).text(),
    ] {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    let me = get(&gateway, ME, AGENT_KEY).text();
    for foreign in ["limited", "provider", "first", "second"] {
        assert!(!me.contains(foreign), "{foreign} is no business of the key's: {me}");
    }
}

#[test]
fn where_headers_cannot_be_held_it_is_asked_under_a_providers_host() {
    let mut document = document_with_operator();
    document["hold_headers"] = json!(false);
    let gateway = Gateway::start(&document, &ENV);
    let ask = |host: &str| gateway.send(Request::get(ME).bearer(AGENT_KEY).header(":authority", host));
    assert_eq!(ask("first.test").json()["key"], "agent");
    assert!(!ask("elsewhere.test").text().contains("agent"));
}
