//! The content of a client's messages, read.
//!
//! In: what stands under `content` or `system`. Out: [`Block`]s; what Anthropic's own tools left there has no counterpart
//! and is lost by name. It does not order or merge anything.
//!
//! Source: `content_block_param.py` of Anthropic's Python SDK and what it names.

use serde_json::value::RawValue;

use super::base64;
use crate::conversation::members::{Members, Unreadable, elements};
use crate::conversation::request::Cache;
use crate::conversation::{Block, Losses, Media, Role};

/// What content is, for an error.
pub(super) const CONTENT: &str = "must be a string or an array of content blocks";
const TEXT: &str = "must be a string";
const SOURCE: &str = "must be a source";

/// Blocks that only Anthropic's own tools write and understand, and those that have no counterpart.
const ANTHROPICS: &[&str] = &[
    "search_result",
    "tool_reference",
    "browser_state",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
    "container_upload",
    "compaction",
    "tool_addition",
    "tool_removal",
];

/// What a system prompt (or a message of that role) says: texts.
pub(super) fn instructions(raw: &RawValue, at: &str, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    let texts = content(raw, at, Role::User, losses)?;
    match texts.iter().all(|block| matches!(block, Block::Text { .. })) {
        true => Ok(texts),
        false => Err(Unreadable::new(at, "must be a string or an array of text blocks")),
    }
}

/// What a message says. An empty string is nothing.
pub(super) fn content(raw: &RawValue, at: &str, role: Role, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    nested(raw, at, role, 0, losses)
}

/// A message holds results, which hold documents, which hold texts: nothing is deeper than that, and no client may have it
/// otherwise at the cost of our stack.
const DEEPEST: usize = 2;

fn nested(raw: &RawValue, at: &str, role: Role, depth: usize, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    if depth > DEEPEST {
        return Err(Unreadable::new(at, "must not be nested as deeply"));
    }
    let mut out = Vec::new();
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|_| Unreadable::new(at, CONTENT))?;
        if !text.is_empty() {
            out.push(Block::Text { text, cache: None });
        }
        return Ok(out);
    }
    for (index, raw) in elements(raw, at, CONTENT)?.into_iter().enumerate() {
        block(raw, format!("{at}[{index}]"), role, depth, &mut out, losses)?;
    }
    Ok(out)
}

fn block(
    raw: &RawValue,
    at: String,
    role: Role,
    depth: usize,
    out: &mut Vec<Block>,
    losses: &mut Losses,
) -> Result<(), Unreadable> {
    let mut members = Members::within(raw, at.clone())?;
    let kind: String = members.need("type", "must be the type of a content block")?;
    if let Some(label) = ANTHROPICS.iter().find(|known| **known == kind) {
        losses.meaning_at(format!("{at}.{label}"), label);
        return Ok(());
    }
    let cache = match members.raw("cache_control") {
        Some(raw) => Some(cache(raw, &members.at("cache_control"))?),
        None => None,
    };
    let assistants = role == Role::Assistant;
    match &*kind {
        "text" => {
            let text: String = members.need("text", TEXT)?;
            // The model's own, or repeated by the client; no other model can use them.
            members.lose(&["citations"], true, losses);
            if !text.is_empty() {
                out.push(Block::Text { text, cache });
            }
        }
        "image" => {
            let media = image(members.raw("source"), &members.at("source"))?;
            members.lose(&["transformations"], true, losses);
            out.push(Block::Image {
                media,
                detail: None,
                cache,
            });
        }
        "document" => document(&mut members, cache, role, depth, out, losses)?,
        "tool_use" if assistants => {
            let input = members.raw("input");
            if let Some(raw) = input {
                Members::within(raw, members.at("input"))?;
            }
            out.push(Block::Call {
                id: members.need("id", TEXT)?,
                name: members.need("name", TEXT)?,
                arguments: input.map_or("{}", RawValue::get).to_owned(),
                signature: None,
                cache,
            });
            members.lose(&["caller", "toolset_name"], true, losses);
        }
        "thinking" if assistants => out.push(Block::Thought {
            text: members.text("thinking")?.unwrap_or_default(),
            signature: members.text("signature")?.filter(|signature| !signature.is_empty()),
        }),
        "redacted_thinking" if assistants => out.push(Block::SealedThought {
            data: members.need("data", TEXT)?,
        }),
        "tool_result" if !assistants => {
            let id = members.need("tool_use_id", TEXT)?;
            let mut inner = Vec::new();
            if let Some(raw) = members.raw("content") {
                let at = members.at("content");
                inner = nested(raw, &at, role, depth + 1, losses)?;
                if inner.iter().any(|block| matches!(block, Block::Result { .. })) {
                    return Err(Unreadable::new(at, "must not hold another result"));
                }
            }
            out.push(Block::Result {
                id,
                content: inner,
                failed: members.take("is_error", "must be true or false")?.unwrap_or_default(),
                cache,
            });
            members.lose(&["toolset_name"], true, losses);
        }
        "tool_use" | "thinking" | "redacted_thinking" | "tool_result" => {
            let what = "must be of the other role's types";
            return Err(Unreadable::new(members.at("type"), what));
        }
        _ => {
            losses.unknown(at);
            return Ok(());
        }
    }
    members.rest(losses);
    Ok(())
}

