//! A request's messages, for a provider that follows OpenAI's chat completions.
//!
//! In: instructions and turns. Out: messages, and by name what could not be said.
//!
//! - Instructions become one message: many servers' templates take one at the beginning and no other.
//! - What consists of texts alone is written as one: not every server takes parts.
//! - A tool's message takes text alone, so pictures and files of a result follow in the user's message.
//! - Ids of calls are at most 40 bytes long with OpenAI and nine letters and digits with Mistral; they mean nothing outside
//!   the request, so that longer ones are put for by their hash.
//! - What the model thought is taken back by those who want it ([`ChatFacts::reasoning_content`]); others refuse the member.
//!
//! [`ChatFacts::reasoning_content`]: crate::dialect::ChatFacts::reasoning_content

use std::borrow::Cow;

use super::body::{Body, Call, CalledFunction, Content, File, ImageUrl, InputAudio, Message, Part, Url};
use super::effort::Model;
use super::thoughts::{Extra, WrittenDetail};
use crate::conversation::{Block, Losses, Media, Request, Role, Turn};
use crate::dialect::To;
use crate::hash;

/// Writes the messages; `told`: what else the model is to be told before.
pub(super) fn write_messages<'a>(
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
    let mut texts = Vec::new();
    for block in blocks {
        if let Block::Text { text, .. } = block {
            texts.push(Cow::Borrowed(text.as_str()));
        }
    }
    texts
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
    let content = match parts.iter().all(|part| matches!(part, Part::Text { .. })) {
        true => {
            let texts = parts.into_iter().filter_map(|part| match part {
                Part::Text { text } => Some(text),
                _ => None,
            });
            let Some(text) = joined(texts.collect()) else { return };
            Content::Text(text)
        }
        false => Content::Parts(parts),
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
