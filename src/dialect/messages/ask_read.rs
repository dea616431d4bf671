//! A client's request, read.
//!
//! In: a body. Out: a [`Request`] in its normal form, with what has no place in it by name. It looks at no model: what a
//! provider's model can do is the business of whoever writes for it.
//!
//! Source: `message_create_params.py` of Anthropic's Python SDK, and the beta members of the same request.

use serde_json::value::RawValue;

use super::content_read::{self, CONTENT, cache};
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::{Block, Choice, Effort, Format, Losses, Reasoning, Request, Role, Tool, Turn};

const NUMBER: &str = "must be a number";
const WHOLE: &str = "must be a whole number";
const BOOLEAN: &str = "must be true or false";
const ARRAY: &str = "must be an array";
const OBJECT: &str = "must be an object";
const TEXTS: &str = "must be an array of strings";

/// Members that only book, route or keep: the answer means the same without them.
const HINTS: &[&str] = &[
    "service_tier",
    "speed",
    "diagnostics",
    "user_profile_id",
    "workspace_id",
    "context_management",
    "fallbacks",
];

/// Members that change what the answer is, or a promise on where it is made.
const MEANINGS: &[&str] = &["container", "inference_geo", "mcp_servers"];

/// Reads a request.
///
/// # Errors
///
/// [`Unreadable`] where something is not what this dialect says it is.
pub fn read_request(body: &[u8]) -> Result<Request, Unreadable> {
    let mut members = Members::of(body, "")?;
    members.raw("model");
    let mut request = Request {
        stream: members.take("stream", BOOLEAN)?.unwrap_or_default(),
        stream_usage: true,
        max_output_tokens: members.take("max_tokens", WHOLE)?,
        temperature: members.take("temperature", NUMBER)?,
        top_p: members.take("top_p", NUMBER)?,
        top_k: members.take("top_k", WHOLE)?,
        stop: members.take("stop_sequences", TEXTS)?.unwrap_or_default(),
        ..Request::default()
    };
    let mut losses = Losses::default();
    if request.max_output_tokens == Some(0) {
        // Fills the prompt cache and answers nothing, which is said in no other dialect.
        losses.meaning("max_tokens");
        request.max_output_tokens = None;
    }
    if let Some(raw) = members.raw("system") {
        request.instructions = content_read::instructions(raw, "system", &mut losses)?;
    }
    let messages = members
        .raw("messages")
        .ok_or_else(|| Unreadable::new("messages", ARRAY))?;
    for (index, raw) in elements(messages, "messages", ARRAY)?.into_iter().enumerate() {
        message(raw, format!("messages[{index}]"), &mut request, &mut losses)?;
    }
    if let Some(raw) = members.raw("cache_control") {
        mark_last(&mut request, raw)?;
    }
    if let Some(raw) = members.raw("tools") {
        for (index, raw) in elements(raw, "tools", ARRAY)?.into_iter().enumerate() {
            request.tools.extend(tool(raw, format!("tools[{index}]"), &mut losses)?);
        }
    }
    if let Some(raw) = members.raw("tool_choice") {
        choice(raw, &mut request, &mut losses)?;
    }
    let config = match members.raw("output_config") {
        Some(raw) => Some(output_config(raw, &mut request, &mut losses)?),
        None => None,
    };
    // The name that `output_config.format` had in its beta.
    if let Some(raw) = members.raw("output_format") {
        request.format = format(raw, "output_format", &mut losses)?;
    }
    request.reasoning = reasoning(members.raw("thinking"), config.flatten(), &mut losses)?;
    if let Some(raw) = members.raw("metadata") {
        let mut metadata = Members::within(raw, "metadata")?;
        request.user = metadata.text("user_id")?;
        let mut others = Losses::default();
        metadata.rest(&mut others);
        if others.iter().next().is_some() {
            losses.hint("metadata");
        }
    }
    members.lose(HINTS, true, &mut losses);
    members.lose(MEANINGS, false, &mut losses);
    members.rest(&mut losses);
    request.losses = losses;
    Ok(request)
}

/// Adds a message to the conversation, to the turn before it where that is the same one's.
fn message(raw: &RawValue, at: String, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let mut members = Members::within(raw, at)?;
    let role: String = members.need("role", "must be user, assistant or system")?;
    let at = members.at("content");
    let content = members.raw("content").ok_or_else(|| Unreadable::new(&*at, CONTENT))?;
    let role = match &*role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        // Instructions amid the conversation stand with the others.
        "system" => {
            let more = content_read::instructions(content, &at, losses)?;
            request.instructions.extend(more);
            members.rest(losses);
            return Ok(());
        }
        _ => return Err(Unreadable::new(members.at("role"), "must be user, assistant or system")),
    };
    let blocks = content_read::content(content, &at, role, losses)?;
    members.rest(losses);
    if blocks.is_empty() {
        return Ok(());
    }
    match request.turns.last_mut() {
        Some(turn) if turn.role == role => turn.content.extend(blocks),
        _ => request.turns.push(Turn { role, content: blocks }),
    }
    if role == Role::User
        && let Some(turn) = request.turns.last_mut()
    {
        turn.content.sort_by_key(|block| !matches!(block, Block::Result { .. }));
    }
    Ok(())
}

