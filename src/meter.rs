//! What an answer says and uses, read as its bytes pass.
//!
//! In: the chunks of a provider's answer, cut anywhere, and the time. Out: a [`Reading`] at any moment, the time of its
//! first content, and for each chunk what becomes of it: nothing, unless the stream's usage has to be hidden
//! from a client that did not ask for it. An answer is never gathered: a stream is put by for one event at most, a JSON
//! reply not at all. It knows neither prices nor who asked.

use crate::{endpoint::Endpoint, json::passing::Scanner, usage::Usage};

mod facts;
mod likeness;
mod stream;

use facts::{Facts, Shape};
use stream::Stream;

/// What becomes of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It passes as it is.
    Unchanged,
    /// These bytes take its place (possibly none).
    Replaced(Vec<u8>),
}

/// What has been read of an answer so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the provider reported. Of an Anthropic stream that was cut, the input and the first few output tokens.
    pub reported: Option<Usage>,
    /// The class of service the provider says it gave, by its own name for it, cut to 32 bytes.
    pub service_tier: Option<String>,
    /// The model the provider says it used, cut to 256 bytes.
    pub model: Option<String>,
    /// Bytes of generated text, tool arguments and reasoning so far, unescaped.
    pub text_bytes: u64,
    /// Whether a reason to stop was given (`finish_reason`, `stop_reason`, a response's final status).
    pub finished: bool,
    /// Whether nothing that matters can follow: the final usage or the terminal event was seen, or the JSON reply is whole.
    pub complete: bool,
    /// Whether the answer, although its status was a success, holds an error.
    pub error_in_stream: bool,
    /// Whether something that could have held usage could not be read.
    pub undecoded: bool,
}

/// Reads one answer of a provider.
#[derive(Clone, Debug)]
pub struct Meter {
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// Nothing in it is read.
    Unread,
    Reply(Box<Reply>),
    Stream(Box<Stream>),
}

/// An answer that is one JSON document.
#[derive(Clone, Debug)]
struct Reply {
    facts: Facts,
    scanner: Scanner,
}

impl Meter {
    /// A meter for the answer to a request to `endpoint`.
    ///
    /// `streaming`: its content type is `text/event-stream`. `hide_usage`: the stream's usage event was asked for by
    /// Tollgate and not by the client, and is withheld from it. `status_ok`: its status is a success; of any other answer
    /// nothing is read.
    pub fn new(endpoint: Endpoint, streaming: bool, hide_usage: bool, status_ok: bool) -> Self {
        let answer = match Shape::of(endpoint).filter(|_| status_ok) {
            None => Answer::Unread,
            Some(shape) if streaming => Answer::Stream(Box::new(Stream::new(
                shape,
                hide_usage && endpoint.takes_stream_options(),
            ))),
            Some(shape) => Answer::Reply(Box::new(Reply {
                facts: Facts::new(shape, false),
                scanner: Scanner::default(),
            })),
        };
        Self { answer }
    }

    /// Reads the next bytes. `now_ns` is the time in nanoseconds, by any clock; it is not looked at after the first content.
    /// `end` marks the last chunk, which may be empty.
    pub fn feed(&mut self, chunk: &[u8], now_ns: u64, end: bool) -> Passed {
        match &mut self.answer {
            Answer::Unread => Passed::Unchanged,
            Answer::Reply(reply) => {
                reply.scanner.feed(chunk, &mut reply.facts);
                Passed::Unchanged
            }
            Answer::Stream(stream) => stream.feed(chunk, now_ns, end),
        }
    }

    /// Whether the answer is a stream that is read.
    pub fn is_stream(&self) -> bool {
        matches!(self.answer, Answer::Stream(_))
    }

    /// When the first generated content of a stream passed. Roles, pings and announcements are no content.
    pub fn first_token_ns(&self) -> Option<u64> {
        match &self.answer {
            Answer::Stream(stream) => stream.first,
            _ => None,
        }
    }

    /// What has been read so far.
    pub fn reading(&self) -> Reading {
        match &self.answer {
            Answer::Unread => Reading::default(),
            Answer::Reply(reply) => Reading {
                text_bytes: reply.facts.event.text,
                finished: reply.facts.event.finished || reply.scanner.done(),
                complete: reply.scanner.done(),
                error_in_stream: reply.facts.event.error,
                undecoded: reply.facts.known.undecoded || reply.scanner.broken() && reply.facts.shape != Shape::Unknown,
                ..reply.facts.reading()
            },
            Answer::Stream(stream) => Reading {
                text_bytes: stream.text,
                finished: stream.finished,
                complete: stream.complete,
                error_in_stream: stream.error,
                undecoded: stream.facts.known.undecoded,
                ..stream.facts.reading()
            },
        }
    }
}

#[cfg(test)]
mod tests;
