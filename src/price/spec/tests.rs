use super::*;

fn spec(json: &str) -> PriceSpec {
    serde_json::from_str(json).expect("a price")
}

fn compiled(json: &str) -> Price {
    spec(json).compile().unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(json: &str, path: &str, problem: &str) {
    let error = spec(json).compile().expect_err("a refusal");
    assert_eq!(error.path, path, "{error}");
    assert!(error.problem.contains(problem), "{error}");
    assert!(!error.remedy.is_empty());
}

#[test]
fn what_is_left_out_costs_what_its_nearest_relative_costs() {
    let price = compiled(r#"{"provider": "p", "model": "m", "input": 3, "output": 15}"#);
    assert_eq!(
        price.standard.base,
        Rates {
            input: 3_000_000,
            cached_input: 3_000_000,
            cache_write_5m: 3_000_000,
            cache_write_1h: 3_000_000,
            input_audio: 3_000_000,
            output: 15_000_000,
            reasoning: 15_000_000,
            output_audio: 15_000_000,
        }
    );
    let price = compiled(r#"{"provider": "p", "model": "m", "input": 3, "cache_write_5m": 3.75, "output": 15}"#);
    assert_eq!(price.standard.base.cache_write_1h, 3_750_000);
}

#[test]
fn every_class_can_be_written() {
    let price = compiled(
        r#"{"provider": "p", "model": "m", "input": 1, "cached_input": 2, "cache_write_5m": 3, "cache_write_1h": 4,
            "input_audio": 5, "output": 6, "reasoning": 7, "output_audio": 8, "per_request": 0.005}"#,
    );
    assert_eq!(
        price.standard.base,
        Rates {
            input: 1_000_000,
            cached_input: 2_000_000,
            cache_write_5m: 3_000_000,
            cache_write_1h: 4_000_000,
            input_audio: 5_000_000,
            output: 6_000_000,
            reasoning: 7_000_000,
            output_audio: 8_000_000,
        }
    );
    assert_eq!(price.per_request, 5_000_000_000);
}

#[test]
fn a_tier_keeps_what_it_does_not_name() {
    let price = compiled(
        r#"{"provider": "p", "model": "m", "input": 2, "cached_input": 0.2, "output": 10,
            "tiers": [{"above": 400000, "output": 30}, {"above": 200000, "input": 4, "output": 15}]}"#,
    );
    let at = |prompt| {
        let rates = price.standard.rates(prompt);
        (rates.input, rates.cached_input, rates.output, rates.reasoning)
    };
    assert_eq!(at(200_000), (2_000_000, 200_000, 10_000_000, 10_000_000));
    assert_eq!(at(200_001), (4_000_000, 200_000, 15_000_000, 15_000_000));
    assert_eq!(at(400_001), (4_000_000, 200_000, 30_000_000, 30_000_000));
}

#[test]
fn a_service_tier_keeps_the_standard_rates_it_does_not_name_at_every_size_of_prompt() {
    let price = compiled(
        r#"{"provider": "p", "model": "m", "input": 2, "output": 10, "tiers": [{"above": 200000, "input": 4, "output": 15}],
            "service_tiers": {"flex": {"input": 1}, "priority": {"output": 20, "tiers": [{"above": 100000, "output": 40}]}}}"#,
    );
    let at = |tier, prompt| {
        let rates = price.schedule(Some(tier)).rates(prompt);
        (rates.input, rates.output)
    };
    assert_eq!(at("flex", 1), (1_000_000, 10_000_000));
    assert_eq!(at("flex", 200_001), (1_000_000, 15_000_000));
    assert_eq!(at("priority", 1), (2_000_000, 20_000_000));
    assert_eq!(at("priority", 100_001), (2_000_000, 40_000_000));
    assert_eq!(at("priority", 200_001), (4_000_000, 40_000_000));
}

