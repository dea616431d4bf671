//! `POST /v1/chat/completions`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{Answering, FINGERPRINT, content_tokens, refuse_empty, reply_model, service_tier, tool, usage};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{NULL, Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};
use crate::text::Piece;

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    tool_choice: Value,
    service_tier: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

/// Answers it.
pub async fn handle(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &body);
    call.answer(composed).await
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let ask: Ask = call.parse(body)?;
    let mut charged = call.model(ask.model.as_deref())?;
    refuse_empty("messages", &ask.messages)?;
    let tier = service_tier(&mut charged, ask.service_tier.as_deref());
    let tool = tool(call, &ask.tools, &ask.tool_choice);
    let most = ask.max_completion_tokens.or(ask.max_tokens);
    let mut answering = Answering::decide(call, prompt_tokens(call, &ask), most, tool);
    let copies = ask.n.unwrap_or(1).clamp(1, 128);
    answering.tokens.output *= copies;
    call.admit(
        &charged,
        answering.tokens.prompt() + most.unwrap_or(answering.tokens.completion()),
    )?;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let shape = Shape {
        id: call.id("chatcmpl-", 29),
        tool_id: call.id("call_", 24),
        model,
        tier: &tier,
        copies,
    };
    let script = if ask.stream {
        let asked = ask.stream_options.is_some_and(|options| options.include_usage);
        shape.stream(call, &answering, asked && !call.steering.no_usage)
    } else {
        shape.json(call, &answering)
    };
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream: ask.stream,
        error_event: None,
    })
}

/// As OpenAI documents it: three tokens for each message and its texts, and three for the answer's beginning.
fn prompt_tokens(call: &Call, ask: &Ask) -> u64 {
    let texts = &call.app.texts;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, |text| texts.count(text));
    let mut tokens = 3;
    for message in &ask.messages {
        tokens += 3 + text(message.get("role"));
        tokens += message
            .get("content")
            .map_or(0, |content| content_tokens(texts, content));
        tokens += if message.get("name").is_some() {
            1 + text(message.get("name"))
        } else {
            0
        };
        tokens += message
            .get("tool_calls")
            .map_or(0, |calls| texts.count(&calls.to_string()));
    }
    tokens + ask.tools.iter().map(|tool| texts.count(&tool.to_string())).sum::<u64>()
}

struct Shape<'a> {
    id: String,
    tool_id: String,
    model: &'a str,
    tier: &'a str,
    copies: u64,
}

impl Shape<'_> {
    fn json(&self, call: &Call, answering: &Answering) -> Script {
        let text = &answering.answer.text;
        let mut message = object! {"role": "assistant"};
        match &answering.tool {
            None => message.put("content", text),
            Some(name) => {
                let function = object! {"name": name, "arguments": text};
                let tool_call = object! {"id": self.tool_id, "type": "function", "function": function};
                message.put("content", &NULL);
                message.put("tool_calls", &vec![tool_call]);
            }
        }
        message = message.and(&object! {"refusal": NULL, "annotations": Written("[]")});
        let finish_reason = finish_reason(answering);
        let choice =
            |index| object! {"index": index, "message": message, "logprobs": NULL, "finish_reason": finish_reason};
        let mut body = object! {
            "id": self.id,
            "object": "chat.completion",
            "created": call.created,
            "model": self.model,
            "choices": (0..self.copies).map(choice).collect::<Vec<_>>(),
        };
        body.put_some("usage", &(!call.steering.no_usage).then(|| usage(&answering.tokens)));
        body = body.and(&object! {"service_tier": self.tier, "system_fingerprint": FINGERPRINT});
        Script::json(body.to_string(), call.tells_all())
    }

    fn stream(&self, call: &Call, answering: &Answering, include_usage: bool) -> Script {
        let Answering { answer, tokens, .. } = answering;
        let mut script = Script::events(&call.steering, Pace::new(&call.steering, tokens.reasoning));
        let head = object! {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": call.created,
            "model": self.model,
            "service_tier": self.tier,
            "system_fingerprint": FINGERPRINT,
        };
        let usage_yet = if include_usage { r#","usage":null"# } else { "" };
        for copy in 0..self.copies {
            let before = copy * answer.tokens;
            // Composed once around a mark in place of the delta: there is one chunk for almost every token.
            let choice = |finish: Option<&str>| {
                object! {"index": copy, "delta": Written("\0"), "logprobs": NULL, "finish_reason": finish}
            };
            let around = |finish| head.clone().and(&object! {"choices": vec![choice(finish)]}).to_string();
            let mut chunk = |finish, deltas: &mut dyn Iterator<Item = ([&str; 3], Produced)>| {
                let around = around(finish);
                let (open, close) = around.split_once('\0').unwrap_or_default();
                let close = close.strip_suffix('}').unwrap_or_default();
                for ([begin, middle, end], produced) in deltas {
                    script.push(
                        None,
                        &[open, begin, middle, end, close, usage_yet, "}"],
                        produced,
                        Tells::Nothing,
                    );
                }
            };
            let first = self.first_delta(answering).to_string();
            let (begin, end) = match answering.tool {
                None => (r#"{"content":""#, r#""}"#),
                Some(_) => (r#"{"tool_calls":[{"index":0,"function":{"arguments":""#, r#""}}]}"#),
            };
            let piece = |piece: &'_ Piece| Produced::Answer(before + piece.so_far);
            let pieces = answer.pieces.iter().map(|p| ([begin, p.json.as_str(), end], piece(p)));
            chunk(
                None,
                &mut std::iter::once((["", &first, ""], made(before, tokens))).chain(pieces),
            );
            chunk(
                Some(finish_reason(answering)),
                &mut std::iter::once((["", "{}", ""], Produced::Everything)),
            );
        }
        if include_usage {
            let last = head.and(&object! {"choices": Written("[]"), "usage": usage(tokens)});
            script.push(None, &[&last.to_string()], Produced::Everything, Tells::All);
        }
        script.push(None, &["[DONE]"], Produced::Everything, Tells::Nothing);
        script
    }

    /// The delta of the first chunk, which names the role and the tool.
    fn first_delta(&self, answering: &Answering) -> Object {
        let Some(name) = &answering.tool else {
            return object! {"role": "assistant", "content": "", "refusal": NULL};
        };
        let function = object! {"name": name, "arguments": ""};
        let tool_call = object! {"index": 0, "id": self.tool_id, "type": "function", "function": function};
        object! {"role": "assistant", "content": NULL, "tool_calls": vec![tool_call], "refusal": NULL}
    }
}

/// Before the first token nothing is made; reasoning is, as soon as the answer begins.
fn made(before: u64, tokens: &Tokens) -> Produced {
    if before == 0 && tokens.reasoning == 0 {
        Produced::Prompt
    } else {
        Produced::Answer(before)
    }
}

fn finish_reason(answering: &Answering) -> &'static str {
    match (&answering.tool, answering.truncated) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}
