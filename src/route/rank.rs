//! The measures by which a model's targets are put into an order.
//!
//! In: targets with what is known of each, and the numbers drawn for the request and its session. Out: their order. It
//! knows nothing of who is unwell.
//!
//! Lots are drawn by weight without putting any back: each target gets a number from an exponential distribution whose rate
//! is its weight, and the lowest comes first. So the first of the order, and the next where that fails, and so on, fall as
//! often on each as the weights say. Where a session's number takes the place of the request's, that is rendezvous hashing:
//! a session keeps to its target, and when targets come and go it moves only if its own is concerned.

use crate::document::Order;
use crate::hash;
use crate::price::Price;

/// Of how many requests (or sessions) one tries a target of whose pace nothing is known.
pub const EXPLORES: u64 = 16;

/// A target, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'w> {
    /// The index among the model's targets.
    pub index: usize,
    /// What stays the same of it when others come and go.
    pub identity: u64,
    /// How often it is the first, in relation to the others'; 0: only when they failed.
    pub weight: u32,
    /// What it costs.
    pub price: Option<&'w Price>,
    /// What is to be expected, less being better; `None`: nothing that is fresh is known.
    pub pace: Option<u64>,
}

/// The indices of the targets in the order of the attempts. `draw`: the request's number; `session`: its session's, where a
/// session keeps to a target.
pub fn rank(order: Order, mut targets: Vec<Measured<'_>>, draw: u64, session: Option<u64>) -> Vec<usize> {
    match order {
        Order::Priority => {}
        Order::Weighted => {
            let number = session.unwrap_or(draw);
            let lot = |target: &Measured<'_>| lot(number, target.identity, target.weight);
            targets.sort_by(|one, other| lot(one).total_cmp(&lot(other)));
        }
        Order::Cheapest => targets.sort_by_key(|target| match target.price {
            Some(price) => (false, typical(price)),
            None => (true, 0),
        }),
        Order::Fastest => fastest(&mut targets, draw, session),
    }
    targets.iter().map(|target| target.index).collect()
}

/// The best pace first, those without one last; but a few requests try one of these. A session keeps to its own among those
/// that are no more than half as slow again as the best.
fn fastest(targets: &mut Vec<Measured<'_>>, draw: u64, session: Option<u64>) {
    targets.sort_by_key(|target| target.pace.map_or((true, 0), |pace| (false, pace)));
    if let Some(session) = session
        && let Some(best) = targets.first().and_then(|target| target.pace)
    {
        let near = |target: &&Measured<'_>| target.pace.is_some_and(|pace| pace <= best.saturating_add(best / 2));
        let near = targets.iter().take_while(near).enumerate();
        let own = near.min_by(|(_, one), (_, other)| {
            let lot = |target: &Measured<'_>| lot(session, target.identity, 1);
            lot(one).total_cmp(&lot(other))
        });
        if let Some((own, _)) = own {
            let own = targets.remove(own);
            targets.insert(0, own);
        }
    }
    let number = session.unwrap_or(draw);
    targets.sort_by_key(|target| {
        let explores = hash::both(number, target.identity).is_multiple_of(EXPLORES);
        !(target.pace.is_none() && explores)
    });
}

