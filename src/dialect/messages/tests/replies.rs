use proptest::prelude::*;
use serde_json::{Value, json};

use super::told;
use crate::conversation::{Cause, Output, Refusal, Reply, Stop};
use crate::dialect::Unanswered;
use crate::dialect::messages::{read_refusal, read_reply, write_reply};
use crate::usage::Usage;

fn read(body: &Value) -> Result<Reply, Unanswered> {
    read_reply(body.to_string().as_bytes())
}

fn written(reply: &Reply) -> Value {
    serde_json::from_slice(&write_reply(reply, &told())).unwrap()
}

#[test]
fn an_answer_is_read_and_written_again() {
    let golden = include_bytes!("../../golden/messages.anthropic.json");
    let reply = read_reply(golden).unwrap();
    let usage = Usage {
        input: 2095,
        cached_input: 2050,
        cache_write_5m: 2000,
        cache_write_1h: 51,
        output: 503,
        ..Usage::default()
    };
    let expected = Reply {
        id: "msg_013Zva2CMHLNnXjNJJKqJ2EF".to_owned(),
        model: "claude-opus-4-1-20250805".to_owned(),
        output: vec![
            Output::Thought {
                text: "Hm".to_owned(),
                signature: Some("EqQB".to_owned()),
            },
            Output::Text("Hi!".to_owned()),
            Output::Call {
                id: "toolu_1".to_owned(),
                name: "f".to_owned(),
                arguments: r#"{"city":"Ulm","n":[1,{"x":"y"}]}"#.to_owned(),
                signature: None,
            },
        ],
        stop: Some(Stop::Calls),
        usage: Some(usage),
        tier: Some("batch".to_owned()),
    };
    assert_eq!(reply, expected);
    let mut golden: Value = serde_json::from_slice(golden).unwrap();
    golden["content"][1].as_object_mut().unwrap().remove("citations");
    golden["usage"].as_object_mut().unwrap().remove("server_tool_use");
    assert_eq!(written(&reply), golden);
}

#[test]
fn whatever_a_provider_left_out_is_filled_in() {
    let written = written(&Reply {
        output: vec![Output::Call {
            id: "call_1".to_owned(),
            name: "f".to_owned(),
            arguments: "{\"cut".to_owned(),
            signature: Some("Gemini's".to_owned()),
        }],
        ..Reply::default()
    });
    let expected = json!({"id": "msg_abc", "type": "message", "role": "assistant", "model": "smart",
        "content": [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}});
    assert_eq!(written, expected);
}

#[test]
fn each_stop_has_its_reason() {
    let cases = [
        (Some(Stop::End), "end_turn"),
        (Some(Stop::Length), "max_tokens"),
        (Some(Stop::Calls), "tool_use"),
        (Some(Stop::Sequence(Some("END".to_owned()))), "stop_sequence"),
        (Some(Stop::Declined), "refusal"),
        (Some(Stop::ContextFull), "model_context_window_exceeded"),
    ];
    for (stop, reason) in cases {
        let reply = Reply {
            stop: stop.clone(),
            ..Reply::default()
        };
        let body = written(&reply);
        assert_eq!(body["stop_reason"], reason);
        assert_eq!(read(&body).unwrap().stop, stop);
    }
    let reason = |reply: Reply| written(&reply)["stop_reason"].take();
    assert_eq!(reason(Reply::default()), "end_turn");
    let filtered = Reply {
        stop: Some(Stop::Filtered),
        ..Reply::default()
    };
    assert_eq!(reason(filtered), "refusal");
    let declined = Reply {
        output: vec![Output::Declined("No.".to_owned())],
        stop: Some(Stop::End),
        ..Reply::default()
    };
    assert_eq!(reason(declined), "refusal");
    assert_eq!(
        read(&json!({"content": [], "stop_reason": "novel"})).unwrap().stop,
        None
    );
}

