//! What a request to Converse means, and whether its turns are in order.
//!
//! In: a body that has the published shape. Out: [`Understood`], or the service's refusal of a conversation that it does
//! not take. The refusals are in the words of the service.

use serde_json::{Value, json};

use crate::answering::{is_sealed, signature};
use crate::errors::Problem;
use crate::understood::{Choice, Part, Side, Tool, Understood};

/// Reads it.
pub(super) fn read(body: &Value) -> Result<Understood, Problem> {
    let mut understood = Understood::default();
    for block in list(body.get("system")) {
        understood.system.extend(text(block.get("text")));
    }
    for message in list(body.get("messages")) {
        let content = list(message.get("content"));
        let side = match message.get("role").and_then(Value::as_str) {
            Some("user") => Side::User,
            Some("system") => {
                understood
                    .system
                    .extend(content.iter().filter_map(|block| text(block.get("text"))));
                continue;
            }
            _ => Side::Assistant,
        };
        understood.say(side, content.iter().filter_map(part).collect());
    }
    let inference = body.get("inferenceConfig").unwrap_or(&Value::Null);
    let more = body.get("additionalModelRequestFields").unwrap_or(&Value::Null);
    understood.sample("max_tokens", inference.get("maxTokens"));
    understood.sample("temperature", inference.get("temperature"));
    understood.sample("top_p", inference.get("topP"));
    understood.sample(
        "stop",
        inference.get("stopSequences").filter(|list| **list != json!([])),
    );
    // Claude's and Nova's names for it.
    understood.sample("top_k", more.get("top_k").or(more.pointer("/inferenceConfig/topK")));
    for tool in list(body.pointer("/toolConfig/tools")) {
        let Some(spec) = tool.get("toolSpec") else {
            continue;
        };
        understood.tools.push(Tool {
            name: text(spec.get("name")).unwrap_or_default(),
            description: text(spec.get("description")),
            schema: spec.pointer("/inputSchema/json").cloned(),
        });
    }
    if let Some(choice) = body.pointer("/toolConfig/toolChoice") {
        understood.choice = Some(match choice.get("tool") {
            Some(tool) => Choice::Tool(text(tool.get("name")).unwrap_or_default()),
            None if choice.get("any").is_some() => Choice::Any,
            None => Choice::Auto,
        });
    }
    if let Some(schema) = text(body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema")) {
        let schema: Value = serde_json::from_str(&schema)
            .map_err(|_| Problem::invalid("The schema of outputConfig.textFormat is no JSON. Try again."))?;
        understood.format = Some(json!({"schema": schema}));
    }
    reasoning(&mut understood, body, more);
    Ok(understood)
}

/// Claude's `thinking` and `output_config.effort`, Nova's `reasoningConfig`, or `outputConfig.effort`.
fn reasoning(understood: &mut Understood, body: &Value, more: &Value) {
    let mut put = |name, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            understood.reasoning.insert(name, value.clone());
        }
    };
    put("budget", more.pointer("/thinking/budget_tokens"));
    put("effort", more.pointer("/output_config/effort"));
    put("effort", more.pointer("/reasoningConfig/maxReasoningEffort"));
    put("effort", body.pointer("/outputConfig/effort"));
    if more.pointer("/thinking/type") == Some(&json!("disabled")) {
        put("effort", Some(&json!("none")));
    }
}

fn part(block: &Value) -> Option<Part> {
    let (name, value) = block.as_object()?.iter().find(|(_, value)| !value.is_null())?;
    let part = match name.as_str() {
        "text" => Part::Text(value.as_str()?.to_owned()),
        "json" => Part::Json(value.clone()),
        "image" => medium("image", "image/", value),
        "document" => medium("document", "", value),
        "video" => medium("video", "video/", value),
        "audio" => medium("audio", "audio/", value),
        "toolUse" => Part::Call {
            id: text(value.get("toolUseId")),
            name: text(value.get("name"))?,
            arguments: value.get("input").cloned().unwrap_or_default(),
        },
        "toolResult" => Part::Result {
            id: text(value.get("toolUseId")),
            name: None,
            failed: value.get("status") == Some(&json!("error")),
            content: list(value.get("content")).iter().filter_map(part).collect(),
        },
        "reasoningContent" => match value.get("reasoningText") {
            Some(thought) => Part::Thought {
                text: text(thought.get("text"))?,
                signature: text(thought.get("signature")),
            },
            None => Part::Sealed,
        },
        _ => return None,
    };
    Some(part)
}

