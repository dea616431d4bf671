//! An answer as it comes, read.
//!
//! In: the events of a stream, one by one. Out: [`Event`]s. It keeps what later events are told apart by, and never a text.
//! What only Anthropic's own tools say is passed over.
//!
//! Source: `raw_message_stream_event.py` of Anthropic's Python SDK and what it names.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::Error;
use super::reply::{Content, call_id, stop};
use crate::conversation::Event;
use crate::dialect::Malformed;
use crate::dialect::anthropic::Counts;
use crate::usage::Usage;

#[derive(Deserialize)]
struct Wire<'a> {
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Start<'a>>,
    index: Option<u64>,
    #[serde(borrow)]
    content_block: Option<Content<'a>>,
    #[serde(borrow)]
    delta: Option<Content<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Start<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// Reads a stream's events.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    counts: Counts,
    told: Option<Usage>,
    call: Option<Call>,
    /// How many calls have begun.
    calls: u32,
    /// Whether a reason to stop came: nothing but the last event is missing then.
    stopped: bool,
    over: bool,
}

/// The call that has begun and not ended.
#[derive(Clone, Debug)]
struct Call {
    index: Option<u64>,
    /// Its arguments, where a server gives them all at its beginning.
    whole: Option<String>,
    argued: bool,
}

impl StreamReader {
    /// Reads one event: its name (empty where it has none) and its data.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the data is not JSON of such an event.
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over || data == b"[DONE]" || data.is_empty() {
            return Ok(());
        }
        let wire: Wire = serde_json::from_slice(data).map_err(|_| Malformed)?;
        let kind = match &wire.r#type {
            Some(kind) => kind.as_bytes(),
            None => name,
        };
        match kind {
            b"message_start" => {
                let start = wire.message.ok_or(Malformed)?;
                out.push(Event::Begin {
                    id: start.id.unwrap_or_default(),
                    model: start.model.unwrap_or_default(),
                });
                self.count(start.usage, out);
            }
            b"content_block_start" => self.begin(wire.index, wire.content_block.ok_or(Malformed)?, out),
            b"content_block_delta" => {
                self.go_on(wire.index, wire.delta.ok_or(Malformed)?, out);
            }
            b"content_block_stop" => self.end_call(out),
            b"message_delta" => {
                self.end_call(out);
                if let Some(delta) = wire.delta {
                    self.stop(delta, out);
                }
                self.count(wire.usage, out);
            }
            b"message_stop" => {
                self.end_call(out);
                self.over = true;
                out.push(Event::End);
            }
            b"error" => {
                self.over = true;
                // Its status says nothing: it came within an answer.
                out.push(Event::Failed(Error::within(wire.error).refusal(200)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The connection ended in order.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        self.end_call(out);
        if self.stopped {
            out.push(Event::End);
        }
        self.over = true;
    }

    fn begin(&mut self, index: Option<u64>, block: Content<'_>, out: &mut Vec<Event>) {
        self.end_call(out);
        match &*block.r#type {
            "redacted_thinking" => out.extend(block.data.map(Event::SealedThought)),
            "tool_use" => {
                let input = block.input.map(RawValue::get).filter(|input| input.starts_with('{'));
                self.call = Some(Call {
                    index,
                    whole: input.map(ToOwned::to_owned),
                    argued: false,
                });
                out.push(Event::Call {
                    id: call_id(block.id, &mut self.calls),
                    name: block.name.unwrap_or_default(),
                    signature: None,
                });
            }
            "text" | "thinking" => said(block, out),
            _ => {}
        }
    }

    fn go_on(&mut self, index: Option<u64>, delta: Content<'_>, out: &mut Vec<Event>) {
        match &*delta.r#type {
            "input_json_delta" => {
                let pieces = delta.partial_json.filter(|piece| !piece.is_empty());
                if let (Some(call), Some(piece)) = (&mut self.call, pieces)
                    && call.index == index
                {
                    call.argued = true;
                    out.push(Event::Arguments(piece));
                }
            }
            "text_delta" | "thinking_delta" | "signature_delta" => said(delta, out),
            _ => {}
        }
    }

    /// A call without pieces has the arguments it began with, at least `{}`.
    fn end_call(&mut self, out: &mut Vec<Event>) {
        if let Some(call) = self.call.take()
            && !call.argued
        {
            out.push(Event::Arguments(call.whole.unwrap_or_else(|| "{}".to_owned())));
        }
    }

    fn stop(&mut self, ending: Content<'_>, out: &mut Vec<Event>) {
        let explanation = ending.stop_details.and_then(|details| details.explanation);
        out.extend(explanation.filter(|text| !text.is_empty()).map(Event::Declined));
        if let Some(reason) = ending.stop_reason {
            self.stopped = true;
            out.extend(stop(&reason, ending.stop_sequence).map(Event::Stop));
        }
    }

    /// A report on usage that cannot be read says nothing.
    fn count(&mut self, usage: Option<&RawValue>, out: &mut Vec<Event>) {
        let tier = self.counts.tier().map(ToOwned::to_owned);
        if usage.is_none_or(|usage| self.counts.take(usage.get().as_bytes()).is_err()) {
            return;
        }
        if let Some(now) = self.counts.tier()
            && tier.as_deref() != Some(now)
        {
            out.push(Event::Tier(now.to_owned()));
        }
        let usage = self.counts.usage().filter(|usage| !usage.is_zero());
        if usage != self.told {
            self.told = usage;
            out.extend(usage.map(Event::Usage));
        }
    }
}

/// What a block begins or goes on with.
fn said(content: Content<'_>, out: &mut Vec<Event>) {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    out.extend(some(content.text).map(Event::Text));
    out.extend(some(content.thinking).map(Event::Thought));
    out.extend(some(content.signature).map(Event::Signature));
}
