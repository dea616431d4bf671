//! `POST /model/{id}/converse` and `POST /model/{id}/converse-stream`.

use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;

use super::{check, reading, stream};
use crate::answering::{Answering, Ending, Part, sealed, signature};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::prices::Tokens;
use crate::stream::Script;

/// What an image or a document in a prompt costs in tokens, whatever it shows.
const MEDIUM: u64 = 1_600;

/// Answers with one JSON body.
pub async fn handle(Path(model): Path<String>, Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &model, &body, false);
    call.answer(composed).await
}

/// Answers with a stream.
pub async fn handle_stream(Path(model): Path<String>, Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &model, &body, true);
    call.answer(composed).await
}

fn compose(call: &mut Call, model: &str, body: &[u8], stream: bool) -> Result<Reply, Problem> {
    let ask: Value = call.parse(body)?;
    let mut charged = call.model(Some(model))?;
    check("ConverseRequest", &ask)?;
    reading::in_range(&ask)?;
    reading::in_order(&ask)?;
    let understood = reading::read(&ask)?;
    let prompt = understood.tokens(&call.app.texts, MEDIUM);
    let answering = Answering::decide(call, &understood, prompt)?.with_cache_beside(call);
    let asked = ask.pointer("/serviceTier/type").and_then(Value::as_str);
    let tier = charged
        .service_tier
        .get_or_insert_with(|| asked.unwrap_or("default").to_owned())
        .clone();
    let most = understood.number("max_tokens").unwrap_or(answering.tokens.completion());
    call.admit(&charged, answering.tokens.prompt().saturating_add(most))?;
    let script = if stream {
        stream::compose(call, &answering, &tier)
    } else {
        json(call, &answering, &tier)
    };
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream,
        error_event: None,
    })
}

fn json(call: &Call, answering: &Answering, tier: &str) -> Script {
    let content: Vec<Object> = (0..)
        .zip(&answering.parts)
        .map(|(nth, part)| match part {
            Part::Thought(answer) => {
                let text = object! {"text": answer.text, "signature": signature(&answer.text)};
                object! {"reasoningContent": object! {"reasoningText": text}}
            }
            Part::Sealed(tokens) => object! {"reasoningContent": object! {"redactedContent": sealed(*tokens)}},
            Part::Text(answer) | Part::Refusal(answer) => object! {"text": answer.text},
            Part::Call { name, arguments } => object! {"toolUse": object! {
                "toolUseId": call.nth_id("tooluse_", nth, 22), "name": name, "input": Written(&arguments.text),
            }},
        })
        .collect();
    let message = object! {"role": "assistant", "content": content};
    let mut body = object! {
        "metrics": metrics(call),
        "output": object! {"message": message},
        "serviceTier": object! {"type": tier},
        "stopReason": stop_reason(&answering.ending),
    };
    body.put_some("usage", &(!call.steering.no_usage).then(|| usage(&answering.tokens)));
    Script::json(body.to_string(), call.tells_all())
}

pub(super) fn metrics(call: &Call) -> Object {
    object! {"latencyMs": call.arrived.elapsed().as_millis() as u64}
}

/// The usage; what is read from the cache or written to it is not among the input tokens, but in the total.
pub(super) fn usage(tokens: &Tokens) -> Object {
    let mut usage = object! {
        "inputTokens": tokens.input + tokens.input_audio,
        "outputTokens": tokens.completion(),
        "totalTokens": tokens.prompt() + tokens.completion(),
        "cacheReadInputTokens": tokens.cached_input,
        "cacheWriteInputTokens": tokens.cache_write_5m + tokens.cache_write_1h,
    };
    let written: Vec<Object> = [("5m", tokens.cache_write_5m), ("1h", tokens.cache_write_1h)]
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(ttl, count)| object! {"ttl": *ttl, "inputTokens": *count})
        .collect();
    if !written.is_empty() {
        usage.put("cacheDetails", &written);
    }
    usage
}

pub(super) fn stop_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::Refused => "end_turn",
        Ending::Length => "max_tokens",
        Ending::Calls => "tool_use",
        Ending::StopSequence(_) => "stop_sequence",
        Ending::Filtered => "content_filtered",
        Ending::Blocked => "guardrail_intervened",
    }
}
