//! Embeddings as Amazon's Titan makes them, with AWS Bedrock: `InvokeModel`, one text a call.
//!
//! In: an [`Embedding`]. Out: a body; and an answer's vector.
//!
//! Source: the Bedrock user guide, "Amazon Titan Embeddings G1 - Text" (with V2). Only V2 takes `dimensions`, and gives
//! vectors of length 1 unasked.

use serde::{Deserialize, Serialize};

use super::{Embedded, Embedding, texts};
use crate::conversation::Losses;
use crate::usage::Usage;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    input_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
}

/// Writes a request; a second text is a loss.
pub fn write_request(embedding: &Embedding, model: &str, losses: &mut Losses) -> Vec<u8> {
    let takes_dimensions = model.contains("v2");
    if embedding.dimensions.is_some() && !takes_dimensions {
        losses.meaning("dimensions");
    }
    // It makes one kind of vectors for all purposes, so that nothing is different without the word.
    if embedding.purpose.is_some() {
        losses.hint("input_type");
    }
    let body = Body {
        input_text: texts(embedding, 1, losses).first().map_or("", String::as_str),
        dimensions: embedding.dimensions.filter(|_| takes_dimensions),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    embedding: Vec<f32>,
    input_text_token_count: Option<u64>,
}

/// Reads an answer.
pub(super) fn read_reply(body: &[u8]) -> Option<Embedded> {
    let reply: Reply = serde_json::from_slice(body).ok()?;
    Some(Embedded {
        vectors: vec![reply.embedding],
        usage: reply.input_text_token_count.map(|input| Usage {
            input,
            ..Usage::default()
        }),
    })
}
