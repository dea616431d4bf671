//! A request to a provider, written.
//!
//! In: a [`Request`] and for whom it is. Out: a body. What a model refuses is left out, so that a request is refused for
//! what its client said and not for how it was translated; everything left out is told by name.
//!
//! Sources: `message_create_params.py` of Anthropic's Python SDK; Anthropic's pages "Structured outputs" (at most twenty
//! strict tools), "Tool use" and the models' "What's new" (forced choices, sampling parameters).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::content_write::{Mark, Piece, mark, pieces};
use super::schema::enforceable;
use crate::conversation::members::Members;
use crate::conversation::{Block, Choice, Format, Losses, Request, Role, Tool};
use crate::dialect::claude::thinking::{Config, Thinking};
use crate::dialect::claude::{self, Force, Model};
use crate::dialect::{To, form};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Piece<'a>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Piece<'a>>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Mark>,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<JsonFormat<'a>>,
}

#[derive(Serialize)]
struct JsonFormat<'a> {
    r#type: &'static str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

/// Writes a request.
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    let model = Model::named(to.model, claude::NEWEST);
    let max_tokens = request
        .max_output_tokens
        .or(to.longest)
        .unwrap_or(model.longest())
        .max(1);
    let thinking = Thinking::of(request, request.reasoning, model, Some(max_tokens), losses);
    let (format, words) = format(&request.format, model, losses);
    let texts = request.instructions.iter();
    let mut system = pieces(texts.filter(|block| matches!(block, Block::Text { .. })), losses);
    if let Some(text) = &words {
        system.push(Piece::Text {
            text,
            cache_control: None,
        });
    }
    let (temperature, top_p, top_k) = sampling(request, model, thinking.on, losses);
    unsayable(request, losses);
    let body = Body {
        model: to.model,
        max_tokens,
        system,
        messages: messages(request, model, losses),
        tools: tools(&request.tools, model, losses),
        tool_choice: choice(request, model, losses),
        thinking: thinking.config,
        output_config: (thinking.effort.is_some() || format.is_some()).then_some(OutputConfig {
            effort: thinking.effort,
            format,
        }),
        temperature,
        top_p,
        top_k,
        stop_sequences: stop(request, losses),
        metadata: user(request, losses).map(|user_id| Metadata { user_id }),
        stream: request.stream,
    };
    // Nothing in it can fail: all keys are strings.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The conversation, which the user always begins, and ends for models that only answer. Elsewhere a conversation that
/// ends with the assistant is answered by another turn of theirs.
fn messages<'a>(request: &'a Request, model: Model, losses: &mut Losses) -> Vec<Message<'a>> {
    let mut messages: Vec<Message<'a>> = Vec::with_capacity(request.turns.len() + 2);
    for turn in &request.turns {
        let content = pieces(&turn.content, losses);
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        match messages.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(content),
            _ => messages.push(Message { role, content }),
        }
    }
    if messages.first().is_none_or(|first| first.role != "user") {
        messages.insert(0, said("."));
    }
    if let Some(last) = messages.last_mut()
        && last.role == "assistant"
    {
        if model.refuses_prefill() {
            messages.push(said("Continue."));
        } else if let Some(Piece::Text { text, .. }) = last.content.last_mut() {
            // A text that the model is to go on with must not end with a blank.
            *text = text.trim_end();
        }
    }
    messages
}

/// A user's words that nobody said.
fn said(text: &str) -> Message<'_> {
    let text = Piece::Text {
        text,
        cache_control: None,
    };
    Message {
        role: "user",
        content: vec![text],
    }
}

/// More strict tools than this are refused.
const MOST_STRICT: usize = 20;

fn tools<'a>(tools: &'a [Tool], model: Model, losses: &mut Losses) -> Vec<Function<'a>> {
    let strict = |tool: &Tool| tool.strict == Some(true);
    let enforced = model.takes_schema() && tools.iter().filter(|tool| strict(tool)).count() <= MOST_STRICT;
    let function = |tool: &'a Tool| {
        let strict = strict(tool) && enforced && tool.parameters.as_deref().is_some_and(enforceable);
        if tool.strict == Some(true) && !strict {
            losses.hint("strict");
        }
        Function {
            name: &tool.name,
            description: tool.description.as_deref(),
            input_schema: parameters(tool),
            strict: strict.then_some(true),
            cache_control: mark(tool.cache),
        }
    };
    tools.iter().map(function).collect()
}

