//! The parts of a message as a provider is sent them.
//!
//! In: blocks of a user's turn, or of a tool's result. Out: parts of `content`. Files in the request are written as data
//! URLs, with a name, without which they are refused. It does not know whose message it is.

use std::borrow::Cow;

use serde::Serialize;

use crate::conversation::{Block, Losses, Media};

/// An element of `content`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    InputText {
        text: &'a str,
    },
    InputImage {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
    },
}

/// A block as a part. `None`: a loss.
pub(super) fn part<'a>(block: &'a Block, losses: &mut Losses) -> Option<Part<'a>> {
    let cache = match block {
        Block::Text { cache, .. } | Block::Image { cache, .. } | Block::Document { cache, .. } => cache,
        _ => &None,
    };
    if cache.is_some() {
        losses.hint("cache_control");
    }
    Some(match block {
        Block::Text { text, .. } => Part::InputText { text },
        Block::Image { media, detail, .. } => {
            let (image_url, file_id) = match media {
                Media::Inline { media_type, data } => (Some(Cow::Owned(inline(media_type, data))), None),
                Media::Url(url) => (Some(Cow::Borrowed(&**url)), None),
                Media::File(id) => (None, Some(known(id, losses)?)),
            };
            Part::InputImage {
                image_url,
                file_id,
                detail: detail.as_deref().unwrap_or("auto"),
            }
        }
        Block::Document { media, name, .. } => file(media, name.as_deref(), losses)?,
        Block::Audio { .. } => {
            losses.meaning("input_audio");
            return None;
        }
        // Not a user's, nor within a result.
        Block::Call { .. } | Block::Result { .. } | Block::Thought { .. } | Block::SealedThought { .. } => {
            losses.meaning("content");
            return None;
        }
    })
}

fn file<'a>(media: &'a Media, name: Option<&'a str>, losses: &mut Losses) -> Option<Part<'a>> {
    let (mut filename, mut file_data, mut file_url, mut file_id) = (None, None, None, None);
    match media {
        Media::Inline { media_type, data } => {
            filename = Some(titled(name.unwrap_or("document"), media_type));
            file_data = Some(inline(media_type, data));
        }
        Media::Url(url) => file_url = Some(&**url),
        Media::File(id) => file_id = Some(known(id, losses)?),
    }
    Some(Part::InputFile {
        filename,
        file_data,
        file_url,
        file_id,
    })
}

/// What kind of file it is, the provider also tells from its name.
fn titled<'a>(name: &'a str, media_type: &str) -> Cow<'a, str> {
    let end = match media_type {
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/markdown" => "md",
        "text/csv" => "csv",
        "text/html" => "html",
        "application/json" => "json",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return Cow::Borrowed(name),
    };
    match name.contains('.') {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("{name}.{end}")),
    }
}

fn inline(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// Ids of files are a provider's own; OpenAI's begin so.
fn known<'a>(id: &'a str, losses: &mut Losses) -> Option<&'a str> {
    let is_openais = id.starts_with("file-");
    if !is_openais {
        losses.meaning("file_id");
    }
    is_openais.then_some(id)
}
