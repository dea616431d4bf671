//! One attempt at a provider: what is sent, what comes back, and what that costs.

use std::borrow::Cow;
use std::time::Duration;

use super::Now;
use super::departure::Departure;
use super::failover::Reason;
use super::hold::Held;
use crate::conversation::{Cause, Losses, Refusal};
use crate::embedding::Encoding;
use crate::endpoint::Endpoint;
use crate::estimate;
use crate::fault::Fault;
use crate::health::Sign;
use crate::health::place::Trial;
use crate::health::quota::Quota;
use crate::meter::{Meter, Passed, Reading};
use crate::price::{Nanodollars, Price};
use crate::record::{Bill, Cost};
use crate::route::Leg;
use crate::translate::answer::broken_off;
use crate::translate::{self, Client, Speech, Translation, Vectors};
use crate::usage::Usage;

/// Why a stream is over although nothing said its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client went away.
    ByClient,
    /// The provider, or the way to it, broke off.
    ByProvider,
}

/// How a request goes out to a provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    /// The headers: path, host and credential of this provider, and nothing of the client's identity.
    pub departure: Departure,
    /// Whether the body may have to be edited, or its length to be put right: [`super::Sent::translate`].
    pub translates: bool,
    /// The cluster of the attempt after this one, should this one fail.
    pub next_cluster: Option<String>,
}

/// What to change in the head of a provider's reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ReplyHead {
    /// Another status.
    pub status: Option<u16>,
    /// Headers to drop.
    pub remove: Vec<Cow<'static, str>>,
    /// Headers to set.
    pub set: Vec<(&'static str, String)>,
    /// Where the next attempt goes instead, because this one is given up. The host begins it when it sees the head.
    pub moves_to: Option<String>,
}

/// What becomes of the head of a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Heading {
    /// It goes on, changed so.
    Passes(ReplyHead),
    /// It is held until [`Onward::Released`].
    Held,
}

/// What becomes of a chunk of a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Onward {
    /// It passes as it is.
    Unchanged,
    /// These bytes take its place (possibly none).
    Replaced(Vec<u8>),
    /// Neither it nor the head passes yet.
    Held,
    /// The head passes, changed so, and these bytes in the place of the chunk.
    Released(ReplyHead, Vec<u8>),
}

/// Of an error that passes as it is, so many bytes are looked at.
const ERROR: usize = 16 * 1024;

/// One attempt, begun.
#[derive(Debug)]
pub struct Attempt {
    pub(super) leg: Leg,
    /// Where in the order of legs that is.
    pub(super) index: usize,
    pub(super) speech: Speech,
    /// When it began; 0 where that was not seen.
    pub(super) since: Now,
    pub(super) status: Option<u16>,
    pub(super) reader: Reader,
    /// Whether the answer's bytes are of no form that is read (compressed against our word).
    pub(super) unreadable: bool,
    /// Whether a stream was over before its end.
    pub(super) cut: bool,
    /// When the answer was complete.
    pub(super) ended: Option<Now>,
    /// What is held back of the answer.
    pub(super) held: Option<Held>,
    /// Given up for another, and why.
    pub(super) moved: Option<Reason>,
    /// Instead of the provider's answer, ours.
    pub(super) fault: Option<Fault>,
    /// What is wrong, of an error of the provider's that passes as it is.
    pub(super) refused: Option<Cause>,
    /// What such an error has said so far.
    said: Vec<u8>,
    pub(super) replacement: Option<Vec<u8>>,
    /// What of the request did not reach the provider.
    pub(super) losses: Losses,
    /// In what form the client wants vectors, where it asks for them.
    pub(super) encoding: Encoding,
    /// When it began, in milliseconds of the clock that all workers share; 0 where that was not seen.
    pub(super) began: u64,
    /// The leave to try the provider, where it is a trial.
    pub(super) trial: Option<Trial>,
    /// How long the provider asks to be left alone.
    pub(super) wait: Option<Duration>,
    /// What the provider says is left of its own limits.
    pub(super) quota: Quota,
    /// What the provider's health has taken note of.
    pub(super) noted: Option<Sign>,
}