/// A tool's schema, which must say that it is of an object.
fn parameters(tool: &Tool) -> Option<Cow<'_, RawValue>> {
    let owned = |text: String| RawValue::from_string(text).ok().map(Cow::Owned);
    let none = || owned(r#"{"type":"object","properties":{}}"#.to_owned());
    let Some(schema) = tool.parameters.as_deref() else {
        return none();
    };
    match Members::within(schema, "") {
        Ok(members) if members.has("type") => Some(Cow::Borrowed(schema)),
        Ok(_) => {
            let inside = schema.get().strip_prefix('{').unwrap_or_default();
            let comma = if inside.trim() == "}" { "" } else { "," };
            owned(format!(r#"{{"type":"object"{comma}{inside}"#))
        }
        Err(_) => none(),
    }
}

fn choice<'a>(request: &'a Request, model: Model, losses: &mut Losses) -> Option<ToolChoice<'a>> {
    if request.tools.is_empty() {
        return None;
    }
    let single = request.parallel_calls == Some(false);
    let forced = matches!(request.choice, Some(Choice::Any | Choice::Tool(_)));
    let choice = match &request.choice {
        _ if forced && model.force() == Force::None => {
            losses.meaning("tool_choice");
            Some(("auto", None))
        }
        None => single.then_some(("auto", None)),
        Some(Choice::Auto) => Some(("auto", None)),
        Some(Choice::Any) => Some(("any", None)),
        Some(Choice::Never) => Some(("none", None)),
        Some(Choice::Tool(name)) => Some(("tool", Some(&**name))),
    };
    choice.map(|(kind, name)| ToolChoice {
        r#type: kind,
        name,
        disable_parallel_tool_use: (single && kind != "none").then_some(true),
    })
}

/// The form of the answer: as the provider enforces it, or in words where it cannot.
fn format<'a>(format: &'a Format, model: Model, losses: &mut Losses) -> (Option<JsonFormat<'a>>, Option<String>) {
    match format {
        Format::Text => (None, None),
        Format::Schema { schema, .. } if model.takes_schema() && enforceable(schema) => {
            let format = JsonFormat {
                r#type: "json_schema",
                schema,
            };
            (Some(format), None)
        }
        Format::Object | Format::Schema { .. } => {
            losses.hint("response_format");
            (None, form::words(format))
        }
    }
}

/// Temperature, top_p and top_k, as far as the model takes them.
fn sampling(
    request: &Request,
    model: Model,
    thinks: bool,
    losses: &mut Losses,
) -> (Option<f64>, Option<f64>, Option<u64>) {
    // Newer models refuse them, and so do older ones while they think, except for values that change nothing or little.
    let refused = model.refuses_sampling();
    let mut temperature = request.temperature;
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        losses.hint("temperature");
        temperature = Some(1.0);
    }
    if refused || thinks {
        if temperature.is_some_and(|temperature| temperature < 1.0) {
            losses.hint("temperature");
        }
        temperature = None;
    }
    let mut top_p = request.top_p.filter(|top_p| *top_p < 1.0);
    if top_p.is_some_and(|top_p| refused || temperature.is_some() && model.refuses_both() || thinks && top_p < 0.95) {
        losses.hint("top_p");
        top_p = None;
    }
    let mut top_k = request.top_k;
    if top_k.is_some() && (refused || thinks) {
        losses.hint("top_k");
        top_k = None;
    }
    (temperature, top_p, top_k)
}

/// Blank stop texts are refused.
fn stop<'a>(request: &'a Request, losses: &mut Losses) -> Vec<&'a str> {
    let (kept, blank): (Vec<_>, Vec<_>) = request.stop.iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        losses.meaning("stop");
    }
    kept.into_iter().map(String::as_str).collect()
}

/// The client's name for its end user. Addresses, and names longer than 256 characters, are refused.
fn user<'a>(request: &'a Request, losses: &mut Losses) -> Option<&'a str> {
    let user = request.user.as_deref().filter(|user| !user.is_empty())?;
    if user.contains('@') || user.chars().count() > 256 {
        losses.hint("user");
        return None;
    }
    Some(user)
}

/// What there is no word for at all.
fn unsayable(request: &Request, losses: &mut Losses) {
    if request.seed.is_some() {
        losses.hint("seed");
    }
    let penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    if penalty(request.presence_penalty) {
        losses.meaning("presence_penalty");
    }
    if penalty(request.frequency_penalty) {
        losses.meaning("frequency_penalty");
    }
    if request
        .instructions
        .iter()
        .any(|block| !matches!(block, Block::Text { .. }))
    {
        losses.meaning("system");
    }
}
