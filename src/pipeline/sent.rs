//! A request on its way: an order of providers, and the attempts at them so far.

use std::ops::Range;
use std::sync::Arc;

use super::admission::{Admitted, Course};
use super::attempt::{Asked, Attempt, Begun, Ending};
use super::departure::{self, Departure, Kept};
use super::failover::{Reason, nanoseconds};
use super::guarding::{self, Watched};
use super::notes::Notes;
use super::saying;
use super::subjects;
use super::{Arrival, Now};
use crate::ask::{Ask, Edits};
use crate::endpoint::Endpoint;
use crate::fault::{Answer, Fault};
use crate::handoff::{Handoff, Place, Stop};
use crate::headers::Headers;
use crate::health::{self, place::Trial};
use crate::limit::admit::{self, Grant, Use};
use crate::limit::habit;
use crate::limit::store::{Books, Unwritable};
use crate::metrics;
use crate::price::Price;
use crate::provider::Provider;
use crate::record::{Attempted, Bill, Record};
use crate::route::Leg;
use crate::translate::{Speech, Written};
use crate::world::{ModelId, ProviderId, Target};

/// A request that has somewhere to go.
#[derive(Debug)]
#[must_use = "what was sent is recorded"]
pub struct Sent {
    pub(super) arrival: Arrival,
    path: String,
    posts: bool,
    pub(super) model: Option<ModelId>,
    pub(super) body: Body,
    pub(super) legs: Vec<Leg>,
    pub(super) attempts: Vec<Attempt>,
    /// Which of the legs comes next; `None`: the latest once more.
    pub(super) next: Option<usize>,
    /// The client's body, where a backup needs it in other words: whether it can be said in them is asked when it comes to that.
    original: Option<Vec<u8>>,
    /// The body in the words of one leg's provider, for the attempt there.
    written: Option<(Leg, Written)>,
    /// The leave to try a leg's provider whose rest is over.
    trial: Option<(Leg, Trial)>,
    /// Providers that rest from now on, and why.
    pub(super) rests: Vec<(ProviderId, health::Reason)>,
    /// Headers of the client's that one provider gets and another does not.
    kept: Kept,
    /// Answered in the end by us, because no provider did.
    pub(super) fault: Option<Fault>,
    /// Spent inside Tollgate until it left.
    added_ns: u64,
    /// What is set aside for it, until that is settled.
    grant: Option<Grant>,
    pub(super) notes: Notes,
    /// How the loop guard knows it.
    watched: Option<Watched>,
}

/// What is known of the request's body.
#[derive(Debug)]
pub(super) enum Body {
    /// JSON that was read.
    Json(Ask),
    /// A form, and its model: the name, and where it stands.
    Form {
        name: String,
        span: Range<usize>,
        bytes: usize,
    },
    /// Not looked into.
    Opaque,
}

impl Body {
    /// The model that it names; empty where it names none.
    pub(super) fn model(&self) -> &str {
        match self {
            Self::Json(ask) => &ask.model,
            Self::Form { name, .. } => name,
            Self::Opaque => "",
        }
    }
}

impl Sent {
    pub(super) fn new(
        arrival: Arrival,
        path: &str,
        posts: bool,
        admitted: Admitted,
        watched: Option<Watched>,
        trial: Option<(Leg, Trial)>,
    ) -> Self {
        let Admitted { course, grant, notes } = admitted;
        let Course {
            model,
            body,
            legs,
            original,
            written,
            session: _,
        } = course;
        Self {
            arrival,
            path: path.to_owned(),
            posts,
            model,
            body,
            next: (!legs.is_empty()).then_some(0),
            legs,
            attempts: Vec::new(),
            original,
            written,
            trial,
            rests: Vec::new(),
            kept: Kept::default(),
            fault: None,
            added_ns: 0,
            grant: Some(grant),
            notes,
            watched,
        }
    }

    /// The state that all of a request's life shares.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// What crosses to the provider role.
    pub fn handoff(&self, place: Place) -> Handoff {
        let stop = |leg: &Leg| Stop {
            provider: self
                .provider(leg)
                .map_or(metrics::NONE, |provider| &provider.name)
                .to_owned(),
            credential: leg.credential,
            model: self
                .target(leg)
                .map(|target| target.name_for(self.asked_name()).into_owned())
                .unwrap_or_default(),
        };
        Handoff {
            place,
            begun: self.attempts.len(),
            endpoint: self.endpoint(),
            path: self.path.clone(),
            max_output_tokens: self.notes.longest(),
            stream: self.streams(),
            legs: self.legs.iter().map(stop).collect(),
        }
    }

