//! The parts of a message, and of a tool's result.
//!
//! In: a string, or an array of parts. Out: blocks. Files in the request come as data URLs; one that says no type is of the
//! type its name says. It does not know whose message it is.

use serde_json::value::RawValue;

use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::request::Cache;
use crate::conversation::{Block, Losses, Media};

/// Reads `content` (or a result's `output`), which stands at `at`.
pub(super) fn read(content: &RawValue, at: &str, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    let what = "must be a string or an array of parts";
    if content.get().starts_with('"') {
        let text = serde_json::from_str(content.get()).map_err(|_| Unreadable::new(at, what))?;
        return Ok(vec![Block::Text { text, cache: None }]);
    }
    let mut blocks = Vec::new();
    for (index, raw) in elements(content, at, what)?.into_iter().enumerate() {
        let mut part = Members::within(raw, format!("{at}[{index}]"))?;
        let kind: String = part.need("type", "must be a string")?;
        let cache = match part.raw("prompt_cache_breakpoint") {
            Some(mark) => Some(cached(mark, part.at("prompt_cache_breakpoint"))?),
            None => None,
        };
        match &*kind {
            "input_text" | "output_text" | "text" => {
                blocks.push(Block::Text {
                    text: part.need("text", "must be a string")?,
                    cache,
                });
                // What OpenAI's SDKs add to an answer of their own, and clients send back with it.
                part.raw("parsed");
                part.lose(&["annotations", "logprobs"], true, losses);
            }
            // What the model said, in whatever spirit.
            "refusal" => blocks.push(Block::Text {
                text: part.need("refusal", "must be a string")?,
                cache,
            }),
            "input_image" => {
                let media = image(&mut part)?;
                blocks.push(Block::Image {
                    media,
                    detail: part.text("detail")?,
                    cache,
                });
            }
            "input_file" => {
                let (media, name) = file(&mut part)?;
                part.lose(&["detail"], true, losses);
                blocks.push(Block::Document { media, name, cache });
            }
            "input_audio" => {
                let audio: &RawValue = part.need("input_audio", "must be an object")?;
                let mut audio = Members::within(audio, part.at("input_audio"))?;
                blocks.push(Block::Audio {
                    format: audio.need("format", "must be a string")?,
                    data: audio.need("data", "must be Base64")?,
                });
                audio.rest(losses);
            }
            _ => {
                losses.unknown(part.at("type"));
                continue;
            }
        }
        part.rest(losses);
    }
    Ok(blocks)
}

fn cached(mark: &RawValue, at: String) -> Result<Cache, Unreadable> {
    // Half an hour is what OpenAI does unasked, as five minutes are for others.
    let ttl = Members::within(mark, at)?.text("ttl")?;
    Ok(match ttl.as_deref() {
        None | Some("30m") => Cache::Minutes5,
        Some(_) => Cache::Hour,
    })
}

fn image(part: &mut Members<'_>) -> Result<Media, Unreadable> {
    let what = "must be a URL, or a data URL in Base64";
    match (part.text("image_url")?, part.text("file_id")?) {
        (Some(url), _) => match url.starts_with("data:") {
            true => inline(&url).ok_or_else(|| Unreadable::new(part.at("image_url"), what)),
            false => Ok(Media::Url(url)),
        },
        (None, Some(id)) => Ok(Media::File(id)),
        (None, None) => Err(Unreadable::new(part.at("image_url"), what)),
    }
}

fn file(part: &mut Members<'_>) -> Result<(Media, Option<String>), Unreadable> {
    let what = "must be a data URL in Base64";
    let name = part.text("filename")?;
    let data = part.text("file_data")?;
    let url = part.text("file_url")?;
    let id = part.text("file_id")?;
    let media = match (data, url, id) {
        (Some(data), _, _) if data.starts_with("data:") => {
            inline(&data).ok_or_else(|| Unreadable::new(part.at("file_data"), what))?
        }
        (Some(data), _, _) => Media::Inline {
            media_type: type_of(name.as_deref().unwrap_or_default()).to_owned(),
            data,
        },
        (None, Some(url), _) => Media::Url(url),
        (None, None, Some(id)) => Media::File(id),
        (None, None, None) => return Err(Unreadable::new(part.at("file_data"), what)),
    };
    Ok((media, name))
}

/// `data:image/png;base64,…`
fn inline(url: &str) -> Option<Media> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    let media_type = head.split(';').next().unwrap_or_default();
    Some(Media::Inline {
        media_type: media_type.to_ascii_lowercase(),
        data: data.to_owned(),
    })
}

fn type_of(name: &str) -> &'static str {
    let end = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match &*end {
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" => "text/html",
        "json" => "application/json",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/pdf",
    }
}
