//! How providers fare, as all workers remember it together.
//!
//! In: the [`Books`], and what is waited for. Out: what an order is made by ([`Fares`]), and leave to try a provider whose
//! rest is over ([`lead`]). The order itself is [`super::order`]'s part.

use super::Leg;
use super::order::Fares;
use crate::health::Standing;
use crate::health::place::{Place, Trial};
use crate::limit::store::{Books, Unwritable};
use crate::pace::{self, Kind};
use crate::world::{ModelId, Target, World};

/// How providers fare, by the books.
pub struct Kept<'a, 'b> {
    /// Whose providers.
    pub world: &'a World,
    /// Where it is kept.
    pub books: &'a mut Books<'b>,
    /// What is waited for: the first token of a stream, or an answer in one piece.
    pub waits_for: Kind,
}

impl Fares for Kept<'_, '_> {
    fn standing(&mut self, leg: &Leg, target: &Target) -> Standing {
        let Some(provider) = self.world.provider(leg.provider) else {
            return Standing::Fit;
        };
        let place = Place::new(&provider.name, leg.credential, &target.model);
        place.standing(&provider.health, self.books)
    }

    fn pace(&mut self, target: &Target) -> Option<u64> {
        let provider = self.world.provider(target.provider)?;
        let cell = pace::cell_name(&provider.name, &target.model);
        let now = self.books.clock.steady;
        pace::read(&cell, self.books).expected(self.waits_for, now)
    }
}

/// Where it is kept how the provider of a leg fares. `None` where there is no such provider.
pub fn place(world: &World, model: Option<ModelId>, leg: &Leg) -> Option<Place> {
    let provider = world.provider(leg.provider)?;
    let target = model
        .zip(leg.target)
        .and_then(|(model, target)| world.model(model)?.targets.get(target));
    let model = target.map_or("", |target| &target.model);
    Some(Place::new(&provider.name, leg.credential, model))
}

/// Sees to it that the first leg may be tried: where its provider's rest is over, with leave to try it; where somebody else
/// has that, it goes to the end and the next is the first. The leave, if one was needed.
pub fn lead(
    world: &World,
    model: Option<ModelId>,
    legs: &mut [Leg],
    books: &mut Books<'_>,
) -> Result<Option<Trial>, Unwritable> {
    for _ in 0..legs.len() {
        let Some(first) = legs.first() else { break };
        let (Some(place), Some(provider)) = (place(world, model, first), world.provider(first.provider)) else {
            break;
        };
        if place.standing(&provider.health, books) != Standing::Trying {
            break;
        }
        match place.claim(&provider.health, books)? {
            Some(trial) => return Ok(Some(trial)),
            None => legs.rotate_left(1),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::health::Sign;
    use crate::limit::store::{Census, Clock, Memory, Owner};
    use crate::route::order::{Question, order};

    const DOCUMENT: &str = r#"{
        "providers": {
            "a": {"dialect": "openai", "endpoint": "http://127.0.0.1:1"}, "b": {"dialect": "openai", "endpoint": "http://127.0.0.1:2"}
        },
        "models": {
            "m": {"targets": [{"provider": "a"}, {"provider": "b"}]},
            "quick": {"targets": [{"provider": "a"}, {"provider": "b"}], "order": "fastest"}
        }
    }"#;

    struct Gateway {
        world: World,
        store: Memory,
        now: u64,
    }

    impl Gateway {
        fn with<T>(&mut self, call: impl FnOnce(&World, &mut Books<'_>) -> T) -> T {
            let census = Census::default();
            let mut books = Books {
                store: &mut self.store,
                clock: Clock {
                    steady: self.now,
                    ..Clock::default()
                },
                owner: Owner(1),
                census: &census,
            };
            call(&self.world, &mut books)
        }

        /// The order of a request for a model, and whether its first attempt is a trial.
        fn ask(&mut self, name: &str) -> (Vec<Leg>, Option<Trial>) {
            self.with(|world, books| {
                let model = world.model_by_name(name).unwrap();
                let question = Question {
                    model,
                    key: None,
                    draw: 9,
                    session: None,
                };
                let mut kept = Kept {
                    world,
                    books,
                    waits_for: Kind::Answer,
                };
                let mut legs = order(world, question, |_, _| true, &mut kept);
                let trial = lead(world, Some(model), &mut legs, books).unwrap();
                (legs, trial)
            })
        }

        fn names(&self, legs: &[Leg]) -> String {
            let names = legs.iter().map(|leg| &*self.world.provider(leg.provider).unwrap().name);
            names.collect::<Vec<_>>().concat()
        }

        fn ends(&mut self, leg: Leg, sign: Sign, trial: Option<Trial>) {
            let began = self.now;
            self.with(|world, books| {
                let rule = &world.provider(leg.provider).unwrap().health;
                let place = place(world, world.model_by_name("m"), &leg).unwrap();
                place.note(rule, sign, began, trial, books).unwrap();
            });
        }
    }

    fn gateway() -> Gateway {
        let world = World::compile(&Document::parse(DOCUMENT).unwrap(), &|_| None).unwrap();
        Gateway {
            world,
            store: Memory::default(),
            now: 1_000_000,
        }
    }

    #[test]
    fn one_request_tries_whose_rest_is_over_and_the_others_go_elsewhere() {
        let mut gateway = gateway();
        let (legs, trial) = gateway.ask("m");
        assert_eq!((&*gateway.names(&legs), trial), ("ab", None));
        for _ in 0..5 {
            gateway.ends(legs[0], Sign::Failed, None);
        }
        let (resting, trial) = gateway.ask("m");
        assert_eq!((&*gateway.names(&resting), trial), ("ba", None));
        gateway.now += 10_000;
        let (tries, trial) = gateway.ask("m");
        assert_eq!(gateway.names(&tries), "ab");
        assert!(trial.is_some());
        let (others, none) = gateway.ask("m");
        assert_eq!((&*gateway.names(&others), none), ("ba", None));
        gateway.ends(tries[0], Sign::Served, trial);
        gateway.now += 30_000;
        let (legs, trial) = gateway.ask("m");
        assert_eq!((&*gateway.names(&legs), trial), ("ab", None));
    }

    #[test]
    fn the_fastest_is_the_one_that_was_measured_so() {
        let mut gateway = gateway();
        for (provider, micros) in [("a", 900_000), ("b", 200_000)] {
            gateway.with(|_, books| {
                pace::learn(&pace::cell_name(provider, "quick"), Kind::Answer, micros, books).unwrap();
            });
        }
        let (legs, _) = gateway.ask("quick");
        assert_eq!(gateway.names(&legs), "ba");
    }
}
