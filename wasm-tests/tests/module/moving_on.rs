//! Why a request moves on and why not, how far, and what becomes of an answer that is held until it is known to be one.

use std::time::Duration;

use serde_json::{Value, json};
use wasm_tests::{End, Gateway, Headers, Outcome, Reply, Request};

use crate::fixture::*;

const DAY: &str = "key.budget.day";
const THIRD_CREDENTIAL: &str = "sk-third-credential-of-the-gateway";

/// `gpt-4o` at `first`, `second` and `third`, for a key with a budget, so that something is set aside for each request.
fn document_of_three() -> Value {
    let mut document = agent_with(json!({"budget": {"usd": 1_000, "per": "day"}}));
    document["providers"]["third"] =
        json!({"dialect": "openai", "endpoint": "https://third.test/v1", "credential": {"env": "THIRD"}});
    document["models"]["gpt-4o"]["targets"] = json!([
        {"provider": "first"},
        {"provider": "second", "model": "llama-3.3-70b"},
        {"provider": "third", "model": "gpt-4o-third"}
    ]);
    document
}

fn start(document: &Value) -> Gateway {
    let env: Vec<_> = ENV.into_iter().chain([("THIRD", THIRD_CREDENTIAL)]).collect();
    Gateway::start(document, &env)
}

/// A proxy whose first provider answers so, and whose others serve.
fn failing(document: &Value, reply: Reply) -> Gateway {
    let gateway = start(document);
    gateway.answers("first", reply);
    for provider in ["second", "third"] {
        gateway.answers(provider, chat_reply());
    }
    gateway
}

fn clusters(outcome: &Outcome) -> Vec<&str> {
    let attempts = outcome.attempts.iter();
    attempts.map(|attempt| attempt.cluster.as_str()).collect()
}

/// Every move: from, to and why.
fn moves(gateway: &Gateway) -> Vec<(String, String, String, u64)> {
    let series = gateway.process.series().into_iter();
    let moves = series.filter(|series| series.name == "tollgate_failovers_total");
    let label = |series: &wasm_tests::Series, name| series.label(name).unwrap().to_owned();
    let mut moves: Vec<_> = moves
        .map(|series| {
            (
                label(&series, "from"),
                label(&series, "to"),
                label(&series, "reason"),
                series.value,
            )
        })
        .collect();
    moves.sort();
    moves
}

fn moved(from: &str, to: &str, reason: &str) -> (String, String, String, u64) {
    (from.to_owned(), to.to_owned(), reason.to_owned(), 1)
}

/// That many requests were recorded, nothing is under way, and nothing is set aside. This looks, and is recorded itself.
fn settled(gateway: &Gateway, requests: u64) {
    assert_eq!(recorded(gateway), (requests, 0));
    assert_eq!(amount(gateway, DAY, "set_aside"), 0);
    let cost = gateway.process.metric("tollgate_cost_nanodollars_total", &[]);
    assert_eq!(amount(gateway, DAY, "used"), cost, "what is spent is what is counted");
    let errors = gateway.process.metric("tollgate_internal_errors_total", &[]);
    assert_eq!(errors, 0);
}

fn error(code: &str) -> String {
    json!({"error": {"message": "It is as it is.", "type": "invalid_request_error", "param": null, "code": code}})
        .to_string()
}

fn stream_error() -> String {
    format!(
        "data: {}\n\n",
        json!({"error": {"message": "Overloaded.", "type": "server_error", "code": null}})
    )
}

/// A model of three, each larger than the one before it, and content filters that may differ.
fn tolerant() -> Value {
    let mut document = document_of_three();
    for (index, context) in [(0, 8_000), (1, 8_000), (2, 100_000)] {
        document["models"]["gpt-4o"]["targets"][index]["context"] = json!(context);
    }
    document["models"]["gpt-4o"]["failover"] = json!({"content_filter": true, "answer_timeout": "1m"});
    document
}

