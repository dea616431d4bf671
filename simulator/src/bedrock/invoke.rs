//! `POST /model/{id}/invoke` of the models that embed: Amazon Titan and Cohere.
//!
//! In: the models' own bodies. Out: their own replies, and the token counts in the service's headers. As in the Bedrock
//! user guide: "Amazon Titan Embeddings models", "Cohere Embed models".

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::check;
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::openai::embeddings::vector;
use crate::prices::Tokens;
use crate::stream::Script;

/// Answers it.
pub async fn handle(Path(model): Path<String>, Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &model, &body);
    call.answer(composed).await
}

fn compose(call: &mut Call, model: &str, body: &[u8]) -> Result<Reply, Problem> {
    let ask: Value = call.parse(body)?;
    let charged = call.model(Some(model))?;
    let cohere = model.contains("cohere.");
    if !cohere && !model.contains("titan-embed") {
        return Err(Problem::invalid(
            "The model does not support this operation in the simulation. Use Converse.",
        ));
    }
    check(if cohere { "Cohere" } else { "Titan" }, &ask)?;
    let texts: Vec<&str> = match ask.get("texts").and_then(Value::as_array) {
        Some(texts) => texts.iter().filter_map(Value::as_str).collect(),
        None => ask.get("inputText").and_then(Value::as_str).into_iter().collect(),
    };
    if texts.iter().all(|text| text.is_empty()) {
        return Err(Problem::invalid(
            "Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.",
        ));
    }
    let counted = texts.iter().map(|text| call.app.texts.count(text)).sum();
    let tokens = Tokens {
        input: call.steering.prompt.unwrap_or(counted),
        ..Tokens::default()
    };
    call.fits(tokens.input)?;
    call.admit(&charged, tokens.input)?;
    let reply = if cohere {
        cohere_reply(call, &ask, &texts)
    } else {
        titan_reply(&ask, tokens.input)?
    };
    if !call.steering.no_usage {
        call.told
            .push(("x-amzn-bedrock-input-token-count", tokens.input.to_string()));
    }
    let latency = call.arrived.elapsed().as_millis().to_string();
    call.told.push(("x-amzn-bedrock-invocation-latency", latency));
    let script = Script::json(reply.to_string(), call.tells_all());
    Ok(Reply {
        charged,
        tokens,
        script,
        stream: false,
        error_event: None,
    })
}

fn titan_reply(ask: &Value, tokens: u64) -> Result<Object, Problem> {
    let dimensions = ask.get("dimensions").and_then(Value::as_u64).unwrap_or(1024);
    if ![256, 512, 1024].contains(&dimensions) {
        return Err(Problem::invalid(format!(
            "Malformed input request: #/dimensions: {dimensions} is not a valid enum value, please reformat your input and try again."
        )));
    }
    let embedding = Value::from(vector(dimensions as usize)).to_string();
    Ok(object! {
        "embedding": Written(&embedding),
        "embeddingsByType": object! {"float": Written(&embedding)},
        "inputTextTokenCount": tokens,
    })
}

fn cohere_reply(call: &Call, ask: &Value, texts: &[&str]) -> Object {
    let dimensions = ask.get("output_dimension").and_then(Value::as_u64).unwrap_or(1024);
    let vector = vector(dimensions.clamp(1, 4096) as usize);
    let all = |written: &str| format!("[{}]", vec![written; texts.len()].join(","));
    let floats = all(&Value::from(vector.clone()).to_string());
    let mut reply = object! {"id": call.id("", 24)};
    match ask.get("embedding_types").and_then(Value::as_array) {
        None => {
            reply.put("response_type", &"embeddings_floats");
            reply.put("embeddings", &Written(&floats));
        }
        Some(kinds) => {
            let bytes: Vec<i64> = vector.iter().map(|x| if *x < 0.0 { -127 } else { 127 }).collect();
            let bytes = all(&json!(bytes).to_string());
            let mut embeddings = Object::default();
            for kind in kinds.iter().filter_map(Value::as_str) {
                let written = if kind == "float" { &floats } else { &bytes };
                embeddings.put(kind, &Written(written));
            }
            reply.put("response_type", &"embeddings_by_type");
            reply.put("embeddings", &embeddings);
        }
    }
    reply.put("texts", &texts);
    reply
}