/// A medium by its format: `png`, `pdf`, …
fn medium(kind: &'static str, prefix: &str, block: &Value) -> Part {
    let format = text(block.get("format")).unwrap_or_default();
    let media_type = match (prefix, format.as_str()) {
        ("", "pdf") => "application/pdf".to_owned(),
        ("", "txt") => "text/plain".to_owned(),
        ("", "md") => "text/markdown".to_owned(),
        ("", format @ ("csv" | "html")) => format!("text/{format}"),
        ("audio/", "mp3") => "audio/mpeg".to_owned(),
        _ => format!("{prefix}{format}"),
    };
    let source = block.get("source").unwrap_or(&Value::Null);
    match (source.get("bytes"), source.pointer("/s3Location/uri")) {
        (Some(bytes), _) => Part::inline(kind, &media_type, bytes.as_str().unwrap_or_default()),
        (None, Some(uri)) => Part::url(kind, uri.as_str().unwrap_or_default()),
        (None, None) => Part::Media {
            kind,
            medium: json!({"media_type": media_type, "text": source.get("text")}),
        },
    }
}

/// Refuses parameters that are out of range, which the service model gives as well.
pub(super) fn in_range(body: &Value) -> Result<(), Problem> {
    for (name, least, most) in [
        ("temperature", 0.0, 1.0),
        ("topP", 0.0, 1.0),
        ("maxTokens", 1.0, f64::INFINITY),
    ] {
        let given = body
            .pointer("/inferenceConfig")
            .and_then(|config| config.get(name)?.as_f64());
        let Some(given) = given.filter(|given| !(least..=most).contains(given)) else {
            continue;
        };
        let (bound, limit) = if given < least {
            ("greater", least)
        } else {
            ("less", most)
        };
        return refuse(&format!(
            "1 validation error detected: Value '{given}' at 'inferenceConfig.{name}' failed to satisfy constraint: Member must have value {bound} than or equal to {limit}"
        ));
    }
    Ok(())
}

/// Refuses a conversation whose turns are not in order.
pub(super) fn in_order(body: &Value) -> Result<(), Problem> {
    let messages = list(body.get("messages"));
    let mut uses: Vec<String> = Vec::new();
    let mut before = None;
    let mut tools_used = false;
    for (index, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "system" {
            continue;
        }
        if before.is_none() && role != "user" {
            return refuse(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            );
        }
        if before == Some(role) {
            return refuse(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
            );
        }
        before = Some(role);
        let content = list(message.get("content"));
        if content.is_empty() {
            return refuse(&format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
            ));
        }
        for (place, block) in content.iter().enumerate() {
            if block
                .get("text")
                .and_then(Value::as_str)
                .is_some_and(|text| text.trim().is_empty())
            {
                return refuse(&format!(
                    "The text field in the ContentBlock object at messages.{index}.content.{place} is blank. Add text to the text field, and try again."
                ));
            }
            let misplaced = match role {
                "user" => ["toolUse", "reasoningContent"]
                    .iter()
                    .find(|name| block.get(**name).is_some()),
                _ => ["toolResult", "image", "document"]
                    .iter()
                    .find(|name| block.get(**name).is_some()),
            };
            if let Some(name) = misplaced {
                return refuse(&format!(
                    "The {name} block at messages.{index}.content.{place} is not allowed for the role {role}."
                ));
            }
            genuine(block, &format!("messages.{index}.content.{place}"))?;
        }
        let named = |kind: &str| -> Vec<String> {
            let found = content.iter().filter_map(|block| block.get(kind));
            found.filter_map(|block| text(block.get("toolUseId"))).collect()
        };
        let results = named("toolResult");
        tools_used |= !results.is_empty();
        if results.len() > uses.len() {
            return refuse(&format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
        let missing: Vec<&str> = uses
            .iter()
            .filter(|id| !results.contains(id))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return refuse(&format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
                missing.join(", ")
            ));
        }
        uses = named("toolUse");
        tools_used |= !uses.is_empty();
    }
    if before.is_none() {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    if tools_used && body.get("toolConfig").is_none_or(Value::is_null) {
        return refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
    }
    Ok(())
}

/// Refuses thoughts that this service did not sign.
fn genuine(block: &Value, at: &str) -> Result<(), Problem> {
    let Some(reasoning) = block.get("reasoningContent") else {
        return Ok(());
    };
    let good = match (reasoning.get("reasoningText"), reasoning.get("redactedContent")) {
        (Some(thought), _) => match (thought.get("text"), thought.get("signature")) {
            (Some(Value::String(text)), Some(Value::String(given))) => signature(text) == *given,
            _ => true,
        },
        (None, Some(sealed)) => sealed.as_str().is_some_and(is_sealed),
        (None, None) => true,
    };
    if good {
        return Ok(());
    }
    refuse(&format!("{at}: Invalid `signature` in `thinking` block"))
}

fn refuse(message: &str) -> Result<(), Problem> {
    Err(Problem::invalid(message))
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
