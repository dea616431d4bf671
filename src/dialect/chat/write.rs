//! A request, for a provider that follows OpenAI's chat completions.
//!
//! In: a [`Request`] and whom it is for. Out: a body, and by name what could not be said. It does not know which dialect
//! the client speaks.
//!
//! - Instructions become one message: many servers' templates take one at the beginning and no other.
//! - A tool's message takes text alone, so pictures and files of a result follow in the user's message.
//! - Ids of calls are at most 40 bytes long with OpenAI and nine letters and digits with Mistral; they mean nothing outside
//!   the request, so that longer ones are put for by their hash.
//! - What the model thought is taken back by those who want it ([`ChatFacts::reasoning_content`]); others refuse the member.
//!
//! [`ChatFacts::reasoning_content`]: crate::dialect::ChatFacts::reasoning_content

use std::borrow::Cow;

use super::body::{
    Body, Call, CalledFunction, Content, File, Function, ImageUrl, InputAudio, JsonSchema, Message, Named, Part,
    ResponseFormat, StreamOptions, ToolChoice, Url,
};
use super::effort::{self, Model};
use super::thoughts::{Extra, WrittenDetail};
use crate::conversation::{Block, Choice, Effort, Format, Losses, Media, Request, Role, Turn};
use crate::dialect::To;
use crate::hash;

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
    let wanted = effort::wanted(request.reasoning?)?;
    let near = Model::new(to.model).effort(wanted).filter(|_| to.chat.reasoning_effort);
    // A model that does not reason needs not be told so.
    if near.is_none_or(|(_, exact)| !exact) && !(near.is_none() && wanted == Effort::Off) {
        losses.hint("reasoning_effort");
    }
    let (effort, _) = near?;
    body.reasoning_effort = Some(effort::word(effort));
    Some(effort)
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
        Format::Schema { schema, .. } if !to.chat.json_schema => {
            losses.meaning("response_format");
            let told = format!("Answer with one JSON object that conforms to this JSON Schema: {schema}");
            ("json_object", None, Some(told))
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

fn write_messages<'a>(
    request: &'a Request,
    to: &To<'_>,
    told: Option<String>,
    body: &mut Body<'a>,
    losses: &mut Losses,
) {
    let mut instructions = texts(&request.instructions);
    if request
        .instructions
        .iter()
        .any(|block| !matches!(block, Block::Text { .. }))
    {
        losses.meaning("system");
    }
    instructions.extend(told.map(Cow::Owned));
    if let Some(text) = joined(instructions) {
        body.messages.push(Message {
            role: if to.chat.developer_role { "developer" } else { "system" },
            content: Some(Content::Text(text)),
            ..Message::default()
        });
    }
    for turn in &request.turns {
        match turn.role {
            Role::User => write_user(turn, to, body, losses),
            Role::Assistant => write_assistant(turn, to, body, losses),
        }
    }
}

fn texts(blocks: &[Block]) -> Vec<Cow<'_, str>> {
    let text = |block| match block {
        &Block::Text { ref text, .. } => Some(Cow::Borrowed(text.as_str())),
        _ => None,
    };
    blocks.iter().filter_map(text).collect()
}

/// Texts that become one, a blank line between them.
fn joined(mut texts: Vec<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    match texts.len() {
        0 | 1 => texts.pop(),
        _ => Some(Cow::Owned(texts.join("\n\n"))),
    }
}

fn write_user<'a>(turn: &'a Turn, to: &To<'_>, body: &mut Body<'a>, losses: &mut Losses) {
    let mut parts = Vec::new();
    for block in &turn.content {
        let Block::Result {
            id, content, failed, ..
        } = block
        else {
            parts.extend(write_part(block, losses));
            continue;
        };
        let before = parts.len();
        let others = content.iter().filter(|block| !matches!(block, Block::Text { .. }));
        parts.extend(others.filter_map(|block| write_part(block, losses)));
        let unsaid = match (parts.len() > before, failed) {
            (true, _) => "The result is in the next message.",
            (false, true) => "Error",
            (false, false) => "",
        };
        if *failed {
            losses.hint("is_error");
        }
        body.messages.push(Message {
            role: "tool",
            tool_call_id: Some(call_id(id, to)),
            content: Some(Content::Text(joined(texts(content)).unwrap_or(Cow::Borrowed(unsaid)))),
            ..Message::default()
        });
    }
    let content = match parts.pop() {
        None => return,
        Some(Part::Text { text }) if parts.is_empty() => Content::Text(text),
        Some(last) => {
            parts.push(last);
            Content::Parts(parts)
        }
    };
    body.messages.push(Message {
        role: "user",
        content: Some(content),
        ..Message::default()
    });
}

