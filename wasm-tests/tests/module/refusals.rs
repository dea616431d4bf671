//! What is refused: the status and the words that make an SDK raise the right exception, and nothing sent anywhere.

use serde_json::json;
use wasm_tests::{End, Gateway, Request};

use crate::fixture::*;

struct Case {
    what: &'static str,
    request: Request,
    status: u16,
    outcome: &'static str,
}

fn case(what: &'static str, request: Request, status: u16, outcome: &'static str) -> Case {
    Case {
        what,
        request,
        status,
        outcome,
    }
}

fn cases() -> Vec<Case> {
    let post = |body: &str| Request::post(CHAT).bearer(AGENT_KEY).json(body);
    let deep = format!(
        "{{\"model\":\"gpt-4o\",\"messages\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    vec![
        case(
            "no key",
            chat("gpt-4o").without("authorization"),
            401,
            "refused_key_missing",
        ),
        case(
            "an unknown key",
            Request::post(CHAT).bearer("tg-wrong").json("{}"),
            401,
            "refused_key_unknown",
        ),
        case(
            "a provider's own key",
            Request::post(CHAT).bearer(FIRST_CREDENTIAL).json("{}"),
            401,
            "refused_key_unknown",
        ),
        case(
            "a disabled key",
            Request::post(CHAT).bearer(DISABLED_KEY).json("{}"),
            401,
            "refused_key_disabled",
        ),
        case(
            "an expired key",
            Request::post(CHAT).bearer(EXPIRED_KEY).json("{}"),
            401,
            "refused_key_expired",
        ),
        case("a model that is not there", chat("gpt-9"), 404, "refused_model_unknown"),
        case(
            "a model the key may not use",
            Request::post(CHAT).bearer(LIMITED_KEY).json(chat_body("gpt-4o", false)),
            403,
            "refused_model_forbidden",
        ),
        case(
            "a path that is not there",
            Request::get("/admin").bearer(AGENT_KEY),
            404,
            "refused_path",
        ),
        case(
            "a GET on a POST endpoint",
            Request::get(CHAT).bearer(AGENT_KEY),
            405,
            "refused_method",
        ),
        case(
            "a POST of the models",
            Request::post("/v1/models").bearer(AGENT_KEY).json("{}"),
            405,
            "refused_method",
        ),
        case(
            "broken JSON",
            post("{\"model\": \"gpt-4o\", }"),
            400,
            "refused_body_invalid",
        ),
        case(
            "half a JSON",
            post("{\"model\": \"gpt-4o\""),
            400,
            "refused_body_invalid",
        ),
        case("an empty body", post(""), 400, "refused_body_invalid"),
        case(
            "no body",
            Request::post(CHAT).bearer(AGENT_KEY),
            400,
            "refused_body_invalid",
        ),
        case("no model", post("{\"messages\": []}"), 400, "refused_body_invalid"),
        case(
            "a model that is no text",
            post("{\"model\": 4}"),
            400,
            "refused_body_invalid",
        ),
        case(
            "two models",
            post("{\"model\": \"gpt-4o\", \"model\": \"claude\"}"),
            400,
            "refused_body_invalid",
        ),
        case(
            "two models, one of them spelt in escapes",
            post("{\"model\": \"gpt-4o\", \"m\\u006fdel\": \"claude\"}"),
            400,
            "refused_body_invalid",
        ),
        case("JSON that is no object", post("[1]"), 400, "refused_body_invalid"),
        case(
            "bytes that are no text",
            Request::post(CHAT).bearer(AGENT_KEY).json(b"{\"model\": \"\xff\"}"),
            400,
            "refused_body_invalid",
        ),
        case("JSON nested without end", post(&deep), 400, "refused_body_invalid"),
        case(
            "another content type",
            chat("gpt-4o").header("content-type", "text/plain"),
            415,
            "refused_body_invalid",
        ),
        case(
            "a compressed body",
            chat("gpt-4o").header("content-encoding", "gzip"),
            415,
            "refused_body_invalid",
        ),
        case(
            "a WebSocket",
            Request::get("/v1/realtime")
                .bearer(AGENT_KEY)
                .header("upgrade", "websocket")
                .header("connection", "upgrade"),
            501,
            "refused_upgrade",
        ),
    ]
}

