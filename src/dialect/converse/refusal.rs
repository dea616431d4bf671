//! Why Bedrock gives no answer.
//!
//! In: a status and a body (`{"message"}`, from some layers `Message` or with a `__type`), or an exception in a stream by
//! name. Out: a [`Refusal`].
//!
//! An exception's name is in a header of a whole answer, which is not looked at: its status says almost the same, and the
//! message the rest. Sources: the errors of `Converse` in the service's description; Bedrock's user guide,
//! "Troubleshooting Amazon Bedrock API error codes". What only the message tells is known by words that Bedrock's own
//! errors have had.

use std::borrow::Cow;

use serde::Deserialize;

use crate::conversation::{Cause, Refusal};

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "Message")]
    capital: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "originalMessage")]
    original: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "__type")]
    kind: Option<Cow<'a, str>>,
}

/// Reads an error.
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    refusal(None, status, body)
}

/// Reads an exception of a stream.
pub(super) fn exception(name: &str, body: &[u8]) -> Refusal {
    refusal(Some(name), 0, body)
}

fn refusal(name: Option<&str>, status: u16, body: &[u8]) -> Refusal {
    let body = match body.trim_ascii().starts_with(b"{") {
        true => serde_json::from_slice::<Body>(body).unwrap_or_default(),
        false => Body::default(),
    };
    let message = [&body.message, &body.capital, &body.original]
        .into_iter()
        .flatten()
        .find(|message| !message.is_empty());
    let message = message.map(|message| &**message).unwrap_or_default();
    let kind = name.or(body.kind.as_deref()).unwrap_or_default();
    // `com.amazon.coral.service#ThrottlingException:http://…`
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let kind = kind.split(':').next().unwrap_or_default();
    Refusal::new(cause(&kind.to_ascii_lowercase(), status, message), message)
}

fn cause(kind: &str, status: u16, message: &str) -> Cause {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (kind, status) {
        ("throttlingexception", _) if says(&["tokens per day"]) => Cause::Exhausted,
        ("throttlingexception", _) => Cause::RateLimited,
        ("servicequotaexceededexception", _) => Cause::Exhausted,
        ("modelnotreadyexception" | "serviceunavailableexception", _) => Cause::Overloaded,
        ("modeltimeoutexception", _) => Cause::Timeout,
        ("resourcenotfoundexception", _) => Cause::NotFound,
        ("unrecognizedclientexception" | "invalidsignatureexception" | "expiredtokenexception", _) => {
            Cause::Authentication
        }
        ("validationexception", _) => invalid(message),
        ("accessdeniedexception", _) | (_, 401 | 403) => denied(message, status),
        ("internalserverexception" | "modelerrorexception" | "modelstreamerrorexception", _) => Cause::Server,
        (_, 429) if says(&["tokens per day"]) => Cause::Exhausted,
        (_, 429) if says(&["not ready"]) => Cause::Overloaded,
        (_, 429) => Cause::RateLimited,
        (_, 402) => Cause::Exhausted,
        (_, 404) => Cause::NotFound,
        (_, 408 | 504) => Cause::Timeout,
        (_, 413) => Cause::TooLarge,
        // The model failed, whatever the class of the status says.
        (_, 424) => Cause::Server,
        (_, 503 | 529) => Cause::Overloaded,
        (_, 400..=499) => invalid(message),
        _ => Cause::Server,
    }
}

fn invalid(message: &str) -> Cause {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match () {
        () if says(&[
            "nput is too long",
            "prompt is too long",
            "exceed context limit",
            "exceeds the context",
            "maximum context length",
            "nput Tokens Exceeded",
            "exceeds the maximum number of tokens",
        ]) =>
        {
            Cause::ContextExceeded
        }
        () if says(&["blocked by our content filters"]) => Cause::Filtered,
        () if says(&[
            "model identifier is invalid",
            "throughput isn’t supported",
            "throughput isn't supported",
            "end of its life",
        ]) =>
        {
            Cause::NotFound
        }
        () if says(&["Operation not allowed", "Access to this model is not available"]) => Cause::Permission,
        () => Cause::Invalid,
    }
}

fn denied(message: &str, status: u16) -> Cause {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is_unknown = status == 401
        || says(&[
            "security token",
            "ignature",
            "Authentication failed",
            "Authentication Token",
            "API Key",
            "api key",
        ]);
    if is_unknown {
        Cause::Authentication
    } else {
        Cause::Permission
    }
}
