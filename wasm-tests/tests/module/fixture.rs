//! One configuration, keys, and answers as the providers give them.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::caller;
use wasm_tests::{Gateway, Outcome, Reply, Request};

pub(crate) const AGENT_KEY: &str = "tg-agent_agent_agent_agent_agent_agent_agent_agent";
pub(crate) const LIMITED_KEY: &str = "tg-limited_limited_limited_limited_limited_limite";
pub(crate) const DISABLED_KEY: &str = "tg-disabled_disabled_disabled_disabled_disabled_d";
pub(crate) const EXPIRED_KEY: &str = "tg-expired_expired_expired_expired_expired_expir_";
pub(crate) const OPERATOR_KEY: &str = "tg-operator_operator_operator_operator_operator_o";
pub(crate) const FIRST_CREDENTIAL: &str = "sk-first-credential-of-the-gateway";
pub(crate) const SECOND_CREDENTIAL: &str = "sk-second-credential-of-the-gateway";
pub(crate) const ANTHROPIC_CREDENTIAL: &str = "sk-ant-credential-of-the-gateway";

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const MESSAGES: &str = "/v1/messages";

/// What the module's VM sees.
pub(crate) const ENV: [(&str, &str); 3] = [
    ("FIRST", FIRST_CREDENTIAL),
    ("SECOND", SECOND_CREDENTIAL),
    ("ANTHROPIC", ANTHROPIC_CREDENTIAL),
];

/// Two OpenAI-style providers for `gpt-4o`, one Anthropic-style, four keys.
pub(crate) fn document() -> Value {
    json!({
        "providers": {
            "first": {"dialect": "openai", "endpoint": "https://first.test/v1", "credential": {"env": "FIRST"}},
            "second": {"dialect": "openai", "endpoint": "http://second.test:8080/openai/v1", "credential": {"env": "SECOND"}},
            "anthropic": {"dialect": "anthropic", "endpoint": "https://anthropic.test", "credential": {"env": "ANTHROPIC"}}
        },
        "models": {
            "gpt-4o": {"targets": [{"provider": "first"}, {"provider": "second", "model": "llama-3.3-70b"}], "aliases": ["best"]},
            "gpt-4o-mini": {"targets": [{"provider": "second"}]},
            "claude": {"targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]},
            "free": {"targets": [{"provider": "first", "model": "unpriced-model"}]}
        },
        "default_provider": "first",
        "teams": {"payments": {}},
        "keys": [
            {"name": "agent", "sha256": sha256(AGENT_KEY), "team": "payments"},
            {"name": "limited", "sha256": sha256(LIMITED_KEY), "models": ["gpt-4o-*"]},
            {"name": "disabled", "sha256": sha256(DISABLED_KEY), "disabled": true},
            {"name": "expired", "sha256": sha256(EXPIRED_KEY), "expires": "2020-01-01T00:00:00Z"}
        ],
        "prices": [
            {"provider": "first", "model": "gpt-4o", "input": 2.5, "cached_input": 1.25, "output": 10},
            {"provider": "second", "model": "llama-3.3-70b", "input": 0.1, "output": 0.4},
            {"provider": "second", "model": "gpt-4o-mini", "input": 0.15, "output": 0.6},
            {"provider": "anthropic", "model": "claude-sonnet-4-5", "input": 3, "cached_input": 0.3, "cache_write_5m": 3.75, "output": 15}
        ]
    })
}

/// The same for a host that cannot hold headers: no provider role, the host of a request tells its provider.
pub(crate) fn document_without_holding() -> Value {
    let mut document = document();
    document["hold_headers"] = json!(false);
    document
}

/// The fixture's document, and in it these members of the agent's key besides.
pub(crate) fn agent_with(members: Value) -> Value {
    let mut document = document();
    merge(&mut document["keys"][0], members);
    document
}

/// Puts an object's members into another, in place of those of the same name.
pub(crate) fn merge(object: &mut Value, members: Value) {
    let Value::Object(members) = members else {
        panic!("{members} is no object")
    };
    for (name, value) in members {
        object[name] = value;
    }
}

/// A proxy with a document, whose providers answer with [`chat_reply`].
pub(crate) fn started(document: &Value) -> Gateway {
    let gateway = Gateway::start(document, &ENV);
    gateway.answers("first", chat_reply()).answers("second", chat_reply());
    gateway
}

/// What is told at `/tollgate/v1/me` of one of the agent's rules.
pub(crate) fn rule(gateway: &Gateway, name: &str) -> Value {
    let outcome = gateway.send(Request::get("/tollgate/v1/me").bearer(AGENT_KEY));
    assert_eq!(outcome.status, 200, "{}", outcome.text());
    let me = outcome.json();
    let rules = me["rules"].as_array().unwrap();
    let found = rules.iter().find(|rule| rule["rule"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {me}")).clone()
}

/// A member of [`rule`], a number.
pub(crate) fn amount(gateway: &Gateway, name: &str, member: &str) -> u64 {
    rule(gateway, name)[member].as_u64().unwrap()
}

pub(crate) fn pass(gateway: &Gateway, seconds: u64) {
    gateway.process.advance(Duration::from_secs(seconds));
}

/// After how many seconds a refusal says to come back.
pub(crate) fn retry_after(outcome: &Outcome) -> u64 {
    assert_eq!(outcome.status, 429, "{}", outcome.text());
    outcome.headers.text("retry-after").unwrap().parse().unwrap()
}

/// The rule that refused.
pub(crate) fn refused_by(outcome: &Outcome) -> String {
    assert_eq!(outcome.status, 429, "{}", outcome.text());
    outcome.headers.text("x-tollgate-limit").unwrap()
}

/// A proxy with [`document`], whose providers are silent until told otherwise.
pub(crate) fn gateway() -> Gateway {
    Gateway::start(&document(), &ENV)
}

pub(crate) fn gateway_without_holding() -> Gateway {
    Gateway::start(&document_without_holding(), &ENV)
}

pub(crate) fn sha256(key: &str) -> String {
    caller::digest(key.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A chat request of the agent's.
pub(crate) fn chat(model: &str) -> Request {
    Request::post(CHAT).bearer(AGENT_KEY).json(chat_body(model, false))
}

/// The same, streaming.
pub(crate) fn chat_stream(model: &str) -> Request {
    Request::post(CHAT).bearer(AGENT_KEY).json(chat_body(model, true))
}

pub(crate) fn chat_body(model: &str, stream: bool) -> String {
    let mut body =
        json!({"model": model, "messages": [{"role": "user", "content": "Say grüß Gott."}], "x-unknown": [1, 2.50]});
    if stream {
        body["stream"] = json!(true);
    }
    body.to_string()
}

/// A question whose text can be the 1000 tokens that [`chat_answer`] says it is, and not many more, and which takes no
/// longer an answer than that. At `first`'s price it may cost no more than [`QUESTION_MOST`].
pub(crate) fn question(model: &str) -> Request {
    let text = "What is it? ".repeat(80);
    let body = json!({"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": text}]});
    Request::post(CHAT).bearer(AGENT_KEY).json(body.to_string())
}

/// 80 times 12 bytes of text, 77 of JSON around them, 8 tokens around the message and 32 around all.
pub(crate) const QUESTION_MOST: u64 = (80 * 12 + 77 + 8 + 32) * 2_500 + 200 * 10_000;

/// 1000 prompt tokens, 400 of them cached, and 200 answered: at the fixture's price of `first` for `gpt-4o` that is
/// 600 × 2500 + 400 × 1250 + 200 × 10000 = 4 000 000 nanodollars.
pub(crate) fn chat_answer() -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-11-20",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüß Gott!"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200,
                  "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 0}}
    })
    .to_string()
}

