//! `POST /v1/responses`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{content_tokens, reading, reply_model, service_tier};
use crate::answering::{Answering, Ending, Part, sealed};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Escaped, NULL, Object, Written, object};
use crate::ledger::Produced;
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};

#[derive(Deserialize)]
struct Ask {
    model: Option<String>,
    #[serde(default)]
    input: Value,
    #[serde(default)]
    instructions: Value,
    #[serde(default)]
    stream: bool,
    max_output_tokens: Option<u64>,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    tool_choice: Value,
    service_tier: Option<String>,
}

/// Answers it.
pub async fn handle(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose(&mut call, &body);
    call.answer(composed).await
}

fn compose(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    let understood = reading::response(&call.parse(body)?);
    let ask: Ask = call.parse(body)?;
    let mut charged = call.model(ask.model.as_deref())?;
    let tier = service_tier(&mut charged, ask.service_tier.as_deref());
    let answering = Answering::decide(call, &understood, prompt_tokens(call, &ask))?;
    let most = ask.max_output_tokens.unwrap_or(answering.tokens.completion());
    call.admit(&charged, answering.tokens.prompt() + most)?;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let shape = Shape {
        call,
        answering: &answering,
        ask: &ask,
        shown: call.steering.show_reasoning || understood.reasoning.contains_key("shown"),
        model,
        tier: &tier,
    };
    let script = if ask.stream {
        shape.stream()
    } else {
        Script::json(shape.response(true).to_string(), call.tells_all())
    };
    let error = object! {
        "type": "error", "sequence_number": 0, "code": "server_error", "param": NULL,
        "message": "The server had an error while processing your request. Sorry about that!",
    };
    let error_event = Some(("error", error.to_string()));
    Ok(Reply {
        charged,
        tokens: answering.tokens,
        script,
        stream: ask.stream,
        error_event,
    })
}

fn prompt_tokens(call: &Call, ask: &Ask) -> u64 {
    let texts = &call.app.texts;
    let item = |item: &Value| {
        let output = item.get("output").or(item.get("arguments")).and_then(Value::as_str);
        3 + item.get("content").map_or(0, |content| content_tokens(texts, content))
            + output.map_or(0, |o| texts.count(o))
    };
    let input = match &ask.input {
        Value::Array(items) => items.iter().map(item).sum(),
        input => 3 + content_tokens(texts, input),
    };
    let instructions = if ask.instructions.is_null() {
        0
    } else {
        3 + content_tokens(texts, &ask.instructions)
    };
    3 + input + instructions + ask.tools.iter().map(|tool| texts.count(&tool.to_string())).sum::<u64>()
}

struct Shape<'a> {
    call: &'a Call,
    answering: &'a Answering,
    ask: &'a Ask,
    /// Whether a summary of what was thought is in the answer.
    shown: bool,
    model: &'a str,
    tier: &'a str,
}

