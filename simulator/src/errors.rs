//! Errors in the providers' own words.
//!
//! In: what went wrong. Out: the status and the body that each provider's API documents, by which its SDK raises its
//! exceptions. It knows neither requests nor headers. Google's and Amazon's shapes are in [`google`] and [`amazon`].

pub mod amazon;
pub mod google;

use crate::json::{NULL, Object, object};

/// Whose API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
    Anthropic,
    /// `{"error": {"code", "message", "status", "details"}}`: Google's, of the Gemini API and of Vertex AI.
    Gemini,
    /// `{"message"}` and the exception's name in the header `x-amzn-errortype`: Amazon Bedrock's.
    Bedrock,
}

impl Dialect {
    /// `openai`, `anthropic`, `gemini` or `bedrock`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
        }
    }
}

/// Something a request is refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A sentence for people.
    pub message: String,
    /// OpenAI's `type`, Google's `reason` or Amazon's exception, where it is not the status' usual one.
    pub kind: Option<&'static str>,
    /// OpenAI's `code`.
    code: Option<&'static str>,
    /// OpenAI's `param`: the member at fault.
    param: Option<Box<str>>,
    /// Seconds until a further attempt may succeed.
    pub wait: Option<u64>,
    /// Whether it is OpenAI's own content filter that refused, which tells more.
    filtered: bool,
    /// The model that refuses, as the price sheet calls it, where it is known by then.
    pub model: Option<String>,
}

impl Problem {
    /// An error of this status with the provider's usual words.
    pub fn status(status: u16, dialect: Dialect) -> Self {
        if status == 401 {
            return Self::unauthorized(dialect, true);
        }
        let message = match (status, dialect) {
            (_, Dialect::Gemini) => google::usual(status),
            (_, Dialect::Bedrock) => amazon::usual(status),
            (403, _) => "You are not allowed to do this.",
            (404, _) => "Not found",
            (408, _) => "Request timed out.",
            (413, _) => "Request exceeds the maximum size",
            (429, Dialect::OpenAi) => "Rate limit reached. Please try again later.",
            (429, Dialect::Anthropic) => "This request would exceed your organization's rate limit.",
            (500, Dialect::OpenAi) => "The server had an error while processing your request. Sorry about that!",
            (500, Dialect::Anthropic) => "Internal server error",
            (503, Dialect::OpenAi) => "The engine is currently overloaded, please try again later.",
            (529, _) => "Overloaded",
            _ => "The simulation was asked to fail.",
        };
        Self::new(status, message)
    }

    /// The same problem with another status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same problem with a model to count it under.
    pub fn of_model(self, model: Option<String>) -> Self {
        Self { model, ..self }
    }