#[test]
fn each_reason_has_its_name_and_the_client_sees_none_of_it() {
    let cut = || chat_reply().in_pieces_of(60).cut_after(2);
    let cases = [
        ("connect", "second", Reply::refused()),
        ("connect", "second", Reply::reset()),
        ("interrupted", "second", cut()),
        ("timeout", "second", Reply::silence()),
        (
            "rate_limited",
            "second",
            Reply::json(429, error("rate_limit_exceeded")).header("retry-after", "7"),
        ),
        ("exhausted", "second", Reply::json(402, error("billing"))),
        (
            "server_error",
            "second",
            Reply::json(503, "<html>").header("retry-after", "7"),
        ),
        ("server_error", "second", Reply::json(500, "{}")),
        ("server_error", "second", Reply::status(529)),
        ("server_error", "second", Reply::json(408, "{}")),
        (
            "error_in_answer",
            "second",
            Reply::json(200, json!({"error": {"message": "Internal.", "code": 500}}).to_string()),
        ),
        ("credential", "second", Reply::json(401, error("invalid_api_key"))),
        ("credential", "second", Reply::json(403, "{}")),
        ("not_found", "second", Reply::json(404, error("model_not_found"))),
        (
            "context_window",
            "third",
            Reply::json(400, error("context_length_exceeded")),
        ),
        ("content_filter", "second", Reply::json(400, error("content_filter"))),
    ];
    for (index, (reason, to, reply)) in cases.into_iter().enumerate() {
        for pieces in [10_000, 3] {
            let what = format!("case {index}, {reason}, in pieces of {pieces}");
            let body = matches!(
                reason,
                "not_found" | "context_window" | "content_filter" | "error_in_answer"
            );
            let reply = if body {
                reply.clone().in_pieces_of(pieces)
            } else {
                reply.clone()
            };
            let gateway = failing(&tolerant(), reply);
            let outcome = gateway.send(chat("gpt-4o"));
            assert_eq!(
                (outcome.end, outcome.status),
                (End::Complete, 200),
                "{what}: {}",
                outcome.text()
            );
            assert_eq!(outcome.text(), chat_answer(), "{what}");
            assert_eq!(clusters(&outcome), ["first", to], "{what}");
            assert_eq!(moves(&gateway), [moved("first", to, reason)], "{what}");
            let told = |name| outcome.headers.text(name);
            assert_eq!(told("x-tollgate-provider").as_deref(), Some(to), "{what}");
            assert_eq!(told("x-tollgate-attempts").as_deref(), Some("2"), "{what}");
            assert_eq!(told("x-tollgate-model").as_deref(), Some("gpt-4o"), "{what}");
            for header in ["retry-after", "x-tollgate-retry"] {
                assert_eq!(told(header), None, "{what}");
            }
            settled(&gateway, 1);
        }
    }
}

#[test]
fn a_stream_moves_on_until_its_first_token() {
    let beginning = || chat_events(5).into_iter().take(1);
    let cases = [
        ("timeout", Reply::silence()),
        ("interrupted", Reply::stream(beginning()).cut_after(0)),
        ("interrupted", Reply::stream(beginning()).cut_after(1)),
        (
            "timeout",
            Reply::stream(beginning()).each_after(Duration::from_secs(100)),
        ),
        ("error_in_answer", Reply::stream([stream_error()])),
        ("error_in_answer", Reply::stream(beginning().chain([stream_error()]))),
        ("error_in_answer", Reply::stream(beginning())),
        ("rate_limited", Reply::json(429, "{}")),
        ("server_error", Reply::json(500, "{}")),
    ];
    let expected: String = chat_events(5)
        .into_iter()
        .filter(|event| *event != usage_event())
        .collect();
    for (index, (reason, reply)) in cases.into_iter().enumerate() {
        let gateway = failing(&document_of_three(), reply);
        gateway.answers_now("second", Reply::stream(chat_events(5)));
        let outcome = gateway.send(chat_stream("gpt-4o"));
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, 200),
            "case {index}: {}",
            outcome.text()
        );
        assert_eq!(outcome.text(), expected, "case {index}");
        assert_eq!(moves(&gateway), [moved("first", "second", reason)], "case {index}");
        assert_eq!(
            outcome.headers.text("x-tollgate-provider").unwrap(),
            "second",
            "case {index}"
        );
        settled(&gateway, 1);
    }
}

#[test]
fn nothing_moves_on_because_of_what_the_client_did_wrong() {
    for status in [400, 413, 422] {
        for pieces in [10_000, 5] {
            let body = error("unknown_parameter");
            let gateway = failing(&document_of_three(), Reply::json(status, &body).in_pieces_of(pieces));
            let outcome = gateway.send(chat("gpt-4o"));
            assert_eq!(
                (outcome.end, outcome.status, outcome.text()),
                (End::Complete, status, body)
            );
            assert_eq!(clusters(&outcome), ["first"], "{status}");
            assert_eq!(moves(&gateway), [], "{status}");
            settled(&gateway, 1);
        }
    }
    // Where no target is larger, and where the operator did not say so.
    for code in ["context_length_exceeded", "content_filter"] {
        let gateway = failing(&document_of_three(), Reply::json(400, error(code)));
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!((outcome.status, outcome.text()), (400, error(code)));
        assert_eq!(clusters(&outcome), ["first"], "{code}");
        settled(&gateway, 1);
    }
}

