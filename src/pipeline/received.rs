//! A request between its headers and the end of its body.

use super::admission::{self, Admitted, Course};
use super::departure::{self, Departure};
use super::guarding;
use super::notes::Notes;
use super::ordering;
use super::saying;
use super::sent::{Body, Sent};
use super::{Arrival, Now, Refused};
use crate::ask::{self, AskError};
use crate::endpoint::{self, Endpoint};
use crate::fault::Fault;
use crate::headers::Headers;
use crate::limit::admit::{self, Grant, Use};
use crate::limit::store::{Books, Unwritable};
use crate::record::Record;
use crate::route;
use crate::translate::seal;
use crate::world::{Allowed, ModelId, ProviderId};

/// The header that names a session, where the key's loop guard has no other.
const SESSION_HEADER: &str = "x-session-id";

/// A request whose caller is known and whose body is to come.
#[derive(Debug)]
pub struct Received {
    arrival: Arrival,
    /// The provider its host belongs to, where hosts choose.
    at: Option<ProviderId>,
    path: String,
    posts: bool,
    body: BodyKind,
    /// The session that a header names.
    session: Option<Vec<u8>>,
    /// Bytes announced or seen so far.
    seen: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// JSON that decides where the request goes.
    Ask,
    /// JSON that may name a model.
    Json,
    /// A form that may name a model; its content type.
    Multipart(String),
    /// Anything else, and what a method without a body brings.
    Opaque,
}

impl BodyKind {
    /// What a request to this endpoint brings, by its headers.
    pub(super) fn of(endpoint: Endpoint, posts: bool, headers: &Headers) -> Result<Self, Fault> {
        let content_type = headers.text("content-type").unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let json = media.eq_ignore_ascii_case("application/json");
        if headers.has_encoded_body() {
            return Err(Fault::ContentEncoded);
        }
        match endpoint {
            // No server reads the body of a GET or DELETE, so a model named there says nothing of what is asked for.
            Endpoint::Other if !posts => Ok(Self::Opaque),
            Endpoint::Other if json => Ok(Self::Json),
            Endpoint::Other if media.eq_ignore_ascii_case("multipart/form-data") => {
                Ok(Self::Multipart(content_type.to_owned()))
            }
            Endpoint::Other => Ok(Self::Opaque),
            _ if json || media.is_empty() => Ok(Self::Ask),
            _ => Err(Fault::ContentTypeWrong),
        }
    }
}

impl Received {
    pub(super) fn new(
        arrival: Arrival,
        at: Option<ProviderId>,
        path: &str,
        posts: bool,
        body: BodyKind,
        headers: &Headers,
    ) -> Self {
        let key = arrival.key.and_then(|key| arrival.world.key(key));
        let guard = key.and_then(|key| key.guard.as_ref());
        let header = guard.map_or(SESSION_HEADER, |guard| &guard.session_header);
        let session = headers.value(header).map(<[u8]>::to_vec);
        Self {
            arrival,
            at,
            path: path.to_owned(),
            posts,
            body,
            session,
            seen: 0,
        }
    }

    /// Counts it among its key's requests that are there.
    pub(super) fn enter(&mut self, books: &mut Books<'_>) -> Result<(), Fault> {
        self.arrival.enter(books)
    }

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
    pub fn ask(self: Box<Self>, body: &[u8], books: &mut Books<'_>) -> Result<Box<Sent>, Refused> {
        let mut received = self.grow(body.len())?;
        received.arrival.mixed = received.body == BodyKind::Ask && received.at.is_none() && seal::is_mixed(body);
        match received.admit(body, books) {
            Ok(sent) => Ok(Box::new(sent)),
            Err((fault, model)) => Err((*received).refuse(fault, model)),
        }
    }

    /// Route, watch, admit.
    pub(super) fn admit(&self, body: &[u8], books: &mut Books<'_>) -> Result<Sent, (Fault, Option<ModelId>)> {
        let course = self.route(body, books)?;
        let model = course.model;
        let watched = match &course.body {
            Body::Json(_) => guarding::watch(&self.arrival, self.session.as_deref(), body, books),
            Body::Form { .. } | Body::Opaque => Ok(None),
        };
        let (watched, found) = watched.map_err(|fault| (fault, model))?.unzip();
        match admission::admit(&self.arrival, course, self.posts, self.at, books) {
            Ok(mut admitted) => {
                if let Some(found) = found.flatten() {
                    admitted.notes.guard(found);
                }
                let lease =
                    match ordering::claim(&self.arrival, admitted.course.model, &mut admitted.course.legs, books) {
                        Ok(lease) => lease,
                        Err(fault) => {
                            admit::give_back(admitted.grant, books);
                            return Err((fault, model));
                        }
                    };
                let trial = admitted.course.legs.first().copied().zip(lease);
                Ok(Sent::new(
                    self.arrival.clone(),
                    &self.path,
                    self.posts,
                    admitted,
                    watched,
                    trial,
                ))
            }
            Err((fault, model)) => {
                // What was not let through is no repetition when it comes again.
                let settled = watched.map(|watched| guarding::settle(&watched, false, Use::default(), books));
                match settled {
                    Some(Err(Unwritable)) => Err((Fault::Internal, model)),
                    Some(Ok(())) | None => Err((fault, model)),
                }
            }
        }
    }

