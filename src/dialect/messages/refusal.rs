//! Errors: a provider's, read, and how one is told to a client.
//!
//! In: a status and any bytes. Out: a [`Refusal`]; and back, a type and a message. The status of an answer to a client is
//! decided elsewhere.
//!
//! Sources: Anthropic's page "Errors"; `types/shared/error_type.py` and the `error_code`s beside it in the Python SDK. What
//! has no code of its own is known by words of its message, as they are reported by those who met it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conversation::{Cause, Refusal};

#[derive(Default, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// What is under `error`.
#[derive(Default, Deserialize)]
pub(super) struct Error<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
}

#[derive(Default, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

/// Reads a provider's error.
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    let wire: Wire = serde_json::from_slice(body).unwrap_or_default();
    let mut error = Error::within(wire.error);
    error.message = error.message.or(wire.message);
    error.refusal(status)
}

impl<'a> Error<'a> {
    /// What is under `error`; some servers that follow this API say no more there than a message.
    pub(super) fn within(raw: Option<&'a RawValue>) -> Self {
        let text = raw.map_or("", RawValue::get);
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            message: serde_json::from_str(text).ok(),
            ..Self::default()
        })
    }

    /// What it means; `status` is 200 where it came within an answer.
    pub(super) fn refusal(&self, status: u16) -> Refusal {
        let message = self.message.as_deref().unwrap_or_default();
        Refusal::new(self.cause(status, &message.to_ascii_lowercase()), message)
    }

    fn cause(&self, status: u16, message: &str) -> Cause {
        let has = |words: &[&str]| words.iter().any(|words| message.contains(words));
        let code = self.details.as_ref().and_then(|details| details.error_code.as_deref());
        match code.unwrap_or_default() {
            "ramp_limit_exceeded" => return Cause::RateLimited,
            "organization_on_hold" => return Cause::Permission,
            "request_body_too_large_after_decoding" => return Cause::TooLarge,
            code if code.contains("spend_limit") || code.contains("billing") => return Cause::Exhausted,
            _ => {}
        }
        // Of `invalid_request_error` there are many kinds.
        let cause = match (self.r#type.as_deref().unwrap_or_default(), status) {
            ("authentication_error", _) => Cause::Authentication,
            ("billing_error", _) => Cause::Exhausted,
            ("permission_error", _) => Cause::Permission,
            ("not_found_error", _) => Cause::NotFound,
            ("request_too_large", _) => Cause::TooLarge,
            ("rate_limit_error", _) => Cause::RateLimited,
            ("timeout_error", _) => Cause::Timeout,
            ("overloaded_error", _) => Cause::Overloaded,
            ("api_error", 504) => Cause::Timeout,
            ("api_error", _) => Cause::Server,
            (_, 413) => Cause::TooLarge,
            (_, 401) => Cause::Authentication,
            (_, 402) => Cause::Exhausted,
            (_, 403) => Cause::Permission,
            (_, 404 | 405) => Cause::NotFound,
            (_, 408 | 504) => Cause::Timeout,
            (_, 429) => Cause::RateLimited,
            (_, 503 | 529) => Cause::Overloaded,
            ("invalid_request_error", _) | (_, 400..500) => Cause::Invalid,
            _ => Cause::Server,
        };
        match cause {
            Cause::Invalid | Cause::TooLarge if has(TOO_LONG) => Cause::ContextExceeded,
            Cause::Invalid | Cause::Permission | Cause::RateLimited if has(EXHAUSTED) => Cause::Exhausted,
            Cause::Invalid if has(&["has been disabled"]) => Cause::Permission,
            Cause::Invalid if has(&["content filtering policy"]) => Cause::Filtered,
            cause => cause,
        }
    }
}

/// "prompt is too long: 212345 tokens > 200000 maximum", "input length and `max_tokens` exceed context limit: …"; the rest
/// is what servers that follow this API say.
const TOO_LONG: &[&str] = &[
    "prompt is too long",
    "exceed context limit",
    "context window",
    "context length",
    "input is too long",
];

/// "Your credit balance is too low to access the Anthropic API", "You have reached your specified API usage limits".
const EXHAUSTED: &[&str] = &["credit balance is too low", "usage limits", "insufficient balance"];

/// A refusal in this dialect's words: the `type` and `message` of an error. The provider's own words are passed on only
/// where they concern the client's request.
pub(super) fn told(refusal: &Refusal) -> (&'static str, &str) {
    let (kind, message) = match refusal.cause {
        Cause::Invalid => ("invalid_request_error", "The request is not valid."),
        Cause::ContextExceeded => ("invalid_request_error", "prompt is too long"),
        Cause::Filtered => ("invalid_request_error", "A content filter stopped the answer."),
        Cause::TooLarge => ("request_too_large", "The request is too large."),
        Cause::NotFound => ("not_found_error", "The model is not there."),
        Cause::RateLimited => ("rate_limit_error", "The model's provider takes no more requests now."),
        Cause::Overloaded => ("overloaded_error", "The model's provider is overloaded."),
        Cause::Timeout => ("timeout_error", "The model's provider took too long."),
        // The credential and the account are not the client's.
        Cause::Authentication | Cause::Permission | Cause::Exhausted | Cause::Server => {
            ("api_error", "The model's provider broke off the answer.")
        }
    };
    match refusal.cause.is_the_clients() && !refusal.message.is_empty() {
        true => (kind, &refusal.message),
        false => (kind, message),
    }
}
