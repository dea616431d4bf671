//! The families of formats that clients and providers speak.
//!
//! In: the raw JSON of a usage object. Out: [`Usage`](crate::usage::Usage) in its disjoint classes. Where that object
//! stands in a reply is the meter's business; what its numbers mean is decided here, one file a dialect.

use serde::{Deserialize, Serialize};

use crate::conversation::Refusal;

pub mod anthropic;
pub mod chat;
pub mod converse;
pub mod gemini;
pub mod messages;
pub mod openai;
pub mod responses;
mod wire;

pub use wire::Malformed;

/// A family of request, reply and error formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's API and everything compatible with it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's `generateContent` and `streamGenerateContent`. Only providers speak it.
    Gemini,
    /// The `converse` and `converse-stream` of Amazon Bedrock. Only providers speak it.
    Bedrock,
}

impl Dialect {
    /// Its name, as documents have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
        }
    }
}
