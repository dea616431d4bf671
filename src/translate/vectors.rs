//! Vectors, from a provider's form into OpenAI's.
//!
//! In: a client's embeddings request; then the provider's answer, cut anywhere. Out: the request in the provider's words; then
//! the answer in OpenAI's, and a [`Reading`] of it. The answer is gathered until it is whole, up to [`WHOLE_LIMIT`].

use super::Written;
use super::answer::WHOLE_LIMIT;
use crate::conversation::members::Unreadable;
use crate::conversation::{Cause, Losses, Refusal};
use crate::dialect::{Told, Unanswered};
use crate::embedding::{self, Encoding, Kind};
use crate::meter::Reading;
use crate::usage::Usage;

/// Reads a client's request and writes it for a provider.
///
/// # Errors
///
/// [`Unreadable`] where it is no embeddings request of OpenAI's.
pub fn request(kind: Kind, body: &[u8], model: &str) -> Result<Written, Unreadable> {
    let mut embedding = embedding::read_request(body)?;
    let mut losses: Losses = core::mem::take(&mut embedding.losses);
    let body = embedding::write_request(kind, &embedding, model, &mut losses);
    Ok(Written {
        body,
        losses,
        encoding: embedding.encoding,
    })
}

/// An answer on its way.
#[derive(Debug)]
pub struct Vectors {
    kind: Kind,
    encoding: Encoding,
    model: String,
    id: String,
    created: u64,
    /// Tokens of input, as a header of the answer tells them.
    counted: Option<u64>,
    body: Vec<u8>,
    reading: Reading,
    refusal: Option<Refusal>,
}

impl Vectors {
    /// The answer to a request that asked for vectors in this form. `counted`: the tokens that its head tells.
    pub fn new(kind: Kind, encoding: Encoding, counted: Option<u64>, told: &Told<'_>) -> Self {
        Self {
            kind,
            encoding,
            model: told.model.to_owned(),
            id: told.id.to_owned(),
            created: told.created,
            counted,
            body: Vec::new(),
            reading: Reading::default(),
            refusal: None,
        }
    }

    /// Reads the next bytes and gives what they are to the client: all of it at the end.
    pub fn feed(&mut self, chunk: &[u8], end: bool) -> Vec<u8> {
        if self.refusal.is_some() || self.reading.complete {
            return Vec::new();
        }
        if self.body.len().saturating_add(chunk.len()) > WHOLE_LIMIT {
            self.garbled();
            return Vec::new();
        }
        self.body.extend_from_slice(chunk);
        if !end {
            return Vec::new();
        }
        let body = core::mem::take(&mut self.body);
        match embedding::read_reply(self.kind, &body) {
            Ok(mut embedded) => {
                if let (None, Some(input)) = (embedded.usage, self.counted) {
                    embedded.usage = Some(Usage {
                        input,
                        ..Usage::default()
                    });
                }
                self.reading.reported = embedded.usage;
                self.reading.finished = true;
                self.reading.complete = true;
                let told = Told {
                    model: &self.model,
                    id: &self.id,
                    created: self.created,
                    stream_usage: false,
                };
                embedding::write_reply(&embedded, self.encoding, &told)
            }
            Err(Unanswered::Refused(refusal)) => {
                self.reading.error_in_stream = true;
                self.refusal = Some(refusal);
                Vec::new()
            }
            Err(Unanswered::Malformed) => {
                self.garbled();
                Vec::new()
            }
        }
    }

    /// What has been read of the answer so far.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The provider's error, if the answer is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    fn garbled(&mut self) {
        self.reading.undecoded = true;
        self.reading.error_in_stream = true;
        self.refusal = Some(Refusal::new(Cause::Server, ""));
    }
}
