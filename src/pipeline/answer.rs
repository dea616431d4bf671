//! The answer to a request on its way: whose it is, how its head goes on to the client, what its bytes say.

use super::Now;
use super::attempt::{Attempt, ReplyHead};
use super::sent::{Body, Sent};
use super::told::RATE_HEADERS;
use crate::fault::{Answer, Fault};
use crate::headers::Headers;
use crate::meter::{Meter, Passed};

/// Whose an answer is.
#[derive(Debug, PartialEq, Eq)]
pub enum Answering {
    /// A provider's, whose head has been read where the provider role runs, as the rest will be.
    Read,
    /// A provider's, and nobody has read anything of it yet.
    Unread,
    /// Envoy's own, because no provider gave one; this is told instead.
    Envoys(Answer),
}

/// Headers of a reply that concern the provider and its customer (the gateway's operator) alone.
const PROVIDER_HEADERS: &[&str] = &[
    "set-cookie",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    // Ours alone to set.
    "x-tollgate-request-id",
    "x-tollgate-retry",
    "x-tollgate-clamped",
    "x-tollgate-downgraded",
    "x-tollgate-limit",
    "x-tollgate-loop",
    "x-tollgate-model",
    "x-tollgate-warning",
    "x-tollgate-would-deny",
    // Promises about another host.
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
];

impl Sent {
    /// The head of a reply. `ends` says that no body follows.
    pub fn reply_head(&mut self, headers: &Headers, ends: bool, now: Now) -> ReplyHead {
        let status = headers
            .text(":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let endpoint = self.endpoint();
        let hides = match &self.body {
            Body::Json(ask) => ask.lacks_usage(),
            Body::Form { .. } | Body::Opaque => false,
        };
        let mut head = ReplyHead {
            remove: PROVIDER_HEADERS
                .iter()
                .copied()
                .filter(|name| headers.has(name))
                .collect(),
            ..ReplyHead::default()
        };
        if !self.arrival.request_id.is_empty() {
            head.set
                .push(("x-tollgate-request-id", self.arrival.request_id.to_string()));
        }
        let told = self.notes.headers(&self.arrival.world, self.model);
        if told.iter().any(|(name, _)| RATE_HEADERS.contains(name)) {
            let theirs = RATE_HEADERS.iter().copied().filter(|name| headers.has(name));
            head.remove.extend(theirs);
        }
        head.set.extend(told);
        let refusal = matches!(status, 401 | 403).then_some(Fault::ProviderCredential);
        let refusal_body = refusal
            .as_ref()
            .map(|fault| fault.body(self.arrival.dialect, &self.arrival.request_id));
        let Some(attempt) = self.attempts.last_mut() else {
            return head;
        };
        attempt.status = Some(status);
        attempt.ended = ends.then_some(now);
        if let Some(fault) = refusal {
            head.status = Some(fault.status());
            head.remove
                .extend(["content-length", "content-encoding", "www-authenticate"]);
            head.set.push(("content-type", "application/json".to_owned()));
            attempt.fault = Some(fault);
            attempt.replacement = refusal_body;
            return head;
        }
        let media = headers.text("content-type").unwrap_or_default();
        let streaming = media
            .trim_start()
            .get(..17)
            .is_some_and(|m| m.eq_ignore_ascii_case("text/event-stream"));
        attempt.unreadable = headers.has_encoded_body();
        if !attempt.unreadable {
            let success = (200..300).contains(&status);
            attempt.meter = Some(Meter::new(endpoint, streaming, hides && streaming, success));
        }
        if hides && streaming {
            head.remove.push("content-length");
        }
        head
    }

    /// Whether the time of the next chunk matters: until the first token of a stream, and at the end.
    pub fn wants_time(&self) -> bool {
        self.attempts
            .last()
            .and_then(|attempt| attempt.meter.as_ref())
            .is_some_and(|meter| meter.first_token_ns().is_none())
    }

    /// Bytes of a reply. What passes on to the client comes back.
    pub fn reply_chunk(&mut self, chunk: &[u8], now: Now, end: bool) -> Passed {
        match self.attempts.last_mut() {
            Some(attempt) => attempt.chunk(chunk, now, end),
            None => Passed::Unchanged,
        }
    }

    /// Whether any attempt has begun.
    pub(super) fn begun(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// An answer of this status is on its way to the client: whose is it? `read_there` says that a provider role reads
    /// what providers answer. The other two ask the host, which is slow, and are called only where it matters: whether a
    /// provider gave the answer, and the number of the latest attempt, counted from 1.
    pub fn answering(
        &mut self,
        status: u16,
        read_there: bool,
        by_provider: impl FnOnce() -> bool,
        number: impl FnOnce() -> Option<usize>,
    ) -> Answering {
        let answered = read_there && self.attempts.last().is_some_and(|attempt| attempt.status.is_some());
        // An earlier attempt's answer was read; the one on its way may be that of an attempt in another VM.
        let unseen = match answered && self.told(status) {
            true => None,
            false => number().filter(|number| read_there && *number > self.attempts.len()),
        };
        let read = answered && unseen.is_none();
        if read && status < 400 {
            return Answering::Read;
        }
        if !by_provider() {
            return Answering::Envoys(self.unanswered(status));
        }
        if read {
            return Answering::Read;
        }
        if let Some(number) = unseen {
            self.attempt_is(number);
            self.begin_unseen();
        } else if !self.begun() {
            self.begin_unseen();
        }
        Answering::Unread
    }

    /// Whether the latest attempt's answer had this status when it was passed on.
    fn told(&self, status: u16) -> bool {
        let told = |attempt: &Attempt| match &attempt.fault {
            Some(fault) => Some(fault.status()),
            None => attempt.status,
        };
        self.attempts.last().and_then(told) == Some(status)
    }

    /// Envoy answers by itself with this status, because no provider did; what the client is told instead.
    pub(super) fn unanswered(&mut self, status: u16) -> Answer {
        let fault = match status {
            408 if !self.begun() => Fault::BodyLate,
            408 | 504 => Fault::ProviderSilent,
            // No other 500 is Envoy's own than one that our provider role gave up with.
            500 => Fault::Internal,
            413 => Fault::BodyTooLarge {
                limit: self.arrival.world.max_body_bytes,
            },
            _ => Fault::ProviderUnreachable,
        };
        let mut answer = fault.answer(self.arrival.dialect, &self.arrival.request_id);
        answer
            .headers
            .extend(self.notes.headers(&self.arrival.world, self.model));
        self.fault = Some(fault);
        answer
    }

    /// Whether the answer is not known to be complete, so that it matters why the stream is over.
    pub fn open(&self) -> bool {
        self.fault.is_none() && self.attempts.last().is_none_or(|attempt| attempt.ended.is_none())
    }
}
