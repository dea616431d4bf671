//! What an answer says and uses, read as its bytes pass.

use crate::{endpoint::Endpoint, usage::Usage};

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
#[derive(Debug)]
pub struct Meter {
    reading: Reading,
    first: Option<u64>,
    last: Option<u64>,
}

impl Meter {
    /// A meter for the answer to a request to `endpoint`. `streaming`: its content type is `text/event-stream`.
    /// `hide_usage`: the stream's usage event was asked for by Tollgate, not by the client, and is withheld from it.
    /// `status_ok`: its status is a success; of any other, nothing is read.
    pub fn new(_endpoint: Endpoint, _streaming: bool, _hide_usage: bool, _status_ok: bool) -> Self {
        Self {
            reading: Reading::default(),
            first: None,
            last: None,
        }
    }

    /// Reads the next bytes. `now_ns` is any monotonic clock in nanoseconds; `end` marks the last chunk.
    pub fn feed(&mut self, _chunk: &[u8], _now_ns: u64, _end: bool) -> Passed {
        Passed::Unchanged
    }

    /// When the first generated content of a stream passed.
    pub fn first_token_ns(&self) -> Option<u64> {
        self.first
    }

    /// When the last generated content of a stream passed.
    pub fn last_token_ns(&self) -> Option<u64> {
        self.last
    }

    /// What has been read so far.
    pub fn reading(&self) -> Reading {
        self.reading.clone()
    }
}
