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
