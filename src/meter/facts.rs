//! Where in a reply or an event the things stand that matter, and what they say.

use std::ops::Range;

use crate::{
    dialect::{anthropic, openai},
    endpoint::Endpoint,
    json::passing::{Kind, Visit, Want},
    usage::Usage,
};

/// The longest name of a model that is remembered, in bytes.
const MODEL_LIMIT: usize = 256;

/// The longest name of a service tier that is remembered, in bytes.
const TIER_LIMIT: usize = 32;

/// What an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `choices` with deltas or messages; usage beside them.
    Choices,
    /// Typed events around a `response`, or that response.
    Response,
    /// Typed events around a `message`, or that message.
    Message,
    /// Anything that may hold a usage somewhere near the top.
    Unknown,
}

impl Shape {
    /// The shape of an endpoint's answers; `None` for those that are not billed by usage.
    pub(super) fn of(endpoint: Endpoint) -> Option<Self> {
        Some(match endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings => Self::Choices,
            Endpoint::Responses => Self::Response,
            Endpoint::Messages => Self::Message,
            Endpoint::Other => Self::Unknown,
            Endpoint::CountTokens | Endpoint::Models | Endpoint::Status => return None,
        })
    }
}

/// Places in a document.
mod place {
    pub(super) use crate::json::passing::OUTSIDE;
    pub(super) const ROOT: u8 = 1;
    /// `response` or `message` in an event.
    pub(super) const ENVELOPE: u8 = 2;
    pub(super) const CHOICES: u8 = 3;
    pub(super) const CHOICE: u8 = 4;
    /// A choice's `delta` or `message`, and all within.
    pub(super) const MESSAGE: u8 = 5;
    /// `x_groq`
    pub(super) const GROQ: u8 = 6;
    /// `delta` or `content_block` of an event.
    pub(super) const DELTA: u8 = 7;
    /// `output` of a response, `content` of a message.
    pub(super) const OUTPUT: u8 = 8;
    /// The arguments of a tool, as an object.
    pub(super) const ARGUMENTS: u8 = 9;
}

/// Values that are kept.
mod slot {
    pub(super) const USAGE: u8 = 0;
    pub(super) const META: u8 = 1;
    pub(super) const MODEL: u8 = 2;
    pub(super) const TIER: u8 = 3;
    pub(super) const TYPE: u8 = 4;
}

/// A value that differs from event to event while all around it stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Varied {
    /// Where it stood: the inside of a string, or a number.
    pub(super) span: Range<usize>,
    /// Whether it is a string.
    pub(super) quoted: bool,
    /// Whether it is generated text.
    pub(super) counted: bool,
}

/// Whether `choices` were in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Choices {
    #[default]
    Absent,
    Empty,
    Some,
}

/// What an event's `type` says that matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Type {
    /// It has none.
    #[default]
    None,
    /// Nothing.
    Other,
    /// This is the last event.
    Last,
    /// This is the last event, and the answer failed.
    Failed,
    /// This is an error.
    Error,
}

/// What one event, or one reply, said.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    /// Bytes of generated text.
    pub(super) text: u64,
    /// Whether it holds generated content that is no text, such as sound.
    pub(super) content: bool,
    pub(super) usage: bool,
    pub(super) choices: Choices,
    pub(super) kind: Type,
    pub(super) finished: bool,
    pub(super) error: bool,
    /// Values that vary, in order; one more than fits means: too many.
    pub(super) varied: [Varied; 6],
    pub(super) varied_len: usize,
}

impl Event {
    /// Whether it adds text to what is known and nothing else, so that one like it will do the same.
    pub(super) fn is_plain(&self) -> bool {
        !(self.content || self.usage || self.finished || self.error)
            && matches!(self.kind, Type::None | Type::Other)
            && self.choices != Choices::Empty
    }
}

/// What is known of the answer so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) reported: Option<Usage>,
    pub(super) counts: anthropic::Counts,
    pub(super) tier: Option<String>,
    pub(super) model: Option<String>,
    pub(super) undecoded: bool,
}

/// Reads a document for its facts.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) shape: Shape,
    streaming: bool,
    pub(super) event: Event,
    pub(super) known: Known,
}

impl Facts {
    pub(super) fn new(shape: Shape, streaming: bool) -> Self {
        Self {
            shape,
            streaming,
            event: Event::default(),
            known: Known::default(),
        }
    }

