//! The answer to a request on its way: whose it is, how its head goes on to the client, what its bytes say.

use std::borrow::Cow;
use std::time::Duration;

use super::Now;
use super::attempt::{Attempt, Heading, Onward, Reader, ReplyHead};
use super::failover::Reason;
use super::hold::{Held, Until};
use super::sent::{Body, Sent};
use super::told::RATE_HEADERS;
use crate::dialect::Told;
use crate::embedding::INPUT_TOKENS;
use crate::fault::{Answer, Fault};
use crate::headers::Headers;
use crate::meter::{Meter, Passed};
use crate::translate::speech::vectors_of;
use crate::translate::{Client, Speech, Translation, Vectors};

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

/// The header by which the host is told to begin another attempt.
pub(super) const RETRY: &str = "x-tollgate-retry";

/// Headers of a reply that concern the provider and its customer (the gateway's operator) alone. What begins with
/// `x-tollgate-` is ours alone to set, too.
const PROVIDER_HEADERS: &[&str] = &[
    "set-cookie",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    // Promises about another host.
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
];

/// Further headers that say something of the provider's own words, where the client gets others: those of these names, and
/// those that begin so.
const FOREIGN_HEADERS: &[&str] = &[
    "content-length",
    "content-encoding",
    "content-disposition",
    "etag",
    "request-id",
    "retry-after-ms",
    "x-request-id",
    "x-ratelimit-",
    "x-amz",
    "x-goog-",
    "x-gemini-",
    "openai-",
    "anthropic-",
];

impl Sent {
    /// The head of a reply. `ends` says that no body follows.
    pub fn reply_head(&mut self, headers: &Headers, ends: bool, now: Now) -> Heading {
        let status = headers
            .text(":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
            attempt.ended = ends.then_some(now);
            attempt.unreadable = headers.has_encoded_body();
        }
        self.learn_from(headers, status, now);
        // Whoever answers for a model in HTML is none: a proxy on the way, or a sign-in.
        let page = (200..300).contains(&status) && is_page(headers) && Client::at(self.endpoint()).is_some();
        if let Some(reason) = Reason::of_status(status).or(page.then_some(Reason::Garbled))
            && let Some(next) = self.next_for(reason, now)
        {
            return Heading::Passes(self.mark(reason, next));
        }
        let mut head = self.head(headers);
        let speech = self.attempts.last().map_or(Speech::Same, |attempt| attempt.speech);
        if speech != Speech::Same {
            let ours: Vec<&str> = head.set.iter().map(|(name, _)| *name).collect();
            let theirs = headers.iter().filter_map(|(name, _)| core::str::from_utf8(name).ok());
            let foreign = theirs.filter(|name| FOREIGN_HEADERS.iter().any(|prefix| name.starts_with(prefix)));
            let foreign = foreign.filter(|name| !ours.contains(name));
            head.remove.extend(foreign.map(|name| Cow::Owned(name.to_owned())));
        }
        let refusal = match status {
            401 | 403 => Some(Fault::ProviderCredential),
            // The words of others name the account that is out of patience.
            402 => Some(Fault::ProviderExhausted),
            429 => Some(Fault::ProviderBusy),
            _ => None,
        };
        if let Some(fault) = refusal {
            return Heading::Passes(self.replaced(head, fault));
        }
        match speech {
            Speech::Same => self.same_head(head, headers, status, ends),
            Speech::Translated(..) | Speech::Vectors(_)
                if ends && let Some(next) = self.next_for(Reason::Garbled, now) =>
            {
                Heading::Passes(self.mark(Reason::Garbled, next))
            }
            Speech::Translated(..) | Speech::Vectors(_) if ends => {
                Heading::Passes(self.replaced(head, Fault::ProviderGarbled))
            }
            Speech::Translated(..) | Speech::Vectors(_) => {
                self.foreign_head(head, headers, status);
                Heading::Held
            }
        }
    }

    /// What is said in the head of any answer.
    fn head(&self, headers: &Headers) -> ReplyHead {
        let mut head = ReplyHead::default();
        for (name, _) in headers.iter() {
            let Ok(name) = core::str::from_utf8(name) else {
                continue;
            };
            if PROVIDER_HEADERS.contains(&name) || name.starts_with("x-tollgate-") {
                head.remove.push(name.to_owned().into());
            }
        }
        let told = self.told_headers();
        if told.iter().any(|(name, _)| RATE_HEADERS.contains(name)) {
            let theirs = RATE_HEADERS.iter().copied().filter(|name| headers.has(name));
            head.remove.extend(theirs.map(Cow::Borrowed));
        }
        head.remove
            .retain(|removed| told.iter().all(|(name, _)| *name != &**removed));
        head.set.extend(told);
        head
    }

