//! An answer as it comes, written.
//!
//! In: [`Event`]s, in whatever order. Out: whole blocks of server-sent events, such that Anthropic's SDKs read an answer or
//! raise an error. It keeps what the end of the stream must say, and never a text.
//!
//! Source: `raw_message_stream_event.py` and `_streaming.py` of Anthropic's Python SDK: events are known by their names, and
//! one called `error` is raised.

use serde::Serialize;

use super::refusal::told as told_error;
use super::reply::{Piece, id, reason};
use super::usage::Wire as UsageWire;
use crate::conversation::{Event, Stop};
use crate::dialect::Told;
use crate::usage::Usage;

/// Writes a stream's events.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    id: String,
    model: String,
    begun: bool,
    over: bool,
    /// The index of the next block.
    next: u64,
    open: Open,
    called: bool,
    declined: bool,
    stop: Option<Stop>,
    usage: Option<Usage>,
}

/// The block that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    None,
    Text,
    Thought,
    Call,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire<'a> {
    MessageStart { message: Start<'a> },
    ContentBlockStart { index: u64, content_block: Piece<'a> },
    ContentBlockDelta { index: u64, delta: Delta<'a> },
    ContentBlockStop { index: u64 },
    MessageDelta { delta: Ending<'a>, usage: UsageWire<'a> },
    MessageStop,
    Error { error: ErrorWire<'a> },
}

#[derive(Serialize)]
struct Start<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: UsageWire<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

#[derive(Serialize)]
struct Ending<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorWire<'a> {
    r#type: &'static str,
    message: &'a str,
}

impl Wire<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Error { .. } => "error",
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend(b"event: ");
        out.extend(self.name().as_bytes());
        out.extend(b"\ndata: ");
        match serde_json::to_writer(&mut *out, self) {
            Ok(()) => out.extend(b"\n\n"),
            Err(_) => out.truncate(begin),
        }
    }
}

impl StreamWriter {
    /// For an exchange.
    pub fn new(told: &Told<'_>) -> Self {
        Self {
            id: id("", told).into_owned(),
            model: told.model.to_owned(),
            begun: false,
            over: false,
            next: 0,
            open: Open::None,
            called: false,
            declined: false,
            stop: None,
            usage: None,
        }
    }

    /// Writes what an event means, if anything.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin { id, model } => {
                if !self.begun {
                    let ours = |name: &String| !name.is_empty();
                    self.id = Some(id).filter(|id| ours(id)).unwrap_or(&self.id).clone();
                    self.model = Some(model).filter(|model| ours(model)).unwrap_or(&self.model).clone();
                }
                self.begin(out);
            }
            Event::Text(text) => self.text(text, out),
            Event::Declined(text) => {
                self.declined = true;
                self.text(text, out);
            }
            Event::Thought(thinking) => {
                if !thinking.is_empty() {
                    self.open(Open::Thought, out);
                    self.delta(Delta::Thinking { thinking }, out);
                }
            }
            Event::Signature(signature) => {
                if !signature.is_empty() {
                    self.open(Open::Thought, out);
                    self.delta(Delta::Signature { signature }, out);
                    // What it thinks next is another thought.
                    self.close(out);
                }
            }
            Event::SealedThought(data) => {
                self.close(out);
                self.start(Piece::RedactedThinking { data }, out);
                self.open = Open::Thought;
                self.close(out);
            }
            Event::Call { id, name, .. } => {
                self.close(out);
                let input = super::content_write::object("{}");
                self.start(Piece::ToolUse { id, name, input }, out);
                self.open = Open::Call;
                self.called = true;
            }
            Event::Arguments(partial_json) => {
                if self.open == Open::Call && !partial_json.is_empty() {
                    self.delta(Delta::InputJson { partial_json }, out);
                }
            }
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            // There is no word for it at a stream's end.
            Event::Tier(_) => {}
            Event::End => self.end(out),
            Event::Failed(refusal) => {
                let (kind, message) = told_error(refusal);
                let error = ErrorWire { r#type: kind, message };
                Wire::Error { error }.write(out);
                self.over = true;
            }
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let message = Start {
            id: &self.id,
            r#type: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: UsageWire::of(self.usage.as_ref(), None),
        };
        Wire::MessageStart { message }.write(out);
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.open(Open::Text, out);
            self.delta(Delta::Text { text }, out);
        }
    }

    /// Begins a block of texts or thoughts unless it is open.
    fn open(&mut self, open: Open, out: &mut Vec<u8>) {
        if self.open == open {
            return;
        }
        self.close(out);
        let thought = Piece::Thinking {
            thinking: "",
            signature: "",
        };
        let block = if open == Open::Thought {
            thought
        } else {
            Piece::Text { text: "" }
        };
        self.start(block, out);
        self.open = open;
    }

    fn start(&mut self, content_block: Piece<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        let index = self.next;
        self.next += 1;
        Wire::ContentBlockStart { index, content_block }.write(out);
    }

    fn delta(&self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let index = self.next.saturating_sub(1);
        Wire::ContentBlockDelta { index, delta }.write(out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.open, Open::None) != Open::None {
            let index = self.next.saturating_sub(1);
            Wire::ContentBlockStop { index }.write(out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        let (stop_reason, stop_sequence) = reason(self.stop.as_ref(), self.called, self.declined);
        let delta = Ending {
            stop_reason,
            stop_sequence,
        };
        let usage = UsageWire::of(self.usage.as_ref(), None);
        Wire::MessageDelta { delta, usage }.write(out);
        Wire::MessageStop.write(out);
        self.over = true;
    }
}
