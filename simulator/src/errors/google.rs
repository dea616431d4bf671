//! Google's errors: `google.rpc.Status` as JSON.
//!
//! In: a problem. Out: the body, with the canonical status and the details that come with it (`ErrorInfo`, `QuotaFailure`,
//! `RetryInfo`, `BadRequest`), as <https://ai.google.dev/gemini-api/docs/troubleshooting> and
//! <https://cloud.google.com/apis/design/errors> describe them.

use super::Problem;
use crate::json::{Object, object};

/// What comes with a status unasked.
pub fn usual(status: u16) -> &'static str {
    match status {
        401 => {
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        }
        403 => "The caller does not have permission",
        404 => "Requested entity was not found.",
        429 => {
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
        }
        500 => {
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
        }
        503 => "The model is overloaded. Please try again later.",
        504 => "Deadline expired before operation could complete.",
        _ => "The simulation was asked to fail.",
    }
}

/// The words of a quota that is used up.
pub fn quota(what: &str, limit: u64, model: &str, wait_s: u64) -> String {
    format!(
        "{}\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_{what}, limit: {limit}, model: {model}\nPlease retry in {wait_s}s.",
        usual(429)
    )
}

/// A key that is none.
pub fn bad_key() -> Problem {
    Problem::invalid("API key not valid. Please pass a valid API key.").for_reason("API_KEY_INVALID")
}

/// No key at all.
pub fn no_key() -> Problem {
    Problem::invalid(
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    )
    .with_status(403)
}

/// The body of a problem.
pub fn body(problem: &Problem) -> Object {
    let mut error = object! {
        "code": u64::from(problem.status),
        "message": problem.message,
        "status": canonical(problem.status),
    };
    let mut details = Vec::new();
    if let Some(reason) = problem.kind {
        details.push(object! {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": object! {"service": "generativelanguage.googleapis.com"},
        });
    }
    if problem.status == 429 {
        let violation = object! {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
        };
        details.push(object! {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": vec![violation],
        });
        details.push(object! {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", problem.wait.unwrap_or(1)),
        });
    }
    if problem.status == 400 && problem.message.starts_with("Invalid ") {
        let violation = object! {"description": problem.message};
        details.push(object! {
            "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": vec![violation],
        });
    }
    if !details.is_empty() {
        error.put("details", &details);
    }
    object! {"error": error}
}

/// The canonical code of `google.rpc.Code` that goes with an HTTP status.
fn canonical(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 499 => "CANCELLED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
