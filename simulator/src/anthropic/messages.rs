//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::stream;
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{NULL, Object, Written, object};
use crate::ledger::Charged;
use crate::openai::USUAL_ANSWER;
use crate::prices::Tokens;
use crate::stream::Script;
use crate::text::{Answer, Kind, Texts};

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
    #[serde(default)]
    tool_choice: Value,
}

/// What the answer is.
#[derive(Debug)]
pub(super) struct Answering {
    /// The text, or the arguments of the tool call.
    pub(super) answer: Arc<Answer>,
    /// What is thought before it.
    pub(super) thinking: Option<Arc<Answer>>,
    /// The tool that is called.
    pub(super) tool: Option<String>,
    /// Why it ends.
    pub(super) stop_reason: &'static str,
    /// What it costs. Anthropic does not tell thinking from answering: both are output.
    pub(super) tokens: Tokens,
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
    match read(&call, &body) {
        Ok((ask, _)) => {
            let tokens = call
                .steering
                .prompt
                .unwrap_or_else(|| prompt_tokens(&call.app.texts, &ask));
            call.free(&object! {"input_tokens": tokens})
        }
        Err(problem) => call.refuse(problem),
    }
}

fn read(call: &Call, body: &[u8]) -> Result<(Ask, Charged), Problem> {
    if !call.headers.contains_key("anthropic-version") {
        return Err(Problem::invalid("anthropic-version: header is required"));
    }
    let ask: Ask = call.parse(body)?;
    match &ask.messages {
        None => Err(Problem::invalid("messages: Field required")),
        Some(messages) if messages.is_empty() => Err(Problem::invalid("messages: at least one message is required")),
        Some(_) => call.model(ask.model.as_deref()).map(|charged| (ask, charged)),
    }
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let (ask, mut charged) = read(call, body)?;
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
    let answering = decide(call, &ask, most, tier, model);
    call.admit(&charged, answering.tokens.prompt() + most)?;
    let script = if ask.stream {
        stream::compose(call, &answering)
    } else {
        json(call, &answering)
    };
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream: ask.stream,
        error_event: None,
    })
}

fn decide(call: &Call, ask: &Ask, most: u64, tier: String, model: String) -> Answering {
    let (steering, texts) = (&call.steering, &call.app.texts);
    let tool = tool(call, ask);
    let reasoning = steering.reasoning.min(most);
    let wanted = steering.tokens.unwrap_or(USUAL_ANSWER);
    let length = wanted.min(most - reasoning);
    let kind = if steering.unicode { Kind::Unicode } else { Kind::Plain };
    let (answer, stop_reason) = match (&tool, length < wanted) {
        (Some(_), _) => (texts.answer(Kind::Arguments, 0), "tool_use"),
        (None, true) => (texts.answer(kind, length), "max_tokens"),
        (None, false) => (texts.answer(kind, length), "end_turn"),
    };
    let name = tool.as_deref().map_or(0, |name| texts.count(name));
    let tokens = Tokens {
        input: steering.prompt.unwrap_or_else(|| prompt_tokens(texts, ask)),
        cached_input: steering.cached,
        cache_write_5m: steering.cache_write_5m,
        cache_write_1h: steering.cache_write_1h,
        output: reasoning + answer.tokens + name,
        ..Tokens::default()
    };
    let thinking = (reasoning > 0).then(|| texts.answer(Kind::Plain, reasoning));
    Answering {
        answer,
        thinking,
        tool,
        stop_reason,
        tokens,
        tier,
        model,
    }
}

/// The tool to call: the one the steering names, or one the request insists on.
fn tool(call: &Call, ask: &Ask) -> Option<String> {
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if call.steering.tool.is_some() {
        return call.steering.tool.clone();
    }
    match ask.tool_choice.get("type").and_then(Value::as_str) {
        Some("tool") => name(&ask.tool_choice),
        Some("any") => ask.tools.first().and_then(name),
        _ => None,
    }
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
    let Answering {
        answer,
        thinking,
        tool,
        tokens,
        ..
    } = answering;
    let mut content = Vec::new();
    if let Some(thinking) = thinking {
        content.push(object! {"type": "thinking", "thinking": thinking.text, "signature": stream::SIGNATURE});
    }
    content.push(match tool {
        None => object! {"type": "text", "text": answer.text},
        Some(name) => object! {
            "type": "tool_use", "id": call.id("toolu_", 24), "name": name, "input": Written(&answer.text),
        },
    });
    let mut body = object! {
        "id": call.id("msg_", 24),
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": content,
        "stop_reason": answering.stop_reason,
        "stop_sequence": NULL,
    };
    body.put_some(
        "usage",
        &(!call.steering.no_usage).then(|| usage(tokens, &answering.tier)),
    );
    Script::json(body.to_string(), call.tells_all())
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
