//! Clients of one API at providers of another: the module says what the core does, at whichever byte the network cuts.
//!
//! What providers answer is that of `tests/translation/cases`, where all of it is compared in every pair of APIs.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tollgate::framing::eventstream::encode_event;
use wasm_tests::{End, Gateway, Outcome, Reply, Request};

use crate::fixture::*;

const GEMINI_CREDENTIAL: &str = "gemini-credential-of-the-gateway";
const BEDROCK_CREDENTIAL: &str = "bedrock-credential-of-the-gateway";

/// A provider's name, which is its API's, and the model of the same name there.
const FOREIGN: [&str; 3] = ["messages", "gemini", "converse"];

/// One model at each foreign provider alone, and `both` at Gemini's first and at `first` after it.
fn document_of_dialects() -> Value {
    let mut document = document();
    document["providers"]["messages"] =
        json!({"dialect": "anthropic", "endpoint": "https://messages.test", "credential": {"env": "ANTHROPIC"}});
    document["providers"]["gemini"] =
        json!({"dialect": "gemini", "endpoint": "https://gemini.test/v1beta", "credential": {"env": "GEMINI"}});
    document["providers"]["converse"] = json!({"dialect": "bedrock", "endpoint": "https://converse.test", "auth": "bearer",
        "credential": {"env": "BEDROCK"}});
    for name in FOREIGN {
        document["models"][name] = json!({"targets": [{"provider": name, "model": format!("{name}-model-1")}]});
    }
    document["models"]["both"] = json!({"targets": [{"provider": "gemini", "model": "gemini-model-1"},
        {"provider": "first", "model": "gpt-4o"}, {"provider": "messages", "model": "messages-model-1"}]});
    document
}

fn proxy() -> Gateway {
    let more = [("GEMINI", GEMINI_CREDENTIAL), ("BEDROCK", BEDROCK_CREDENTIAL)];
    let env: Vec<_> = ENV.into_iter().chain(more).collect();
    Gateway::start(&document_of_dialects(), &env)
}

fn case(name: &str, file: &str) -> Vec<u8> {
    let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/translation/cases");
    let path = cases.join(name).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An answer in one piece.
fn whole(name: &str, api: &str) -> Reply {
    Reply::json(200, case(name, &format!("provider.{api}.json")))
}

/// The bytes of an answer as a stream.
fn stream_bytes(name: &str, api: &str) -> Vec<u8> {
    if api != "converse" {
        return case(name, &format!("provider.{api}.sse"));
    }
    let text = String::from_utf8(case(name, "provider.converse.events")).unwrap();
    let events = text.lines().filter_map(|line| line.split_once('\t'));
    events
        .flat_map(|(event, payload)| encode_event(event, payload.as_bytes()))
        .collect()
}

fn stream(api: &str, chunks: &[&[u8]]) -> Reply {
    let reply = Reply::stream(chunks);
    match api {
        "converse" => reply.header("content-type", "application/vnd.amazon.eventstream"),
        _ => reply,
    }
}

/// What a stream of chat completions says: its text, and the arguments of its calls.
fn said(outcome: &Outcome) -> (String, String) {
    let text = outcome.text();
    let events = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]");
    let mut said = (String::new(), String::new());
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        let delta = &event["choices"][0]["delta"];
        said.0.push_str(delta["content"].as_str().unwrap_or_default());
        said.1.push_str(
            delta["tool_calls"][0]["function"]["arguments"]
                .as_str()
                .unwrap_or_default(),
        );
    }
    said
}

fn tokens(gateway: &Gateway, class: &str) -> u64 {
    let labels = [("type", class), ("source", "reported")];
    gateway.process.metric("tollgate_tokens_total", &labels)
}

/// A chat request that says nothing another API has no words for.
fn plain(model: &str, stream: bool) -> Request {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Say grüß Gott."}], "stream": stream});
    Request::post(CHAT).bearer(AGENT_KEY).json(body.to_string())
}

