//! What a client asks.
//!
//! In: the body of `POST /v1/responses`, valid JSON. Out: a [`Request`] in normal form. What stands only in OpenAI's
//! stores (`previous_response_id`, `conversation`, `prompt`, item references) and what only OpenAI runs (its own tools)
//! are losses by name. Members after the API reference ("Create a response") and `ResponseCreateParams` of the SDK.
//!
//! - `item`: the elements of `input`; `part`: the elements of a message's `content`.

mod item;
mod part;

use serde_json::value::RawValue;

use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::{Block, Choice, Format, Losses, Reasoning, Request, Tool};
use crate::dialect::effort;

/// What matters and has no counterpart.
const MEANT: &[&str] = &[
    "background",
    "context_management",
    "conversation",
    "moderation",
    "previous_response_id",
    "prompt",
];

/// What says how the request is kept, routed, billed or told; the answer means the same without.
const HINTED: &[&str] = &[
    "access_programs",
    "background_options",
    "client_metadata",
    "image",
    "max_tool_calls",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
];

/// Reads a request.
///
/// # Errors
///
/// [`Unreadable`], with the place, where a member is not what it should be.
pub fn read_request(body: &[u8]) -> Result<Request, Unreadable> {
    let mut members = Members::of(body, "")?;
    let mut losses = Losses::default();
    let mut request = Request {
        max_output_tokens: members.take("max_output_tokens", "must be a number of tokens")?,
        temperature: members.take("temperature", "must be a number")?,
        top_p: members.take("top_p", "must be a number")?,
        parallel_calls: members.take("parallel_tool_calls", "must be true or false")?,
        stream: members.take("stream", "must be true or false")?.unwrap_or_default(),
        // This dialect tells it always.
        stream_usage: true,
        user: members.text("user")?,
        ..Request::default()
    };
    members.raw("model");
    if let Some(text) = members.text("instructions")?.filter(|text| !text.is_empty()) {
        request.instructions.push(Block::Text { text, cache: None });
    }
    let what = "must be a string or an array of items";
    match members.raw("input") {
        Some(input) => item::read(input, &mut request, &mut losses)?,
        None => return Err(Unreadable::new("input", what)),
    }
    if let Some(listed) = members.raw("tools") {
        tools(listed, &mut request, &mut losses)?;
    }
    if let Some(chosen) = members.raw("tool_choice") {
        choice(chosen, &mut request, &mut losses)?;
    }
    if let Some(text) = members.raw("text") {
        request.format = format(text, &mut losses)?;
    }
    if let Some(reasoning) = members.raw("reasoning") {
        request.reasoning = Some(reason(reasoning, &mut losses)?);
    }
    for wanted in members
        .take::<Vec<String>>("include", "must be an array of strings")?
        .unwrap_or_default()
    {
        match &*wanted {
            // The answer has it unasked.
            "reasoning.encrypted_content" => {}
            "message.output_text.logprobs" => losses.meaning("include"),
            // Of tools that are losses themselves, and of what the client sent.
            _ => losses.hint("include"),
        }
    }
    if members
        .take::<u64>("top_logprobs", "must be a number")?
        .is_some_and(|logprobs| logprobs > 0)
    {
        losses.meaning("top_logprobs");
    }
    // What is too long is refused, and not cut without a word.
    if members.text("truncation")?.is_some_and(|way| way != "disabled") {
        losses.hint("truncation");
    }
    members.lose(MEANT, false, &mut losses);
    members.lose(HINTED, true, &mut losses);
    members.rest(&mut losses);
    request.losses = losses;
    Ok(request)
}

fn tools(listed: &RawValue, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    for (index, raw) in elements(listed, "tools", "must be an array of tools")?
        .into_iter()
        .enumerate()
    {
        let mut tool = Members::within(raw, format!("tools[{index}]"))?;
        let kind: String = tool.need("type", "must be a string")?;
        if kind != "function" {
            // Its members are its own.
            losses.meaning_at(tool.at("type"), "tools");
            continue;
        }
        request.tools.push(Tool {
            name: tool.need("name", "must be a string")?,
            description: tool.text("description")?,
            parameters: tool.raw("parameters").map(ToOwned::to_owned),
            strict: tool.take("strict", "must be true or false")?,
            cache: None,
        });
        tool.lose(&["async"], false, losses);
        tool.lose(&["allowed_callers", "defer_loading", "output_schema"], true, losses);
        tool.rest(losses);
    }
    Ok(())
}

