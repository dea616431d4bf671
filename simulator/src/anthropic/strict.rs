//! What Anthropic refuses of a message (knob `strict`).
//!
//! In: a body. Out: the API's refusal, in its words, of what is not as published (anthropic-sdk-python, `types`), of calls
//! without results and results without calls, of thoughts it did not sign, and of parameters that exclude each other
//! (<https://docs.claude.com/en/docs/build-with-claude/extended-thinking>). Turns need not alternate.

use std::sync::LazyLock;

use serde_json::Value;

use crate::answering::{is_sealed, signature};
use crate::errors::Problem;
use crate::shapes::{Shapes, What};

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::parse(include_str!("../shapes/messages.txt"), false));

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
    let at = mismatch.dotted();
    Err(Problem::invalid(match &mismatch.what {
        What::Unknown(name) => format!("{}: Extra inputs are not permitted", mismatch.member(name)),
        What::Missing(name) => format!("{}: Field required", mismatch.member(name)),
        What::Wrong("a known type", found) => {
            format!("{at}: Input tag {found} found using 'type' does not match any of the expected tags")
        }
        What::Wrong(expected, found) if at.ends_with(".role") && found == "\"system\"" => format!(
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role. ({expected})"
        ),
        What::Wrong(expected, _) => format!("{at}: Input should be a valid {expected}"),
        What::Members(_) => format!("{at}: Input should be a valid object"),
    }))
}

fn parameters(ask: &Value) -> Result<(), Problem> {
    let refuse = |message: &str| Err(Problem::invalid(message));
    let number = |name: &str| ask.get(name).and_then(Value::as_f64);
    if number("temperature").is_some_and(|temperature| !(0.0..=1.0).contains(&temperature)) {
        return refuse("temperature: range: 0..1");
    }
    if number("max_tokens").is_some_and(|most| most < 1.0) {
        return refuse("max_tokens: Input should be greater than or equal to 1");
    }
    let thinking = ask.get("thinking").unwrap_or(&Value::Null);
    if thinking.get("type").and_then(Value::as_str) != Some("enabled") {
        return Ok(());
    }
    let budget = thinking
        .get("budget_tokens")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    if budget < 1024.0 {
        return refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
    }
    if number("max_tokens").is_some_and(|most| most <= budget) {
        return refuse(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        );
    }
    if number("temperature").is_some_and(|temperature| temperature != 1.0) {
        return refuse("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if ask.get("top_k").is_some_and(|top_k| !top_k.is_null()) {
        return refuse("`top_k` must be unset when thinking is enabled.");
    }
    let forced = ask.pointer("/tool_choice/type").and_then(Value::as_str);
    if matches!(forced, Some("any" | "tool")) {
        return refuse("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(())
}

fn in_order(ask: &Value) -> Result<(), Problem> {
    let messages = ask
        .get("messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut uses: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let blocks = message
            .get("content")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let last_assistant = index + 1 == messages.len() && message.get("role") == Some(&Value::from("assistant"));
        let empty = blocks.is_empty() && message.get("content").and_then(Value::as_str).is_none_or(str::is_empty);
        if empty && !last_assistant {
            return Err(Problem::invalid(format!(
                "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
            )));
        }
        let mut results = Vec::new();
        for (place, block) in blocks.iter().enumerate() {
            let at = format!("messages.{index}.content.{place}");
            if block.get("text").and_then(Value::as_str) == Some("") {
                return Err(Problem::invalid("messages: text content blocks must be non-empty"));
            }
            genuine(block, &at)?;
            if let Some(id) = block.get("tool_use_id").and_then(Value::as_str) {
                if !uses.iter().any(|known| known == id) {
                    return Err(Problem::invalid(format!(
                        "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                    )));
                }
                results.push(id);
            }
        }
        let missing: Vec<&str> = uses
            .iter()
            .map(String::as_str)
            .filter(|id| !results.contains(id))
            .collect();
        if let Some(before) = index.checked_sub(1)
            && !missing.is_empty()
        {
            return Err(Problem::invalid(format!(
                "messages.{before}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                missing.join(", ")
            )));
        }
        let calls = blocks
            .iter()
            .filter(|block| block.get("type") == Some(&Value::from("tool_use")));
        uses = calls
            .filter_map(|call| Some(call.get("id")?.as_str()?.to_owned()))
            .collect();
    }
    Ok(())
}

/// Refuses thoughts that this API did not sign.
fn genuine(block: &Value, at: &str) -> Result<(), Problem> {
    let member = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let good = match member("type") {
        "thinking" => member("signature") == signature(member("thinking")),
        "redacted_thinking" => is_sealed(member("data")),
        _ => true,
    };
    if good {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "{at}: Invalid `signature` in `thinking` block"
    )))
}
