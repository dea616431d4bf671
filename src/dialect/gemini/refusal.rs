//! Why Google gives no answer.
//!
//! In: a status and a body (`{"error": {"code", "message", "status", "details"}}`, in an array from some endpoints), or the
//! reason for which a prompt was blocked. Out: a [`Refusal`].
//!
//! Sources: ai.google.dev/gemini-api/docs/troubleshooting (statuses), google.rpc's `code.proto` and `error_details.proto`
//! (`ErrorInfo.reason`, `QuotaFailure`). What only the message tells (too long a prompt, too large a body, a bad key) is
//! known by words that Google's own errors have had.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conversation::{Cause, Refusal};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    error: Error<'a>,
}

#[derive(Default, Deserialize)]
struct Error<'a> {
    code: Option<u16>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

/// Reads an error. `status`: the answer's own; 0 where it had been a success.
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    let error = match body.trim_ascii().starts_with(b"[") {
        true => serde_json::from_slice::<[Body; 1]>(body).map(|[body]| body.error),
        false => serde_json::from_slice::<Body>(body).map(|body| body.error),
    };
    let error = error.unwrap_or_default();
    let message = error.message.as_deref().unwrap_or_default();
    let details = error.details.map(RawValue::get).unwrap_or_default();
    let code = error.code.filter(|_| status == 0).unwrap_or(status);
    Refusal::new(
        cause(code, error.status.as_deref().unwrap_or_default(), message, details),
        message,
    )
}

/// A prompt that was blocked before the model saw it.
pub(super) fn blocked(reason: &str, message: Option<&str>) -> Refusal {
    match message.filter(|message| !message.is_empty()) {
        Some(message) => Refusal::new(Cause::Filtered, message),
        None => Refusal::new(Cause::Filtered, &format!("The prompt was blocked: {reason}.")),
    }
}

fn cause(code: u16, status: &str, message: &str, details: &str) -> Cause {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (status, code) {
        // A bad key is INVALID_ARGUMENT to Google.
        _ if details.contains("API_KEY_INVALID")
            || details.contains("API_KEY_EXPIRED")
            || says(&["API key not valid", "API key expired"]) =>
        {
            Cause::Authentication
        }
        ("RESOURCE_EXHAUSTED", _) | (_, 429) => {
            match details.contains("PerDay") || says(&["prepayment credits", "billing is disabled"]) {
                true => Cause::Exhausted,
                false => Cause::RateLimited,
            }
        }
        ("UNAUTHENTICATED", _) | (_, 401) => Cause::Authentication,
        (_, 402) => Cause::Exhausted,
        ("PERMISSION_DENIED", _) | (_, 403) => match details.contains("BILLING_DISABLED") {
            true => Cause::Exhausted,
            false => Cause::Permission,
        },
        ("NOT_FOUND", _) | (_, 404) => Cause::NotFound,
        ("DEADLINE_EXCEEDED", _) | (_, 408 | 504) => Cause::Timeout,
        ("UNAVAILABLE", _) | (_, 503 | 529) => Cause::Overloaded,
        (_, 413) => Cause::TooLarge,
        // Where the account or the place we call from is not let in.
        ("FAILED_PRECONDITION", _) if says(&["location is not supported", "billing", "free tier"]) => Cause::Permission,
        ("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE", _) | (_, 400 | 422) => match () {
            () if says(&["exceeds the maximum number of tokens", "input context is too long"]) => {
                Cause::ContextExceeded
            }
            () if says(&["payload size exceeds", "request size exceeds"]) => Cause::TooLarge,
            () => Cause::Invalid,
        },
        (_, 405..=499) => Cause::Invalid,
        _ => Cause::Server,
    }
}