    /// A request that cannot be served as it is written.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The same about one member of the body.
    pub fn invalid_member(param: impl Into<Box<str>>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(400, message)
        }
    }

    /// No credential, or a wrong one.
    pub fn unauthorized(dialect: Dialect, given: bool) -> Self {
        let message = match (dialect, given) {
            (Dialect::OpenAi, true) => {
                "Incorrect API key provided: sk-***. You can find your API key in your account settings."
            }
            (Dialect::OpenAi, false) => {
                "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
            }
            (Dialect::Anthropic, true) => "invalid x-api-key",
            (Dialect::Anthropic, false) => "x-api-key header is required",
            (Dialect::Gemini, _) => google::usual(401),
            (Dialect::Bedrock, true) => "The security token included in the request is invalid.",
            (Dialect::Bedrock, false) => "Missing Authentication Token",
        };
        if dialect == Dialect::Bedrock {
            let reason = if given {
                "UnrecognizedClientException"
            } else {
                "MissingAuthenticationTokenException"
            };
            return Self::new(403, message).for_reason(reason);
        }
        Self {
            code: given.then_some("invalid_api_key"),
            ..Self::new(401, message)
        }
    }

    /// A model the provider does not have.
    pub fn no_such_model(dialect: Dialect, model: &str) -> Self {
        let message = match dialect {
            Dialect::OpenAi => format!("The model `{model}` does not exist or you do not have access to it."),
            Dialect::Anthropic => format!("model: {model}"),
            Dialect::Gemini => format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods."
            ),
            Dialect::Bedrock => return Self::new(400, "The provided model identifier is invalid."),
        };
        Self {
            code: Some("model_not_found"),
            ..Self::new(404, message)
        }
    }

    /// More requests or tokens than the credential may use.
    pub fn rate_limited(dialect: Dialect, what: &'static str, limit: u64, model: &str, wait_s: u64) -> Self {
        let message = match dialect {
            Dialect::OpenAi => format!(
                "Rate limit reached for {model} in organization org-simulated on {what} per min ({}): Limit {limit}. Please try again in {wait_s}s.",
                if what == "requests" { "RPM" } else { "TPM" }
            ),
            Dialect::Anthropic => {
                format!("This request would exceed your organization's rate limit of {limit} {what} per minute")
            }
            Dialect::Gemini => google::quota(what, limit, model, wait_s),
            Dialect::Bedrock => format!("Too many {what}, please wait before trying again."),
        };
        Self {
            kind: (dialect == Dialect::OpenAi).then_some(what),
            code: Some("rate_limit_exceeded"),
            model: Some(model.to_owned()),
            wait: Some(wait_s),
            ..Self::new(429, message)
        }
    }

    /// The same problem with a reason of its own (Google, Amazon).
    pub fn for_reason(self, reason: &'static str) -> Self {
        Self {
            kind: Some(reason),
            ..self
        }
    }

    /// A prompt of `tokens` tokens that does not fit a context window of `limit`.
    ///
    /// Messages as the providers' APIs send them: OpenAI's with its code `context_length_exceeded`, Anthropic's "prompt is
    /// too long", Google's "The input token count", Bedrock's "Input is too long for requested model."
    pub fn too_long(dialect: Dialect, tokens: u64, limit: u64) -> Self {
        match dialect {
            Dialect::OpenAi => Self {
                code: Some("context_length_exceeded"),
                ..Self::invalid_member(
                    "messages",
                    format!(
                        "This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} tokens. Please reduce the length of the messages."
                    ),
                )
            },
            Dialect::Anthropic => Self::invalid(format!("prompt is too long: {tokens} tokens > {limit} maximum")),
            Dialect::Gemini => Self::invalid(format!(
                "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit})."
            )),
            Dialect::Bedrock => Self::invalid("Input is too long for requested model."),
        }
    }

    /// A prompt that OpenAI's content filter refuses, in Azure's words, which are the documented ones.
    pub fn filtered() -> Self {
        Self {
            code: Some("content_filter"),
            filtered: true,
            ..Self::invalid_member(
                "prompt",
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
            )
        }
    }

    /// The same problem with OpenAI's code for it.
    pub fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: None,
            code: None,
            param: None,
            wait: None,
            filtered: false,
            model: None,
        }
    }

    /// The body in the dialect's shape.
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Object {
        match dialect {
            Dialect::OpenAi if self.filtered => object! {"error": object! {
                "message": self.message, "type": NULL, "param": self.param.as_deref(), "code": self.code, "status": 400,
                "innererror": object! {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": object! {
                        "hate": object! {"filtered": false, "severity": "safe"},
                        "jailbreak": object! {"filtered": false, "detected": false},
                        "self_harm": object! {"filtered": false, "severity": "safe"},
                        "sexual": object! {"filtered": false, "severity": "safe"},
                        "violence": object! {"filtered": true, "severity": "medium"},
                    },
                },
            }},
            Dialect::Gemini => google::body(self),
            Dialect::Bedrock => object! {"message": self.message},
            Dialect::OpenAi => object! {"error": object! {
                "message": self.message,
                "type": self.kind.unwrap_or_else(|| self.openai_kind()),
                "param": self.param.as_deref(),
                "code": self.code.or((self.status == 429).then_some("rate_limit_exceeded")),
            }},
            Dialect::Anthropic => object! {
                "type": "error",
                "error": object! {"type": self.anthropic_kind(), "message": self.message},
                "request_id": request_id,
            },
        }
    }

    fn openai_kind(&self) -> &'static str {
        match self.status {
            429 => "requests",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn anthropic_kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            408 | 504 => "timeout_error",
            503 | 529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_own_shape() {
        let problem = Problem::no_such_model(Dialect::OpenAi, "gpt-9");
        let expected = concat!(
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","#,
            r#""type":"invalid_request_error","param":null,"code":"model_not_found"}}"#
        );
        assert_eq!(problem.body(Dialect::OpenAi, "req_1").to_string(), expected);
        assert_eq!(
            Problem::status(529, Dialect::Anthropic)
                .body(Dialect::Anthropic, "req_1")
                .to_string(),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#
        );
    }
}
