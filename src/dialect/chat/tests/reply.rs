use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conversation::{Cause, Output, Reply, Stop};
use crate::dialect::chat::{read_reply, write_reply};
use crate::dialect::{Told, Unanswered};
use crate::usage::Usage;

pub(super) const TOLD: Told<'static> = Told {
    model: "asked",
    id: "x1",
    created: 7,
    stream_usage: true,
};

fn read(body: &Value) -> Reply {
    read_reply(body.to_string().as_bytes()).unwrap()
}

fn written(reply: &Reply) -> Value {
    serde_json::from_slice(&write_reply(reply, &TOLD)).unwrap()
}

fn choice(message: Value, reason: &str) -> Value {
    json!({"id": "r", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}]})
}

#[test]
fn an_answer_is_read_and_written() {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "gpt",
        "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Let me see.", "refusal": null, "reasoning_content": "Hm.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "unknown", "index": 0},
                {"type": "reasoning.encrypted", "data": "e", "format": "unknown", "index": 1}],
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"},
                    "extra_content": {"google": {"thought_signature": "g"}}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0}},
        "service_tier": "default",
    });
    let reply = read(&body);
    assert_eq!(reply.stop, Some(Stop::Calls));
    assert_eq!(reply.output.len(), 5);
    let usage = Usage {
        input: 4,
        cached_input: 4,
        cache_write_5m: 2,
        input_audio: 1,
        output: 2,
        reasoning: 3,
        ..Usage::default()
    };
    assert_eq!(reply.usage, Some(usage));
    assert_eq!(written(&reply), body);
}

#[test]
fn what_the_provider_does_not_say_is_said_of_the_exchange() {
    let body = written(&Reply::default());
    assert_eq!((&body["id"], &body["model"]), (&json!("chatcmpl-x1"), &json!("asked")));
    assert_eq!(body["choices"][0]["message"]["content"], "");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body.get("usage").is_none());
}

#[test]
fn others_ways_of_saying_it_are_understood() {
    let thought = |text: &str| Output::Thought {
        text: text.to_owned(),
        signature: None,
    };
    let text = Output::Text("x".to_owned());
    for message in [
        json!({"content": "x", "reasoning": "t"}),
        json!({"content": "x", "reasoning_content": "t"}),
        json!({"content": "x", "reasoning_details": [{"type": "reasoning.summary", "summary": "t"}]}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}]}),
    ] {
        assert_eq!(read(&choice(message, "stop")).output, [thought("t"), text.clone()]);
    }
    let call = json!({"content": "", "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {"a": 1}}},
        {"function": {"name": "g", "arguments": ""}}]});
    let reply = read(&choice(call, "stop"));
    assert_eq!(reply.stop, Some(Stop::Calls));
    let [Output::Call { id, arguments, .. }, Output::Call { id: other, .. }] = &reply.output[..] else {
        panic!()
    };
    assert!(id.starts_with("call_") && id != other);
    assert_eq!(arguments, "{\"a\":1}");
}

