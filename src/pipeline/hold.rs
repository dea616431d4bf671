//! An answer that is held back until it is known whether it is one.
//!
//! In: an answer's beginning. Out: whether its head goes on, and with what, or whether another provider is tried. Until the
//! head has passed, the client has seen nothing, and the host can begin another attempt; from then on it cannot. So it is
//! held no longer than needed: a stream until its first token, an answer in one piece until its first
//! [`BEGINNING`] bytes, an error until it has said what is wrong. What is translated is held until it says something.

use super::Now;
use super::answer::marked;
use super::attempt::{Onward, ReplyHead};
use super::failover::Reason;
use super::sent::Sent;
use crate::conversation::{Cause, Refusal};
use crate::fault::Fault;
use crate::meter::Passed;
use crate::translate::{self, Client, Speech};

/// Of an answer in one piece, so much shows whether it is an error.
const BEGINNING: usize = 16 * 1024;
/// The most that is held of a stream before its first token, in bytes.
const MOST: usize = 256 * 1024;

/// What is held back of an answer.
#[derive(Debug)]
pub(super) struct Held {
    /// How its head would go on.
    pub(super) head: ReplyHead,
    /// What would go on of its body.
    pub(super) bytes: Vec<u8>,
    /// What it waits for.
    pub(super) until: Until,
}

/// What a held answer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A stream's first token.
    FirstToken,
    /// The beginning of an answer in one piece.
    Beginning,
    /// Something to say in the client's words.
    Translated,
    /// All of an error.
    Error,
}

/// What is to become of a held answer.
enum Verdict {
    /// More must come first.
    Wait,
    /// It goes on.
    Pass,
    /// It is an error.
    Refused(Refusal),
    /// It is one that a filter kept back.
    Withheld,
    /// It is an answer that cannot be understood.
    Garbled,
}

impl Sent {
    /// Bytes of a held answer.
    pub(super) fn held_chunk(&mut self, chunk: &[u8], now: Now, end: bool) -> Onward {
        let endpoint = self.endpoint();
        let filters = self.failover().content_filter;
        let Some(attempt) = self.attempts.last_mut() else {
            return Onward::Unchanged;
        };
        let passed = attempt.chunk(chunk, now, end);
        let error = Client::at(endpoint)
            .filter(|_| end)
            .and_then(|client| attempt.broken_off(client));
        let reading = attempt.reading();
        let first = attempt.first_token_ns();
        let Some(held) = &mut attempt.held else {
            return Onward::Unchanged;
        };
        match &passed {
            Passed::Unchanged => held.bytes.extend_from_slice(chunk),
            Passed::Replaced(bytes) => held.bytes.extend_from_slice(bytes),
        }
        held.bytes.extend(error.unwrap_or_default());
        let api = attempt.speech.api(endpoint);
        let verdict = match held.until {
            Until::FirstToken | Until::Beginning => {
                let streamed = held.until == Until::FirstToken;
                let enough = match streamed {
                    true => first.is_some() || reading.complete || held.bytes.len() > MOST,
                    false => held.bytes.len() > BEGINNING,
                };
                if (reading.error_in_stream || attempt.cut) && first.is_none() && (end || streamed) {
                    let refusal = api.and_then(|api| translate::answer::refusal_in(api, streamed, &held.bytes));
                    Verdict::Refused(refusal.unwrap_or_else(|| Refusal::new(Cause::Server, "")))
                } else if filters
                    && first.is_none()
                    && (end || reading.complete && streamed)
                    && api.is_some_and(|api| translate::answer::withheld_in(api, streamed, &held.bytes))
                {
                    Verdict::Withheld
                } else if enough || end {
                    Verdict::Pass
                } else {
                    Verdict::Wait
                }
            }
            Until::Translated => match attempt.reader.translated() {
                None => Verdict::Garbled,
                Some((false, Some(_))) if reading.undecoded => Verdict::Garbled,
                Some((false, Some(refusal))) => Verdict::Refused(refusal.clone()),
                Some(_) if attempt.reader.withheld() && (end || reading.complete) => Verdict::Withheld,
                Some(_) if end || first.is_some() || reading.complete => Verdict::Pass,
                Some(_) => Verdict::Wait,
            },
            Until::Error if end || held.bytes.len() > MOST => {
                let status = attempt.status.unwrap_or_default();
                let refusal = translate::refused(attempt.speech, endpoint, status, &held.bytes);
                Verdict::Refused(refusal.unwrap_or_else(|| Refusal::new(Cause::Invalid, "")))
            }
            Until::Error => Verdict::Wait,
        };
        match verdict {
            Verdict::Wait => Onward::Held,
            Verdict::Pass => self.release(),
            Verdict::Refused(refusal) => self.refused(refusal, now),
            Verdict::Withheld => match self.move_on(Cause::Filtered, true, now) {
                Some((reason, next)) => self.give_up(reason, next),
                None => self.release(),
            },
            Verdict::Garbled => match self.next_for(Reason::Garbled, now) {
                Some(next) => self.give_up(Reason::Garbled, next),
                None => self.told_instead(Fault::ProviderGarbled),
            },
        }
    }

    /// The held answer goes on as it is.
    fn release(&mut self) -> Onward {
        match self.attempts.last_mut().and_then(|attempt| attempt.held.take()) {
            Some(held) => Onward::Released(held.head, held.bytes),
            None => Onward::Unchanged,
        }
    }

    /// The held answer is an error of the provider's.
    fn refused(&mut self, refusal: Refusal, now: Now) -> Onward {
        let in_success = self
            .attempts
            .last()
            .and_then(|attempt| attempt.status)
            .is_some_and(|status| (200..300).contains(&status));
        if let Some((reason, next)) = self.move_on(refusal.cause, in_success, now) {
            return self.give_up(reason, next);
        }
        let same = self.attempts.last_mut().is_some_and(|attempt| {
            attempt.refused = Some(refusal.cause);
            attempt.speech == Speech::Same
        });
        // In the client's own dialect the provider's words are the best there are, unless they are about our credential.
        match refusal.cause {
            Cause::Authentication | Cause::Permission => self.told_instead(Fault::ProviderCredential),
            _ if same => self.release(),
            _ => self.told_instead(Fault::Provider(refusal)),
        }
    }

    /// Another attempt takes the place of the latest, of which nothing has passed on.
    pub(super) fn give_up(&mut self, reason: Reason, next: usize) -> Onward {
        let head = self.mark(reason, next);
        Onward::Released(head, Vec::new())
    }

    /// Marks the latest attempt as given up: the head that has the host begin the next.
    pub(super) fn mark(&mut self, reason: Reason, next: usize) -> ReplyHead {
        self.next = Some(next);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.moved = Some(reason);
            attempt.held = None;
        }
        marked(self.cluster().map(str::to_owned))
    }

    /// Our answer takes the place of a held one.
    fn told_instead(&mut self, fault: Fault) -> Onward {
        let Some(held) = self.attempts.last_mut().and_then(|attempt| attempt.held.take()) else {
            return Onward::Unchanged;
        };
        let (head, body) = self.instead(held.head, fault);
        Onward::Released(head, body)
    }
}