#[test]
fn a_classifiers_reason_is_words_of_declining() {
    let reply = read(&json!({"content": [], "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "bio", "explanation": "Not this."}}));
    assert_eq!(reply.unwrap().output, [Output::Declined("Not this.".to_owned())]);
    let silent = read(&json!({"content": [], "stop_reason": "refusal", "stop_details": null})).unwrap();
    assert_eq!((silent.output, silent.stop), (vec![], Some(Stop::Declined)));
}

#[test]
fn what_is_no_answer_is_told_apart() {
    assert_eq!(read(&json!({"id": "msg"})), Err(Unanswered::Malformed));
    assert_eq!(read_reply(b"<html>"), Err(Unanswered::Malformed));
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let refusal = Refusal::new(Cause::Overloaded, "Overloaded");
    assert_eq!(read(&overloaded), Err(Unanswered::Refused(refusal)));
    let plain = read(&json!({"error": "no"}));
    assert_eq!(plain, Err(Unanswered::Refused(Refusal::new(Cause::Server, "no"))));
}

#[test]
fn errors_are_known_by_code_type_status_and_words() {
    let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let coded =
        |code: &str| json!({"error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": code}}});
    let invalid = |message: &str| error("invalid_request_error", message);
    let cases = [
        (400, invalid("messages: field required"), Cause::Invalid),
        (
            400,
            invalid("prompt is too long: 212345 tokens > 200000 maximum"),
            Cause::ContextExceeded,
        ),
        (
            400,
            invalid("input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
            Cause::ContextExceeded,
        ),
        (
            400,
            invalid("Your credit balance is too low to access the Anthropic API."),
            Cause::Exhausted,
        ),
        (
            400,
            invalid("You have reached your specified API usage limits."),
            Cause::Exhausted,
        ),
        (
            400,
            invalid("Output blocked by content filtering policy"),
            Cause::Filtered,
        ),
        (400, invalid("This organization has been disabled."), Cause::Permission),
        (
            413,
            error("request_too_large", "Request exceeds the maximum size"),
            Cause::TooLarge,
        ),
        (413, invalid("Prompt is too long"), Cause::ContextExceeded),
        (
            401,
            error("authentication_error", "invalid x-api-key"),
            Cause::Authentication,
        ),
        (402, error("billing_error", "m"), Cause::Exhausted),
        (403, error("permission_error", "m"), Cause::Permission),
        (404, error("not_found_error", "model: x"), Cause::NotFound),
        (429, error("rate_limit_error", "m"), Cause::RateLimited),
        (429, coded("ramp_limit_exceeded"), Cause::RateLimited),
        (429, coded("enforced_spend_limit_reached"), Cause::Exhausted),
        (403, coded("organization_on_hold"), Cause::Permission),
        (500, error("api_error", "Internal server error"), Cause::Server),
        (504, error("timeout_error", "m"), Cause::Timeout),
        (529, error("overloaded_error", "Overloaded"), Cause::Overloaded),
        (502, json!("Bad gateway"), Cause::Server),
        (503, json!({"message": "m"}), Cause::Overloaded),
        (429, json!({"error": "slow down"}), Cause::RateLimited),
        (422, json!({"message": "m"}), Cause::Invalid),
    ];
    for (status, body, cause) in cases {
        assert_eq!(
            read_refusal(status, body.to_string().as_bytes()).cause,
            cause,
            "{status} {body}"
        );
    }
    assert_eq!(read_refusal(400, invalid("m").to_string().as_bytes()).message, "m");
    assert_eq!(read_refusal(400, br#"{"message":"m"}"#).message, "m");
}

proptest! {
    #[test]
    fn no_bytes_panic(status: u16, body: Vec<u8>, cut in 0..600_usize, byte: u8) {
        let _ = read_reply(&body);
        read_refusal(status, &body);
        let mut golden = include_bytes!("../../golden/messages.anthropic.json").to_vec();
        let at = cut % golden.len();
        golden[at] = byte;
        let _ = read_reply(&golden);
        read_refusal(status, &golden);
    }
}