/// Who reads an answer.
#[derive(Debug, Default)]
pub(super) enum Reader {
    /// Nobody: before its head, and for an answer that cannot be read.
    #[default]
    Nobody,
    /// It goes through as it is.
    Meter(Meter),
    /// It is put into the client's words.
    Translation(Box<Translation>),
    /// It is made into vectors of the client's form.
    Vectors(Box<Vectors>),
}

impl Reader {
    /// What has become of an answer that is translated: whether something can be said, and the error it is.
    pub(super) fn translated(&self) -> Option<(bool, Option<&Refusal>)> {
        match self {
            Self::Nobody | Self::Meter(_) => None,
            Self::Translation(translation) => Some((!translation.is_empty(), translation.refusal())),
            Self::Vectors(vectors) => Some((vectors.reading().complete, vectors.refusal())),
        }
    }

    /// Whether a filter kept an answer back that is translated.
    pub(super) fn withheld(&self) -> bool {
        matches!(self, Self::Translation(translation) if translation.withheld())
    }
}

/// What an attempt's request was, as far as its bill depends on it.
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    /// Estimated input tokens; 0 where the body was not read.
    pub(super) input_estimate: u64,
    /// Whether the method can cost anything at all. To read again what was answered before costs nothing.
    pub(super) posts: bool,
}

impl Attempt {
    pub(super) fn new(leg: Leg, index: usize, speech: Speech, since: Now) -> Self {
        Self {
            leg,
            index,
            speech,
            since,
            status: None,
            reader: Reader::Nobody,
            unreadable: false,
            cut: false,
            ended: None,
            held: None,
            moved: None,
            fault: None,
            refused: None,
            said: Vec::new(),
            replacement: None,
            losses: Losses::default(),
            encoding: Encoding::default(),
            began: 0,
            trial: None,
            wait: None,
            quota: Quota::default(),
            noted: None,
        }
    }

    /// Reads a chunk; an answer of ours takes the place of the provider's, whole.
    pub(super) fn chunk(&mut self, chunk: &[u8], now: Now, end: bool) -> Passed {
        if end && self.ended.is_none() {
            self.ended = Some(now);
        }
        if self.moved.is_some() {
            return Passed::Replaced(Vec::new());
        }
        if self.fault.is_some() {
            return Passed::Replaced(self.replacement.take().unwrap_or_default());
        }
        match &mut self.reader {
            Reader::Nobody => Passed::Unchanged,
            Reader::Meter(meter) => meter.feed(chunk, now.0, end),
            Reader::Translation(translation) => Passed::Replaced(translation.feed(chunk, now.0, end)),
            Reader::Vectors(vectors) => Passed::Replaced(vectors.feed(chunk, end)),
        }
    }

    /// A chunk of an answer that passes as it is. Of an error it is learned what is wrong, as its status alone does not say.
    pub(super) fn hear(&mut self, chunk: &[u8], endpoint: Endpoint, end: bool) {
        let Some(status) = self.status.filter(|status| (400..500).contains(status)) else {
            return;
        };
        if self.speech != Speech::Same || self.fault.is_some() || self.moved.is_some() || self.unreadable {
            return;
        }
        let room = ERROR.saturating_sub(self.said.len());
        self.said.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        if end {
            let refusal = translate::refused(self.speech, endpoint, status, &self.said);
            self.refused = refusal.map(|refusal| refusal.cause);
        }
    }

    /// What a stream that passes as it is ends with, where it is over and nothing in it said so: an error in the client's own
    /// words. It would be taken for a complete answer otherwise.
    pub(super) fn broken_off(&mut self, client: Client) -> Option<Vec<u8>> {
        let Reader::Meter(meter) = &self.reader else {
            return None;
        };
        let reading = meter.reading();
        let over = reading.complete || reading.finished || reading.error_in_stream || reading.undecoded;
        if over || self.fault.is_some() || self.moved.is_some() || !meter.is_stream() || self.cut {
            return None;
        }
        self.cut = true;
        Some(broken_off(client, Refusal::new(Cause::Server, "")))
    }