/// A request to `/v1/messages`.
fn message(model: &str, stream: bool) -> Request {
    let body = json!({"model": model, "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": "Say grüß Gott."}]});
    Request::post(MESSAGES)
        .header("x-api-key", AGENT_KEY)
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "some-beta-2025-01-01")
        .json(body.to_string())
}

#[test]
fn each_provider_is_asked_in_its_own_way() {
    let gateway = proxy();
    let cases = [
        (
            "messages",
            "/v1/messages",
            "/v1/messages",
            "x-api-key",
            ANTHROPIC_CREDENTIAL.to_owned(),
        ),
        (
            "gemini",
            "/v1beta/models/gemini-model-1:generateContent",
            "/v1beta/models/gemini-model-1:streamGenerateContent?alt=sse",
            "x-goog-api-key",
            GEMINI_CREDENTIAL.to_owned(),
        ),
        (
            "converse",
            "/model/converse-model-1/converse",
            "/model/converse-model-1/converse-stream",
            "authorization",
            format!("Bearer {BEDROCK_CREDENTIAL}"),
        ),
    ];
    for (api, path, streaming, name, credential) in cases {
        let chunks = stream_bytes("answer-unicode", api);
        gateway
            .answers(api, whole("answer-unicode", api))
            .answers(api, stream(api, &[&chunks]));
        for (request, path) in [(plain(api, false), path), (plain(api, true), streaming)] {
            let outcome = gateway.send(request);
            assert_eq!(
                (outcome.end, outcome.status),
                (End::Complete, 200),
                "{api}: {}",
                outcome.text()
            );
            let attempt = outcome.attempt();
            let headers = attempt.headers.as_ref().unwrap();
            assert_eq!(headers.text(":path").unwrap(), path);
            assert_eq!(headers.text(":authority").unwrap(), format!("{api}.test"));
            assert_eq!(headers.all(name), [credential.as_bytes()]);
            assert_eq!(headers.has("anthropic-version"), api == "messages");
            assert!(!headers.mention(AGENT_KEY));
            let body: Value = serde_json::from_slice(&attempt.body).unwrap();
            assert!(body.to_string().contains("Say grüß Gott."), "{body}");
        }
    }
    assert_eq!(recorded(&gateway), (6, 0));
}

#[test]
fn an_answer_in_one_piece_is_the_clients() {
    for api in FOREIGN {
        for size in [1, 50, 100_000] {
            let gateway = proxy();
            gateway.answers(api, whole("answer-call", api).in_pieces_of(size));
            let outcome = gateway.send(plain(api, false));
            assert_eq!(
                (outcome.end, outcome.status),
                (End::Complete, 200),
                "{api}: {}",
                outcome.text()
            );
            assert_eq!(outcome.headers.text("content-type").unwrap(), "application/json");
            assert_eq!(outcome.headers.text("x-tollgate-provider").unwrap(), api);
            assert_eq!(outcome.headers.text("x-tollgate-model").unwrap(), api);
            let answer = outcome.json();
            let choice = &answer["choices"][0];
            assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
            let call = &choice["message"]["tool_calls"][0]["function"];
            assert_eq!(call["name"], "get_weather");
            let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            assert_eq!(arguments, json!({"city": "Paris", "unit": "c"}));
            assert_eq!(
                (tokens(&gateway, "input"), tokens(&gateway, "output")),
                (12, 9),
                "{api}"
            );
            assert_eq!(recorded(&gateway), (1, 0));
        }
    }
}

