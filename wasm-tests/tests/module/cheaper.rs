//! Downgrades: a limit that is nearly used up sends requests to a cheaper model, or to another provider, and back again.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Outcome, Reply};

use crate::fixture::*;

/// The fixture's document, whose `gpt-4o` has a cheaper model, with these members of the agent's key.
fn with_cheaper(members: Value) -> Value {
    let mut document = agent_with(members);
    document["models"]["gpt-4o"]["cheaper"] = json!("gpt-4o-mini");
    document
}

fn served(outcome: &Outcome) -> String {
    let body: Value = serde_json::from_slice(&outcome.attempt().body).unwrap();
    body["model"].as_str().unwrap().to_owned()
}

fn downgraded(gateway: &Gateway) -> bool {
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(outcome.status, 200);
    served(&outcome) == "gpt-4o-mini"
}

#[test]
fn a_request_goes_to_the_cheaper_model_at_its_price_and_under_its_name() {
    let limit = json!({"limits": {"rpm": {"limit": 10, "warn_at": 0.1, "then": "downgrade"}}});
    let gateway = started(&with_cheaper(limit));
    assert!(!downgraded(&gateway));
    for request in [chat("best"), chat_stream("gpt-4o")] {
        let asked = String::from_utf8(request.clone().into_body()).unwrap();
        gateway.answers_now("second", Reply::stream(chat_events(2)));
        let outcome = gateway.send(request);
        assert_eq!(outcome.status, 200);
        assert_eq!(outcome.attempt().cluster, "second");
        let sent = String::from_utf8(outcome.attempt().body.clone()).unwrap();
        let expected = asked
            .replace("\"best\"", "\"gpt-4o-mini\"")
            .replace("\"gpt-4o\"", "\"gpt-4o-mini\"");
        assert_eq!(
            sent.replace("\"stream_options\":{\"include_usage\":true},", ""),
            expected
        );
        assert_eq!(outcome.headers.text("x-tollgate-model").unwrap(), "gpt-4o-mini");
        assert_eq!(
            outcome.headers.text("x-tollgate-downgraded").unwrap(),
            "gpt-4o; key.rpm"
        );
        assert_eq!(outcome.headers.text("x-tollgate-warning").unwrap(), "key.rpm");
    }
    let process = &gateway.process;
    let labels = [
        ("key", "agent"),
        ("team", "payments"),
        ("model", "gpt-4o"),
        ("served", "gpt-4o-mini"),
        ("rule", "key.rpm"),
    ];
    assert_eq!(process.metric("tollgate_downgrades_total", &labels), 2);
    assert_eq!(
        process.metric("tollgate_requests_total", &[("model", "gpt-4o-mini")]),
        2
    );
    assert_eq!(process.metric("tollgate_requests_total", &[("model", "gpt-4o")]), 1);
    // 1000 × 150 + 200 × 600 nanodollars.
    let cost = process.metric("tollgate_cost_nanodollars_total", &[("model", "gpt-4o-mini")]);
    assert_eq!(cost, 2 * 270_000);
}

#[test]
fn it_ends_a_tenth_below_where_it_began() {
    let limit = json!({"limits": {"rpm": {"limit": 40, "warn_at": 0.5, "then": "downgrade"}}});
    let gateway = started(&with_cheaper(limit));
    let other = gateway.another_worker(
        &with_cheaper(json!({"limits": {"rpm": {"limit": 40, "warn_at": 0.5, "then": "downgrade"}}})),
        &ENV,
    );
    for _ in 0..2 {
        assert!(!downgraded(&gateway));
    }
    pass(&gateway, 20);
    for index in 0..18 {
        assert!(!downgraded([&gateway, &other][index % 2]), "request {index}");
    }
    assert!(downgraded(&gateway) && downgraded(&other), "20 are half of 40");
    pass(&gateway, 41);
    // 20 are left, and then 18: a tenth below.
    assert!(downgraded(&other));
    pass(&gateway, 20);
    assert!(!downgraded(&other), "one of the last minute is left");
}

