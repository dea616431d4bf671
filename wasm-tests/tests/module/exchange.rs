//! Whole exchanges: what the provider is sent, what the client gets back, what is counted.

use serde_json::json;
use wasm_tests::{End, Gateway, Headers, Reply, Request};

use crate::fixture::*;

fn tokens(gateway: &Gateway, class: &str) -> u64 {
    gateway.process.metric("tollgate_tokens_total", &[("type", class)])
}

fn cost(gateway: &Gateway) -> u64 {
    gateway.process.metric("tollgate_cost_nanodollars_total", &[])
}

#[test]
fn a_json_request_goes_out_in_the_providers_words_and_comes_back_as_it_is() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.end, outcome.status), (End::Complete, 200));
    assert_eq!(outcome.text(), chat_answer());

    let attempt = outcome.attempt();
    let headers = attempt.headers.as_ref().unwrap();
    assert_eq!(attempt.cluster, "first");
    assert_eq!(headers.text(":path").unwrap(), "/v1/chat/completions");
    assert_eq!(headers.text(":authority").unwrap(), "first.test");
    assert_eq!(
        headers.all("authorization"),
        [format!("Bearer {FIRST_CREDENTIAL}").as_bytes()]
    );
    assert_eq!(
        attempt.body,
        chat_body("gpt-4o", false).as_bytes(),
        "nothing had to change"
    );

    assert_eq!(outcomes(&gateway), [("ok".to_owned(), 1)]);
    assert_eq!(
        (
            tokens(&gateway, "input"),
            tokens(&gateway, "cached_input"),
            tokens(&gateway, "output")
        ),
        (600, 400, 200)
    );
    assert_eq!(cost(&gateway), CHAT_COST);
    assert_eq!(recorded(&gateway), (1, 0));
}

#[test]
fn only_the_models_name_is_edited_and_everything_else_survives() {
    let gateway = gateway();
    gateway.answers("second", chat_reply());
    gateway.answers("first", chat_reply());
    let body = "{ \"x\" : [1.50, 1e3, {\"model\": \"not me\"}],\n  \"model\" :\t\"best\" , \"messages\": [], \"ü\": \"\\u00fc\" }";
    let outcome = gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(body));
    assert_eq!(
        String::from_utf8_lossy(&outcome.attempt().body),
        body.replace("best", "gpt-4o")
    );
    gateway.answers_now("first", Reply::refused());
    let outcome = gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(body));
    let attempt = outcome.attempts.last().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&attempt.body),
        body.replace("best", "llama-3.3-70b")
    );
    let headers = attempt.headers.as_ref().unwrap();
    assert_eq!(headers.text(":path").unwrap(), "/openai/v1/chat/completions");
    assert_eq!(headers.text(":authority").unwrap(), "second.test:8080");
}

#[test]
fn it_makes_no_difference_in_which_pieces_a_request_arrives() {
    let whole = {
        let gateway = gateway();
        gateway.answers("first", chat_reply());
        gateway.send(chat("best")).attempt().body.clone()
    };
    let forms: Vec<Request> = vec![
        chat("best").in_pieces_of(1),
        chat("best").in_pieces_of(7),
        chat("best").in_pieces_of(50).ending_separately(),
        chat("best").ending_separately(),
        chat("best").in_pieces_of(13).of_unknown_length(),
        chat("best")
            .in_pieces_of(13)
            .trailers(Headers::from([("x-trailer", "1")])),
        chat("best").trailers(Headers::from([("x-trailer", "1")])),
    ];
    for (index, request) in forms.into_iter().enumerate() {
        let gateway = gateway();
        gateway.answers("first", chat_reply());
        let outcome = gateway.send(request);
        assert_eq!((outcome.end, outcome.status), (End::Complete, 200), "form {index}");
        assert_eq!(outcome.attempt().body, whole, "form {index}");
        assert!(outcome.attempt().ended, "form {index}");
        assert_eq!(cost(&gateway), CHAT_COST, "form {index}");
    }
}

#[test]
fn it_makes_no_difference_in_which_pieces_an_answer_arrives() {
    for size in [1, 2, 3, 5, 64, 1000] {
        let gateway = gateway();
        gateway.answers("first", Reply::stream(chat_events(6)).in_pieces_of(size));
        let outcome = gateway.send(chat_stream("gpt-4o"));
        assert_eq!(outcome.text(), visible_to_who_did_not_ask(6), "pieces of {size}");
        assert_eq!(cost(&gateway), CHAT_COST, "pieces of {size}");
        assert_eq!(recorded(&gateway), (1, 0));

        gateway.answers_now("first", chat_reply().in_pieces_of(size));
        assert_eq!(gateway.send(chat("gpt-4o")).text(), chat_answer());
        assert_eq!(cost(&gateway), 2 * CHAT_COST, "pieces of {size}");
    }
}