#[test]
fn prices_become_integers_exactly() {
    // Floats like 0.29, 1.1 and 0.0028 are not what they look like; what people mean is exact.
    for (dollars, picodollars) in [
        ("0", 0),
        ("0.0001", 100),
        ("0.0028", 2_800),
        ("0.003625", 3_625),
        ("0.123456", 123_456),
        ("0.29", 290_000),
        ("1.1", 1_100_000),
        ("2.19", 2_190_000),
        ("112.5", 112_500_000),
        ("999999.999999", 999_999_999_999),
        ("1e6", 1_000_000_000_000),
    ] {
        let price = compiled(&format!(
            r#"{{"provider": "p", "model": "m", "input": {dollars}, "output": 0}}"#
        ));
        assert_eq!(price.standard.base.input, picodollars, "{dollars}");
    }
}

#[test]
fn a_price_that_cannot_be_meant_is_refused_where_it_stands() {
    let refused_input = |dollars: &str, problem| {
        refused(
            &format!(r#"{{"provider": "p", "model": "m", "input": {dollars}, "output": 1}}"#),
            "input",
            problem,
        );
    };
    refused_input("-1", "is no price");
    refused_input("0.1234567", "too many decimals");
    refused_input("0.0000025", "next to nothing");
    refused_input("1000001", "beyond any price");
    refused(
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1, "tiers": [{"above": 1, "reasoning": -0.5}]}"#,
        "tiers[0].reasoning",
        "is no price",
    );
    refused(
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1,
            "service_tiers": {"flex": {"tiers": [{"above": 5, "input": 1}, {"above": 5, "input": 2}]}}}"#,
        "service_tiers.flex.tiers[1].above",
        "above 5 tokens",
    );
    refused(
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1, "tiers": [{"above": 0, "input": 2}]}"#,
        "tiers[0].above",
        "leaves nothing below",
    );
    refused(
        r#"{"provider": "p", "model": "m", "per_request": -1}"#,
        "per_request",
        "is no price",
    );
}

#[test]
fn a_float_that_is_no_number_is_refused() {
    for rate in [f64::NAN, f64::INFINITY] {
        let mut spec = spec(r#"{"provider": "p", "model": "m", "input": 1, "output": 1}"#);
        spec.cache_write_1h = Some(rate);
        assert_eq!(spec.compile().expect_err("a refusal").path, "cache_write_1h");
    }
}

#[test]
fn input_and_output_are_required_unless_only_requests_are_charged() {
    refused(r#"{"provider": "p", "model": "m"}"#, "input", "missing");
    refused(r#"{"provider": "p", "model": "m", "input": 1}"#, "output", "missing");
    refused(
        r#"{"provider": "p", "model": "m", "input": 1, "per_request": 0.1}"#,
        "output",
        "missing",
    );
    let price = compiled(r#"{"provider": "p", "model": "m", "per_request": 0.1}"#);
    assert_eq!(
        (price.standard.base, price.per_request),
        (Rates::default(), 100_000_000_000)
    );
}

#[test]
fn a_name_is_whole_or_a_prefix() {
    let spec = |model: &str| PriceSpec {
        provider: "p".to_owned(),
        model: model.to_owned(),
        input: Some(1.0),
        output: Some(1.0),
        ..PriceSpec::default()
    };
    for good in ["m", "m*", "*"] {
        assert!(spec(good).compile().is_ok(), "{good}");
    }
    for bad in ["", "m*x", "*m", "m**"] {
        assert_eq!(spec(bad).compile().expect_err("a refusal").path, "model", "{bad}");
    }
}

#[test]
fn a_misspelt_rate_is_refused_by_the_parser() {
    for json in [
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1, "cached": 0.1}"#,
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1, "tiers": [{"above": 1, "inputs": 1}]}"#,
        r#"{"provider": "p", "model": "m", "input": 1, "output": 1, "service_tiers": {"flex": {"per_request": 1}}}"#,
    ] {
        assert!(serde_json::from_str::<PriceSpec>(json).is_err(), "{json}");
    }
}
