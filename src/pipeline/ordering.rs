//! In which order a request's providers are tried.
//!
//! In: a request, the model it is for, and the books, which know how providers fare. Out: legs ([`crate::route::order`]), and
//! leave to try the first of them, where its rest is just over. It does not know whether they have words for what is asked.

use super::Arrival;
use super::sent::Body;
use crate::fault::Fault;
use crate::hash;
use crate::health::place::Trial;
use crate::limit::store::{Books, Unwritable};
use crate::pace::Kind;
use crate::provider::Provider;
use crate::route::ahead;
use crate::route::kept::{self, Kept};
use crate::route::order::{Question, order};
use crate::route::{self, Leg};
use crate::translate::Speech;
use crate::world::{ModelId, ProviderId, Target};

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
    body: &Body,
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
    let (streams, tokens) = match body {
        Body::Json(ask) => (
            ask.stream,
            ask.input_estimate.saturating_add(ask.max_output_tokens.unwrap_or(0)),
        ),
        Body::Form { .. } | Body::Opaque => (false, 0),
    };
    let mut kept = Kept {
        world,
        books,
        waits_for: match streams {
            true => Kind::FirstToken,
            false => Kind::Answer,
        },
    };
    let says = |provider: &Provider| Speech::to(provider, endpoint, arrival.dialect).is_some();
    let fits = |target: &Target| target.context.is_none_or(|most| tokens <= most);
    let mut legs = order(
        world,
        question,
        |provider, target| says(provider) && fits(target),
        &mut kept,
    );
    if legs.is_empty() {
        // It is an estimate: the provider has the last word.
        legs = order(world, question, |provider, _| says(provider), &mut kept);
    }
    if world.orders_ahead
        && let Some(model) = world.model(model)
    {
        ahead::keep(world, model, &mut legs);
    }
    legs
}

/// Sees to it that the first leg may be tried, with leave where that is needed.
pub(super) fn claim(
    arrival: &Arrival,
    model: Option<ModelId>,
    legs: &mut [Leg],
    books: &mut Books<'_>,
) -> Result<Option<Trial>, Fault> {
    kept::lead(&arrival.world, model, legs, books).map_err(|Unwritable| Fault::Internal)
}
