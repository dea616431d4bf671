//! The order of a request's attempts.
//!
//! In: a [`Question`], who can serve it, and how providers fare ([`Fares`]). Out: legs, best first. No leg is left out for being unwell: it comes later. How many of them are tried is [`Failover`](crate::world::Failover)'s
//! part.
//!
//! 1. The targets that can serve the request, by the key's own list of providers if it has one, else by the model's measure
//!    ([`super::rank`]).
//! 2. Each with all its provider's credentials, one after the other, beginning with another for each request (or session,
//!    because a provider's prompt cache belongs to a credential).
//! 3. Behind those that do well, in the same order, come those that recover and for whose share this request was not drawn;
//!    last come those that rest, the one that is free soonest first.

use super::Leg;
use super::rank::{Measured, rank};
use crate::document::Order;
use crate::hash;
use crate::health::Standing;
use crate::provider::Provider;
use crate::world::{KeyId, ModelId, Target, World};

/// What the order is for.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The model.
    pub model: ModelId,
    /// Who asks.
    pub key: Option<KeyId>,
    /// A number drawn for this request.
    pub draw: u64,
    /// What stands for its session, if it has one.
    pub session: Option<u64>,
}

/// How providers fare.
pub trait Fares {
    /// How the provider of a leg stands, with the leg's credential and its target.
    fn standing(&mut self, leg: &Leg, target: &Target) -> Standing;

    /// What to expect of a target's provider, in any unit, less being better; `None`: nothing that is fresh is known.
    fn pace(&mut self, target: &Target) -> Option<u64>;
}

/// What a number drawn for a request is used for: each use gets one of its own.
#[derive(Clone, Copy)]
enum Use {
    Credential = 1,
    Share = 2,
}

/// The legs of a request, in the order of the attempts.
///
/// - `serves`: whether a provider can serve the request with a target (it speaks a dialect that will do, the request fits).
/// - `fares`: asked once for each leg, and for the pace of each target where the model goes by that.
pub fn order(
    world: &World,
    question: Question,
    serves: impl Fn(&Provider, &Target) -> bool,
    fares: &mut impl Fares,
) -> Vec<Leg> {
    let Some(model) = world.model(question.model) else {
        return Vec::new();
    };
    let can = |target: &Target| {
        let provider = world.provider(target.provider);
        provider.is_some_and(|provider| serves(provider, target))
    };
    let own = question.key.and_then(|key| world.key(key)?.targets_for(question.model));
    let session = question.session.filter(|_| model.sticky);
    let targets = model.targets.iter().enumerate().filter(|(_, target)| can(target));
    let ranked: Vec<usize> = match own {
        Some(providers) => {
            let place = |target: &Target| providers.iter().position(|id| *id == target.provider);
            let mut placed: Vec<_> = targets
                .filter_map(|(index, target)| Some((place(target)?, index)))
                .collect();
            placed.sort_unstable();
            placed.into_iter().map(|(_, index)| index).collect()
        }
        None => {
            let measured = targets.map(|(index, target)| Measured {
                index,
                identity: identity(world, target),
                weight: target.weight,
                price: target.price.as_deref(),
                pace: match model.order {
                    Order::Fastest => fares.pace(target),
                    Order::Priority | Order::Weighted | Order::Cheapest => None,
                },
            });
            rank(model.order, measured.collect(), question.draw, session)
        }
    };

    let mut classed: Vec<(Class, Leg)> = Vec::with_capacity(ranked.len());
    // A session that keeps to its target goes back to it once, when the share has come to it.
    let number = session.unwrap_or(question.draw);
    let start = drawn(number, Use::Credential, 0);
    for index in ranked {
        let Some(target) = model.targets.get(index) else {
            continue;
        };
        let count = world.provider(target.provider).map_or(1, Provider::credential_count);
        for credential in credentials(count, start) {
            let leg = Leg {
                provider: target.provider,
                target: Some(index),
                credential,
            };
            let which = hash::both(identity(world, target), credential as u64);
            let class = Class::of(fares.standing(&leg, target), drawn(number, Use::Share, which));
            classed.push((class, leg));
        }
    }
    classed.sort_by_key(|(class, _)| *class);
    classed.into_iter().map(|(_, leg)| leg).collect()
}

/// All credentials of so many, one after the other, beginning with one by a number drawn. There is one place even for none.
fn credentials(count: usize, drawn: u64) -> impl Iterator<Item = usize> {
    let count = count.max(1);
    let first = (drawn % count as u64) as usize;
    (first..count).chain(0..first)
}

/// How soon a leg is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Well,
    /// It gets a share of the requests, and not this one.
    Spared,
    Resting {
        until: u64,
    },
}

impl Class {
    fn of(standing: Standing, lot: u64) -> Self {
        match standing {
            Standing::Fit | Standing::Trying => Self::Well,
            Standing::Recovering { share } if lot % 100 < u64::from(share) => Self::Well,
            Standing::Recovering { .. } => Self::Spared,
            Standing::Resting { until } => Self::Resting { until },
        }
    }
}

/// A number of its own for each use of one.
fn drawn(number: u64, of: Use, which: u64) -> u64 {
    hash::both(number, hash::both(of as u64, which))
}

/// What stays the same of a target when others come and go.
fn identity(world: &World, target: &Target) -> u64 {
    let provider = world
        .provider(target.provider)
        .map_or(0, |p| hash::of(p.name.as_bytes()));
    hash::both(provider, hash::of(target.model.as_bytes()))
}

#[cfg(test)]
mod tests;
