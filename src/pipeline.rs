//! The life of a request, top to bottom.
//!
//! ```text
//! authenticate → permit → route → watch → admit → [ translate → attempt → read ] × attempts → meter → price → settle → record
//! ```
//!
//! In: headers, bytes and `now`. Out: values that the shell applies to the host: an [`Answer`], headers to change, bytes
//! to send on, and in the end one [`Record`]. It never touches the host, so it runs and is tested natively.
//!
//! Each state is a type that owns what is known by then:
//!
//! - [`receive`] looks at the headers and gives a [`Receipt`];
//! - [`Received`] waits for the body, and [`Received::ask`] reads it;
//! - [`Sent`] has an order of providers and goes through attempts;
//! - [`Refused`] and [`Answered`] ended without one.
//!
//! Of a request that was admitted something is set aside ([`crate::limit`]); [`Sent::settle`] puts what it used in its place.
//!
//! The last three have a `record`: exactly one of them is called, when the host says that the stream is over. A
//! [`Received`] whose client went away before its body was complete makes its record too.

use std::rc::Rc;

use crate::caller::{self, Refusal, UnixSeconds};
use crate::dialect::Dialect;
use crate::endpoint::{self, Endpoint};
use crate::fault::{Answer, Fault, Kind};
use crate::headers::Headers;
use crate::limit::admit;
use crate::limit::store::{Books, Owner, Unwritable};
use crate::metrics;
use crate::record::{Record, Remarks};
use crate::world::{KeyId, ModelId, ProviderId, World};

mod admission;
mod answer;
mod attempt;
mod departure;
mod failover;
mod foreign;
mod guarding;
mod hold;
mod listing;
mod notes;
mod noting;
mod ordering;
mod received;
mod saying;
mod sent;
mod settling;
mod status;
pub(crate) mod subjects;
mod told;
mod trying;
mod want;
mod wording;

pub use answer::Answering;
pub use attempt::{Attempt, Begun, Ending, Heading, Onward, ReplyHead};
pub use departure::Departure;
pub use failover::Reason;
pub use foreign::Foreign;
pub use received::Received;
pub use sent::Sent;

use received::BodyKind;

/// Wall-clock time in nanoseconds since 1970. It may jump; differences saturate at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

impl Now {
    /// Nanoseconds since an earlier moment.
    pub fn since(self, earlier: Now) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds.
    pub fn seconds(self) -> UnixSeconds {
        UnixSeconds((self.0 / 1_000_000_000) as i64)
    }
}

/// What the headers of a request led to.
#[derive(Debug)]
pub enum Receipt {
    /// Not Tollgate's: a host that is no provider's, where the mesh decides where requests go. Let it pass.
    Pass,
    /// A body is to come; it decides.
    Await(Box<Received>),
    /// Complete without a body, and on its way.
    Send(Box<Sent>),
    /// Answered by Tollgate itself.
    Answer(Answered),
    /// Refused.
    Refuse(Refused),
}

/// Who asks for what kind of thing, since when: known from the headers on, to the end.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The configuration this request is judged by, from its first byte to its last.
    pub world: Rc<World>,
    /// What kind of request it is; `None` where nothing is served.
    pub endpoint: Option<Endpoint>,
    /// The client's dialect.
    pub dialect: Dialect,
    /// The caller, once recognised.
    pub key: Option<KeyId>,
    /// When its headers came.
    pub since: Now,
    /// The host's id of the request; empty where it has none.
    pub request_id: Box<str>,
    /// Whether its path keeps files and nothing else.
    pub keeps_files: bool,
    /// Whether its conversation has been with providers of other APIs, so that not all of its body is for everybody.
    pub mixed: bool,
    /// By whom it is counted among its key's requests that are there; `None`: it is not.
    pub present: Option<Owner>,
}

/// A request that Tollgate will not serve.
#[derive(Debug)]
#[must_use = "a refusal is answered and recorded"]
pub struct Refused {
    arrival: Arrival,
    model: Option<ModelId>,
    /// Whether its key counted as in flight until now.
    in_flight: bool,
    fault: Fault,
}

/// A request that Tollgate answered by itself.
#[derive(Debug)]
#[must_use = "an answered request is recorded"]
pub struct Answered {
    arrival: Arrival,
    /// What to send.
    pub answer: Answer,
}

