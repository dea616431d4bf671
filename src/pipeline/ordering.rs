//! In which order a request's providers are tried.
//!
//! In: a request, the model it is for, and the books, which know how providers fare. Out: legs ([`crate::route::order`]), and
//! the leave to try the first of them, where its rest is just over. It does not know whether they have words for what is asked.

use super::Arrival;
use crate::fault::Fault;
use crate::hash;
use crate::health::{self, Lease, Standing};
use crate::limit::store::{Books, Unwritable};
use crate::provider::Provider;
use crate::route::order::{Question, order, put_off};
use crate::route::{self, Leg};
use crate::translate::Speech;
use crate::world::{ModelId, ProviderId};

/// So much of the beginning of a body stands for its session, where the client names none: the instructions that all of a
/// conversation's requests begin with, and that a prompt cache would know.
const OPENING: usize = 1024;

/// What stands for a request's session: what its client calls it, or else how its body begins.
pub(super) fn session(named: Option<&[u8]>, body: &[u8]) -> Option<u64> {
    let opening = body.get(..OPENING.min(body.len())).unwrap_or_default();
    let marks = named.unwrap_or(opening);
    (!marks.is_empty()).then(|| hash::of(marks))
}

/// The legs for a model. `at`: the provider that the request's host names, where hosts choose.
pub(super) fn legs(
    arrival: &Arrival,
    model: ModelId,
    at: Option<ProviderId>,
    session: Option<u64>,
    books: &mut Books<'_>,
) -> Vec<Leg> {
    let world = &arrival.world;
    if let Some(provider) = at {
        return route::for_model_at(world, model, provider, arrival.dialect);
    }
    let Some(endpoint) = arrival.endpoint else {
        return Vec::new();
    };
    let question = Question {
        model,
        key: arrival.key,
        draw: hash::both(hash::of(arrival.request_id.as_bytes()), arrival.since.0),
        session,
    };
    let books = core::cell::RefCell::new(books);
    let standing = |id: ProviderId, credential| match (world.provider(id), books.try_borrow_mut()) {
        (Some(provider), Ok(mut books)) => health::standing(
            &health::cell_name(&provider.name, credential),
            &provider.health,
            &mut books,
        ),
        _ => Standing::Fit,
    };
    let serves = |provider: &Provider, _: &_| Speech::to(provider, endpoint, arrival.dialect).is_some();
    order(world, question, serves, standing, |_| None)
}

/// Asks for leave to try the first leg's provider, where its rest is over and one request at a time may; if another has it,
/// that leg comes last.
pub(super) fn claim(arrival: &Arrival, legs: &mut Vec<Leg>, books: &mut Books<'_>) -> Result<Option<Lease>, Fault> {
    for _ in 0..legs.len() {
        let Some(leg) = legs.first().copied() else { break };
        let Some(provider) = arrival.world.provider(leg.provider) else {
            break;
        };
        let cell = health::cell_name(&provider.name, leg.credential);
        if health::standing(&cell, &provider.health, books) != Standing::Trying {
            break;
        }
        match health::claim(&cell, &provider.health, books) {
            Ok(Some(lease)) => return Ok(Some(lease)),
            Ok(None) => put_off(legs, leg),
            Err(Unwritable) => return Err(Fault::Internal),
        }
    }
    Ok(None)
}
