//! What a chat or a response means.
//!
//! In: a body. Out: [`Understood`]. What is not of the published shape is passed over: whether that is refused is for
//! `strict` to say.

use serde_json::{Value, json};

use crate::understood::{Choice, Part, Side, Tool, Understood};

/// Reads the body of `POST /v1/chat/completions`.
pub(super) fn chat(ask: &Value) -> Understood {
    let mut understood = Understood::default();
    for message in list(ask.get("messages")) {
        let content = || parts(message.get("content"));
        match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => understood.system.extend(texts(message.get("content"))),
            Some("assistant") => {
                let mut said = Vec::new();
                if let Some(thought) = text(message.get("reasoning_content")) {
                    said.push(Part::Thought {
                        text: thought,
                        signature: None,
                    });
                }
                said.extend(content());
                said.extend(text(message.get("refusal")).map(Part::Refusal));
                said.extend(list(message.get("tool_calls")).iter().filter_map(|call| {
                    let function = call.get("function")?;
                    Some(called(call.get("id"), function))
                }));
                understood.say(Side::Assistant, said);
            }
            Some("tool") => {
                let result = result(message.get("tool_call_id"), content());
                understood.say(Side::User, vec![result]);
            }
            _ => understood.say(Side::User, content()),
        }
    }
    let most = ask.get("max_completion_tokens").filter(|most| !most.is_null());
    understood.sample("max_tokens", most.or(ask.get("max_tokens")));
    for name in [
        "temperature",
        "top_p",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "top_k",
    ] {
        understood.sample(name, ask.get(name));
    }
    match ask.get("stop") {
        Some(Value::String(stop)) => understood.sample("stop", Some(&json!([stop]))),
        stop => understood.sample("stop", stop.filter(|list| **list != json!([]))),
    }
    understood.format = format(ask.get("response_format"), "/json_schema/schema");
    if let Some(effort) = ask.get("reasoning_effort").filter(|effort| !effort.is_null()) {
        understood.reasoning.insert("effort", effort.clone());
    }
    tools(&mut understood, ask);
    understood
}

/// Reads the body of `POST /v1/responses`.
pub(super) fn response(ask: &Value) -> Understood {
    let mut understood = Understood::default();
    understood.system.extend(texts(ask.get("instructions")));
    if let Some(said) = text(ask.get("input")) {
        understood.say(Side::User, vec![Part::Text(said)]);
    }
    for item in list(ask.get("input")) {
        match item.get("type").and_then(Value::as_str).unwrap_or("message") {
            "function_call" => understood.say(Side::Assistant, vec![called(item.get("call_id"), item)]),
            "function_call_output" => {
                let result = result(item.get("call_id"), parts(item.get("output")));
                understood.say(Side::User, vec![result]);
            }
            "reasoning" => {
                let summary: Vec<String> = list(item.get("summary"))
                    .iter()
                    .filter_map(|part| text(part.get("text")))
                    .collect();
                let thought = Part::Thought {
                    text: summary.join("\n"),
                    signature: text(item.get("encrypted_content")),
                };
                understood.say(Side::Assistant, vec![thought]);
            }
            _ => match item.get("role").and_then(Value::as_str) {
                Some("system" | "developer") => understood.system.extend(texts(item.get("content"))),
                Some("assistant") => understood.say(Side::Assistant, parts(item.get("content"))),
                _ => understood.say(Side::User, parts(item.get("content"))),
            },
        }
    }
    understood.sample("max_tokens", ask.get("max_output_tokens"));
    for name in ["temperature", "top_p"] {
        understood.sample(name, ask.get(name));
    }
    understood.format = format(ask.pointer("/text/format"), "/schema");
    if let Some(effort) = ask.pointer("/reasoning/effort").filter(|effort| !effort.is_null()) {
        understood.reasoning.insert("effort", effort.clone());
    }
    if ask
        .pointer("/reasoning/summary")
        .is_some_and(|summary| !summary.is_null())
    {
        understood.reasoning.insert("shown", json!(true));
    }
    tools(&mut understood, ask);
    understood
}

