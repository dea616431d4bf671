//! What attempts say of their providers, taken down as soon as it is known: the next request is to know it, however long
//! this one still takes.
//!
//! In: a request on its way, and the books. Out: the health of the providers it has been to, what they say is left of their
//! own limits, and how soon they answer. It decides nothing.

use std::time::Duration;

use super::Now;
use super::attempt::{Attempt, Ending};
use super::failover::Reason;
use super::sent::Sent;
use crate::conversation::Cause;
use crate::document::Order;
use crate::fault::Fault;
use crate::headers::Headers;
use crate::health::{Sign, quota, wait};
use crate::limit::store::{Books, Unwritable};
use crate::pace::{self, Kind};
use crate::route::kept;
use crate::world::Model;

/// An account that has nothing left is not asked again for so long.
const EXHAUSTED: Duration = Duration::from_secs(60);

impl Sent {
    /// What the head of an answer says of its provider besides the answer.
    pub(super) fn learn_from(&mut self, headers: &Headers, status: u16, now: Now) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.quota = quota::quota(headers);
            attempt.wait = match status {
                429 | 503 | 529 => wait::retry_after(headers, now.seconds()),
                _ => None,
            };
        }
    }

    /// Whether there is something to be taken down.
    pub fn has_news(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.noted.is_none() && sign(attempt, None).is_some())
    }

    /// Takes down what is known of the attempts so far. `over`: how the latest ended, once the request is over.
    pub fn note(&mut self, over: Option<Ending>, books: &mut Books<'_>) -> Result<(), Unwritable> {
        if over.is_some() {
            self.learn_pace(books)?;
        }
        let last = self.attempts.len().saturating_sub(1);
        for index in 0..self.attempts.len() {
            let Some(attempt) = self.attempts.get_mut(index) else {
                continue;
            };
            let Some(sign) = sign(attempt, over.filter(|_| index == last)) else {
                continue;
            };
            // An answer that began well may break off.
            let worse = attempt.noted == Some(Sign::Served) && sign == Sign::Failed;
            if attempt.noted.is_some() && !worse {
                continue;
            }
            attempt.noted = Some(sign);
            let leg = attempt.leg;
            let (began, trial) = (attempt.began, attempt.trial.take());
            let quota = core::mem::take(&mut attempt.quota);
            let Some(provider) = self.provider(&leg) else {
                continue;
            };
            let Some(place) = kept::place(&self.arrival.world, self.model, &leg) else {
                continue;
            };
            let quotas = quota::cell_name(&provider.name, leg.credential);
            let rests = place.note(&provider.health, sign, began, trial, books)?;
            if !quota.is_empty() {
                quota::note(&quotas, &quota, books)?;
            }
            self.rests.extend(rests.map(|reason| (leg.provider, reason)));
        }
        Ok(())
    }

    /// Takes down how soon the provider that served this request answered, where its model goes by that.
    fn learn_pace(&self, books: &mut Books<'_>) -> Result<(), Unwritable> {
        let by_pace = |model: &&Model| model.order == Order::Fastest;
        let model = self.model.and_then(|id| self.arrival.world.model(id)).filter(by_pace);
        let Some(attempt) = self.attempts.last().filter(|_| model.is_some()) else {
            return Ok(());
        };
        let served = attempt.moved.is_none() && attempt.fault.is_none() && matches!(attempt.status, Some(200..300));
        let (Some(target), Some(provider)) = (self.target(&attempt.leg), self.provider(&attempt.leg)) else {
            return Ok(());
        };
        let (kind, at) = match self.streams() {
            true => (Kind::FirstToken, attempt.first_token_ns().map(Now)),
            false => (Kind::Answer, attempt.ended),
        };
        match at {
            Some(at) if served && attempt.since != Now::default() => {
                let cell = pace::cell_name(&provider.name, &target.model);
                pace::learn(&cell, kind, at.since(attempt.since) / 1_000, books)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What an attempt says of its provider; `None`: nothing that is known yet.
fn sign(attempt: &Attempt, over: Option<Ending>) -> Option<Sign> {
    if let Some(reason) = attempt.moved {
        return Some(match reason {
            Reason::Connect
            | Reason::Interrupted
            | Reason::Timeout
            | Reason::ServerError
            | Reason::ErrorInAnswer
            | Reason::Garbled => Sign::Failed,
            Reason::RateLimited => Sign::Limited(attempt.wait),
            Reason::Exhausted => Sign::Limited(Some(attempt.wait.unwrap_or(EXHAUSTED))),
            Reason::Credential => Sign::Refused,
            Reason::ContextWindow | Reason::ContentFilter | Reason::NotFound => Sign::Nothing,
        });
    }
    match &attempt.fault {
        Some(Fault::ProviderCredential) => return Some(Sign::Refused),
        Some(Fault::ProviderBusy) => return Some(Sign::Limited(attempt.wait)),
        Some(Fault::ProviderExhausted) => return Some(Sign::Limited(Some(attempt.wait.unwrap_or(EXHAUSTED)))),
        Some(Fault::Provider(refusal)) => {
            return Some(match refusal.cause {
                Cause::RateLimited => Sign::Limited(attempt.wait),
                Cause::Exhausted => Sign::Limited(Some(EXHAUSTED)),
                Cause::Authentication | Cause::Permission => Sign::Refused,
                Cause::Overloaded | Cause::Timeout | Cause::Server => Sign::Failed,
                Cause::Invalid | Cause::ContextExceeded | Cause::Filtered | Cause::TooLarge | Cause::NotFound => {
                    Sign::Nothing
                }
            });
        }
        Some(_) => return Some(Sign::Failed),
        None => {}
    }
    let held = attempt.held.is_some();
    match (attempt.status, over) {
        (Some(408 | 500..), _) => Some(Sign::Failed),
        (Some(300..), _) => Some(Sign::Nothing),
        // Whatever has passed on is an answer.
        (Some(_), None) if !held => Some(Sign::Served),
        (Some(_), Some(Ending::ByClient)) if held => Some(Sign::Nothing),
        (Some(_), Some(Ending::ByProvider)) if attempt.ended.is_none() => Some(Sign::Failed),
        (Some(_), Some(_)) => Some(Sign::Served),
        (None, Some(Ending::ByProvider)) => Some(Sign::Failed),
        (None, Some(Ending::ByClient)) => Some(Sign::Nothing),
        (Some(_) | None, None) => None,
    }
}
