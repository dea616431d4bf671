//! OpenAI's API: one module for each endpoint, and what they share.

pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod files;
pub mod models;
pub mod other;
pub mod responses;

use std::sync::Arc;

use serde_json::Value;

use crate::call::Call;
use crate::errors::Problem;
use crate::json::{Object, object};
use crate::ledger::Charged;
use crate::prices::Tokens;
use crate::text::{Answer, Kind, Texts};

/// Tokens of an answer nobody asked a length of.
pub const USUAL_ANSWER: u64 = 32;
/// What an image in a prompt costs in tokens, whatever it shows.
const IMAGE: u64 = 765;
const FINGERPRINT: &str = "fp_5111a2b3c4";

/// What the answer is.
#[derive(Debug)]
pub struct Answering {
    /// The text, or the arguments of the tool call.
    pub answer: Arc<Answer>,
    /// The tool that is called instead of answering.
    pub tool: Option<String>,
    /// Whether it ends because it may not be longer.
    pub truncated: bool,
    /// What it costs.
    pub tokens: Tokens,
}

impl Answering {
    /// Decides what to answer to a prompt of `prompt` tokens, in at most `most` tokens, reasoning included.
    pub fn decide(call: &Call, prompt: u64, most: Option<u64>, tool: Option<String>) -> Self {
        let (steering, texts) = (&call.steering, &call.app.texts);
        let prompt = steering
            .prompt
            .unwrap_or(prompt)
            .max(steering.cached + steering.audio_in);
        let most = most.unwrap_or(u64::MAX);
        let reasoning = steering.reasoning.min(most);
        let wanted = steering.tokens.unwrap_or(USUAL_ANSWER);
        let (answer, truncated) = match &tool {
            Some(_) => (texts.answer(Kind::Arguments, 0), false),
            None => {
                let kind = if steering.unicode { Kind::Unicode } else { Kind::Plain };
                let length = wanted.min(most - reasoning);
                (texts.answer(kind, length), length < wanted)
            }
        };
        let name = tool.as_deref().map_or(0, |name| texts.count(name));
        let tokens = Tokens {
            input: prompt - steering.cached - steering.audio_in,
            cached_input: steering.cached,
            input_audio: steering.audio_in,
            output: answer.tokens + name,
            reasoning,
            output_audio: steering.audio_out,
            ..Tokens::default()
        };
        Self {
            answer,
            tool,
            truncated,
            tokens,
        }
    }
}

/// The `service_tier` of a reply: as steered, or as asked for where that is a promise and not a preference.
fn service_tier(charged: &mut Charged, asked: Option<&str>) -> String {
    let asked = asked.filter(|tier| matches!(*tier, "flex" | "priority"));
    let tier = charged
        .service_tier
        .take()
        .or(asked.map(str::to_owned))
        .unwrap_or_else(|| "default".to_owned());
    charged.service_tier = Some(tier.clone());
    tier
}

/// The model a reply names.
fn reply_model<'a>(call: &'a Call, asked: &'a str) -> &'a str {
    call.steering.reply_model.as_deref().unwrap_or(asked)
}

/// The usage object of chat and text completions.
fn usage(tokens: &Tokens) -> Object {
    object! {
        "prompt_tokens": tokens.prompt(),
        "completion_tokens": tokens.completion(),
        "total_tokens": tokens.prompt() + tokens.completion(),
        "prompt_tokens_details": object! {"cached_tokens": tokens.cached_input, "audio_tokens": tokens.input_audio},
        "completion_tokens_details": object! {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": tokens.output_audio,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
}

/// The tokens of a message's content: a string, or parts of text, images and audio.
fn content_tokens(texts: &Texts, content: &Value) -> u64 {
    match content {
        Value::String(text) => texts.count(text),
        Value::Array(parts) => parts.iter().map(|part| part_tokens(texts, part)).sum(),
        _ => 0,
    }
}

fn part_tokens(texts: &Texts, part: &Value) -> u64 {
    match part.get("type").and_then(Value::as_str) {
        Some("image_url" | "input_image" | "image") => IMAGE,
        Some("input_audio") => 0,
        _ => match part.get("text") {
            Some(Value::String(text)) => texts.count(text),
            _ => part.get("content").map_or(0, |content| content_tokens(texts, content)),
        },
    }
}

/// The tool to call: the one the steering names, or the first one if the request insists on a call.
fn tool(call: &Call, tools: &[Value], choice: &Value) -> Option<String> {
    if call.steering.tool.is_some() {
        return call.steering.tool.clone();
    }
    let first = || tools.first().and_then(tool_name);
    match choice.as_str().or_else(|| choice.get("type").and_then(Value::as_str)) {
        Some("required") => first(),
        Some("function") => tool_name(choice).or_else(first),
        _ => None,
    }
}

/// Chat completions wrap a function's name once more than responses do.
fn tool_name(tool: &Value) -> Option<String> {
    tool.get("function")
        .unwrap_or(tool)
        .get("name")?
        .as_str()
        .map(str::to_owned)
}

/// Refuses what must be a list of something and is not, or is empty.
fn refuse_empty<T>(param: &'static str, list: &[T]) -> Result<(), Problem> {
    if list.is_empty() {
        let message = format!("Invalid '{param}': empty array. Expected an array with minimum length 1.");
        return Err(Problem::invalid_member(param, message));
    }
    Ok(())
}
