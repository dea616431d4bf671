//! `POST /v1/embeddings`.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::completions::input_tokens;
use super::reply_model;
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::prices::Tokens;
use crate::stream::Script;

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    #[serde(default)]
    input: Value,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

/// Answers it.
pub async fn handle(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &body);
    call.answer(composed).await
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let ask: Ask = call.parse(body)?;
    let charged = call.model(ask.model.as_deref())?;
    let inputs = match &ask.input {
        Value::Array(items) if items.iter().any(|item| !item.is_number()) => items.len(),
        Value::Array(items) if !items.is_empty() => 1,
        Value::String(text) if !text.is_empty() => 1,
        _ => {
            return Err(Problem::invalid_member(
                "input",
                "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
            ));
        }
    };
    let counted = input_tokens(call, &ask.input);
    let tokens = Tokens {
        input: call.steering.prompt.unwrap_or(counted),
        ..Tokens::default()
    };
    call.admit(&charged, tokens.input)?;
    let usual = if charged.name.contains("large") { 3072 } else { 1536 };
    let vector = vector(ask.dimensions.unwrap_or(usual).clamp(1, 4096));
    let embedding = match ask.encoding_format.as_deref() {
        Some("base64") => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            format!("\"{}\"", STANDARD.encode(bytes))
        }
        _ => Value::from(vector).to_string(),
    };
    let one = |index| object! {"object": "embedding", "index": index, "embedding": Written(&embedding)};
    let data: Vec<Object> = (0..inputs).map(one).collect();
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let mut body = object! {"object": "list", "data": data, "model": model};
    let usage = object! {"prompt_tokens": tokens.input, "total_tokens": tokens.input};
    body.put_some("usage", &(!call.steering.no_usage).then_some(usage));
    let script = Script::json(body.to_string(), call.tells_all());
    Ok(Reply {
        charged,
        tokens,
        script,
        stream: false,
        error_event: None,
    })
}

/// A vector of length 1; the same for every text.
pub(crate) fn vector(dimensions: usize) -> Vec<f32> {
    let scale = 1.0 / (dimensions as f32).sqrt();
    (0..dimensions)
        .map(|i| if i % 3 == 0 { -scale } else { scale })
        .collect()
}
