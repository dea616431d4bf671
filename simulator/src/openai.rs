//! OpenAI's API: one module for each endpoint, and what they share; what a request means is in `reading`, what a chat may
//! not say in `strict`.

pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod files;
pub mod models;
pub mod other;
mod reading;
pub mod responses;
mod strict;

use serde_json::Value;

use crate::call::Call;
use crate::errors::Problem;
use crate::json::{Object, object};
use crate::ledger::Charged;
use crate::prices::Tokens;
use crate::text::Texts;

/// What an image in a prompt costs in tokens, whatever it shows.
const IMAGE: u64 = 765;
const FINGERPRINT: &str = "fp_5111a2b3c4";

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

/// Refuses what must be a list of something and is not, or is empty.
fn refuse_empty<T>(param: &'static str, list: &[T]) -> Result<(), Problem> {
    if list.is_empty() {
        let message = format!("Invalid '{param}': empty array. Expected an array with minimum length 1.");
        return Err(Problem::invalid_member(param, message));
    }
    Ok(())
}
