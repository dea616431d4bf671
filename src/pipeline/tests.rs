//! Whole exchanges, without a host.

use super::*;
use crate::document::Document;
use crate::limit::store::{Census, Clock, Memory};
use crate::metrics::{Metric, Sink};
use crate::record::Bill;
use std::collections::BTreeMap;

mod fares;
mod limits;
mod prefixes;
mod reckoning;

thread_local! {
    static STORE: std::cell::RefCell<Memory> = std::cell::RefCell::default();
}

/// The books of this test's thread.
fn with_books<T>(work: impl FnOnce(&mut Books<'_>) -> T) -> T {
    STORE.with_borrow_mut(|store| {
        let census = Census::default();
        work(&mut Books {
            store,
            clock: Clock {
                wall: T0.seconds(),
                steady: T0.0 / 1_000_000,
            },
            owner: Owner(1),
            census: &census,
        })
    })
}

fn receive(world: &Rc<World>, headers: &Headers, ends: bool, now: Now) -> Receipt {
    with_books(|books| super::receive(world, headers, ends, now, books))
}

trait AskHere {
    fn ask_here(self, body: &[u8]) -> Result<Box<Sent>, Refused>;
}

impl AskHere for Box<Received> {
    fn ask_here(self, body: &[u8]) -> Result<Box<Sent>, Refused> {
        with_books(|books| self.ask(body, books))
    }
}

trait Begins {
    fn begins(&mut self, headers: &Headers) -> Result<Begun, Answer>;
}

impl Begins for Sent {
    fn begins(&mut self, headers: &Headers) -> Result<Begun, Answer> {
        with_books(|books| self.begin(headers, T0, books))
    }
}

/// The head of a reply that goes on at once, or of one that was held and went on as it was.
fn passed(heading: Heading) -> ReplyHead {
    match heading {
        Heading::Passes(head) => head,
        Heading::Held => panic!("it is held"),
    }
}

/// What passes on of a held answer, once it does.
fn on(onward: Onward) -> Vec<u8> {
    match onward {
        Onward::Released(_, bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

const T0: Now = Now(1_790_000_000_000_000_000);
const CHAT: &str = "/v1/chat/completions";

fn world_of(extra: &str) -> Rc<World> {
    let hash = |secret: &str| {
        caller::digest(secret.as_bytes())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    let text = format!(
        r#"{{{extra}
        "providers": {{
            "first":     {{"dialect": "openai", "endpoint": "http://first.test/v1", "credential": {{"env": "FIRST"}}}},
            "second":    {{"dialect": "openai", "endpoint": "https://second.test:8443/api/v1", "credential": {{"env": "SECOND"}}}},
            "anthropic": {{"dialect": "anthropic", "endpoint": "https://anthropic.test", "credential": {{"env": "THIRD"}}}}
        }},
        "models": {{
            "gpt-4o": {{"targets": [{{"provider": "first"}}, {{"provider": "second", "model": "llama"}}], "aliases": ["best"]}},
            "small":  {{"targets": [{{"provider": "second"}}]}},
            "claude": {{"targets": [{{"provider": "anthropic"}}]}}
        }},
        "teams": {{"payments": {{}}}},
        "keys": [
            {{"name": "agent", "sha256": "{agent}", "team": "payments"}},
            {{"name": "limited", "sha256": "{limited}", "models": ["small"]}},
            {{"name": "off", "sha256": "{off}", "disabled": true}},
            {{"name": "old", "sha256": "{old}", "expires": "2020-01-01T00:00:00Z"}}
        ],
        "prices": [
            {{"provider": "first", "model": "gpt-4o", "input": 2.5, "output": 10, "cached_input": 1.25}},
            {{"provider": "second", "model": "llama", "input": 0.1, "output": 0.4}}
        ]}}"#,
        agent = hash("tg-agent"),
        limited = hash("tg-limited"),
        off = hash("tg-off"),
        old = hash("tg-old"),
    );
    let document = Document::parse(&text).unwrap();
    Rc::new(World::compile(&document, &|name| Some(format!("sk-{name}"))).unwrap())
}

fn world() -> Rc<World> {
    world_of("")
}

fn head(method: &str, path: &str, key: &str) -> Headers {
    let bearer = format!("Bearer {key}");
    Headers::from_pairs([
        (":method", method),
        (":path", path),
        (":authority", "gateway.test"),
        ("authorization", &bearer),
        ("content-type", "application/json"),
        ("x-request-id", "r-1"),
    ])
}

fn awaiting(world: &Rc<World>, headers: &Headers) -> Box<Received> {
    match receive(world, headers, false, T0) {
        Receipt::Await(received) => received,
        other => panic!("{other:?}"),
    }
}

fn sent(body: &str) -> Box<Sent> {
    awaiting(&world(), &head("POST", CHAT, "tg-agent"))
        .ask_here(body.as_bytes())
        .unwrap()
}

fn refused(method: &str, path: &str, key: &str, body: Option<&str>) -> (u16, &'static str) {
    let refused = match receive(&world(), &head(method, path, key), body.is_none(), T0) {
        Receipt::Refuse(refused) => refused,
        Receipt::Await(received) => received.ask_here(body.unwrap().as_bytes()).unwrap_err(),
        other => panic!("{other:?}"),
    };
    (refused.answer().status, refused.record(T0).outcome)
}

fn reply(status: &str, content_type: &str) -> Headers {
    Headers::from_pairs([(":status", status), ("content-type", content_type)])
}

/// Sums observations by metric and labels.
#[derive(Default)]
struct Ledger(BTreeMap<String, u64>);

impl Sink for Ledger {
    fn observe(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        *self
            .0
            .entry(format!("{} {}", metric.name, labels.join(" ")))
            .or_default() += value;
    }
}

fn observed(record: &Record<'_>) -> BTreeMap<String, u64> {
    for outcome in record
        .attempts
        .iter()
        .map(|attempt| attempt.outcome)
        .chain([record.outcome])
    {
        assert!(
            metrics::OUTCOMES.iter().any(|(known, _)| *known == outcome),
            "{outcome}"
        );
    }
    let mut ledger = Ledger::default();
    record.observe(&mut ledger);
    ledger.0
}

const ASK: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const STREAM: &str = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}}"#;

#[test]
fn without_a_good_key_nothing_is_served() {
    assert_eq!(
        refused("POST", CHAT, "tg-wrong", Some(ASK)),
        (401, "refused_key_unknown")
    );
    assert_eq!(
        refused("POST", CHAT, "tg-off", Some(ASK)),
        (401, "refused_key_disabled")
    );
    assert_eq!(refused("POST", CHAT, "tg-old", Some(ASK)), (401, "refused_key_expired"));
    assert_eq!(
        refused("GET", "/nothing/here", "tg-wrong", None),
        (401, "refused_key_unknown")
    );
    let headers = Headers::from_pairs([(":method", "POST"), (":path", CHAT)]);
    assert!(matches!(receive(&world(), &headers, false, T0), Receipt::Refuse(r) if r.answer().status == 401));
}

#[test]
fn what_is_asked_wrongly_is_refused_with_its_own_status() {
    assert_eq!(refused("GET", "/elsewhere", "tg-agent", None), (404, "refused_path"));
    assert_eq!(refused("GET", CHAT, "tg-agent", None), (405, "refused_method"));
    assert_eq!(refused("POST", "/v1/models", "tg-agent", None), (405, "refused_method"));
    assert_eq!(refused("POST", CHAT, "tg-agent", None), (400, "refused_body_invalid"));
    assert_eq!(
        refused("POST", CHAT, "tg-agent", Some("{")),
        (400, "refused_body_invalid")
    );
    assert_eq!(
        refused("POST", CHAT, "tg-agent", Some(r#"{"model":"gpt-9"}"#)),
        (404, "refused_model_unknown")
    );
    assert_eq!(
        refused("POST", CHAT, "tg-limited", Some(ASK)),
        (403, "refused_model_forbidden")
    );
    assert_eq!(
        refused("GET", "/v1/files", "tg-limited", None),
        (403, "refused_model_forbidden")
    );
    assert_eq!(
        refused(
            "POST",
            "/v1/responses",
            "tg-agent",
            Some(r#"{"model":"gpt-4o","background":true}"#)
        ),
        (400, "refused_background")
    );
    // What a model means nothing to is no way around the key's list, and a credential for a WebSocket none either.
    let decoy = r#"{"model":"small"}"#;
    assert_eq!(
        refused("POST", "/v1/batches", "tg-limited", Some(decoy)),
        (403, "refused_model_forbidden")
    );
    assert_eq!(
        refused("POST", "/v1/realtime/client_secrets", "tg-agent", Some(decoy)),
        (501, "refused_upgrade")
    );
    // A model that is there, but cannot be asked such a thing.
    assert_eq!(
        refused("POST", "/v1/embeddings", "tg-agent", Some(r#"{"model":"claude"}"#)),
        (404, "refused_model_unknown")
    );
}

#[test]
fn an_upgrade_is_refused_before_any_body() {
    let headers = Headers::from_pairs([
        (":method", "GET"),
        (":path", "/v1/realtime"),
        ("authorization", "Bearer tg-agent"),
        ("upgrade", "websocket"),
    ]);
    let Receipt::Refuse(refused) = receive(&world(), &headers, false, T0) else {
        panic!()
    };
    assert_eq!(refused.answer().status, 501);
}

#[test]
fn a_body_that_is_compressed_foreign_or_too_large_is_refused() {
    let with = |name, value| {
        let headers = Headers::from_pairs([
            (":method", "POST"),
            (":path", CHAT),
            ("authorization", "Bearer tg-agent"),
            (name, value),
        ]);
        match receive(&world(), &headers, false, T0) {
            Receipt::Refuse(refused) => refused.answer().status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with("content-encoding", "gzip"), 415);
    assert_eq!(with("content-type", "text/plain"), 415);
    assert_eq!(with("content-length", "999999999"), 413);
    let small = world_of(r#""max_body_bytes": 1024,"#);
    let received = awaiting(&small, &head("POST", CHAT, "tg-agent"));
    let received = received.grow(1024).unwrap();
    let refused = received.grow(1025).unwrap_err();
    assert_eq!(refused.answer().status, 413);
    assert!(refused.record(T0).in_flight);
}

#[test]
fn the_list_of_models_is_what_the_key_may_use_told_in_its_dialect() {
    let list = |key: &str, extra: (&str, &str), path: &str| {
        let bearer = format!("Bearer {key}");
        let headers = Headers::from_pairs([(":method", "GET"), (":path", path), ("authorization", &bearer), extra]);
        match receive(&world(), &headers, true, T0) {
            Receipt::Answer(answered) => String::from_utf8(answered.answer.body).unwrap(),
            Receipt::Refuse(refused) => refused.answer().status.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let none = ("x-none", "");
    let all = list("tg-agent", none, "/v1/models");
    assert!(
        all.contains(r#""gpt-4o""#) && all.contains(r#""small""#) && all.contains(r#""claude""#),
        "{all}"
    );
    let limited = list("tg-limited", none, "/v1/models");
    assert!(
        !limited.contains("gpt-4o") && limited.contains(r#""small""#),
        "{limited}"
    );
    let anthropic = list("tg-agent", ("anthropic-version", "2023-06-01"), "/v1/models");
    assert!(
        anthropic.contains(r#""claude""#) && anthropic.contains("has_more"),
        "{anthropic}"
    );
    assert!(list("tg-agent", none, "/v1/models/best").contains(r#""id":"best""#));
    assert_eq!(list("tg-limited", none, "/v1/models/gpt-4o"), "404");
}

#[test]
fn each_attempt_goes_out_in_its_own_providers_words() {
    let mut sent = sent(r#"{"model":"best","messages":[]}"#);
    assert_eq!(sent.cluster(), Some("first"));
    let begun = sent.begins(&head("POST", CHAT, "tg-agent")).unwrap();
    assert_eq!(begun.next_cluster.as_deref(), Some("second"));
    assert!(begun.departure.set.contains(&(":path", "/v1/chat/completions".into())));
    assert!(begun.departure.set.contains(&(":authority", "first.test".into())));
    assert!(
        begun
            .departure
            .set
            .contains(&("authorization", "Bearer sk-FIRST".into()))
    );
    assert_eq!(
        sent.translate(br#"{"model":"best","messages":[]}"#).unwrap().unwrap(),
        br#"{"model":"gpt-4o","messages":[]}"#
    );

    let begun = sent.begins(&head("POST", CHAT, "anything")).unwrap();
    assert!(
        begun
            .departure
            .set
            .contains(&(":path", "/api/v1/chat/completions".into()))
    );
    assert!(begun.departure.set.contains(&(":authority", "second.test:8443".into())));
    assert!(
        begun
            .departure
            .set
            .contains(&("authorization", "Bearer sk-SECOND".into()))
    );
    assert_eq!(
        sent.translate(br#"{"model":"best","messages":[]}"#).unwrap().unwrap(),
        br#"{"model":"llama","messages":[]}"#
    );
}

#[test]
fn no_credential_of_the_client_or_of_an_earlier_attempt_is_left() {
    let mut sent = awaiting(&world(), &{
        Headers::from_pairs([
            (":method", "POST"),
            (":path", "/v1/messages"),
            ("x-api-key", "tg-agent"),
            ("content-type", "application/json"),
        ])
    })
    .ask_here(br#"{"model":"claude","max_tokens":9,"messages":[]}"#)
    .unwrap();
    let headers = Headers::from_pairs([
        ("authorization", "Bearer left"),
        ("api-key", "tg-agent"),
        ("x-api-key", "left"),
        ("x-amz-date", "20261125T000000Z"),
        ("x-amz-content-sha256", "00"),
        ("x-amz-security-token", "left"),
    ]);
    let departure = sent.begins(&headers).unwrap().departure;
    let signature = ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
    assert_eq!(
        departure.remove,
        [&["authorization", "api-key"][..], &signature].concat()
    );
    assert!(departure.set.contains(&("x-api-key", "sk-THIRD".into())));
    assert!(departure.set.contains(&("anthropic-version", "2023-06-01".into())));
}

#[test]
fn a_reported_answer_is_priced_exactly() {
    let mut sent = sent(ASK);
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
    assert_eq!(
        on(sent.reply_chunk(ANSWER.as_bytes(), Now(T0.0 + 5_000_000), true)),
        ANSWER.as_bytes()
    );
    assert!(!sent.open());
    let record = sent.record(Ending::ByClient, Now(T0.0 + 7_000_000));
    assert_eq!(
        (record.outcome, record.duration_ms, record.provider),
        ("ok", 7, "first")
    );
    let seen = observed(&record);
    assert_eq!(
        seen["tollgate_requests_total agent payments gpt-4o first chat_completions ok"],
        1
    );
    assert_eq!(
        seen["tollgate_tokens_total agent payments gpt-4o first input reported ok"],
        600
    );
    assert_eq!(
        seen["tollgate_tokens_total agent payments gpt-4o first cached_input reported ok"],
        400
    );
    assert_eq!(
        seen["tollgate_tokens_total agent payments gpt-4o first output reported ok"],
        100
    );
    // 600 × $2.50/M + 400 × $1.25/M + 100 × $10/M = $0.0015 + $0.0005 + $0.001 = $0.003.
    assert_eq!(
        seen["tollgate_cost_nanodollars_total agent payments gpt-4o first reported ok"],
        3_000_000
    );
}

#[test]
fn the_usage_event_that_the_client_did_not_ask_for_is_hidden() {
    let mut sent = sent(STREAM);
    assert!(sent.begins(&Headers::default()).unwrap().translates);
    let body = String::from_utf8(sent.translate(STREAM.as_bytes()).unwrap().unwrap()).unwrap();
    assert!(body.contains(r#""include_usage":true"#), "{body}");
    let _ = sent.reply_head(&reply("200", "text/event-stream; charset=utf-8"), false, T0);
    let delta = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}],\"usage\":null}\n\n";
    assert_eq!(
        on(sent.reply_chunk(delta.as_bytes(), Now(T0.0 + 3_000_000), false)),
        delta.as_bytes()
    );
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\n";
    assert_eq!(
        sent.reply_chunk(usage.as_bytes(), T0, false),
        Onward::Replaced(Vec::new())
    );
    assert_eq!(
        sent.reply_chunk(b"data: [DONE]\n\n", Now(T0.0 + 11_000_000), true),
        Onward::Unchanged
    );
    let record = sent.record(Ending::ByClient, Now(T0.0 + 11_000_000));
    assert_eq!(record.first_token_ms, Some(3));
    assert_eq!(
        record.per_token_us,
        Some(2_000),
        "8 ms over the 4 tokens after the first"
    );
    let Bill::Metered {
        reported, estimated, ..
    } = record.attempts[0].bill
    else {
        panic!()
    };
    assert_eq!((reported.input, reported.output), (10, 5));
    assert!(estimated.is_zero());
}

#[test]
fn a_stream_that_the_client_leaves_is_estimated_and_marked() {
    let mut sent = sent(STREAM);
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("200", "text/event-stream"), false, T0);
    for _ in 0..10 {
        let delta = "data: {\"choices\":[{\"delta\":{\"content\":\"twelve bytes\"}}]}\n\n";
        sent.reply_chunk(delta.as_bytes(), T0, false);
    }
    assert!(sent.open());
    let record = sent.record(Ending::ByClient, T0);
    assert_eq!(record.outcome, "interrupted_by_client");
    let Bill::Metered {
        reported,
        estimated,
        cost,
    } = record.attempts[0].bill
    else {
        panic!()
    };
    assert!(reported.is_zero());
    assert!(estimated.input > 0 && estimated.output > 0);
    let cost = cost.unwrap();
    assert_eq!(cost.reported.0, 0);
    assert_eq!(cost.estimated.0, estimated.input * 2_500 + estimated.output * 10_000);
    assert_eq!(sent.record(Ending::ByProvider, T0).outcome, "interrupted_by_provider");
}

#[test]
fn a_failed_attempt_costs_nothing_and_is_counted() {
    let mut sent = sent(ASK);
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("503", "application/json"), false, T0);
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
    sent.reply_chunk(ANSWER.as_bytes(), T0, true);
    let record = sent.record(Ending::ByClient, T0);
    assert_eq!((record.outcome, record.provider), ("ok", "second"));
    let seen = observed(&record);
    assert_eq!(seen["tollgate_attempts_total gpt-4o first provider_error"], 1);
    assert_eq!(seen["tollgate_attempts_total gpt-4o second ok"], 1);
    // 1000 × $0.10/M + 100 × $0.40/M: "llama" has no cached price, so cached tokens cost as much as others.
    assert_eq!(
        seen["tollgate_cost_nanodollars_total agent payments gpt-4o second reported ok"],
        140_000
    );
    assert!(!seen.keys().any(|key| key.contains("cost") && key.contains("first")));
}

#[test]
fn a_model_without_a_price_is_counted_as_unpriced() {
    let mut sent = awaiting(&world(), &head("POST", CHAT, "tg-agent"))
        .ask_here(br#"{"model":"small"}"#)
        .unwrap();
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
    sent.reply_chunk(ANSWER.as_bytes(), T0, true);
    let record = sent.record(Ending::ByClient, T0);
    assert_eq!(
        observed(&record)["tollgate_unpriced_requests_total agent payments small second"],
        1
    );
}

#[test]
fn our_own_refused_credential_is_not_the_clients_fault() {
    let mut sent = sent(ASK);
    let _ = sent.begins(&Headers::default());
    let _ = sent.begins(&Headers::default());
    let head = sent.reply_head(&reply("401", "application/json"), false, T0);
    assert_eq!(passed(head).status, Some(502));
    let Onward::Replaced(body) = sent.reply_chunk(b"{\"error\":\"wrong key sk-SECOND\"}", T0, false) else {
        panic!()
    };
    assert!(!String::from_utf8(body).unwrap().contains("sk-SECOND"));
    assert_eq!(sent.reply_chunk(b"more", T0, true), Onward::Replaced(Vec::new()));
    assert_eq!(sent.record(Ending::ByClient, T0).outcome, "provider_credential");
}

#[test]
fn an_answer_of_envoys_own_becomes_one_in_the_clients_dialect() {
    let mut sent = sent(ASK);
    let _ = sent.begins(&Headers::default());
    let answer = sent.unanswered(503);
    assert_eq!(answer.status, 502);
    let record = sent.record(Ending::ByClient, T0);
    assert_eq!(record.outcome, "provider_unreachable");
    assert_eq!(record.attempts[0].outcome, "provider_unreachable");
    assert_eq!(record.attempts[0].bill, Bill::Nothing);
}

#[test]
fn a_request_without_a_model_goes_to_the_only_provider_of_its_dialect_or_the_default() {
    let files = |world: &Rc<World>, version: bool| {
        let mut pairs = vec![
            (":method", "GET"),
            (":path", "/v1/files"),
            ("authorization", "Bearer tg-agent"),
        ];
        pairs.extend(version.then_some(("anthropic-version", "2023-06-01")));
        match receive(world, &Headers::from_pairs(pairs), true, T0) {
            Receipt::Send(sent) => sent.cluster().map(str::to_owned),
            Receipt::Refuse(refused) => Some(refused.answer().status.to_string()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(files(&world(), true).as_deref(), Some("anthropic"));
    assert_eq!(
        files(&world(), false).as_deref(),
        Some("404"),
        "two providers and no default"
    );
    assert_eq!(
        files(&world_of(r#""default_provider": "second","#), false).as_deref(),
        Some("second")
    );
}

#[test]
fn where_hosts_choose_only_a_providers_host_is_ours() {
    let world = world_of(r#""hold_headers": false,"#);
    let to = |host: &str, path: &str| {
        let headers = Headers::from_pairs([
            (":method", "POST"),
            (":path", path),
            (":authority", host),
            ("authorization", "Bearer tg-agent"),
            ("content-type", "application/json"),
            ("content-length", "71"),
        ]);
        (receive(&world, &headers, false, T0), headers)
    };
    assert!(matches!(to("example.test", CHAT).0, Receipt::Pass));
    let (Receipt::Await(received), headers) = to("second.test:8443", CHAT) else {
        panic!()
    };
    let departure = received.departs(&headers);
    assert!(departure.set.contains(&("authorization", "Bearer sk-SECOND".into())));
    assert_eq!(departure.remove, ["content-length"]);
    let mut sent = received.ask_here(ASK.as_bytes()).unwrap();
    sent.begin_unseen();
    assert_eq!(
        sent.translate(ASK.as_bytes()).unwrap().unwrap(),
        ASK.replace("gpt-4o", "llama").as_bytes()
    );
    // A model that this host's provider does not serve.
    let (Receipt::Await(received), _) = to("first.test", CHAT) else {
        panic!()
    };
    assert_eq!(
        received.ask_here(br#"{"model":"small"}"#).unwrap_err().answer().status,
        404
    );
}

#[test]
fn an_attempt_in_another_vm_needs_the_handoff_alone() {
    let world = world();
    let sent = awaiting(&world, &head("POST", CHAT, "tg-agent"))
        .ask_here(STREAM.as_bytes())
        .unwrap();
    let place = crate::handoff::Place { vm: 1, exchange: 2 };
    let text = sent.handoff(place).encode();
    let mut foreign = Foreign::new(world, crate::handoff::Handoff::decode(&text).unwrap());
    let begun = foreign.begin(&head("POST", "/left/over", "anything"), "first").unwrap();
    assert!(begun.departure.set.contains(&(":path", "/v1/chat/completions".into())));
    assert_eq!(begun.next_cluster.as_deref(), Some("second"));
    let begun = foreign.begin(&Headers::default(), "second").unwrap();
    assert!(
        begun
            .departure
            .set
            .contains(&("authorization", "Bearer sk-SECOND".into()))
    );
    let body = String::from_utf8(foreign.translate(STREAM.as_bytes()).unwrap().unwrap()).unwrap();
    assert!(
        body.contains(r#""model":"llama""#) && body.contains("include_usage"),
        "{body}"
    );
}

#[test]
fn a_model_in_a_body_that_nobody_reads_opens_no_door() {
    let named = r#"{"model":"small"}"#;
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let headers = head(method, "/v1/files/f-1", "tg-limited");
        for world in [world(), world_of(r#""hold_headers": false,"#)] {
            let host = if world.hold_headers {
                "gateway.test"
            } else {
                "first.test"
            };
            let headers = Headers::from_pairs(
                headers
                    .iter()
                    .map(|(name, value)| (std::str::from_utf8(name).unwrap(), std::str::from_utf8(value).unwrap()))
                    .map(|(name, value)| (name, if name == ":authority" { host } else { value })),
            );
            // Before a byte of the body, because a provider may act on the headers alone.
            assert!(
                matches!(receive(&world, &headers, false, T0), Receipt::Refuse(_)),
                "{method}"
            );
        }
    }
    let headers = head("POST", "/v1/images/generations", "tg-limited");
    assert!(awaiting(&world(), &headers).ask_here(named.as_bytes()).is_ok());
}

#[test]
fn of_two_models_none_is_let_through_unnamed() {
    let world = world_of(r#""default_provider": "first","#);
    let headers = head("POST", "/v1/images/generations", "tg-agent");
    let refused = awaiting(&world, &headers).ask_here(br#"{"model":"small","model":"dear"}"#);
    assert_eq!(refused.unwrap_err().answer().status, 400);
    assert!(awaiting(&world, &headers).ask_here(br#"{"prompt":"x"}"#).is_ok());
}

#[test]
fn a_method_that_would_tell_the_credential_is_refused() {
    for method in ["TRACE", "PURGE", "post"] {
        assert_eq!(
            refused(method, "/v1/files", "tg-agent", None),
            (405, "refused_method"),
            "{method}"
        );
    }
}

#[test]
fn whatever_can_generate_is_billed_and_reading_it_again_is_not() {
    let world = world_of(r#""default_provider": "first","#);
    for (method, tokens) in [("PUT", 1), ("PATCH", 1), ("POST", 1), ("GET", 0), ("DELETE", 0)] {
        let headers = head(method, "/v1/images/generations", "tg-agent");
        let mut sent = awaiting(&world, &headers).ask_here(br#"{"model":"small"}"#).unwrap();
        let _ = sent.begins(&headers);
        let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
        let _ = sent.reply_chunk(ANSWER.as_bytes(), T0, true);
        let record = sent.record(Ending::ByProvider, T0);
        let metered = record
            .attempts
            .iter()
            .filter(|attempt| matches!(attempt.bill, Bill::Metered { .. }));
        assert_eq!(metered.count(), tokens, "{method}");
    }
}

#[test]
fn where_hosts_choose_a_client_steers_no_router_either() {
    let world = world_of(r#""hold_headers": false,"#);
    let headers = Headers::from_pairs([
        (":method", "POST"),
        (":path", CHAT),
        (":authority", "first.test"),
        ("authorization", "Bearer tg-agent"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-retry-on", "5xx"),
    ]);
    let departure = awaiting(&world, &headers).departs(&headers);
    for name in [
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-retry-on",
    ] {
        let times = departure.remove.iter().filter(|removed| **removed == name).count();
        assert_eq!(times, 1, "{name}");
    }
}

#[test]
fn it_is_known_whose_an_answer_is() {
    let begun = || {
        let mut sent = sent(ASK);
        let _ = sent.begins(&Headers::default());
        sent
    };
    // Nobody answered, and Envoy says so.
    assert!(
        matches!(begun().answering(503, true, || false, || Some(1)), Answering::Envoys(answer) if answer.status == 502)
    );
    // The provider role has read the head of a failure that is passed on.
    let mut failed = begun();
    let _ = failed.begins(&Headers::default());
    let _ = failed.reply_head(&reply("500", "application/json"), false, T0);
    assert_eq!(failed.answering(500, true, || true, || Some(2)), Answering::Read);
    // It was to be tried elsewhere, and the host did not.
    let mut failed = begun();
    let head = passed(failed.reply_head(&reply("500", "application/json"), false, T0));
    assert_eq!(head.moves_to.as_deref(), Some("second"));
    assert!(
        matches!(failed.answering(500, true, || true, || Some(1)), Answering::Envoys(answer) if answer.status == 502)
    );
    // It failed, and what comes now is the answer of an attempt in another VM.
    assert_eq!(failed.answering(200, true, || true, || Some(2)), Answering::Unread);
    assert_eq!(failed.record(Ending::ByProvider, T0).attempts.len(), 2);
    // Without a provider role, every answer is read here.
    let mut unheld = sent(ASK);
    unheld.begin_unseen();
    assert_eq!(unheld.answering(200, false, || true, || Some(1)), Answering::Unread);
    assert_eq!(unheld.record(Ending::ByProvider, T0).attempts.len(), 1);
}

#[test]
fn an_attempt_is_dressed_for_the_provider_that_the_host_has_chosen() {
    let headers = head("POST", CHAT, "tg-agent");
    let dressed = |sent: &mut Sent| {
        let set = sent.begins(&headers).unwrap().departure.set;
        let shown = set.into_iter().find(|(name, _)| *name == "authorization");
        shown.unwrap().1
    };
    let mut sent = sent(ASK);
    assert_eq!(sent.order(), "first,second");
    assert!(sent.attempt_at("second"));
    assert_eq!(dressed(&mut sent), "Bearer sk-SECOND");
    assert!(sent.attempt_at("first"));
    assert_eq!(dressed(&mut sent), "Bearer sk-FIRST");
    // Again, where it has been before.
    assert!(sent.attempt_at("second"));
    assert_eq!(dressed(&mut sent), "Bearer sk-SECOND");
    assert!(!sent.attempt_at("anthropic"));
    assert!(!sent.attempt_at(""));
}

#[test]
fn an_attempt_is_dressed_for_its_own_provider_although_another_vm_saw_those_before() {
    let headers = head("POST", CHAT, "tg-agent");
    let mut sent = sent(ASK);
    sent.attempt_is(2);
    let begun = sent.begins(&headers).unwrap();
    assert!(
        begun
            .departure
            .set
            .contains(&("authorization", "Bearer sk-SECOND".to_owned()))
    );
    let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
    let unasked = || unreachable!("the host is asked only where it matters");
    assert_eq!(sent.answering(200, true, || true, unasked), Answering::Read);
    let _ = sent.reply_chunk(ANSWER.as_bytes(), T0, true);
    let record = sent.record(Ending::ByProvider, T0);
    assert_eq!((record.provider, record.attempts.len()), ("second", 2));
    assert_eq!(record.attempts.first().unwrap().bill, Bill::Nothing);

    let place = crate::handoff::Place { vm: 1, exchange: 1 };
    let mut foreign = Foreign::new(world(), super::tests::sent(ASK).handoff(place));
    foreign.attempt_is(2);
    let begun = foreign.begin(&headers, "second").unwrap();
    assert!(
        begun
            .departure
            .set
            .contains(&("authorization", "Bearer sk-SECOND".to_owned()))
    );
    assert_eq!(begun.next_cluster, None);
    // Wherever it is, it gets what belongs there.
    foreign.attempt_is(2);
    let begun = foreign.begin(&headers, "first").unwrap();
    let credential = ("authorization", "Bearer sk-FIRST".to_owned());
    assert!(begun.departure.set.contains(&credential));
    assert!(foreign.begin(&headers, "anthropic").is_none());
}