    /// What every answer says of how it came about.
    pub(super) fn told_headers(&self) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        if !self.arrival.request_id.is_empty() {
            told.push(("x-tollgate-request-id", self.arrival.request_id.to_string()));
        }
        if let Some(attempt) = self.attempts.last() {
            if let Some(provider) = self.provider(&attempt.leg) {
                told.push(("x-tollgate-provider", provider.name.to_string()));
            }
            told.push(("x-tollgate-attempts", self.attempts.len().to_string()));
        }
        if let Some(model) = self.model.and_then(|id| self.arrival.world.model(id)) {
            told.push(("x-tollgate-model", model.name.to_string()));
        }
        told.extend(self.notes.headers(&self.arrival.world));
        told
    }

    /// The head of an answer that goes through as it is: held only where another provider could be tried.
    fn same_head(&mut self, mut head: ReplyHead, headers: &Headers, status: u16, ends: bool) -> Heading {
        let endpoint = self.endpoint();
        let hides = matches!(&self.body, Body::Json(ask) if ask.lacks_usage());
        let more = !self.past_router && self.attempts.len() < self.most_attempts();
        let Some(attempt) = self.attempts.last_mut() else {
            return Heading::Passes(head);
        };
        let streaming = is_stream(headers);
        let success = (200..300).contains(&status);
        if !attempt.unreadable {
            attempt.reader = Reader::Meter(Meter::new(endpoint, streaming, hides && streaming, success));
        }
        if hides && streaming {
            head.remove.push("content-length".into());
        }
        let judged = more && !ends && !attempt.unreadable && attempt.speech.api(endpoint).is_some();
        let until = match (success, streaming) {
            _ if !judged => None,
            (true, true) => Some(Until::FirstToken),
            (true, false) => Some(Until::Beginning),
            (false, _) if (400..500).contains(&status) => Some(Until::Error),
            (false, _) => None,
        };
        match until {
            None => Heading::Passes(head),
            Some(until) => {
                attempt.held = Some(Held {
                    head,
                    bytes: Vec::new(),
                    until,
                });
                Heading::Held
            }
        }
    }

    /// The head of an answer that is to be translated.
    fn foreign_head(&mut self, mut head: ReplyHead, headers: &Headers, status: u16) {
        let (stream, asked, stream_usage) = match &self.body {
            Body::Json(ask) => (ask.stream, ask.model.clone(), !ask.lacks_usage()),
            Body::Form { .. } | Body::Opaque => (false, String::new(), false),
        };
        let told = Told {
            model: &asked,
            id: &self.answer_id(),
            created: u64::try_from(self.arrival.since.seconds().0).unwrap_or_default(),
            stream_usage,
        };
        let target = self.attempts.last().and_then(|attempt| self.target(&attempt.leg));
        let target = target.map(|target| target.name_for(&asked).into_owned());
        let Some(attempt) = self.attempts.last_mut() else {
            return;
        };
        let until = match (attempt.speech, (200..300).contains(&status)) {
            (Speech::Translated(client, api), true) if !attempt.unreadable => {
                let translation = Translation::new(client, api, is_stream(headers), stream, &told);
                head.set.push(("content-type", translation.content_type().to_owned()));
                if stream {
                    head.set.push(("cache-control", "no-cache".to_owned()));
                }
                attempt.reader = Reader::Translation(Box::new(translation));
                Until::Translated
            }
            (Speech::Vectors(form), true) if !attempt.unreadable => {
                let model = target.as_deref().unwrap_or(&asked);
                if let Some(kind) = vectors_of(form, model) {
                    let counted = headers.text(INPUT_TOKENS).and_then(|count| count.parse().ok());
                    let vectors = Vectors::new(kind, attempt.encoding, counted, &told);
                    attempt.reader = Reader::Vectors(Box::new(vectors));
                }
                head.set.push(("content-type", "application/json".to_owned()));
                Until::Translated
            }
            // Without a translation it is known to be garbled.
            (_, true) => Until::Translated,
            (_, false) => Until::Error,
        };
        attempt.held = Some(Held {
            head,
            bytes: Vec::new(),
            until,
        });
    }

    /// Our answer takes the place of the provider's, of which the body is still to come.
    fn replaced(&mut self, head: ReplyHead, fault: Fault) -> ReplyHead {
        let (head, body) = self.instead(head, fault);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.replacement = Some(body);
        }
        head
    }

    /// The head and the body of our answer in the place of the provider's, whose head would have gone on so.
    pub(super) fn instead(&mut self, mut head: ReplyHead, fault: Fault) -> (ReplyHead, Vec<u8>) {
        let answer = fault.answer(self.arrival.dialect, &self.arrival.request_id);
        head.status = Some(answer.status);
        for name in ["content-length", "content-encoding", "www-authenticate"] {
            head.remove.push(name.into());
        }
        head.set.retain(|(name, _)| *name != "content-type");
        head.set.extend(answer.headers);
        if let Some(attempt) = self.attempts.last_mut() {
            head.set.extend(retry_after(attempt.wait, answer.status));
            attempt.fault = Some(fault);
        }
        (head, answer.body)
    }

    /// Our answer in the place of a provider's that has no body: there is nothing that it could replace, and it has to be
    /// told as a whole. Once, and where there is none, nothing.
    pub fn untold(&mut self) -> Option<Answer> {
        let attempt = self.attempts.last_mut()?;
        attempt.replacement.take()?;
        let attempt = self.attempts.last()?;
        let mut answer = attempt
            .fault
            .as_ref()?
            .answer(self.arrival.dialect, &self.arrival.request_id);
        answer.headers.extend(retry_after(attempt.wait, answer.status));
        answer.headers.extend(self.told_headers());
        Some(answer)
    }

    /// Whether the time of the next chunk matters: until the first token of a stream, and at the end.
    pub fn wants_time(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| {
            attempt.held.is_some() || !matches!(attempt.reader, Reader::Nobody) && attempt.first_token_ns().is_none()
        })
    }

    /// Bytes of a reply. What passes on to the client comes back.
    pub fn reply_chunk(&mut self, chunk: &[u8], now: Now, end: bool) -> Onward {
        let endpoint = self.endpoint();
        match self.attempts.last_mut() {
            Some(attempt) if attempt.held.is_some() => self.held_chunk(chunk, now, end),
            Some(attempt) => {
                let passed = attempt.chunk(chunk, now, end);
                attempt.hear(chunk, endpoint, end);
                let client = Client::at(endpoint).filter(|_| end);
                match (passed, client.and_then(|client| attempt.broken_off(client))) {
                    (Passed::Unchanged, None) => Onward::Unchanged,
                    (Passed::Replaced(bytes), None) => Onward::Replaced(bytes),
                    (Passed::Unchanged, Some(error)) => Onward::Replaced([chunk, &error].concat()),
                    (Passed::Replaced(bytes), Some(error)) => Onward::Replaced([bytes, error].concat()),
                }
            }
            None => Onward::Unchanged,
        }
    }

    /// The head of an answer of ours in the place of one that a provider gave, or that was to be given up for another: of the
    /// headers that are there, those which concern nobody but the gateway go.
    pub fn bared(headers: &Headers) -> Vec<String> {
        let theirs = headers.iter().filter_map(|(name, _)| core::str::from_utf8(name).ok());
        let private = theirs.filter(|name| {
            PROVIDER_HEADERS.contains(name)
                || name.starts_with("x-tollgate-")
                || FOREIGN_HEADERS.iter().any(|prefix| name.starts_with(prefix))
        });
        private.map(str::to_owned).collect()
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
        let given_up = self.attempts.last().is_some_and(|attempt| attempt.moved.is_some());
        if answered && given_up && unseen.is_none() {
            // For another attempt, which the host did not begin.
            return Answering::Envoys(self.unanswered(503));
        }
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
        self.past_router = true;
        Answering::Unread
    }

    /// Whether the latest attempt's answer had this status when it was passed on.
    fn told(&self, status: u16) -> bool {
        let told = |attempt: &Attempt| match &attempt.fault {
            _ if attempt.moved.is_some() => None,
            Some(fault) => Some(fault.status()),
            None => attempt.status,
        };
        self.attempts.last().and_then(told) == Some(status)
    }

    /// Envoy answers by itself with this status, because no provider did; what the client is told instead.
    pub(super) fn unanswered(&mut self, status: u16) -> Answer {
        let fault = match status {
            _ if self.fault.is_some() => return self.again(),
            408 if !self.begun() => Fault::BodyLate,
            408 | 504 => Fault::ProviderSilent,
            // No other 500 is Envoy's own than one that our provider role gave up with.
            500 => Fault::Internal,
            413 => Fault::BodyTooLarge {
                limit: self.arrival.world.max_body_bytes,
            },
            _ => Fault::ProviderUnreachable,
        };
        self.fault = Some(fault);
        self.again()
    }

    /// Our answer in the place of any provider's.
    pub(super) fn again(&self) -> Answer {
        let fault = self.fault.as_ref().unwrap_or(&Fault::Internal);
        let mut answer = fault.answer(self.arrival.dialect, &self.arrival.request_id);
        answer.headers.extend(self.told_headers());
        answer
    }

    /// Whether the answer is not known to be complete, so that it matters why the stream is over.
    pub fn open(&self) -> bool {
        self.fault.is_none() && self.attempts.last().is_none_or(|attempt| attempt.ended.is_none())
    }
}

/// A head that has the host begin another attempt, at this cluster.
pub(super) fn marked(cluster: Option<String>) -> ReplyHead {
    ReplyHead {
        set: vec![(RETRY, "1".to_owned())],
        moves_to: cluster,
        ..ReplyHead::default()
    }
}

/// When to come again, for answers of ours in a provider's place: whole seconds, at least one.
fn retry_after(wait: Option<Duration>, status: u16) -> Option<(&'static str, String)> {
    let seconds = wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    matches!(status, 429 | 503).then(|| ("retry-after", seconds.unwrap_or(1).max(1).to_string()))
}

/// Whether a reply is a stream of events, of one kind or another.
fn is_stream(headers: &Headers) -> bool {
    ["text/event-stream", "application/vnd.amazon.eventstream"]
        .iter()
        .any(|stream| is_media(headers, stream))
}

/// Whether an answer is a page for people.
fn is_page(headers: &Headers) -> bool {
    is_media(headers, "text/html")
}

fn is_media(headers: &Headers, wanted: &str) -> bool {
    let media = headers.text("content-type").unwrap_or_default().trim_start();
    media
        .get(..wanted.len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(wanted))
}