fn visible_to_who_did_not_ask(deltas: usize) -> String {
    chat_events(deltas)
        .into_iter()
        .filter(|event| *event != usage_event())
        .collect()
}

#[test]
fn a_stream_is_asked_for_its_usage_and_the_client_does_not_see_it() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(3)));
    let outcome = gateway.send(chat_stream("gpt-4o"));
    let sent: serde_json::Value = serde_json::from_slice(&outcome.attempt().body).unwrap();
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
    assert_eq!(outcome.text(), visible_to_who_did_not_ask(3));
    assert_eq!(
        outcome.headers.text("content-type").unwrap(),
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(cost(&gateway), CHAT_COST);
    assert_eq!(
        gateway.process.metric("tollgate_time_to_first_token_milliseconds", &[]),
        1
    );
}

#[test]
fn who_asks_for_usage_gets_every_byte() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(3)));
    let mut body: serde_json::Value = serde_json::from_str(&chat_body("gpt-4o", true)).unwrap();
    body["stream_options"] = json!({"include_usage": true});
    let outcome = gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(body.to_string()));
    assert_eq!(outcome.text(), chat_events(3).concat());
    assert_eq!(outcome.attempt().body, body.to_string().as_bytes());
    assert_eq!(cost(&gateway), CHAT_COST);
}

#[test]
fn an_anthropic_answer_is_metered_in_its_own_terms() {
    let gateway = gateway();
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 100, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 20, "output_tokens": 10}});
    gateway.answers("anthropic", Reply::json(200, answer.to_string()));
    let body = json!({"model": "claude", "max_tokens": 9, "messages": []}).to_string();
    let request = Request::post(MESSAGES)
        .header("x-api-key", AGENT_KEY)
        .header("anthropic-version", "2023-06-01")
        .json(body);
    let outcome = gateway.send(request);
    assert_eq!(outcome.text(), answer.to_string());
    let headers = outcome.attempt().headers.clone().unwrap();
    assert_eq!(headers.text("x-api-key").unwrap(), ANTHROPIC_CREDENTIAL);
    assert!(!headers.has("authorization"));
    assert_eq!(headers.text(":path").unwrap(), "/v1/messages");
    assert_eq!(
        (
            tokens(&gateway, "input"),
            tokens(&gateway, "cached_input"),
            tokens(&gateway, "cache_write_5m")
        ),
        (100, 50, 20)
    );
    // 100 × 3000 + 50 × 300 + 20 × 3750 + 10 × 15000 nanodollars.
    assert_eq!(cost(&gateway), 540_000);
}

#[test]
fn an_anthropic_stream_is_metered_by_its_last_word() {
    let gateway = gateway();
    let event = |value: serde_json::Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let usage = |output: u64| json!({"input_tokens": 100, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 20, "output_tokens": output});
    let events = vec![
        event(
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5", "content": [], "usage": usage(1)}}),
        ),
        event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(json!({"type": "ping"})),
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "grüß"}})),
        event(json!({"type": "content_block_stop", "index": 0})),
        event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 10}})),
        event(json!({"type": "message_stop"})),
    ];
    gateway.answers("anthropic", Reply::stream(&events).in_pieces_of(11));
    let body = json!({"model": "claude", "max_tokens": 9, "stream": true, "messages": []}).to_string();
    let outcome = gateway.send(Request::post(MESSAGES).header("x-api-key", AGENT_KEY).json(body));
    assert_eq!(outcome.text(), events.concat());
    assert_eq!(
        outcome
            .attempt()
            .headers
            .as_ref()
            .unwrap()
            .text("anthropic-version")
            .unwrap(),
        "2023-06-01"
    );
    assert_eq!(cost(&gateway), 540_000);
    assert_eq!(outcomes(&gateway), [("ok".to_owned(), 1)]);
}

#[test]
fn an_answer_that_ends_in_trailers_is_metered_too() {
    let gateway = gateway();
    gateway.answers("first", chat_reply().trailers(Headers::from([("x-trailer", "1")])));
    gateway.answers(
        "first",
        Reply::stream(chat_events(2)).trailers(Headers::from([("x-trailer", "1")])),
    );
    assert_eq!(gateway.send(chat("gpt-4o")).text(), chat_answer());
    assert_eq!(
        gateway.send(chat_stream("gpt-4o")).text(),
        visible_to_who_did_not_ask(2)
    );
    assert_eq!(cost(&gateway), 2 * CHAT_COST);
    assert_eq!(recorded(&gateway), (2, 0));
}

