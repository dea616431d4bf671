//! Why there is no answer.
//!
//! In: a status and a body, or the data of an event. Out: a [`Refusal`]; and the way back, for a client's stream. What the
//! body says in a code of its own counts more than its words, and those more than the status.
//!
//! Sources: OpenAI's "Error codes", Azure OpenAI's content filter errors, OpenRouter's "Errors and debugging" (statuses in
//! `code`, errors under status 200), DeepSeek's and Groq's "Error codes" (402; 413 for a rate limit, 498), Mistral's and
//! vLLM's errors without an envelope, FastAPI's `detail`, Google's arrays of one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::conversation::{Cause, Refusal};

#[derive(Default, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
}

/// What is told of an error, put together.
#[derive(Default)]
struct Told {
    message: String,
    /// Codes, types and the like.
    codes: Vec<String>,
    /// A status within the body.
    status: Option<u16>,
}

/// How deep an error may be wrapped: an array, `error`, `detail`, `message`.
const DEPTH: u8 = 5;

impl Told {
    fn read(&mut self, raw: &str, depth: u8) {
        if depth == 0 {
            return;
        }
        if let Ok(text) = serde_json::from_str::<Cow<str>>(raw) {
            if self.message.is_empty() {
                self.message = text.into_owned();
            }
        } else if let Ok(listed) = serde_json::from_str::<Vec<&RawValue>>(raw) {
            if let Some(first) = listed.first() {
                self.read(first.get(), depth - 1);
            }
        } else if let Ok(wire) = serde_json::from_str::<Wire>(raw) {
            for code in [wire.code, wire.kind, wire.status].into_iter().flatten() {
                if let Ok(number) = serde_json::from_str(code.get()) {
                    self.status = self.status.or(Some(number));
                } else if let Ok(text) = serde_json::from_str::<String>(code.get()) {
                    self.status = self.status.or(text.parse().ok());
                    self.codes.push(text.to_ascii_lowercase());
                }
            }
            let within = [wire.error, wire.message, wire.msg, wire.detail, wire.choices];
            for raw in within.into_iter().flatten() {
                self.read(raw.get(), depth - 1);
            }
        }
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }
}

/// Reads an error: any bytes, under any status.
pub fn read_refusal(status: u16, body: &[u8]) -> Refusal {
    let mut told = Told::default();
    let text = String::from_utf8_lossy(body);
    told.read(text.trim(), DEPTH);
    let status = match (status, told.status) {
        // Said within an answer that began as a success.
        (0..=399, Some(within)) if within >= 400 => within,
        _ => status,
    };
    let words = told.message.to_ascii_lowercase();
    let cause = by_code(&told)
        .or_else(|| by_words(status, &words))
        .unwrap_or_else(|| by_status(status, &told));
    Refusal::new(cause, &told.message)
}

fn by_code(told: &Told) -> Option<Cause> {
    for (codes, cause) in [
        (
            &[
                "context_length_exceeded",
                "context_window_exceeded",
                "exceed_context_size_error",
            ][..],
            Cause::ContextExceeded,
        ),
        (
            &[
                "content_filter",
                "content_policy_violation",
                "responsibleaipolicyviolation",
                "data_inspection_failed",
            ],
            Cause::Filtered,
        ),
        (
            &[
                "insufficient_quota",
                "billing_hard_limit_reached",
                "billing_not_active",
                "payment_required",
            ],
            Cause::Exhausted,
        ),
        // Before what is told of sizes: Groq says 413 of a request that is larger than a minute's tokens.
        (
            &[
                "rate_limit_exceeded",
                "rate_limit_error",
                "rate_limit_reached_error",
                "too_many_requests",
            ],
            Cause::RateLimited,
        ),
        (
            &[
                "model_not_found",
                "deploymentnotfound",
                "model_not_available",
                "unknown_model",
            ],
            Cause::NotFound,
        ),
        (
            &[
                "invalid_api_key",
                "invalid_authentication_error",
                "authentication_error",
                "unauthenticated",
            ],
            Cause::Authentication,
        ),
        (&["permission_error", "permission_denied"], Cause::Permission),
        (
            &[
                "server_overloaded",
                "overloaded",
                "overloaded_error",
                "engine_overloaded_error",
                "capacity_exceeded",
            ],
            Cause::Overloaded,
        ),
        (&["request_timeout", "timeout", "deadline_exceeded"], Cause::Timeout),
        (&["request_too_large"], Cause::TooLarge),
    ] {
        if told.has(codes) {
            return Some(cause);
        }
    }
    None
}

/// Words by which servers say that a request is longer than the model's context window.
const LONG: [&str; 14] = [
    "maximum context length",
    "context length",
    "context window",
    "context_length",
    "context size",
    "maximum prompt length",
    "maximum number of tokens allowed",
    "prompt is too long",
    "input is too long",
    "prompt too long",
    "longer than the model",
    "too many tokens",
    "maximum model length",
    "max_model_len",
];

fn by_words(status: u16, words: &str) -> Option<Cause> {
    let has = |some: &[&str]| some.iter().any(|some| words.contains(some));
    // What is said under another status is not about the request.
    let is_of_the_request = matches!(status, 0..=399 | 400 | 413 | 422 | 500);
    if is_of_the_request && has(&LONG) {
        return Some(Cause::ContextExceeded);
    }
    if matches!(status, 0..=400 | 403 | 422)
        && has(&[
            "content management policy",
            "content filter",
            "content policy",
            "flagged",
            "usage guidelines",
            "safety system",
        ])
    {
        return Some(Cause::Filtered);
    }
    if matches!(status, 400 | 403) && has(&["incorrect api key", "api key not valid", "invalid api key"]) {
        return Some(Cause::Authentication);
    }
    if matches!(status, 403 | 429)
        && has(&[
            "insufficient balance",
            "insufficient credit",
            "out of credits",
            "no credits",
        ])
    {
        return Some(Cause::Exhausted);
    }
    if status == 429 && has(&["overloaded"]) {
        return Some(Cause::Overloaded);
    }
    None
}

fn by_status(status: u16, told: &Told) -> Cause {
    match status {
        401 => Cause::Authentication,
        402 => Cause::Exhausted,
        403 => Cause::Permission,
        404 | 410 => Cause::NotFound,
        408 | 504 | 524 => Cause::Timeout,
        413 => Cause::TooLarge,
        429 => Cause::RateLimited,
        498 | 503 | 529 => Cause::Overloaded,
        409 | 425 => Cause::Server,
        400..=499 => Cause::Invalid,
        0..=399 if told.has(&["invalid_request_error", "badrequesterror", "bad_request"]) => Cause::Invalid,
        _ => Cause::Server,
    }
}

/// An error as it stands in a client's stream.
#[derive(Serialize)]
pub(super) struct Telling<'a> {
    error: ToldError<'a>,
}

#[derive(Serialize)]
struct ToldError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: (),
    code: Option<&'static str>,
}

/// What a client is told: the provider's words only where they are about its own request.
pub(super) fn telling(refusal: &Refusal) -> Telling<'_> {
    let (kind, code) = match refusal.cause {
        Cause::ContextExceeded => ("invalid_request_error", Some("context_length_exceeded")),
        Cause::Filtered => ("invalid_request_error", Some("content_filter")),
        Cause::Invalid | Cause::TooLarge => ("invalid_request_error", None),
        _ => ("server_error", None),
    };
    let message = match refusal.cause.is_the_clients() && !refusal.message.is_empty() {
        true => &refusal.message,
        false => "The provider broke off with an error.",
    };
    Telling {
        error: ToldError {
            message,
            kind,
            param: (),
            code,
        },
    }
}
