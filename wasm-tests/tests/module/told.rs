//! What a client is told of limits, in both dialects: bodies that the official SDKs understand, and headers.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Outcome, Reply, Request};

use crate::fixture::*;

const RATES: [&str; 6] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
];

fn header(outcome: &Outcome, name: &str) -> String {
    outcome
        .headers
        .text(name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", outcome.headers))
}

fn rates(outcome: &Outcome) -> [String; 6] {
    RATES.map(|name| header(outcome, name))
}

fn messages(stream: bool) -> Request {
    let body = json!({"model": "claude", "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": "hi"}]});
    Request::post(MESSAGES)
        .header("x-api-key", AGENT_KEY)
        .header("anthropic-version", "2023-06-01")
        .json(body.to_string())
}

fn claude_answers(gateway: &Gateway) {
    let answer = json!({"type": "message", "content": [{"type": "text", "text": "Hello"}],
        "usage": {"input_tokens": 10, "output_tokens": 5}});
    gateway.answers("anthropic", Reply::json(200, answer.to_string()));
}

fn limits(rpm: u64, tpm: u64) -> Value {
    agent_with(json!({"limits": {"rpm": rpm, "tpm": tpm}}))
}

#[test]
fn a_refusal_is_what_each_sdk_takes_for_a_rate_limit() {
    let gateway = started(&agent_with(json!({"limits": {"rpm": 1}})));
    claude_answers(&gateway);
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    pass(&gateway, 10);
    let message = "Rate limit of key 'agent' reached: 1 requests per minute (RPM). Try again in 50 s.";
    for request in [chat("gpt-4o"), chat_stream("gpt-4o")] {
        let refused = gateway.send(request);
        assert_eq!(refused.status, 429);
        assert_eq!(
            refused.json(),
            json!({"error": {"type": "requests", "code": "rate_limit_exceeded", "param": null, "message": message}})
        );
        assert_eq!(header(&refused, "content-type"), "application/json");
        assert_eq!(header(&refused, "retry-after"), "50");
        assert_eq!(header(&refused, "x-tollgate-limit"), "key.rpm");
        assert_eq!(
            RATES[..3].iter().map(|name| header(&refused, name)).collect::<Vec<_>>(),
            ["1", "0", "50s"]
        );
        assert!(!refused.headers.has("x-should-retry"), "the SDK may wait that long");
        assert!(refused.headers.has("x-request-id"));
    }
    for stream in [false, true] {
        let refused = gateway.send(messages(stream));
        let id = header(&refused, "request-id");
        assert_eq!(
            refused.json(),
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": message}, "request_id": id})
        );
        assert_eq!(header(&refused, "retry-after"), "50");
        assert_eq!(header(&refused, "anthropic-ratelimit-requests-limit"), "1");
        assert_eq!(header(&refused, "anthropic-ratelimit-requests-remaining"), "0");
        assert_eq!(
            header(&refused, "anthropic-ratelimit-requests-reset"),
            "2026-09-01T12:01:00Z"
        );
        assert!(refused.attempts.is_empty());
    }
}

