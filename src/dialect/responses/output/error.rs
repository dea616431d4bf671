//! An error as it is written.
//!
//! In: a [`Refusal`]. Out: the error object of an answer or an event. What is no business of the client's is told in our
//! words.

use serde::Serialize;

use crate::conversation::refusal::{Cause, Refusal};

/// An error, as an answer and as an event tell it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::dialect::responses) struct Wrong<'a> {
    pub(in crate::dialect::responses) r#type: &'static str,
    pub(in crate::dialect::responses) code: &'static str,
    pub(in crate::dialect::responses) message: &'a str,
    pub(in crate::dialect::responses) param: (),
}

/// An error in this dialect's words: the provider's where they are about the client's own request, else ours.
pub(in crate::dialect::responses) fn wrong(refusal: &Refusal) -> Wrong<'_> {
    let (r#type, code, ours) = match refusal.cause {
        Cause::Invalid => ("invalid_request_error", "invalid_prompt", "The request is invalid."),
        Cause::ContextExceeded => (
            "invalid_request_error",
            "context_length_exceeded",
            "The request is longer than the model's context window.",
        ),
        Cause::Filtered => (
            "invalid_request_error",
            "content_filter",
            "A content filter does not let this through.",
        ),
        Cause::TooLarge => (
            "invalid_request_error",
            "request_too_large",
            "The request is too large.",
        ),
        Cause::RateLimited => (
            "rate_limit_error",
            "rate_limit_exceeded",
            "The provider has too many requests; try again later.",
        ),
        Cause::Overloaded => (
            "service_unavailable_error",
            "server_is_overloaded",
            "The provider is overloaded; try again later.",
        ),
        Cause::Timeout => ("server_error", "server_error", "The provider took too long."),
        Cause::NotFound | Cause::Authentication | Cause::Permission | Cause::Exhausted | Cause::Server => {
            ("server_error", "server_error", "The provider could not go on.")
        }
    };
    let theirs = refusal.cause.is_the_clients() && !refusal.message.is_empty();
    Wrong {
        r#type,
        code,
        message: if theirs { &refusal.message } else { ours },
        param: (),
    }
}
