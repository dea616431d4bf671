//! A client's request, all but its messages.
//!
//! In: a body. Out: a [`Request`], in which is named whatever only OpenAI (or nobody) has a word for. It does not judge
//! whether numbers are in their range: the provider does.
//!
//! Source: openai-python, `types/chat/completion_create_params.py`. Beside it are read: `top_k`, `thinking` (Anthropic's
//! form, which LiteLLM, DeepSeek and Z.ai take in chat completions) and `reasoning` (OpenRouter's).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::parts::cache;
use super::turns::Turns;
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::{Choice, Effort, Format, Losses, Reasoning, Request, Tool};
use crate::dialect::effort;

/// Members that an answer means the same without.
const HINTS: [&str; 9] = [
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
];

/// Members that change an answer.
const MEANINGS: [&str; 9] = [
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "modalities",
    "moderation",
    "top_logprobs",
    "web_search_options",
];

const NUMBER: &str = "must be a number";
const COUNT: &str = "must be a whole number";

/// Reads a client's request; `body` is a JSON object with a model.
///
/// # Errors
///
/// [`Unreadable`] where something is not of the type that OpenAI's documentation says.
pub fn read_request(body: &[u8]) -> Result<Request, Unreadable> {
    let mut members = Members::of(body, "")?;
    let mut losses = Losses::default();
    members.raw("model");

    let mut turns = Turns::default();
    let messages: &RawValue = members.need("messages", "must be an array of messages")?;
    for (index, message) in elements(messages, "messages", "must be an array of messages")?
        .into_iter()
        .enumerate()
    {
        turns.read(Members::within(message, format!("messages[{index}]"))?, &mut losses)?;
    }

    let mut tools = read_tools(&mut members, &mut losses)?;
    let mut request = Request {
        instructions: turns.instructions,
        turns: turns.turns,
        choice: read_choice(&mut members, &mut tools)?,
        tools,
        parallel_calls: members.take("parallel_tool_calls", "must be true or false")?,
        format: read_format(&mut members, &mut losses)?,
        temperature: members.take("temperature", NUMBER)?,
        top_p: members.take("top_p", NUMBER)?,
        top_k: members.take("top_k", COUNT)?,
        seed: members.take("seed", COUNT)?,
        presence_penalty: members.take("presence_penalty", NUMBER)?,
        frequency_penalty: members.take("frequency_penalty", NUMBER)?,
        stop: read_stop(&mut members)?,
        reasoning: read_reasoning(&mut members, &mut losses)?,
        stream: members.take("stream", "must be true or false")?.unwrap_or_default(),
        user: members.text("user")?,
        ..Request::default()
    };
    let older: Option<u64> = members.take("max_tokens", COUNT)?;
    request.max_output_tokens = members.take("max_completion_tokens", COUNT)?.or(older);
    if let Some(options) = members.raw("stream_options") {
        let mut options = Members::within(options, "stream_options")?;
        request.stream_usage = options
            .take("include_usage", "must be true or false")?
            .unwrap_or_default();
        options.lose(&["include_obfuscation"], true, &mut losses);
        options.rest(&mut losses);
    }

    if members.take::<u64>("n", COUNT)?.is_some_and(|n| n != 1) {
        losses.meaning("n");
    }
    let modalities: Option<Vec<Cow<str>>> = members.take("modalities", "must be an array of strings")?;
    if modalities.is_some_and(|modalities| modalities.iter().any(|modality| modality != "text")) {
        losses.meaning("modalities");
    }
    members.lose(&HINTS, true, &mut losses);
    members.lose(&MEANINGS, false, &mut losses);
    members.rest(&mut losses);
    request.losses = losses;
    Ok(request)
}

fn read_tools(members: &mut Members, losses: &mut Losses) -> Result<Vec<Tool>, Unreadable> {
    const WHAT: &str = "must be an array of tools";
    let Some(tools) = members.raw("tools") else {
        return Ok(Vec::new());
    };
    let mut read = Vec::new();
    for (index, tool) in elements(tools, "tools", WHAT)?.into_iter().enumerate() {
        let mut tool = Members::within(tool, format!("tools[{index}]"))?;
        let kind: Cow<str> = tool.need("type", "must be a string")?;
        if kind != "function" {
            let label = if kind == "custom" { "custom" } else { "tools" };
            losses.meaning_at(format!("tools[{index}].{kind}"), label);
            continue;
        }
        let function: &RawValue = tool.need("function", "must be an object")?;
        let mut function = Members::within(function, tool.at("function"))?;
        let cache = cache(&mut tool)?.or(self::cache(&mut function)?);
        let parameters = function.raw("parameters").map(ToOwned::to_owned);
        if let Some(parameters) = &parameters {
            Members::within(parameters, function.at("parameters"))?;
        }
        read.push(Tool {
            name: function.need("name", "must be a string")?,
            description: function.text("description")?,
            parameters,
            strict: function.take("strict", "must be true or false")?,
            cache,
        });
        function.rest(losses);
        tool.rest(losses);
    }
    Ok(read)
}