impl Shape<'_> {
    /// Why the answer is not whole, if it is not.
    fn incomplete(&self) -> Option<&'static str> {
        match self.answering.ending {
            Ending::Length => Some("max_output_tokens"),
            Ending::Filtered | Ending::Blocked => Some("content_filter"),
            _ => None,
        }
    }

    fn status(&self) -> &'static str {
        match self.incomplete() {
            Some(_) => "incomplete",
            None => "completed",
        }
    }

    /// The response object: with its output and usage, or as it was begun.
    fn response(&self, ended: bool) -> Object {
        let (call, tokens) = (self.call, &self.answering.tokens);
        let parts = (0..).zip(&self.answering.parts).filter(|_| ended);
        let output: Vec<Object> = parts.map(|(nth, part)| self.item(nth, part, true)).collect();
        let tool_choice = Some(&self.ask.tool_choice).filter(|choice| !choice.is_null());
        object! {
            "id": call.id("resp_", 48),
            "object": "response",
            "created_at": call.created,
            "status": if ended { self.status() } else { "in_progress" },
            "background": false,
            "error": NULL,
            "incomplete_details": self.incomplete().filter(|_| ended).map(|why| object! {"reason": why}),
            "instructions": self.ask.instructions,
            "max_output_tokens": self.ask.max_output_tokens,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": NULL,
            "reasoning": object! {"effort": NULL, "summary": NULL},
            "service_tier": if ended { self.tier } else { "auto" },
            "store": true,
            "temperature": 1.0,
            "text": object! {"format": object! {"type": "text"}},
            "tool_choice": tool_choice.cloned().unwrap_or_else(|| "auto".into()),
            "tools": self.ask.tools,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": (ended && !call.steering.no_usage).then(|| usage(tokens)),
            "user": NULL,
            "metadata": Written("{}"),
        }
    }

    /// One thing the answer consists of: what was thought, a message, or a call of a tool.
    fn item(&self, nth: u64, part: &Part, done: bool) -> Object {
        let status = if done { self.status() } else { "in_progress" };
        let id = self.item_id(nth, part);
        match part {
            Part::Thought(answer) => {
                let summary = object! {"type": "summary_text", "text": answer.text};
                let summary = if self.shown && done { vec![summary] } else { vec![] };
                object! {"id": id, "type": "reasoning", "summary": summary}
            }
            Part::Sealed(tokens) => object! {
                "id": id, "type": "reasoning", "summary": Written("[]"), "encrypted_content": sealed(*tokens),
            },
            Part::Call { name, arguments } => object! {
                "id": id, "type": "function_call", "status": status,
                "arguments": if done { arguments.text.as_str() } else { "" },
                "call_id": self.call.nth_id("call_", nth, 24), "name": name,
            },
            Part::Text(answer) | Part::Refusal(answer) => {
                let content = if done {
                    vec![content(part, &answer.text)]
                } else {
                    vec![]
                };
                object! {"id": id, "type": "message", "status": status, "content": content, "role": "assistant"}
            }
        }
    }

    fn item_id(&self, nth: u64, part: &Part) -> String {
        let prefix = match part {
            Part::Thought(_) | Part::Sealed(_) => "rs_",
            Part::Call { .. } => "fc_",
            Part::Text(_) | Part::Refusal(_) => "msg_",
        };
        self.call.nth_id(prefix, nth, 48)
    }

    fn stream(&self) -> Script {
        let (call, answering) = (self.call, self.answering);
        let reasoning = answering.tokens.reasoning;
        let script = Script::events(&call.steering, Pace::new(&call.steering, reasoning));
        let mut events = Events { script, serial: 0 };
        for kind in ["response.created", "response.in_progress"] {
            events.push(
                kind,
                &object! {"response": self.response(false)},
                Produced::Prompt,
                Tells::Nothing,
            );
        }
        let mut before = 0;
        for (nth, part) in (0..).zip(&answering.parts) {
            self.part(&mut events, nth, part, before);
            before += if part.is_thought() { 0 } else { part.tokens() };
        }
        let last = match self.incomplete() {
            Some(_) => "response.incomplete",
            None => "response.completed",
        };
        events.push(
            last,
            &object! {"response": self.response(true)},
            Produced::Everything,
            call.tells_all(),
        );
        events.script
    }

    /// The events of one item.
    fn part(&self, events: &mut Events, nth: u64, part: &Part, before: u64) {
        let begun = if before == 0 && self.answering.tokens.reasoning == 0 {
            Produced::Prompt
        } else {
            Produced::Answer(before)
        };
        let item = |done| object! {"output_index": nth, "item": self.item(nth, part, done)};
        events.push("response.output_item.added", &item(false), begun, Tells::Nothing);
        let mut place = object! {"item_id": self.item_id(nth, part), "output_index": nth};
        let (kind, member) = match part {
            Part::Thought(_) => ("response.reasoning_summary_text", "text"),
            Part::Sealed(_) => ("", ""),
            Part::Text(_) => ("response.output_text", "text"),
            Part::Refusal(_) => ("response.refusal", "refusal"),
            Part::Call { .. } => ("response.function_call_arguments", "arguments"),
        };
        let is_text = matches!(part, Part::Text(_));
        let in_part = is_text || matches!(part, Part::Refusal(_));
        if in_part {
            place.put("content_index", &0);
            let added = place.clone().and(&object! {"part": content(part, "")});
            events.push("response.content_part.added", &added, begun, Tells::Nothing);
        }
        let shown = part.answer().filter(|_| self.shown || !part.is_thought());
        let counted = |so_far: u64| Produced::Answer(before + if part.is_thought() { 0 } else { so_far });
        if let Some(answer) = shown {
            if part.is_thought() {
                place.put("summary_index", &0);
                let added = object! {"part": object! {"type": "summary_text", "text": ""}};
                let added = place.clone().and(&added);
                events.push("response.reasoning_summary_part.added", &added, begun, Tells::Nothing);
            }
            for piece in &answer.pieces {
                let mut event = place.clone().and(&object! {"delta": Escaped(&piece.json)});
                event.put_some("logprobs", &is_text.then_some(Written("[]")));
                events.push(&format!("{kind}.delta"), &event, counted(piece.so_far), Tells::Nothing);
            }
            let all = counted(answer.tokens);
            let mut done = place.clone();
            done.put(member, &Escaped(&answer.json));
            done.put_some("logprobs", &is_text.then_some(Written("[]")));
            events.push(&format!("{kind}.done"), &done, all, Tells::Nothing);
            if in_part {
                let done = place.and(&object! {"part": content(part, &answer.text)});
                events.push("response.content_part.done", &done, all, Tells::Nothing);
            } else if part.is_thought() {
                let done = object! {"part": object! {"type": "summary_text", "text": Escaped(&answer.json)}};
                events.push(
                    "response.reasoning_summary_part.done",
                    &place.and(&done),
                    all,
                    Tells::Nothing,
                );
            }
        }
        let all = counted(part.tokens());
        events.push("response.output_item.done", &item(true), all, Tells::Nothing);
    }
}

/// Typed, numbered events.
struct Events {
    script: Script,
    serial: u64,
}

impl Events {
    fn push(&mut self, kind: &str, members: &Object, produced: Produced, tells: Tells) {
        let data = object! {"type": kind, "sequence_number": self.serial}.and(members);
        self.script.push(Some(kind), &[&data.to_string()], produced, tells);
        self.serial += 1;
    }
}

fn content(part: &Part, text: &str) -> Object {
    if matches!(part, Part::Refusal(_)) {
        return object! {"type": "refusal", "refusal": text};
    }
    object! {"type": "output_text", "annotations": Written("[]"), "logprobs": Written("[]"), "text": text}
}

fn usage(tokens: &Tokens) -> Object {
    object! {
        "input_tokens": tokens.prompt(),
        "input_tokens_details": object! {"cached_tokens": tokens.cached_input},
        "output_tokens": tokens.completion(),
        "output_tokens_details": object! {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt() + tokens.completion(),
    }
}
