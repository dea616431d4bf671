//! What a request to Gemini means, and whether its turns are in order.
//!
//! In: a body that has the published shape. Out: [`Understood`], or the API's refusal of contents that it does not take,
//! in its words.

use serde_json::{Value, json};

use super::{list, member, text};
use crate::answering::{is_signature, signature};
use crate::errors::Problem;
use crate::understood::{Choice, Part, Side, Tool, Understood};

/// What may stand in place of a signature (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const UNSIGNED: [&str; 2] = [
    "context_engineering_is_the_way_to_go",
    "skip_thought_signature_validator",
];
/// What one part may have only one of.
const DATA: [&str; 7] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

/// Reads it.
pub(super) fn read(ask: &Value) -> Result<Understood, Problem> {
    let mut understood = Understood::default();
    for part in list(member(ask, "systemInstruction").and_then(|system| member(system, "parts"))) {
        understood.system.extend(text(part.get("text")));
    }
    for content in list(ask.get("contents")) {
        let side = match content.get("role").and_then(Value::as_str) {
            Some("model") => Side::Assistant,
            _ => Side::User,
        };
        understood.say(side, list(content.get("parts")).iter().filter_map(part).collect());
    }
    let config = member(ask, "generationConfig").unwrap_or(&Value::Null);
    for (name, written) in [
        ("max_tokens", "maxOutputTokens"),
        ("temperature", "temperature"),
        ("top_p", "topP"),
        ("top_k", "topK"),
        ("seed", "seed"),
        ("presence_penalty", "presencePenalty"),
        ("frequency_penalty", "frequencyPenalty"),
        ("n", "candidateCount"),
    ] {
        understood.sample(name, member(config, written));
    }
    let temperature = member(config, "temperature").and_then(Value::as_f64);
    if let Some(temperature) = temperature.filter(|given| !(0.0..=2.0).contains(given)) {
        return Err(Problem::invalid(format!(
            "* GenerateContentRequest.generation_config.temperature: {temperature} is out of range [0.0, 2.0].\n"
        )));
    }
    let stop = member(config, "stopSequences").filter(|list| **list != json!([]));
    understood.sample("stop", stop);
    let schema = member(config, "responseJsonSchema").or(member(config, "responseSchema"));
    let json_asked = member(config, "responseMimeType") == Some(&json!("application/json"));
    understood.format = match schema {
        Some(_) if !json_asked => {
            return Err(Problem::invalid(
                "* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is application/json\n",
            ));
        }
        Some(schema) => Some(json!({"schema": schema})),
        None => json_asked.then(|| json!("json")),
    };
    if let Some(thinking) = member(config, "thinkingConfig") {
        let level = member(thinking, "thinkingLevel").and_then(Value::as_str);
        let effort = level.map(|level| json!(level.to_ascii_lowercase()));
        for (name, value) in [
            ("budget", member(thinking, "thinkingBudget").cloned()),
            ("effort", effort),
            ("shown", member(thinking, "includeThoughts").cloned()),
        ] {
            understood.reasoning.extend(value.map(|value| (name, value)));
        }
    }
    for tool in list(ask.get("tools")) {
        for declared in list(member(tool, "functionDeclarations")) {
            let (old, new) = (member(declared, "parameters"), member(declared, "parametersJsonSchema"));
            if old.is_some() && new.is_some() {
                return Err(Problem::invalid(
                    "parameters and parameters_json_schema of a function declaration are mutually exclusive.",
                ));
            }
            understood.tools.push(Tool {
                name: text(declared.get("name")).unwrap_or_default(),
                description: text(declared.get("description")),
                schema: old.or(new).cloned(),
            });
        }
    }
    let calling = member(ask, "toolConfig").and_then(|config| member(config, "functionCallingConfig"));
    if let Some(calling) = calling {
        let allowed = list(member(calling, "allowedFunctionNames"));
        understood.choice = match (calling.get("mode").and_then(Value::as_str), allowed) {
            (Some("NONE"), _) => Some(Choice::Never),
            (Some("ANY"), [Value::String(only)]) => Some(Choice::Tool(only.clone())),
            (Some("ANY"), _) => Some(Choice::Any),
            (Some(_), _) => Some(Choice::Auto),
            (None, _) => None,
        };
    }
    Ok(understood)
}

