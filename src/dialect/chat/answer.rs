//! A whole answer, read from a provider and written for a client.
//!
//! In and out: a body and a [`Reply`]. A reply's texts become one, and its calls stand behind them, because that is all the
//! order a message has.
//!
//! Sources: openai-python, `types/chat/chat_completion.py` and `types/completion_usage.py`.

use serde::Serialize;

use super::error::read_refusal;
use super::thoughts::{self, Extra, Thought, WrittenDetail};
use super::wire::{Choice, Envelope, Piece, call_id};
use crate::conversation::{Output, Refusal, Reply, Stop};
use crate::dialect::{Told, Unanswered};
use crate::usage::Usage;

/// Reads a provider's answer.
///
/// # Errors
///
/// [`Unanswered::Refused`] where it is an error in spite of its status, [`Unanswered::Malformed`] where it is no answer.
pub fn read_reply(body: &[u8]) -> Result<Reply, Unanswered> {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
        return Err(Unanswered::Malformed);
    };
    if envelope.is_error() {
        return Err(Unanswered::Refused(read_refusal(200, body)));
    }
    let mut reply = Reply {
        usage: envelope.usage(),
        id: envelope.id.unwrap_or_default().into_owned(),
        model: envelope.model.unwrap_or_default().into_owned(),
        tier: envelope.service_tier.map(Into::into),
        ..Reply::default()
    };
    let mut choices = envelope.choices.into_iter().flatten().filter(Choice::is_first);
    let mut choice = choices.next().ok_or(Unanswered::Malformed)?;
    let said = choice.message.take().ok_or(Unanswered::Malformed)?;

    let mut whole = Vec::new();
    let mut text = String::new();
    for piece in said.pieces() {
        match piece {
            Piece::Thought(thought) => thoughts::add(&mut whole, thought),
            Piece::Text(more) => text.push_str(&more),
        }
    }
    reply.output.extend(whole.into_iter().map(|thought| match thought {
        Thought::Shown { text, signature } => Output::Thought { text, signature },
        Thought::Sealed(data) => Output::SealedThought(data),
    }));
    if !text.is_empty() {
        reply.output.push(Output::Text(text));
    }
    let refusal = said.refusal.filter(|refusal| !refusal.is_empty());
    let is_declined = refusal.is_some();
    reply
        .output
        .extend(refusal.map(|refusal| Output::Declined(refusal.into())));
    let mut is_calling = false;
    for (place, call) in said.tool_calls.into_iter().flatten().enumerate() {
        let function = call.function.unwrap_or_default();
        // A call of nothing is none.
        let Some(name) = function.name.filter(|name| !name.is_empty()) else {
            continue;
        };
        is_calling = true;
        reply.output.push(Output::Call {
            id: call_id(call.id.as_deref(), &reply.id, place),
            name: name.into(),
            arguments: thoughts::arguments(function.arguments),
            signature: call.extra_content.and_then(thoughts::signature_of_call),
        });
    }
    reply.stop = match choice.stop(is_calling, is_declined).transpose() {
        Ok(stop) => stop,
        Err(cause) => return Err(Unanswered::Refused(Refusal::new(cause, ""))),
    };
    Ok(reply)
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [WrittenChoice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WrittenUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenChoice<'a> {
    index: u8,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<WrittenDetail<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'a>>,
}

#[derive(Serialize)]
struct WrittenCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WrittenFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Extra<'a>>,
}

#[derive(Serialize)]
struct WrittenFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The class of service, where OpenAI has a word for it: some clients refuse an answer with another.
pub(super) fn tier(tier: &str) -> Option<&'static str> {
    let known = ["auto", "default", "flex", "scale", "priority", "fast"];
    match tier {
        "standard" => Some("default"),
        other => known.into_iter().find(|name| *name == other),
    }
}

/// Writes an answer for a client.
pub fn write_reply(reply: &Reply, told: &Told<'_>) -> Vec<u8> {
    let mut message = Message {
        role: "assistant",
        content: None,
        refusal: None,
        reasoning_content: None,
        reasoning_details: Vec::new(),
        tool_calls: Vec::new(),
    };
    for output in &reply.output {
        let index = message.reasoning_details.len();
        match output {
            Output::Text(text) => message.content.get_or_insert_default().push_str(text),
            Output::Declined(text) => message.refusal.get_or_insert_default().push_str(text),
            Output::Thought { text, signature } => {
                if !text.is_empty() {
                    message.reasoning_content.get_or_insert_default().push_str(text);
                }
                let detail = WrittenDetail::shown(Some(text), signature.as_deref(), index);
                message.reasoning_details.push(detail);
            }
            Output::SealedThought(data) => message.reasoning_details.push(WrittenDetail::sealed(data, index)),
            Output::Call {
                id,
                name,
                arguments,
                signature,
            } => message.tool_calls.push(WrittenCall {
                id,
                kind: "function",
                function: WrittenFunction { name, arguments },
                extra_content: signature.as_deref().map(Extra::new),
            }),
        }
    }
    let is_calling = !message.tool_calls.is_empty();
    let is_declined = message.refusal.is_some();
    if !is_calling && !is_declined {
        message.content.get_or_insert_default();
    }
    let made;
    let id = if reply.id.is_empty() {
        made = format!("chatcmpl-{}", told.id);
        &made
    } else {
        &reply.id
    };
    let completion = Completion {
        id,
        object: "chat.completion",
        created: told.created,
        model: if reply.model.is_empty() {
            told.model
        } else {
            &reply.model
        },
        choices: [WrittenChoice {
            index: 0,
            message,
            logprobs: (),
            finish_reason: finish_reason(reply.stop.as_ref(), is_calling, is_declined),
        }],
        usage: reply.usage.map(WrittenUsage::from),
        service_tier: reply.tier.as_deref().and_then(tier),
    };
    serde_json::to_vec(&completion).unwrap_or_default()
}

/// OpenAI's word for why an answer ends.
pub(super) fn finish_reason(stop: Option<&Stop>, is_calling: bool, is_declined: bool) -> &'static str {
    match stop {
        Some(Stop::Length | Stop::ContextFull) => "length",
        Some(Stop::Filtered) => "content_filter",
        // OpenAI's own models decline in words, with `stop`; where there are none, the client must not take it for an answer.
        Some(Stop::Declined) if !is_declined => "content_filter",
        _ if is_calling => "tool_calls",
        _ => "stop",
    }
}

/// A usage object. What was written to a cache is told as one, however long the cache lives.
#[derive(Serialize)]
pub(super) struct WrittenUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Usage> for WrittenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt(),
            completion_tokens: usage.completion(),
            total_tokens: usage.prompt().saturating_add(usage.completion()),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
                audio_tokens: usage.input_audio,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.output_audio,
            },
        }
    }
}
