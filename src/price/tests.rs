//! What [`Price::cost`] promises for every price: checked against bills and in general.

use proptest::prelude::*;

use super::*;

mod bills;

fn rates() -> impl Strategy<Value = Rates> {
    // Up to the dearest rate that compiles, a dollar a token.
    prop::array::uniform8(0..=1_000_000_000_000_u64).prop_map(
        |[
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            input_audio,
            output,
            reasoning,
            output_audio,
        ]| Rates {
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            input_audio,
            output,
            reasoning,
            output_audio,
        },
    )
}

fn flat(rates: Rates, per_request: u64) -> Price {
    Price {
        standard: Schedule {
            base: rates,
            tiers: Vec::new(),
        },
        service_tiers: Vec::new(),
        per_request,
    }
}

fn usage(
    [
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        output,
        reasoning,
        output_audio,
    ]: [u64; 8],
) -> Usage {
    Usage {
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        output,
        reasoning,
        output_audio,
    }
}

fn counts() -> impl Strategy<Value = [u64; 8]> {
    prop::array::uniform8(0..=10_000_000_u64)
}

proptest! {
    #[test]
    fn more_tokens_of_any_class_never_cost_less(
        rates in rates(), counts in counts(), class in 0..8_usize, more in 0..=10_000_000_u64,
    ) {
        let price = flat(rates, 0);
        let mut larger = counts;
        larger[class] += more;
        prop_assert!(price.cost(&usage(larger), None) >= price.cost(&usage(counts), None));
    }

    #[test]
    fn a_higher_rate_never_costs_less(rates in rates(), counts in counts(), more in 0..=1_000_000_u64) {
        let dearer = Rates { reasoning: rates.reasoning + more, ..rates };
        prop_assert!(flat(dearer, 0).cost(&usage(counts), None) >= flat(rates, 0).cost(&usage(counts), None));
    }

    #[test]
    fn a_bill_is_within_half_a_nanodollar_of_the_exact_sum(
        rates in rates(), counts in counts(), per_request in 0..=1_000_000_000_000_u64,
    ) {
        let usage = usage(counts);
        let exact = rates.picodollars(&usage) + u128::from(per_request);
        let billed = u128::from(flat(rates, per_request).cost(&usage, None).0) * 1_000;
        prop_assert!(billed.abs_diff(exact) <= 500, "{billed} for {exact}");
    }

    #[test]
    fn splitting_a_bill_by_class_moves_it_by_no_more_than_rounding(rates in rates(), counts in counts()) {
        let price = flat(rates, 0);
        let whole = price.cost(&usage(counts), None).0;
        let parts: u64 = (0..8)
            .map(|class| {
                let mut alone = [0; 8];
                alone[class] = counts[class];
                price.cost(&usage(alone), None).0
            })
            .sum();
        // Half a nanodollar for each of eight parts, and for the whole.
        prop_assert!(whole.abs_diff(parts) <= 4);
    }

    #[test]
    fn no_counts_and_no_rates_overflow(counts in prop::array::uniform8(any::<u64>()), rate in any::<u64>()) {
        let rates = Rates {
            input: rate,
            cached_input: rate,
            cache_write_5m: rate,
            cache_write_1h: rate,
            input_audio: rate,
            output: rate,
            reasoning: rate,
            output_audio: rate,
        };
        flat(rates, u64::MAX).cost(&usage(counts), Some("flex"));
    }
}

/// A price with tiers by size and by service.
fn tiered() -> impl Strategy<Value = Price> {
    let schedule = || {
        (rates(), prop::collection::vec((0..300_000_u64, rates()), 0..3)).prop_map(|(base, mut tiers)| {
            tiers.sort_by_key(|(above, _)| *above);
            let tiers = tiers.into_iter().map(|(above_prompt_tokens, rates)| Tier {
                above_prompt_tokens,
                rates,
            });
            Schedule {
                base,
                tiers: tiers.collect(),
            }
        })
    };
    (schedule(), schedule(), 0..=1_000_000_000_000_u64).prop_map(|(standard, flex, per_request)| Price {
        standard,
        service_tiers: vec![("flex".to_owned(), flex)],
        per_request,
    })
}

/// Splits a number at random among so many classes.
fn shares(total: u64, cuts: [u64; 4]) -> [u64; 5] {
    let mut left = total;
    let mut parts = cuts.map(|cut| {
        let part = cut % (left + 1);
        left -= part;
        part
    });
    parts.rotate_left((total % 4) as usize);
    let [a, b, c, d] = parts;
    [a, b, c, d, left]
}

