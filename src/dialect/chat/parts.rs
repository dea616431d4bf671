//! What a message of a client's says: a text or an array of parts.
//!
//! In: a message's members. Out: [`Block`]s; an empty text is none.
//!
//! Sources: openai-python, `types/chat/chat_completion_content_part_*_param.py`; OpenRouter's and LiteLLM's
//! `cache_control`, which is Anthropic's; Mistral's parts of the type `thinking`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::thoughts;
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::request::Cache;
use crate::conversation::{Block, Losses, Media};

const STRING: &str = "must be a string";

/// Takes the mark that everything up to here is to be kept in the prompt cache.
pub(super) fn cache(members: &mut Members) -> Result<Option<Cache>, Unreadable> {
    let mut kept = None;
    for name in ["prompt_cache_breakpoint", "cache_control"] {
        let at = members.at(name);
        if let Some(mark) = members.raw(name) {
            let lifetime: Option<Cow<str>> = Members::within(mark, at)?.take("ttl", STRING)?;
            kept = Some(match lifetime.as_deref() {
                Some("1h" | "12h") => Cache::Hour,
                _ => Cache::Minutes5,
            });
        }
    }
    Ok(kept)
}

/// Puts a mark on the last piece that can bear one.
pub(super) fn keep(blocks: &mut [Block], kept: Option<Cache>) {
    let Some(kept) = kept else { return };
    for block in blocks.iter_mut().rev() {
        match block {
            Block::Text { cache, .. }
            | Block::Image { cache, .. }
            | Block::Document { cache, .. }
            | Block::Call { cache, .. }
            | Block::Result { cache, .. } => {
                *cache = Some(kept);
                return;
            }
            Block::Audio { .. } | Block::Thought { .. } | Block::SealedThought { .. } => {}
        }
    }
}

/// Takes a message's content.
pub(super) fn content(message: &mut Members, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    const WHAT: &str = "must be a string or an array of parts";
    let at = message.at("content");
    let Some(content) = message.raw("content") else {
        return Ok(Vec::new());
    };
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        return Ok(some_text(text, None).into_iter().collect());
    }
    let mut blocks = Vec::new();
    for (index, part) in elements(content, &at, WHAT)?.into_iter().enumerate() {
        let part = Members::within(part, format!("{at}[{index}]"))?;
        blocks.extend(read_part(part, losses)?);
    }
    Ok(blocks)
}

fn some_text(text: String, cache: Option<Cache>) -> Option<Block> {
    (!text.is_empty()).then_some(Block::Text { text, cache })
}

fn read_part(mut part: Members, losses: &mut Losses) -> Result<Option<Block>, Unreadable> {
    let kind: Cow<str> = part.need("type", STRING)?;
    let cache = cache(&mut part)?;
    let block = match &*kind {
        "text" => some_text(part.need("text", STRING)?, cache),
        "refusal" => some_text(part.need("refusal", STRING)?, cache),
        "image_url" => Some(image(&mut part, cache, losses)?),
        "file" => file(&mut part, cache, losses)?,
        "input_audio" => {
            let mut audio = inner(&mut part, "input_audio")?;
            let block = Block::Audio {
                format: audio.need("format", STRING)?,
                data: audio.need("data", STRING)?,
            };
            audio.rest(losses);
            Some(block)
        }
        "thinking" => {
            part.lose(&["closed"], true, losses);
            let text = part.raw("thinking").map(thoughts::text_of).unwrap_or_default();
            let signature = part.text("signature")?;
            (!text.is_empty()).then_some(Block::Thought { text, signature })
        }
        _ => {
            let label = match &*kind {
                "video_url" => "video_url",
                "input_video" => "input_video",
                _ => "other",
            };
            losses.meaning_at(part.at(&kind), label);
            return Ok(None);
        }
    };
    part.rest(losses);
    Ok(block)
}

fn inner<'a>(part: &mut Members<'a>, name: &'static str) -> Result<Members<'a>, Unreadable> {
    let value: &RawValue = part.need(name, "must be an object")?;
    Members::within(value, part.at(name))
}

fn image(part: &mut Members, cache: Option<Cache>, losses: &mut Losses) -> Result<Block, Unreadable> {
    let value: &RawValue = part.need("image_url", "must be an object with a url")?;
    // Some clients write the URL alone.
    if let Ok(url) = serde_json::from_str::<String>(value.get()) {
        let media = located(url);
        return Ok(Block::Image {
            media,
            detail: None,
            cache,
        });
    }
    let mut image = Members::within(value, part.at("image_url"))?;
    let block = Block::Image {
        media: located(image.need("url", STRING)?),
        detail: image.text("detail")?,
        cache,
    };
    image.lose(&["format"], true, losses);
    image.rest(losses);
    Ok(block)
}

fn file(part: &mut Members, cache: Option<Cache>, losses: &mut Losses) -> Result<Option<Block>, Unreadable> {
    let mut file = inner(part, "file")?;
    let name = file.text("filename")?;
    let media = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => match located(data) {
            // Not a URL of any kind: the bytes alone.
            Media::Url(data) if !data.contains(':') => Media::Inline {
                media_type: media_type(name.as_deref()).to_owned(),
                data,
            },
            media => media,
        },
        (None, Some(id)) => Media::File(id),
        (None, None) => return Err(Unreadable::new(file.at("file_data"), STRING)),
    };
    file.lose(&["format"], true, losses);
    file.rest(losses);
    Ok(Some(match media {
        Media::Inline { media_type, data } if media_type.starts_with("image/") => Block::Image {
            media: Media::Inline { media_type, data },
            detail: None,
            cache,
        },
        media => Block::Document { media, name, cache },
    }))
}

/// What a file of this name is.
fn media_type(name: Option<&str>) -> &'static str {
    match name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending) {
        Some("txt" | "text" | "md") => "text/plain",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        _ => "application/pdf",
    }
}

/// Where a URL leads: a `data:` URL (RFC 2397) in Base64 has the bytes within.
pub(super) fn located(url: String) -> Media {
    let inline = || {
        let (head, data) = url.get(5..)?.split_once(',')?;
        let head = head.strip_suffix(";base64")?;
        let media_type = head.split(';').next().unwrap_or_default().trim();
        Some(Media::Inline {
            media_type: if media_type.is_empty() {
                "text/plain"
            } else {
                media_type
            }
            .to_ascii_lowercase(),
            data: data.to_owned(),
        })
    };
    let is_data = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    match is_data.then(inline).flatten() {
        Some(media) => media,
        None => Media::Url(url),
    }
}