#[test]
fn another_credential_is_tried_before_another_provider() {
    let mut document = document_of_three();
    let first = document["providers"]["first"].as_object_mut().unwrap();
    first.remove("credential");
    first.insert("credentials".to_owned(), json!([{"env": "FIRST"}, {"env": "THIRD"}]));
    let shown = |outcome: &Outcome| -> Vec<String> {
        let headers = outcome.attempts.iter().map(|attempt| attempt.headers.clone().unwrap());
        headers.map(|headers| headers.text("authorization").unwrap()).collect()
    };
    let bearer = |credentials: &[&str]| -> Vec<String> {
        credentials
            .iter()
            .map(|credential| format!("Bearer {credential}"))
            .collect()
    };
    let gateway = failing(&document, Reply::json(429, "{}").header("retry-after", "30"));
    gateway.answers("first", chat_reply());
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.status, clusters(&outcome)), (200, vec!["first", "first"]));
    assert_eq!(shown(&outcome), bearer(&[FIRST_CREDENTIAL, THIRD_CREDENTIAL]));
    assert_eq!(moves(&gateway), [moved("first", "first", "rate_limited")]);
    // For as long as it says, the first is left alone.
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(shown(&outcome), bearer(&[THIRD_CREDENTIAL]));
    settled(&gateway, 2);

    let gateway = failing(&document, Reply::json(429, "{}"));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.status, clusters(&outcome)),
        (200, vec!["first", "first", "second"])
    );
    assert_eq!(
        shown(&outcome),
        bearer(&[FIRST_CREDENTIAL, THIRD_CREDENTIAL, SECOND_CREDENTIAL])
    );
    // Another credential does not help where the provider itself fails.
    let gateway = failing(&document, Reply::json(500, "{}"));
    assert_eq!(clusters(&gateway.send(chat("gpt-4o"))), ["first", "second"]);
}

