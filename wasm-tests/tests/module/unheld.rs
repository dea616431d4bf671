//! Where a filter cannot hold headers: the gateway role alone, and each request goes where its host says.

use wasm_tests::{End, Gateway, Headers, Reply, Request};

use crate::fixture::*;

fn at(host: &str, request: Request) -> Request {
    request.header(":authority", host)
}

#[test]
fn a_filter_that_held_headers_here_would_hang() {
    let outcome = gateway().without_the_flag().send(chat("gpt-4o"));
    assert_eq!(outcome.end, End::Hung, "this is what `hold_headers: false` is for");
}

#[test]
fn a_request_is_checked_metered_and_given_the_providers_credential_on_its_way() {
    for size in [1, 10, 10_000] {
        let gateway = gateway_without_holding();
        gateway.answers("first.test", chat_reply());
        let outcome = gateway.send(at("first.test", chat("best")).in_pieces_of(size));
        assert_eq!(
            (outcome.end, outcome.status, outcome.text()),
            (End::Complete, 200, chat_answer())
        );
        let attempt = outcome.attempt();
        let headers = attempt.headers.as_ref().unwrap();
        assert_eq!(
            headers.all("authorization"),
            [format!("Bearer {FIRST_CREDENTIAL}").as_bytes()]
        );
        assert!(!headers.mention(AGENT_KEY));
        assert_eq!(String::from_utf8_lossy(&attempt.body), chat_body("gpt-4o", false));
        assert_eq!(
            gateway
                .process
                .metric("tollgate_cost_nanodollars_total", &[("provider", "first")]),
            CHAT_COST
        );
        assert_eq!(recorded(&gateway), (1, 0));
    }
}

#[test]
fn a_stream_is_metered_and_the_usage_nobody_asked_for_is_hidden() {
    let gateway = gateway_without_holding();
    gateway.answers("first.test", Reply::stream(chat_events(3)).in_pieces_of(17));
    let outcome = gateway.send(at("first.test", chat_stream("gpt-4o")));
    let expected: String = chat_events(3)
        .into_iter()
        .filter(|event| *event != usage_event())
        .collect();
    assert_eq!(outcome.text(), expected);
    assert_eq!(
        gateway.process.metric("tollgate_cost_nanodollars_total", &[]),
        CHAT_COST
    );
}

#[test]
fn a_request_to_any_other_host_is_none_of_ours() {
    let gateway = gateway_without_holding();
    gateway.answers("intranet.test", Reply::json(200, "{}"));
    let request = Request::post("/anything")
        .header("authorization", "Basic b3RoZXI=")
        .header("cookie", "own=1")
        .body("x");
    let outcome = gateway.send(at("intranet.test", request));
    assert_eq!(outcome.status, 200);
    let headers = outcome.attempt().headers.clone().unwrap();
    assert_eq!(headers.text("authorization").unwrap(), "Basic b3RoZXI=");
    assert_eq!(headers.text("cookie").unwrap(), "own=1");
    assert_eq!(recorded(&gateway), (0, 0));
}

#[test]
fn a_model_is_served_only_at_the_host_of_its_provider() {
    let gateway = gateway_without_holding();
    gateway.answers("anthropic.test", chat_reply());
    let outcome = gateway.send(at("anthropic.test", chat("gpt-4o")));
    assert_eq!(outcome.status, 404, "{}", outcome.text());
    assert!(outcome.attempts.iter().all(|attempt| attempt.body.is_empty()));
}

#[test]
fn a_provider_that_breaks_off_is_told_as_ours() {
    let gateway = gateway_without_holding();
    gateway.answers("first.test", Reply::refused());
    let outcome = gateway.send(at("first.test", chat("gpt-4o")));
    assert_eq!((outcome.end, outcome.status), (End::Complete, 502));
    assert!(outcome.json()["error"]["message"].is_string());
    gateway.answers_now("first.test", Reply::stream(chat_events(5)).cut_after(3));
    assert_eq!(gateway.send(at("first.test", chat_stream("gpt-4o"))).end, End::Reset);
    assert_eq!(recorded(&gateway), (2, 0));
}

#[test]
fn an_answer_that_does_not_wait_for_the_body_is_what_it_is() {
    let refusal = r#"{"error":{"message":"too large"}}"#;
    let cases = [
        (Reply::refused().early(), 502, "provider_unreachable"),
        (Reply::reset().early(), 502, "provider_unreachable"),
        (Reply::json(413, refusal).early(), 413, "client_error"),
        (Reply::json(500, refusal).early(), 500, "provider_error"),
    ];
    for (reply, status, label) in cases {
        let gateway = gateway_without_holding();
        gateway.answers("first.test", reply);
        let outcome = gateway.send(at("first.test", chat("gpt-4o")).in_pieces_of(20));
        assert_eq!((outcome.end, outcome.status), (End::Complete, status), "{label}");
        assert!(outcome.json()["error"]["message"].is_string());
        assert!(!outcome.text().contains("Envoy"), "{label}: {}", outcome.text());
        assert_eq!(outcomes(&gateway), [(label.to_owned(), 1)]);
        assert_eq!(recorded(&gateway), (1, 0), "{label}");
    }
}

#[test]
fn a_request_that_ends_in_trailers_does_not_hang() {
    let gateway = gateway_without_holding();
    gateway.answers("first.test", chat_reply());
    let trailers = Headers::from([("x-trailer", "1")]);
    let outcome = gateway.send(at("first.test", chat("best")).in_pieces_of(30).trailers(trailers));
    assert_eq!((outcome.end, outcome.status), (End::Complete, 200));
    assert_eq!(
        String::from_utf8_lossy(&outcome.attempt().body),
        chat_body("gpt-4o", false)
    );
}

#[test]
fn a_request_without_a_body_does_not_hang() {
    let gateway: Gateway = gateway_without_holding();
    gateway.answers("first.test", Reply::json(200, "{}"));
    assert_eq!(
        gateway
            .send(at("first.test", Request::get("/v1/files").bearer(AGENT_KEY)))
            .status,
        200
    );
    let outcome = gateway.send(at("first.test", Request::get("/v1/models").bearer(AGENT_KEY)));
    assert_eq!((outcome.status, outcome.attempts.len()), (200, 0));
    assert_eq!(recorded(&gateway), (2, 0));
}