#[test]
fn a_stream_is_the_clients_at_whichever_byte_it_is_cut() {
    for name in ["answer-call", "answer-unicode"] {
        for api in FOREIGN {
            let gateway = proxy();
            let bytes = stream_bytes(name, api);
            let mut requests = 0;
            let mut send = |reply: Reply| {
                gateway.answers_now(api, reply);
                requests += 1;
                let outcome = gateway.send(plain(api, true));
                assert_eq!(
                    (outcome.end, outcome.status),
                    (End::Complete, 200),
                    "{api}: {}",
                    outcome.text()
                );
                outcome
            };
            let outcome = send(stream(api, &[&bytes]));
            assert!(
                outcome
                    .headers
                    .text("content-type")
                    .unwrap()
                    .starts_with("text/event-stream")
            );
            let (text, arguments) = said(&outcome);
            match name {
                "answer-call" => assert_eq!(
                    serde_json::from_str::<Value>(&arguments).unwrap(),
                    json!({"city": "Paris", "unit": "c"})
                ),
                _ => assert!(!text.is_ascii() && !text.contains('\u{fffd}'), "{text}"),
            }
            let expected = outcome.text();
            assert!(expected.ends_with("data: [DONE]\n\n"));
            for size in [1, 2, 3, 5, 7, 16, 61] {
                let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
                assert_eq!(send(stream(api, &pieces)).text(), expected, "{api}, pieces of {size}");
            }
            for cut in (1..bytes.len()).step_by(11) {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(send(stream(api, &[head, tail])).text(), expected, "{api}, cut at {cut}");
            }
            assert_eq!(recorded(&gateway), (requests, 0));
        }
    }
}

#[test]
fn a_client_of_messages_is_answered_in_its_own_words_too() {
    let gateway = proxy();
    let bytes = stream_bytes("answer-call", "gemini");
    gateway
        .answers("gemini", whole("answer-call", "gemini"))
        .answers("gemini", stream("gemini", &[&bytes]));
    let answer = gateway.send(message("gemini", false)).json();
    assert_eq!(
        (&answer["type"], &answer["stop_reason"]),
        (&json!("message"), &json!("tool_use")),
        "{answer}"
    );
    assert_eq!(answer["usage"]["output_tokens"], 9);
    let outcome = gateway.send(message("gemini", true));
    let text = outcome.text();
    for event in [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "message_stop",
    ] {
        assert!(text.contains(&format!("event: {event}\n")), "{event} is not in {text}");
    }
    let headers = outcome.attempt().headers.clone().unwrap();
    for name in ["anthropic-version", "anthropic-beta", "x-api-key"] {
        assert!(!headers.has(name), "{name}");
    }
}

#[test]
fn an_error_is_told_in_the_clients_words() {
    // Of no matter which provider: what the client is told depends on what went wrong.
    let cases = [
        ("error-invalid", 400),
        ("error-context", 400),
        ("error-rate", 429),
        ("error-not-found", 502),
        ("error-auth", 502),
    ];
    for (name, status) in cases {
        for api in FOREIGN {
            let refusal: Value = serde_json::from_slice(&case(name, &format!("refusal.{api}.json"))).unwrap();
            let theirs = u16::try_from(refusal["status"].as_u64().unwrap()).unwrap();
            let reply = Reply::json(theirs, refusal["body"].to_string());
            for size in [4, 100_000] {
                let gateway = proxy();
                gateway.answers(
                    api,
                    reply.clone().in_pieces_of(size).header("x-amzn-requestid", "theirs"),
                );
                for request in [plain(api, false), plain(api, true)] {
                    let outcome = gateway.send(request);
                    assert_eq!(
                        (outcome.end, outcome.status),
                        (End::Complete, status),
                        "{name} of {api}: {}",
                        outcome.text()
                    );
                    assert_eq!(outcome.headers.text("content-type").unwrap(), "application/json");
                    assert!(
                        outcome.json()["error"]["message"].is_string(),
                        "{name} of {api}: {}",
                        outcome.text()
                    );
                    assert!(!outcome.headers.has("x-amzn-requestid"));
                }
                if api != "messages" {
                    let outcome = gateway.send(message(api, true));
                    assert_eq!(outcome.status, status, "{name} of {api}");
                    assert_eq!(outcome.json()["type"], "error", "{name} of {api}");
                }
                assert_eq!(recorded(&gateway).1, 0);
                assert_eq!(gateway.process.metric("tollgate_cost_nanodollars_total", &[]), 0);
            }
        }
    }
}