#[test]
fn a_refusal_of_the_last_is_told_in_our_words() {
    let cases = [
        (
            Reply::json(429, r#"{"error":{"message":"org-secret is over its limit"}}"#).header("retry-after", "7"),
            429,
            Some("7"),
        ),
        (
            Reply::json(401, r#"{"error":{"message":"org-secret: bad key sk-f***"}}"#)
                .header("www-authenticate", "org-secret"),
            502,
            None,
        ),
        (
            Reply::json(403, r#"{"error":{"message":"org-secret may not"}}"#),
            502,
            None,
        ),
        (
            Reply::json(402, r#"{"error":{"message":"org-secret has no money"}}"#),
            503,
            Some("1"),
        ),
    ];
    for (reply, status, retry_after) in cases {
        let gateway = failing(&document_of_three(), reply.clone());
        gateway.answers_now("second", reply.clone()).answers_now("third", reply);
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!(clusters(&outcome), ["first", "second", "third"]);
        assert_eq!(outcome.headers.text("retry-after").as_deref(), retry_after, "{status}");
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, status),
            "{}",
            outcome.text()
        );
        assert!(outcome.json()["error"]["message"].is_string());
        assert!(!outcome.text().contains("org-secret") && !outcome.headers.mention("org-secret"));
        assert_eq!(outcome.headers.text("x-tollgate-attempts").unwrap(), "3");
        assert!(!outcome.headers.has("x-tollgate-retry"));
        settled(&gateway, 1);
    }
}

#[test]
fn attempts_are_bounded_in_number_and_in_time() {
    let mut document = document_of_three();
    for (failover, tried) in [
        (json!({}), vec!["first", "second", "third"]),
        (json!({"attempts": 2}), vec!["first", "second"]),
        (json!({"attempts": 1}), vec!["first"]),
        (json!({"total": "5s"}), vec!["first", "second"]),
        (json!({"total": "1s"}), vec!["first"]),
    ] {
        document["models"]["gpt-4o"]["failover"] = failover.clone();
        let gateway = start(&document);
        let answer = r#"{"error":{"message":"overloaded","type":"server_error"}}"#;
        for provider in ["first", "second", "third"] {
            // Two seconds for a head, and two more for what follows.
            gateway.answers(provider, Reply::json(503, answer).each_after(Duration::from_secs(3)));
        }
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!(clusters(&outcome), tried, "{failover}");
        assert_eq!(
            (outcome.end, outcome.status, outcome.text().as_str()),
            (End::Complete, 503, answer),
            "{failover}"
        );
        assert_eq!(
            outcome.headers.text("x-tollgate-attempts").unwrap(),
            tried.len().to_string()
        );
        assert_eq!(moves(&gateway).len(), tried.len() - 1, "{failover}");
        settled(&gateway, 1);
    }
}

#[test]
fn silence_is_waited_for_as_long_as_the_document_says() {
    let mut document = document_of_three();
    document["models"]["gpt-4o"]["failover"] = json!({"first_token_timeout": "2s", "answer_timeout": "20s"});
    for (request, seconds) in [(chat_stream("gpt-4o"), 2), (chat("gpt-4o"), 20)] {
        let gateway = failing(&document, Reply::silence());
        let before = gateway.process.now();
        assert_eq!(gateway.send(request.clone()).status, 200);
        assert_eq!(gateway.process.now() - before, seconds * 1_000_000_000);
        for provider in ["second", "third"] {
            gateway.answers_now(provider, Reply::silence());
        }
        // All of them: the client is told.
        let outcome = gateway.send(request);
        assert_eq!(
            (outcome.end, outcome.status, outcome.attempts.len()),
            (End::Complete, 504, 3)
        );
        assert!(!outcome.text().contains("Envoy"), "{}", outcome.text());
        settled(&gateway, 2);
    }
}

#[test]
fn a_held_stream_is_let_go_at_its_first_token() {
    let gateway = failing(&document_of_three(), Reply::stream(chat_events(5)));
    let mut exchange = gateway.begin(chat_stream("gpt-4o"));
    // Headers, body, head, the event that only says whose turn it is.
    for _ in 0..4 {
        assert!(exchange.step());
        assert_eq!(exchange.received(), b"");
    }
    for token in 1..=5 {
        assert!(exchange.step());
        assert_eq!(
            String::from_utf8_lossy(exchange.received()),
            chat_events(5)[..=token].concat()
        );
    }
    let outcome = exchange.run();
    assert_eq!((outcome.end, clusters(&outcome)), (End::Complete, vec!["first"]));
    assert_eq!(outcome.headers.text("x-tollgate-attempts").unwrap(), "1");
    settled(&gateway, 1);
    // A target that is the only one left is not waited for.
    let gateway = start(&document());
    gateway.answers("second", Reply::stream(chat_events(5)));
    let mut exchange = gateway.begin(chat_stream("gpt-4o-mini"));
    for _ in 0..4 {
        exchange.step();
    }
    assert_eq!(String::from_utf8_lossy(exchange.received()), chat_events(5)[0]);
}

#[test]
fn a_stream_is_the_same_held_or_not_however_it_is_cut() {
    let stream = chat_events(1).concat();
    let expected: String = chat_events(1)
        .into_iter()
        .filter(|event| *event != usage_event())
        .collect();
    let gateway = failing(&document_of_three(), Reply::silence());
    for cut in 1..stream.len() {
        let (head, tail) = stream.as_bytes().split_at(cut);
        gateway.answers_now("first", Reply::stream([head, tail]));
        let outcome = gateway.send(chat_stream("gpt-4o"));
        assert_eq!(outcome.text(), expected, "cut at {cut}");
        assert_eq!(outcome.attempts.len(), 1, "cut at {cut}");
    }
    settled(&gateway, stream.len() as u64 - 1);
}

#[test]
fn trailers_end_a_held_answer_as_a_last_chunk_would() {
    let trailers = || Headers::from([("x-trailer", "1")]);
    let whole = failing(&document_of_three(), chat_reply().trailers(trailers()));
    let outcome = whole.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.end, outcome.status, outcome.text()),
        (End::Complete, 200, chat_answer())
    );
    assert_eq!(
        whole
            .process
            .metric("tollgate_cost_nanodollars_total", &[("provider", "first")]),
        CHAT_COST
    );
    settled(&whole, 1);

    for (reason, reply) in [
        ("not_found", Reply::json(404, error("model_not_found"))),
        (
            "error_in_answer",
            Reply::json(200, json!({"error": {"message": "Internal."}}).to_string()),
        ),
        ("error_in_answer", Reply::stream([stream_error()])),
    ] {
        let gateway = failing(&document_of_three(), reply.trailers(trailers()));
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!(
            (outcome.end, outcome.status, outcome.text()),
            (End::Complete, 200, chat_answer()),
            "{reason}"
        );
        assert_eq!(moves(&gateway), [moved("first", "second", reason)]);
        settled(&gateway, 1);
    }
    let unchanged = failing(
        &document_of_three(),
        Reply::json(400, error("bad")).trailers(trailers()),
    );
    let outcome = unchanged.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.end, outcome.status, outcome.text()),
        (End::Complete, 400, error("bad"))
    );
}