/// Judges a request by its headers. `ends` says that no body follows.
pub fn receive(world: &Rc<World>, headers: &Headers, ends: bool, now: Now, books: &mut Books<'_>) -> Receipt {
    let at = match world.hold_headers {
        true => None,
        false => match headers.text(":authority").and_then(|host| world.provider_by_host(host)) {
            Some(provider) => Some(provider),
            None => return Receipt::Pass,
        },
    };
    let path = headers.text(":path").unwrap_or_default();
    let endpoint = endpoint::classify(path);
    let mut arrival = Arrival {
        world: Rc::clone(world),
        endpoint,
        dialect: client_dialect(
            endpoint,
            headers,
            at.and_then(|id| world.provider(id)).map(|p| p.dialect),
        ),
        key: None,
        since: now,
        request_id: headers.text("x-request-id").unwrap_or_default().into(),
        keeps_files: endpoint == Some(Endpoint::Other) && endpoint::keeps_files(path),
        mixed: false,
        present: None,
    };
    match judge(&mut arrival, headers, ends, at, path, books) {
        Ok(receipt) => receipt,
        Err(fault) => Receipt::Refuse(Refused {
            arrival,
            model: None,
            in_flight: false,
            fault,
        }),
    }
}

/// Authenticate first, so that nobody learns anything about the gateway without a key.
fn judge(
    arrival: &mut Arrival,
    headers: &Headers,
    ends: bool,
    at: Option<ProviderId>,
    path: &str,
    books: &mut Books<'_>,
) -> Result<Receipt, Fault> {
    if arrival.endpoint == Some(Endpoint::Status) {
        return status::answer(arrival, headers, path, books).map(Receipt::Answer);
    }
    let world = Rc::clone(&arrival.world);
    let credential = caller::presented(|name| headers.value(name));
    arrival.key = Some(
        caller::authenticate(&world, credential, arrival.since.seconds()).map_err(|refusal| {
            arrival.key = match refusal {
                Refusal::Disabled(key) | Refusal::Expired(key) => Some(key),
                Refusal::Missing | Refusal::Unknown => None,
            };
            refused_key(refusal)
        })?,
    );
    let endpoint = arrival.endpoint.ok_or(Fault::PathUnknown)?;
    let upgrades = headers.has("upgrade") || headers.text(":method") == Some("CONNECT");
    if upgrades || endpoint::leads_to_upgrade(path) {
        return Err(Fault::Upgrade);
    }
    let method = headers.text(":method").unwrap_or_default();
    match (endpoint, method) {
        (Endpoint::Models, "GET" | "HEAD") => {
            return listing::answer(arrival, path).map(|answer| {
                Receipt::Answer(Answered {
                    arrival: arrival.clone(),
                    answer,
                })
            });
        }
        (Endpoint::Models, _) => return Err(Fault::MethodWrong { allowed: "GET" }),
        // TRACE would have a provider tell its client the gateway's credential; what others do is not known.
        (Endpoint::Other, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") | (_, "POST") => {}
        (Endpoint::Other, _) => {
            return Err(Fault::MethodWrong {
                allowed: "GET, POST, PUT, PATCH, DELETE",
            });
        }
        _ => return Err(Fault::MethodWrong { allowed: "POST" }),
    }
    let posts = matches!(method, "POST" | "PUT" | "PATCH");
    let announced = headers
        .text("content-length")
        .and_then(|length| length.parse::<usize>().ok());
    let kind = BodyKind::of(endpoint, posts, headers)?;
    let mut received = Received::new(arrival.clone(), at, path, posts, kind, headers);
    if announced.is_some_and(|length| length > world.max_body_bytes) {
        return Err(Fault::BodyTooLarge {
            limit: world.max_body_bytes,
        });
    }
    // Known already, and said before anything leaves: where headers are not held, a provider may act on them alone.
    if received.can_name_no_model() && received.limited() {
        return Err(Fault::ModelUnnamed);
    }
    if !ends {
        received.enter(books)?;
        return Ok(Receipt::Await(Box::new(received)));
    }
    let mut sent = received.admit(&[], books).map_err(|(fault, _)| fault)?;
    match sent.enter(books) {
        Ok(()) => Ok(Receipt::Send(Box::new(sent))),
        Err(fault) => Err(fault),
    }
}

impl Refused {
    /// What to tell the client.
    pub fn answer(&self) -> Answer {
        self.fault.answer(self.arrival.dialect, &self.arrival.request_id)
    }

    /// The state that all of a request's life shares.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// What happened.
    pub fn record<'w>(&'w self, now: Now) -> Record<'w> {
        let mut record = self
            .arrival
            .record(self.model, self.fault.outcome(), self.in_flight, now);
        if let Fault::Limited(limited) = &self.fault {
            record.remarks.refused_by = Some(limited.rule.clone());
            if let Kind::Loop(finding) = limited.kind {
                record.remarks.guard = guarding::said(finding, false);
            }
        }
        record
    }
}