    /// What is known, without what depends on how the answer came.
    pub(super) fn reading(&self) -> super::Reading {
        let counts = &self.known.counts;
        let tier = self
            .known
            .tier
            .clone()
            .or_else(|| counts.tier().map(|tier| cut(tier.to_owned(), TIER_LIMIT)));
        super::Reading {
            reported: if self.shape == Shape::Message {
                counts.usage()
            } else {
                self.known.reported
            },
            service_tier: tier,
            model: self.known.model.clone(),
            ..super::Reading::default()
        }
    }

    /// Makes ready for another event.
    #[inline]
    pub(super) fn begin(&mut self) {
        let event = &mut self.event;
        (event.text, event.content, event.usage) = (0, false, false);
        (event.finished, event.error) = (false, false);
        (event.choices, event.kind, event.varied_len) = (Choices::Absent, Type::None, 0);
    }

    /// What stands directly in the answer, in an event, or in the response or message that an event carries.
    fn near_the_top(&mut self, within: u8, name: &[u8], kind: Kind) -> Want {
        use Shape::{Choices as ChoicesShape, Message, Response, Unknown};
        let root = within == place::ROOT;
        match (name, kind) {
            (b"usage", Kind::Object) => Want::Keep(slot::USAGE),
            (b"usage", Kind::Array | Kind::String | Kind::Scalar) => {
                self.known.undecoded = true;
                Want::Skip
            }
            (b"model", Kind::String) if self.known.model.is_none() => Want::Keep(slot::MODEL),
            (b"service_tier", Kind::String) => Want::Keep(slot::TIER),
            (b"error", Kind::Object | Kind::String) => {
                self.event.error = true;
                Want::Skip
            }
            (b"choices", Kind::Array) if root && matches!(self.shape, ChoicesShape | Unknown) => {
                self.event.choices = Choices::Empty;
                Want::Enter(place::CHOICES)
            }
            (b"x_groq", Kind::Object) if root => Want::Enter(place::GROQ),
            (b"meta", Kind::Object) if root && matches!(self.shape, ChoicesShape | Unknown) => Want::Keep(slot::META),
            (b"obfuscation", Kind::String) if root => Want::Vary,
            (b"sequence_number" | b"created", Kind::Scalar) if root => Want::Vary,
            (b"type", Kind::String) if root && self.shape != ChoicesShape => Want::Keep(slot::TYPE),
            (b"delta", Kind::String) if root && matches!(self.shape, Response | Unknown) => Want::Count,
            (b"delta" | b"content_block", Kind::Object) if root && self.shape == Message => Want::Enter(place::DELTA),
            (b"response", Kind::Object) if root && self.shape == Response => Want::Enter(place::ENVELOPE),
            (b"message", Kind::Object) if root && self.shape == Message => Want::Enter(place::ENVELOPE),
            // A stream has already shown piece by piece what its last event repeats.
            (b"output", Kind::Array) if self.shape == Response && !self.streaming => Want::Enter(place::OUTPUT),
            (b"content", Kind::Array) if self.shape == Message && !self.streaming => Want::Enter(place::OUTPUT),
            (b"text", Kind::String) if self.shape == Unknown && !self.streaming => Want::Count,
            (b"stop_reason", Kind::String) if self.shape == Message => {
                self.event.finished = true;
                Want::Skip
            }
            _ => Want::Skip,
        }
    }

    fn choice(&mut self, name: &[u8], kind: Kind) -> Want {
        match (name, kind) {
            (b"delta" | b"message", Kind::Object) => Want::Enter(place::MESSAGE),
            (b"text", Kind::String) => Want::Count,
            (b"usage", Kind::Object) => Want::Keep(slot::USAGE),
            (b"finish_reason", Kind::String) => {
                self.event.finished = true;
                Want::Skip
            }
            _ => Want::Skip,
        }
    }

    fn message(&mut self, name: &[u8], kind: Kind) -> Want {
        match (name, kind) {
            (
                b"content" | b"text" | b"reasoning_content" | b"reasoning" | b"refusal" | b"arguments" | b"name"
                | b"thinking" | b"transcript",
                Kind::String,
            ) => Want::Count,
            // Sound in base64.
            (b"data", Kind::String) => {
                self.event.content = true;
                Want::Skip
            }
            // They say again what `reasoning` says, or what others wrote.
            (b"reasoning_details" | b"annotations" | b"citations", _) => Want::Skip,
            (_, Kind::Object | Kind::Array) => Want::Enter(place::MESSAGE),
            _ => Want::Skip,
        }
    }

