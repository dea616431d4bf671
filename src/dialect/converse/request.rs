//! A request, as Converse wants it.
//!
//! In: a [`Request`] in normal form. Out: a body, and by name what it cannot say to this model.
//!
//! - `maxTokens` may be left out: the model's own limit holds then.
//! - A conversation with calls in it is refused without tools. Where the client sends none, those it called before are
//!   declared, without a description.
//! - A schema is enforced within the same limits as with Anthropic itself (Bedrock's user guide, "Structured outputs");
//!   others are told to the model in words.
//! - No tool at all cannot be demanded. Where no call was made before, tools are left out instead, which says the same.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::body::{
    Additional, Body, ClaudeChoice, Content, Inference, NovaInference, OutputConfig, Schema, Structure, TextFormat,
    Tool as Declared, ToolChoice, ToolConfig,
};
use super::content::{Writer, allowed};
use super::model::Model;
use super::thinking::{Thinking, thinking};
use crate::conversation::{Block, Choice, Format, Losses, Request};
use crate::dialect::messages::schema::enforceable;
use crate::dialect::{To, form};

/// A request's body. What it cannot say goes to `losses`.
pub fn write_request(request: &Request, to: &To<'_>, losses: &mut Losses) -> Vec<u8> {
    let model = Model::of(to.model);
    let longest = request.max_output_tokens.or(to.longest);
    let thinking = thinking(request, model, longest, losses);
    let mut additional = Additional {
        thinking: thinking.claude.config,
        nova_reasoning: None,
        reasoning_effort: thinking.reasoning_effort,
        ..Additional::default()
    };
    let inference_config = inference(request, model, longest, &thinking, &mut additional, losses);
    let (output_config, words) = output(request, model, &thinking, losses);
    let tool_config = tools(request, model, &mut additional, losses);
    additional.nova_reasoning = thinking.nova;
    for (name, is_given) in [("seed", request.seed.is_some()), ("user", request.user.is_some())] {
        if is_given {
            losses.hint(name);
        }
    }
    let is_penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    if is_penalty(request.presence_penalty) {
        losses.meaning("presence_penalty");
    }
    if is_penalty(request.frequency_penalty) {
        losses.meaning("frequency_penalty");
    }
    // Only Claude says at which text it stopped, and only when asked.
    let tells_stop = model.is_claude() && !inference_config.stop_sequences.is_empty();
    let mut writer = Writer {
        model,
        losses,
        documents: 0,
    };
    let mut system = writer.system(&request.instructions);
    system.extend(words.map(|words| Content::Text(Cow::Owned(words))));
    let body = Body {
        system,
        messages: writer.messages(&request.turns),
        inference_config,
        tool_config,
        output_config,
        additional_model_request_fields: (additional != Additional::default()).then_some(additional),
        additional_model_response_field_paths: tells_stop.then_some(["/stop_sequence"]),
    };
    // Its keys are strings and its numbers finite: this does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn inference<'a>(
    request: &'a Request,
    model: Model,
    longest: Option<u64>,
    thinking: &Thinking,
    additional: &mut Additional,
    losses: &mut Losses,
) -> Inference<'a> {
    let mut temperature = request.temperature;
    let mut top_p = request.top_p;
    let mut top_k = request.top_k;
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        losses.hint("temperature");
        temperature = Some(1.0);
    }
    if model.refuses_sampling() || thinking.claude.on {
        // While it thinks, Claude takes a temperature of 1 alone, and a top-p of 0.95 or more.
        let is_kept = |value: f64, least: f64| !model.refuses_sampling() && value >= least;
        for (name, value, least) in [("temperature", &mut temperature, 1.0), ("top_p", &mut top_p, 0.95)] {
            if value.take_if(|value| !is_kept(*value, least)).is_some() {
                losses.hint(name);
            }
        }
        if top_k.take().is_some() {
            losses.hint("top_k");
        }
    }
    if model.refuses_both() && temperature.is_some() && top_p.take().is_some() {
        losses.hint("top_p");
    }
    match (model, top_k) {
        (_, None) => {}
        (Model::Claude(_), top_k) => additional.top_k = top_k,
        (Model::Nova(_), Some(top_k)) => additional.nova = Some(NovaInference { top_k }),
        _ => losses.meaning("top_k"),
    }
    // Texts of white space alone are refused by Claude, empty ones by all.
    let is_allowed = |stop: &&str| !(stop.is_empty() || model.is_claude() && stop.trim().is_empty());
    let stop_sequences: Vec<&str> = request.stop.iter().map(String::as_str).filter(is_allowed).collect();
    if stop_sequences.len() < request.stop.len() {
        losses.meaning("stop");
    }
    Inference {
        max_tokens: match thinking.nova.as_ref().map(|nova| nova.max_reasoning_effort) {
            // It goes with no limit, and the client gave none.
            Some("high") => None,
            _ => longest,
        },
        temperature,
        top_p,
        stop_sequences,
    }
}