/// A number from an exponential distribution of this rate; with the rate 0 none is larger.
fn lot(number: u64, identity: u64, weight: u32) -> f64 {
    // 53 bits and a half: from just above 0 to just below 1.
    let uniform = ((hash::both(number, identity) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    match weight {
        0 => f64::INFINITY,
        weight => -uniform.ln() / f64::from(weight),
    }
}

/// What three tokens of input and one of output cost, in picodollars: a typical mix.
fn typical(price: &Price) -> u64 {
    let rates = &price.standard.base;
    rates.input.saturating_mul(3).saturating_add(rates.output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::{Rates, Schedule};
    use proptest::prelude::*;

    fn target(index: usize, weight: u32, pace: Option<u64>) -> Measured<'static> {
        Measured {
            index,
            identity: hash::of(&index.to_le_bytes()),
            weight,
            price: None,
            pace,
        }
    }

    fn weighted(weights: &[u32]) -> Vec<Measured<'static>> {
        let weights = weights.iter().enumerate();
        weights.map(|(index, weight)| target(index, *weight, None)).collect()
    }

    #[test]
    fn lots_fall_as_the_weights_say_and_so_do_those_of_the_next() {
        let (mut first, mut second_after_0) = ([0; 4], [0; 4]);
        for draw in 0..40_000 {
            let order = rank(Order::Weighted, weighted(&[5, 3, 2, 0]), hash::both(7, draw), None);
            first[order[0]] += 1;
            if order[0] == 0 {
                second_after_0[order[1]] += 1;
            }
            assert_eq!(order[3], 3, "weight 0 is only for when the others failed");
        }
        for (count, share) in first.iter().zip([0.5, 0.3, 0.2, 0.0]) {
            assert!((f64::from(*count) / 40_000.0 - share).abs() < 0.02, "{first:?}");
        }
        let of = f64::from(second_after_0.iter().sum::<i32>());
        for (count, share) in second_after_0.iter().zip([0.0, 0.6, 0.4, 0.0]) {
            assert!((f64::from(*count) / of - share).abs() < 0.02, "{second_after_0:?}");
        }
    }

    #[test]
    fn the_cheapest_comes_first_and_what_nobody_priced_last() {
        let price = |input, output| Price {
            standard: Schedule {
                base: Rates {
                    input,
                    output,
                    ..Rates::default()
                },
                tiers: Vec::new(),
            },
            ..Price::default()
        };
        // 3·10+10 = 40, 3·1+36 = 39.
        let (even, steep) = (price(10, 10), price(1, 36));
        let mut targets = weighted(&[1, 1, 1, 1]);
        targets[1].price = Some(&even);
        targets[2].price = Some(&steep);
        targets[3].price = Some(&even);
        assert_eq!(rank(Order::Cheapest, targets.clone(), 9, None), [2, 1, 3, 0]);
        assert_eq!(rank(Order::Priority, targets, 9, None), [0, 1, 2, 3]);
    }

    #[test]
    fn the_fastest_comes_first_and_a_sixteenth_tries_what_is_not_known() {
        let targets = vec![
            target(0, 1, None),
            target(1, 1, Some(900)),
            target(2, 1, Some(300)),
            target(3, 1, None),
        ];
        let mut first = [0; 4];
        for draw in 0..32_000 {
            let order = rank(Order::Fastest, targets.clone(), hash::both(3, draw), None);
            first[order[0]] += 1;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
        assert_eq!(first[1], 0);
        for explored in [first[0], first[3]] {
            assert!((1_700..2_300).contains(&explored), "{first:?}");
        }
    }

    #[test]
    fn a_session_keeps_to_its_target_among_those_that_are_nearly_as_fast() {
        let mut seen = [false; 3];
        for session in 0..200 {
            let targets = |a, b, c| vec![target(0, 1, Some(a)), target(1, 1, Some(b)), target(2, 1, Some(c))];
            let first = |a, b, c, draw| rank(Order::Fastest, targets(a, b, c), draw, Some(session))[0];
            let own = first(100, 120, 150, 1);
            seen[own] = true;
            assert_eq!(own, first(140, 100, 130, 2), "whatever the draw and the pace");
            if own == 2 {
                assert_ne!(first(100, 120, 151, 1), 2, "no more than half as slow again");
            }
        }
        assert_eq!(seen, [true; 3]);
    }

    proptest! {
        #[test]
        fn a_session_moves_only_if_its_own_target_goes(
            weights in prop::collection::vec(1..9_u32, 2..8), session: u64, gone in any::<prop::sample::Index>(),
        ) {
            let before = rank(Order::Weighted, weighted(&weights), 1, Some(session));
            let gone = gone.index(weights.len());
            let mut rest = weighted(&weights);
            rest.remove(gone);
            let after = rank(Order::Weighted, rest, 2, Some(session));
            let expected: Vec<_> = before.into_iter().filter(|index| *index != gone).collect();
            prop_assert_eq!(after, expected);
        }

        #[test]
        fn every_order_is_of_all_targets(
            order in prop::sample::select(&[Order::Priority, Order::Weighted, Order::Cheapest, Order::Fastest]),
            known in prop::collection::vec((0..3_u32, any::<Option<u64>>()), 0..8), draw: u64, session: Option<u64>,
        ) {
            let targets = known.iter().enumerate().map(|(index, (weight, pace))| target(index, *weight, *pace));
            let mut ranked = rank(order, targets.collect(), draw, session);
            ranked.sort_unstable();
            prop_assert_eq!(ranked, (0..known.len()).collect::<Vec<_>>());
        }
    }
}