    /// The cluster of the attempt to come.
    pub fn cluster(&self) -> Option<&str> {
        let (_, leg) = self.leg_to_come()?;
        self.provider(&leg).map(|provider| &*provider.name)
    }

    /// How the request's headers go to Envoy's router. A request with one leg is repeated only where its provider
    /// cannot have seen it.
    pub fn routed(&mut self, headers: &Headers) -> Departure {
        self.kept = Kept::of(headers);
        match self.most_attempts() {
            0 | 1 => departure::to_router(headers, 1, None, None),
            several => {
                let failover = self.failover();
                let timeout = match self.streams() {
                    true => failover.first_token_timeout,
                    false => failover.answer_timeout,
                };
                departure::to_router(
                    headers,
                    several - 1,
                    Some("connect-failure,refused-stream,reset,retriable-headers"),
                    Some(timeout.as_millis()),
                )
            }
        }
    }

    /// Adds to the time spent on the request's way out.
    pub fn spent(&mut self, ns: u64) {
        self.added_ns = self.added_ns.saturating_add(ns);
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
    fn give_up_unanswered(&mut self, now: Now) {
        let stream = self.streams();
        let timeout = {
            let failover = self.failover();
            nanoseconds(match stream {
                true => failover.first_token_timeout,
                false => failover.answer_timeout,
            })
        };
        if let Some(attempt) = self.attempts.last_mut()
            && attempt.moved.is_none()
        {
            let waited = now.since(attempt.since);
            attempt.held = None;
            attempt.moved = Some(match attempt.status {
                _ if attempt.since != Now::default() && waited >= timeout => Reason::Timeout,
                Some(_) => Reason::Interrupted,
                None => Reason::Connect,
            });
        }
    }

    /// Nothing is left to be tried: our answer.
    fn stop(&mut self, fault: Fault) -> Answer {
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

    /// Whether the body of an attempt must be edited.
    fn translates(&self, leg: &Leg) -> bool {
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
                Err(fault) => Err(self.stop(fault)),
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
    fn say(&self, leg: &Leg, body: &[u8]) -> Result<Written, Fault> {
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
    fn takes_stream_options(&self, leg: &Leg) -> bool {
        self.provider(leg).is_none_or(|provider| provider.facts.stream_options)
    }

    /// How a leg's provider is spoken to.
    fn speech(&self, leg: &Leg) -> Option<Speech> {
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

    /// What happened.
    pub fn record<'w>(&'w self, ending: Ending, now: Now) -> Record<'w> {
        let mut record = self.arrival.record(self.model, "interrupted_by_client", true, now);
        record.remarks = self.notes.remarks(&self.arrival.world);
        let world = &self.arrival.world;
        let rests = self.rests.iter();
        record.rests = rests
            .filter_map(|(id, reason)| Some((&*world.provider(*id)?.name, reason.name())))
            .collect();
        record.added_us = self.begun().then_some(self.added_ns / 1_000);
        let asked = Asked {
            endpoint: self.endpoint(),
            input_estimate: match &self.body {
                Body::Json(ask) => ask.input_estimate,
                Body::Form { .. } | Body::Opaque => 0,
            },
            posts: self.posts,
        };
        let last = self.attempts.len().saturating_sub(1);
        for (index, attempt) in self.attempts.iter().enumerate() {
            let ending = if index == last && self.fault.is_none() {
                ending
            } else {
                Ending::ByProvider
            };
            let reading = attempt.reading();
            let provider = self
                .provider(&attempt.leg)
                .map_or(metrics::NONE, |provider| &provider.name);
            let outcome = attempt.outcome(&reading, ending);
            let bill = attempt.bill(&asked, &reading, ending, self.price(&attempt.leg).as_deref());
            record.provider = provider;
            record.outcome = outcome;
            if let Some(first) = attempt.first_token_ns() {
                record.first_token_ms = Some(Now(first).since(self.arrival.since) / 1_000_000);
                // Of a stream that was cut it is not known when its last token came.
                record.per_token_us = attempt.ended.and_then(|ended| {
                    let after_first = output_tokens(&bill).saturating_sub(1);
                    (ended.since(Now(first)) / 1_000).checked_div(after_first)
                });
            }
            let undecoded = reading.undecoded || attempt.unreadable;
            record.attempts.push(Attempted {
                provider,
                outcome,
                bill,
                undecoded,
                moved: attempt.moved.map(Reason::name),
                dropped: attempt.losses.iter().map(|loss| loss.label).collect(),
            });
        }
        if let Some(fault) = &self.fault {
            record.outcome = fault.outcome();
        }
        record
    }

    /// Counts it among its key's requests that are there; if it cannot be, what was set aside is given back.
    pub(super) fn enter(&mut self, books: &mut Books<'_>) -> Result<(), Fault> {
        let entered = self.arrival.enter(books);
        if entered.is_err()
            && let Some(grant) = self.grant.take()
        {
            admit::give_back(grant, books);
        }
        entered
    }

    /// Gives up what is set aside for it, to be settled.
    pub fn take_grant(&mut self) -> Option<Grant> {
        self.grant.take()
    }

    /// Puts what it used in the place of what was set aside, and counts it out of its key's requests. Whether it was still
    /// counted there.
    pub fn settle(&self, grant: Option<Grant>, record: &Record<'_>, books: &mut Books<'_>) -> Result<bool, Unwritable> {
        let world = &self.arrival.world;
        let cell = self.arrival.key.and_then(|id| world.key(id)).map(subjects::key_cell);
        let present = cell.as_deref().zip(self.arrival.present);
        let grant = grant.unwrap_or_default();
        let whole = record.used(None);
        let was_present = admit::settle(grant, present, books, |provider| match provider {
            None => Some(whole),
            Some(id) => {
                let gone_to = self.attempts.iter().any(|attempt| attempt.leg.provider == id);
                let name = world.provider(id).map(|provider| &*provider.name);
                gone_to.then(|| name.map_or(Use::default(), |name| record.used(Some(name))))
            }
        })?;
        if let Some(watched) = &self.watched {
            let succeeded = record.outcome == "ok";
            guarding::settle(watched, succeeded, whole, books)?;
        }
        self.learn(record, books)?;
        Ok(was_present)
    }

    /// Remembers how long the answer was, where the next request may not say.
    fn learn(&self, record: &Record<'_>, books: &mut Books<'_>) -> Result<(), Unwritable> {
        let Body::Json(Ask {
            max_output_tokens: None,
            choices,
            ..
        }) = &self.body
        else {
            return Ok(());
        };
        let output = record
            .attempts
            .last()
            .and_then(|attempt| attempt.bill.reported_output());
        let world = &self.arrival.world;
        let key = self.arrival.key.and_then(|id| world.key(id));
        let model = self.model.and_then(|id| world.model(id));
        if let (Some(output), Some(key), Some(model)) = (output, key, model)
            && self.endpoint() != Endpoint::Embeddings
        {
            habit::learn(
                &subjects::habit_cell(key, model),
                output.div_ceil((*choices).max(1)),
                books,
            )?;
        }
        Ok(())
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.arrival.endpoint.unwrap_or(Endpoint::Other)
    }

    /// The leg of the attempt to come, and its place in the order. The latest is repeated where there is no other, or
    /// should Envoy try more often than there are legs.
    fn leg_to_come(&self) -> Option<(usize, Leg)> {
        let index = self
            .next
            .or_else(|| self.attempts.last().map(|attempt| attempt.index))?;
        self.legs.get(index).map(|leg| (index, *leg))
    }

    pub(super) fn provider(&self, leg: &Leg) -> Option<&Provider> {
        self.arrival.world.provider(leg.provider)
    }

    pub(super) fn target(&self, leg: &Leg) -> Option<&Target> {
        self.arrival.world.model(self.model?)?.targets.get(leg.target?)
    }

    fn price(&self, leg: &Leg) -> Option<Arc<Price>> {
        self.arrival.world.price(self.target(leg)?, self.asked_name())
    }

    /// The model's name as the client has it; empty where it names none.
    fn asked_name(&self) -> &str {
        self.body.model()
    }
}

fn output_tokens(bill: &Bill) -> u64 {
    match bill {
        Bill::Metered {
            reported, estimated, ..
        } => reported.completion().saturating_add(estimated.completion()),
        Bill::Nothing | Bill::Unmetered => 0,
    }
}
