//! A request on its way: an order of providers, and the attempts at them so far.

use std::ops::Range;

use super::Arrival;
use super::admission::{Admitted, Course};
use super::attempt::Attempt;
use super::departure::Kept;
use super::guarding::Watched;
use super::notes::Notes;
use crate::ask::Ask;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::handoff::{Handoff, Place, Stop};
use crate::health::{self, place::Trial};
use crate::limit::admit::Grant;
use crate::metrics;
use crate::provider::Provider;
use crate::route::Leg;
use crate::translate::Written;
use crate::world::{ModelId, ProviderId, Target};

/// A request that has somewhere to go.
#[derive(Debug)]
#[must_use = "what was sent is recorded"]
pub struct Sent {
    pub(super) arrival: Arrival,
    pub(super) path: String,
    pub(super) posts: bool,
    pub(super) model: Option<ModelId>,
    pub(super) body: Body,
    pub(super) legs: Vec<Leg>,
    pub(super) attempts: Vec<Attempt>,
    /// Which of the legs comes next; `None`: the latest once more.
    pub(super) next: Option<usize>,
    /// The client's body, where a backup needs it in other words: whether it can be said in them is asked when it comes to that.
    pub(super) original: Option<Vec<u8>>,
    /// The body in the words of one leg's provider, for the attempt there.
    pub(super) written: Option<(Leg, Written)>,
    /// The leave to try a leg's provider whose rest is over.
    pub(super) trial: Option<(Leg, Trial)>,
    /// Providers that rest from now on, and why.
    pub(super) rests: Vec<(ProviderId, health::Reason)>,
    /// Headers of the client's that one provider gets and another does not.
    pub(super) kept: Kept,
    /// The answer is read where the host has done with choosing: no other attempt can follow it.
    pub(super) past_router: bool,
    /// Answered in the end by us, because no provider did.
    pub(super) fault: Option<Fault>,
    /// Spent inside Tollgate until it left.
    pub(super) added_ns: u64,
    /// What is set aside for it, until that is settled.
    pub(super) grant: Option<Grant>,
    pub(super) notes: Notes,
    /// How the loop guard knows it.
    pub(super) watched: Option<Watched>,
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
            past_router: false,
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

    /// Adds to the time spent on the request's way out.
    pub fn spent(&mut self, ns: u64) {
        self.added_ns = self.added_ns.saturating_add(ns);
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.arrival.endpoint.unwrap_or(Endpoint::Other)
    }

    pub(super) fn provider(&self, leg: &Leg) -> Option<&Provider> {
        self.arrival.world.provider(leg.provider)
    }

    pub(super) fn target(&self, leg: &Leg) -> Option<&Target> {
        self.arrival.world.model(self.model?)?.targets.get(leg.target?)
    }

    /// The model's name as the client has it; empty where it names none.
    pub(super) fn asked_name(&self) -> &str {
        self.body.model()
    }
}