#[test]
fn each_kind_of_refusal_has_its_own_type_and_code() {
    let cases = [
        (json!({"limits": {"rpm": 1}}), "requests", "rate_limit_exceeded"),
        (json!({"limits": {"tpm": 1}}), "tokens", "rate_limit_exceeded"),
        (
            json!({"budget": {"tokens": 1, "per": "hour"}}),
            "insufficient_quota",
            "budget_exceeded",
        ),
        (
            json!({"budget": {"usd": 0.001, "over": "90m"}}),
            "insufficient_quota",
            "budget_exceeded",
        ),
        (
            json!({"loop_guard": {"requests": {"warn": 2, "slow": 2, "block": 9}}}),
            "requests",
            "runaway_loop",
        ),
    ];
    for (members, kind, code) in cases {
        let gateway = started(&agent_with(members));
        gateway.send(chat("gpt-4o"));
        let refused = gateway.send(chat("gpt-4o"));
        assert_eq!(refused.status, 429, "{kind}");
        let error = &refused.json()["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &json!(code)));
        assert!(!refused.headers.has("x-tollgate-warning"));
    }
}

#[test]
fn every_answer_says_what_is_left_streams_too() {
    let gateway = started(&limits(10, 50_000));
    let outcome = gateway.send(chat("gpt-4o"));
    let [limit, left, reset, tokens, tokens_left, tokens_reset] = rates(&outcome);
    assert_eq!([limit, left, reset], ["10", "9", "1m0s"]);
    assert_eq!((tokens.as_str(), tokens_reset.as_str()), ("50000", "1m0s"));
    let foreseen = 50_000 - tokens_left.parse::<u64>().unwrap();
    assert!((1024..1100).contains(&foreseen), "{foreseen}");
    gateway.answers_now("first", Reply::stream(chat_events(3)));
    pass(&gateway, 20);
    let [limit, left, reset, ..] = rates(&gateway.send(chat_stream("gpt-4o")));
    assert_eq!([limit, left, reset], ["10", "8", "1m0s"]);
    // An error of the provider's is told with them too.
    gateway.answers_now("first", Reply::json(400, "{}"));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.status, header(&outcome, RATES[1])), (400, "7".to_owned()));
    // And where no provider answered at all.
    gateway
        .answers_now("first", Reply::refused())
        .answers_now("second", Reply::refused());
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.status, header(&outcome, RATES[1])), (502, "6".to_owned()));
    pass(&gateway, 60);
    gateway.answers_now("first", chat_reply());
    assert_eq!(header(&gateway.send(chat("gpt-4o")), RATES[1]), "9");
}

#[test]
fn an_anthropic_client_reads_its_own_headers_as_well() {
    let gateway = Gateway::start(&limits(10, 50_000), &ENV);
    claude_answers(&gateway);
    let outcome = gateway.send(messages(false));
    assert_eq!(rates(&outcome)[..2], ["10", "9"]);
    assert_eq!(header(&outcome, "anthropic-ratelimit-requests-limit"), "10");
    assert_eq!(header(&outcome, "anthropic-ratelimit-requests-remaining"), "9");
    assert_eq!(
        header(&outcome, "anthropic-ratelimit-requests-reset"),
        "2026-09-01T12:01:00Z"
    );
    assert_eq!(header(&outcome, "anthropic-ratelimit-tokens-limit"), "50000");
    assert!(!gateway_openai_has(&gateway), "an OpenAI client does not");
}

fn gateway_openai_has(gateway: &Gateway) -> bool {
    gateway.answers("first", chat_reply());
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(outcome.status, 200);
    outcome.headers.iter().any(|(name, _)| name.starts_with("anthropic-"))
}

#[test]
fn the_tightest_of_several_limits_is_told() {
    let mut document = limits(10, 100_000);
    merge(
        &mut document["teams"]["payments"],
        json!({"limits": {"rpm": 100, "tpm": 3_000}}),
    );
    merge(&mut document, json!({"limits": {"rpm": 5}}));
    let gateway = started(&document);
    let [limit, left, _, tokens, ..] = rates(&gateway.send(chat("gpt-4o")));
    assert_eq!([limit, left, tokens], ["5", "4", "3000"]);
}

#[test]
fn a_providers_own_limits_with_us_are_not_the_clients() {
    let theirs = |reply: Reply| {
        let reply = RATES.iter().fold(reply, |reply, name| reply.header(name, "4711"));
        reply.header("anthropic-ratelimit-input-tokens-remaining", "4711")
    };
    for (document, replaced) in [(limits(10, 50_000), true), (document(), false)] {
        let gateway = Gateway::start(&document, &ENV);
        gateway.answers("first", theirs(chat_reply()));
        gateway.answers("first", theirs(Reply::stream(chat_events(2))));
        for request in [chat("gpt-4o"), chat_stream("gpt-4o")] {
            let outcome = gateway.send(request);
            assert_eq!(outcome.status, 200);
            assert_eq!(outcome.headers.mention("4711"), !replaced, "{:?}", outcome.headers);
            for name in RATES {
                assert_eq!(outcome.headers.all(name).len(), 1, "{name}");
            }
        }
    }
}

