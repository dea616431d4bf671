//! A request, for a provider that follows OpenAI's chat completions.
//!
//! In: a [`Request`] and whom it is for. Out: a body, and by name what could not be said. It does not know which dialect
//! the client speaks.

use super::body::{Body, Function, JsonSchema, Named, ResponseFormat, StreamOptions, Thinking, ToolChoice};
use super::effort::{self, Model};
use super::messages::write_messages;
use crate::conversation::{Block, Choice, Effort, Format, Losses, Request, Turn};
use crate::dialect::effort::word;
use crate::dialect::{To, form};

/// The most texts at which an answer ends.
const STOPS: usize = 4;

/// Writes a request; what cannot be said goes to `losses`.
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    let model = Model::new(to.model);
    let mut body = Body {
        model: to.model,
        stream: request.stream,
        ..Body::default()
    };
    // What is not asked for is not reported, and what is not reported cannot be billed.
    body.stream_options = (request.stream && to.chat.stream_options).then_some(StreamOptions { include_usage: true });
    match to.chat.max_completion_tokens {
        true => body.max_completion_tokens = request.max_output_tokens,
        false => body.max_tokens = request.max_output_tokens,
    }
    let effort = write_reasoning(request, to, &mut body, losses);
    write_sampling(request, model, effort, &mut body, losses);
    write_tools(request, &mut body);
    let told = write_format(request, to, &mut body, losses);
    write_messages(request, to, told, &mut body, losses);
    if is_any_cached(request) {
        losses.hint("cache_control");
    }
    // OpenAI takes no longer one; Mistral does not know the member.
    match request.user.as_deref() {
        Some(user) if user.len() <= 64 && !model.is_mistral() => body.user = Some(user),
        Some(_) => losses.hint("user"),
        None => {}
    }
    serde_json::to_vec(&body).unwrap_or_default()
}

fn write_reasoning(request: &Request, to: &To<'_>, body: &mut Body, losses: &mut Losses) -> Option<Effort> {
    let model = Model::new(to.model);
    let wanted = request.reasoning.and_then(effort::wanted);
    // The one reasons unasked, and would then refuse the tools; the other would refuse calls without what it thought.
    let must_not = model.reasons_or_calls() && !request.tools.is_empty()
        || model.is_deepseeks() && request.turns.iter().any(is_thoughtless_call);
    let near = if must_not {
        Some((Effort::Off, wanted.is_none_or(|wanted| wanted == Effort::Off)))
    } else {
        model.effort(wanted?)
    };
    let near = near.filter(|_| to.chat.reasoning_effort);
    // A model that does not reason needs not be told so.
    if near.map_or(wanted.is_some_and(|wanted| wanted != Effort::Off), |(_, exact)| !exact) {
        losses.hint("reasoning_effort");
    }
    let (effort, _) = near?;
    if model.is_deepseeks() && effort == Effort::Off {
        body.thinking = Some(Thinking { kind: "disabled" });
    } else {
        body.reasoning_effort = Some(word(effort));
    }
    Some(effort)
}

/// Whether the model called in this turn, and it is not known what it thought.
fn is_thoughtless_call(turn: &Turn) -> bool {
    let has = |wanted: fn(&Block) -> bool| turn.content.iter().any(wanted);
    has(|block| matches!(block, Block::Call { .. }))
        && !has(|block| matches!(block, Block::Thought { text, .. } if !text.is_empty()))
}

fn write_sampling<'a>(
    request: &'a Request,
    model: Model,
    effort: Option<Effort>,
    body: &mut Body<'a>,
    losses: &mut Losses,
) {
    body.seed = request.seed;
    if model.is_sampled(effort) {
        body.temperature = request.temperature;
        body.top_p = request.top_p;
        body.presence_penalty = request.presence_penalty;
        body.frequency_penalty = request.frequency_penalty;
    } else {
        // 1 and 0 are what the model does unasked.
        for (name, value, unasked) in [
            ("temperature", request.temperature, 1.0),
            ("top_p", request.top_p, 1.0),
            ("presence_penalty", request.presence_penalty, 0.0),
            ("frequency_penalty", request.frequency_penalty, 0.0),
        ] {
            if value.is_some_and(|value| value != unasked) {
                losses.hint(name);
            }
        }
    }
    if request.top_k.is_some() {
        losses.meaning("top_k");
    }
    if model.stops() {
        body.stop = request.stop.get(..STOPS).unwrap_or(&request.stop);
    }
    if body.stop.len() < request.stop.len() {
        losses.meaning("stop");
    }
}

/// Tools, and what is said of them only where there are some.
fn write_tools<'a>(request: &'a Request, body: &mut Body<'a>) {
    for tool in &request.tools {
        body.tools.push(super::body::Tool {
            kind: "function",
            function: Function {
                name: &tool.name,
                description: tool.description.as_deref(),
                parameters: tool.parameters.as_deref(),
                strict: tool.strict,
            },
        });
    }
    if body.tools.is_empty() {
        return;
    }
    body.parallel_tool_calls = request.parallel_calls;
    body.tool_choice = request.choice.as_ref().map(|choice| match choice {
        Choice::Auto => ToolChoice::Mode("auto"),
        Choice::Never => ToolChoice::Mode("none"),
        Choice::Any => ToolChoice::Mode("required"),
        Choice::Tool(name) => ToolChoice::Tool {
            kind: "function",
            function: Named { name },
        },
    });
}

/// The form of the answer; where it has to be told in words, those.
fn write_format<'a>(request: &'a Request, to: &To<'_>, body: &mut Body<'a>, losses: &mut Losses) -> Option<String> {
    let (kind, json_schema, told) = match &request.format {
        Format::Text => return None,
        Format::Object => ("json_object", None, None),
        Format::Schema { .. } if !to.chat.json_schema => {
            losses.hint("response_format");
            ("json_object", None, form::words(&request.format))
        }
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => (
            "json_schema",
            Some(JsonSchema {
                name: name.as_deref().unwrap_or("answer"),
                description: description.as_deref(),
                schema,
                strict: *strict,
            }),
            None,
        ),
    };
    body.response_format = Some(ResponseFormat { kind, json_schema });
    told
}

fn is_any_cached(request: &Request) -> bool {
    let is_cached = |block: &Block| match block {
        Block::Text { cache, .. }
        | Block::Image { cache, .. }
        | Block::Document { cache, .. }
        | Block::Call { cache, .. } => cache.is_some(),
        Block::Result { content, cache, .. } => {
            cache.is_some()
                || content
                    .iter()
                    .any(|block| matches!(block, Block::Text { cache: Some(_), .. }))
        }
        Block::Audio { .. } | Block::Thought { .. } | Block::SealedThought { .. } => false,
    };
    let mut turns = request.turns.iter().flat_map(|turn| &turn.content);
    request.instructions.iter().any(is_cached)
        || turns.any(is_cached)
        || request.tools.iter().any(|tool| tool.cache.is_some())
}