    fn delta(&mut self, name: &[u8], kind: Kind) -> Want {
        match (name, kind) {
            (b"text" | b"thinking" | b"partial_json" | b"name", Kind::String) => Want::Count,
            (b"stop_reason", Kind::String) => {
                self.event.finished = true;
                Want::Skip
            }
            _ => Want::Skip,
        }
    }

    fn usage(&mut self, raw: Option<&[u8]>, read: fn(&[u8]) -> Result<Option<Usage>, crate::dialect::Malformed>) {
        self.event.usage = true;
        let read = match raw {
            Some(raw) if self.shape == Shape::Message => self.known.counts.take(raw).map(|()| None),
            Some(raw) => read(raw),
            None => Err(crate::dialect::Malformed),
        };
        match read {
            Ok(Some(usage)) => self.known.reported = Some(usage),
            Ok(None) => {}
            Err(crate::dialect::Malformed) => self.known.undecoded = true,
        }
    }
}

impl Visit for Facts {
    #[inline]
    fn member(&mut self, within: u8, name: &[u8], kind: Kind) -> Want {
        match (within, kind) {
            (place::ROOT | place::ENVELOPE, _) => self.near_the_top(within, name, kind),
            (place::CHOICE, _) => self.choice(name, kind),
            (place::MESSAGE, _) => self.message(name, kind),
            (place::DELTA, _) => self.delta(name, kind),
            (place::CHOICES, Kind::Object) => {
                self.event.choices = Choices::Some;
                Want::Enter(place::CHOICE)
            }
            (place::GROQ, Kind::Object) if name == b"usage" => Want::Keep(slot::USAGE),
            (place::GROQ, Kind::String) if name == b"error" => {
                self.event.error = true;
                Want::Skip
            }
            (place::OUTPUT, Kind::String) => match name {
                b"text" | b"thinking" | b"arguments" | b"refusal" | b"name" | b"input" => Want::Count,
                _ => Want::Skip,
            },
            (place::OUTPUT, Kind::Object | Kind::Array) => match name {
                b"" | b"content" | b"summary" => Want::Enter(place::OUTPUT),
                b"input" => Want::Enter(place::ARGUMENTS),
                _ => Want::Skip,
            },
            (place::ARGUMENTS, Kind::String) => Want::Count,
            (place::ARGUMENTS, Kind::Object | Kind::Array) => Want::Enter(place::ARGUMENTS),
            (place::OUTSIDE, Kind::Object) => Want::Enter(place::ROOT),
            (place::OUTSIDE, _) => {
                self.known.undecoded |= self.shape != Shape::Unknown;
                Want::Skip
            }
            _ => Want::Skip,
        }
    }

    #[inline]
    fn text(&mut self, bytes: u64) {
        self.event.text += bytes;
    }

    fn kept(&mut self, slot: u8, raw: Option<&[u8]>) {
        match slot {
            slot::USAGE => self.usage(raw, openai::usage),
            slot::META => self.usage(raw, openai::meta),
            // Azure's first event has an empty one.
            slot::MODEL => {
                self.known.model = raw
                    .and_then(|raw| short(raw, MODEL_LIMIT))
                    .filter(|name| !name.is_empty())
            }
            slot::TIER => {
                let known = self.known.tier.as_deref().map(str::as_bytes);
                if let Some(raw) = raw
                    && known != unquoted(raw)
                {
                    self.known.tier = short(raw, TIER_LIMIT);
                }
            }
            slot::TYPE => {
                self.event.kind = match raw.and_then(unquoted) {
                    Some(b"message_stop" | b"response.completed" | b"response.incomplete" | b"response.cancelled") => {
                        Type::Last
                    }
                    Some(b"response.failed") => Type::Failed,
                    Some(b"error") => Type::Error,
                    _ => Type::Other,
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn varied(&mut self, span: Range<usize>, kind: Kind, counted: bool) {
        if let Some(varied) = self.event.varied.get_mut(self.event.varied_len) {
            *varied = Varied {
                span,
                quoted: kind == Kind::String,
                counted,
            };
        }
        self.event.varied_len += 1;
    }
}

fn unquoted(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// A JSON string, unescaped and cut.
fn short(raw: &[u8], limit: usize) -> Option<String> {
    serde_json::from_slice(raw).ok().map(|text| cut(text, limit))
}

/// At most `limit` bytes of a text, whole characters.
fn cut(mut text: String, limit: usize) -> String {
    let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end));
    text.truncate(end.unwrap_or_default());
    text
}