#[test]
fn what_cannot_be_understood_is_given_to_another_or_told() {
    let garbled = [
        Reply::json(200, "<html>It works!</html>"),
        Reply::json(200, ""),
        Reply::json(200, "[]"),
        Reply::json(200, "{\"candidates\": [{\"content\": {\"par"),
        Reply::stream(["data: <html>\n\n"]),
        whole("answer-unicode", "gemini").header("content-encoding", "gzip"),
    ];
    for (index, reply) in garbled.into_iter().enumerate() {
        let gateway = proxy();
        gateway.answers("gemini", reply).answers("first", chat_reply());
        let outcome = gateway.send(plain("gemini", false));
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, 502),
            "case {index}: {}",
            outcome.text()
        );
        assert!(outcome.json()["error"]["message"].is_string());
        let outcome = gateway.send(plain("both", false));
        assert_eq!(
            (outcome.end, outcome.status, outcome.text()),
            (End::Complete, 200, chat_answer()),
            "case {index}"
        );
        assert_eq!(outcome.attempts.len(), 2, "case {index}");
        assert_eq!(recorded(&gateway), (2, 0));
    }
}

#[test]
fn a_request_may_pass_through_three_dialects() {
    let gateway = proxy();
    let refusal: Value = serde_json::from_slice(&case("error-overloaded", "refusal.gemini.json")).unwrap();
    gateway
        .answers("gemini", Reply::json(503, refusal["body"].to_string()))
        .answers("first", Reply::json(500, "{}"))
        .answers("messages", whole("answer-unicode", "messages"));
    for (shown_key, request) in [
        ("authorization", plain("both", false)),
        ("x-api-key", message("both", false)),
    ] {
        let outcome = gateway.send(request.clone());
        assert_eq!(
            (outcome.end, outcome.status),
            (End::Complete, 200),
            "{}",
            outcome.text()
        );
        let [gemini, first, messages] = outcome.attempts.as_slice() else {
            panic!("{:#?}", outcome.attempts)
        };
        let body = |attempt: &wasm_tests::Attempt| serde_json::from_slice::<Value>(&attempt.body).unwrap();
        assert!(body(gemini)["contents"].is_array());
        assert_eq!(body(first)["model"], "gpt-4o");
        assert_eq!(body(messages)["model"], "messages-model-1");
        let has = |attempt: &wasm_tests::Attempt, name| attempt.headers.as_ref().unwrap().has(name);
        for attempt in [gemini, first] {
            assert!(
                !has(attempt, "anthropic-version") && !has(attempt, "anthropic-beta") && !has(attempt, "x-api-key")
            );
        }
        assert!(!has(first, "x-goog-api-key") && !has(messages, "authorization") && has(messages, "anthropic-version"));
        assert_eq!(
            has(messages, "anthropic-beta"),
            shown_key == "x-api-key",
            "where both speak the same, what the client says of its API is passed on"
        );
        // As it came, and nothing more than the name of the model is another.
        let original: Value = serde_json::from_slice(&request.into_body()).unwrap();
        let same = if shown_key == "authorization" { first } else { messages };
        let mut same = body(same);
        same["model"] = original["model"].clone();
        assert_eq!(same, original);
    }
    assert_eq!(recorded(&gateway), (2, 0));
}

#[test]
fn what_a_provider_has_no_words_for_is_told_before_anything_is_sent() {
    let gateway = proxy();
    gateway.answers("messages", whole("answer-unicode", "messages"));
    let body = json!({"model": "messages", "messages": [{"role": "user", "content": "x"}], "logprobs": true});
    let outcome = gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(body.to_string()));
    assert_eq!((outcome.status, outcome.attempts.len()), (400, 0), "{}", outcome.text());
    assert!(outcome.text().contains("logprobs"), "{}", outcome.text());
    assert_eq!(recorded(&gateway), (1, 0));
}
