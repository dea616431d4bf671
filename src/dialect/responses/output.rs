//! An answer as it is written.
//!
//! In: what was generated, in [`crate::conversation`]'s words. Out: the `response` object with its items and parts, the same
//! in a whole answer and in the events of a stream. It does not know which of these it is written for.
//!
//! All members that the SDKs' types require are there; what only the request could tell (its tools, its temperature) is
//! what it is unasked, or `null`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::conversation::refusal::{Cause, Refusal};
use crate::conversation::{Output, Stop};
use crate::usage::Usage;

/// What stands between two paragraphs of a thought.
pub(super) const BETWEEN_SUMMARIES: &str = "\n\n";

/// What stands before the seal of a thought that is not shown, to tell it from a thought that is sealed whole. No Base64
/// has a colon.
pub(super) const UNSHOWN: &str = "signature:";

/// An element of `output`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message {
        id: String,
        status: &'static str,
        role: &'static str,
        content: Vec<Part>,
    },
    Reasoning {
        id: String,
        summary: Vec<Part>,
        encrypted_content: Option<String>,
    },
    FunctionCall {
        id: String,
        status: &'static str,
        call_id: String,
        name: String,
        arguments: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        extra_content: Option<Extra>,
    },
}

/// An element of a message's `content` or of a thought's `summary`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    OutputText {
        text: String,
        annotations: [(); 0],
        logprobs: [(); 0],
    },
    Refusal {
        refusal: String,
    },
    SummaryText {
        text: String,
    },
}

/// What Google documents for its thought signatures in OpenAI's dialect.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Extra {
    google: Google,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Google {
    thought_signature: String,
}

/// The signature in a call's `extra_content`.
pub(super) fn signature(extra: &str) -> Option<String> {
    serde_json::from_str(extra)
        .ok()
        .map(|extra: Extra| extra.google.thought_signature)
}

pub(super) const IN_PROGRESS: &str = "in_progress";
pub(super) const COMPLETED: &str = "completed";
pub(super) const INCOMPLETE: &str = "incomplete";
pub(super) const FAILED: &str = "failed";

impl Part {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::OutputText {
            text: text.into(),
            annotations: [],
            logprobs: [],
        }
    }
}

impl Item {
    /// A message without content; `exchange` and `index` make its id.
    pub(super) fn message(exchange: &str, index: usize, status: &'static str) -> Self {
        Self::Message {
            id: format!("msg_{exchange}{index}"),
            status,
            role: "assistant",
            content: Vec::new(),
        }
    }

    /// A thought.
    pub(super) fn reasoning(exchange: &str, index: usize, text: Option<String>, encrypted: Option<String>) -> Self {
        Self::Reasoning {
            id: format!("rs_{exchange}{index}"),
            summary: text.into_iter().map(|text| Part::SummaryText { text }).collect(),
            encrypted_content: encrypted,
        }
    }

    /// A call.
    pub(super) fn call(exchange: &str, index: usize, id: String, name: String, signature: Option<String>) -> Self {
        Self::FunctionCall {
            id: format!("fc_{exchange}{index}"),
            status: IN_PROGRESS,
            call_id: id,
            name,
            arguments: String::new(),
            extra_content: signature.map(|thought_signature| Extra {
                google: Google { thought_signature },
            }),
        }
    }

    /// It ends, so.
    pub(super) fn end(&mut self, now: &'static str) {
        match self {
            Self::Message { status, .. } | Self::FunctionCall { status, .. } => *status = now,
            Self::Reasoning { .. } => {}
        }
    }
}

/// The seal of a thought as `encrypted_content`.
pub(super) fn encrypted(text: &str, signature: String) -> String {
    match text.is_empty() {
        true => format!("{UNSHOWN}{signature}"),
        false => signature,
    }
}

/// Pieces of an answer as items: neighbouring texts and refusals are parts of one message.
pub(super) fn items(output: &[Output], exchange: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(output.len());
    for piece in output {
        let index = items.len();
        let part = match piece {
            Output::Text(text) => Part::text(text.as_str()),
            Output::Declined(refusal) => Part::Refusal {
                refusal: refusal.clone(),
            },
            Output::Thought { text, signature } => {
                let seal = signature.clone().map(|signature| encrypted(text, signature));
                let text = Some(text.clone()).filter(|text| !text.is_empty());
                items.push(Item::reasoning(exchange, index, text, seal));
                continue;
            }
            Output::SealedThought(data) => {
                items.push(Item::reasoning(exchange, index, None, Some(data.clone())));
                continue;
            }
            Output::Call {
                id,
                name,
                arguments,
                signature,
            } => {
                let mut call = Item::call(exchange, index, id.clone(), name.clone(), signature.clone());
                if let Item::FunctionCall { arguments: said, .. } = &mut call {
                    said.clone_from(arguments);
                }
                call.end(COMPLETED);
                items.push(call);
                continue;
            }
        };
        match items.last_mut() {
            Some(Item::Message { content, .. }) => content.push(part),
            _ => {
                let mut message = Item::message(exchange, index, COMPLETED);
                if let Item::Message { content, .. } = &mut message {
                    content.push(part);
                }
                items.push(message);
            }
        }
    }
    items
}

