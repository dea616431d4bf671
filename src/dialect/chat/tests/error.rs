use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conversation::Cause;
use crate::dialect::chat::read_refusal;

fn cause(status: u16, body: &Value) -> Cause {
    read_refusal(status, body.to_string().as_bytes()).cause
}

fn error(message: &str, kind: &str, code: Value) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

#[test]
fn each_providers_errors_are_told_apart() {
    let none = Value::Null;
    for (status, body, expected) in [
        (
            400,
            error("Too long.", "invalid_request_error", json!("context_length_exceeded")),
            Cause::ContextExceeded,
        ),
        (
            400,
            error(
                "This model's maximum context length is 131072 tokens. However, you requested 131134 tokens.",
                "invalid_request_error",
                json!("invalid_request_error"),
            ),
            Cause::ContextExceeded,
        ),
        (
            400,
            json!({"object": "error", "message": "This model's maximum context length is 4096 tokens.", "type": "BadRequestError", "code": 400}),
            Cause::ContextExceeded,
        ),
        (
            400,
            json!({"code": "Client specified an invalid argument",
                "error": "This model's maximum prompt length is 131072 but the request contains 2000000 tokens."}),
            Cause::ContextExceeded,
        ),
        (
            400,
            json!({"error": {"message": "The response was filtered", "code": "content_filter", "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
            Cause::Filtered,
        ),
        (
            429,
            error(
                "You exceeded your current quota",
                "insufficient_quota",
                json!("insufficient_quota"),
            ),
            Cause::Exhausted,
        ),
        (
            402,
            error("Insufficient Balance", "unknown_error", none.clone()),
            Cause::Exhausted,
        ),
        (
            429,
            error("Rate limit reached", "requests", json!("rate_limit_exceeded")),
            Cause::RateLimited,
        ),
        (
            413,
            error("Request too large for model", "tokens", json!("rate_limit_exceeded")),
            Cause::RateLimited,
        ),
        (413, json!("Payload too large"), Cause::TooLarge),
        (
            404,
            error(
                "The model does not exist",
                "invalid_request_error",
                json!("model_not_found"),
            ),
            Cause::NotFound,
        ),
        (
            404,
            json!({"error": {"code": "DeploymentNotFound", "message": "no"}}),
            Cause::NotFound,
        ),
        (
            401,
            error(
                "Incorrect API key provided",
                "invalid_request_error",
                json!("invalid_api_key"),
            ),
            Cause::Authentication,
        ),
        (
            400,
            json!([{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]),
            Cause::Authentication,
        ),
        (
            403,
            json!({"error": {"code": 403, "message": "Your input was flagged"}}),
            Cause::Filtered,
        ),
        (403, json!({"message": "no"}), Cause::Permission),
        (
            422,
            json!({"detail": [{"loc": ["body"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]}),
            Cause::Invalid,
        ),
        (
            429,
            json!({"message": "Requests rate limit exceeded"}),
            Cause::RateLimited,
        ),
        (498, error("flex", "x", json!("capacity_exceeded")), Cause::Overloaded),
        (
            503,
            error("The engine is overloaded", "server_error", none.clone()),
            Cause::Overloaded,
        ),
        (504, json!({}), Cause::Timeout),
        (500, error("oops", "server_error", none.clone()), Cause::Server),
        (502, json!(null), Cause::Server),
        (
            200,
            json!({"error": {"code": 429, "message": "slow down"}}),
            Cause::RateLimited,
        ),
        (200, json!({"error": {"code": 502, "message": "down"}}), Cause::Server),
        (200, json!({"error": "model is loading"}), Cause::Server),
        (
            200,
            json!({"choices": [{"index": 0, "error": {"code": 503, "message": "x"}, "finish_reason": "error"}]}),
            Cause::Overloaded,
        ),
        (200, error("bad", "invalid_request_error", none.clone()), Cause::Invalid),
        (
            400,
            error(
                "Unsupported parameter",
                "invalid_request_error",
                json!("unsupported_parameter"),
            ),
            Cause::Invalid,
        ),
    ] {
        assert_eq!(cause(status, &body), expected, "{status} {body}");
    }
}

#[test]
fn the_message_is_found_wherever_it_stands() {
    for body in [
        json!({"error": {"message": "why"}}),
        json!({"error": "why"}),
        json!({"message": "why"}),
        json!({"detail": [{"msg": "why"}]}),
        json!({"message": {"detail": [{"msg": "why"}]}}),
        json!([{"error": {"message": "why"}}]),
        json!("why"),
    ] {
        assert_eq!(read_refusal(400, body.to_string().as_bytes()).message, "why", "{body}");
    }
    assert_eq!(read_refusal(500, b"<html>").message, "");
}

proptest! {
    #[test]
    fn no_bytes_panic(status: u16, body: Vec<u8>, text in "[\\[{\"a-z:,}\\]0-9]{0,40}") {
        let _ = (read_refusal(status, &body), read_refusal(status, text.as_bytes()));
    }
}
