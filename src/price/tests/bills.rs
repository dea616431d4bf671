//! Bills worked out by hand, from the providers' price pages, for every class of tokens.
//!
//! The prices are those of the bundled list (USD per million tokens, so tokens × price ÷ 1,000,000 are dollars). When the
//! list is brought up to date and one of these changes, its bill is to be worked out again from the provider's page.

use crate::price::{Nanodollars, PriceSpec, find};
use crate::usage::Usage;

#[track_caller]
fn bill(provider: &str, model: &str, usage: Usage, service_tier: Option<&str>, dollars: &str) {
    let price = find(provider, model)
        .unwrap_or_else(|| panic!("no price for {model} at {provider}"))
        .price;
    assert_eq!(
        price.cost(&usage, service_tier).to_string(),
        dollars,
        "{model} at {provider}"
    );
}

#[test]
fn openai_input_and_output() {
    // gpt-4o: $2.50 input, $10 output.
    // 1,000 × 2.50 = $0.0025; 500 × 10 = $0.0050; together $0.0075.
    let usage = Usage {
        input: 1_000,
        output: 500,
        ..Usage::default()
    };
    bill("openai", "gpt-4o", usage, None, "$0.007500000");
}

#[test]
fn openai_cached_input() {
    // gpt-4o: $1.25 cached. prompt_tokens 2,006 of which cached_tokens 1,920; completion_tokens 300.
    // 86 × 2.50 = $0.000215; 1,920 × 1.25 = $0.0024; 300 × 10 = $0.003; together $0.005615.
    let usage = Usage {
        input: 86,
        cached_input: 1_920,
        output: 300,
        ..Usage::default()
    };
    bill("openai", "gpt-4o-2024-08-06", usage, Some("default"), "$0.005615000");
}

#[test]
fn openai_reasoning_is_output() {
    // gpt-5: $1.25 input, $10 output. completion_tokens 1,100 of which reasoning_tokens 1,024.
    // 75 × 1.25 = $0.00009375; 76 × 10 = $0.00076; 1,024 × 10 = $0.01024; together $0.01109375.
    let usage = Usage {
        input: 75,
        output: 76,
        reasoning: 1_024,
        ..Usage::default()
    };
    bill("openai", "gpt-5", usage, None, "$0.011093750");
}

#[test]
fn openai_audio_both_ways() {
    // gpt-audio: $2.50 text input, $32 audio input, $10 text output, $64 audio output.
    // 17 × 2.50 = $0.0000425; 120 × 32 = $0.00384; 43 × 10 = $0.00043; 258 × 64 = $0.016512; together $0.0208245.
    let usage = Usage {
        input: 17,
        input_audio: 120,
        output: 43,
        output_audio: 258,
        ..Usage::default()
    };
    bill("openai", "gpt-audio", usage, None, "$0.020824500");
}

#[test]
fn openai_audio_from_the_supplement() {
    // gpt-4o-audio-preview: $40 audio input, $80 audio output. 1,000 × 40 = $0.04; 500 × 80 = $0.04; together $0.08.
    let usage = Usage {
        input_audio: 1_000,
        output_audio: 500,
        ..Usage::default()
    };
    bill("openai", "gpt-4o-audio-preview-2024-12-17", usage, None, "$0.080000000");
}

#[test]
fn openai_flex_and_priority() {
    // gpt-5: 10,000 input, of which 4,000 cached, and 2,000 output.
    let usage = Usage {
        input: 6_000,
        cached_input: 4_000,
        output: 2_000,
        ..Usage::default()
    };
    // Standard $1.25, $0.125, $10: 0.0075 + 0.0005 + 0.02 = $0.028.
    bill("openai", "gpt-5", usage, None, "$0.028000000");
    // Flex $0.625, $0.0625, $5: 0.00375 + 0.00025 + 0.01 = $0.014.
    bill("openai", "gpt-5", usage, Some("flex"), "$0.014000000");
    // Priority $2.50, $0.25, $20: 0.015 + 0.001 + 0.04 = $0.056.
    bill("openai", "gpt-5", usage, Some("priority"), "$0.056000000");
}

