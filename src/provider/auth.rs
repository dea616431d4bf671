//! How a provider is shown who asks.
//!
//! In: a name in a document or in the catalogue. Out: the header that carries the credential, if it is one header's
//! value. It knows no secrets: those are [`super::credential`]'s.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

/// How a provider is shown who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Auth {
    /// `authorization: Bearer <key>`, as OpenAI and nearly everything compatible with it.
    #[serde(rename = "bearer")]
    Bearer,
    /// `x-api-key: <key>`, as Anthropic.
    #[serde(rename = "x-api-key")]
    XApiKey,
    /// `api-key: <key>`, as Azure.
    #[serde(rename = "api-key")]
    ApiKey,
    /// `x-goog-api-key: <key>`, as the Gemini API.
    #[serde(rename = "x-goog-api-key")]
    XGoogApiKey,
    /// `authorization: Bearer <token>`, a token of OAuth 2 that expires within hours: take it from a file that something
    /// renews.
    #[serde(rename = "oauth")]
    OAuth,
    /// AWS Signature Version 4, by Envoy, with the credentials of the environment it runs in.
    #[serde(rename = "aws_sigv4")]
    AwsSigV4,
    /// Envoy adds what is needed: its configuration is the operator's own.
    #[serde(rename = "envoy")]
    Envoy,
    /// Nothing: the provider asks for no credential.
    #[serde(rename = "none")]
    None,
}

impl Auth {
    /// What providers of a dialect want that say nothing else.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAi => Self::Bearer,
            Dialect::Anthropic => Self::XApiKey,
            Dialect::Gemini => Self::XGoogApiKey,
            Dialect::Bedrock => Self::AwsSigV4,
        }
    }

    /// The header that carries a key or token, and what stands there before it. `None`: no header alone is enough, or
    /// nothing is sent.
    pub fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Bearer | Self::OAuth => Some(("authorization", "Bearer ")),
            Self::XApiKey => Some(("x-api-key", "")),
            Self::ApiKey => Some(("api-key", "")),
            Self::XGoogApiKey => Some(("x-goog-api-key", "")),
            Self::AwsSigV4 | Self::Envoy | Self::None => None,
        }
    }

    /// Its name, as documents have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::XApiKey => "x-api-key",
            Self::ApiKey => "api-key",
            Self::XGoogApiKey => "x-goog-api-key",
            Self::OAuth => "oauth",
            Self::AwsSigV4 => "aws_sigv4",
            Self::Envoy => "envoy",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_by_the_name_it_has() {
        for auth in [
            Auth::Bearer,
            Auth::XApiKey,
            Auth::ApiKey,
            Auth::XGoogApiKey,
            Auth::OAuth,
            Auth::AwsSigV4,
            Auth::Envoy,
            Auth::None,
        ] {
            assert_eq!(serde_json::to_value(auth).unwrap(), auth.name());
        }
    }
}
