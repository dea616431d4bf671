//! From one provider to the next: what makes an attempt another's turn, and what each of them is shown.

use wasm_tests::{End, Gateway, Headers, Reply, Request};

use crate::fixture::*;

fn clusters(outcome: &wasm_tests::Outcome) -> Vec<&str> {
    outcome
        .attempts
        .iter()
        .map(|attempt| attempt.cluster.as_str())
        .collect()
}

fn attempts(gateway: &Gateway, provider: &str) -> Vec<(String, u64)> {
    gateway
        .process
        .series()
        .into_iter()
        .filter(|series| series.name == "tollgate_attempts_total" && series.label("provider") == Some(provider))
        .map(|series| (series.label("outcome").unwrap().to_owned(), series.value))
        .collect()
}

#[test]
fn whatever_fails_at_the_first_provider_is_answered_by_the_second() {
    let failures = [
        ("provider_unreachable", Reply::refused()),
        ("provider_unreachable", Reply::reset()),
        ("provider_error", Reply::json(500, "{}")),
        ("provider_error", Reply::json(503, "{}").header("retry-after", "9")),
        ("provider_error", Reply::status(529)),
        ("provider_error", Reply::json(408, "{}")),
        ("provider_rate_limited", Reply::json(429, "{}")),
        ("provider_credential", Reply::json(401, "{}")),
        ("provider_credential", Reply::json(403, "{}")),
    ];
    for (index, (failure, reply)) in failures.into_iter().enumerate() {
        let gateway = gateway();
        gateway.answers("first", reply);
        gateway.answers("second", chat_reply());
        let outcome = gateway.send(chat("best"));
        assert_eq!(
            (outcome.end, outcome.status, outcome.text()),
            (End::Complete, 200, chat_answer()),
            "failure {index}"
        );
        assert_eq!(clusters(&outcome), ["first", "second"], "failure {index}");
        assert_eq!(
            attempts(&gateway, "first"),
            [(failure.to_owned(), 1)],
            "failure {index}"
        );
        assert_eq!(attempts(&gateway, "second"), [("ok".to_owned(), 1)]);
        // 1000 × 100 + 200 × 400 nanodollars: the second provider's price, and no price for what is cached.
        assert_eq!(
            gateway
                .process
                .metric("tollgate_cost_nanodollars_total", &[("provider", "second")]),
            180_000
        );
        assert_eq!(
            gateway
                .process
                .metric("tollgate_cost_nanodollars_total", &[("provider", "first")]),
            0
        );
        assert_eq!(recorded(&gateway), (1, 0));
        for header in ["retry-after", "x-tollgate-retry"] {
            assert!(!outcome.headers.has(header), "failure {index} left {header}");
        }
    }
}

#[test]
fn each_provider_is_shown_its_own_credential_path_and_model() {
    let gateway = gateway();
    gateway.answers("first", Reply::json(500, "{}"));
    gateway.answers("second", chat_reply());
    let outcome = gateway.send(chat("best"));
    let [first, second] = outcome.attempts.as_slice() else {
        panic!("{outcome:?}")
    };
    assert_eq!(String::from_utf8_lossy(&first.body), chat_body("gpt-4o", false));
    assert_eq!(String::from_utf8_lossy(&second.body), chat_body("llama-3.3-70b", false));
    let shown = |headers: &Option<Headers>| {
        let headers = headers.clone().unwrap();
        [":authority", ":path", "authorization"].map(|name| headers.text(name).unwrap())
    };
    let first_credential = format!("Bearer {FIRST_CREDENTIAL}");
    assert_eq!(
        shown(&first.headers),
        ["first.test", "/v1/chat/completions", &first_credential]
    );
    let second_credential = format!("Bearer {SECOND_CREDENTIAL}");
    assert_eq!(
        shown(&second.headers),
        ["second.test:8080", "/openai/v1/chat/completions", &second_credential]
    );
}

#[test]
fn when_all_fail_the_client_gets_the_last_answer_or_one_in_its_own_words() {
    let gateway = gateway();
    let last = r#"{"error":{"message":"overloaded","type":"server_error"}}"#;
    gateway.answers("first", Reply::refused());
    gateway.answers("second", Reply::json(503, last).header("retry-after", "9"));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.status, outcome.text().as_str(), clusters(&outcome)),
        (503, last, vec!["first", "second"])
    );
    assert_eq!(outcome.headers.text("retry-after").unwrap(), "9");

    gateway.answers_now("second", Reply::refused());
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.end, outcome.status, clusters(&outcome)),
        (End::Complete, 502, vec!["first", "second"])
    );
    assert!(outcome.json()["error"]["message"].is_string());
    assert_eq!(outcome.json()["error"]["type"], "server_error");
    for word in ["first", "second", "Envoy", "upstream_reset", "cluster"] {
        assert!(
            !outcome.text().contains(word),
            "the client is told {word}: {}",
            outcome.text()
        );
    }
    assert_eq!(recorded(&gateway), (2, 0));
    assert_eq!(gateway.process.metric("tollgate_cost_nanodollars_total", &[]), 0);
}

