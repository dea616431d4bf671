//! What went wrong, whose fault it is, and how it is told.
//!
//! In: a [`Fault`], named where it was found. Out: the status, the body in the client's own dialect and the label under
//! which it is counted. This is the only place where a status is decided. It does not know how an answer is sent.
//!
//! A message names what the client itself sent (its model, its method) and the way out; never another key, a provider,
//! a credential or anything of the request's content.

use crate::ask::AskError;
use crate::conversation::members::Unreadable;
use crate::conversation::{Cause, Refusal};
use crate::dialect::Dialect;
use serde_json::json;

mod limited;
mod provider;
mod telling;

use telling::{Telling, anthropic_type};

pub use limited::{Kind, Limited};

/// A reason not to serve a request, or not to pass on what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No virtual key came with the request.
    KeyMissing,
    /// The virtual key is not in the document.
    KeyUnknown,
    /// The virtual key is switched off.
    KeyDisabled,
    /// The virtual key's time is over.
    KeyExpired,
    /// The model is not configured (or not for this kind of request).
    ModelUnknown {
        /// The name the client asked for.
        model: String,
    },
    /// The key may not use the model.
    ModelForbidden {
        /// The name the client asked for.
        model: String,
    },
    /// The key is limited to certain models, and the request names none.
    ModelUnnamed,
    /// Nothing is served at this path.
    PathUnknown,
    /// The endpoint takes another method.
    MethodWrong {
        /// The method that would do.
        allowed: &'static str,
    },
    /// The body is larger than the gateway takes.
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    BodyLate,
    /// The body cannot be read as what the endpoint takes.
    BodyInvalid(AskError),
    /// The body is not JSON by its own declaration.
    ContentTypeWrong,
    /// The body is compressed.
    ContentEncoded,
    /// A WebSocket (or another upgrade) was asked for.
    Upgrade,
    /// An answer to be fetched later was asked for.
    Background,
    /// A limit, a budget or the loop guard stands in the way.
    Limited(Box<Limited>),
    /// A budget concerns the request, and nothing can be known of what it costs.
    CostUnknown,
    /// Only an operator's key opens this.
    OperatorOnly,
    /// There is no such key or session.
    SubjectUnknown,
    /// No provider is configured for such a request.
    ProviderNone,
    /// No provider could be reached, or each broke off before answering.
    ProviderUnreachable,
    /// The provider did not answer in time.
    ProviderSilent,
    /// The provider refused the gateway's own credential.
    ProviderCredential,
    /// The provider is out of patience with the gateway's account.
    ProviderBusy,
    /// The gateway's account at the provider has nothing left.
    ProviderExhausted,
    /// The provider's answer is none that can be understood.
    ProviderGarbled,
    /// The provider's own error, in other words than the client's.
    Provider(Refusal),
    /// The body is no request of the endpoint's API.
    Unreadable(Box<Unreadable>),
    /// The model's provider has no words for these members of the request.
    Untranslatable(Vec<String>),
    /// The gateway itself could not go on: a host call failed, or its configuration is missing.
    Internal,
}

/// A complete answer, ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `content-length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl Answer {
    /// JSON, with the request's id (unless it is empty) where each dialect's SDKs look for it.
    pub fn new(status: u16, request_id: &str, body: Vec<u8>) -> Self {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if !request_id.is_empty() {
            headers.extend(["x-request-id", "request-id"].map(|name| (name, request_id.to_owned())));
        }
        Self { status, headers, body }
    }
}