#[test]
fn between_the_two_it_stays_as_it_is() {
    let document = with_cheaper(json!({"budget": {"usd": 1, "over": "1h", "warn_at": 0.02, "then": "downgrade"}}));
    let gateway = started(&document);
    // 4 000 000 each; 20 000 000 is where it begins, 18 000 000 is where it ends.
    for _ in 0..5 {
        assert!(!downgraded(&gateway));
        pass(&gateway, 300);
    }
    assert!(downgraded(&gateway));
    for _ in 0..6 {
        assert!(downgraded(&gateway), "each spends 270 000 more");
    }
    // The first five go one by one, from 3600 seconds on: 25 minutes have passed.
    pass(&gateway, 3600 - 1500 + 70);
    assert_eq!(
        amount(&gateway, "key.budget.rolling_1h", "used"),
        16_000_000 + 7 * 270_000
    );
    assert!(!downgraded(&gateway), "17 890 000 are below 18 000 000");
}

#[test]
fn what_does_not_fit_goes_to_the_cheaper_model_too_and_if_that_is_no_use_is_refused() {
    let budget = json!({"budget": {"usd": 0.0056, "per": "day", "warn_at": 1, "then": "downgrade"}});
    let gateway = started(&with_cheaper(budget));
    let send = || gateway.send(question("gpt-4o"));
    assert_eq!(served(&send()), "gpt-4o");
    for _ in 0..5 {
        let outcome = send();
        assert_eq!(outcome.status, 200);
        assert_eq!(served(&outcome), "gpt-4o-mini");
        assert_eq!(
            outcome.headers.text("x-tollgate-downgraded").unwrap(),
            "gpt-4o; key.budget.day"
        );
    }
    let refused = send();
    assert_eq!((refused.status, refused_by(&refused).as_str()), (429, "key.budget.day"));
    assert!(amount(&gateway, "key.budget.day", "used") <= 5_600_000);
    // It is counted for the model that was asked for.
    assert_eq!(
        gateway
            .process
            .metric("tollgate_refusals_total", &[("model", "gpt-4o")]),
        1
    );
}

#[test]
fn a_key_that_may_not_use_the_cheaper_model_stays_with_what_it_has() {
    let limit = json!({"models": ["gpt-4o"], "limits": {"rpm": {"limit": 3, "warn_at": 0.1, "then": "downgrade"}}});
    let gateway = started(&with_cheaper(limit));
    for _ in 0..3 {
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!((outcome.status, served(&outcome).as_str()), (200, "gpt-4o"));
        assert!(!outcome.headers.has("x-tollgate-downgraded"));
    }
    assert_eq!(refused_by(&gateway.send(chat("gpt-4o"))), "key.rpm");
    assert_eq!(gateway.process.metric("tollgate_downgrades_total", &[]), 0);
}

#[test]
fn a_limit_of_a_models_own_leads_down_the_whole_chain() {
    let mut document = with_cheaper(json!({}));
    document["models"]["gpt-4o-mini"]["cheaper"] = json!("free");
    let limit = json!({"limits": {"rpm": {"limit": 2, "warn_at": 1, "then": "downgrade"}}});
    for model in ["gpt-4o", "gpt-4o-mini"] {
        merge(&mut document["models"][model], limit.clone());
    }
    let gateway = started(&document);
    let order: Vec<String> = (0..6).map(|_| served(&gateway.send(chat("gpt-4o")))).collect();
    assert_eq!(
        order,
        [
            "gpt-4o",
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-4o-mini",
            "unpriced-model",
            "unpriced-model"
        ]
    );
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(outcome.headers.text("x-tollgate-model").unwrap(), "free");
    assert_eq!(
        outcome.headers.text("x-tollgate-downgraded").unwrap(),
        "gpt-4o; model.rpm"
    );
    let of = |model| gateway.process.metric("tollgate_downgrades_total", &[("model", model)]);
    assert_eq!((of("gpt-4o"), of("gpt-4o-mini")), (5, 3));
}