    pub(super) fn reading(&self) -> Reading {
        match &self.reader {
            Reader::Nobody => Reading::default(),
            Reader::Meter(meter) => meter.reading(),
            Reader::Translation(translation) => translation.reading().clone(),
            Reader::Vectors(vectors) => vectors.reading().clone(),
        }
    }

    /// When the first generated content of a stream came.
    pub(super) fn first_token_ns(&self) -> Option<u64> {
        match &self.reader {
            Reader::Nobody | Reader::Vectors(_) => None,
            Reader::Meter(meter) => meter.first_token_ns(),
            Reader::Translation(translation) => translation.first_token_ns(),
        }
    }

    /// How it ended: a label.
    pub(super) fn outcome(&self, reading: &Reading, ending: Ending) -> &'static str {
        if let Some(fault) = &self.fault {
            return fault.outcome();
        }
        if let Some(reason) = self.moved {
            return reason.outcome();
        }
        let over = self.ended.is_some() || reading.complete;
        match (self.status, ending) {
            (None, Ending::ByClient) => "interrupted_by_client",
            (None, Ending::ByProvider) => "provider_unreachable",
            (Some(429), _) => "provider_rate_limited",
            (Some(408 | 500..), _) => "provider_error",
            (Some(400..), _) => match self.refused {
                Some(Cause::ContextExceeded) => "context_window_exceeded",
                Some(Cause::Filtered) => "content_filtered",
                _ => "client_error",
            },
            // A redirection: its endpoint is not where the document says.
            (Some(300..), _) => "provider_error",
            (Some(_), _) if reading.error_in_stream => "provider_error",
            (Some(_), _) if self.cut => "interrupted_by_provider",
            (Some(_), _) if over => "ok",
            (Some(_), Ending::ByClient) => "interrupted_by_client",
            (Some(_), Ending::ByProvider) => "interrupted_by_provider",
        }
    }

    /// What it used and costs: what was reported, and of what was not, an estimate.
    pub(super) fn bill(&self, asked: &Asked, reading: &Reading, ending: Ending, price: Option<&Price>) -> Bill {
        let free = matches!(asked.endpoint, Endpoint::CountTokens | Endpoint::Models) || !asked.posts;
        let failed = match self.status {
            Some(status) => !(200..300).contains(&status),
            // Whether a provider that had not answered yet bills what it read is not known; that it may is assumed.
            None => ending == Ending::ByProvider,
        };
        if free || failed {
            return Bill::Nothing;
        }
        let written = estimate::tokens_from_text_bytes(reading.text_bytes);
        let over = self.ended.is_some() || reading.complete;
        let (reported, estimated) = match reading.reported {
            Some(reported) if over => (reported, Usage::default()),
            Some(reported) => {
                let output = written.saturating_sub(reported.completion());
                (
                    reported,
                    Usage {
                        output,
                        ..Usage::default()
                    },
                )
            }
            None if reading.error_in_stream && reading.text_bytes == 0 => return Bill::Nothing,
            None => (
                Usage::default(),
                Usage {
                    input: asked.input_estimate,
                    output: written,
                    ..Usage::default()
                },
            ),
        };
        if reported.is_zero() && estimated.is_zero() {
            return Bill::Unmetered;
        }
        let tier = reading.service_tier.as_deref();
        let cost = price.map(|price| {
            let of_reported = match reported.is_zero() {
                true => Nanodollars::ZERO,
                false => price.cost(&reported, tier),
            };
            let of_all = price.cost(&reported.plus(&estimated), tier);
            Cost {
                reported: of_reported,
                estimated: Nanodollars(of_all.0.saturating_sub(of_reported.0)),
            }
        });
        Bill::Metered {
            reported,
            estimated,
            cost,
        }
    }
}
