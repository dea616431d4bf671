//! What is said, as Converse wants it.
//!
//! In: turns in normal form. Out: messages, and by name what they cannot say.
//!
//! - A text that is blank is refused, so it is left out; a turn that is empty then is too, and its neighbours are merged.
//! - Pictures and documents are bytes, or are in S3; another address cannot be fetched.
//! - A document needs a name, and none twice; a message with one needs a text beside it.
//! - Ids and names have at most 64 letters, digits, `_` and `-`: others are replaced by ones made of them and their hash.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::body::{CachePoint, Content, File, Message, Reasoning, Source};
use super::model::Model;
use crate::conversation::request::Cache;
use crate::conversation::{Block, Losses, Media, Role, Turn};
use crate::dialect::claude::may_be_anthropics;
use crate::hash;

/// The longest id or name.
const LONGEST_NAME: usize = 64;

/// Writes what is said.
pub(super) struct Writer<'l> {
    pub(super) model: Model,
    pub(super) losses: &'l mut Losses,
    /// How many documents there are so far.
    pub(super) documents: usize,
}

impl Writer<'_> {
    /// What the model is told before.
    pub(super) fn system<'a>(&mut self, instructions: &'a [Block]) -> Vec<Content<'a>> {
        let mut system = Vec::with_capacity(instructions.len());
        for block in instructions {
            match block {
                Block::Text { text, cache } => {
                    system.extend(said(text));
                    self.cache(*cache, &mut system);
                }
                _ => self.losses.meaning("system"),
            }
        }
        system
    }

    /// The conversation.
    pub(super) fn messages<'a>(&mut self, turns: &'a [Turn]) -> Vec<Message<'a>> {
        let mut messages: Vec<Message<'a>> = Vec::with_capacity(turns.len());
        for turn in turns {
            let mut content = Vec::with_capacity(turn.content.len());
            for block in &turn.content {
                self.block(block, &mut content);
            }
            accompany(&mut content);
            if content.is_empty() {
                continue;
            }
            let role = match turn.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            match messages.last_mut() {
                Some(last) if last.role == role => last.content.append(&mut content),
                _ => messages.push(Message { role, content }),
            }
        }
        messages
    }

    fn block<'a>(&mut self, block: &'a Block, out: &mut Vec<Content<'a>>) {
        let mark = match block {
            Block::Text { text, cache } => {
                out.extend(said(text));
                *cache
            }
            Block::Image { media, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail");
                }
                out.extend(self.file(media, image_format, None, "image_url").map(Content::Image));
                *cache
            }
            Block::Document { media, name, cache } => {
                self.documents += 1;
                let name = document_name(name.as_deref(), self.documents);
                out.extend(
                    self.file(media, document_format, Some(name), "document")
                        .map(Content::Document),
                );
                *cache
            }
            Block::Audio { format, data } => {
                if self.model.is_claude() {
                    self.losses.meaning("input_audio");
                } else {
                    out.push(Content::Audio(File {
                        format: Cow::Borrowed(format),
                        name: None,
                        source: Source::Bytes(data),
                    }));
                }
                None
            }
            Block::Call {
                id,
                name,
                arguments,
                cache,
                ..
            } => {
                out.push(Content::ToolUse {
                    tool_use_id: allowed(id),
                    name: allowed(name),
                    input: object(arguments),
                });
                *cache
            }
            Block::Result {
                id,
                content,
                failed,
                cache,
            } => self.result(id, content, *failed, out).or(*cache),
            Block::Thought { text, signature } => {
                let seal = signature.as_deref().filter(|seal| may_be_anthropics(seal));
                self.thought(seal.map(|signature| Reasoning::ReasoningText { text, signature }), out);
                None
            }
            Block::SealedThought { data } => {
                let sealed = may_be_anthropics(data).then_some(Reasoning::RedactedContent(data));
                self.thought(sealed, out);
                None
            }
        };
        self.cache(mark, out);
    }

    /// A tool's result; gives back a mark on one of its pieces, which stands behind the whole in Converse.
    fn result<'a>(
        &mut self,
        id: &'a str,
        content: &'a [Block],
        failed: bool,
        out: &mut Vec<Content<'a>>,
    ) -> Option<Cache> {
        let mut inner = Vec::with_capacity(content.len());
        let mut mark = None;
        for block in content {
            match block {
                Block::Text { text, cache } => {
                    inner.extend(said(text));
                    mark = mark.or(*cache);
                }
                Block::Image { media, cache, .. } => {
                    inner.extend(self.file(media, image_format, None, "image_url").map(Content::Image));
                    mark = mark.or(*cache);
                }
                Block::Document { media, name, cache } => {
                    self.documents += 1;
                    let name = document_name(name.as_deref(), self.documents);
                    inner.extend(
                        self.file(media, document_format, Some(name), "document")
                            .map(Content::Document),
                    );
                    mark = mark.or(*cache);
                }
                _ => self.losses.meaning("messages"),
            }
        }
        if inner.is_empty() {
            // A result of nothing is refused.
            inner.push(Content::Text(Cow::Borrowed("(no output)")));
        }
        if failed && !self.model.takes_status() {
            self.losses.hint("is_error");
        }
        out.push(Content::ToolResult {
            tool_use_id: allowed(id),
            content: inner,
            status: (failed && self.model.takes_status()).then_some("error"),
        });
        mark
    }

    fn thought<'a>(&mut self, thought: Option<Reasoning<'a>>, out: &mut Vec<Content<'a>>) {
        match thought.filter(|_| self.model.is_claude()) {
            Some(thought) => out.push(Content::Thought(thought)),
            None => self.losses.hint("reasoning_content"),
        }
    }

    fn file<'a>(
        &mut self,
        media: &'a Media,
        format: fn(&str) -> Option<&'static str>,
        name: Option<String>,
        label: &'static str,
    ) -> Option<File<'a>> {
        let (format, source) = match media {
            Media::Inline { media_type, data } => (format(media_type), Source::Bytes(data)),
            Media::Url(url) if url.starts_with("s3://") => {
                let extension = url.rsplit_once('.').map(|(_, extension)| extension);
                (extension.and_then(format), Source::S3Location { uri: url })
            }
            Media::Url(_) => {
                self.losses.meaning(label);
                return None;
            }
            Media::File(_) => {
                self.losses.meaning("file_id");
                return None;
            }
        };
        let Some(format) = format else {
            self.losses.meaning(label);
            return None;
        };
        Some(File {
            format: Cow::Borrowed(format),
            name,
            source,
        })
    }

    /// A cache point behind what has been written, where there is something.
    fn cache(&mut self, mark: Option<Cache>, out: &mut Vec<Content<'_>>) {
        if mark.is_none() || matches!(out.last(), None | Some(Content::CachePoint(_))) {
            return;
        }
        match self.model.caches() {
            true => out.extend(self.point(mark).map(Content::CachePoint)),
            false => self.losses.hint("cache_control"),
        }
    }

    /// A cache point; for five minutes where the model knows nothing longer.
    pub(super) fn point(&mut self, mark: Option<Cache>) -> Option<CachePoint> {
        let is_long = mark? == Cache::Hour;
        if is_long && !self.model.caches_for_an_hour() {
            self.losses.hint("cache_control");
        }
        Some(CachePoint {
            r#type: "default",
            ttl: (is_long && self.model.caches_for_an_hour()).then_some("1h"),
        })
    }
}