impl Answered {
    /// What happened.
    pub fn record<'w>(&'w self, now: Now) -> Record<'w> {
        self.arrival.record(None, "ok", false, now)
    }
}

impl Arrival {
    /// The caller's name and team, as labels.
    pub fn labels(&self) -> (&str, &str) {
        let key = self.key.and_then(|id| self.world.key(id));
        let team = key.and_then(|key| key.team).and_then(|id| self.world.team(id));
        (
            key.map_or(metrics::UNKNOWN, |key| &key.name),
            team.map_or(metrics::NONE, |team| &team.name),
        )
    }

    /// Counts it among its key's requests that are there.
    fn enter(&mut self, books: &mut Books<'_>) -> Result<(), Fault> {
        if let Some(key) = self.key.and_then(|id| self.world.key(id)) {
            admit::enter(&subjects::key_cell(key), books).map_err(|Unwritable| Fault::Internal)?;
            self.present = Some(books.owner);
        }
        Ok(())
    }

    /// Counts it out again, where nothing was set aside for it. Whether it was still counted.
    pub fn leave(&self, books: &mut Books<'_>) -> Result<bool, Unwritable> {
        let key = self.key.and_then(|id| self.world.key(id));
        match (key, self.present) {
            (Some(key), Some(owner)) => admit::leave(&subjects::key_cell(key), owner, books),
            _ => Ok(false),
        }
    }

    /// Whether nothing is to be refused to the caller on account of any rule.
    fn shadow(&self) -> bool {
        let key = self.key.and_then(|id| self.world.key(id));
        let team = key.and_then(|key| key.team).and_then(|id| self.world.team(id));
        self.world.shadow || key.is_some_and(|key| key.shadow) || team.is_some_and(|team| team.shadow)
    }

    fn record<'w>(&'w self, model: Option<ModelId>, outcome: &'static str, in_flight: bool, now: Now) -> Record<'w> {
        let (key, team) = self.labels();
        Record {
            key,
            team,
            model: model
                .and_then(|id| self.world.model(id))
                .map_or(metrics::NONE, |model| &model.name),
            provider: metrics::NONE,
            endpoint: self.endpoint.map_or(metrics::NONE, Endpoint::name),
            outcome,
            in_flight,
            duration_ms: now.since(self.since) / 1_000_000,
            first_token_ms: None,
            per_token_us: None,
            added_us: None,
            rests: Vec::new(),
            attempts: Vec::new(),
            remarks: Remarks::default(),
        }
    }
}

fn refused_key(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Missing => Fault::KeyMissing,
        Refusal::Unknown => Fault::KeyUnknown,
        Refusal::Disabled(_) => Fault::KeyDisabled,
        Refusal::Expired(_) => Fault::KeyExpired,
    }
}

/// The endpoint tells the dialect; where both APIs have it (`/v1/models`, `/v1/files`), the header that every Anthropic
/// client must send does.
fn client_dialect(endpoint: Option<Endpoint>, headers: &Headers, at: Option<Dialect>) -> Dialect {
    match endpoint {
        Some(Endpoint::Models | Endpoint::Other) | None => match at {
            Some(dialect) => dialect,
            None if headers.has("anthropic-version") => Dialect::Anthropic,
            None => Dialect::OpenAi,
        },
        Some(endpoint) => endpoint.dialect(),
    }
}

#[cfg(test)]
mod tests;