#[test]
fn nothing_that_only_we_say_comes_from_a_provider() {
    let names = [
        "clamped",
        "downgraded",
        "limit",
        "loop",
        "model",
        "warning",
        "would-deny",
    ];
    let reply = names.iter().fold(chat_reply(), |reply, name| {
        reply.header(&format!("x-tollgate-{name}"), "forged")
    });
    let gateway = gateway();
    gateway.answers("first", reply);
    let outcome = gateway.send(chat("gpt-4o"));
    assert!(!outcome.headers.mention("forged"), "{:?}", outcome.headers);
}

#[test]
fn a_warning_comes_from_the_share_on_that_the_operator_wrote() {
    let gateway = started(&agent_with(json!({"limits": {"rpm": {"limit": 4, "warn_at": 0.5}}})));
    let warnings: Vec<_> = (0..4)
        .map(|_| gateway.send(chat("gpt-4o")).headers.text("x-tollgate-warning"))
        .collect();
    let warned = Some("key.rpm".to_owned());
    assert_eq!(warnings, [None, None, warned.clone(), warned]);
    let labels = [
        ("key", "agent"),
        ("team", "payments"),
        ("model", "gpt-4o"),
        ("rule", "key.rpm"),
    ];
    assert_eq!(gateway.process.metric("tollgate_near_limit_total", &labels), 2);
}

#[test]
fn where_headers_cannot_be_held_the_same_is_told() {
    let mut document = limits(3, 50_000);
    document["hold_headers"] = json!(false);
    let gateway = Gateway::start(&document, &ENV);
    gateway.answers("first.test", chat_reply().header("x-ratelimit-limit-requests", "4711"));
    gateway.answers("first.test", Reply::stream(chat_events(2)));
    gateway.answers("first.test", chat_reply());
    let requests = [chat("gpt-4o"), chat_stream("gpt-4o"), chat("gpt-4o")];
    let told: Vec<_> = requests
        .into_iter()
        .map(|request| gateway.send(request.header(":authority", "first.test")))
        .map(|outcome| (outcome.status, header(&outcome, RATES[0]), header(&outcome, RATES[1])))
        .collect();
    let expected = ["2", "1", "0"].map(|left| (200, "3".to_owned(), left.to_owned()));
    assert_eq!(told, expected);
    let refused = gateway.send(chat("gpt-4o").header(":authority", "first.test"));
    assert_eq!((refused.status, refused_by(&refused).as_str()), (429, "key.rpm"));
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
}

#[test]
fn no_refusal_tells_of_anything_but_the_callers_own_names() {
    let mut document = document();
    for provider in ["first", "second"] {
        merge(&mut document["providers"][provider], json!({"limits": {"rpm": 1}}));
    }
    let gateway = started(&document);
    assert_eq!(
        [gateway.send(chat("gpt-4o")).status, gateway.send(chat("gpt-4o")).status],
        [200, 200]
    );
    let refused = gateway.send(chat("gpt-4o"));
    assert_eq!(refused_by(&refused), "provider.rpm");
    assert_eq!(
        refused.json()["error"]["message"],
        "Rate limit of the provider of model 'gpt-4o' reached: 1 requests per minute (RPM). Try again in 1 min."
    );
    for secret in ["first", "second", "llama", FIRST_CREDENTIAL, AGENT_KEY] {
        assert!(
            !refused.text().contains(secret) && !refused.headers.mention(secret),
            "{secret}"
        );
    }
}