#[test]
fn a_large_answer_is_not_held_for_longer_than_its_beginning() {
    let mut answer: Value = serde_json::from_str(&chat_answer()).unwrap();
    answer["choices"][0]["message"]["content"] = json!("word ".repeat(20_000));
    let answer = answer.to_string();
    let gateway = failing(&document_of_three(), Reply::json(200, &answer).in_pieces_of(4_000));
    let mut exchange = gateway.begin(chat("gpt-4o"));
    // Headers, body, head, and 16 000 bytes.
    for _ in 0..7 {
        exchange.step();
    }
    assert_eq!(exchange.received(), b"");
    exchange.step();
    assert_eq!(exchange.received().len(), 20_000);
    let outcome = exchange.run();
    assert_eq!((outcome.end, outcome.text() == answer), (End::Complete, true));
    settled(&gateway, 1);
}

#[test]
fn a_client_may_leave_at_any_moment() {
    let replies = [
        Reply::stream(chat_events(2)),
        Reply::json(503, "{}"),
        Reply::json(404, error("model_not_found")).in_pieces_of(40),
        Reply::stream([stream_error()]),
        Reply::silence(),
    ];
    for (index, reply) in replies.into_iter().enumerate() {
        for moment in 1.. {
            let gateway = failing(&document_of_three(), reply.clone());
            gateway.answers_now("second", Reply::stream(chat_events(2)));
            let outcome = gateway.send_and_hang_up(chat_stream("gpt-4o"), moment);
            let attempts = gateway.process.metric("tollgate_attempts_total", &[]);
            assert_eq!(attempts, outcome.attempts.len() as u64, "case {index}, {moment} events");
            settled(&gateway, 1);
            if outcome.end != End::HungUp {
                break;
            }
        }
    }
}

#[test]
fn what_was_begun_and_given_up_is_billed_by_itself() {
    let begun = Reply::stream(chat_events(2).into_iter().take(1).chain([stream_error()]));
    let gateway = failing(&document_of_three(), begun);
    gateway.answers_now("second", Reply::stream(chat_events(5)));
    assert_eq!(gateway.send(chat_stream("gpt-4o")).status, 200);
    let cost = |labels| gateway.process.metric("tollgate_cost_nanodollars_total", labels);
    assert_eq!(cost(&[("provider", "second"), ("outcome", "ok")]), 180_000);
    assert_eq!(cost(&[("outcome", "ok")]), 180_000);
    assert_eq!(cost(&[("provider", "first")]), 0, "an error alone is not paid for");
    settled(&gateway, 1);

    // Whether a provider that began and broke off bills what it read is not known; that it does is assumed.
    let gateway = failing(&document_of_three(), Reply::stream(chat_events(2)).cut_after(1));
    gateway.answers_now("second", Reply::stream(chat_events(5)));
    assert_eq!(gateway.send(chat_stream("gpt-4o")).status, 200);
    let cost = |labels| gateway.process.metric("tollgate_cost_nanodollars_total", labels);
    assert!(cost(&[("provider", "first"), ("source", "estimated")]) > 0);
    assert_eq!(cost(&[("provider", "first"), ("outcome", "ok")]), 0);
    assert_eq!(cost(&[("provider", "second")]), 180_000);
    settled(&gateway, 1);
}

