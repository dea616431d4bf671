//! What a provider is asked.
//!
//! In: a [`Request`]. Out: the body of `POST /v1/responses`, and by name what it has no words for. Nothing is to be stored
//! with the provider: what a reasoning model thought comes back encrypted, and is sent again with what follows.
//!
//! - Functions are `strict` here unless it is said that they are not, and nowhere else; so it is always said.
//! - The least `max_output_tokens` is 16.
//! - Reasoning items are sent only with what this dialect's provider sealed; any other it refuses.
//!
//! `turns`: the conversation; `media`: its pictures and files; `wire`: the body.

mod media;
mod turns;
mod wire;

use std::borrow::Cow;

use super::family::Family;
use crate::conversation::{Block, Choice, Effort, Format, Losses, Reasoning, Request, Tool};
use crate::dialect::{To, effort};
use crate::hash;
use wire::{Body, Chosen, Empty, Function, Schema, Shape, Text, Thinking};

/// The least number of tokens an answer may be limited to.
const LEAST_TOKENS: u64 = 16;

/// The longest id of a call, and of an end user, in bytes.
const LONGEST_ID: usize = 64;

/// Writes a request.
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    let family = Family::of(to.model);
    let thinking = request.reasoning.and_then(|said| reasoning(said, family, losses));
    let reasons = match (&thinking, family) {
        (Some(said), _) => said.effort != Some("none"),
        (None, family) => family.reasons_unasked(),
    };
    let samples = !reasons || family.samples_reasoning();
    unsaid(request, samples, losses);
    let tools: Vec<_> = request.tools.iter().map(|tool| function(tool, losses)).collect();
    let body = Body {
        model: to.model,
        instructions: instructions(&request.instructions, losses),
        input: turns::items(request, losses),
        tool_choice: request.choice.as_ref().filter(|_| !tools.is_empty()).map(chosen),
        parallel_tool_calls: request.parallel_calls.filter(|_| !tools.is_empty()),
        tools,
        text: shape(&request.format).map(|format| Text { format }),
        reasoning: thinking,
        include: reasons.then_some(["reasoning.encrypted_content"]),
        max_output_tokens: request.max_output_tokens.map(|most| {
            if most < LEAST_TOKENS {
                losses.hint("max_output_tokens");
            }
            most.max(LEAST_TOKENS)
        }),
        temperature: request.temperature.filter(|_| samples),
        top_p: request.top_p.filter(|_| samples),
        user: request.user.as_deref().map(|user| short(user, "user")),
        store: false,
        stream: request.stream,
    };
    // Nothing in it can fail to be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// What the request says and this dialect cannot.
fn unsaid(request: &Request, samples: bool, losses: &mut Losses) {
    let differs = |said: Option<f64>, unasked: f64| said.is_some_and(|said| said != unasked);
    // A model that reasons answers as it does whatever is said of it.
    for (said, name) in [(request.temperature, "temperature"), (request.top_p, "top_p")] {
        if !samples && differs(said, 1.0) {
            losses.hint(name);
        }
    }
    for (said, name) in [
        (request.top_k.is_some(), "top_k"),
        (differs(request.presence_penalty, 0.0), "presence_penalty"),
        (differs(request.frequency_penalty, 0.0), "frequency_penalty"),
        (!request.stop.is_empty(), "stop"),
    ] {
        if said {
            losses.meaning(name);
        }
    }
    // The best of efforts, where there is one.
    if request.seed.is_some() {
        losses.hint("seed");
    }
}

fn reasoning(said: Reasoning, family: Family, losses: &mut Losses) -> Option<Thinking> {
    let wanted = said.effort.or(said.budget.map(effort_for));
    let effort = wanted.and_then(|effort| family.nearest(effort));
    if effort != wanted && !(effort.is_none() && wanted == Some(Effort::Off)) {
        losses.hint("reasoning_effort");
    }
    let summary = match (said.shown, effort, family) {
        (_, Some(Effort::Off), _) | (_, _, Family::Plain) => None,
        (Some(true), ..) => Some("auto"),
        _ => None,
    };
    let thinking = Thinking {
        effort: effort.map(effort::word),
        summary,
    };
    (thinking.effort.is_some() || thinking.summary.is_some()).then_some(thinking)
}

/// An effort that comes near a budget of tokens.
fn effort_for(budget: u64) -> Effort {
    match budget {
        0 => Effort::Off,
        1..=1024 => Effort::Minimal,
        1025..=4096 => Effort::Low,
        4097..=16_384 => Effort::Medium,
        _ => Effort::High,
    }
}

fn function<'a>(tool: &'a Tool, losses: &mut Losses) -> Function<'a> {
    if tool.cache.is_some() {
        losses.hint("cache_control");
    }
    Function {
        r#type: "function",
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: match &tool.parameters {
            Some(schema) => Schema::Said(schema),
            None => Schema::Nothing {
                r#type: "object",
                properties: Empty {},
                required: [],
                additional: false,
            },
        },
        strict: tool.strict.unwrap_or_default(),
    }
}

fn chosen(choice: &Choice) -> Chosen<'_> {
    match choice {
        Choice::Auto => Chosen::Mode("auto"),
        Choice::Never => Chosen::Mode("none"),
        Choice::Any => Chosen::Mode("required"),
        Choice::Tool(name) => Chosen::Tool {
            r#type: "function",
            name,
        },
    }
}

fn shape(format: &Format) -> Option<Shape<'_>> {
    Some(match format {
        Format::Text => return None,
        Format::Object => Shape::JsonObject,
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => Shape::JsonSchema {
            name: named(name.as_deref().unwrap_or_default()),
            description: description.as_deref(),
            schema,
            strict: *strict,
        },
    })
}

/// A schema's name, of the letters it may have.
fn named(name: &str) -> Cow<'_, str> {
    let may = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match name {
        "" => Cow::Borrowed("answer"),
        name if name.len() <= 64 && name.chars().all(may) => Cow::Borrowed(name),
        name => {
            let may = name.chars().map(|c| if may(c) { c } else { '_' });
            Cow::Owned(may.take(64).collect())
        }
    }
}

fn instructions<'a>(blocks: &'a [Block], losses: &mut Losses) -> Option<Cow<'a, str>> {
    let mut all: Option<Cow<'a, str>> = None;
    for block in blocks {
        match block {
            Block::Text { text, cache } => {
                if cache.is_some() {
                    losses.hint("cache_control");
                }
                match &mut all {
                    None => all = Some(Cow::Borrowed(text)),
                    Some(all) => {
                        let all = all.to_mut();
                        all.push_str("\n\n");
                        all.push_str(text);
                    }
                }
            }
            // Instructions are texts.
            _ => losses.meaning("instructions"),
        }
    }
    all
}

/// An id, in the length it may have; the same for a call and its result.
fn short<'a>(id: &'a str, prefix: &str) -> Cow<'a, str> {
    match id.len() {
        ..=LONGEST_ID => Cow::Borrowed(id),
        _ => Cow::Owned(format!("{prefix}_{:016x}", hash::of(id.as_bytes()))),
    }
}
