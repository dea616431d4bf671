//! `POST /v1/responses`.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answering, content_tokens, reply_model, service_tier, tool};
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
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
        Script::json(
            shape.response(shape.status(), Some(shape.item(true))).to_string(),
            call.tells_all(),
        )
    };
    let error = json!({
        "type": "error", "code": "server_error", "param": null, "sequence_number": 0,
        "message": "The server had an error while processing your request. Sorry about that!",
    });
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

    fn response(&self, status: &str, item: Option<Value>) -> Value {
        let tokens = &self.answering.tokens;
        let ended = item.is_some();
        let mut output = Vec::new();
        if let (true, Some(item)) = (tokens.reasoning > 0, &item) {
            output.push(json!({"id": self.call.id("rs_", 48), "type": "reasoning", "summary": []}));
            output.push(item.clone());
        } else {
            output.extend(item);
        }
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        let usage = (ended && !self.call.steering.no_usage).then(|| usage(tokens));
        json!({
            "id": self.call.id("resp_", 48),
            "object": "response",
            "created_at": self.call.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": incomplete,
            "instructions": self.ask.instructions,
            "max_output_tokens": self.ask.max_output_tokens,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "service_tier": if ended { self.tier } else { "auto" },
            "store": true,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": if self.ask.tool_choice.is_null() { json!("auto") } else { self.ask.tool_choice.clone() },
            "tools": self.ask.tools,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": null,
            "metadata": {},
        })
    }

    /// The one thing the answer consists of: a message, or a call of a tool.
    fn item(&self, done: bool) -> Value {
        let status = if done { self.status() } else { "in_progress" };
        let text = if done { self.answering.answer.text.as_str() } else { "" };
        match &self.answering.tool {
            Some(name) => json!({
                "id": self.call.id("fc_", 48), "type": "function_call", "status": status,
                "arguments": text, "call_id": self.call.id("call_", 24), "name": name,
            }),
            None => json!({
                "id": self.call.id("msg_", 48), "type": "message", "status": status, "role": "assistant",
                "content": if done { vec![part(text)] } else { Vec::new() },
            }),
        }
    }

    fn stream(&self) -> Script {
        let (
            call,
            Answering {
                answer, tokens, tool, ..
            },
        ) = (self.call, self.answering);
        let index = u64::from(tokens.reasoning > 0);
        let item_id = self.item(false).get("id").cloned().unwrap_or_default();
        let mut events = Events {
            script: Script::events(&call.steering, Pace::new(&call.steering, tokens.reasoning)),
            n: 0,
        };
        for kind in ["response.created", "response.in_progress"] {
            events.push(
                kind,
                json!({"response": self.response("in_progress", None)}),
                Produced::Prompt,
            );
        }
        let thought = if tokens.reasoning > 0 {
            Produced::Answer(0)
        } else {
            Produced::Prompt
        };
        if tokens.reasoning > 0 {
            let item = json!({"id": call.id("rs_", 48), "type": "reasoning", "summary": []});
            events.push(
                "response.output_item.added",
                json!({"output_index": 0, "item": item}),
                thought,
            );
            events.push(
                "response.output_item.done",
                json!({"output_index": 0, "item": item}),
                thought,
            );
        }
        events.push(
            "response.output_item.added",
            json!({"output_index": index, "item": self.item(false)}),
            thought,
        );
        let place = json!({"item_id": item_id, "output_index": index, "content_index": 0});
        let with = |more: Value| merged(&place, more);
        if tool.is_none() {
            events.push("response.content_part.added", with(json!({"part": part("")})), thought);
        }
        let kind = if tool.is_some() {
            "response.function_call_arguments"
        } else {
            "response.output_text"
        };
        for piece in &answer.pieces {
            events.delta(
                kind,
                &item_id,
                index,
                tool.is_none(),
                &piece.json,
                Produced::Answer(piece.so_far),
            );
        }
        let all = Produced::Answer(answer.tokens);
        if tool.is_some() {
            let done = json!({"item_id": item_id, "output_index": index, "arguments": answer.text});
            events.push("response.function_call_arguments.done", done, all);
        } else {
            events.push(
                "response.output_text.done",
                with(json!({"text": answer.text, "logprobs": []})),
                all,
            );
            events.push(
                "response.content_part.done",
                with(json!({"part": part(&answer.text)})),
                all,
            );
        }
        events.push(
            "response.output_item.done",
            json!({"output_index": index, "item": self.item(true)}),
            all,
        );
        let response = self.response(self.status(), Some(self.item(true)));
        let kind = if self.answering.truncated {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.last(kind, json!({"response": response}), call.tells_all());
        events.script
    }
}

/// Typed, numbered events.
struct Events {
    script: Script,
    n: u64,
}

impl Events {
    fn push(&mut self, kind: &str, body: Value, produced: Produced) {
        self.event(kind, body, produced, Tells::Nothing);
    }

    fn last(&mut self, kind: &str, body: Value, tells: Tells) {
        self.event(kind, body, Produced::Everything, tells);
    }

    fn event(&mut self, kind: &str, body: Value, produced: Produced, tells: Tells) {
        let data = merged(&json!({"type": kind, "sequence_number": self.n}), body);
        self.script.push(Some(kind), &[&data.to_string()], produced, tells);
        self.n += 1;
    }

    /// The many small ones, without a detour over a JSON value. `json` is already the inside of a JSON string.
    fn delta(&mut self, kind: &str, item_id: &Value, index: u64, is_text: bool, json: &str, produced: Produced) {
        let kind = format!("{kind}.delta");
        let place = format!(
            r#"{{"type":"{kind}","sequence_number":{},"item_id":{item_id},"output_index":{index},"#,
            self.n
        );
        let (begin, end) = if is_text {
            (r#""content_index":0,"delta":""#, r#"","logprobs":[]}"#)
        } else {
            (r#""delta":""#, r#""}"#)
        };
        self.script
            .push(Some(&kind), &[&place, begin, json, end], produced, Tells::Nothing);
        self.n += 1;
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

fn merged(first: &Value, second: Value) -> Value {
    let mut both = first.clone();
    if let (Some(both), Value::Object(second)) = (both.as_object_mut(), second) {
        both.extend(second);
    }
    both
}

fn usage(tokens: &Tokens) -> Value {
    json!({
        "input_tokens": tokens.prompt(),
        "input_tokens_details": {"cached_tokens": tokens.cached_input},
        "output_tokens": tokens.completion(),
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt() + tokens.completion(),
    })
}
