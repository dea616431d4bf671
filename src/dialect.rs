//! The families of formats that clients and providers speak.
//!
//! In: the raw JSON of a usage object. Out: [`Usage`](crate::usage::Usage) in its disjoint classes. Where that object
//! stands in a reply is the meter's business; what its numbers mean is decided here, one file a dialect.
//! What a model is told of an answer's form where its provider does not enforce it is the same for all (`form`); what is
//! known of the Claude models is the same whoever offers them (`claude`), and OpenAI's words for an effort in both of its
//! APIs (`effort`).

use serde::{Deserialize, Serialize};

use crate::conversation::Refusal;

pub mod anthropic;
pub mod chat;
mod claude;
pub mod converse;
mod effort;
mod form;
pub mod gemini;
pub mod messages;
pub mod openai;
pub(crate) mod path;
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

/// A format of requests and answers: what a dialect says at one of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's `generateContent`.
    Gemini,
    /// AWS Bedrock's Converse.
    Converse,
}

/// Whom a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// What the provider calls the model.
    pub model: &'a str,
    /// How many tokens the longest answer has where the request does not say, as far as the operator has told.
    pub longest: Option<u64>,
    /// How far the provider follows OpenAI's chat completions.
    pub chat: ChatFacts,
}

/// In what servers that follow OpenAI's chat completions differ from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatFacts {
    /// Takes `max_completion_tokens`; else `max_tokens`.
    pub max_completion_tokens: bool,
    /// Takes `stream_options`.
    pub stream_options: bool,
    /// Takes messages of the role `developer`; else `system`.
    pub developer_role: bool,
    /// Takes `response_format` of the type `json_schema`.
    pub json_schema: bool,
    /// Takes `reasoning_effort`.
    pub reasoning_effort: bool,
    /// Takes back what the model thought, as `reasoning_content` of the assistant's messages (DeepSeek, Moonshot and others
    /// want it together with tools' results; OpenAI, Groq and Mistral refuse a member they do not know).
    pub reasoning_content: bool,
}

impl Default for ChatFacts {
    fn default() -> Self {
        Self {
            max_completion_tokens: true,
            stream_options: true,
            developer_role: false,
            json_schema: true,
            reasoning_effort: true,
            reasoning_content: false,
        }
    }
}

/// What a client's answer says that the provider's does not.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The model the client asked for, where the provider names none.
    pub model: &'a str,
    /// An id, unique to the exchange, of letters and digits; put behind a dialect's prefix where the provider gives none.
    pub id: &'a str,
    /// Now, in seconds since 1970.
    pub created: u64,
    /// Whether the client asked for a stream's usage.
    pub stream_usage: bool,
}

/// Why a provider's answer cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// It is no answer of this API.
    Malformed,
    /// It is an error, although its status was a success.
    Refused(Refusal),
}