/// The mark that stands for the whole request is one on the last block that can bear it.
fn mark_last(request: &mut Request, raw: &RawValue) -> Result<(), Unreadable> {
    let mark = cache(raw, "cache_control")?;
    let blocks = request
        .turns
        .iter_mut()
        .rev()
        .flat_map(|turn| turn.content.iter_mut().rev());
    let place = blocks
        .chain(request.instructions.iter_mut().rev())
        .find_map(|block| match block {
            Block::Text { cache, .. }
            | Block::Image { cache, .. }
            | Block::Document { cache, .. }
            | Block::Call { cache, .. }
            | Block::Result { cache, .. } => Some(cache),
            Block::Audio { .. } | Block::Thought { .. } | Block::SealedThought { .. } => None,
        });
    if let Some(place) = place {
        *place = place.or(Some(mark));
    }
    Ok(())
}

/// A function; `None` for what Anthropic itself runs or defines.
fn tool(raw: &RawValue, at: String, losses: &mut Losses) -> Result<Option<Tool>, Unreadable> {
    let mut members = Members::within(raw, at.clone())?;
    if let Some(kind) = members.text("type")?
        && kind != "custom"
    {
        losses.meaning_at(format!("{at}.{kind}"), "tools");
        return Ok(None);
    }
    let parameters: Option<&RawValue> = members.raw("input_schema");
    if let Some(schema) = parameters {
        Members::within(schema, members.at("input_schema"))?;
    }
    let tool = Tool {
        name: members.need("name", "must be a string")?,
        description: members.text("description")?,
        parameters: parameters.map(ToOwned::to_owned),
        strict: members.take("strict", BOOLEAN)?,
        cache: match members.raw("cache_control") {
            Some(raw) => Some(cache(raw, &members.at("cache_control"))?),
            None => None,
        },
    };
    let hints = [
        "eager_input_streaming",
        "defer_loading",
        "input_examples",
        "allowed_callers",
    ];
    members.lose(&hints, true, losses);
    members.rest(losses);
    Ok(Some(tool))
}

fn choice(raw: &RawValue, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let mut members = Members::within(raw, "tool_choice")?;
    let kind: String = members.need("type", "must be auto, any, tool or none")?;
    request.choice = Some(match &*kind {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::Never,
        "tool" => Choice::Tool(members.need("name", "must be a string")?),
        _ => return Err(Unreadable::new("tool_choice.type", "must be auto, any, tool or none")),
    });
    let single: Option<bool> = members.take("disable_parallel_tool_use", BOOLEAN)?;
    request.parallel_calls = single.map(|single| !single);
    members.rest(losses);
    Ok(())
}

/// Takes the format out of `output_config`, and gives the effort.
fn output_config(raw: &RawValue, request: &mut Request, losses: &mut Losses) -> Result<Option<Effort>, Unreadable> {
    const EFFORT: &str = "must be low, medium, high, xhigh or max";
    let mut members = Members::within(raw, "output_config")?;
    if let Some(raw) = members.raw("format") {
        request.format = format(raw, "output_config.format", losses)?;
    }
    let effort = match members.text("effort")?.as_deref() {
        None => None,
        Some("low") => Some(Effort::Low),
        Some("medium") => Some(Effort::Medium),
        Some("high") => Some(Effort::High),
        Some("xhigh") => Some(Effort::XHigh),
        Some("max") => Some(Effort::Max),
        Some(_) => return Err(Unreadable::new("output_config.effort", EFFORT)),
    };
    members.lose(&["task_budget"], true, losses);
    members.rest(losses);
    Ok(effort)
}

fn format(raw: &RawValue, at: &str, losses: &mut Losses) -> Result<Format, Unreadable> {
    let mut members = Members::within(raw, at)?;
    let kind: String = members.need("type", "must be json_schema")?;
    if kind != "json_schema" {
        return Err(Unreadable::new(members.at("type"), "must be json_schema"));
    }
    let schema = members
        .raw("schema")
        .ok_or_else(|| Unreadable::new(members.at("schema"), OBJECT))?;
    Members::within(schema, members.at("schema"))?;
    members.rest(losses);
    Ok(Format::Schema {
        name: None,
        description: None,
        schema: schema.to_owned(),
        // Here an answer always keeps to its schema.
        strict: Some(true),
    })
}

fn reasoning(
    thinking: Option<&RawValue>,
    effort: Option<Effort>,
    losses: &mut Losses,
) -> Result<Option<Reasoning>, Unreadable> {
    const KIND: &str = "must be enabled, adaptive, disabled or between_tools";
    let mut reasoning = Reasoning {
        effort,
        ..Reasoning::default()
    };
    let Some(raw) = thinking else {
        return Ok(effort.map(|_| reasoning));
    };
    let mut members = Members::within(raw, "thinking")?;
    let kind: String = members.need("type", KIND)?;
    reasoning.budget = members.take("budget_tokens", WHOLE)?;
    reasoning.shown = match members.text("display")?.as_deref() {
        Some("summarized") => Some(true),
        Some("omitted") => Some(false),
        Some(_) => return Err(Unreadable::new("thinking.display", "must be summarized or omitted")),
        // All models that take a budget show what they think.
        None if kind == "enabled" => Some(true),
        None => None,
    };
    match &*kind {
        "enabled" if reasoning.budget.is_none() => {
            return Err(Unreadable::new("thinking.budget_tokens", WHOLE));
        }
        "enabled" | "adaptive" => {}
        "disabled" | "between_tools" => {
            // Without thought, an effort is on how much is said.
            if effort.is_some() {
                losses.hint("output_config");
            }
            reasoning = Reasoning {
                effort: Some(Effort::Off),
                ..Reasoning::default()
            };
        }
        _ => return Err(Unreadable::new("thinking.type", KIND)),
    }
    members.rest(losses);
    Ok(Some(reasoning))
}