/// The tools and which of them to call. A chat wraps a function once more than a response does.
fn tools(understood: &mut Understood, ask: &Value) {
    for tool in list(ask.get("tools")) {
        let function = tool.get("function").unwrap_or(tool);
        if let Some(name) = text(function.get("name")) {
            understood.tools.push(Tool {
                name,
                description: text(function.get("description")),
                schema: function.get("parameters").filter(|schema| !schema.is_null()).cloned(),
            });
        }
    }
    let choice = ask.get("tool_choice").unwrap_or(&Value::Null);
    understood.choice = match choice.as_str().or_else(|| choice.get("type")?.as_str()) {
        Some("auto") => Some(Choice::Auto),
        Some("none") => Some(Choice::Never),
        Some("required") => Some(Choice::Any),
        Some("function") => text(choice.get("function").unwrap_or(choice).get("name"))
            .map(Choice::Tool)
            .or(Some(Choice::Any)),
        _ => None,
    };
    understood.parallel_calls = ask.get("parallel_tool_calls").and_then(Value::as_bool);
}

fn format(format: Option<&Value>, schema: &str) -> Option<Value> {
    let format = format?;
    match format.get("type").and_then(Value::as_str) {
        Some("json_object") => Some(json!("json")),
        Some("json_schema") => Some(json!({"schema": format.pointer(schema)})),
        _ => None,
    }
}

fn called(id: Option<&Value>, function: &Value) -> Part {
    let arguments = text(function.get("arguments")).unwrap_or_default();
    Part::Call {
        id: text(id),
        name: text(function.get("name")).unwrap_or_default(),
        arguments: serde_json::from_str(&arguments).unwrap_or(Value::String(arguments)),
    }
}

fn result(id: Option<&Value>, content: Vec<Part>) -> Part {
    Part::Result {
        id: text(id),
        name: None,
        failed: false,
        content,
    }
}

/// A string, or parts of a chat's or a response's kind.
fn parts(content: Option<&Value>) -> Vec<Part> {
    match content {
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        content => list(content).iter().filter_map(part).collect(),
    }
}

fn part(part: &Value) -> Option<Part> {
    let url = |url: Option<&Value>| text(url.map(|url| url.get("url").unwrap_or(url)));
    match part.get("type").and_then(Value::as_str)? {
        "text" | "input_text" | "output_text" => Part::text(part.get("text")),
        "refusal" => text(part.get("refusal")).map(Part::Refusal),
        "image_url" | "input_image" => match url(part.get("image_url")) {
            Some(url) => Some(Part::url("image", &url)),
            None => Some(file("image", part.get("file_id"))),
        },
        "input_audio" => {
            let audio = part.get("input_audio")?;
            let format = text(audio.get("format"))?;
            let media_type = if format == "mp3" {
                "audio/mpeg".to_owned()
            } else {
                format!("audio/{format}")
            };
            Some(Part::inline("audio", &media_type, &text(audio.get("data"))?))
        }
        "file" | "input_file" => {
            let inner = part.get("file").unwrap_or(part);
            match text(inner.get("file_data")).or(text(inner.get("file_url"))) {
                Some(url) => Some(Part::url("document", &url)),
                None => Some(file("document", inner.get("file_id"))),
            }
        }
        _ => None,
    }
}

fn file(kind: &'static str, id: Option<&Value>) -> Part {
    Part::Media {
        kind,
        medium: json!({"file": id}),
    }
}

/// The texts of a string or of parts.
fn texts(content: Option<&Value>) -> Vec<String> {
    match content {
        Some(Value::String(text)) => vec![text.clone()],
        content => list(content).iter().filter_map(|part| text(part.get("text"))).collect(),
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
