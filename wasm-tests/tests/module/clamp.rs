//! A budget with `clamp` cuts answers down to what is left; of the request nothing but that number changes.

use serde_json::{Value, json};
use wasm_tests::{Outcome, Reply, Request};

use crate::fixture::*;

const DAY: &str = "key.budget.day";

fn clamping(usd: f64) -> Value {
    agent_with(json!({"budget": {"usd": usd, "per": "day", "then": "clamp"}}))
}

fn sent(outcome: &Outcome) -> String {
    assert_eq!(outcome.status, 200, "{}", outcome.text());
    String::from_utf8(outcome.attempt().body.clone()).unwrap()
}

fn clamped(outcome: &Outcome) -> u64 {
    outcome.headers.text("x-tollgate-clamped").unwrap().parse().unwrap()
}

#[test]
fn the_longest_answer_is_written_into_the_body_and_every_other_byte_survives() {
    let bodies = [
        // What it may be called at this endpoint, written in front where nothing is said.
        (
            r#"{ "model" : "gpt-4o",  "messages":[],"x":1.50 }"#,
            r#"{"max_completion_tokens":N, "model" : "gpt-4o",  "messages":[],"x":1.50 }"#,
        ),
        (
            r#"{"model":"gpt-4o","max_tokens": 90000 ,"messages":[]}"#,
            r#"{"model":"gpt-4o","max_tokens": N ,"messages":[]}"#,
        ),
        (
            r#"{"max_completion_tokens":9e4,"model":"gpt-4o","messages":[]}"#,
            r#"{"max_completion_tokens":N,"model":"gpt-4o","messages":[]}"#,
        ),
        (
            r#"{"max_completion_tokens":null,"model":"gpt-4o","messages":[]}"#,
            r#"{"max_completion_tokens":N,"model":"gpt-4o","messages":[]}"#,
        ),
        (
            r#"{"max_tokens":-1,"model":"gpt-4o","messages":[]}"#,
            r#"{"max_tokens":N,"model":"gpt-4o","messages":[]}"#,
        ),
    ];
    for (body, expected) in bodies {
        let mut document = clamping(0.005);
        document["models"]["gpt-4o"]["max_output_tokens"] = json!(16_384);
        let gateway = started(&document);
        let outcome = gateway.send(chat("gpt-4o").json(body));
        let most = clamped(&outcome);
        assert!((400..500).contains(&most), "{most} for half a cent");
        assert_eq!(sent(&outcome), expected.replace('N', &most.to_string()));
        let labels = [
            ("key", "agent"),
            ("team", "payments"),
            ("model", "gpt-4o"),
            ("rule", DAY),
        ];
        assert_eq!(gateway.process.metric("tollgate_clamps_total", &labels), 1);
    }
}

