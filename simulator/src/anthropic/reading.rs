//! What a request for a message means.
//!
//! In: a body. Out: [`Understood`]. What is not of the published shape is passed over: whether that is refused is for
//! `strict` to say.

use serde_json::{Value, json};

use crate::understood::{Choice, Part, Side, Tool, Understood};

/// Reads it.
pub(super) fn read(ask: &Value) -> Understood {
    let mut understood = Understood::default();
    match ask.get("system") {
        Some(Value::String(system)) => understood.system.push(system.clone()),
        system => {
            let blocks = list(system).iter();
            understood
                .system
                .extend(blocks.filter_map(|block| text(block.get("text"))));
        }
    }
    for message in list(ask.get("messages")) {
        let side = match message.get("role").and_then(Value::as_str) {
            Some("assistant") => Side::Assistant,
            _ => Side::User,
        };
        understood.say(side, parts(message.get("content")));
    }
    for name in ["max_tokens", "temperature", "top_p", "top_k"] {
        understood.sample(name, ask.get(name));
    }
    understood.sample("stop", ask.get("stop_sequences").filter(|list| **list != json!([])));
    for tool in list(ask.get("tools")) {
        if let Some(name) = text(tool.get("name")) {
            understood.tools.push(Tool {
                name,
                description: text(tool.get("description")),
                schema: tool.get("input_schema").cloned(),
            });
        }
    }
    let choice = ask.get("tool_choice").unwrap_or(&Value::Null);
    understood.choice = match choice.get("type").and_then(Value::as_str) {
        Some("auto") => Some(Choice::Auto),
        Some("none") => Some(Choice::Never),
        Some("any") => Some(Choice::Any),
        Some("tool") => text(choice.get("name")).map(Choice::Tool),
        _ => None,
    };
    let disabled = choice.get("disable_parallel_tool_use").and_then(Value::as_bool);
    understood.parallel_calls = disabled.map(|disabled| !disabled);
    if let Some(schema) = ask.pointer("/output_config/format/schema") {
        understood.format = Some(json!({"schema": schema}));
    }
    let thinking = ask.get("thinking").unwrap_or(&Value::Null);
    for (name, value) in [
        ("effort", ask.pointer("/output_config/effort")),
        ("budget", thinking.get("budget_tokens")),
    ] {
        understood.reasoning.extend(value.map(|value| (name, value.clone())));
    }
    match thinking.get("type").and_then(Value::as_str) {
        Some("disabled") => drop(understood.reasoning.insert("effort", json!("none"))),
        Some(_) if !understood.reasoning.contains_key("effort") && thinking.get("budget_tokens").is_none() => {
            understood.reasoning.insert("effort", json!("adaptive"));
        }
        _ => {}
    }
    understood
}

/// A string, or blocks.
fn parts(content: Option<&Value>) -> Vec<Part> {
    match content {
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        content => list(content).iter().filter_map(part).collect(),
    }
}

fn part(block: &Value) -> Option<Part> {
    Some(match block.get("type").and_then(Value::as_str)? {
        "text" => Part::text(block.get("text"))?,
        "image" => medium("image", block.get("source")?),
        "document" => medium("document", block.get("source")?),
        "tool_use" => Part::Call {
            id: text(block.get("id")),
            name: text(block.get("name"))?,
            arguments: block.get("input").cloned().unwrap_or_default(),
        },
        "tool_result" => Part::Result {
            id: text(block.get("tool_use_id")),
            name: None,
            failed: block.get("is_error") == Some(&json!(true)),
            content: parts(block.get("content")),
        },
        "thinking" => Part::Thought {
            text: text(block.get("thinking"))?,
            signature: text(block.get("signature")),
        },
        "redacted_thinking" => Part::Sealed,
        _ => return None,
    })
}

fn medium(kind: &'static str, source: &Value) -> Part {
    let media_type = text(source.get("media_type")).unwrap_or_default();
    match source.get("type").and_then(Value::as_str) {
        Some("base64") => Part::inline(kind, &media_type, &text(source.get("data")).unwrap_or_default()),
        Some("url") => Part::url(kind, &text(source.get("url")).unwrap_or_default()),
        Some("file") => Part::Media {
            kind,
            medium: json!({"file": source.get("file_id")}),
        },
        _ => Part::Media {
            kind,
            medium: json!({"media_type": media_type, "text": source.get("data").or(source.get("content"))}),
        },
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
