//! What OpenAI refuses of a chat (knob `strict`).
//!
//! In: a body. Out: the API's refusal of what is not as published (openai-python, `types/chat`), of results of tools that
//! were not called, and of parameters that a model does not take. The words and codes are the API's.

use std::sync::LazyLock;

use serde_json::Value;

use crate::errors::Problem;
use crate::shapes::{Shapes, What};

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::parse(include_str!("../shapes/chat.txt"), false));

/// Refuses it, if there is a reason.
pub(super) fn check(ask: &Value) -> Result<(), Problem> {
    shape(ask)?;
    parameters(ask)?;
    in_order(ask)
}

fn shape(ask: &Value) -> Result<(), Problem> {
    let Err(mismatch) = SHAPES.check("Request", ask) else {
        return Ok(());
    };
    let within = |name: &str| {
        if mismatch.at.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", mismatch.at)
        }
    };
    Err(match &mismatch.what {
        What::Unknown(name) if mismatch.at.is_empty() => {
            Problem::invalid(format!("Unrecognized request argument supplied: {name}"))
        }
        What::Unknown(name) => {
            let at = within(name);
            Problem::invalid_member(at.as_str(), format!("Unknown parameter: '{at}'.")).with_code("unknown_parameter")
        }
        What::Missing(name) => {
            let at = within(name);
            Problem::invalid_member(at.as_str(), format!("Missing required parameter: '{at}'."))
                .with_code("missing_required_parameter")
        }
        What::Wrong(expected, found) => {
            let at = mismatch.at.as_str();
            let is_value = expected.starts_with('{') || *expected == "a known type";
            let (message, code) = if is_value {
                (
                    format!("Invalid value: {found}. Supported values are: {expected}."),
                    "invalid_value",
                )
            } else {
                let message = format!("Invalid type for '{at}': expected {expected}, but got {found} instead.");
                (message, "invalid_type")
            };
            Problem::invalid_member(at, message).with_code(code)
        }
        What::Members(_) => Problem::invalid("Invalid request."),
    })
}

/// Models that reason take neither `max_tokens` nor a temperature; some parameters need others.
fn parameters(ask: &Value) -> Result<(), Problem> {
    let given = |name: &str| ask.get(name).filter(|value| !value.is_null());
    let model = given("model").and_then(Value::as_str).unwrap_or_default();
    let reasons = model.starts_with("gpt-5") || ["o1", "o3", "o4"].iter().any(|prefix| model.starts_with(prefix));
    if reasons && given("max_tokens").is_some() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Problem::invalid_member("max_tokens", message).with_code("unsupported_parameter"));
    }
    if let Some(temperature) = given("temperature").and_then(Value::as_f64)
        && reasons
        && temperature != 1.0
    {
        let message = format!(
            "Unsupported value: 'temperature' does not support {temperature} with this model. Only the default (1) value is supported."
        );
        return Err(Problem::invalid_member("temperature", message).with_code("unsupported_value"));
    }
    if given("stream_options").is_some() && given("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Problem::invalid_member("stream_options", message));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if given(name).is_some() && given("tools").is_none() {
            let message = format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            return Err(Problem::invalid_member(name, message));
        }
    }
    Ok(())
}

fn in_order(ask: &Value) -> Result<(), Problem> {
    let messages = ask
        .get("messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.get("role").and_then(Value::as_str) == Some("tool") {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            let Some(at) = open.iter().position(|known| *known == id) else {
                return Err(Problem::invalid_member(
                    format!("messages.[{index}].role"),
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                ));
            };
            open.swap_remove(at);
            continue;
        }
        answered(&open, index)?;
        let calls = message.get("tool_calls").and_then(Value::as_array);
        let ids = calls.into_iter().flatten().filter_map(|call| call.get("id")?.as_str());
        open = ids.collect();
    }
    answered(&open, messages.len())
}

fn answered(open: &[&str], index: usize) -> Result<(), Problem> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid_member(
        format!("messages.[{index}].role"),
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        ),
    ))
}
