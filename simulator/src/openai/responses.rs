//! `POST /v1/responses`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{Answering, content_tokens, reply_model, service_tier, tool};
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
    let ask: Ask = call.parse(body)?;
    let mut charged = call.model(ask.model.as_deref())?;
    let tier = service_tier(&mut charged, ask.service_tier.as_deref());
    let tool = tool(call, &ask.tools, &ask.tool_choice);
    let answering = Answering::decide(call, prompt_tokens(call, &ask), ask.max_output_tokens, tool);
    let most = ask.max_output_tokens.unwrap_or(answering.tokens.completion());
    call.admit(&charged, answering.tokens.prompt() + most)?;
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let shape = Shape {
        call,
        answering: &answering,
        ask: &ask,
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
    model: &'a str,
    tier: &'a str,
}

impl Shape<'_> {
    fn status(&self) -> &'static str {
        if self.answering.truncated {
            "incomplete"
        } else {
            "completed"
        }
    }

    /// The response object: with its output and usage, or as it was begun.
    fn response(&self, ended: bool) -> Object {
        let (call, tokens) = (self.call, &self.answering.tokens);
        let output: Vec<Object> = if ended {
            self.thought().into_iter().chain([self.item(true)]).collect()
        } else {
            vec![]
        };
        let incomplete = ended && self.answering.truncated;
        let tool_choice = Some(&self.ask.tool_choice).filter(|choice| !choice.is_null());
        object! {
            "id": call.id("resp_", 48),
            "object": "response",
            "created_at": call.created,
            "status": if ended { self.status() } else { "in_progress" },
            "background": false,
            "error": NULL,
            "incomplete_details": incomplete.then(|| object! {"reason": "max_output_tokens"}),
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

    /// What was thought before, without what it was.
    fn thought(&self) -> Option<Object> {
        let item = || object! {"id": self.call.id("rs_", 48), "type": "reasoning", "summary": Written("[]")};
        (self.answering.tokens.reasoning > 0).then(item)
    }

    /// The one thing the answer consists of: a message, or a call of a tool.
    fn item(&self, done: bool) -> Object {
        let status = if done { self.status() } else { "in_progress" };
        let text = if done { self.answering.answer.text.as_str() } else { "" };
        match &self.answering.tool {
            Some(name) => object! {
                "id": self.item_id(), "type": "function_call", "status": status, "arguments": text,
                "call_id": self.call.id("call_", 24), "name": name,
            },
            None => object! {
                "id": self.item_id(), "type": "message", "status": status,
                "content": if done { vec![part(text)] } else { vec![] }, "role": "assistant",
            },
        }
    }

    fn item_id(&self) -> String {
        self.call
            .id(if self.answering.tool.is_some() { "fc_" } else { "msg_" }, 48)
    }

    fn stream(&self) -> Script {
        let (call, answering) = (self.call, self.answering);
        let (answer, reasoning, is_text) = (&answering.answer, answering.tokens.reasoning, answering.tool.is_none());
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
        let begun = if reasoning > 0 {
            Produced::Answer(0)
        } else {
            Produced::Prompt
        };
        if let Some(item) = self.thought() {
            for kind in ["response.output_item.added", "response.output_item.done"] {
                events.push(kind, &object! {"output_index": 0, "item": item}, begun, Tells::Nothing);
            }
        }
        let index = u64::from(reasoning > 0);
        let item = |done| object! {"output_index": index, "item": self.item(done)};
        let mut place = object! {"item_id": self.item_id(), "output_index": index};
        events.push("response.output_item.added", &item(false), begun, Tells::Nothing);
        if is_text {
            place.put("content_index", &0);
            let added = place.clone().and(&object! {"part": part("")});
            events.push("response.content_part.added", &added, begun, Tells::Nothing);
        }
        let delta = if is_text {
            "response.output_text.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        for piece in &answer.pieces {
            let mut event = place.clone().and(&object! {"delta": Escaped(&piece.json)});
            event.put_some("logprobs", &is_text.then_some(Written("[]")));
            events.push(delta, &event, Produced::Answer(piece.so_far), Tells::Nothing);
        }
        let all = Produced::Answer(answer.tokens);
        if is_text {
            let text = object! {"text": Escaped(&answer.json), "logprobs": Written("[]")};
            events.push(
                "response.output_text.done",
                &place.clone().and(&text),
                all,
                Tells::Nothing,
            );
            let part = object! {"part": part(&answer.text)};
            events.push("response.content_part.done", &place.and(&part), all, Tells::Nothing);
        } else {
            let arguments = object! {"arguments": Escaped(&answer.json)};
            events.push(
                "response.function_call_arguments.done",
                &place.and(&arguments),
                all,
                Tells::Nothing,
            );
        }
        events.push("response.output_item.done", &item(true), all, Tells::Nothing);
        let last = if answering.truncated {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.push(
            last,
            &object! {"response": self.response(true)},
            Produced::Everything,
            call.tells_all(),
        );
        events.script
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

fn part(text: &str) -> Object {
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
