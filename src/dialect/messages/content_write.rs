//! The content of a request's messages, written.
//!
//! In: [`Block`]s. Out: [`Piece`]s, which say the same in JSON; what has no words here goes to the losses. It knows no
//! model.
//!
//! Sources: `content_block_param.py` of Anthropic's Python SDK; that ids are of `[a-zA-Z0-9_-]`, and that texts must not be
//! empty, the API says in its errors.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::base64;
use crate::conversation::request::Cache;
use crate::conversation::{Block, Losses, Media};
use crate::dialect::claude::may_be_anthropics;
use crate::hash;

/// A content block.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Piece<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

/// Where a picture or a document is.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Text { media_type: &'static str, data: String },
    Url { url: &'a str },
}

/// A mark of the prompt cache.
#[derive(Serialize)]
pub(super) struct Mark {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

/// The mark for a lifetime.
pub(super) fn mark(cache: Option<Cache>) -> Option<Mark> {
    cache.map(|cache| Mark {
        r#type: "ephemeral",
        ttl: (cache == Cache::Hour).then_some("1h"),
    })
}

/// Blocks in this dialect's words. Blank texts are left out: they are refused.
pub(super) fn pieces<'a>(blocks: impl IntoIterator<Item = &'a Block>, losses: &mut Losses) -> Vec<Piece<'a>> {
    blocks.into_iter().filter_map(|block| piece(block, losses)).collect()
}

fn piece<'a>(block: &'a Block, losses: &mut Losses) -> Option<Piece<'a>> {
    Some(match block {
        Block::Text { text, cache } => Piece::Text {
            text: Some(&**text).filter(|text| !text.trim().is_empty())?,
            cache_control: mark(*cache),
        },
        Block::Image { media, detail, cache } => {
            if detail.as_deref().is_some_and(|detail| detail != "auto") {
                losses.hint("detail");
            }
            Piece::Image {
                source: image(media, losses)?,
                cache_control: mark(*cache),
            }
        }
        Block::Document { media, name, cache } => Piece::Document {
            source: document(media, losses)?,
            title: name.as_deref().filter(|name| !name.trim().is_empty()),
            cache_control: mark(*cache),
        },
        Block::Audio { .. } => {
            losses.meaning("input_audio");
            return None;
        }
        Block::Call {
            id,
            name,
            arguments,
            cache,
            ..
        } => Piece::ToolUse {
            id: allowed(id),
            name,
            input: object(arguments),
            cache_control: mark(*cache),
        },
        Block::Result {
            id,
            content,
            failed,
            cache,
        } => Piece::ToolResult {
            tool_use_id: allowed(id),
            content: pieces(content, losses),
            is_error: *failed,
            cache_control: mark(*cache),
        },
        Block::Thought { text, signature } => match signature.as_deref() {
            Some(signature) if may_be_anthropics(signature) => Piece::Thinking {
                thinking: text,
                signature,
            },
            _ => {
                losses.hint("reasoning_content");
                return None;
            }
        },
        Block::SealedThought { data } if may_be_anthropics(data) => Piece::RedactedThinking { data },
        Block::SealedThought { .. } => {
            losses.hint("reasoning_content");
            return None;
        }
    })
}

fn image<'a>(media: &'a Media, losses: &mut Losses) -> Option<Source<'a>> {
    match media {
        Media::Inline { media_type, data } => Some(Source::Base64 { media_type, data }),
        Media::Url(url) => Some(Source::Url { url }),
        Media::File(_) => {
            losses.meaning("file_id");
            None
        }
    }
}

/// Documents are PDFs or plain text.
fn document<'a>(media: &'a Media, losses: &mut Losses) -> Option<Source<'a>> {
    match media {
        Media::Inline { media_type, data } if media_type != "application/pdf" => {
            let readable = media_type.starts_with("text/") || media_type == "application/json";
            let text = readable.then(|| base64::text(data)).flatten();
            if text.is_none() {
                losses.meaning("file");
            }
            Some(Source::Text {
                media_type: "text/plain",
                data: text?,
            })
        }
        media => image(media, losses),
    }
}

/// The text of a JSON object as it stands there. What is none is written as an empty one: a provider takes nothing else.
pub(super) fn object(text: &str) -> Option<&RawValue> {
    let raw = serde_json::from_str::<&RawValue>(text).ok();
    raw.filter(|raw| raw.get().starts_with('{'))
        .or_else(|| serde_json::from_str("{}").ok())
}

/// An id of allowed characters, which is the same wherever the same id stands.
fn allowed(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let kept: String = id.chars().map(|c| if fits(c) { c } else { '_' }).take(40).collect();
    Cow::Owned(format!("{kept}_{:016x}", hash::of(id.as_bytes())))
}
