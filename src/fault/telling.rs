//! What a client is told of a fault: status, codes and words.
//!
//! In: a [`Fault`]. Out: a [`Telling`], which each dialect puts into its own shape.

use super::{Fault, Kind, provider};
use crate::ask::AskError;
use crate::conversation::Cause;

pub(super) struct Telling {
    pub(super) status: u16,
    /// OpenAI's `error.type`.
    pub(super) openai: &'static str,
    /// OpenAI's `error.code`.
    pub(super) code: Option<&'static str>,
    /// OpenAI's `error.param`.
    pub(super) param: Option<&'static str>,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn telling(&self) -> Telling {
        let invalid = |status, code, param, message: String| Telling {
            status,
            openai: "invalid_request_error",
            code,
            param,
            message,
        };
        let key = |code, message: &str| invalid(401, Some(code), None, message.to_owned());
        let ours = |status, code, message: &str| Telling {
            status,
            openai: "server_error",
            code: Some(code),
            param: None,
            message: message.to_owned(),
        };
        match self {
            Self::KeyMissing => key(
                "invalid_api_key",
                "No API key was sent. Send your virtual key as 'Authorization: Bearer <key>', 'x-api-key' or 'api-key'.",
            ),
            Self::KeyUnknown => key(
                "invalid_api_key",
                "This API key is not known here. Check that the key is complete.",
            ),
            Self::KeyDisabled => key("key_disabled", "This API key is disabled. Ask whoever issued it."),
            Self::KeyExpired => key(
                "key_expired",
                "This API key has expired. Ask whoever issued it for a new one.",
            ),
            Self::ModelUnknown { model } => invalid(
                404,
                Some("model_not_found"),
                Some("model"),
                format!(
                    "The model '{}' is not available here. GET /v1/models lists what your key may use.",
                    shown(model)
                ),
            ),
            Self::ModelForbidden { model } => invalid(
                403,
                Some("model_not_allowed"),
                Some("model"),
                format!(
                    "Your key may not use the model '{}'. GET /v1/models lists what it may use.",
                    shown(model)
                ),
            ),
            Self::ModelUnnamed => invalid(
                403,
                Some("model_not_allowed"),
                Some("model"),
                "Your key is limited to certain models, and this request names none.".to_owned(),
            ),
            Self::PathUnknown => invalid(
                404,
                Some("unknown_url"),
                None,
                "Nothing is served at this path.".to_owned(),
            ),
            Self::MethodWrong { allowed } => invalid(
                405,
                Some("method_not_allowed"),
                None,
                format!("This endpoint takes {allowed} requests only."),
            ),
            Self::BodyTooLarge { limit } => invalid(
                413,
                Some("request_too_large"),
                None,
                format!("The request body is larger than {limit} bytes, the most this gateway takes."),
            ),
            Self::BodyLate => invalid(
                408,
                Some("request_timeout"),
                None,
                "The request's body did not arrive in time.".to_owned(),
            ),
            Self::BodyInvalid(error) => invalid(400, None, body_param(error), error.to_string()),
            Self::ContentTypeWrong => invalid(
                415,
                Some("unsupported_media_type"),
                None,
                "This endpoint takes a JSON body: send 'Content-Type: application/json'.".to_owned(),
            ),
            Self::ContentEncoded => invalid(
                415,
                Some("unsupported_content_encoding"),
                None,
                "Compressed request bodies are not taken: send the body without Content-Encoding.".to_owned(),
            ),
            Self::Upgrade => invalid(
                501,
                Some("upgrade_not_supported"),
                None,
                "WebSocket connections are not served here, because their use cannot be metered. Use the HTTP API."
                    .to_owned(),
            ),
            Self::Background => invalid(
                400,
                Some("background_not_supported"),
                Some("background"),
                "Background answers are not served here, because their use could not be metered. Leave out 'background', \
                 or stream."
                    .to_owned(),
            ),
            Self::Limited(limited) => Telling {
                status: 429,
                openai: match limited.kind {
                    Kind::Requests | Kind::Loop(_) => "requests",
                    Kind::Tokens => "tokens",
                    Kind::Budget => "insufficient_quota",
                },
                code: Some(match limited.kind {
                    Kind::Requests | Kind::Tokens => "rate_limit_exceeded",
                    Kind::Budget => "budget_exceeded",
                    Kind::Loop(_) => "runaway_loop",
                }),
                param: None,
                message: limited.message.clone(),
            },
            Self::CostUnknown => invalid(
                403,
                Some("cost_unknown"),
                None,
                "Your key is held to a budget, and what this request costs cannot be known. Name a model where the endpoint takes \
                 one."
                    .to_owned(),
            ),
            Self::OperatorOnly => invalid(
                403,
                Some("operator_only"),
                None,
                "Only an operator's key may do this.".to_owned(),
            ),
            Self::SubjectUnknown => invalid(404, Some("not_found"), None, "There is no such key here.".to_owned()),
            Self::ProviderNone => invalid(
                404,
                Some("not_configured"),
                None,
                "This gateway is not configured for such requests.".to_owned(),
            ),
            Self::ProviderUnreachable => ours(
                502,
                "upstream_unreachable",
                "The model's provider could not be reached. Try again.",
            ),
            Self::ProviderSilent => ours(504, "upstream_timeout", "The model's provider did not answer in time."),
            Self::ProviderCredential => ours(
                502,
                "upstream_credential",
                "The model's provider did not accept the gateway's own credential. Tell the gateway's operator.",
            ),
            Self::ProviderBusy => provider::telling(Cause::RateLimited, ""),
            Self::ProviderExhausted => provider::telling(Cause::Exhausted, ""),
            Self::ProviderGarbled => ours(
                502,
                "upstream_garbled",
                "The model's provider gave an answer that cannot be understood.",
            ),
            Self::Provider(refusal) => provider::telling(refusal.cause, &refusal.message),
            Self::Unreadable(unreadable) => invalid(
                400,
                None,
                None,
                match unreadable.at.is_empty() {
                    true => format!("The request body {}.", unreadable.what),
                    false => format!("'{}' {}.", shown(&unreadable.at), unreadable.what),
                },
            ),
            Self::Untranslatable(members) => invalid(
                400,
                Some("unsupported_parameter"),
                None,
                format!(
                    "No provider of this model can be given {}. Leave it out, or ask for another model.",
                    listed(members)
                ),
            ),
            Self::Internal => ours(500, "internal_error", "The gateway could not handle this request."),
        }
    }
}

/// Anthropic's `error.type` for a status.
pub(super) fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

fn body_param(error: &AskError) -> Option<&'static str> {
    match error {
        AskError::ModelMissing | AskError::ModelNotString => Some("model"),
        AskError::DuplicateMember { name, .. } | AskError::MemberCase { name, .. } => Some(name),
        AskError::WrongType { member } => Some(member),
        _ => None,
    }
}

/// Names of members of a request.
fn listed(members: &[String]) -> String {
    let names: Vec<String> = members.iter().map(|name| format!("'{}'", shown(name))).collect();
    names.join(", ")
}

/// A client's own word, cut to a length that is no nuisance in an error.
fn shown(word: &str) -> String {
    const MOST: usize = 100;
    let mut short: String = word.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if word.chars().count() > MOST {
        short.push('…');
    }
    short
}
