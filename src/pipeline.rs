//! The life of a request, top to bottom.
//!
//! ```text
//! authenticate → permit → route → [ translate → attempt → read ] × attempts → meter → price → record
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
//! The last three have a `record`: exactly one of them is called, when the host says that the stream is over. A
//! [`Received`] whose client went away before its body was complete makes its record too.

use std::rc::Rc;

use crate::ask::{self, AskError};
use crate::caller::{self, Refusal, UnixSeconds};
use crate::dialect::Dialect;
use crate::endpoint::{self, Endpoint};
use crate::fault::{Answer, Fault};
use crate::headers::Headers;
use crate::metrics;
use crate::record::Record;
use crate::route;
use crate::world::{Allowed, KeyId, ModelId, ProviderId, World};

mod attempt;
mod departure;
mod foreign;
mod listing;
mod sent;

pub use attempt::{Attempt, Begun, Ending, ReplyHead};
pub use departure::Departure;
pub use foreign::Foreign;
pub use sent::Sent;

use sent::Body;

/// Wall-clock time in nanoseconds since 1970. It may jump; differences saturate at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

impl Now {
    /// Nanoseconds since an earlier moment.
    pub fn since(self, earlier: Now) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn seconds(self) -> UnixSeconds {
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
    pub request_id: String,
}

/// A request whose caller is known and whose body is to come.
#[derive(Debug)]
pub struct Received {
    arrival: Arrival,
    /// The provider its host belongs to, where hosts choose.
    at: Option<ProviderId>,
    path: String,
    posts: bool,
    body: BodyKind,
    /// Bytes announced or seen so far.
    seen: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum BodyKind {
    /// JSON that decides where the request goes.
    Ask,
    /// JSON that may name a model.
    Json,
    /// A form that may name a model; its content type.
    Multipart(String),
    /// Anything else.
    Opaque,
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
pub fn receive(world: &Rc<World>, headers: &Headers, ends: bool, now: Now) -> Receipt {
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
        request_id: headers.text("x-request-id").unwrap_or_default().to_owned(),
    };
    match judge(&mut arrival, headers, ends, at, path) {
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
) -> Result<Receipt, Fault> {
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
    if headers.has("upgrade") || headers.text(":method") == Some("CONNECT") {
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
    let kind = match body_kind(endpoint, headers)? {
        kind if posts => kind,
        // No server reads the body of a GET or DELETE, so a model named there says nothing of what is asked for.
        _ => BodyKind::Opaque,
    };
    let announced = headers
        .text("content-length")
        .and_then(|length| length.parse::<usize>().ok());
    let received = Received {
        arrival: arrival.clone(),
        at,
        path: path.to_owned(),
        posts,
        body: kind,
        seen: 0,
    };
    if announced.is_some_and(|length| length > world.max_body_bytes) {
        return Err(Fault::BodyTooLarge {
            limit: world.max_body_bytes,
        });
    }
    // Known already, and said before anything leaves: where headers are not held, a provider may act on them alone.
    if received.body == BodyKind::Opaque && received.limited() {
        return Err(Fault::ModelUnnamed);
    }
    match ends {
        false => Ok(Receipt::Await(Box::new(received))),
        true => received
            .route(&[])
            .map(|sent| Receipt::Send(Box::new(sent)))
            .map_err(|(fault, _)| fault),
    }
}

impl Received {
    /// More of the body has come: `held` bytes in all. Refuses as soon as that is too much.
    pub fn grow(mut self: Box<Self>, held: usize) -> Result<Box<Self>, Refused> {
        self.seen = held;
        let limit = self.arrival.world.max_body_bytes;
        match held > limit {
            true => Err((*self).refuse(Fault::BodyTooLarge { limit }, None)),
            false => Ok(self),
        }
    }

    /// The body is complete: read it, see whether the caller may, and decide where it goes.
    pub fn ask(self: Box<Self>, body: &[u8]) -> Result<Box<Sent>, Refused> {
        let received = self.grow(body.len())?;
        match received.route(body) {
            Ok(sent) => Ok(Box::new(sent)),
            Err((fault, model)) => Err((*received).refuse(fault, model)),
        }
    }

    /// An answer is on its way before the body was complete: Envoy gave up waiting or could not connect, or a provider
    /// whose headers could not be held refuses them. What is left of the body must not go anywhere.
    pub fn answered_early(self) -> Sent {
        let leg = self.at.map(|provider| route::Leg { provider, target: None });
        Sent::new(
            self.arrival,
            &self.path,
            self.posts,
            None,
            Body::Opaque,
            leg.into_iter().collect(),
        )
    }

    /// Bytes of the body that are held.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// The client went away before its body was complete.
    pub fn record<'w>(&'w self, now: Now) -> Record<'w> {
        self.arrival.record(None, "interrupted_by_client", true, now)
    }

    /// The host failed this request before it was complete.
    pub fn fail(self, fault: Fault) -> Refused {
        self.refuse(fault, None)
    }

    /// How the headers leave where they cannot be held until the body is read. The body's length goes, because the body
    /// may still be edited.
    pub fn departs(&self, headers: &Headers) -> Departure {
        let provider = self.at.and_then(|id| self.arrival.world.provider(id));
        let mut departure = provider
            .map(|provider| departure::ahead_of_routing(provider, headers))
            .unwrap_or_default();
        if headers.has("content-length") && self.body != BodyKind::Opaque {
            departure.remove.push("content-length");
        }
        departure
    }

    /// The state that all of a request's life shares.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    fn refuse(self, fault: Fault, model: Option<ModelId>) -> Refused {
        Refused {
            arrival: self.arrival,
            model,
            in_flight: true,
            fault,
        }
    }

