//! Embeddings as OpenAI's clients ask for them.
//!
//! In: a body. Out: an [`Embedding`]; and the way back for what came of it. It does not know who makes the vectors.
//!
//! Sources: openai-python, `types/embedding_create_params.py`, `types/create_embedding_response.py` and
//! `resources/embeddings.py` (which asks for Base64 and reads it as little-endian 32-bit floats). `input_type`, which is
//! Cohere's, is what many who follow OpenAI (Voyage, NVIDIA, LiteLLM) take beside it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Embedded, Embedding, Encoding, Input, Purpose};
use crate::conversation::Losses;
use crate::conversation::members::{Members, Unreadable};
use crate::dialect::Told;

/// Reads a client's request; `body` is a JSON object with a model.
///
/// # Errors
///
/// [`Unreadable`] where something is not of the type that OpenAI's documentation says.
pub fn read_request(body: &[u8]) -> Result<Embedding, Unreadable> {
    let mut members = Members::of(body, "")?;
    let mut losses = Losses::default();
    members.raw("model");
    let input: &RawValue = members.need("input", INPUT)?;
    let mut embedding = Embedding {
        input: read_input(input)?,
        dimensions: members.take("dimensions", "must be a whole number")?,
        ..Embedding::default()
    };
    embedding.encoding = match members.take::<Cow<str>>("encoding_format", ENCODING)?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(Unreadable::new("encoding_format", ENCODING)),
    };
    embedding.purpose = match members.take::<Cow<str>>("input_type", "must be a string")?.as_deref() {
        Some("search_document" | "document" | "passage") => Some(Purpose::Document),
        Some("search_query" | "query") => Some(Purpose::Query),
        Some("classification") => Some(Purpose::Classification),
        Some("clustering") => Some(Purpose::Clustering),
        Some(_) => {
            losses.meaning("input_type");
            None
        }
        None => None,
    };
    members.lose(&["user"], true, &mut losses);
    members.rest(&mut losses);
    embedding.losses = losses;
    Ok(embedding)
}

const INPUT: &str = "must be a string, an array of strings, or tokens";
const ENCODING: &str = "must be \"float\" or \"base64\"";

fn read_input(input: &RawValue) -> Result<Input, Unreadable> {
    let raw = input.get();
    if let Ok(text) = serde_json::from_str(raw) {
        return Ok(Input::Texts(vec![text]));
    }
    let wrong = || Unreadable::new("input", INPUT);
    if let Ok(texts) = serde_json::from_str::<Vec<String>>(raw) {
        return match texts.is_empty() {
            true => Err(wrong()),
            false => Ok(Input::Texts(texts)),
        };
    }
    let is_tokens = serde_json::from_str::<Vec<u32>>(raw).is_ok() || serde_json::from_str::<Vec<Vec<u32>>>(raw).is_ok();
    is_tokens.then_some(Input::Tokens).ok_or_else(wrong)
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Element<'a>>,
    model: &'a str,
    usage: Counted,
}

#[derive(Serialize)]
struct Element<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Default, Serialize)]
struct Counted {
    prompt_tokens: u64,
    total_tokens: u64,
}

enum Vector<'a> {
    Float(&'a [f32]),
    Base64(&'a [f32]),
}

impl Serialize for Vector<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Float(numbers) => numbers.serialize(serializer),
            Self::Base64(numbers) => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                serializer.serialize_str(&data_encoding::BASE64.encode(&bytes))
            }
        }
    }
}

/// Writes an answer for a client. OpenAI's has always a usage; one that is not known counts nothing.
pub fn write_reply(embedded: &Embedded, encoding: Encoding, told: &Told<'_>) -> Vec<u8> {
    let data = embedded.vectors.iter().enumerate().map(|(index, vector)| Element {
        object: "embedding",
        index,
        embedding: match encoding {
            Encoding::Float => Vector::Float(vector),
            Encoding::Base64 => Vector::Base64(vector),
        },
    });
    let counted = embedded.usage.map(|usage| Counted {
        prompt_tokens: usage.prompt(),
        total_tokens: usage.prompt().saturating_add(usage.completion()),
    });
    let list = List {
        object: "list",
        data: data.collect(),
        model: told.model,
        usage: counted.unwrap_or_default(),
    };
    serde_json::to_vec(&list).unwrap_or_default()
}