fn part(part: &Value) -> Option<Part> {
    if part.get("thought") == Some(&json!(true)) {
        return Some(Part::Thought {
            text: text(part.get("text"))?,
            signature: text(member(part, "thoughtSignature")),
        });
    }
    if let Some(blob) = member(part, "inlineData") {
        let media_type = text(member(blob, "mimeType")).unwrap_or_default();
        let data = text(blob.get("data")).unwrap_or_default();
        return Some(Part::inline(kind(&media_type), &media_type, &data));
    }
    if let Some(file) = member(part, "fileData") {
        let media_type = text(member(file, "mimeType")).unwrap_or_default();
        return Some(Part::url(
            kind(&media_type),
            &text(member(file, "fileUri")).unwrap_or_default(),
        ));
    }
    if let Some(called) = member(part, "functionCall") {
        return Some(Part::Call {
            id: text(called.get("id")),
            name: text(called.get("name")).unwrap_or_default(),
            arguments: called.get("args").cloned().unwrap_or_else(|| json!({})),
        });
    }
    if let Some(response) = member(part, "functionResponse") {
        let (failed, mut content) = result(response.get("response").unwrap_or(&Value::Null));
        content.extend(list(response.get("parts")).iter().filter_map(self::part));
        return Some(Part::Result {
            id: text(response.get("id")),
            name: text(response.get("name")),
            failed,
            content,
        });
    }
    // An empty text carries a signature and says nothing.
    Part::text(part.get("text")).filter(|_| part.get("text") != Some(&json!("")))
}

/// What a function said. `{"output": "…"}` and `{"result": "…"}` are texts, and `{"error": "…"}` that of a failure.
fn result(response: &Value) -> (bool, Vec<Part>) {
    if let Some(members) = response.as_object().filter(|members| members.len() == 1) {
        for (name, failed) in [("output", false), ("result", false), ("error", true)] {
            if let Some(Value::String(text)) = members.get(name) {
                return (failed, vec![Part::Text(text.clone())]);
            }
        }
    }
    (false, vec![Part::Json(response.clone())])
}

fn kind(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        _ => "document",
    }
}

/// Refuses contents that are not in order. `signs` says that the model wants its calls back with their signatures.
pub(super) fn in_order(ask: &Value, signs: bool) -> Result<(), Problem> {
    let contents = list(ask.get("contents"));
    if contents.is_empty() {
        return refuse("* GenerateContentRequest.contents: contents is not specified\n".to_owned());
    }
    let mut calls = 0;
    for (index, content) in contents.iter().enumerate() {
        let parts = list(content.get("parts"));
        if parts.is_empty() {
            return refuse(format!(
                "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            ));
        }
        for (place, part) in parts.iter().enumerate() {
            let at = format!("contents[{index}].parts[{place}]");
            let given = DATA.iter().filter(|name| member(part, name).is_some()).count();
            if given == 0 {
                return refuse(format!(
                    "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field\n"
                ));
            }
            if given > 1 {
                return refuse(format!(
                    "Invalid value at '{at}' (oneof), oneof field 'data' is already set."
                ));
            }
            genuine(part, &at)?;
        }
        let count = |name: &str| parts.iter().filter(|part| member(part, name).is_some()).count();
        let (called, responded) = (count("functionCall"), count("functionResponse"));
        if called > 0 && index == 0 {
            return refuse(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
                    .to_owned(),
            );
        }
        if responded > 0 && calls == 0 {
            return refuse(
                "Please ensure that function response turn comes immediately after a function call turn.".to_owned(),
            );
        }
        if responded != calls {
            return refuse(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."
                    .to_owned(),
            );
        }
        calls = called;
    }
    if signs { signed(contents) } else { Ok(()) }
}

/// Refuses calls of the current turn whose first one has no signature: all that comes after the user's last own words.
fn signed(contents: &[Value]) -> Result<(), Problem> {
    let own = |content: &Value| {
        content.get("role") != Some(&json!("model"))
            && list(content.get("parts"))
                .iter()
                .any(|part| member(part, "functionResponse").is_none())
    };
    let begun = contents.iter().rposition(own).unwrap_or(0);
    for content in contents.iter().skip(begun) {
        let first = list(content.get("parts"))
            .iter()
            .find_map(|part| Some((part, member(part, "functionCall")?)));
        if let Some((part, called)) = first
            && member(part, "thoughtSignature").is_none()
        {
            let name = text(called.get("name")).unwrap_or_default();
            return refuse(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}`. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            ));
        }
    }
    Ok(())
}

/// Refuses a signature that this service did not issue.
fn genuine(part: &Value, at: &str) -> Result<(), Problem> {
    let Some(Value::String(given)) = member(part, "thoughtSignature") else {
        return Ok(());
    };
    if UNSIGNED.contains(&given.as_str()) {
        return Ok(());
    }
    let good = match member(part, "functionCall") {
        Some(called) => *given == sign_call(&text(called.get("name")).unwrap_or_default(), called.get("args")),
        None => is_signature(given),
    };
    if good {
        Ok(())
    } else {
        refuse(format!("Corrupted thought signature at '{at}'."))
    }
}

/// The signature of a call.
pub(super) fn sign_call(name: &str, arguments: Option<&Value>) -> String {
    signature(&format!("{name}{}", arguments.unwrap_or(&json!({}))))
}

fn refuse(message: String) -> Result<(), Problem> {
    Err(Problem::invalid(message))
}