impl Fault {
    /// The label value under which this is counted (`outcome` of `tollgate_requests_total`).
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::KeyMissing => "refused_key_missing",
            Self::KeyUnknown => "refused_key_unknown",
            Self::KeyDisabled => "refused_key_disabled",
            Self::KeyExpired => "refused_key_expired",
            Self::ModelUnknown { .. } => "refused_model_unknown",
            Self::ModelForbidden { .. } | Self::ModelUnnamed => "refused_model_forbidden",
            Self::PathUnknown => "refused_path",
            Self::MethodWrong { .. } => "refused_method",
            Self::BodyTooLarge { .. } => "refused_body_too_large",
            Self::BodyLate => "refused_body_late",
            Self::BodyInvalid(_) | Self::ContentTypeWrong | Self::ContentEncoded => "refused_body_invalid",
            Self::Upgrade => "refused_upgrade",
            Self::Background => "refused_background",
            Self::Limited(limited) => match limited.kind {
                Kind::Requests | Kind::Tokens => "refused_rate_limit",
                Kind::Budget => "refused_budget",
                Kind::Loop(_) => "refused_loop",
            },
            Self::CostUnknown => "refused_cost_unknown",
            Self::OperatorOnly => "refused_operator_only",
            Self::SubjectUnknown => "refused_subject_unknown",
            Self::ProviderNone => "refused_no_provider",
            Self::ProviderUnreachable => "provider_unreachable",
            Self::ProviderSilent => "provider_timeout",
            Self::ProviderCredential => "provider_credential",
            Self::ProviderBusy => "provider_rate_limited",
            Self::ProviderExhausted => "provider_exhausted",
            Self::ProviderGarbled => "provider_error",
            Self::Provider(refusal) => provider::outcome(refusal.cause),
            Self::Unreadable(_) => "refused_body_invalid",
            Self::Untranslatable(_) => "refused_untranslatable",
            Self::Internal => "internal_error",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.telling().status
    }

    /// The whole answer in the client's dialect: the shape and the status from which its official SDKs raise the
    /// matching exception class, with the request's id where each SDK looks for it.
    pub fn answer(&self, dialect: Dialect, request_id: &str) -> Answer {
        let mut answer = Answer::new(self.status(), request_id, self.body(dialect, request_id));
        let headers = &mut answer.headers;
        match self {
            Self::MethodWrong { allowed } => headers.push(("allow", (*allowed).to_owned())),
            Self::KeyMissing | Self::KeyUnknown | Self::KeyDisabled | Self::KeyExpired => {
                headers.push(("www-authenticate", "Bearer".to_owned()));
            }
            Self::Limited(limited) => {
                headers.push(("x-tollgate-limit", limited.rule.clone()));
                headers.extend(limited.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
                headers.extend(limited.headers.iter().cloned());
                // The SDKs wait for a minute at most, and come back too early where it takes longer.
                if limited.retry_after.is_none_or(|seconds| seconds > 60) {
                    headers.push(("x-should-retry", "false".to_owned()));
                }
            }
            _ => {}
        }
        // The official SDKs repeat a request by themselves at 408, 409, 429 and 5xx; for these it would be in vain.
        if matches!(
            self,
            Self::Upgrade | Self::ProviderNone | Self::ProviderExhausted | Self::Internal
        ) {
            headers.push(("x-should-retry", "false".to_owned()));
        }
        answer
    }

    /// The body alone, in the client's dialect.
    ///
    /// Sources: OpenAI API reference, "Error codes"; Anthropic API reference, "Errors".
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Vec<u8> {
        let telling = self.telling();
        let value = match dialect {
            Dialect::OpenAi | Dialect::Gemini | Dialect::Bedrock => json!({"error": {
                "message": telling.message,
                "type": telling.openai,
                "param": telling.param,
                "code": telling.code,
            }}),
            Dialect::Anthropic => json!({
                "type": "error",
                "error": {"type": anthropic_type(telling.status), "message": self.anthropic_message(telling.message)},
                "request_id": request_id,
            }),
        };
        value.to_string().into_bytes()
    }

    /// Anthropic has no code for a request that is too long: its clients know it by these words, and make it shorter.
    fn anthropic_message(&self, message: String) -> String {
        const TOO_LONG: &str = "prompt is too long";
        match self {
            Self::Provider(refusal) if refusal.cause == Cause::ContextExceeded && !message.contains(TOO_LONG) => {
                format!("{TOO_LONG}: {message}")
            }
            _ => message,
        }
    }
}

#[cfg(test)]
mod tests;
