//! Errors in the providers' own words.
//!
//! In: what went wrong. Out: the status and the body that each provider's API documents, by which its SDK raises its
//! exceptions. It knows neither requests nor headers.

use crate::json::{Object, object};

/// Whose API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
    Anthropic,
}

/// Something a request is refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A sentence for people.
    pub message: String,
    /// OpenAI's `type`, where it is not the status' usual one.
    kind: Option<&'static str>,
    /// OpenAI's `code`.
    code: Option<&'static str>,
    /// OpenAI's `param`: the member at fault.
    param: Option<&'static str>,
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
    pub fn invalid_member(param: &'static str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param),
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
        };
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
        };
        Self {
            kind: Some(what),
            code: Some("rate_limit_exceeded"),
            model: Some(model.to_owned()),
            ..Self::new(429, message)
        }
    }

    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: None,
            code: None,
            param: None,
            model: None,
        }
    }

    /// The body in the dialect's shape.
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Object {
        match dialect {
            Dialect::OpenAi => object! {"error": object! {
                "message": self.message,
                "type": self.kind.unwrap_or_else(|| self.openai_kind()),
                "param": self.param,
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
