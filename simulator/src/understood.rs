//! What a request means, in no dialect's words.
//!
//! In: what the dialects' readers put together. Out: one JSON summary of the same shape for every dialect, which the knob
//! `echo` answers with: a test can send the same meaning in two dialects and compare. It knows no dialect.
//!
//! ```text
//! {
//!   "system": ["Be brief."],                                    texts in order; absent if there are none
//!   "turns": [                                                  neighbours of one side are one turn
//!     {"role": "user", "parts": [{"text": "…"}, {"image": {"media_type": "image/png", "bytes": 68}}]},
//!     {"role": "assistant", "parts": [{"thought": {"text": "…", "signed": true}},
//!                                     {"call": {"id": "…", "name": "…", "arguments": {…}}}]},
//!     {"role": "user", "parts": [{"result": {"id": "…", "name": "…", "failed": false, "content": [{"text": "…"}]}}]}
//!   ],
//!   "tools": [{"name": "…", "description": "…", "schema": {…}}],
//!   "tool_choice": "auto" | "none" | "any" | {"tool": "…"},
//!   "parallel_calls": false,
//!   "sampling": {"max_tokens": 5, "temperature": 0.5, "top_p": 1, "top_k": 3, "stop": ["…"], "seed": 1,
//!                "presence_penalty": 0, "frequency_penalty": 0, "n": 1},
//!   "format": "json" | {"schema": {…}},
//!   "reasoning": {"effort": "low", "budget": 1024, "shown": true}
//! }
//! ```
//!
//! Normal form: what was not said is absent; members are sorted; whole numbers have no fraction; the types in schemas are
//! lower case (Gemini writes them in upper case); a result's name is that of its call; a medium that is not in the request
//! is `{"url": …}` or `{"file": …}` in place of its bytes; arguments are values, not texts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::text::Texts;

/// What a request means.
#[derive(Clone, Debug, Default)]
pub struct Understood {
    /// What comes before the conversation.
    pub system: Vec<String>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// Functions the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it is to call.
    pub choice: Option<Choice>,
    /// Whether it may call several at once.
    pub parallel_calls: Option<bool>,
    /// By the names of the module's summary, as they were written.
    pub sampling: BTreeMap<&'static str, Value>,
    /// `"json"`, or `{"schema": …}`.
    pub format: Option<Value>,
    /// By the names of the module's summary.
    pub reasoning: BTreeMap<&'static str, Value>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
}

/// What one side says.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Who.
    pub side: Side,
    /// What.
    pub parts: Vec<Part>,
}

/// A piece of content.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image, a document, audio or video.
    Media {
        /// `image`, `document`, `audio`, `video`.
        kind: &'static str,
        /// What it is, and where.
        medium: Value,
    },
    /// The model called a tool.
    Call {
        /// By which its result names it, if the dialect has such a thing.
        id: Option<String>,
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
    /// What came of it.
    Result {
        /// The call.
        id: Option<String>,
        /// The tool.
        name: Option<String>,
        /// Whether it failed.
        failed: bool,
        /// What the tool said.
        content: Vec<Part>,
    },
    /// A value, of a tool's result.
    Json(Value),
    /// What the model thought.
    Thought {
        /// The text.
        text: String,
        /// The provider's seal.
        signature: Option<String>,
    },
    /// What it thought, encrypted.
    Sealed,
    /// The model declined.
    Refusal(String),
}

/// A function.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub schema: Option<Value>,
}

/// Which tool to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// As the model sees fit.
    Auto,
    /// None.
    Never,
    /// At least one.
    Any,
    /// This one.
    Tool(String),
}

impl Understood {
    /// Adds what one side says; neighbours of one side are one turn.
    pub fn say(&mut self, side: Side, mut parts: Vec<Part>) {
        for part in &mut parts {
            if let Part::Result { id, name, .. } = part
                && name.is_none()
            {
                *name = self.called(id.as_deref());
            }
        }
        match self.turns.last_mut() {
            Some(turn) if turn.side == side => turn.parts.append(&mut parts),
            _ => self.turns.push(Turn { side, parts }),
        }
    }