/// Sends each case through `gateway`, and checks what every refusal has in common.
fn refuses(gateway: &Gateway, host: Option<&str>) {
    for (
        index,
        Case {
            what,
            request,
            status,
            outcome: label,
        },
    ) in cases().into_iter().enumerate()
    {
        let request = match host {
            Some(host) => request.header(":authority", host),
            None => request,
        };
        let before = gateway.process.metric("tollgate_requests_total", &[("outcome", label)]);
        let outcome = gateway.send(request);
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, status),
            "{what}: {}",
            outcome.text()
        );
        assert!(
            outcome.attempts.iter().all(|attempt| !attempt.ended),
            "{what} was sent to a provider"
        );
        assert_eq!(
            outcome.headers.text("content-type").unwrap(),
            "application/json",
            "{what}"
        );
        let error = &outcome.json()["error"];
        assert!(
            !error["message"].as_str().unwrap().is_empty() && error["type"].is_string(),
            "{what}: {error}"
        );
        for name in ["first", "second", "anthropic", "agent", "payments", "tg-"] {
            assert!(
                !outcome.text().contains(name),
                "{what}: the answer tells {name}: {}",
                outcome.text()
            );
        }
        assert!(outcome.headers.has("request-id"), "{what}");
        assert_eq!(
            gateway.process.metric("tollgate_requests_total", &[("outcome", label)]),
            before + 1,
            "{what}"
        );
        assert_eq!(recorded(gateway), (index as u64 + 1, 0), "{what}");
    }
    assert_eq!(gateway.process.metric("tollgate_cost_nanodollars_total", &[]), 0);
    assert_eq!(gateway.process.metric("tollgate_tokens_total", &[]), 0);
}

#[test]
fn each_has_its_status_and_reaches_no_provider() {
    refuses(&gateway(), None);
}

#[test]
fn each_has_its_status_where_headers_cannot_be_held() {
    let gateway = gateway_without_holding();
    gateway.answers("first.test", chat_reply());
    refuses(&gateway, Some("first.test"));
}

#[test]
fn a_wrong_key_is_told_before_anything_else_and_without_waiting_for_the_body() {
    let gateway = gateway();
    let mut exchange = gateway.begin(
        Request::post("/nowhere")
            .bearer("tg-wrong")
            .body([b'x'; 100])
            .in_pieces_of(1),
    );
    assert!(exchange.step());
    assert!(!exchange.step(), "the headers were enough");
    assert_eq!(exchange.run().status, 401);
}

#[test]
fn an_upgrade_is_refused_although_its_stream_never_ends() {
    let gateway = gateway();
    let request = Request::get("/v1/realtime")
        .bearer(AGENT_KEY)
        .header("upgrade", "websocket")
        .ending_separately();
    let mut exchange = gateway.begin(request);
    assert!(exchange.step());
    assert!(!exchange.step(), "the headers were enough");
    assert_eq!(exchange.run().status, 501);
}

#[test]
fn malformed_json_is_told_where() {
    let outcome = gateway().send(Request::post(CHAT).bearer(AGENT_KEY).json("{\n  \"model\": oops}"));
    let message = outcome.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.chars().any(|letter| letter.is_ascii_digit()),
        "no position in {message:?}"
    );
}

#[test]
fn an_anthropic_client_is_refused_in_its_own_words() {
    let gateway = gateway();
    let body = json!({"model": "gpt-9", "max_tokens": 1, "messages": []}).to_string();
    for (key, status, kind) in [
        ("tg-wrong", 401, "authentication_error"),
        (AGENT_KEY, 404, "not_found_error"),
    ] {
        let outcome = gateway.send(Request::post(MESSAGES).header("x-api-key", key).json(&body));
        assert_eq!(outcome.status, status);
        assert_eq!(
            (
                outcome.json()["type"].as_str(),
                outcome.json()["error"]["type"].as_str()
            ),
            (Some("error"), Some(kind))
        );
    }
}

#[test]
fn a_body_over_the_limit_is_refused_as_soon_as_it_is_known() {
    let mut document = document();
    document["max_body_bytes"] = json!(2000);
    let gateway = Gateway::start(&document, &ENV);
    let large = Request::post(CHAT)
        .bearer(AGENT_KEY)
        .json(vec![b' '; 5000])
        .in_pieces_of(500);
    let announced = gateway.send(large.clone());
    assert_eq!(
        (announced.status, announced.events),
        (413, 1),
        "its length was announced"
    );
    let unannounced = gateway.send(large.of_unknown_length());
    assert_eq!(
        (unannounced.status, unannounced.events),
        (413, 6),
        "with the fifth piece"
    );
    assert_eq!(outcomes(&gateway), [("refused_body_too_large".to_owned(), 2)]);
    assert_eq!(recorded(&gateway), (2, 0));

    let most = Request::post(CHAT)
        .bearer(AGENT_KEY)
        .json(&[chat_body("gpt-4o", false).as_bytes(), &[b' '; 2000]].concat()[..2000]);
    gateway.answers("first", chat_reply());
    assert_eq!(gateway.send(most).status, 200, "the limit itself is allowed");
}

#[test]
fn what_envoy_will_not_buffer_is_refused_in_the_clients_words() {
    let gateway = gateway().with_buffer_limit(1000);
    let body = Request::post(CHAT)
        .bearer(AGENT_KEY)
        .json(vec![b' '; 5000])
        .in_pieces_of(400)
        .of_unknown_length();
    let outcome = gateway.send(body);
    assert_eq!((outcome.end, outcome.status), (End::Complete, 413));
    assert!(outcome.json()["error"]["message"].is_string());
    assert_eq!(recorded(&gateway), (1, 0));
}
