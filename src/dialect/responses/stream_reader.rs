//! What a provider answers as it comes.
//!
//! In: the events of a stream, one by one. Out: [`Event`]s. What an item consists of comes in pieces and once more whole; it
//! is told once, whichever of both a server sends. It knows nothing of framing.
//!
//! Items may come interleaved, and events here belong to the block that began last: while a call's arguments are coming,
//! what belongs to other items is held back until the call is whole.

use std::borrow::Cow;
use std::mem;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::output::BETWEEN_SUMMARIES;
use super::read_reply::{self, Whole, string};
use super::refusal;
use crate::conversation::{Event, Output};
use crate::dialect::Malformed;

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    begun: bool,
    /// Nothing follows.
    over: bool,
    calls: bool,
    declined: bool,
    /// The item whose arguments are coming.
    open: Option<u64>,
    held: Vec<Held>,
    told: Vec<Told>,
}

/// What came of an item while another was open.
#[derive(Clone, Debug)]
struct Held {
    index: u64,
    events: Vec<Event>,
    /// It is a call whose arguments are still coming.
    open: bool,
}

/// What has been told of an item.
#[derive(Clone, Copy, Debug)]
struct Told {
    index: u64,
    /// That it is a call.
    call: bool,
    /// Some of its text or its arguments.
    content: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Step<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    output_index: u64,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl StreamReader {
    /// Reads one event: its name (empty where it has none) and its data.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what is no event of this dialect. Events that are not known are passed over.
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let step: Step<'_> = serde_json::from_slice(data).map_err(|_| Malformed)?;
        let kind = match (&*step.kind, step.error) {
            ("", Some(_)) => "error",
            ("", None) => std::str::from_utf8(name).unwrap_or_default(),
            (kind, _) => kind,
        };
        let index = step.output_index;
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => self.begin(&step.whole()?, out),
            "response.output_item.added" => self.added(index, step.item.ok_or(Malformed)?, out)?,
            "response.output_text.delta" => self.piece(index, Event::Text, step.delta, out),
            "response.refusal.delta" => self.piece(index, Event::Declined, step.delta, out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.piece(index, Event::Thought, step.delta, out);
            }
            // Another paragraph.
            "response.reasoning_summary_part.added" if self.told(index).content => {
                self.put(index, Event::Thought(BETWEEN_SUMMARIES.to_owned()), out);
            }
            "response.function_call_arguments.delta" if self.told(index).call => {
                self.piece(index, Event::Arguments, step.delta, out);
            }
            "response.function_call_arguments.done" if self.told(index).call => {
                if !self.told(index).content {
                    self.piece(index, Event::Arguments, step.arguments, out);
                }
                // An answer without arguments is told with the item.
                if self.told(index).content {
                    self.close(index, out);
                }
            }
            "response.output_item.done" => self.done(index, step.item.ok_or(Malformed)?, out)?,
            "response.completed" | "response.incomplete" => self.end(&step.whole()?, kind, out)?,
            "response.failed" | "response.cancelled" => {
                let refusal = step.whole()?.refusal();
                self.release(out);
                out.push(Event::Failed(refusal));
                self.over = true;
            }
            "error" => {
                self.release(out);
                out.push(Event::Failed(refusal::within(data)));
                self.over = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The connection has ended in order. An answer that was whole has been told to be so.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.release(out);
    }

    fn begin(&mut self, whole: &Whole<'_>, out: &mut Vec<Event>) {
        if !mem::replace(&mut self.begun, true) {
            out.push(Event::Begin {
                id: whole.id(),
                model: whole.model(),
            });
        }
    }

    fn told(&mut self, index: u64) -> &mut Told {
        let at = self.told.iter().position(|told| told.index == index);
        let at = at.unwrap_or_else(|| {
            self.told.push(Told {
                index,
                call: false,
                content: false,
            });
            self.told.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there just now")]
        &mut self.told[at]
    }

    /// Tells something of an item, or holds it back.
    fn put(&mut self, index: u64, event: Event, out: &mut Vec<Event>) {
        if !self.begun {
            self.begin(&Whole::default(), out);
        }
        let begins = match &event {
            Event::Call { .. } => {
                self.calls = true;
                self.told(index).call = true;
                true
            }
            Event::Declined(_) => {
                self.declined = true;
                self.told(index).content = true;
                false
            }
            _ => {
                self.told(index).content = true;
                false
            }
        };
        if self.open.is_none_or(|open| open == index) {
            out.push(event);
            if begins {
                self.open = Some(index);
            }
            return;
        }
        match self.held.iter_mut().find(|held| held.index == index) {
            Some(held) => {
                held.events.push(event);
                held.open |= begins;
            }
            None => self.held.push(Held {
                index,
                events: vec![event],
                open: begins,
            }),
        }
    }

    fn piece(&mut self, index: u64, event: fn(String) -> Event, text: Option<&RawValue>, out: &mut Vec<Event>) {
        if let Some(text) = string(text).filter(|text| !text.is_empty()) {
            self.put(index, event(text), out);
        }
    }

    /// A call is whole.
    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        if let Some(held) = self.held.iter_mut().find(|held| held.index == index) {
            held.open = false;
        }
        if self.open != Some(index) {
            return;
        }
        self.open = None;
        while self.open.is_none() && !self.held.is_empty() {
            let held = self.held.remove(0);
            out.extend(held.events);
            self.open = held.open.then_some(held.index);
        }
    }

    /// Nothing is held back any more.
    fn release(&mut self, out: &mut Vec<Event>) {
        self.open = None;
        out.extend(self.held.drain(..).flat_map(|held| held.events));
    }

    fn added(&mut self, index: u64, item: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut pieces = Vec::new();
        read_reply::item(item, index, &mut pieces)?;
        for piece in pieces {
            // What else stands here already comes again.
            if let Output::Call {
                id, name, signature, ..
            } = piece
            {
                self.put(index, Event::Call { id, name, signature }, out);
            }
        }
        Ok(())
    }

    fn done(&mut self, index: u64, item: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let before = *self.told(index);
        let mut pieces = Vec::new();
        read_reply::item(item, index, &mut pieces)?;
        for piece in pieces {
            match piece {
                Output::Call {
                    id,
                    name,
                    arguments,
                    signature,
                } => {
                    if !before.call {
                        self.put(index, Event::Call { id, name, signature }, out);
                    }
                    if !before.content {
                        self.put(index, Event::Arguments(arguments), out);
                    }
                }
                Output::Thought { text, signature } => {
                    if !before.content {
                        self.put(index, Event::Thought(text), out);
                    }
                    if let Some(signature) = signature {
                        self.put(index, Event::Signature(signature), out);
                    }
                }
                Output::SealedThought(seal) => {
                    let event = if before.content {
                        Event::Signature
                    } else {
                        Event::SealedThought
                    };
                    self.put(index, event(seal), out);
                }
                Output::Text(text) if !before.content && !text.is_empty() => self.put(index, Event::Text(text), out),
                Output::Declined(text) if !before.content => self.put(index, Event::Declined(text), out),
                Output::Text(_) | Output::Declined(_) => {}
            }
        }
        self.close(index, out);
        Ok(())
    }

    fn end(&mut self, whole: &Whole<'_>, kind: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.begin(whole, out);
        self.release(out);
        if self.told.is_empty() {
            // A server that tells all of it at once.
            for (index, item) in (0..).zip(whole.items()?) {
                self.done(index, item, out)?;
            }
            self.release(out);
        }
        out.push(Event::Stop(match kind {
            "response.incomplete" => whole.cut(),
            _ => read_reply::ended(self.calls, self.declined),
        }));
        out.extend(whole.usage().map(Event::Usage));
        out.extend(whole.tier().map(Event::Tier));
        out.push(Event::End);
        self.over = true;
        Ok(())
    }
}

impl<'a> Step<'a> {
    fn whole(&self) -> Result<Whole<'a>, Malformed> {
        let response = self.response.ok_or(Malformed)?;
        serde_json::from_str(response.get()).map_err(|_| Malformed)
    }
}
