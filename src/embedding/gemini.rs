//! Embeddings as Google's Gemini API makes them: `models/…:batchEmbedContents`.
//!
//! In: an [`Embedding`]. Out: a body; and an answer's vectors.
//!
//! Sources: Google's API reference "Embeddings" (`BatchEmbedContentsRequest`) and its guide of that name: only whole
//! vectors of `gemini-embedding-001` have length 1, shortened ones are for the client to normalize, which OpenAI's never
//! are: here they are brought to length 1. `taskType` is of `gemini-embedding-001` and before. python-genai,
//! `types.py` (`EmbedContentResponse.usage_metadata`).

use serde::{Deserialize, Serialize};

use super::{Embedded, Embedding, Purpose, texts};
use crate::conversation::Losses;
use crate::usage::Usage;

/// The most texts at once.
const MOST: usize = 100;

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

/// Writes a request.
pub fn write_request(embedding: &Embedding, model: &str, losses: &mut Losses) -> Vec<u8> {
    let resource = match model.starts_with("models/") {
        true => model.to_owned(),
        false => format!("models/{model}"),
    };
    // Later models are told the purpose within the text, which is the client's.
    let takes_purpose = model.ends_with("embedding-001") || model.contains("text-embedding");
    if embedding.purpose.is_some() && !takes_purpose {
        losses.meaning("input_type");
    }
    let task_type = embedding
        .purpose
        .filter(|_| takes_purpose)
        .map(|purpose| match purpose {
            Purpose::Document => "RETRIEVAL_DOCUMENT",
            Purpose::Query => "RETRIEVAL_QUERY",
            Purpose::Classification => "CLASSIFICATION",
            Purpose::Clustering => "CLUSTERING",
        });
    let mut requests = Vec::new();
    for text in texts(embedding, MOST, losses) {
        requests.push(One {
            model: &resource,
            content: Content { parts: [Part { text }] },
            task_type,
            output_dimensionality: embedding.dimensions,
        });
    }
    serde_json::to_vec(&Batch { requests }).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    embeddings: Vec<Vector>,
    usage_metadata: Option<Counted>,
}

#[derive(Deserialize)]
struct Vector {
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    prompt_token_count: Option<u64>,
}

/// Reads an answer.
pub(super) fn read_reply(body: &[u8]) -> Option<Embedded> {
    let reply: Reply = serde_json::from_slice(body).ok()?;
    let counted = reply.usage_metadata.and_then(|counted| counted.prompt_token_count);
    Some(Embedded {
        vectors: reply
            .embeddings
            .into_iter()
            .map(|vector| of_length_one(vector.values))
            .collect(),
        usage: counted.map(|input| Usage {
            input,
            ..Usage::default()
        }),
    })
}

/// Numbers that are as good as of length 1 are left as they are.
fn of_length_one(mut numbers: Vec<f32>) -> Vec<f32> {
    let length = numbers
        .iter()
        .map(|number| f64::from(*number).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 && length.is_finite() && (length - 1.0).abs() > 1e-3 {
        for number in &mut numbers {
            *number = (f64::from(*number) / length) as f32;
        }
    }
    numbers
}