#[test]
fn openai_batch_without_a_cached_rate_keeps_the_standard_one() {
    // o3 batch: $1 input, $4 output, and no cached rate published, hence the standard $0.50.
    // 1,000 × 1 = $0.001; 1,000 × 0.50 = $0.0005; 1,000 × 4 = $0.004; together $0.0055.
    let usage = Usage {
        input: 1_000,
        cached_input: 1_000,
        output: 1_000,
        ..Usage::default()
    };
    bill("openai", "o3", usage, Some("batch"), "$0.005500000");
}

#[test]
fn openai_embeddings() {
    // text-embedding-3-small: $0.02. 8 × 0.02 = $0.00000016, which is 160 nanodollars.
    let usage = Usage {
        input: 8,
        ..Usage::default()
    };
    bill("openai", "text-embedding-3-small", usage, None, "$0.000000160");
}

#[test]
fn anthropic_cache_reads_and_both_cache_writes() {
    // claude-sonnet-4-5: $3 input, $0.30 read, $3.75 written for 5 minutes, $6 written for an hour, $15 output.
    // 21 × 3 = $0.000063; 18,860 × 0.30 = $0.005658; 456 × 3.75 = $0.00171; 100 × 6 = $0.0006; 393 × 15 = $0.005895;
    // together $0.013926.
    let usage = Usage {
        input: 21,
        cached_input: 18_860,
        cache_write_5m: 456,
        cache_write_1h: 100,
        output: 393,
        ..Usage::default()
    };
    bill(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        usage,
        Some("standard"),
        "$0.013926000",
    );
}

#[test]
fn anthropic_above_200k_tokens_costs_more_from_the_first_token() {
    // claude-sonnet-4-5 above 200,000: $6 input, $0.60 read, $7.50 and $12 written, $22.50 output.
    // The prompt counts with its cached part: 150,000 + 40,000 + 10,000 + 1 = 200,001.
    // 150,000 × 6 = $0.90; 40,000 × 0.60 = $0.024; 10,000 × 7.50 = $0.075; 1 × 12 = $0.000012; 1,000 × 22.50 = $0.0225;
    // together $1.021512.
    let above = Usage {
        input: 150_000,
        cached_input: 40_000,
        cache_write_5m: 10_000,
        cache_write_1h: 1,
        output: 1_000,
        ..Usage::default()
    };
    bill("anthropic", "claude-sonnet-4-5", above, None, "$1.021512000");
    // One token fewer is the base tier: 0.45 + 0.012 + 0.0375 + 0.015 = $0.5145.
    let at = Usage {
        cache_write_1h: 0,
        ..above
    };
    bill("anthropic", "claude-sonnet-4-5", at, None, "$0.514500000");
    // Batch above 200,000 is half: $1.021512 ÷ 2.
    bill("anthropic", "claude-sonnet-4-5", above, Some("batch"), "$0.510756000");
}

#[test]
fn anthropic_on_bedrock_in_a_region_costs_a_tenth_more() {
    // us.anthropic.claude-sonnet-4-5: $3.30 input, $6.60 written for an hour, $16.50 output.
    // 1,000 × 3.30 = $0.0033; 1,000 × 6.60 = $0.0066; 1,000 × 16.50 = $0.0165; together $0.0264.
    let usage = Usage {
        input: 1_000,
        cache_write_1h: 1_000,
        output: 1_000,
        ..Usage::default()
    };
    bill(
        "aws",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        usage,
        None,
        "$0.026400000",
    );
}

#[test]
fn gemini_above_200k_tokens_with_thinking() {
    // gemini-2.5-pro above 200,000: $2.50 input, $0.25 cached, $15 output; thinking is output.
    // 150,000 × 2.50 = $0.375; 100,000 × 0.25 = $0.025; 800 × 15 = $0.012; 4,200 × 15 = $0.063; together $0.475.
    let above = Usage {
        input: 150_000,
        cached_input: 100_000,
        output: 800,
        reasoning: 4_200,
        ..Usage::default()
    };
    bill("google", "gemini-2.5-pro", above, None, "$0.475000000");
    // Below: $1.25 input, $0.125 cached, $10 output: 0.125 + 0.0125 + 0.008 + 0.042 = $0.1875.
    let below = Usage {
        input: 100_000,
        ..above
    };
    bill("google", "gemini-2.5-pro", below, None, "$0.187500000");
}

