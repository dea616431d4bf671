//! A provider's stream, event by event.
//!
//! In: the data of one server-sent event. Out: [`Event`]s. Framing is not its business. A stream is complete at `[DONE]`; a
//! server that does not write that has said a `finish_reason`.
//!
//! Source: openai-python, `types/chat/chat_completion_chunk.py` and `_streaming.py` (an `error` member is an error).

use super::calls::Calls;
use super::error::read_refusal;
use super::thoughts::Thought;
use super::wire::{Choice, Envelope, Piece};
use crate::conversation::{Event, Refusal};
use crate::dialect::Malformed;

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamReader {
    id: String,
    is_begun: bool,
    /// Nothing follows.
    is_over: bool,
    is_stopped: bool,
    is_declined: bool,
    is_tier_told: bool,
    calls: Calls,
    /// What came while a call was not whole.
    late: Vec<Event>,
}

impl StreamReader {
    /// Reads one event: its name (empty where it has none) and its data.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the data is not JSON of this shape; nothing has been taken then.
    pub fn read(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let data = data.trim_ascii();
        if self.is_over || data.is_empty() {
            return Ok(());
        }
        if data.starts_with(b"[DONE]") {
            self.is_stopped |= self.is_begun;
            self.finish(out);
            return Ok(());
        }
        let envelope: Envelope = serde_json::from_slice(data).map_err(|_| Malformed)?;
        if envelope.is_error() || name == b"error" {
            self.fail(read_refusal(200, data), out);
            return Ok(());
        }
        let usage = envelope.usage();
        let tier = envelope.service_tier;
        let choices = envelope.choices.unwrap_or_default();
        // Azure tells of the prompt's filters first, in an event that has nothing else.
        if !self.is_begun && (!choices.is_empty() || usage.is_some()) {
            self.is_begun = true;
            self.id = envelope.id.unwrap_or_default().into_owned();
            out.push(Event::Begin {
                id: self.id.clone(),
                model: envelope.model.unwrap_or_default().into_owned(),
            });
        }
        if let Some(tier) = tier.filter(|_| !self.is_tier_told) {
            self.is_tier_told = true;
            out.push(Event::Tier(tier.into()));
        }
        for choice in choices.into_iter().filter(Choice::is_first) {
            self.take(choice, out);
        }
        if let Some(usage) = usage.filter(|_| !self.is_over) {
            out.push(Event::Usage(usage));
        }
        Ok(())
    }

    /// The connection ended in order.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.flush(out);
        if self.is_stopped {
            self.is_over = true;
            out.push(Event::End);
        }
    }

    fn take(&mut self, mut choice: Choice, out: &mut Vec<Event>) {
        let said = choice.message.take().unwrap_or_default();
        for piece in said.pieces() {
            match piece {
                Piece::Text(text) => self.pass(Event::Text(text), out),
                Piece::Thought(Thought::Sealed(data)) => self.pass(Event::SealedThought(data), out),
                Piece::Thought(Thought::Shown { text, signature }) => {
                    if !text.is_empty() {
                        self.pass(Event::Thought(text), out);
                    }
                    if let Some(signature) = signature {
                        self.pass(Event::Signature(signature), out);
                    }
                }
            }
        }
        if let Some(refusal) = said.refusal.filter(|refusal| !refusal.is_empty()) {
            self.is_declined = true;
            self.pass(Event::Declined(refusal.into()), out);
        }
        for call in said.tool_calls.into_iter().flatten() {
            self.calls.take(call, &self.id, out);
        }
        match choice.stop(self.calls.any(), self.is_declined) {
            None => {}
            Some(Ok(stop)) => {
                self.flush(out);
                self.is_stopped = true;
                out.push(Event::Stop(stop));
            }
            Some(Err(cause)) => self.fail(Refusal::new(cause, ""), out),
        }
    }

    /// Lets something pass that is no call, as soon as no call is open.
    fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        match self.calls.open() {
            true => self.late.push(event),
            false => out.push(event),
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        self.calls.flush(out);
        out.append(&mut self.late);
    }

    fn fail(&mut self, refusal: Refusal, out: &mut Vec<Event>) {
        self.is_over = true;
        out.push(Event::Failed(refusal));
    }
}
