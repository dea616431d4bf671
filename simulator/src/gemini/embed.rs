//! `embedContent` and `batchEmbedContents` (<https://ai.google.dev/api/embeddings>).

use serde_json::Value;

use super::{list, member, read};
use crate::call::{Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::openai::embeddings::vector;
use crate::prices::Tokens;
use crate::stream::Script;

/// Answers a request for one embedding.
pub(super) fn compose(call: &mut Call, model: &str, body: &[u8]) -> Result<Reply, Problem> {
    let ask = read(call, "EmbedContentRequest", body)?;
    let embedding = embedding(&ask)?;
    reply(call, model, &[&ask], object! {"embedding": embedding})
}

/// Answers a request for several.
pub(super) fn compose_batch(call: &mut Call, model: &str, body: &[u8]) -> Result<Reply, Problem> {
    let ask = read(call, "BatchEmbedContentsRequest", body)?;
    let asked: Vec<&Value> = list(ask.get("requests")).iter().collect();
    let embeddings: Result<Vec<Object>, Problem> = asked.iter().map(|ask| embedding(ask)).collect();
    for ask in &asked {
        if member(ask, "model").and_then(Value::as_str) != Some(&format!("models/{model}")) {
            return Err(Problem::invalid(
                "* BatchEmbedContentsRequest.requests.model: all models must match the model of the batch\n",
            ));
        }
    }
    reply(call, model, &asked, object! {"embeddings": embeddings?})
}

fn reply(call: &mut Call, model: &str, asked: &[&Value], mut body: Object) -> Result<Reply, Problem> {
    let charged = call.model(Some(model))?;
    let texts = &call.app.texts;
    let parts = asked.iter().flat_map(|ask| list(ask.pointer("/content/parts")));
    let counted = parts
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .map(|text| texts.count(text))
        .sum();
    let tokens = Tokens {
        input: call.steering.prompt.unwrap_or(counted),
        ..Tokens::default()
    };
    call.fits(tokens.input)?;
    call.admit(&charged, tokens.input)?;
    let details = vec![object! {"modality": "TEXT", "tokenCount": tokens.input}];
    let usage = object! {"promptTokenCount": tokens.input, "promptTokensDetails": details};
    body.put_some("usageMetadata", &(!call.steering.no_usage).then_some(usage));
    let script = Script::json(body.to_string(), call.tells_all());
    Ok(Reply {
        charged,
        tokens,
        script,
        stream: false,
        error_event: None,
    })
}

fn embedding(ask: &Value) -> Result<Object, Problem> {
    if list(ask.pointer("/content/parts")).is_empty() {
        return Err(Problem::invalid(
            "* EmbedContentRequest.content: contents is not specified\n",
        ));
    }
    let dimensions = member(ask, "outputDimensionality")
        .and_then(Value::as_u64)
        .unwrap_or(3072);
    let values = Value::from(vector(dimensions.clamp(1, 3072) as usize)).to_string();
    Ok(object! {"values": Written(&values)})
}