pub(crate) const CHAT_COST: u64 = 4_000_000;

/// The events of the same answer as a stream, with the usage at its end, each in a chunk of its own.
pub(crate) fn chat_events(deltas: usize) -> Vec<String> {
    let event = |delta: Value, finish: Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-11-20",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null});
        format!("data: {chunk}\n\n")
    };
    let mut events = vec![event(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend((0..deltas).map(|index| event(json!({"content": format!(" wörd{index}")}), Value::Null)));
    events.push(event(json!({}), json!("stop")));
    events.push(usage_event());
    events.push("data: [DONE]\n\n".to_owned());
    events
}

pub(crate) fn usage_event() -> String {
    let usage = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-11-20",
        "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200,
        "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 0}}});
    format!("data: {usage}\n\n")
}

pub(crate) fn chat_reply() -> Reply {
    Reply::json(200, chat_answer())
}

/// How many requests have been recorded, and how many are still counted as in flight.
pub(crate) fn recorded(gateway: &Gateway) -> (u64, u64) {
    (
        gateway.process.metric("tollgate_requests_total", &[]),
        gateway.process.metric("tollgate_requests_in_flight", &[]),
    )
}

/// How requests ended, with their numbers.
pub(crate) fn outcomes(gateway: &Gateway) -> Vec<(String, u64)> {
    let mut outcomes = std::collections::BTreeMap::new();
    for series in gateway.process.series() {
        if series.name == "tollgate_requests_total" {
            *outcomes
                .entry(series.label("outcome").unwrap_or_default().to_owned())
                .or_default() += series.value;
        }
    }
    outcomes.into_iter().collect()
}
