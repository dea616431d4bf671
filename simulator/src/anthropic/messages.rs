//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{reading, stream, strict};
use crate::answering::{Ending, Part, sealed, signature};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::ledger::Charged;
use crate::prices::Tokens;
use crate::stream::Script;
use crate::text::Texts;
use crate::understood::Understood;

/// What an image in a prompt costs in tokens, whatever it shows.
const IMAGE: u64 = 1_568;

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    max_tokens: Option<u64>,
    messages: Option<Vec<Value>>,
    #[serde(default)]
    system: Value,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    tools: Vec<Value>,
}

/// The answer, and what a message says beside it.
#[derive(Debug)]
pub(super) struct Answering {
    /// The answer. Anthropic does not tell thinking from answering: both are output.
    pub(super) answer: crate::answering::Answering,
    /// The service tier of the reply.
    pub(super) tier: String,
    /// The model the reply names.
    pub(super) model: String,
}

/// Answers a request for a message.
pub async fn handle(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &body);
    call.answer(composed).await
}

/// Counts the tokens of a request; free.
pub async fn count_tokens(Admitted(call, body): Admitted) -> Response {
    match read(&call, &body, false) {
        Ok((ask, ..)) => {
            let tokens = call
                .steering
                .prompt
                .unwrap_or_else(|| prompt_tokens(&call.app.texts, &ask));
            call.free(&object! {"input_tokens": tokens})
        }
        Err(problem) => call.refuse(problem),
    }
}

fn read(call: &Call, body: &[u8], answers: bool) -> Result<(Ask, Charged, Understood), Problem> {
    if !call.headers.contains_key("anthropic-version") {
        return Err(Problem::invalid("anthropic-version: header is required"));
    }
    let mut written: Value = call.parse(body)?;
    if let (false, Some(members)) = (answers, written.as_object_mut()) {
        // Tokens are counted without a limit to the answer.
        members.insert("max_tokens".to_owned(), Value::from(1_000_000));
    }
    if call.steering.strict {
        strict::check(&written)?;
    }
    let understood = reading::read(&written);
    let ask: Ask = call.parse(body)?;
    match &ask.messages {
        None => Err(Problem::invalid("messages: Field required")),
        Some(messages) if messages.is_empty() => Err(Problem::invalid("messages: at least one message is required")),
        Some(_) => call
            .model(ask.model.as_deref())
            .map(|charged| (ask, charged, understood)),
    }
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let (ask, mut charged, understood) = read(call, body, true)?;
    let most = ask
        .max_tokens
        .ok_or_else(|| Problem::invalid("max_tokens: Field required"))?;
    let tier = charged
        .service_tier
        .get_or_insert_with(|| "standard".to_owned())
        .clone();
    let model = call
        .steering
        .reply_model
        .clone()
        .or(ask.model.clone())
        .unwrap_or_default();
    let prompt = prompt_tokens(&call.app.texts, &ask);
    let answer = crate::answering::Answering::decide(call, &understood, prompt)?.with_cache_beside(call);
    call.admit(&charged, answer.tokens.prompt().saturating_add(most))?;
    let tokens = answer.tokens;
    let answering = Answering { answer, tier, model };
    let script = if ask.stream {
        stream::compose(call, &answering)
    } else {
        json(call, &answering)
    };
    Ok(Reply {
        charged,
        tokens,
        script,
        stream: ask.stream,
        error_event: None,
    })
}

fn prompt_tokens(texts: &Texts, ask: &Ask) -> u64 {
    let messages = ask.messages.iter().flatten();
    let said: u64 = messages
        .map(|message| {
            3 + message
                .get("content")
                .map_or(0, |content| content_tokens(texts, content))
        })
        .sum();
    let tools: u64 = ask.tools.iter().map(|tool| texts.count(&tool.to_string())).sum();
    3 + said + content_tokens(texts, &ask.system) + tools
}

fn content_tokens(texts: &Texts, content: &Value) -> u64 {
    match content {
        Value::String(text) => texts.count(text),
        Value::Array(blocks) => blocks
            .iter()
            .map(
                |block| match (block.get("type").and_then(Value::as_str), block.get("text")) {
                    (Some("image" | "document"), _) => IMAGE,
                    (Some("tool_use"), _) => block.get("input").map_or(0, |input| texts.count(&input.to_string())),
                    (_, Some(Value::String(text))) => texts.count(text),
                    _ => block.get("content").map_or(0, |content| content_tokens(texts, content)),
                },
            )
            .sum(),
        _ => 0,
    }
}

fn json(call: &Call, answering: &Answering) -> Script {
    let answer = &answering.answer;
    let content: Vec<Object> = (0..)
        .zip(&answer.parts)
        .map(|(nth, part)| match part {
            Part::Thought(thought) => {
                object! {"type": "thinking", "thinking": thought.text, "signature": signature(&thought.text)}
            }
            Part::Sealed(tokens) => object! {"type": "redacted_thinking", "data": sealed(*tokens)},
            Part::Text(said) | Part::Refusal(said) => object! {"type": "text", "text": said.text},
            Part::Call { name, arguments } => object! {
                "type": "tool_use", "id": call.nth_id("toolu_", nth, 24), "name": name,
                "input": Written(&arguments.text),
            },
        })
        .collect();
    let body = object! {
        "id": call.id("msg_", 24),
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": content,
    };
    let mut body = body.and(&stop(&answer.ending));
    body.put_some(
        "usage",
        &(!call.steering.no_usage).then(|| usage(&answer.tokens, &answering.tier)),
    );
    Script::json(body.to_string(), call.tells_all())
}

/// Why a message ends, and by which of the request's texts.
pub(super) fn stop(ending: &Ending) -> Object {
    let (reason, sequence) = match ending {
        Ending::Stop => ("end_turn", None),
        Ending::Length => ("max_tokens", None),
        Ending::Calls => ("tool_use", None),
        Ending::StopSequence(text) => ("stop_sequence", Some(text)),
        Ending::Filtered | Ending::Refused | Ending::Blocked => ("refusal", None),
    };
    object! {"stop_reason": reason, "stop_sequence": sequence}
}

/// The usage of a whole message, or of one that has just begun.
pub(super) fn usage(tokens: &Tokens, tier: &str) -> Object {
    object! {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cached_input,
        "cache_creation": object! {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "service_tier": tier,
    }
}
