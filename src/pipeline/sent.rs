//! A request on its way: an order of providers, and the attempts at them so far.

use std::ops::Range;
use std::sync::Arc;

use super::admission::{Admitted, Course};
use super::attempt::{Asked, Attempt, Begun, Ending};
use super::departure::{self, Departure};
use super::guarding::{self, Watched};
use super::notes::Notes;
use super::subjects;
use super::{Arrival, Now};
use crate::ask::{Ask, Edits};
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::handoff::{Handoff, Place};
use crate::headers::Headers;
use crate::limit::admit::{self, Grant, Use};
use crate::limit::habit;
use crate::limit::store::{Books, Unwritable};
use crate::meter::Meter;
use crate::metrics;
use crate::price::Price;
use crate::provider::Provider;
use crate::record::{Attempted, Bill, Record};
use crate::route::Leg;
use crate::world::{ModelId, Target};

/// A request that has somewhere to go.
#[derive(Debug)]
#[must_use = "what was sent is recorded"]
pub struct Sent {
    pub(super) arrival: Arrival,
    path: String,
    posts: bool,
    pub(super) model: Option<ModelId>,
    pub(super) body: Body,
    legs: Vec<Leg>,
    pub(super) attempts: Vec<Attempt>,
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
    pub(super) fn new(arrival: Arrival, path: &str, posts: bool, admitted: Admitted, watched: Option<Watched>) -> Self {
        let Admitted { course, grant, notes } = admitted;
        let Course { model, body, legs } = course;
        Self {
            arrival,
            path: path.to_owned(),
            posts,
            model,
            body,
            legs,
            attempts: Vec::new(),
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
        let legs = self.legs.iter().map(|leg| {
            let provider = self.provider(leg).map_or(metrics::NONE, |provider| &provider.name);
            (
                provider.to_owned(),
                self.target(leg)
                    .map(|target| target.name_for(self.asked_name()).into_owned())
                    .unwrap_or_default(),
            )
        });
        let path = self.path.clone();
        Handoff {
            place,
            begun: self.attempts.len(),
            endpoint: self.endpoint(),
            path,
            max_output_tokens: self.notes.longest(),
            legs: legs.collect(),
        }
    }

    /// The cluster of the attempt to come.
    pub fn cluster(&self) -> Option<&str> {
        self.provider(self.leg_to_come()?).map(|provider| &*provider.name)
    }

    /// How the request's headers go to Envoy's router. A request with one leg is repeated only where its provider
    /// cannot have seen it.
    pub fn routed(&self, headers: &Headers) -> Departure {
        match self.legs.len() {
            0 | 1 => departure::to_router(headers, 1, None),
            several => departure::to_router(
                headers,
                several - 1,
                Some("5xx,reset,retriable-status-codes,retriable-headers"),
            ),
        }
    }

    /// Adds to the time spent on the request's way out.
    pub fn spent(&mut self, ns: u64) {
        self.added_ns = self.added_ns.saturating_add(ns);
    }

    /// An attempt begins, with these headers of the request. `None` where the order names a provider that the
    /// configuration does not have.
    pub fn begin(&mut self, headers: &Headers) -> Option<Begun> {
        let leg = *self.leg_to_come()?;
        self.attempts.push(Attempt::new(leg));
        let provider = self.provider(&leg)?;
        let departure = departure::to_attempt(provider, &self.path, headers);
        Some(Begun {
            departure,
            // An edit of an earlier attempt's has left its length in the headers, which are the same.
            translates: self.attempts.iter().any(|attempt| self.translates(&attempt.leg)),
            next_cluster: self.cluster().map(str::to_owned),
        })
    }

    /// An attempt begins whose headers have left already, or whose provider role runs where it cannot be seen: only its
    /// answer is read.
    pub fn begin_unseen(&mut self) {
        if let Some(leg) = self.leg_to_come().copied() {
            self.attempts.push(Attempt::new(leg));
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
        let provider = self.attempts.last().and_then(|attempt| self.provider(&attempt.leg));
        provider
            .map(|provider| departure::ahead_of_routing(provider, headers))
            .unwrap_or_default()
    }

    /// Whether the body of an attempt must be edited.
    fn translates(&self, leg: &Leg) -> bool {
        let model = self.target(leg).map(|target| target.name_for(self.asked_name()));
        match &self.body {
            Body::Json(ask) => {
                ask.lacks_usage() || self.notes.longest().is_some() || model.is_some_and(|model| *model != *ask.model)
            }
            Body::Form { name, .. } => model.is_some_and(|model| *model != **name),
            Body::Opaque => false,
        }
    }

    /// The body in the words of the attempt's provider; `None` where the client's bytes will do. Depends on the body
    /// and the leg alone, so every attempt starts from the original.
    pub fn translate(&self, body: &[u8]) -> Option<Vec<u8>> {
        let model = self
            .attempts
            .last()
            .and_then(|attempt| self.target(&attempt.leg))
            .map(|target| target.name_for(self.asked_name()));
        match &self.body {
            Body::Json(ask) => {
                let edits = Edits {
                    model: model.as_deref().filter(|model| *model != ask.model),
                    include_usage: ask.lacks_usage(),
                    max_output_tokens: self.notes.longest(),
                };
                ask.rewrite(body, edits)
            }
            Body::Form { name, span, .. } => {
                let model = model.filter(|model| **model != **name)?;
                Some([body.get(..span.start)?, model.as_bytes(), body.get(span.end..)?].concat())
            }
            Body::Opaque => None,
        }
    }

    /// What happened.
    pub fn record<'w>(&'w self, ending: Ending, now: Now) -> Record<'w> {
        let mut record = self.arrival.record(self.model, "interrupted_by_client", true, now);
        record.remarks = self.notes.remarks(&self.arrival.world);
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
            if let Some(first) = attempt.meter.as_ref().and_then(Meter::first_token_ns) {
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

    /// The last leg is repeated, should Envoy try more often than there are legs.
    fn leg_to_come(&self) -> Option<&Leg> {
        self.legs.get(self.attempts.len()).or(self.legs.last())
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