fn write_part<'a>(block: &'a Block, losses: &mut Losses) -> Option<Part<'a>> {
    let data = |media: &'a Media| match media {
        Media::Inline { media_type, data } => Some(Url::Data { media_type, data }),
        Media::Url(url) => Some(Url::Given(url)),
        Media::File(_) => None,
    };
    match block {
        Block::Text { text, .. } => Some(Part::Text { text: text.into() }),
        Block::Image { media, detail, .. } => {
            let Some(url) = data(media) else {
                losses.meaning("file_id");
                return None;
            };
            let detail = detail.as_deref();
            Some(Part::ImageUrl {
                image_url: ImageUrl { url, detail },
            })
        }
        Block::Document { media, name, .. } => match media {
            Media::Inline { media_type, data } if media_type.starts_with("text/") => {
                let bytes = data_encoding::BASE64.decode(data.as_bytes()).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                if text.is_none() {
                    losses.meaning("document");
                }
                text.map(|text| Part::Text { text: text.into() })
            }
            Media::Inline { media_type, data } => Some(Part::File {
                file: File {
                    filename: name.as_deref().unwrap_or("document.pdf"),
                    file_data: Url::Data { media_type, data },
                },
            }),
            // Only bytes and OpenAI's own files are taken.
            Media::Url(_) => {
                losses.meaning("document");
                None
            }
            Media::File(_) => {
                losses.meaning("file_id");
                None
            }
        },
        Block::Audio { format, data } => Some(Part::InputAudio {
            input_audio: InputAudio { data, format },
        }),
        // Of a model's turn or of its own kind; the normal form has none here.
        Block::Call { .. } | Block::Result { .. } | Block::Thought { .. } | Block::SealedThought { .. } => None,
    }
}

fn write_assistant<'a>(turn: &'a Turn, to: &To<'_>, body: &mut Body<'a>, losses: &mut Losses) {
    let mut message = Message {
        role: "assistant",
        ..Message::default()
    };
    let mut thought = String::new();
    let mut is_sealed = false;
    for block in &turn.content {
        let index = message.reasoning_details.len();
        match block {
            Block::Thought { text, signature } => {
                thought.push_str(text);
                is_sealed |= signature.is_some();
                let detail = WrittenDetail::shown(Some(text), signature.as_deref(), index);
                message.reasoning_details.push(detail);
            }
            Block::SealedThought { data } => {
                is_sealed = true;
                message.reasoning_details.push(WrittenDetail::sealed(data, index));
            }
            Block::Call {
                id,
                name,
                arguments,
                signature,
                ..
            } => {
                // Nobody but Google knows the member, and some refuse what they do not know.
                let is_wanted = Model::new(to.model).is_gemini();
                if signature.is_some() && !is_wanted {
                    losses.hint("extra_content");
                }
                message.tool_calls.push(Call {
                    id: call_id(id, to),
                    kind: "function",
                    function: CalledFunction { name, arguments },
                    extra_content: signature.as_deref().filter(|_| is_wanted).map(Extra::new),
                });
            }
            Block::Text { .. } => {}
            Block::Image { .. } | Block::Document { .. } | Block::Audio { .. } | Block::Result { .. } => {
                losses.meaning("messages");
            }
        }
    }
    if !message.reasoning_details.is_empty() && !to.chat.reasoning_content {
        losses.hint("reasoning_content");
        message.reasoning_details.clear();
    } else {
        message.reasoning_content = (!thought.is_empty()).then_some(thought);
        if !is_sealed {
            message.reasoning_details.clear();
        }
    }
    // Without calls there must be some text.
    let text = joined(texts(&turn.content)).or(message.tool_calls.is_empty().then_some(Cow::Borrowed("")));
    message.content = text.map(Content::Text);
    body.messages.push(message);
}

/// The id of a call as this provider takes it, the same for the call and its result.
fn call_id<'a>(id: &'a str, to: &To<'_>) -> Cow<'a, str> {
    if Model::new(to.model).is_mistral() {
        if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return id.into();
        }
        let mut rest = hash::of(id.as_bytes());
        let digit = |_| {
            let digit = u32::try_from(rest % 36)
                .ok()
                .and_then(|digit| char::from_digit(digit, 36));
            rest /= 36;
            digit.unwrap_or('0')
        };
        return (0..9).map(digit).collect::<String>().into();
    }
    match id.len() {
        0..=40 => id.into(),
        _ => format!("call_{:016x}", hash::of(id.as_bytes())).into(),
    }
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