    fn route(&self, body: &[u8]) -> Result<Sent, (Fault, Option<ModelId>)> {
        let (name, body) = match &self.body {
            BodyKind::Ask => {
                let endpoint = self.arrival.endpoint.unwrap_or(Endpoint::Other);
                let asked = ask::read(endpoint, body).map_err(|error| (Fault::BodyInvalid(error), None))?;
                if asked.background && endpoint == Endpoint::Responses {
                    return Err((Fault::Background, None));
                }
                (asked.model.clone(), Body::Json(asked))
            }
            // Where the endpoint is not known, a body that is no readable JSON is the provider's to judge.
            BodyKind::Json => match ask::read(Endpoint::Other, body) {
                Ok(asked) => (asked.model.clone(), Body::Json(asked)),
                // Of two models the provider would take one, and which is not known.
                Err(error @ AskError::DuplicateMember { .. }) => return Err((Fault::BodyInvalid(error), None)),
                Err(_) => return self.route_unnamed(),
            },
            BodyKind::Multipart(content_type) => match ask::multipart_model(content_type, body) {
                Ok(Some((name, span))) => (name.clone(), Body::Form { name, span }),
                Ok(None) => return self.route_unnamed(),
                Err(error) => return Err((Fault::BodyInvalid(error), None)),
            },
            BodyKind::Opaque => return self.route_unnamed(),
        };
        match name.is_empty() {
            true => self.route_unnamed(),
            false => self.route_model(name, body),
        }
    }

    fn route_model(&self, name: String, body: Body) -> Result<Sent, (Fault, Option<ModelId>)> {
        let Arrival {
            world, dialect, key, ..
        } = &self.arrival;
        let Some(model) = world.model_by_name(&name) else {
            return Err((Fault::ModelUnknown { model: name }, None));
        };
        let permitted = key
            .and_then(|key| world.key(key))
            .is_some_and(|key| key.models.contains(model));
        if !permitted {
            return Err((Fault::ModelForbidden { model: name }, Some(model)));
        }
        let legs = match self.at {
            Some(provider) => route::for_model_at(world, model, provider, *dialect),
            None => route::for_model(world, model, *dialect),
        };
        match legs.is_empty() {
            true => Err((Fault::ModelUnknown { model: name }, Some(model))),
            false => Ok(Sent::new(
                self.arrival.clone(),
                &self.path,
                self.posts,
                Some(model),
                body,
                legs,
            )),
        }
    }

    /// Whether the key may use certain models only.
    fn limited(&self) -> bool {
        let Arrival { world, key, .. } = &self.arrival;
        key.and_then(|key| world.key(key))
            .is_none_or(|key| !matches!(key.models, Allowed::All))
    }

    fn route_unnamed(&self) -> Result<Sent, (Fault, Option<ModelId>)> {
        let Arrival { world, dialect, .. } = &self.arrival;
        if self.limited() {
            return Err((Fault::ModelUnnamed, None));
        }
        let leg = match self.at {
            Some(provider) => Some(route::Leg { provider, target: None }),
            None => route::without_model(world, *dialect),
        };
        let leg = leg.ok_or((Fault::ProviderNone, None))?;
        Ok(Sent::new(
            self.arrival.clone(),
            &self.path,
            self.posts,
            None,
            Body::Opaque,
            vec![leg],
        ))
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
        self.arrival
            .record(self.model, self.fault.outcome(), self.in_flight, now)
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
            attempts: Vec::new(),
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

fn body_kind(endpoint: Endpoint, headers: &Headers) -> Result<BodyKind, Fault> {
    let content_type = headers.text("content-type").unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let json = media.eq_ignore_ascii_case("application/json");
    let encoded = headers
        .text("content-encoding")
        .is_some_and(|e| !e.trim().eq_ignore_ascii_case("identity"));
    if encoded {
        return Err(Fault::ContentEncoded);
    }
    match endpoint {
        Endpoint::Other if json => Ok(BodyKind::Json),
        Endpoint::Other if media.eq_ignore_ascii_case("multipart/form-data") => {
            Ok(BodyKind::Multipart(content_type.to_owned()))
        }
        Endpoint::Other => Ok(BodyKind::Opaque),
        _ if json || media.is_empty() => Ok(BodyKind::Ask),
        _ => Err(Fault::ContentTypeWrong),
    }
}

#[cfg(test)]
mod tests;