    /// An answer is on its way before the body was complete: Envoy gave up waiting or could not connect, or a provider
    /// whose headers could not be held refuses them. What is left of the body must not go anywhere.
    pub fn answered_early(self) -> Sent {
        let leg = self.at.map(route::Leg::without_model);
        let course = Course {
            model: None,
            body: Body::Opaque,
            legs: leg.into_iter().collect(),
            session: None,
            original: None,
            written: None,
        };
        let admitted = Admitted {
            course,
            grant: Grant::default(),
            notes: Notes::default(),
        };
        Sent::new(self.arrival, &self.path, self.posts, admitted, None, None)
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
            .map(|provider| departure::ahead_of_routing(provider, 0, headers))
            .unwrap_or_default();
        if headers.has("content-length") && self.body != BodyKind::Opaque {
            departure.remove.push("content-length".into());
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

    fn route(&self, bytes: &[u8], books: &mut Books<'_>) -> Result<Course, (Fault, Option<ModelId>)> {
        let (name, body) = match &self.body {
            BodyKind::Ask => {
                let endpoint = self.arrival.endpoint.unwrap_or(Endpoint::Other);
                let asked = ask::read(endpoint, bytes).map_err(|error| (Fault::BodyInvalid(error), None))?;
                if asked.model.is_empty() {
                    // Some servers take it for their only model, which nobody has priced.
                    return Err((Fault::BodyInvalid(AskError::ModelMissing), None));
                }
                if asked.background && endpoint == Endpoint::Responses {
                    return Err((Fault::Background, None));
                }
                (asked.model.clone(), Body::Json(asked))
            }
            // Where the endpoint is not known, a body that is no readable JSON is the provider's to judge.
            BodyKind::Json => match ask::read(Endpoint::Other, bytes) {
                Ok(asked) => (asked.model.clone(), Body::Json(asked)),
                // Of two models the provider would take one, and which is not known.
                Err(error @ (AskError::DuplicateMember { .. } | AskError::MemberCase { .. })) => {
                    return Err((Fault::BodyInvalid(error), None));
                }
                Err(_) => return self.route_unnamed(),
            },
            BodyKind::Multipart(content_type) => match ask::multipart_model(content_type, bytes) {
                Ok(Some((name, span))) => {
                    let bytes = bytes.len();
                    (name.clone(), Body::Form { name, span, bytes })
                }
                Ok(None) => return self.route_unnamed(),
                Err(error) => return Err((Fault::BodyInvalid(error), None)),
            },
            BodyKind::Opaque => return self.route_unnamed(),
        };
        match name.is_empty() {
            true => self.route_unnamed(),
            false => self.route_model(name, body, bytes, books),
        }
    }

    fn route_model(
        &self,
        name: String,
        body: Body,
        bytes: &[u8],
        books: &mut Books<'_>,
    ) -> Result<Course, (Fault, Option<ModelId>)> {
        let Arrival { world, key, .. } = &self.arrival;
        let Some(model) = world.model_by_name(&name) else {
            return Err((Fault::ModelUnknown { model: name }, None));
        };
        let permitted = key
            .and_then(|key| world.key(key))
            .is_some_and(|key| key.models.permits(model, &name));
        if !permitted {
            return Err((Fault::ModelForbidden { model: name }, Some(model)));
        }
        let session = ordering::session(self.session.as_deref(), bytes);
        let legs = ordering::legs(&self.arrival, model, self.at, session, &body, books);
        if legs.is_empty() {
            return Err((Fault::ModelUnknown { model: name }, Some(model)));
        }
        let mut course = Course {
            model: Some(model),
            body,
            legs,
            session,
            original: None,
            written: None,
        };
        match saying::settle(&self.arrival, &mut course, bytes) {
            Ok(()) => Ok(course),
            Err(fault) => Err((fault, Some(model))),
        }
    }

    /// Whether it is known from the headers alone that no model will be named on which a key's list could be held: a body
    /// that is not read, or an endpoint to which a model means nothing, so that any would do.
    pub(super) fn can_name_no_model(&self) -> bool {
        self.body == BodyKind::Opaque
            || self.arrival.endpoint == Some(Endpoint::Other) && !endpoint::takes_model(&self.path)
    }

    /// Whether the key may use certain models only.
    pub(super) fn limited(&self) -> bool {
        let Arrival { world, key, .. } = &self.arrival;
        key.and_then(|key| world.key(key))
            .is_none_or(|key| !matches!(key.models, Allowed::All))
    }

    fn route_unnamed(&self) -> Result<Course, (Fault, Option<ModelId>)> {
        let Arrival { world, dialect, .. } = &self.arrival;
        if self.limited() {
            return Err((Fault::ModelUnnamed, None));
        }
        let leg = match self.at {
            Some(provider) => Some(route::Leg::without_model(provider)),
            None => route::without_model(world, *dialect),
        };
        let leg = leg.ok_or((Fault::ProviderNone, None))?;
        Ok(Course {
            model: None,
            body: Body::Opaque,
            legs: vec![leg],
            session: None,
            original: None,
            written: None,
        })
    }
}
