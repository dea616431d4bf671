//! How many tokens a request's input will be, from the size of its text.

use super::Member;
use crate::{
    estimate,
    json::{
        TextLength,
        strict::{Listener, unescaped},
    },
};

/// Tokens that a provider adds around each message for its role and its end.
const PER_MESSAGE: u64 = 3;

/// Tokens of an image, document or recording inside the body. What it really is depends on its pixels, pages or
/// seconds, which are not looked at; a large image is 765 (OpenAI) to 1,600 (Anthropic) tokens.
const PER_MEDIUM: u64 = 1_000;

/// A string shorter than this is text, whatever it looks like.
const SHORTEST_MEDIUM: usize = 512;

/// What has been weighed so far.
#[derive(Debug, Default)]
pub(super) struct Weight {
    text_bytes: u64,
    messages: u64,
    media: u64,
    numbers: u64,
    /// Media by where they are named: those that are told by an address or an id are seen only so.
    named: u64,
    /// Media that certainly are such, and their bytes.
    certain: u64,
    media_bytes: u64,
    /// Whether a document says that it is plain text.
    plain: bool,
    /// Prompts of the one request, should it have several.
    prompts: u64,
    schema: bool,
    caches: bool,
    audio: bool,
}

impl Weight {
    /// The most tokens that it can be, in a body of so many bytes. No tokenizer makes more tokens of a text than it has
    /// bytes, and whatever a provider may read stands in the body. What it puts around messages and descriptions of tools is
    /// known from its documentation, with room to spare; what a medium comes to is not known, and taken for a large image.
    ///
    /// Sources: Anthropic documentation, "Tool use", "Pricing" (up to 804 tokens of system prompt), "Vision".
    pub(super) fn most_tokens(&self, body_bytes: u64) -> u64 {
        const AROUND_MESSAGE: u64 = 8;
        const AROUND_ALL: u64 = 32;
        const WITH_TOOLS: u64 = 804;
        const LARGE_IMAGE: u64 = 1_600;
        let media_bytes = if self.plain { 0 } else { self.media_bytes };
        body_bytes
            .saturating_sub(media_bytes)
            .saturating_add(self.messages.saturating_mul(AROUND_MESSAGE))
            .saturating_add(self.certain.max(self.named).saturating_mul(LARGE_IMAGE))
            .saturating_add(AROUND_ALL)
            .saturating_add(if self.schema { WITH_TOOLS } else { 0 })
    }

    /// How many prompts there are, each with answers of its own: at least one.
    pub(super) fn prompts(&self) -> u64 {
        self.prompts.max(1)
    }

    /// Whether any of it is to be written to a prompt cache.
    pub(super) fn caches(&self) -> bool {
        self.caches
    }

    /// Whether any of it is audio.
    pub(super) fn audio(&self) -> bool {
        self.audio
    }

    pub(super) fn tokens(&self) -> u64 {
        estimate::tokens_from_text_bytes(self.text_bytes)
            .saturating_add(self.messages.saturating_mul(PER_MESSAGE))
            .saturating_add(self.media.saturating_mul(PER_MEDIUM))
            .saturating_add(self.numbers)
    }

    /// Adds what is heard of the value of a member.
    pub(super) fn listen(&mut self, member: Member) -> Scale<'_> {
        self.schema |= member == Member::Schema;
        Scale {
            weight: self,
            names: member == Member::Schema,
            numbers: member == Member::Tokens,
            medium_may_be: false,
        }
    }
}

/// Weighs one member's value.
pub(super) struct Scale<'a> {
    weight: &'a mut Weight,
    names: bool,
    numbers: bool,
    /// Whether the member that was named last may hold a medium.
    medium_may_be: bool,
}

impl Listener for Scale<'_> {
    fn string(&mut self, inside: &[u8]) {
        if self.numbers {
            self.weight.prompts += 1;
        }
        if inside.len() >= SHORTEST_MEDIUM && is_medium(inside) {
            self.weight.media += 1;
            // Text that only begins like a medium, or stands where none may, is text.
            if self.medium_may_be && !inside.starts_with(b"data:text/") && is_base64(after_media_type(inside)) {
                self.weight.certain += 1;
                self.weight.media_bytes += inside.len() as u64;
            }
        } else {
            self.weight.plain |=
                inside.starts_with(b"text") && unescaped(inside).is_none_or(|text| *text == *b"text/plain");
            self.weight.text_bytes += TextLength::default().of(inside);
        }
    }

    fn name(&mut self, inside: &[u8]) {
        if self.names {
            self.weight.text_bytes += inside.len() as u64;
        }
        // Nobody writes these names with escapes who does not want to be misread.
        self.weight.caches |= inside.contains(&b'\\');
        self.weight.audio |= inside.contains(&b'\\');
        self.medium_may_be = matches!(inside, b"data" | b"file_data" | b"image_url" | b"url");
        match inside {
            b"cache_control" => self.weight.caches = true,
            b"input_audio" => self.weight.audio = true,
            b"file_id" | b"file_url" | b"image_url" | b"source" => self.weight.named += 1,
            _ => {}
        }
    }

    fn number(&mut self) {
        if self.numbers {
            self.weight.numbers += 1;
        }
    }

    fn opened(&mut self, depth: usize) {
        if depth == 1 && self.numbers {
            self.weight.prompts += 1;
        }
        // The elements of an array of messages stand at depth 1.
        if depth == 1 && !self.names {
            self.weight.messages += 1;
        }
    }
}

/// Whether a long string is a file in base64, alone or in a `data:` URL, rather than text.
fn is_medium(inside: &[u8]) -> bool {
    const LOOK: usize = 256;
    let beginning = inside.get(..LOOK).unwrap_or(inside);
    is_base64(after_media_type(beginning))
}

/// What stands before the comma of a `data:` URL is a media type.
fn after_media_type(inside: &[u8]) -> &[u8] {
    match inside.strip_prefix(b"data:") {
        Some(url) => url.splitn(2, |&byte| byte == b',').nth(1).unwrap_or(url),
        None => inside,
    }
}

fn is_base64(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\\'))
}
