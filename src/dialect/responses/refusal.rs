//! Why a provider of this dialect gave no answer.
//!
//! In: a status and a body, or the error object of an event. Out: a [`Refusal`]. A code says more than a type, a type more
//! than a status. Compatible servers write the object in other places, or a text instead of it.
//!
//! Sources: OpenAI's guide on error codes and `ResponseError.code` of its SDKs; Azure's `content_filter`; FastAPI's
//! `detail` (vLLM and others).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::read_reply::string;
use crate::conversation::refusal::{Cause, Refusal};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wrong<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// Reads an error. Any bytes will do.
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    read(Some(status), body)
}

/// The same of an object in an event or an answer, where there is no status.
pub(super) fn within(error: &[u8]) -> Refusal {
    read(None, error)
}

fn read(status: Option<u16>, body: &[u8]) -> Refusal {
    let outer: Wrong<'_> = serde_json::from_slice(body).unwrap_or_default();
    let inner: Wrong<'_> = match outer.error {
        Some(error) => serde_json::from_str(error.get()).unwrap_or_default(),
        None => Wrong::default(),
    };
    let said = [inner.message, outer.message, outer.error, outer.detail];
    let message = said.into_iter().find_map(string).unwrap_or_default();
    let code = string(inner.code).or_else(|| string(outer.code)).unwrap_or_default();
    let kind = string(inner.kind).or_else(|| string(outer.kind)).unwrap_or_default();
    let cause = by_code(&code, &message)
        .or_else(|| by_code(&kind, &message))
        .or_else(|| by_message(status, &message))
        .or_else(|| status.and_then(by_status))
        .or_else(|| by_type(&kind))
        .unwrap_or(Cause::Server);
    Refusal::new(cause, &message)
}

fn by_code(code: &str, message: &str) -> Option<Cause> {
    Some(match code {
        "context_length_exceeded" => Cause::ContextExceeded,
        "content_filter"
        | "content_policy_violation"
        | "ResponsibleAIPolicyViolation"
        | "moderation_blocked"
        | "bio_policy"
        | "cyber_policy"
        | "misalignment_policy_violation"
        | "image_content_policy_violation" => Cause::Filtered,
        // "Invalid prompt: your prompt was flagged as potentially violating our usage policy."
        "invalid_prompt" if message.contains("flagged") || message.contains("usage policy") => Cause::Filtered,
        "invalid_prompt" | "unsupported_parameter" | "unsupported_value" | "invalid_encrypted_content" => {
            Cause::Invalid
        }
        "request_too_large" => Cause::TooLarge,
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "credit_balance_exhausted"
        | "organization_spend_limit_exceeded"
        | "organization_usage_limit_exceeded"
        | "project_spend_limit_exceeded" => Cause::Exhausted,
        "rate_limit_exceeded" | "slow_down" => Cause::RateLimited,
        "server_is_overloaded" => Cause::Overloaded,
        "invalid_api_key" | "account_deactivated" => Cause::Authentication,
        "unsupported_country_region_territory" => Cause::Permission,
        "model_not_found" | "DeploymentNotFound" => Cause::NotFound,
        _ => return code.starts_with("invalid_image").then_some(Cause::Invalid),
    })
}

/// Servers that follow OpenAI have no code for this; the words are OpenAI's, vLLM's and llama.cpp's.
fn by_message(status: Option<u16>, message: &str) -> Option<Cause> {
    let long = [
        "maximum context length",
        "context window",
        "context length",
        "exceeds the available context size",
    ];
    let is_refused = status.is_none_or(|status| matches!(status, 400 | 413 | 422));
    (is_refused && long.iter().any(|words| message.contains(words))).then_some(Cause::ContextExceeded)
}

fn by_status(status: u16) -> Option<Cause> {
    Some(match status {
        401 => Cause::Authentication,
        402 => Cause::Exhausted,
        403 => Cause::Permission,
        404 => Cause::NotFound,
        408 | 504 => Cause::Timeout,
        413 => Cause::TooLarge,
        429 => Cause::RateLimited,
        503 | 529 => Cause::Overloaded,
        400..=499 => Cause::Invalid,
        500..=599 => Cause::Server,
        _ => return None,
    })
}

fn by_type(kind: &str) -> Option<Cause> {
    Some(match kind {
        "invalid_request_error" | "image_generation_user_error" => Cause::Invalid,
        "authentication_error" => Cause::Authentication,
        "permission_error" => Cause::Permission,
        "not_found_error" => Cause::NotFound,
        "rate_limit_error" | "tokens" | "requests" => Cause::RateLimited,
        "service_unavailable_error" | "overloaded_error" => Cause::Overloaded,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_come_before_types_and_types_before_statuses() {
        let error = |kind: &str, code: &str, message: &str| {
            json!({"error": {"type": kind, "code": code, "message": message, "param": null}}).to_string()
        };
        for (status, body, cause) in [
            (
                400,
                error("invalid_request_error", "context_length_exceeded", "Your input"),
                Cause::ContextExceeded,
            ),
            (
                400,
                error("invalid_request_error", "unsupported_value", "no"),
                Cause::Invalid,
            ),
            (
                400,
                error("invalid_request_error", "invalid_prompt", "Your prompt was flagged"),
                Cause::Filtered,
            ),
            (400, error("", "content_filter", "filtered"), Cause::Filtered),
            (
                401,
                error("invalid_request_error", "invalid_api_key", "no"),
                Cause::Authentication,
            ),
            (403, error("", "", ""), Cause::Permission),
            (
                404,
                error("invalid_request_error", "model_not_found", ""),
                Cause::NotFound,
            ),
            (
                429,
                error("insufficient_quota", "insufficient_quota", ""),
                Cause::Exhausted,
            ),
            (429, error("insufficient_quota", "something_new", ""), Cause::Exhausted),
            (429, error("tokens", "rate_limit_exceeded", ""), Cause::RateLimited),
            (
                503,
                error("service_unavailable_error", "server_is_overloaded", ""),
                Cause::Overloaded,
            ),
            (500, error("server_error", "", ""), Cause::Server),
            (503, error("server_error", "", ""), Cause::Overloaded),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 10 tokens.","code":400}"#
                    .to_owned(),
                Cause::ContextExceeded,
            ),
            (422, r#"{"detail":"no"}"#.to_owned(), Cause::Invalid),
            (413, "<html>".to_owned(), Cause::TooLarge),
            (504, String::new(), Cause::Timeout),
            (200, "[]".to_owned(), Cause::Server),
        ] {
            assert_eq!(read_refusal(status, body.as_bytes()).cause, cause, "{status} {body}");
        }
        assert_eq!(read_refusal(422, br#"{"detail":"why"}"#).message, "why");
        assert_eq!(read_refusal(400, br#"{"error":"why"}"#).message, "why");
        let event = within(br#"{"type":"invalid_request_error","code":null,"message":"why"}"#);
        assert_eq!(event, Refusal::new(Cause::Invalid, "why"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(status: u16, body: Vec<u8>) {
            let _ = (read_refusal(status, &body), within(&body));
        }
    }
}
