//! Orders of attempts, by how providers stand and by whom a key may use.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::document::Document;

fn world(change: impl FnOnce(&mut Value)) -> World {
    let provider = |port| json!({"dialect": "openai", "endpoint": format!("http://127.0.0.1:{port}")});
    let mut document = json!({
        "providers": {"a": provider(1), "b": provider(2), "c": provider(3)},
        "models": {"m": {"targets": [{"provider": "a"}, {"provider": "b"}, {"provider": "c"}]}},
        "keys": [{"name": "k", "sha256": format!("{:064x}", 1)}],
    });
    change(&mut document);
    let document = Document::parse(&document.to_string()).unwrap();
    World::compile(&document, &|_| None).unwrap()
}

/// Providers that fare as two functions say.
struct By<S, P>(S, P);

impl<S: Fn(&Leg) -> Standing, P: Fn(&Target) -> Option<u64>> Fares for By<S, P> {
    fn standing(&mut self, leg: &Leg, _: &Target) -> Standing {
        (self.0)(leg)
    }

    fn pace(&mut self, target: &Target) -> Option<u64> {
        (self.1)(target)
    }
}

/// The legs where everybody is well.
fn well(world: &World, question: Question) -> Vec<Leg> {
    order(
        world,
        question,
        |_, _| true,
        &mut By(|_: &Leg| Standing::Fit, |_: &Target| None),
    )
}

fn question(world: &World, draw: u64) -> Question {
    Question {
        model: world.model_by_name("m").unwrap(),
        key: world.key_by_digest(&{
            let mut digest = [0; 32];
            digest[31] = 1;
            digest
        }),
        draw,
        session: None,
    }
}

/// The names of the providers in the order of the attempts.
fn names(world: &World, legs: &[Leg]) -> String {
    let names = legs.iter().map(|leg| &*world.provider(leg.provider).unwrap().name);
    names.collect::<Vec<_>>().concat()
}

/// The order where providers stand so, by name.
fn ordered(world: &World, draw: u64, stands: impl Fn(&str) -> Standing) -> String {
    let standing = |leg: &Leg| stands(&world.provider(leg.provider).unwrap().name);
    let legs = order(
        world,
        question(world, draw),
        |_, _| true,
        &mut By(standing, |_: &Target| None),
    );
    names(world, &legs)
}

#[test]
fn those_that_rest_come_last_and_the_soonest_first() {
    let world = world(|_| {});
    assert_eq!(ordered(&world, 1, |_| Standing::Fit), "abc");
    let stands = |name: &str| match name {
        "a" => Standing::Resting { until: 9 },
        "b" => Standing::Trying,
        _ => Standing::Fit,
    };
    assert_eq!(ordered(&world, 1, stands), "bca");
    let stands = |name: &str| Standing::Resting {
        until: match name {
            "a" => 9,
            "b" => 3,
            _ => 5,
        },
    };
    assert_eq!(ordered(&world, 1, stands), "bca", "none is left out");
}

#[test]
fn whoever_recovers_gets_its_share_and_comes_before_those_that_rest() {
    let world = world(|_| {});
    let stands = |name: &str| match name {
        "a" => Standing::Recovering { share: 25 },
        "b" => Standing::Resting { until: 1 },
        _ => Standing::Fit,
    };
    let mut first = 0;
    for draw in 0..8_000 {
        match &*ordered(&world, hash::both(draw, 4), stands) {
            "acb" => first += 1,
            "cab" => {}
            other => panic!("{other}"),
        }
    }
    assert!((1_800..2_200).contains(&first), "{first}");
}

#[test]
fn a_provider_that_cannot_serve_it_is_left_out() {
    let world = world(|document| document["models"]["m"]["targets"][1]["context"] = json!(1000));
    let serves = |_: &Provider, target: &Target| target.context.is_none_or(|most| most >= 2_000);
    let fares = &mut By(|_: &Leg| Standing::Fit, |_: &Target| None);
    let legs = order(&world, question(&world, 1), serves, fares);
    assert_eq!(names(&world, &legs), "ac");
    assert_eq!(legs[1].target, Some(2));
}

#[test]
fn a_keys_own_providers_come_in_its_own_order() {
    let world = world(|document| {
        document["models"]["m"]["order"] = json!("weighted");
        document["models"]["m"]["targets"]
            .as_array_mut()
            .unwrap()
            .push(json!({"provider": "a", "model": "m-2"}));
        document["keys"][0]["targets"] = json!({"m": ["c", "a"]});
    });
    for draw in 0..50 {
        assert_eq!(ordered(&world, draw, |_| Standing::Fit), "caa");
    }
    let nobody = Question {
        key: None,
        ..question(&world, 1)
    };
    assert_eq!(well(&world, nobody).len(), 4);
}

#[test]
fn a_session_is_one_only_where_the_model_says_so() {
    for sticky in [false, true] {
        let world = world(|document| {
            document["models"]["m"]["order"] = json!("weighted");
            document["models"]["m"]["sticky"] = json!(sticky);
        });
        let first = |draw| {
            let question = Question {
                session: Some(11),
                ..question(&world, draw)
            };
            well(&world, question)[0]
        };
        let same = (1..50).all(|draw| first(draw) == first(0));
        assert_eq!(same, sticky);
    }
}

#[test]
fn credentials_follow_each_other_from_a_drawn_one_on() {
    let all = |count, drawn| credentials(count, drawn).collect::<Vec<_>>();
    assert_eq!(all(3, 7), [1, 2, 0]);
    assert_eq!(all(3, 6), [0, 1, 2]);
    assert_eq!(all(0, 5), [0]);
}

proptest! {
    #[test]
    fn every_target_is_there_once(
        draw: u64, session: Option<u64>, stands in prop::collection::vec(0..4_u8, 3), paces in prop::collection::vec(any::<Option<u64>>(), 3),
        strategy in prop::sample::select(&["priority", "weighted", "cheapest", "fastest"]), sticky: bool,
    ) {
        let world = world(|document| {
            document["models"]["m"]["order"] = json!(strategy);
            document["models"]["m"]["sticky"] = json!(sticky);
        });
        let standing = |leg: &Leg| {
            let index = world.provider_ids().position(|other| other == leg.provider).unwrap();
            match stands[index] {
                0 => Standing::Fit,
                1 => Standing::Resting { until: draw % 7 },
                2 => Standing::Trying,
                _ => Standing::Recovering { share: 50 },
            }
        };
        let pace = |target: &Target| paces[world.provider_ids().position(|other| other == target.provider).unwrap()];
        let question = Question { session, ..question(&world, draw) };
        let legs = order(&world, question, |_, _| true, &mut By(standing, pace));
        let mut targets: Vec<_> = legs.iter().map(|leg| leg.target.unwrap()).collect();
        targets.sort_unstable();
        prop_assert_eq!(targets, [0, 1, 2]);
        // Whoever rests is behind whoever does not.
        let rests: Vec<_> = legs.iter().map(|leg| matches!(standing(leg), Standing::Resting { .. })).collect();
        prop_assert!(rests.is_sorted());
        prop_assert_eq!(legs.clone(), order(&world, question, |_, _| true, &mut By(standing, pace)));
    }
}