fn image(source: Option<&RawValue>, at: &str) -> Result<Media, Unreadable> {
    let source = source.ok_or_else(|| Unreadable::new(at, SOURCE))?;
    let mut members = Members::within(source, at)?;
    let kind: String = members.need("type", SOURCE)?;
    known_media(&kind, &mut members)?.ok_or_else(|| Unreadable::new(members.at("type"), "must be base64, url or file"))
}

/// The sources that pictures and documents share.
fn known_media(kind: &str, members: &mut Members<'_>) -> Result<Option<Media>, Unreadable> {
    Ok(Some(match kind {
        "base64" => Media::Inline {
            media_type: members.need("media_type", TEXT)?,
            data: members.need("data", TEXT)?,
        },
        "url" => Media::Url(members.need("url", TEXT)?),
        "file" => Media::File(members.need("file_id", TEXT)?),
        _ => return Ok(None),
    }))
}

fn document(
    members: &mut Members<'_>,
    cache: Option<Cache>,
    role: Role,
    depth: usize,
    out: &mut Vec<Block>,
    losses: &mut Losses,
) -> Result<(), Unreadable> {
    let name = members.text("title")?.filter(|title| !title.is_empty());
    members.lose(&["context"], false, losses);
    if let Some(raw) = members.raw("citations") {
        let mut citations = Members::within(raw, members.at("citations"))?;
        if citations.take("enabled", "must be true or false")? == Some(true) {
            losses.meaning_at(members.at("citations"), "citations");
        }
    }
    let at = members.at("source");
    let source = members.raw("source").ok_or_else(|| Unreadable::new(&*at, SOURCE))?;
    let mut source = Members::within(source, &*at)?;
    let kind: String = source.need("type", SOURCE)?;
    let plain = |text: &str| Media::Inline {
        media_type: "text/plain".to_owned(),
        data: base64::encoded(text),
    };
    let media = match &*kind {
        "text" => plain(&source.need::<String>("data", TEXT)?),
        "content" => {
            let at = source.at("content");
            let raw = source.raw("content").ok_or_else(|| Unreadable::new(&*at, CONTENT))?;
            if !raw.get().starts_with('"') {
                // Pieces of a document, which say as much without it.
                out.extend(nested(raw, &at, role, depth + 1, losses)?);
                return Ok(());
            }
            plain(&serde_json::from_str::<String>(raw.get()).map_err(|_| Unreadable::new(&*at, CONTENT))?)
        }
        kind => match known_media(kind, &mut source)? {
            Some(media) => media,
            None => {
                return Err(Unreadable::new(
                    source.at("type"),
                    "must be base64, text, content, url or file",
                ));
            }
        },
    };
    out.push(Block::Document { media, name, cache });
    Ok(())
}

/// A mark of the prompt cache.
pub(super) fn cache(raw: &RawValue, at: &str) -> Result<Cache, Unreadable> {
    let mut members = Members::within(raw, at)?;
    match members.text("ttl")?.as_deref() {
        None | Some("5m") => Ok(Cache::Minutes5),
        Some("1h") => Ok(Cache::Hour),
        Some(_) => Err(Unreadable::new(members.at("ttl"), "must be 5m or 1h")),
    }
}