#[test]
fn each_endpoint_has_its_own_word_for_it() {
    let cases = [
        (
            "/v1/responses",
            r#"{"model":"gpt-4o","input":"hi"}"#,
            "max_output_tokens",
        ),
        ("/v1/completions", r#"{"model":"gpt-4o","prompt":"hi"}"#, "max_tokens"),
        (CHAT, r#"{"model":"gpt-4o","messages":[]}"#, "max_completion_tokens"),
    ];
    for (path, body, name) in cases {
        let mut document = clamping(0.005);
        document["models"]["gpt-4o"]["max_output_tokens"] = json!(16_384);
        let gateway = started(&document);
        let outcome = gateway.send(Request::post(path).bearer(AGENT_KEY).json(body));
        let most = clamped(&outcome);
        assert_eq!(
            sent(&outcome),
            body.replacen('{', &format!("{{\"{name}\":{most},"), 1),
            "{path}"
        );
    }
    let gateway = wasm_tests::Gateway::start(&clamping(0.005), &ENV);
    gateway.answers(
        "anthropic",
        Reply::json(200, r#"{"usage":{"input_tokens":10,"output_tokens":5}}"#),
    );
    let body = r#"{"model":"claude","max_tokens":64000,"messages":[]}"#;
    let outcome = gateway.send(Request::post(MESSAGES).bearer(AGENT_KEY).json(body));
    let most = clamped(&outcome);
    let expected = format!(r#"{{"model":"claude-sonnet-4-5","max_tokens":{most},"messages":[]}}"#);
    assert_eq!(sent(&outcome), expected);
}

#[test]
fn it_is_cut_for_every_attempt_and_for_streams() {
    let gateway = started(&clamping(0.005));
    gateway.answers_now("first", Reply::json(500, "{}"));
    gateway.answers_now("second", Reply::stream(chat_events(2)));
    let body = r#"{"model":"best","stream":true,"max_tokens":90000,"messages":[]}"#;
    let outcome = gateway.send(chat("best").json(body));
    assert_eq!(outcome.attempts.len(), 2);
    let most = clamped(&outcome);
    for attempt in &outcome.attempts {
        let body: Value = serde_json::from_slice(&attempt.body).unwrap();
        assert_eq!(body["max_tokens"], most);
        assert_eq!(body["stream_options"]["include_usage"], true);
    }
}

#[test]
fn it_is_cut_where_the_attempt_is_in_a_newer_vm() {
    let document = clamping(0.005);
    let gateway = started(&document);
    let mut exchange = gateway.begin(chat("gpt-4o").json(r#"{"model":"gpt-4o","max_tokens":90000,"messages":[]}"#));
    assert!(exchange.step(), "the headers are with the old VM");
    gateway.worker.renew_vm();
    assert!(gateway.configure(&document));
    let outcome = exchange.run();
    let body: Value = serde_json::from_str(&sent(&outcome)).unwrap();
    assert_eq!(body["max_tokens"], clamped(&outcome));
}

#[test]
fn a_request_that_fits_is_left_as_it_is_unless_the_reckoning_needs_a_number() {
    let gateway = started(&clamping(10.0));
    let outcome = gateway.send(question("gpt-4o"));
    assert!(!outcome.headers.has("x-tollgate-clamped"));
    assert_eq!(sent(&outcome).into_bytes(), question("gpt-4o").into_body());
    // Where the model's longest answer is what was reckoned with, it is said to the provider, and nothing was cut.
    let mut document = clamping(10.0);
    document["models"]["gpt-4o"]["max_output_tokens"] = json!(16_384);
    let gateway = started(&document);
    let cases = [
        (
            r#"{"model":"gpt-4o","messages":[]}"#,
            r#"{"max_completion_tokens":16384,"model":"gpt-4o","messages":[]}"#,
        ),
        (
            r#"{"model":"gpt-4o","max_completion_tokens":null,"messages":[]}"#,
            r#"{"model":"gpt-4o","max_completion_tokens":16384,"messages":[]}"#,
        ),
        (
            r#"{"model":"gpt-4o","max_tokens":7,"messages":[]}"#,
            r#"{"model":"gpt-4o","max_tokens":7,"messages":[]}"#,
        ),
    ];
    for (body, expected) in cases {
        let outcome = gateway.send(chat("gpt-4o").json(body));
        assert!(!outcome.headers.has("x-tollgate-clamped"));
        assert_eq!(sent(&outcome), expected);
    }
}

#[test]
fn an_honest_provider_never_overspends_a_budget_that_clamps() {
    const QUESTION: &str = r#"{"model":"gpt-4o","max_tokens":300,"messages":[]}"#;
    // A token for each of its bytes, and 32 that may stand around them.
    const MOST: u64 = QUESTION.len() as u64 + 32;
    let question = || chat("gpt-4o").json(QUESTION);
    let gateway = started(&clamping(0.0100));
    let mut longest = Vec::new();
    for _ in 0..4 {
        // As long as what is left allows, on a prompt as long as it can be.
        let left = amount(&gateway, DAY, "remaining");
        let answer = 300.min((left - MOST * 2_500 - 1) / 10_000);
        longest.push(answer);
        let usage = json!({"usage": {"prompt_tokens": MOST, "completion_tokens": answer}});
        gateway.answers_now("first", Reply::json(200, usage.to_string()));
        let outcome = gateway.send(question());
        let asked = String::from_utf8(question().into_body()).unwrap();
        assert_eq!(sent(&outcome), asked.replace("300", &answer.to_string()));
        assert!(amount(&gateway, DAY, "used") <= 10_000_000);
    }
    assert_eq!(longest, [300, 300, 300, 18]);
    assert_eq!(refused_by(&gateway.send(question())), DAY);
    let left = amount(&gateway, DAY, "remaining");
    assert!(left < MOST * 2_500 + 17 * 10_000, "{left} would have bought another");
    assert_eq!(gateway.process.metric("tollgate_clamps_total", &[]), 1);
}

#[test]
fn where_nothing_worth_having_is_left_it_is_refused() {
    let gateway = started(&clamping(0.0002));
    let refused = gateway.send(chat("gpt-4o").json(r#"{"model":"gpt-4o","max_tokens":300,"messages":[]}"#));
    assert_eq!((refused.status, refused_by(&refused).as_str()), (429, DAY));
    assert!(!refused.headers.has("x-tollgate-clamped"));
    assert_eq!(gateway.process.metric("tollgate_clamps_total", &[]), 0);
}

#[test]
fn a_budget_of_tokens_and_one_of_a_provider_clamp_too() {
    let budget = json!({"budget": {"tokens": 500, "per": "hour", "then": "clamp"}});
    let mut documents = [agent_with(budget.clone()), document()];
    for provider in ["first", "second"] {
        merge(&mut documents[1]["providers"][provider], budget.clone());
    }
    for (document, scope) in documents.iter().zip(["key", "provider"]) {
        let gateway = started(document);
        let body = r#"{"model":"gpt-4o","n":2,"max_tokens":300,"messages":[]}"#;
        let outcome = gateway.send(chat("gpt-4o").json(body));
        assert_eq!(outcome.status, 200, "{scope}: {}", outcome.text());
        assert_eq!(
            clamped(&outcome),
            (500 - 32 - body.len() as u64) / 2,
            "{scope}: for each of two answers"
        );
        let rule = format!("{scope}.token_budget.hour");
        assert_eq!(gateway.process.metric("tollgate_clamps_total", &[("rule", &rule)]), 1);
    }
}

#[test]
fn on_trial_nothing_is_cut() {
    let gateway = started(&agent_with(
        json!({"budget": {"usd": 0.005, "per": "day", "then": "clamp", "mode": "shadow"}}),
    ));
    let body = r#"{"model":"gpt-4o","max_tokens":90000,"messages":[]}"#;
    let outcome = gateway.send(chat("gpt-4o").json(body));
    assert_eq!(sent(&outcome), body);
    assert_eq!(outcome.headers.text("x-tollgate-would-deny").unwrap(), DAY);
}