#[test]
fn a_model_with_one_target_is_tried_again_only_where_its_provider_saw_nothing() {
    let gateway = gateway();
    gateway.answers("second", Reply::json(500, "{}"));
    gateway.answers("second", chat_reply());
    assert_eq!(
        gateway.send(chat("gpt-4o-mini")).status,
        500,
        "it may have been charged: not asked twice"
    );
    let refused = self::gateway();
    refused.answers("second", Reply::refused());
    refused.answers("second", chat_reply());
    let outcome = refused.send(chat("gpt-4o-mini"));
    assert_eq!((outcome.status, clusters(&outcome)), (200, vec!["second", "second"]));
}

#[test]
fn an_answer_that_has_begun_is_never_begun_again() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(5)).cut_after(2));
    gateway.answers("second", chat_reply());
    let outcome = gateway.send(chat_stream("gpt-4o"));
    assert_eq!((outcome.end, clusters(&outcome)), (End::Reset, vec!["first"]));
    assert_eq!(outcome.text(), chat_events(5)[..2].concat());
    assert_eq!(recorded(&gateway), (1, 0));
    assert!(
        gateway
            .process
            .metric("tollgate_tokens_total", &[("source", "estimated")])
            > 0
    );
}

#[test]
fn a_client_cannot_steer_the_router() {
    let gateway = gateway();
    gateway.answers("first", Reply::json(400, "{}"));
    gateway.answers("second", Reply::json(400, "{}"));
    let steering = chat("gpt-4o")
        .header("x-envoy-max-retries", "100")
        .header("x-envoy-retry-on", "retriable-4xx,5xx")
        .header("x-envoy-upstream-rq-timeout-ms", "1")
        .header("x-tollgate-retry", "1");
    let outcome = gateway.send(steering.clone());
    let headers = outcome.attempt().headers.clone().unwrap();
    for name in [
        "x-envoy-max-retries",
        "x-envoy-retry-on",
        "x-envoy-upstream-rq-timeout-ms",
        "x-tollgate-retry",
    ] {
        assert!(!headers.has(name), "{name} was passed on");
    }
    gateway
        .answers_now("first", Reply::json(500, "{}"))
        .answers_now("second", Reply::json(500, "{}"));
    assert_eq!(gateway.send(steering).attempts.len(), 2, "as many as there are targets");
}

#[test]
fn a_provider_cannot_steer_it_either() {
    let gateway = gateway();
    gateway.answers("second", chat_reply());
    gateway.answers("first", chat_reply().header("x-tollgate-retry", "1"));
    let outcome = gateway.send(chat("gpt-4o"));
    // Whether Envoy listens to it or not: it is charged by the provider that answered, once.
    assert_eq!(outcome.status, 200);
    assert!(!outcome.headers.has("x-tollgate-retry"));
    assert_eq!(recorded(&gateway), (1, 0));
}

#[test]
fn a_large_body_is_sent_whole_at_each_attempt() {
    let gateway = gateway();
    gateway.answers("first", Reply::reset());
    gateway.answers("second", chat_reply());
    let image = "iVBORw0KGgo".repeat(200_000);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{image}"}}],"model":"best"}}"#);
    let outcome = gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(&body).in_pieces_of(16 << 10));
    assert_eq!(outcome.status, 200);
    assert!(outcome.attempts[0].body == body.replace("\"best\"", "\"gpt-4o\"").into_bytes());
    assert!(outcome.attempts[1].body == body.replace("\"best\"", "\"llama-3.3-70b\"").into_bytes());
}

#[test]
fn a_body_that_is_edited_for_one_provider_alone_has_its_own_length_at_each() {
    let mut document = document();
    document["models"]["gpt-4o"]["targets"] =
        serde_json::json!([{"provider": "second", "model": "a-much-longer-name"}, {"provider": "first"}]);
    let gateway = Gateway::start(&document, &ENV);
    gateway.answers("second", Reply::json(500, "{}"));
    gateway.answers("first", chat_reply());
    for request in [
        chat("gpt-4o"),
        chat("gpt-4o").in_pieces_of(30),
        chat("gpt-4o").of_unknown_length(),
    ] {
        let outcome = gateway.send(request);
        assert_eq!((outcome.status, clusters(&outcome)), (200, vec!["second", "first"]));
        assert_eq!(
            String::from_utf8_lossy(&outcome.attempts[1].body),
            chat_body("gpt-4o", false)
        );
    }
    // The host fails the test where a length and a body disagree.
    assert_eq!(recorded(&gateway), (3, 0));
}
