//! The loop guard's part of a request's life.
//!
//! In: the caller, the session that a header names, the body. Out: whether it may go on, and what is said of it; once it
//! is over, how it went.

use super::Arrival;
use crate::endpoint::Endpoint;
use crate::fault::{Fault, Limited};
use crate::guard::table::{self, Place};
use crate::guard::{Finding, conversation};
use crate::limit::admit::Use;
use crate::limit::store::{Books, Unwritable};
use crate::record::Loop;

/// How the guard knows a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    place: Place,
    fingerprint: u64,
}

/// Looks at a request. Nothing, where its key has no guard; else how it is known, and what is found and only said.
pub(super) fn watch(
    arrival: &Arrival,
    session: Option<&[u8]>,
    body: &[u8],
    books: &mut Books<'_>,
) -> Result<Option<(Watched, Option<Loop>)>, Fault> {
    let Some(key) = arrival.key.and_then(|id| arrival.world.key(id)) else {
        return Ok(None);
    };
    let Some(rules) = &key.guard else {
        return Ok(None);
    };
    let conversation = conversation::read(arrival.endpoint.unwrap_or(Endpoint::Other), body);
    let place = Place::of(&key.name, table::session_of(session, &conversation));
    let finding = books
        .update(&table::bucket_name(place.bucket()), |bucket, books| {
            let (bytes, finding) = table::observe(Some(&bucket), &place, &conversation, rules, books.clock.steady);
            (Some(bytes), finding)
        })
        .map_err(|Unwritable| Fault::Internal)?;
    let watched = Watched {
        place,
        fingerprint: conversation.fingerprint,
    };
    let shadow = rules.shadow || arrival.shadow();
    match Limited::by_guard(finding) {
        Some(limited) if !shadow => Err(Fault::Limited(Box::new(limited))),
        _ => Ok(Some((watched, said(finding, shadow)))),
    }
}

/// A finding as the record has it.
pub(super) fn said(finding: Finding, shadow: bool) -> Option<Loop> {
    Some(Loop {
        step: finding.step()?,
        sign: finding.sign()?.name(),
        would_deny: shadow && finding.refused_ms().is_some(),
    })
}

/// A request that was let through is over.
pub(super) fn settle(watched: &Watched, succeeded: bool, used: Use, books: &mut Books<'_>) -> Result<(), Unwritable> {
    /// What a token counts for where it costs nothing, or nobody knows what: a dollar for a million.
    const NOMINAL: u64 = 1_000;
    let Watched { place, fingerprint } = *watched;
    let nanodollars = match used.nanodollars {
        0 => used.tokens.saturating_mul(NOMINAL),
        nanodollars => nanodollars,
    };
    books.update(&table::bucket_name(place.bucket()), |bucket, books| {
        let now = books.clock.steady;
        let bytes = table::settle(Some(&bucket), &place, fingerprint, succeeded, nanodollars, now);
        (bytes, ())
    })
}
