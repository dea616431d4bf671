//! Embeddings as Cohere's models make them, at home (`/v2/embed`) and with AWS Bedrock (`InvokeModel`).
//!
//! In: an [`Embedding`]. Out: a body; and an answer's vectors, which stand in an array (`embeddings_floats`) or below their
//! type (`embeddings_by_type`).
//!
//! - `input_type` must be said; a text of which nothing is said is one to be found, as most are.
//! - A text that is too long is refused, as OpenAI does, and not cut: `truncate` is `NONE`.
//! - Bedrock tells the tokens in a header alone ([`super::INPUT_TOKENS`]).
//!
//! Sources: Cohere's API reference "Embed API (v2)" with its Python SDK's `EmbedByTypeResponse`; the Bedrock user guide,
//! "Cohere Embed v3" and "v4": 96 texts a call, a choice of dimensions with v4 alone.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Embedded, Embedding, Purpose, texts};
use crate::conversation::Losses;
use crate::dialect::openai;

/// The most texts at once.
const MOST: usize = 96;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    texts: &'a [String],
    input_type: &'static str,
    embedding_types: [&'static str; 1],
    truncate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u64>,
}

/// Writes a request. `named`: the model, where the body is to name it; `model`: the same in any case.
pub fn write_request(embedding: &Embedding, named: Option<&str>, model: &str, losses: &mut Losses) -> Vec<u8> {
    let takes_dimensions = !["v2", "v3"].iter().any(|version| model.contains(version));
    if embedding.dimensions.is_some() && !takes_dimensions {
        losses.meaning("dimensions");
    }
    let body = Body {
        model: named,
        texts: texts(embedding, MOST, losses),
        input_type: match embedding.purpose {
            None | Some(Purpose::Document) => "search_document",
            Some(Purpose::Query) => "search_query",
            Some(Purpose::Classification) => "classification",
            Some(Purpose::Clustering) => "clustering",
        },
        embedding_types: ["float"],
        truncate: "NONE",
        output_dimension: embedding.dimensions.filter(|_| takes_dimensions),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    embeddings: &'a RawValue,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ByType {
    float: Vec<Vec<f32>>,
}

/// Reads an answer.
pub(super) fn read_reply(body: &[u8]) -> Option<Embedded> {
    let reply: Reply = serde_json::from_slice(body).ok()?;
    let raw = reply.embeddings.get();
    let by_type = serde_json::from_str::<ByType>(raw).map(|by_type| by_type.float);
    let vectors = by_type.or_else(|_| serde_json::from_str(raw)).ok()?;
    let usage = reply
        .meta
        .and_then(|meta| openai::meta(meta.get().as_bytes()).ok().flatten());
    Some(Embedded { vectors, usage })
}