/// A text, unless it is blank.
fn said(text: &str) -> Option<Content<'_>> {
    (!text.trim().is_empty()).then_some(Content::Text(Cow::Borrowed(text)))
}

/// Puts a text beside documents that have none: their names.
fn accompany(content: &mut Vec<Content<'_>>) {
    if content.iter().any(|block| matches!(block, Content::Text(_))) {
        return;
    }
    let names: Vec<_> = content
        .iter()
        .filter_map(|block| match block {
            Content::Document(file) => file.name.as_deref(),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        let names = names.join(", ");
        content.push(Content::Text(Cow::Owned(names)));
    }
}

/// An id or a name, as it is allowed.
pub(super) fn allowed(name: &str) -> Cow<'_, str> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_allowed) {
        return Cow::Borrowed(name);
    }
    let kept = name.bytes().filter(|&byte| is_allowed(byte)).take(LONGEST_NAME - 17);
    let mut replaced: String = kept.map(char::from).collect();
    replaced.push_str(&format!("_{:016x}", hash::of(name.as_bytes())));
    Cow::Owned(replaced)
}

/// Arguments as they stand there, if they are an object.
fn object(arguments: &str) -> &RawValue {
    serde_json::from_str(arguments)
        .ok()
        .filter(|value: &&RawValue| value.get().starts_with('{'))
        .unwrap_or_else(|| serde_json::from_str("{}").unwrap_or(RawValue::NULL))
}

/// A name of letters, digits, single spaces, hyphens and brackets that no other document has.
fn document_name(name: Option<&str>, number: usize) -> String {
    let mut kept = String::new();
    for letter in name.unwrap_or("document").chars().take(150) {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => kept.push(letter),
            _ if kept.is_empty() || kept.ends_with(' ') => {}
            _ => kept.push(' '),
        }
    }
    let kept = kept.trim_end();
    match kept.is_empty() {
        true => format!("document-{number}"),
        false => format!("{kept}-{number}"),
    }
}

fn image_format(kind: &str) -> Option<&'static str> {
    Some(match kind.strip_prefix("image/").unwrap_or(kind) {
        "png" => "png",
        "jpeg" | "jpg" => "jpeg",
        "gif" => "gif",
        "webp" => "webp",
        _ => return None,
    })
}

fn document_format(kind: &str) -> Option<&'static str> {
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    Some(match kind {
        "application/pdf" | "pdf" => "pdf",
        "text/csv" | "csv" => "csv",
        "application/msword" | "doc" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" | "docx" => "docx",
        "application/vnd.ms-excel" | "xls" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "xlsx" => "xlsx",
        "text/html" | "html" | "htm" => "html",
        "text/plain" | "txt" => "txt",
        "text/markdown" | "md" => "md",
        _ => return None,
    })
}
