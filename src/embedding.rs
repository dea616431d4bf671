//! Embeddings: texts made into vectors, as OpenAI's clients ask for them and as others make them.
//!
//! In: a client's body and a provider's answer. Out: [`Embedding`] (what is asked) and [`Embedded`] (what came of it), and
//! their way into the other's words. Where the provider follows OpenAI, none of this is used: the original bytes go through.
//! It does not know what goes over the wire besides: authentication and the headers of an answer, of which Bedrock's
//! [`INPUT_TOKENS`] has a count that Cohere's body there has not.
//!
//! - [`openai`]: a client's request, and the answer to it.
//! - [`gemini`], [`titan`] and [`cohere`] (with Bedrock and at home): providers.

use crate::conversation::Losses;
use crate::conversation::members::Unreadable;
use crate::dialect::path::segment;
use crate::dialect::{Told, Unanswered};
use crate::usage::Usage;

pub mod cohere;
pub mod gemini;
pub mod openai;
#[cfg(test)]
mod tests;
pub mod titan;

pub use crate::dialect::chat::read_refusal;

/// The header in which Bedrock tells how many tokens the input had.
pub const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// Who makes vectors in other words than OpenAI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Google's Gemini API.
    Gemini,
    /// Amazon's Titan, with AWS Bedrock.
    Titan,
    /// Cohere's models, with AWS Bedrock.
    BedrockCohere,
    /// Cohere.
    Cohere,
}

impl Kind {
    /// Whose model this is, with AWS Bedrock (`cohere.embed-v4:0`, also behind a region's prefix or in an ARN). `None`: it
    /// speaks neither's words.
    pub fn of_bedrock(model: &str) -> Option<Self> {
        if model.contains("titan-embed") {
            Some(Self::Titan)
        } else if model.contains("cohere.embed") {
            Some(Self::BedrockCohere)
        } else {
            None
        }
    }
}

/// What is to be made into vectors.
#[derive(Clone, Debug, Default)]
pub struct Embedding {
    /// Of what.
    pub input: Input,
    /// How many numbers a vector is to have. `None`: as many as the model gives unasked.
    pub dimensions: Option<u64>,
    /// In what form the client wants the vectors.
    pub encoding: Encoding,
    /// What they are for. `None`: the client did not say; OpenAI's have one purpose.
    pub purpose: Option<Purpose>,
    /// What the client said that has no place here, by name.
    pub losses: Losses,
}

/// Of what a vector is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Texts, a vector each.
    Texts(Vec<String>),
    /// Tokens of OpenAI's, which mean nothing to another's model.
    Tokens,
}

impl Default for Input {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

/// In what form a client wants vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON arrays of numbers.
    #[default]
    Float,
    /// Base64 of 32-bit floats, little endian. OpenAI's SDKs ask for it unasked.
    Base64,
}

/// What vectors are for: some models make them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be found.
    Document,
    /// To find with.
    Query,
    /// To be told apart.
    Classification,
    /// To be grouped.
    Clustering,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedded {
    /// The vectors, in the order of the input.
    pub vectors: Vec<Vec<f32>>,
    /// What was counted. `None`: the body does not say.
    pub usage: Option<Usage>,
}

/// Reads a client's request; `body` is a JSON object with a model.
///
/// # Errors
///
/// [`Unreadable`] where something is not of the type that OpenAI's documentation says.
pub fn read_request(body: &[u8]) -> Result<Embedding, Unreadable> {
    openai::read_request(body)
}

/// Writes a request; what cannot be said goes to `losses`.
pub fn write_request(kind: Kind, embedding: &Embedding, model: &str, losses: &mut Losses) -> Vec<u8> {
    match kind {
        Kind::Gemini => gemini::write_request(embedding, model, losses),
        Kind::Titan => titan::write_request(embedding, model, losses),
        Kind::BedrockCohere => cohere::write_request(embedding, None, model, losses),
        Kind::Cohere => cohere::write_request(embedding, Some(model), model, losses),
    }
}

/// The path behind the endpoint's own: `https://generativelanguage.googleapis.com/v1beta` for Gemini, the host alone for
/// the others.
pub fn path(kind: Kind, model: &str) -> String {
    match kind {
        Kind::Gemini => {
            let model = model.strip_prefix("models/").unwrap_or(model);
            format!("/models/{}:batchEmbedContents", segment(model))
        }
        Kind::Titan | Kind::BedrockCohere => format!("/model/{}/invoke", segment(model)),
        Kind::Cohere => "/v2/embed".to_owned(),
    }
}

/// Reads a provider's answer.
///
/// # Errors
///
/// [`Unanswered::Refused`] where it is an error in spite of its status, [`Unanswered::Malformed`] where it is no answer.
pub fn read_reply(kind: Kind, body: &[u8]) -> Result<Embedded, Unanswered> {
    let read = match kind {
        Kind::Gemini => gemini::read_reply(body),
        Kind::Titan => titan::read_reply(body),
        Kind::BedrockCohere | Kind::Cohere => cohere::read_reply(body),
    };
    let is_finite = |vector: &Vec<f32>| !vector.is_empty() && vector.iter().all(|number| number.is_finite());
    match read {
        Some(embedded) if !embedded.vectors.is_empty() && embedded.vectors.iter().all(is_finite) => Ok(embedded),
        _ => {
            let refusal = read_refusal(200, body);
            match refusal.message.is_empty() {
                true => Err(Unanswered::Malformed),
                false => Err(Unanswered::Refused(refusal)),
            }
        }
    }
}

/// Writes an answer for a client.
pub fn write_reply(embedded: &Embedded, encoding: Encoding, told: &Told<'_>) -> Vec<u8> {
    openai::write_reply(embedded, encoding, told)
}

/// The texts, as far as a provider takes so many (`most`) at once; what it does not take is told.
fn texts<'e>(embedding: &'e Embedding, most: usize, losses: &mut Losses) -> &'e [String] {
    match &embedding.input {
        Input::Tokens => {
            losses.meaning_at("input (tokens)".to_owned(), "input");
            &[]
        }
        Input::Texts(texts) => match texts.get(..most) {
            Some(some) if some.len() < texts.len() => {
                losses.meaning_at(format!("input[{most}]"), "input");
                some
            }
            _ => texts,
        },
    }
}