/// The form of the answer and how hard it is worked on; the form in words where it is not enforced.
fn output<'a>(
    request: &'a Request,
    model: Model,
    thinking: &Thinking,
    losses: &mut Losses,
) -> (Option<OutputConfig<'a>>, Option<String>) {
    let mut words = None;
    let mut output = OutputConfig {
        text_format: None,
        effort: thinking.claude.effort,
    };
    match &request.format {
        Format::Text => {}
        Format::Schema {
            name,
            description,
            schema,
            ..
        } if model.takes_schema() && enforceable(schema) => {
            output.text_format = Some(TextFormat {
                r#type: "json_schema",
                structure: Structure::JsonSchema {
                    schema: schema.get(),
                    name: name.as_deref().filter(|name| !name.is_empty()),
                    description: description.as_deref().filter(|text| !text.is_empty()),
                },
            });
        }
        Format::Schema { .. } | Format::Object => {
            losses.hint("response_format");
            words = form::words(&request.format);
        }
    }
    let is_said = output.text_format.is_some() || output.effort.is_some();
    (is_said.then_some(output), words)
}

fn tools<'a>(
    request: &'a Request,
    model: Model,
    additional: &mut Additional,
    losses: &mut Losses,
) -> Option<ToolConfig<'a>> {
    let called = called(request);
    if request.tools.is_empty() {
        if called.is_empty() {
            return None;
        }
        losses.hint("tools");
        let declare = |name: &'a str| Declared::ToolSpec {
            name: allowed(name),
            description: None,
            input_schema: schema(None),
            strict: None,
        };
        return Some(ToolConfig {
            tools: called.into_iter().map(declare).collect(),
            tool_choice: None,
        });
    }
    if request.choice == Some(Choice::Never) {
        if called.is_empty() {
            return None;
        }
        losses.meaning("tool_choice");
    }
    let tools = declared(request, model, losses);
    let tool_choice = match &request.choice {
        None | Some(Choice::Auto | Choice::Never) => None,
        Some(_) if model.is_never_forced() => {
            losses.meaning("tool_choice");
            None
        }
        Some(Choice::Any) => Some(ToolChoice::Any {}),
        Some(Choice::Tool(name)) => Some(ToolChoice::Tool { name: allowed(name) }),
    };
    if request.parallel_calls == Some(false) && request.choice != Some(Choice::Never) {
        if model.is_claude() && tool_choice.is_none() {
            additional.tool_choice = Some(ClaudeChoice {
                r#type: "auto",
                disable_parallel_tool_use: true,
            });
        } else {
            losses.meaning("parallel_tool_calls");
        }
    }
    Some(ToolConfig { tools, tool_choice })
}

fn declared<'a>(request: &'a Request, model: Model, losses: &mut Losses) -> Vec<Declared<'a>> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        let name = allowed(&tool.name);
        if matches!(name, Cow::Owned(_)) {
            // The model will call it by a name that the client does not know.
            losses.meaning_at(format!("tools[{index}].name"), "tools");
        }
        let is_strict = tool.strict == Some(true);
        let is_kept = model.takes_schema() && tool.parameters.as_deref().is_some_and(enforceable);
        if is_strict && !is_kept {
            losses.hint("strict");
        }
        tools.push(Declared::ToolSpec {
            name,
            description: tool.description.as_deref().filter(|text| !text.is_empty()),
            input_schema: schema(tool.parameters.as_deref()),
            strict: (is_strict && is_kept).then_some(true),
        });
        if tool.cache.is_some() {
            match model.caches_tools() {
                true => {
                    let mut writer = Writer {
                        model,
                        losses,
                        documents: 0,
                    };
                    tools.extend(writer.point(tool.cache).map(Declared::CachePoint));
                }
                false => losses.hint("cache_control"),
            }
        }
    }
    tools
}

/// The tools that were called, each once.
fn called(request: &Request) -> Vec<&str> {
    let mut names = Vec::new();
    for block in request.turns.iter().flat_map(|turn| &turn.content) {
        if let Block::Call { name, .. } = block
            && !names.contains(&name.as_str())
        {
            names.push(name.as_str());
        }
    }
    names
}

/// A schema as the client wrote it, or that of no arguments.
fn schema(parameters: Option<&RawValue>) -> Schema<'_> {
    Schema {
        json: parameters.map_or_else(
            || {
                let nothing = RawValue::from_string(r#"{"type":"object","properties":{}}"#.to_owned());
                nothing.map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
            },
            Cow::Borrowed,
        ),
    }
}
