//! A request that is over: what happened, and what it used in the place of what was set aside for it.
//!
//! In: a request with all its attempts. Out: its one [`Record`], and the books put right.

use super::Now;
use super::attempt::{Asked, Ending};
use super::failover::Reason;
use super::guarding;
use super::sent::{Body, Sent};
use super::subjects;
use crate::ask::Ask;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::limit::admit::{self, Grant, Use};
use crate::limit::habit;
use crate::limit::store::{Books, Unwritable};
use crate::metrics;
use crate::price::Price;
use crate::record::{Attempted, Bill, Record};
use crate::route::Leg;
use std::sync::Arc;

impl Sent {
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
    pub(super) fn learn(&self, record: &Record<'_>, books: &mut Books<'_>) -> Result<(), Unwritable> {
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

    pub(super) fn price(&self, leg: &Leg) -> Option<Arc<Price>> {
        self.arrival.world.price(self.target(leg)?, self.asked_name())
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