    /// Keeps a number or a list under a name of the summary, if there is one.
    pub fn sample(&mut self, name: &'static str, value: Option<&Value>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.sampling.insert(name, value.clone());
        }
    }

    /// A whole number of the sampling parameters.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.sampling.get(name).and_then(Value::as_u64)
    }

    /// The first of the texts at which the answer ends.
    pub fn stop(&self) -> Option<&str> {
        self.sampling.get("stop")?.get(0)?.as_str()
    }

    /// The name of the tool that the call with this id called.
    fn called(&self, wanted: Option<&str>) -> Option<String> {
        let parts = self.turns.iter().rev().flat_map(|turn| &turn.parts);
        let mut calls = parts.filter_map(|part| match part {
            Part::Call { id, name, .. } => Some((id.as_deref(), name)),
            _ => None,
        });
        let (_, name) = calls.find(|(id, _)| wanted.is_some() && *id == wanted)?;
        Some(name.clone())
    }

    /// The prompt's tokens: its texts, calls and tools, three for each turn and three for the answer's beginning.
    pub fn tokens(&self, texts: &Texts, medium: u64) -> u64 {
        let system: u64 = self.system.iter().map(|text| texts.count(text)).sum();
        let turns: u64 = self
            .turns
            .iter()
            .map(|turn| 3 + turn.parts.iter().map(|part| part.tokens(texts, medium)).sum::<u64>())
            .sum();
        let tools = self.tools.iter().map(|tool| texts.count(&tool.summary().to_string()));
        3 + system + turns + tools.sum::<u64>()
    }

    /// The summary.
    pub fn summary(&self) -> Value {
        let mut summary = Map::new();
        let mut put = |name: &str, value: Value| summary.insert(name.to_owned(), value);
        if !self.system.is_empty() {
            put("system", json!(self.system));
        }
        let turns = self.turns.iter().map(|turn| {
            let role = match turn.side {
                Side::User => "user",
                Side::Assistant => "assistant",
            };
            json!({"role": role, "parts": turn.parts.iter().map(Part::summary).collect::<Vec<_>>()})
        });
        put("turns", turns.collect());
        if !self.tools.is_empty() {
            put("tools", self.tools.iter().map(Tool::summary).collect());
        }
        if let Some(choice) = &self.choice {
            put("tool_choice", choice.summary());
        }
        if let Some(parallel) = self.parallel_calls {
            put("parallel_calls", json!(parallel));
        }
        if !self.sampling.is_empty() {
            put("sampling", json!(self.sampling));
        }
        if let Some(format) = &self.format {
            let mut format = format.clone();
            if let Some(schema) = format.get_mut("schema") {
                lower(schema);
            }
            put("format", format);
        }
        if !self.reasoning.is_empty() {
            put("reasoning", json!(self.reasoning));
        }
        let mut summary = Value::Object(summary);
        whole(&mut summary);
        summary
    }
}

impl Part {
    /// A text, or nothing for none.
    pub fn text(value: Option<&Value>) -> Option<Self> {
        value.and_then(Value::as_str).map(|text| Self::Text(text.to_owned()))
    }

    /// A medium whose bytes are in the request, in Base64.
    pub fn inline(kind: &'static str, media_type: &str, base64: &str) -> Self {
        let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
        let bytes = (base64.len() - padding) * 3 / 4;
        Self::Media {
            kind,
            medium: json!({"media_type": media_type, "bytes": bytes}),
        }
    }

    /// A medium that is for the provider to fetch.
    pub fn url(kind: &'static str, url: &str) -> Self {
        match url.strip_prefix("data:").and_then(|data| data.split_once(";base64,")) {
            Some((media_type, base64)) => Self::inline(kind, media_type, base64),
            None => Self::Media {
                kind,
                medium: json!({"url": url}),
            },
        }
    }

