//! The attempts of a request: how each begins, and where it goes.
//!
//! In: a request on its way, its headers, `now`, and the books, which give leave to try a provider whose rest is over. Out: the
//! headers with which an attempt leaves, and the cluster of the one after it; or our own answer, where nothing is left to be
//! tried. What becomes of an attempt is in [`super::answer`] and [`super::hold`].

use std::time::Duration;

use super::Now;
use super::attempt::{Attempt, Begun};
use super::departure::{self, Departure, Kept};
use super::failover::{Reason, nanoseconds};
use super::sent::Sent;
use crate::fault::{Answer, Fault};
use crate::headers::Headers;
use crate::limit::store::{Books, Unwritable};
use crate::route::Leg;
use crate::translate::Speech;

/// By so much a timer of the host's may end before its time, in nanoseconds.
const EARLY: u64 = 300_000_000;

impl Sent {
    /// The cluster of the attempt to come.
    pub fn cluster(&self) -> Option<&str> {
        let (_, leg) = self.leg_to_come()?;
        self.provider(&leg).map(|provider| &*provider.name)
    }

    /// The providers of the attempts to come, each once: `first,second`. For a host that has to know them ahead.
    pub fn order(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for provider in self.legs.iter().filter_map(|leg| self.provider(leg)) {
            if !names.contains(&&*provider.name) {
                names.push(&provider.name);
            }
        }
        names.join(",")
    }

    /// The host has chosen this provider for the attempt to come, whatever the order says: another's credential and words
    /// must not go there. False where the order does not have it.
    pub fn attempt_at(&mut self, provider: &str) -> bool {
        let at = |index: &usize| {
            let leg = self.legs.get(*index);
            leg.and_then(|leg| self.provider(leg))
                .is_some_and(|named| *named.name == *provider)
        };
        let there: Vec<usize> = (0..self.legs.len()).filter(at).collect();
        let chosen = there.iter().find(|index| self.is_untried(**index)).or(there.last());
        self.next = chosen.copied().or(self.next);
        chosen.is_some()
    }

    /// How the request's headers go to Envoy's router. A request with one leg is repeated only where its provider
    /// cannot have seen it.
    pub fn routed(&mut self, headers: &Headers) -> Departure {
        self.kept = Kept::of(headers);
        match self.most_attempts() {
            0 | 1 => departure::to_router(headers, 1, None, None),
            several => departure::to_router(
                headers,
                several - 1,
                Some("connect-failure,refused-stream,reset,retriable-headers"),
                Some(self.patience().as_millis()),
            ),
        }
    }

    /// How long an attempt waits for what it is begun for: a stream's first token, or a whole answer.
    fn patience(&self) -> Duration {
        let failover = self.failover();
        match self.streams() {
            true => failover.first_token_timeout,
            false => failover.answer_timeout,
        }
    }

    /// An attempt begins, with these headers of the request.
    ///
    /// # Errors
    ///
    /// What to tell the client, where there is no time left for another attempt, or the order names a provider that the
    /// configuration does not have.
    pub fn begin(&mut self, headers: &Headers, now: Now, books: &mut Books<'_>) -> Result<Begun, Answer> {
        self.give_up_unanswered(now);
        if let Err(Unwritable) = self.note(None, books) {
            return Err(self.stop(Fault::Internal));
        }
        let Some((index, leg)) = self.leg_to_come() else {
            return Err(self.stop(Fault::Internal));
        };
        let late = now.since(self.arrival.since) >= nanoseconds(self.failover().total);
        if late && self.begun() {
            return Err(self.stop(Fault::ProviderSilent));
        }
        let Some(speech) = self.speech(&leg) else {
            return Err(self.stop(Fault::Internal));
        };
        let mut attempt = Attempt::new(leg, index, speech, now);
        attempt.began = books.clock.steady;
        attempt.trial = self.trial.take_if(|(of, _)| *of == leg).map(|(_, trial)| trial);
        self.attempts.push(attempt);
        self.next = self.next_unanswered();
        let Some(provider) = self.provider(&leg) else {
            return Err(self.stop(Fault::Internal));
        };
        let model = self.target(&leg).map(|target| target.name_for(self.asked_name()));
        let way = departure::Way {
            provider,
            credential: leg.credential,
            speech,
            model: model.as_deref().unwrap_or_default(),
            stream: self.streams(),
            path: &self.path,
            kept: &self.kept,
        };
        let departure = departure::to_attempt(&way, headers);
        Ok(Begun {
            departure,
            // An edit of an earlier attempt's has left its length in the headers, which are the same.
            translates: self.attempts.iter().any(|attempt| self.translates(&attempt.leg)),
            next_cluster: self.cluster().map(str::to_owned),
        })
    }

    /// An attempt begins after one that never got an answer, or one whose answer broke off before anything of it passed.
    pub(super) fn give_up_unanswered(&mut self, now: Now) {
        let timeout = nanoseconds(self.patience());
        if let Some(attempt) = self.attempts.last_mut()
            && attempt.moved.is_none()
        {
            // The host's timer counts from where its round of events began, which on a busy machine is well before the
            // attempt; nothing else breaks off so near the end.
            let waited = now.since(attempt.since).saturating_add((timeout / 20).max(EARLY));
            attempt.held = None;
            attempt.moved = Some(match attempt.status {
                _ if attempt.since != Now::default() && waited >= timeout => Reason::Timeout,
                Some(_) => Reason::Interrupted,
                None => Reason::Connect,
            });
        }
    }

    /// Nothing is left to be tried: our answer.
    pub(super) fn stop(&mut self, fault: Fault) -> Answer {
        self.fault = Some(fault);
        self.again()
    }

    /// An attempt begins whose headers have left already, or whose provider role runs where it cannot be seen: only its
    /// answer is read.
    pub fn begin_unseen(&mut self) {
        if let Some((index, leg)) = self.leg_to_come() {
            let speech = self.speech(&leg).unwrap_or(Speech::Same);
            self.attempts.push(Attempt::new(leg, index, speech, Now::default()));
            self.next = self.next_unanswered();
        }
    }

    /// The host begins, or has begun, its attempt of this number, counted from 1: those before it that were not seen here
    /// ran in another VM. Each attempt has its own leg, and with another's credential a request must not go out.
    pub fn attempt_is(&mut self, number: usize) {
        while self.attempts.len() < number.saturating_sub(1).min(self.legs.len()) {
            self.begin_unseen();
        }
    }

    /// An attempt begins at the provider that the request's own host and path name.
    pub fn begin_here(&mut self, headers: &Headers) -> Departure {
        self.begin_unseen();
        let attempt = self.attempts.last();
        let provider = attempt.and_then(|attempt| Some((self.provider(&attempt.leg)?, attempt.leg.credential)));
        provider
            .map(|(provider, credential)| departure::ahead_of_routing(provider, credential, headers))
            .unwrap_or_default()
    }

    /// The leg of the attempt to come, and its place in the order. The latest is repeated where there is no other, or
    /// should Envoy try more often than there are legs.
    pub(super) fn leg_to_come(&self) -> Option<(usize, Leg)> {
        let index = self
            .next
            .or_else(|| self.attempts.last().map(|attempt| attempt.index))?;
        self.legs.get(index).map(|leg| (index, *leg))
    }
}
