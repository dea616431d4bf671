//! The body of a request, in the words of one attempt's provider.
//!
//! In: a request on its way, and the client's body. Out: the body as it goes to the provider, or what to tell the client where
//! that has no words for something. Every attempt starts from the client's own.

use super::failover::Reason;
use super::saying;
use super::sent::{Body, Sent};
use crate::ask::Edits;
use crate::fault::{Answer, Fault};
use crate::route::Leg;
use crate::translate::{Speech, Written};

impl Sent {
    /// Whether the body of an attempt must be edited.
    pub(super) fn translates(&self, leg: &Leg) -> bool {
        let model = self.target(leg).map(|target| target.name_for(self.asked_name()));
        match &self.body {
            Body::Json(ask) => {
                self.speech(leg) != Some(Speech::Same)
                    || ask.lacks_usage() && self.takes_stream_options(leg)
                    || self.notes.longest().is_some()
                    || model.is_some_and(|model| model != ask.model)
            }
            Body::Form { name, .. } => model.is_some_and(|model| *model != **name),
            Body::Opaque => false,
        }
    }

    /// The body in the words of the attempt's provider; `None` where the client's bytes will do. Depends on the body
    /// and the leg alone, so every attempt starts from the original.
    ///
    /// # Errors
    ///
    /// What to tell the client, where the provider's API has no words for what it asks.
    pub fn translate(&mut self, body: &[u8]) -> Result<Option<Vec<u8>>, Answer> {
        let Some(attempt) = self.attempts.last() else {
            return Ok(None);
        };
        let (leg, speech) = (attempt.leg, attempt.speech);
        if speech != Speech::Same {
            // What an answer is cut down to has come up since.
            let ready = self
                .written
                .take()
                .filter(|(of, _)| *of == leg && self.notes.longest().is_none());
            return match ready.map_or_else(|| self.say(&leg, body), |(_, written)| Ok(written)) {
                Ok(written) => {
                    if let Some(attempt) = self.attempts.last_mut() {
                        attempt.losses = written.losses;
                        attempt.encoding = written.encoding;
                    }
                    Ok(Some(written.body))
                }
                Err(fault) => {
                    // Who was asked before has words for it, and did not answer: that is what went wrong.
                    let before = self.attempts.iter().rev().nth(1).and_then(|attempt| attempt.moved);
                    let fault = match (&fault, before) {
                        (Fault::Untranslatable(_), Some(Reason::Timeout)) => Fault::ProviderSilent,
                        (Fault::Untranslatable(_), Some(_)) => Fault::ProviderUnreachable,
                        _ => fault,
                    };
                    Err(self.stop(fault))
                }
            };
        }
        let model = self.target(&leg).map(|target| target.name_for(self.asked_name()));
        Ok(match &self.body {
            Body::Json(ask) => {
                let edits = Edits {
                    model: model.as_deref().filter(|model| *model != ask.model),
                    include_usage: ask.lacks_usage() && self.takes_stream_options(&leg),
                    max_output_tokens: self.notes.longest(),
                };
                ask.rewrite(body, edits)
            }
            Body::Form { name, span, .. } => model
                .filter(|model| **model != **name)
                .and_then(|model| Some([body.get(..span.start)?, model.as_bytes(), body.get(span.end..)?].concat())),
            Body::Opaque => None,
        })
    }

    /// The body in the words of a leg's provider, if that has words for all that matters.
    pub(super) fn say(&self, leg: &Leg, body: &[u8]) -> Result<Written, Fault> {
        let Body::Json(ask) = &self.body else {
            return Err(Fault::Internal);
        };
        let words = saying::words(&self.arrival, self.model, &ask.model, leg, self.notes.longest());
        words.ok_or(Fault::Internal)?.say(body)
    }

    /// Whether a leg's provider has words for all that matters in the request, as far as that is known.
    pub(super) fn can_say(&self, leg: &Leg) -> bool {
        match (self.speech(leg), &self.original) {
            (Some(Speech::Translated(..) | Speech::Vectors(_)), Some(body)) => self.say(leg, body).is_ok(),
            (Some(_), _) => true,
            (None, _) => false,
        }
    }

    /// Whether a leg's provider understands being asked for a stream's usage; one that does not tells it unasked, or never.
    pub(super) fn takes_stream_options(&self, leg: &Leg) -> bool {
        self.provider(leg).is_none_or(|provider| provider.facts.stream_options)
    }

    /// How a leg's provider is spoken to.
    pub(super) fn speech(&self, leg: &Leg) -> Option<Speech> {
        saying::speech(&self.arrival, leg)
    }

    /// Whether the client asked for a stream.
    pub(super) fn streams(&self) -> bool {
        matches!(&self.body, Body::Json(ask) if ask.stream)
    }

    /// An id for the answer, where its provider gives none: letters and digits.
    pub(super) fn answer_id(&self) -> String {
        let id: String = self
            .arrival
            .request_id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        match id.is_empty() {
            true => format!("{:x}", self.arrival.since.0),
            false => id,
        }
    }
}
