//! The shapes of an answer and of a stream's events, as they are read.
//!
//! In: JSON. Out: borrowed parts and what they mean. What nobody here asks for is skipped. A provider's answer is read
//! generously: what has another type than OpenAI's and is of no consequence is left out.
//!
//! Sources: openai-python, `types/chat/chat_completion.py` and `chat_completion_chunk.py`; vLLM's `stop_reason`; DeepSeek's,
//! Mistral's and OpenRouter's values of `finish_reason`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::thoughts::{self, Thought};
use crate::conversation::{Cause, Stop};
use crate::hash;
use crate::usage::Usage;

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    index: Option<u64>,
    #[serde(borrow, alias = "delta")]
    pub(super) message: Option<Said<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) refusal: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Call<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// A piece of what is said.
pub(super) enum Piece {
    Thought(Thought),
    Text(String),
}

impl Envelope<'_> {
    /// Whether it is an error and no answer.
    pub(super) fn is_error(&self) -> bool {
        let is_within = |choice: &Choice| choice.error.is_some();
        self.error.is_some() || self.object.as_deref() == Some("error") || self.choices.iter().flatten().any(is_within)
    }

    /// What was counted, where that can be read.
    pub(super) fn usage(&self) -> Option<Usage> {
        let raw = self.usage?;
        crate::dialect::openai::usage(raw.get().as_bytes()).ok().flatten()
    }
}

impl<'a> Choice<'a> {
    /// Whether it is the first; no other was asked for.
    pub(super) fn is_first(&self) -> bool {
        self.index.unwrap_or_default() == 0
    }

    /// Why the answer ends, if it does.
    pub(super) fn stop(&self, is_calling: bool, is_declined: bool) -> Option<Result<Stop, Cause>> {
        let stop = match self.finish_reason.as_deref()? {
            "length" | "max_tokens" => Stop::Length,
            "model_length" => Stop::ContextFull,
            "content_filter" => Stop::Filtered,
            "insufficient_system_resource" => return Some(Err(Cause::Overloaded)),
            "error" => return Some(Err(Cause::Server)),
            // Some say `stop` although they call; and `tool_calls` although they do not.
            _ if is_calling => Stop::Calls,
            _ if is_declined => Stop::Declined,
            _ => match self
                .stop_reason
                .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
            {
                Some(text) => Stop::Sequence(Some(text)),
                None => Stop::End,
            },
        };
        Some(Ok(stop))
    }
}

impl Said<'_> {
    /// What is thought and said, in order; empty texts are none.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces: Vec<_> = thoughts::details(self.reasoning_details)
            .into_iter()
            .map(Piece::Thought)
            .collect();
        if pieces.is_empty() {
            let raw = self.reasoning_content.or(self.reasoning);
            pieces.extend(raw.and_then(|raw| shown(thoughts::text_of(raw))));
        }
        if let Some(content) = self.content {
            said(content, &mut pieces);
        }
        pieces
    }
}

fn shown(text: String) -> Option<Piece> {
    let signature = None;
    (!text.is_empty()).then_some(Piece::Thought(Thought::Shown { text, signature }))
}

/// Content: a text, or (with Mistral) an array of texts and thoughts.
fn said(content: &RawValue, pieces: &mut Vec<Piece>) {
    #[derive(Deserialize)]
    struct Part<'a> {
        text: Option<String>,
        #[serde(borrow)]
        thinking: Option<&'a RawValue>,
    }
    let text = |text: String| (!text.is_empty()).then_some(Piece::Text(text));
    if let Ok(whole) = serde_json::from_str(content.get()) {
        pieces.extend(text(whole));
        return;
    }
    let parts: Vec<Part> = serde_json::from_str(content.get()).unwrap_or_default();
    for part in parts {
        pieces.extend(part.thinking.and_then(|raw| shown(thoughts::text_of(raw))));
        pieces.extend(part.text.and_then(text));
    }
}

/// An id for a call that has none: of the answer's id and the call's place there.
pub(super) fn call_id(given: Option<&str>, answer: &str, place: usize) -> String {
    match given {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => {
            let hash = hash::both(hash::of(answer.as_bytes()), u64::try_from(place).unwrap_or_default());
            format!("call_{hash:016x}")
        }
    }
}
