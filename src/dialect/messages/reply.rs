//! A whole answer, read and written.
//!
//! In: a body, or a [`Reply`]. Out: the other. Texts that follow one another are one text, as they are when they come as a
//! stream. What only Anthropic's own tools say is passed over: nobody here asks for it.
//!
//! Source: `message.py` of Anthropic's Python SDK and what it names.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::content_write::object;
use super::refusal::Error;
use super::usage::Wire as UsageWire;
use crate::conversation::{Output, Reply, Stop};
use crate::dialect::anthropic::Counts;
use crate::dialect::{Told, Unanswered};

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    content: Option<Vec<Content<'a>>>,
    stop_reason: Option<Cow<'a, str>>,
    stop_sequence: Option<String>,
    stop_details: Option<StopDetails>,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

/// A block of an answer, a piece of one, or what ends it; of any type.
#[derive(Default, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Cow<'a, str>,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) data: Option<String>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) input: Option<&'a RawValue>,
    pub(super) partial_json: Option<String>,
    pub(super) stop_reason: Option<Cow<'a, str>>,
    pub(super) stop_sequence: Option<String>,
    pub(super) stop_details: Option<StopDetails>,
}

/// Why a classifier stopped an answer.
#[derive(Deserialize)]
pub(super) struct StopDetails {
    pub(super) explanation: Option<String>,
}

/// Reads an answer.
///
/// # Errors
///
/// [`Unanswered`] where it is none, or an error under a status of success.
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    let message: Message = serde_json::from_slice(body).map_err(|_| Unanswered::Malformed)?;
    let Some(content) = message.content else {
        return Err(match message.error {
            Some(error) => Unanswered::Refused(Error::within(Some(error)).refusal(200)),
            None => Unanswered::Malformed,
        });
    };
    let mut reply = Reply {
        id: message.id.unwrap_or_default(),
        model: message.model.unwrap_or_default(),
        stop: message
            .stop_reason
            .and_then(|reason| stop(&reason, message.stop_sequence)),
        ..Reply::default()
    };
    let mut calls = 0;
    for block in content {
        output(block, &mut calls, &mut reply.output);
    }
    if let Some(explanation) = message.stop_details.and_then(|details| details.explanation)
        && !explanation.is_empty()
    {
        reply.output.push(Output::Declined(explanation));
    }
    let mut counts = Counts::default();
    if message
        .usage
        .is_some_and(|usage| counts.take(usage.get().as_bytes()).is_ok())
    {
        reply.usage = counts.usage().filter(|usage| !usage.is_zero());
        reply.tier = counts.tier().map(ToOwned::to_owned);
    }
    Ok(reply)
}

fn output(block: Content<'_>, calls: &mut u32, out: &mut Vec<Output>) {
    match &*block.r#type {
        "text" => {
            let text = block.text.unwrap_or_default();
            match out.last_mut() {
                _ if text.is_empty() => {}
                Some(Output::Text(last)) => last.push_str(&text),
                _ => out.push(Output::Text(text)),
            }
        }
        "thinking" => {
            let text = block.thinking.unwrap_or_default();
            let signature = block.signature.filter(|signature| !signature.is_empty());
            match out.last_mut() {
                _ if text.is_empty() && signature.is_none() => {}
                Some(Output::Thought {
                    text: last,
                    signature: unsealed @ None,
                }) => {
                    last.push_str(&text);
                    *unsealed = signature;
                }
                _ => out.push(Output::Thought { text, signature }),
            }
        }
        "redacted_thinking" => out.extend(block.data.map(Output::SealedThought)),
        "tool_use" => out.push(Output::Call {
            id: call_id(block.id, calls),
            name: block.name.unwrap_or_default(),
            arguments: object(block.input.map_or("{}", RawValue::get))
                .map_or("{}", RawValue::get)
                .to_owned(),
            signature: None,
        }),
        _ => {}
    }
}

/// A call's id; one of ours where the provider gives none, since its result must name it.
pub(super) fn call_id(id: Option<String>, calls: &mut u32) -> String {
    *calls = calls.wrapping_add(1);
    id.filter(|id| !id.is_empty())
        .unwrap_or_else(|| format!("toolu_{calls}"))
}

/// Why an answer ends. A paused turn is one of Anthropic's own tools, and complete for all others.
pub(super) fn stop(reason: &str, sequence: Option<String>) -> Option<Stop> {
    Some(match reason {
        "end_turn" | "pause_turn" => Stop::End,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence),
        "tool_use" => Stop::Calls,
        "refusal" => Stop::Declined,
        "model_context_window_exceeded" => Stop::ContextFull,
        _ => return None,
    })
}

#[derive(Serialize)]
struct Written<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Piece<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: UsageWire<'a>,
}

/// A block of an answer, written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Option<&'a RawValue>,
    },
}

/// Writes an answer.
pub fn write_reply(reply: &Reply, told: &Told<'_>) -> Vec<u8> {
    let something =
        |output: &&Output| !matches!(output, Output::Text(text) | Output::Declined(text) if text.is_empty());
    let content = reply.output.iter().filter(something).map(|output| match output {
        Output::Text(text) | Output::Declined(text) => Piece::Text { text },
        Output::Thought { text, signature } => Piece::Thinking {
            thinking: text,
            signature: signature.as_deref().unwrap_or_default(),
        },
        Output::SealedThought(data) => Piece::RedactedThinking { data },
        Output::Call {
            id, name, arguments, ..
        } => Piece::ToolUse {
            id,
            name,
            input: object(arguments),
        },
    });
    let called = reply.output.iter().any(|output| matches!(output, Output::Call { .. }));
    let declined = reply.output.iter().any(|output| matches!(output, Output::Declined(_)));
    let (stop_reason, stop_sequence) = reason(reply.stop.as_ref(), called, declined);
    let written = Written {
        id: id(&reply.id, told),
        r#type: "message",
        role: "assistant",
        model: if reply.model.is_empty() {
            told.model
        } else {
            &reply.model
        },
        content: content.collect(),
        stop_reason,
        stop_sequence,
        usage: UsageWire::of(reply.usage.as_ref(), reply.tier.as_deref()),
    };
    // Nothing in it can fail: all keys are strings.
    serde_json::to_vec(&written).unwrap_or_default()
}

/// The provider's id, or ours where it has none.
pub(super) fn id<'a>(id: &'a str, told: &Told<'_>) -> Cow<'a, str> {
    match id.is_empty() {
        true => Cow::Owned(format!("msg_{}", told.id)),
        false => Cow::Borrowed(id),
    }
}

/// `stop_reason` and `stop_sequence`. Some providers say no more than that it is over, even of calls.
pub(super) fn reason(stop: Option<&Stop>, called: bool, declined: bool) -> (&'static str, Option<&str>) {
    match stop {
        None | Some(Stop::End) if declined => ("refusal", None),
        None | Some(Stop::End) if called => ("tool_use", None),
        None | Some(Stop::End) => ("end_turn", None),
        Some(Stop::Length) => ("max_tokens", None),
        Some(Stop::Calls) => ("tool_use", None),
        Some(Stop::Sequence(text)) => ("stop_sequence", text.as_deref()),
        Some(Stop::Filtered | Stop::Declined) => ("refusal", None),
        Some(Stop::ContextFull) => ("model_context_window_exceeded", None),
    }
}
