//! What Converse answers, as it comes.
//!
//! In: the events of `ConverseStream` by name ([`crate::framing::eventstream`]; an exception's name has `exception:` in
//! front). Out: [`Event`]s. A call's input comes in pieces of JSON, or not at all where there is none.

use std::borrow::Cow;

use serde::Deserialize;

use super::answer::{BlockDelta, BlockStart, Delta, MessageStop, Metadata, ToolUse};
use super::refusal::exception;
use super::reply::{broken, stop, tier};
use super::usage::usage;
use crate::conversation::{Event, Refusal, Stop};
use crate::dialect::Malformed;

/// Reads the events of a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    phase: Phase,
    place: Place,
    has_calls: bool,
    has_output: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Begun,
    /// The reason for its end was given.
    Stopped,
    Over,
}

/// What block is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Text or thought, or none.
    #[default]
    Other,
    /// A call without any of its input so far.
    BareCall,
    /// A call.
    Call,
    /// A call of a tool that runs at Bedrock.
    Foreign,
}

impl StreamReader {
    /// Takes in one event.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is one that is known, and not JSON of its kind.
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.phase == Phase::Over {
            return Ok(());
        }
        if let Some(exception_name) = name.strip_prefix(b"exception:") {
            let name = std::str::from_utf8(exception_name).unwrap_or_default();
            self.fail(exception(name, data), out);
            return Ok(());
        }
        match name {
            b"messageStart" => self.begin(out),
            b"contentBlockStart" => {
                let event: BlockStart = parsed(data)?;
                self.begin(out);
                self.start(event.start.and_then(|start| start.tool_use), out);
            }
            b"contentBlockDelta" => {
                let event: BlockDelta = parsed(data)?;
                self.begin(out);
                if let Some(delta) = event.delta {
                    self.delta(delta, out);
                }
            }
            b"contentBlockStop" => self.end_block(out),
            b"messageStop" => {
                let event: MessageStop = parsed(data)?;
                self.begin(out);
                self.end_block(out);
                self.stop(event, out);
            }
            b"metadata" => {
                let event: Metadata = parsed(data)?;
                self.begin(out);
                let raw = event.usage.map(|raw| raw.get().as_bytes());
                // An answer is no less one for a count that cannot be read.
                out.extend(raw.and_then(|raw| usage(raw).ok().flatten()).map(Event::Usage));
                out.extend(tier(event.service_tier).map(Event::Tier));
                // It is the last event.
                self.finish(out);
            }
            _ => {}
        }
        Ok(())
    }

    /// The connection has ended in order.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.phase == Phase::Stopped {
            self.phase = Phase::Over;
            out.push(Event::End);
        }
    }

    fn begin(&mut self, out: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Begun;
            out.push(Event::Begin {
                id: String::new(),
                model: String::new(),
            });
        }
    }

    fn start(&mut self, call: Option<ToolUse<'_>>, out: &mut Vec<Event>) {
        self.end_block(out);
        let Some(call) = call else { return };
        if call.r#type.is_some() {
            self.place = Place::Foreign;
            return;
        }
        self.place = Place::BareCall;
        self.has_calls = true;
        self.has_output = true;
        out.push(Event::Call {
            id: call.tool_use_id.unwrap_or_default().into_owned(),
            name: call.name.unwrap_or_default().into_owned(),
            signature: None,
        });
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<Event>) {
        let input = delta.tool_use.and_then(|call| call.input);
        if let Some(input) = input.filter(|input| !input.is_empty())
            && matches!(self.place, Place::BareCall | Place::Call)
        {
            self.place = Place::Call;
            out.push(Event::Arguments(input.into_owned()));
        }
        if let Some(reasoning) = delta.reasoning_content {
            let owned = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
            out.extend(owned(reasoning.text).map(Event::Thought));
            out.extend(owned(reasoning.signature).map(Event::Signature));
            out.extend(owned(reasoning.redacted_content).map(Event::SealedThought));
        }
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.has_output = true;
            out.push(Event::Text(text.into_owned()));
        }
    }

    /// A call that was given no input has an empty one.
    fn end_block(&mut self, out: &mut Vec<Event>) {
        if self.place == Place::BareCall {
            out.push(Event::Arguments("{}".to_owned()));
        }
        self.place = Place::Other;
    }

    fn stop(&mut self, event: MessageStop<'_>, out: &mut Vec<Event>) {
        let reason = event.stop_reason.as_deref().unwrap_or_default();
        let stop = match stop(reason, event.additional_model_response_fields) {
            None if !self.has_output => return self.fail(broken(), out),
            None if self.has_calls => Stop::Calls,
            stop => stop.unwrap_or(Stop::End),
        };
        self.phase = Phase::Stopped;
        out.push(Event::Stop(stop));
    }

    fn fail(&mut self, refusal: Refusal, out: &mut Vec<Event>) {
        self.phase = Phase::Over;
        out.push(Event::Failed(refusal));
    }
}

fn parsed<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(data).map_err(|_| Malformed)
}