    fn summary(&self) -> Value {
        match self {
            Self::Text(text) => json!({"text": text}),
            Self::Media { kind, medium } => {
                let mut part = Map::new();
                part.insert((*kind).to_owned(), medium.clone());
                Value::Object(part)
            }
            Self::Call { id, name, arguments } => {
                let mut call = json!({"name": name, "arguments": arguments});
                put_some(&mut call, "id", id);
                json!({"call": call})
            }
            Self::Result {
                id,
                name,
                failed,
                content,
            } => {
                let mut result =
                    json!({"failed": failed, "content": content.iter().map(Self::summary).collect::<Vec<_>>()});
                put_some(&mut result, "id", id);
                put_some(&mut result, "name", name);
                json!({"result": result})
            }
            Self::Json(value) => json!({"json": value}),
            Self::Thought { text, signature } => json!({"thought": {"text": text, "signed": signature.is_some()}}),
            Self::Sealed => json!({"sealed": true}),
            Self::Refusal(text) => json!({"refusal": text}),
        }
    }

    fn tokens(&self, texts: &Texts, medium: u64) -> u64 {
        match self {
            Self::Text(text) | Self::Refusal(text) | Self::Thought { text, .. } => texts.count(text),
            Self::Media { .. } => medium,
            Self::Call { arguments, .. } => texts.count(&arguments.to_string()),
            Self::Result { content, .. } => content.iter().map(|part| part.tokens(texts, medium)).sum(),
            Self::Json(value) => texts.count(&value.to_string()),
            Self::Sealed => 0,
        }
    }
}

impl Tool {
    fn summary(&self) -> Value {
        let mut tool = json!({"name": self.name});
        put_some(&mut tool, "description", &self.description);
        if let (Some(tool), Some(schema)) = (tool.as_object_mut(), &self.schema) {
            let mut schema = schema.clone();
            lower(&mut schema);
            tool.insert("schema".to_owned(), schema);
        }
        tool
    }
}

impl Choice {
    fn summary(&self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::Never => json!("none"),
            Self::Any => json!("any"),
            Self::Tool(name) => json!({"tool": name}),
        }
    }
}

fn put_some(object: &mut Value, name: &str, value: &Option<String>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), json!(value));
    }
}

/// Writes a schema's types in lower case.
fn lower(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "type" => *text = text.to_ascii_lowercase(),
                    _ => lower(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(lower),
        _ => {}
    }
}

/// Writes whole numbers without a fraction.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            if let Some(float) = float {
                *value = json!(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(members) => members.values_mut().for_each(whole),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_its_normal_form() {
        let mut understood = Understood::default();
        understood.say(Side::User, vec![Part::Text("a".into())]);
        let called = Part::Call {
            id: Some("1".into()),
            name: "weather".into(),
            arguments: json!({"days": 2.0}),
        };
        understood.say(Side::Assistant, vec![called]);
        let result = Part::Result {
            id: Some("1".into()),
            name: None,
            failed: false,
            content: vec![Part::Text("rain".into())],
        };
        understood.say(Side::User, vec![result]);
        understood.say(Side::User, vec![Part::url("image", "data:image/png;base64,aGVsbG8=")]);
        understood.sample("temperature", Some(&json!(1.0)));
        understood.tools.push(Tool {
            name: "weather".into(),
            description: None,
            schema: Some(json!({"type": "OBJECT"})),
        });
        assert_eq!(
            understood.summary(),
            json!({
                "turns": [
                    {"role": "user", "parts": [{"text": "a"}]},
                    {"role": "assistant", "parts": [{"call": {"id": "1", "name": "weather", "arguments": {"days": 2}}}]},
                    {"role": "user", "parts": [
                        {"result": {"id": "1", "name": "weather", "failed": false, "content": [{"text": "rain"}]}},
                        {"image": {"media_type": "image/png", "bytes": 5}},
                    ]},
                ],
                "tools": [{"name": "weather", "schema": {"type": "object"}}],
                "sampling": {"temperature": 1},
            })
        );
    }
}
