//! Where a request may go, in which order.
//!
//! In: a model (or none), who can serve the request, how providers stand and how fast they are, and two numbers: one drawn
//! for the request, one that stands for its session. Out: the legs, in the order of the attempts. It does not know whether a
//! leg will answer, and nothing of it is by chance: the same numbers give the same order.
//!
//! - [`order`](mod@order): the targets by the model's own measure, and what becomes of those that do not do well.
//! - [`kept`]: how providers fare, as all workers remember it together, and leave to try one.
//! - [`ahead`]: what is left of it where the host has to know it before the first attempt.
//! - [`rank`]: the measures: as written, by lot, by price, by pace.

use crate::dialect::Dialect;
use crate::world::{ModelId, ProviderId, World};

pub mod ahead;
pub mod kept;
pub mod order;
pub mod rank;

/// One stop of the order: a provider, which of the model's targets it is, and which of the provider's credentials it is
/// shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Who is asked.
    pub provider: ProviderId,
    /// The index among the model's targets; `None` for a request that names no configured model.
    pub target: Option<usize>,
    /// The index among the provider's credentials; 0 where it has one or none.
    pub credential: usize,
}

impl Leg {
    /// The leg of a request that names no model.
    pub fn without_model(provider: ProviderId) -> Self {
        Self {
            provider,
            target: None,
            credential: 0,
        }
    }
}

/// The legs for a model: its targets in the document's order, those alone that speak the client's dialect.
pub fn for_model(world: &World, model: ModelId, dialect: Dialect) -> Vec<Leg> {
    let targets = world
        .model(model)
        .map(|model| model.targets.as_slice())
        .unwrap_or_default();
    targets
        .iter()
        .enumerate()
        .filter(|(_, target)| speaks(world, target.provider, dialect))
        .map(|(index, target)| Leg {
            provider: target.provider,
            target: Some(index),
            credential: 0,
        })
        .collect()
}

/// The leg of a model at one provider, for a gateway whose requests choose their provider by host.
pub fn for_model_at(world: &World, model: ModelId, provider: ProviderId, dialect: Dialect) -> Vec<Leg> {
    let mut legs = for_model(world, model, dialect);
    legs.retain(|leg| leg.provider == provider);
    legs.truncate(1);
    legs
}

/// The leg of a request that names no model: the default provider if it speaks the dialect, else the only provider that
/// does.
pub fn without_model(world: &World, dialect: Dialect) -> Option<Leg> {
    let chosen = world
        .default_provider
        .filter(|id| speaks(world, *id, dialect))
        .or_else(|| {
            let mut candidates = world.provider_ids().filter(|id| speaks(world, *id, dialect));
            let first = candidates.next();
            first.filter(|_| candidates.next().is_none())
        });
    chosen.map(Leg::without_model)
}

fn speaks(world: &World, id: ProviderId, dialect: Dialect) -> bool {
    world.provider(id).is_some_and(|provider| provider.dialect == dialect)
}