/// The choice among the tools. Where only some are allowed, the others are taken out: what is not there is not called.
fn read_choice(members: &mut Members, tools: &mut Vec<Tool>) -> Result<Option<Choice>, Unreadable> {
    const WHAT: &str = "must be \"none\", \"auto\", \"required\" or name a tool";
    let Some(choice) = members.raw("tool_choice") else {
        return Ok(None);
    };
    let wrong = || Unreadable::new("tool_choice", WHAT);
    let mode = |name: &str| match name {
        "none" => Ok(Choice::Never),
        "auto" => Ok(Choice::Auto),
        "required" | "any" => Ok(Choice::Any),
        _ => Err(wrong()),
    };
    if let Ok(name) = serde_json::from_str::<Cow<str>>(choice.get()) {
        return mode(&name).map(Some);
    }
    let mut choice = Members::within(choice, "tool_choice").map_err(|_| wrong())?;
    let name_of = |from: &RawValue, at: String| Members::within(from, at)?.need::<String>("name", "must be a string");
    if let Some(allowed) = choice.raw("allowed_tools") {
        let mut allowed = Members::within(allowed, "tool_choice.allowed_tools")?;
        let chosen: Cow<str> = allowed.need("mode", "must be \"auto\" or \"required\"")?;
        let listed: &RawValue = allowed.need("tools", "must be an array of tools")?;
        let mut names = Vec::new();
        for tool in elements(listed, "tool_choice.allowed_tools.tools", "must be an array of tools")? {
            let mut tool = Members::within(tool, "tool_choice.allowed_tools.tools")?;
            if let Some(function) = tool.raw("function") {
                names.push(name_of(function, tool.at("function"))?);
            }
        }
        tools.retain(|tool| names.contains(&tool.name));
        return mode(&chosen).map(Some);
    }
    match choice.raw("function").or_else(|| choice.raw("custom")) {
        Some(function) => Ok(Some(Choice::Tool(name_of(function, "tool_choice.function".into())?))),
        None => Err(wrong()),
    }
}

fn read_format(members: &mut Members, losses: &mut Losses) -> Result<Format, Unreadable> {
    let Some(format) = members.raw("response_format") else {
        return Ok(Format::Text);
    };
    let mut format = Members::within(format, "response_format")?;
    let kind: Cow<str> = format.need("type", "must be a string")?;
    let read = match &*kind {
        "text" => Format::Text,
        "json_object" => Format::Object,
        "json_schema" => {
            let schema: &RawValue = format.need("json_schema", "must be an object")?;
            let mut schema = Members::within(schema, "response_format.json_schema")?;
            let read = Format::Schema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                strict: schema.take("strict", "must be true or false")?,
                schema: schema.need::<&RawValue>("schema", "must be a JSON schema")?.to_owned(),
            };
            schema.rest(losses);
            read
        }
        _ => {
            losses.meaning("response_format");
            return Ok(Format::Text);
        }
    };
    format.rest(losses);
    Ok(read)
}

fn read_stop(members: &mut Members) -> Result<Vec<String>, Unreadable> {
    const WHAT: &str = "must be a string or an array of strings";
    let Some(stop) = members.raw("stop") else {
        return Ok(Vec::new());
    };
    serde_json::from_str::<String>(stop.get())
        .map(|stop| vec![stop])
        .or_else(|_| serde_json::from_str(stop.get()))
        .map_err(|_| Unreadable::new("stop", WHAT))
}

fn read_reasoning(members: &mut Members, losses: &mut Losses) -> Result<Option<Reasoning>, Unreadable> {
    let mut reasoning = Reasoning::default();
    let named = |name: Cow<str>, losses: &mut Losses| {
        let effort = effort::named(&name);
        if effort.is_none() {
            losses.hint("reasoning_effort");
        }
        effort
    };
    if let Some(name) = members.take("reasoning_effort", "must be a string")? {
        reasoning.effort = named(name, losses);
    }
    if let Some(more) = members.raw("reasoning") {
        let mut more = Members::within(more, "reasoning")?;
        if let Some(name) = more.take("effort", "must be a string")? {
            reasoning.effort = named(name, losses);
        }
        reasoning.budget = more.take("max_tokens", COUNT)?;
        let hidden: Option<bool> = more.take("exclude", "must be true or false")?;
        reasoning.shown = hidden.map(|hidden| !hidden);
        if more.take("enabled", "must be true or false")? == Some(false) {
            reasoning.effort = Some(Effort::Off);
        }
        more.rest(losses);
    }
    if let Some(thinking) = members.raw("thinking") {
        let mut thinking = Members::within(thinking, "thinking")?;
        if thinking.take::<Cow<str>>("type", "must be a string")?.as_deref() == Some("disabled") {
            reasoning.effort = Some(Effort::Off);
        }
        reasoning.budget = thinking.take("budget_tokens", COUNT)?.or(reasoning.budget);
        thinking.rest(losses);
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}