/// The `response` object.
#[derive(Debug, Serialize)]
pub(super) struct Response<'a> {
    pub(super) id: Cow<'a, str>,
    object: &'static str,
    created_at: u64,
    pub(super) status: &'static str,
    background: bool,
    pub(super) error: Option<Wrong<'a>>,
    pub(super) incomplete_details: Option<Incomplete>,
    instructions: (),
    max_output_tokens: (),
    max_tool_calls: (),
    model: &'a str,
    pub(super) output: &'a [Item],
    parallel_tool_calls: bool,
    previous_response_id: (),
    prompt_cache_key: (),
    reasoning: Thinking,
    safety_identifier: (),
    pub(super) service_tier: Option<&'static str>,
    store: bool,
    temperature: (),
    text: Text,
    tool_choice: &'static str,
    tools: [(); 0],
    top_logprobs: u64,
    top_p: (),
    truncation: &'static str,
    pub(super) usage: Option<Tokens>,
    user: (),
    metadata: Empty,
}

#[derive(Debug, Default, Serialize)]
struct Empty {}

#[derive(Debug, Default, Serialize)]
struct Thinking {
    effort: (),
    summary: (),
}

#[derive(Debug, Serialize)]
struct Text {
    format: Kind,
}

#[derive(Debug, Serialize)]
struct Kind {
    r#type: &'static str,
}

/// Why an answer is not whole.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Incomplete {
    reason: &'static str,
}

/// An error, as an answer and as an event tell it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Wrong<'a> {
    pub(super) r#type: &'static str,
    pub(super) code: &'static str,
    pub(super) message: &'a str,
    pub(super) param: (),
}

/// The `usage` object.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Tokens {
    input_tokens: u64,
    input_tokens_details: Input,
    output_tokens: u64,
    output_tokens_details: Generated,
    total_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Input {
    cached_tokens: u64,
    cache_write_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Generated {
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tokens {
    /// Classes in OpenAI's words: all input in one number, what was cached or written to a cache as parts of it.
    pub(super) fn of(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.prompt(),
            input_tokens_details: Input {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
                audio_tokens: usage.input_audio,
            },
            output_tokens: usage.completion(),
            output_tokens_details: Generated {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.output_audio,
            },
            total_tokens: usage.prompt().saturating_add(usage.completion()),
        }
    }
}

impl<'a> Response<'a> {
    /// One that has just begun.
    pub(super) fn new(id: Cow<'a, str>, model: &'a str, created_at: u64) -> Self {
        Self {
            id,
            object: "response",
            created_at,
            status: IN_PROGRESS,
            background: false,
            error: None,
            incomplete_details: None,
            instructions: (),
            max_output_tokens: (),
            max_tool_calls: (),
            model,
            output: &[],
            parallel_tool_calls: true,
            previous_response_id: (),
            prompt_cache_key: (),
            reasoning: Thinking::default(),
            safety_identifier: (),
            service_tier: None,
            store: false,
            temperature: (),
            text: Text {
                format: Kind { r#type: "text" },
            },
            tool_choice: "auto",
            tools: [],
            top_logprobs: 0,
            top_p: (),
            truncation: "disabled",
            usage: None,
            user: (),
            metadata: Empty {},
        }
    }

    /// It ends for this reason.
    pub(super) fn end(&mut self, incomplete: Option<&'static str>) {
        self.incomplete_details = incomplete.map(|reason| Incomplete { reason });
        self.status = match incomplete {
            Some(_) => INCOMPLETE,
            None => COMPLETED,
        };
    }
}

/// Why an answer that ends so is not whole. `declined`: the model said in words that it declines.
pub(super) fn incomplete(stop: Option<&Stop>, declined: bool) -> Option<&'static str> {
    match stop {
        Some(Stop::Length | Stop::ContextFull) => Some("max_output_tokens"),
        Some(Stop::Filtered) => Some("content_filter"),
        // Without a word there is nothing else that tells it.
        Some(Stop::Declined) if !declined => Some("content_filter"),
        Some(Stop::End | Stop::Calls | Stop::Sequence(_) | Stop::Declined) | None => None,
    }
}

/// The class of service, where this dialect has a word for it.
pub(super) fn tier(tier: &str) -> Option<&'static str> {
    let known = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];
    match tier {
        "standard" => Some("default"),
        other => known.into_iter().find(|name| *name == other),
    }
}

/// An error in this dialect's words: the provider's where they are about the client's own request, else ours.
pub(super) fn wrong(refusal: &Refusal) -> Wrong<'_> {
    let (r#type, code, ours) = match refusal.cause {
        Cause::Invalid => ("invalid_request_error", "invalid_prompt", "The request is invalid."),
        Cause::ContextExceeded => (
            "invalid_request_error",
            "context_length_exceeded",
            "The request is longer than the model's context window.",
        ),
        Cause::Filtered => (
            "invalid_request_error",
            "content_filter",
            "A content filter does not let this through.",
        ),
        Cause::TooLarge => (
            "invalid_request_error",
            "request_too_large",
            "The request is too large.",
        ),
        Cause::RateLimited => (
            "rate_limit_error",
            "rate_limit_exceeded",
            "The provider has too many requests; try again later.",
        ),
        Cause::Overloaded => (
            "service_unavailable_error",
            "server_is_overloaded",
            "The provider is overloaded; try again later.",
        ),
        Cause::Timeout => ("server_error", "server_error", "The provider took too long."),
        Cause::NotFound | Cause::Authentication | Cause::Permission | Cause::Exhausted | Cause::Server => {
            ("server_error", "server_error", "The provider could not go on.")
        }
    };
    let theirs = refusal.cause.is_the_clients() && !refusal.message.is_empty();
    Wrong {
        r#type,
        code,
        message: if theirs { &refusal.message } else { ours },
        param: (),
    }
}