fn choice(chosen: &RawValue, request: &mut Request, losses: &mut Losses) -> Result<(), Unreadable> {
    let what = "must be \"none\", \"auto\", \"required\" or an object";
    let mode = |mode: &str, at: &str| match mode {
        "none" => Ok(Choice::Never),
        "auto" => Ok(Choice::Auto),
        "required" => Ok(Choice::Any),
        _ => Err(Unreadable::new(at, what)),
    };
    if let Ok(text) = serde_json::from_str::<String>(chosen.get()) {
        request.choice = Some(mode(&text, "tool_choice")?);
        return Ok(());
    }
    let mut choice = Members::within(chosen, "tool_choice").map_err(|wrong| Unreadable::new(wrong.at, what))?;
    let kind: String = choice.need("type", "must be a string")?;
    match &*kind {
        "function" => request.choice = Some(Choice::Tool(choice.need("name", "must be a string")?)),
        "allowed_tools" => {
            let said: String = choice.need("mode", "must be a string")?;
            request.choice = Some(mode(&said, "tool_choice.mode")?);
            let listed: &RawValue = choice.need("tools", "must be an array of tools")?;
            let mut allowed = Vec::new();
            for (index, raw) in elements(listed, "tool_choice.tools", "must be an array of tools")?
                .into_iter()
                .enumerate()
            {
                let mut tool = Members::within(raw, format!("tool_choice.tools[{index}]"))?;
                // One that is not a function is a loss where it is defined.
                tool.raw("type");
                allowed.extend(tool.text("name")?);
            }
            request.tools.retain(|tool| allowed.contains(&tool.name));
        }
        _ => {
            losses.meaning("tool_choice");
            return Ok(());
        }
    }
    choice.rest(losses);
    Ok(())
}

fn format(text: &RawValue, losses: &mut Losses) -> Result<Format, Unreadable> {
    let mut text = Members::within(text, "text")?;
    let read = match text.raw("format") {
        None => Format::Text,
        Some(format) => {
            let mut format = Members::within(format, "text.format")?;
            let kind: String = format.need("type", "must be a string")?;
            let read = match &*kind {
                "text" => Format::Text,
                "json_object" => Format::Object,
                "json_schema" => Format::Schema {
                    name: format.text("name")?,
                    description: format.text("description")?,
                    schema: format.need::<&RawValue>("schema", "must be a JSON Schema")?.to_owned(),
                    strict: format.take("strict", "must be true or false")?,
                },
                _ => {
                    let what = "must be \"text\", \"json_object\" or \"json_schema\"";
                    return Err(Unreadable::new("text.format.type", what));
                }
            };
            format.rest(losses);
            read
        }
    };
    if text.text("verbosity")?.is_some_and(|verbosity| verbosity != "medium") {
        losses.hint("verbosity");
    }
    text.rest(losses);
    Ok(read)
}

fn reason(reasoning: &RawValue, losses: &mut Losses) -> Result<Reasoning, Unreadable> {
    let mut reasoning = Members::within(reasoning, "reasoning")?;
    let effort = match reasoning.text("effort")? {
        None => None,
        Some(word) => Some(effort::named(&word).ok_or_else(|| {
            let what = "must be none, minimal, low, medium, high, xhigh or max";
            Unreadable::new("reasoning.effort", what)
        })?),
    };
    // The second is the first one's old name.
    let summary = reasoning.text("summary")?.or(reasoning.text("generate_summary")?);
    if reasoning.text("mode")?.is_some_and(|mode| mode != "standard") {
        losses.meaning_at(reasoning.at("mode"), "mode");
    }
    reasoning.lose(&["context"], true, losses);
    reasoning.rest(losses);
    Ok(Reasoning {
        effort,
        budget: None,
        shown: summary.map(|_| true),
    })
}