#[test]
fn an_attempt_in_a_newer_vm_is_shown_the_credential_of_its_own_cluster() {
    for renewed_after in 1..=4 {
        let gateway = failing(&document_of_three(), Reply::json(503, "{}"));
        gateway.answers_now("second", Reply::json(429, "{}"));
        let mut exchange = gateway.begin(chat("gpt-4o"));
        while exchange.events() < renewed_after {
            assert!(exchange.step());
        }
        gateway.worker.renew_vm();
        assert!(gateway.configure(&document_of_three()));
        let outcome = exchange.run();
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, 200),
            "{renewed_after}: {}",
            outcome.text()
        );
        assert_eq!(outcome.text(), chat_answer(), "{renewed_after}");
        assert_eq!(clusters(&outcome), ["first", "second", "third"], "{renewed_after}");
        for (attempt, credential) in
            outcome
                .attempts
                .iter()
                .zip([FIRST_CREDENTIAL, SECOND_CREDENTIAL, THIRD_CREDENTIAL])
        {
            let headers = attempt.headers.as_ref().unwrap();
            assert_eq!(
                headers.text("authorization").unwrap(),
                format!("Bearer {credential}"),
                "{renewed_after}"
            );
        }
        assert!(!outcome.headers.has("x-tollgate-retry"), "{renewed_after}");
        assert_eq!(
            outcome.headers.text("x-tollgate-provider").unwrap(),
            "third",
            "{renewed_after}"
        );
        assert_eq!(recorded(&gateway), (1, 0), "{renewed_after}");
    }
}

#[test]
fn an_answer_of_a_newer_vm_is_what_it_is_where_only_its_body_says_what_is_wrong() {
    // The gateway role reads it, behind the router: another attempt cannot be begun from there.
    let replies = [
        Reply::json(404, error("model_not_found")),
        Reply::json(
            200,
            json!({"error": {"message": "Internal.", "type": "server_error"}}).to_string(),
        ),
        Reply::json(400, error("context_length_exceeded")),
    ];
    for reply in replies {
        let gateway = failing(&tolerant(), reply.clone().in_pieces_of(9));
        let mut exchange = gateway.begin(chat("gpt-4o"));
        assert!(exchange.step());
        gateway.worker.renew_vm();
        assert!(gateway.configure(&tolerant()));
        let outcome = exchange.run();
        assert_eq!((outcome.end, clusters(&outcome)), (End::Complete, vec!["first"]));
        assert!(!outcome.headers.has("x-tollgate-retry"), "{:?}", outcome.headers);
        assert!(outcome.json()["error"]["message"].is_string(), "{}", outcome.text());
        assert_eq!(moves(&gateway), []);
        assert_eq!(recorded(&gateway), (1, 0));
    }
}

#[test]
fn an_answer_without_a_body_is_told_in_our_words_all_the_same() {
    for status in [401, 402, 403, 429] {
        let gateway = start(&document());
        gateway.answers("second", Reply::status(status));
        let outcome = gateway.send(chat("gpt-4o-mini"));
        assert_eq!(outcome.end, End::Complete);
        assert!(
            outcome.json()["error"]["message"].is_string(),
            "{status}: {}",
            outcome.text()
        );
        assert_eq!(outcome.headers.text("x-tollgate-provider").unwrap(), "second");
        assert_eq!(recorded(&gateway), (1, 0));
    }
}

#[test]
fn a_newer_configuration_that_does_not_know_the_provider_sends_it_nothing() {
    let gateway = failing(&document_of_three(), Reply::json(503, "{}"));
    let mut exchange = gateway.begin(chat("gpt-4o"));
    exchange.step();
    exchange.step();
    let mut smaller = document_of_three();
    smaller["providers"].as_object_mut().unwrap().remove("second");
    smaller["models"] = json!({"gpt-4o": {"targets": [{"provider": "first"}]}});
    smaller["prices"] = json!([]);
    gateway.worker.renew_vm();
    assert!(gateway.configure(&smaller));
    let outcome = exchange.run();
    assert_eq!(
        (outcome.end, outcome.status),
        (End::Complete, 500),
        "{}",
        outcome.text()
    );
    assert!(outcome.attempts[1].headers.is_none());
    assert_eq!(recorded(&gateway), (1, 0));
}

#[test]
fn requests_that_hold_no_conversation_move_on_by_status() {
    let mut document = document_of_three();
    document["models"]["embed"] = json!({"targets": [{"provider": "first"}, {"provider": "second"}]});
    let gateway = start(&document);
    let answer = json!({"object": "list", "data": [], "usage": {"prompt_tokens": 3, "total_tokens": 3}}).to_string();
    gateway
        .answers("first", Reply::json(500, "{}"))
        .answers("second", Reply::json(200, &answer));
    let request = Request::post("/v1/embeddings")
        .bearer(AGENT_KEY)
        .json(json!({"model": "embed", "input": "x"}).to_string());
    let outcome = gateway.send(request);
    assert_eq!((outcome.status, outcome.text()), (200, answer));
    assert_eq!(clusters(&outcome), ["first", "second"]);
}
