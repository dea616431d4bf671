//! Where providers of one dialect differ.
//!
//! In: what the catalogue or an operator says. Out: what a translation has to ask. A request whose client and provider speak
//! the same dialect passes as it is; of these facts, only whether `stream_options` may be added to it matters then.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

/// What a provider understands beyond what all of its dialect do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether it serves OpenAI's `/responses` itself. If not, such requests are put into chat completions.
    pub responses: bool,
    /// Whose form its embeddings have. `None`: it has none that are known of.
    pub embeddings: Option<Embeddings>,
    /// What it calls the most tokens of a chat completion.
    pub max_tokens: MaxTokens,
    /// Whether it understands `stream_options`. If not, usage is not asked for, whoever the client is.
    pub stream_options: bool,
    /// Whether it knows the role `developer`. If not, `system` is said.
    pub developer_role: bool,
    /// Whether it takes a JSON schema as `response_format`. If not, an object of any shape is the most that can be asked.
    pub json_schema: bool,
    /// Whether it takes back what the model thought, as `reasoning_content` of the assistant's messages. If not, it is left
    /// out.
    pub reasoning_content: bool,
}

/// A form of embeddings requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Embeddings {
    /// OpenAI's `/embeddings`.
    OpenAi,
    /// Google's `embedContent` and `batchEmbedContents`.
    Gemini,
    /// A model's own, under Bedrock's `/model/<model>/invoke`.
    Bedrock,
    /// Cohere's `/v2/embed`.
    Cohere,
}

/// What the most tokens of a chat completion are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MaxTokens {
    /// `max_tokens`, which all but the newest understand.
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

impl Facts {
    /// What can be assumed of a provider of this dialect that is in no catalogue.
    pub fn assumed(dialect: Dialect) -> Self {
        Self {
            responses: dialect == Dialect::OpenAi,
            embeddings: match dialect {
                Dialect::OpenAi => Some(Embeddings::OpenAi),
                Dialect::Anthropic => None,
                Dialect::Gemini => Some(Embeddings::Gemini),
                Dialect::Bedrock => Some(Embeddings::Bedrock),
            },
            max_tokens: MaxTokens::MaxTokens,
            stream_options: true,
            developer_role: false,
            json_schema: true,
            reasoning_content: false,
        }
    }
}

impl Embeddings {
    /// Its name, as documents have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
        }
    }
}

impl MaxTokens {
    /// Its name, as documents and requests have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}