#[test]
fn on_trial_nothing_is_sent_on() {
    let limit = json!({"limits": {"rpm": {"limit": 2, "warn_at": 0.5, "then": "downgrade", "mode": "shadow"}}});
    let gateway = started(&with_cheaper(limit));
    assert!(!(0..4).any(|_| downgraded(&gateway)));
}

#[test]
fn a_provider_that_is_full_is_left_out_and_one_that_is_nearly_full_comes_last() {
    let mut document = document();
    merge(&mut document["providers"]["first"], json!({"limits": {"rpm": 2}}));
    let gateway = started(&document);
    let clusters = |gateway: &Gateway, count: usize| -> Vec<String> {
        (0..count)
            .map(|_| gateway.send(chat("gpt-4o")).attempt().cluster.clone())
            .collect()
    };
    assert_eq!(clusters(&gateway, 3), ["first", "first", "second"]);
    // It is no attempt at the first: nothing failed there.
    assert_eq!(
        gateway
            .process
            .metric("tollgate_attempts_total", &[("provider", "first")]),
        2
    );
    // Where the second fails, the first is not asked either.
    gateway.answers_now("second", Reply::json(500, "{}"));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.status, outcome.attempt().cluster.as_str()), (500, "second"));
    // What the first was not asked for does not count there.
    pass(&gateway, 60);
    assert_eq!(clusters(&gateway, 2), ["first", "first"]);

    let limit = json!({"limits": {"rpm": {"limit": 4, "warn_at": 0.5, "then": "downgrade"}}});
    merge(&mut document["providers"]["first"], limit);
    document["models"]["gpt-4o"]["cheaper"] = json!("gpt-4o-mini");
    let gateway = started(&document);
    assert_eq!(clusters(&gateway, 4), ["first", "first", "second", "second"]);
    gateway.answers_now("second", Reply::json(500, "{}"));
    let outcome = gateway.send(chat("gpt-4o"));
    let order: Vec<_> = outcome
        .attempts
        .iter()
        .map(|attempt| attempt.cluster.as_str())
        .collect();
    assert_eq!(
        (outcome.status, order),
        (200, vec!["second", "first"]),
        "last, but not left out"
    );
    assert_eq!(gateway.process.metric("tollgate_downgrades_total", &[]), 0);
}

#[test]
fn a_provider_is_charged_for_its_own_part_only() {
    let mut document = document();
    for provider in ["first", "second"] {
        merge(
            &mut document["providers"][provider],
            json!({"limits": {"rpm": 100, "tpm": 100_000}, "budget": {"usd": 1, "per": "day"}}),
        );
    }
    document["operators"] = json!([{"name": "on-call", "sha256": sha256(OPERATOR_KEY)}]);
    let gateway = Gateway::start(&document, &ENV);
    gateway
        .answers("first", Reply::json(500, "{}"))
        .answers("first", chat_reply());
    gateway.answers("second", chat_reply());
    assert_eq!(gateway.send(chat("gpt-4o")).attempts.len(), 2);
    assert_eq!(gateway.send(chat("gpt-4o")).attempts.len(), 1);
    let keys = wasm_tests::Request::get("/tollgate/v1/keys").bearer(OPERATOR_KEY);
    let page = gateway.send(keys).json();
    let used = |index: usize| -> Vec<u64> {
        let rules = page["providers"][index]["rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["used"].as_u64().unwrap()).collect()
    };
    // Requests, tokens, nanodollars: the first was asked twice and answered once; the second was asked once.
    assert_eq!(page["providers"][0]["name"], "first");
    assert_eq!(used(0), [2, 1200, CHAT_COST]);
    assert_eq!(used(1), [1, 1200, 180_000]);
}