#[test]
fn reasons_to_stop_are_told_both_ways() {
    for (reason, stop, told) in [
        ("stop", Stop::End, "stop"),
        ("eos", Stop::End, "stop"),
        ("length", Stop::Length, "length"),
        ("model_length", Stop::ContextFull, "length"),
        ("content_filter", Stop::Filtered, "content_filter"),
    ] {
        let reply = read(&choice(json!({"content": "x"}), reason));
        assert_eq!(reply.stop, Some(stop));
        assert_eq!(written(&reply)["choices"][0]["finish_reason"], told);
    }
    let mut body = choice(json!({"content": "x"}), "stop");
    body["choices"][0]["stop_reason"] = json!("END");
    assert_eq!(read(&body).stop, Some(Stop::Sequence(Some("END".to_owned()))));
    let declined = read(&choice(json!({"content": null, "refusal": "No."}), "stop"));
    assert_eq!(declined.stop, Some(Stop::Declined));
    let body = written(&declined);
    assert_eq!(body["choices"][0]["message"]["refusal"], "No.");
    assert_eq!(body["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let silent = Reply {
        stop: Some(Stop::Declined),
        ..Reply::default()
    };
    assert_eq!(written(&silent)["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn an_error_under_a_good_status_is_an_error() {
    for (body, cause) in [
        (
            json!({"error": {"message": "slow down", "code": 429}}),
            Cause::RateLimited,
        ),
        (
            json!({"object": "error", "message": "x", "code": 400, "type": "BadRequestError"}),
            Cause::Invalid,
        ),
        (
            choice(json!({"content": ""}), "insufficient_system_resource"),
            Cause::Overloaded,
        ),
        (choice(json!({"content": ""}), "error"), Cause::Server),
    ] {
        match read_reply(body.to_string().as_bytes()) {
            Err(Unanswered::Refused(refusal)) => assert_eq!(refusal.cause, cause, "{body}"),
            other => panic!("{other:?}"),
        }
    }
    for body in [
        "",
        "[]",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":[{"index":1,"message":{}}]}"#,
    ] {
        assert_eq!(read_reply(body.as_bytes()), Err(Unanswered::Malformed), "{body}");
    }
}

/// An answer in the order that a message has.
pub(super) fn reply() -> impl Strategy<Value = Reply> {
    let text = || "[a-zé\"\\\\\n]{1,8}";
    let thought = (text(), prop::option::of(text()));
    let arguments = prop::sample::select(vec!["{}", r#"{"a": "}{\""}"#, r#"{"b":[1.50,{"c":null}]}"#]);
    let call = (text(), arguments, prop::option::of(text()));
    let parts = (
        prop::collection::vec(thought, 0..3),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::collection::vec(call, 0..4),
    );
    let counts = prop::option::of(prop::array::uniform7(0u64..1000));
    (
        parts,
        counts,
        prop::option::of(prop::sample::select(vec!["default".to_owned(), "flex".to_owned()])),
    )
        .prop_map(|((thoughts, sealed, said, declined, calls), counts, tier)| {
            let mut output = Vec::new();
            for (text, signature) in thoughts {
                // Unsigned, it would become one with the next.
                let signature = Some(signature.unwrap_or_else(|| "s".to_owned()));
                output.push(Output::Thought { text, signature });
            }
            output.extend(sealed.map(Output::SealedThought));
            output.extend(said.map(Output::Text));
            let is_declined = declined.is_some();
            output.extend(declined.map(Output::Declined));
            let is_calling = !calls.is_empty();
            for (place, (name, arguments, signature)) in calls.into_iter().enumerate() {
                output.push(Output::Call {
                    id: format!("c{place}"),
                    name,
                    arguments: arguments.to_owned(),
                    signature,
                });
            }
            let usage = counts.map(
                |[
                    input,
                    cached_input,
                    cache_write_5m,
                    input_audio,
                    output,
                    reasoning,
                    output_audio,
                ]| Usage {
                    input,
                    cached_input,
                    cache_write_5m,
                    input_audio,
                    output,
                    reasoning,
                    output_audio,
                    ..Usage::default()
                },
            );
            Reply {
                id: "r".to_owned(),
                model: "m".to_owned(),
                output,
                stop: Some(match (is_calling, is_declined) {
                    (true, _) => Stop::Calls,
                    (_, true) => Stop::Declined,
                    _ => Stop::End,
                }),
                usage,
                tier,
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(reply in reply()) {
        prop_assert_eq!(read_reply(&write_reply(&reply, &TOLD)), Ok(reply));
    }

    #[test]
    fn no_bytes_panic(body: Vec<u8>, text in "[\\[{\"a-z:,}\\]0-9]{0,40}") {
        let within = format!(r#"{{"choices":[{{"message":{{"content":{text},"tool_calls":{text}}}}}]}}"#);
        let _ = (read_reply(&body), read_reply(text.as_bytes()), read_reply(within.as_bytes()));
    }
}