proptest! {
    #[test]
    fn no_answer_costs_more_than_was_foreseen(
        price in tiered(), most in (0..400_000_u64, 0..400_000_u64), real in (0..=1000_u64, 0..=1000_u64),
        cuts in prop::array::uniform8(any::<u64>()), caches: bool, audio: bool,
        asked in prop::option::of(prop::sample::select(vec!["flex", "FLEX", "auto"])), given: bool,
    ) {
        let expected = Expected { input: most.0, output: most.1, caches, audio, service_tier: asked };
        let [c0, c1, c2, c3, c4, c5, ..] = cuts;
        let [input, cached, write_5m, write_1h, input_audio] = shares(most.0 * real.0 / 1000, [c0, c1, c2, c3]);
        let [output, reasoning, output_audio, a, b] = shares(most.1 * real.1 / 1000, [c4, c5, 0, 0]);
        // What cannot be is plain input and output.
        let (write_5m, write_1h, input) = if caches { (write_5m, write_1h, input) } else { (0, 0, input + write_5m + write_1h) };
        let (input_audio, input) = if audio { (input_audio, input) } else { (0, input + input_audio) };
        let (output_audio, output) = if audio { (output_audio + a, output + b) } else { (0, output + output_audio + a + b) };
        let usage = usage([input, cached, write_5m, write_1h, input_audio, output, reasoning, output_audio]);
        prop_assert!(usage.prompt() <= most.0 && usage.completion() <= most.1);
        // The provider gives the tier that was asked for, or the standard.
        let tier = asked.filter(|_| given);
        let (bound, per_token) = price.most(&expected);
        prop_assert!(price.cost(&usage, tier) <= bound, "{usage:?} costs more than {bound:?}");
        // And each token of output more raises it by what is said, but for rounding.
        let more = Expected { output: most.1 + 1_000, ..expected };
        let (higher, same) = price.most(&more);
        prop_assert_eq!(per_token, same);
        prop_assert!((higher.0 - bound.0).abs_diff(per_token) <= 1);
    }
}

#[test]
fn what_an_answer_may_cost_is_foreseen_by_its_dearest_tier() {
    let rates = |input, output| Rates {
        input,
        output,
        ..Rates::default()
    };
    let price = Price {
        standard: Schedule {
            base: rates(2_000, 3_000),
            tiers: vec![Tier {
                above_prompt_tokens: 100,
                rates: rates(1_000, 9_000),
            }],
        },
        ..Price::default()
    };
    let most = |input| {
        let expected = Expected {
            input,
            output: 10,
            ..Expected::default()
        };
        price.most(&expected)
    };
    assert_eq!(most(100), (Nanodollars(230), 3_000));
    // Longer than the threshold it may be, or not: then its input would be dearer.
    assert_eq!(most(101), (Nanodollars(202 + 90), 9_000));
}

#[test]
fn the_largest_bill_stops_at_the_largest_amount() {
    let rates = Rates {
        output: u64::MAX,
        ..Rates::default()
    };
    let usage = Usage {
        output: u64::MAX,
        ..Usage::default()
    };
    assert_eq!(flat(rates, u64::MAX).cost(&usage, None), Nanodollars(u64::MAX));
}

#[test]
fn a_tier_begins_above_its_threshold_and_not_at_it() {
    let tier = |above_prompt_tokens, input| Tier {
        above_prompt_tokens,
        rates: Rates {
            input,
            ..Rates::default()
        },
    };
    let schedule = Schedule {
        base: Rates {
            input: 1,
            ..Rates::default()
        },
        tiers: vec![tier(100, 2), tier(1_000, 3)],
    };
    for (prompt, input) in [(0, 1), (100, 1), (101, 2), (1_000, 2), (1_001, 3), (u64::MAX, 3)] {
        assert_eq!(schedule.rates(prompt).input, input, "{prompt}");
    }
}

#[test]
fn a_service_tier_without_rates_of_its_own_costs_the_standard() {
    let rates = |output| Schedule {
        base: Rates {
            output,
            ..Rates::default()
        },
        tiers: Vec::new(),
    };
    let price = Price {
        standard: rates(10_000),
        service_tiers: vec![
            ("flex".to_owned(), rates(5_000)),
            ("priority".to_owned(), rates(20_000)),
        ],
        per_request: 0,
    };
    let usage = Usage {
        output: 1,
        ..Usage::default()
    };
    for (tier, nanodollars) in [
        (None, 10),
        (Some("default"), 10),
        (Some("standard"), 10),
        (Some("auto"), 10),
        (Some("on_demand"), 10),
        (Some("scale"), 10),
        (Some(""), 10),
        (Some("flex"), 5),
        (Some("FLEX"), 5),
        (Some("priority"), 20),
    ] {
        assert_eq!(price.cost(&usage, tier), Nanodollars(nanodollars), "{tier:?}");
    }
}