#[test]
fn gemini_audio_input() {
    // gemini-2.5-flash: $0.30 text, $1 audio, $2.50 output.
    // 10 × 0.30 = $0.000003; 1,920 × 1 = $0.00192; 100 × 2.50 = $0.00025; together $0.002173.
    let usage = Usage {
        input: 10,
        input_audio: 1_920,
        output: 100,
        ..Usage::default()
    };
    bill("google", "gemini-2.5-flash", usage, None, "$0.002173000");
}

#[test]
fn deepseek_cache_hits() {
    // deepseek-chat at its dearer hours: $0.27 miss, $0.07 hit, $1.10 output.
    // 1,000 × 0.27 = $0.00027; 9,000 × 0.07 = $0.00063; 2,000 × 1.10 = $0.0022; together $0.0031.
    let usage = Usage {
        input: 1_000,
        cached_input: 9_000,
        output: 2_000,
        ..Usage::default()
    };
    bill("deepseek", "deepseek-chat", usage, None, "$0.003100000");
}

#[test]
fn perplexity_charges_each_request() {
    // sonar-pro: $3 input, $15 output, $14 for a thousand requests.
    // 26 × 3 = $0.000078; 412 × 15 = $0.00618; 1 request $0.014; together $0.020258.
    let usage = Usage {
        input: 26,
        output: 412,
        ..Usage::default()
    };
    bill("perplexity", "sonar-pro", usage, None, "$0.020258000");
    // Without a single token it is still $0.014.
    bill("perplexity", "sonar-pro", Usage::default(), None, "$0.014000000");
}

#[test]
fn perplexity_prices_reasoning_apart() {
    // sonar-deep-research: $2 input, $8 output, $3 reasoning.
    // 33 × 2 = $0.000066; 7,163 × 8 = $0.057304; 73,997 × 3 = $0.221991; together $0.279361.
    let usage = Usage {
        input: 33,
        output: 7_163,
        reasoning: 73_997,
        ..Usage::default()
    };
    bill("perplexity", "sonar-deep-research", usage, None, "$0.279361000");
}

#[test]
fn xai_counts_exactly_200k_tokens_as_long() {
    // grok-4.3: $1.25 and $2.50 below 200,000, twice that from 200,000 on.
    // 199,999 × 1.25 = $0.24999875; 200,000 × 2.50 = $0.50.
    bill(
        "x-ai",
        "grok-4.3",
        Usage {
            input: 199_999,
            ..Usage::default()
        },
        None,
        "$0.249998750",
    );
    bill(
        "x-ai",
        "grok-4.3",
        Usage {
            input: 200_000,
            ..Usage::default()
        },
        None,
        "$0.500000000",
    );
}

#[test]
fn groq_bills_fractions_of_a_nanodollar_only_in_sum() {
    // llama-3.3-70b-versatile: $0.59 and $0.79. 3 × 590 = 1,770 and 1 × 790 = 790 nanodollars; together $0.00000256.
    let usage = Usage {
        input: 3,
        output: 1,
        ..Usage::default()
    };
    bill("groq", "llama-3.3-70b-versatile", usage, None, "$0.000002560");
}

#[test]
fn a_bill_is_rounded_once_over_all_classes() {
    // $0.0004, $0.0003 and $0.0003 per million are 0.4, 0.3 and 0.3 nanodollars a token: each alone rounds to nothing,
    // together they are exactly 1.
    let spec = PriceSpec {
        provider: "local".to_owned(),
        model: "small".to_owned(),
        input: Some(0.000_4),
        cached_input: Some(0.000_3),
        output: Some(0.000_3),
        ..PriceSpec::default()
    };
    let price = spec.compile().expect("a price");
    let one = |input, cached_input, output| Usage {
        input,
        cached_input,
        output,
        ..Usage::default()
    };
    assert_eq!(price.cost(&one(1, 1, 1), None), Nanodollars(1));
    assert_eq!(price.cost(&one(1, 0, 0), None), Nanodollars(0));
    // 0.4 + 0.3 = 0.7 rounds up, and so does 0.6; half of one would too.
    assert_eq!(price.cost(&one(1, 1, 0), None), Nanodollars(1));
}
