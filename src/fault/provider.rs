//! A provider's error, told to a client whose dialect is another.
//!
//! In: what is wrong, and the provider's words. Out: status, codes and words. The provider's words are shown where they
//! concern the client's own request, and nowhere else: they may name the gateway's account.

use super::Telling;
use crate::conversation::Cause;

/// The label under which it is counted.
pub(super) fn outcome(cause: Cause) -> &'static str {
    match cause {
        Cause::Invalid | Cause::TooLarge => "client_error",
        Cause::ContextExceeded => "context_window_exceeded",
        Cause::Filtered => "content_filtered",
        Cause::Authentication | Cause::Permission => "provider_credential",
        Cause::Exhausted => "provider_exhausted",
        Cause::RateLimited => "provider_rate_limited",
        Cause::Timeout => "provider_timeout",
        Cause::NotFound | Cause::Overloaded | Cause::Server => "provider_error",
    }
}

/// What the client is told.
pub(super) fn telling(cause: Cause, message: &str) -> Telling {
    const CLIENTS: &str = "invalid_request_error";
    const OURS: &str = "server_error";
    let (status, openai, code, ours) = match cause {
        Cause::Invalid => (400, CLIENTS, None, "The model's provider refused the request."),
        Cause::ContextExceeded => (
            400,
            CLIENTS,
            Some("context_length_exceeded"),
            "The request is longer than the model's context window.",
        ),
        Cause::Filtered => (
            400,
            CLIENTS,
            Some("content_filter"),
            "The provider's content filter does not let the request through.",
        ),
        Cause::TooLarge => (
            413,
            CLIENTS,
            Some("request_too_large"),
            "The request is larger than the model's provider takes.",
        ),
        Cause::NotFound => (
            502,
            OURS,
            Some("upstream_model_not_found"),
            "The model's provider does not know it by the name it has here. Tell the gateway's operator.",
        ),
        Cause::Authentication | Cause::Permission => (
            502,
            OURS,
            Some("upstream_credential"),
            "The model's provider did not accept the gateway's own credential. Tell the gateway's operator.",
        ),
        Cause::Exhausted => (
            503,
            OURS,
            Some("upstream_exhausted"),
            "The gateway's account at the model's provider is used up. Tell the gateway's operator.",
        ),
        Cause::RateLimited => (
            429,
            "requests",
            Some("upstream_rate_limited"),
            "The model's provider takes no more requests from the gateway at the moment. Try again later.",
        ),
        Cause::Overloaded => (
            503,
            OURS,
            Some("upstream_overloaded"),
            "The model's provider is overloaded. Try again later.",
        ),
        Cause::Timeout => (
            504,
            OURS,
            Some("upstream_timeout"),
            "The model's provider did not answer in time.",
        ),
        Cause::Server => (
            502,
            OURS,
            Some("upstream_error"),
            "The model's provider failed. Try again.",
        ),
    };
    let theirs = cause.is_the_clients() && !message.trim().is_empty();
    Telling {
        status,
        openai,
        code,
        param: None,
        message: if theirs { message.to_owned() } else { ours.to_owned() },
    }
}