#[test]
fn a_providers_refusal_passes_unchanged_and_costs_nothing() {
    let gateway = gateway();
    let refusal = r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    gateway.answers("first", Reply::json(400, refusal));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(
        (outcome.status, outcome.text().as_str(), outcome.attempts.len()),
        (400, refusal, 1)
    );
    assert_eq!(outcomes(&gateway), [("context_window_exceeded".to_owned(), 1)]);
    assert_eq!(cost(&gateway), 0);
}

#[test]
fn a_model_without_a_price_is_counted_and_not_charged() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    assert_eq!(gateway.send(chat("free")).status, 200);
    assert_eq!(
        gateway
            .process
            .metric("tollgate_unpriced_requests_total", &[("model", "free")]),
        1
    );
    assert_eq!(tokens(&gateway, "output"), 200);
    assert_eq!(cost(&gateway), 0);
}

#[test]
fn the_list_of_models_needs_no_provider() {
    let gateway = gateway();
    let outcome = gateway.send(Request::get("/v1/models").bearer(LIMITED_KEY));
    let names: Vec<String> = outcome.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((outcome.status, names), (200, vec!["gpt-4o-mini".to_owned()]));
    assert!(outcome.attempts.is_empty());
    assert_eq!(outcomes(&gateway), [("ok".to_owned(), 1)]);
}

#[test]
fn what_names_no_model_goes_to_the_default_provider_as_it_is() {
    let gateway = gateway();
    gateway.answers("first", Reply::json(200, r#"{"object":"list","data":[]}"#));
    let outcome = gateway.send(Request::get("/v1/files?limit=2").bearer(AGENT_KEY));
    assert_eq!(outcome.status, 200);
    let headers = outcome.attempt().headers.clone().unwrap();
    assert_eq!(headers.text(":path").unwrap(), "/v1/files?limit=2");
    assert_eq!(
        headers.text("authorization").unwrap(),
        format!("Bearer {FIRST_CREDENTIAL}")
    );

    let body = b"--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n\xff\xfe\0binary\r\n--x--\r\n";
    let upload = Request::post("/v1/files")
        .bearer(AGENT_KEY)
        .header("content-type", "multipart/form-data; boundary=x")
        .body(body);
    let outcome = gateway.send(upload.in_pieces_of(9));
    assert_eq!(outcome.attempt().body, body);
    assert_eq!(recorded(&gateway), (2, 0));
}

#[test]
fn no_credential_reaches_the_wrong_side_or_the_log() {
    let gateway = gateway();
    gateway.answers(
        "first",
        Reply::json(
            401,
            format!(r#"{{"error":{{"message":"Incorrect API key: {FIRST_CREDENTIAL}"}}}}"#),
        ),
    );
    gateway.answers(
        "second",
        chat_reply()
            .header("set-cookie", "session=1")
            .header("openai-organization", "org-of-the-gateway"),
    );
    let request = chat("gpt-4o")
        .header("x-api-key", AGENT_KEY)
        .header("api-key", AGENT_KEY)
        .header("cookie", "client=1");
    let outcome = gateway.send(request);
    for attempt in &outcome.attempts {
        let headers = attempt.headers.as_ref().unwrap();
        assert!(
            !headers.mention(AGENT_KEY),
            "the client's key went to {}: {headers:?}",
            attempt.cluster
        );
        assert!(!headers.has("cookie"));
    }
    let second = outcome.attempts.last().unwrap().headers.as_ref().unwrap();
    assert!(
        !second.mention(FIRST_CREDENTIAL),
        "one provider's credential went to another"
    );
    assert!(!outcome.headers.mention("org-of-the-gateway") && !outcome.headers.has("set-cookie"));
    assert!(!outcome.text().contains(FIRST_CREDENTIAL));
    let log = gateway.process.log_text();
    for secret in [AGENT_KEY, FIRST_CREDENTIAL, SECOND_CREDENTIAL, ANTHROPIC_CREDENTIAL] {
        assert!(!log.contains(secret), "a secret is in the log");
        assert!(
            gateway
                .process
                .series()
                .iter()
                .all(|series| !series.encoded.contains(secret))
        );
    }
}

#[test]
fn the_clients_own_bytes_may_be_anything() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    let request = chat("gpt-4o")
        .header("x-latin1", b"caf\xe9")
        .header("user-agent", b"\xff\xfe");
    assert_eq!(gateway.send(request).status, 200);
    let request = chat("gpt-4o").header("authorization", b"Bearer \xff\xff");
    assert_eq!(gateway.send(request).status, 401);
    let request = Request::post("/v1/chat/completions?\u{fffd}=%00")
        .bearer(AGENT_KEY)
        .json(chat_body("gpt-4o", false));
    assert_eq!(gateway.send(request).status, 200);
}
