//! `POST /v1/chat/completions`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{FINGERPRINT, content_tokens, reading, refuse_empty, reply_model, service_tier, strict, usage};
use crate::answering::{Answering, Ending, Part};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{NULL, Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    n: Option<u64>,
    #[serde(default)]
    tools: Vec<Value>,
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
    let written: Value = call.parse(body)?;
    if call.steering.strict {
        strict::check(&written)?;
    }
    let understood = reading::chat(&written);
    let ask: Ask = call.parse(body)?;
    let mut charged = call.model(ask.model.as_deref())?;
    refuse_empty("messages", &ask.messages)?;
    let tier = service_tier(&mut charged, ask.service_tier.as_deref());
    let mut answering = Answering::decide(call, &understood, prompt_tokens(call, &ask))?;
    let copies = ask.n.unwrap_or(1).clamp(1, 128);
    answering.tokens.output *= copies;
    let most = understood.number("max_tokens").unwrap_or(answering.tokens.completion());
    call.admit(&charged, answering.tokens.prompt().saturating_add(most))?;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let shape = Shape {
        id: call.id("chatcmpl-", 29),
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
    model: &'a str,
    tier: &'a str,
    copies: u64,
}

impl Shape<'_> {
    fn json(&self, call: &Call, answering: &Answering) -> Script {
        let mut message = object! {"role": "assistant"};
        let (mut content, mut refusal, mut calls) = (None, None, Vec::new());
        for part in &answering.parts {
            match part {
                Part::Thought(answer) if call.steering.show_reasoning => message.put("reasoning_content", &answer.text),
                Part::Thought(_) | Part::Sealed(_) => {}
                Part::Text(answer) => content = Some(&answer.text),
                Part::Refusal(answer) => refusal = Some(&answer.text),
                Part::Call { name, arguments } => {
                    let function = object! {"name": name, "arguments": arguments.text};
                    let id = call.nth_id("call_", calls.len() as u64, 24);
                    calls.push(object! {"id": id, "type": "function", "function": function});
                }
            }
        }
        message.put("content", &content);
        message.put_some("tool_calls", &Some(&calls).filter(|calls| !calls.is_empty()));
        message = message.and(&object! {"refusal": refusal, "annotations": Written("[]")});
        let finish_reason = finish_reason(&answering.ending);
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
        let tokens = &answering.tokens;
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
        let visible: u64 = answering
            .parts
            .iter()
            .filter(|part| !part.is_thought())
            .map(Part::tokens)
            .sum();
        for copy in 0..self.copies {
            // Composed once around a mark in place of the delta: there is one chunk for almost every token.
            let around = |finish: Option<&str>| {
                let choice = object! {"index": copy, "delta": Written("\0"), "logprobs": NULL, "finish_reason": finish};
                head.clone().and(&object! {"choices": vec![choice]}).to_string()
            };
            let (going, ended) = (around(None), around(Some(finish_reason(&answering.ending))));
            let mut chunk = |around: &str, [begin, middle, end]: [&str; 3], produced| {
                let (open, close) = around.split_once('\0').unwrap_or_default();
                let close = close.strip_suffix('}').unwrap_or_default();
                let data = [open, begin, middle, end, close, usage_yet, "}"];
                script.push(None, &data, produced, Tells::Nothing);
            };
            let mut before = copy * visible;
            let mut calls = 0;
            let mut first = Some(());
            for part in &answering.parts {
                let hidden = part.is_thought() && !(call.steering.show_reasoning && part.answer().is_some());
                if hidden {
                    continue;
                }
                if first.take().is_some() {
                    let delta = first_delta(call, part).to_string();
                    chunk(&going, ["", &delta, ""], made(before, tokens));
                    calls += u64::from(matches!(part, Part::Call { .. }));
                } else if matches!(part, Part::Call { .. }) {
                    let delta = object! {"tool_calls": vec![call_head(call, calls, part)]}.to_string();
                    chunk(&going, ["", &delta, ""], Produced::Answer(before));
                    calls += 1;
                }
                let begin = match part {
                    Part::Call { .. } => {
                        format!(r#"{{"tool_calls":[{{"index":{},"function":{{"arguments":""#, calls - 1)
                    }
                    Part::Refusal(_) => r#"{"refusal":""#.to_owned(),
                    Part::Thought(_) => r#"{"reasoning_content":""#.to_owned(),
                    Part::Text(_) | Part::Sealed(_) => r#"{"content":""#.to_owned(),
                };
                let end = if matches!(part, Part::Call { .. }) {
                    r#""}}]}"#
                } else {
                    r#""}"#
                };
                for piece in part.answer().iter().flat_map(|answer| &answer.pieces) {
                    let so_far = if part.is_thought() { 0 } else { piece.so_far };
                    chunk(&going, [&begin, &piece.json, end], Produced::Answer(before + so_far));
                }
                before += if part.is_thought() { 0 } else { part.tokens() };
            }
            chunk(&ended, ["", "{}", ""], Produced::Everything);
        }
        if include_usage {
            let last = head.and(&object! {"choices": Written("[]"), "usage": usage(tokens)});
            script.push(None, &[&last.to_string()], Produced::Everything, Tells::All);
        }
        script.push(None, &["[DONE]"], Produced::Everything, Tells::Nothing);
        script
    }
}

/// The delta of the first chunk, which names the role, and the tool if one is called right away.
fn first_delta(call: &Call, part: &Part) -> Object {
    match part {
        Part::Call { .. } => object! {
            "role": "assistant", "content": NULL, "tool_calls": vec![call_head(call, 0, part)], "refusal": NULL,
        },
        _ => object! {"role": "assistant", "content": "", "refusal": NULL},
    }
}

/// What a stream says of a call before its arguments.
fn call_head(call: &Call, nth: u64, part: &Part) -> Object {
    let name = match part {
        Part::Call { name, .. } => name.as_str(),
        _ => "",
    };
    let function = object! {"name": name, "arguments": ""};
    object! {"index": nth, "id": call.nth_id("call_", nth, 24), "type": "function", "function": function}
}

/// Before the first token nothing is made; reasoning is, as soon as the answer begins.
fn made(before: u64, tokens: &Tokens) -> Produced {
    if before == 0 && tokens.reasoning == 0 {
        Produced::Prompt
    } else {
        Produced::Answer(before)
    }
}

fn finish_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Calls => "tool_calls",
        Ending::Length => "length",
        Ending::Filtered | Ending::Blocked => "content_filter",
        Ending::Stop | Ending::StopSequence(_) | Ending::Refused => "stop",
    }
}
