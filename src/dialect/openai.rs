//! Usage as OpenAI and the many who follow it report it.
//!
//! `prompt_tokens` (`input_tokens` in Responses, images and audio) includes what was cached and what was audio, and
//! `completion_tokens` includes reasoning and audio. Departures from that are told by the numbers themselves:
//!
//! - xAI counts reasoning beside `completion_tokens`, and Gemini's compatible endpoint counts it nowhere but in
//!   `total_tokens`: what the total has more than its parts is reasoning.
//! - DeepSeek calls cached input `prompt_cache_hit_tokens`; Moonshot and Together put `cached_tokens` at the top.
//! - Rerankers report `total_tokens` alone, or Cohere's `meta`.

use serde::Deserialize;

use super::wire::{Malformed, Maybe, first, part};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Wire {
    prompt_tokens: Maybe,
    input_tokens: Maybe,
    completion_tokens: Maybe,
    output_tokens: Maybe,
    total_tokens: Maybe,
    prompt_tokens_details: Option<Input>,
    input_tokens_details: Option<Input>,
    input_token_details: Option<Input>,
    completion_tokens_details: Option<Output>,
    output_tokens_details: Option<Output>,
    output_token_details: Option<Output>,
    prompt_cache_hit_tokens: Maybe,
    cached_tokens: Maybe,
    num_cached_tokens: Maybe,
    cache_read_input_tokens: Maybe,
    cache_creation_input_tokens: Maybe,
    reasoning_tokens: Maybe,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Input {
    cached_tokens: Maybe,
    cache_write_tokens: Maybe,
    audio_tokens: Maybe,
    cached_tokens_details: Option<Cached>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Cached {
    audio_tokens: Maybe,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Output {
    reasoning_tokens: Maybe,
    audio_tokens: Maybe,
}

/// Reads a `usage` object. `None`: it counts no tokens (it may count seconds).
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object or one of its numbers is not a number of tokens.
pub fn usage(raw: &[u8]) -> Result<Option<Usage>, Malformed> {
    let wire: Wire = serde_json::from_slice(raw).map_err(|_| Malformed)?;
    let prompt = first(&[wire.prompt_tokens, wire.input_tokens]);
    let completion = first(&[wire.completion_tokens, wire.output_tokens]);
    let total = first(&[wire.total_tokens]);
    if prompt.is_none() && completion.is_none() {
        return Ok(total.map(|input| Usage {
            input,
            ..Usage::default()
        }));
    }
    let input = wire
        .prompt_tokens_details
        .or(wire.input_tokens_details)
        .or(wire.input_token_details)
        .unwrap_or_default();
    let output = wire
        .completion_tokens_details
        .or(wire.output_tokens_details)
        .or(wire.output_token_details)
        .unwrap_or_default();

    let mut rest = prompt.unwrap_or_default();
    let cached = first(&[
        input.cached_tokens,
        wire.prompt_cache_hit_tokens,
        wire.cached_tokens,
        wire.num_cached_tokens,
        wire.cache_read_input_tokens,
    ]);
    let written = first(&[input.cache_write_tokens, wire.cache_creation_input_tokens]);
    let cached_audio = first(&[input.cached_tokens_details.unwrap_or_default().audio_tokens]).unwrap_or_default();
    let audio = first(&[input.audio_tokens]).unwrap_or_default();
    let mut usage = Usage {
        cached_input: part(&mut rest, cached.unwrap_or_default()),
        cache_write_5m: part(&mut rest, written.unwrap_or_default()),
        input_audio: part(&mut rest, audio.saturating_sub(cached_audio)),
        ..Usage::default()
    };
    usage.input = rest;

    let mut rest = completion.unwrap_or_default();
    let reasoning = first(&[output.reasoning_tokens, wire.reasoning_tokens]).unwrap_or_default();
    let named = prompt.unwrap_or_default().saturating_add(rest);
    let unnamed = total.map_or(0, |total| total.saturating_sub(named));
    let is_beside = unnamed > 0 && (unnamed == reasoning || reasoning == 0 && cached.is_none() && written.is_none());
    usage.output_audio = part(&mut rest, first(&[output.audio_tokens]).unwrap_or_default());
    usage.reasoning = if is_beside { unnamed } else { part(&mut rest, reasoning) };
    usage.output = rest;
    Ok(Some(usage))
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<Units>,
    tokens: Option<Units>,
}

#[derive(Deserialize)]
struct Units {
    input_tokens: Maybe,
    output_tokens: Maybe,
}

/// Reads the `meta` object of Cohere's replies. `None`: it counts no tokens (it may count searches).
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object or one of its numbers is not a number of tokens.
pub fn meta(raw: &[u8]) -> Result<Option<Usage>, Malformed> {
    let meta: Meta = serde_json::from_slice(raw).map_err(|_| Malformed)?;
    let units = [meta.billed_units, meta.tokens].into_iter().flatten();
    let mut counted = units.filter(|units| units.input_tokens.is_some() || units.output_tokens.is_some());
    Ok(counted.next().map(|units| Usage {
        input: first(&[units.input_tokens]).unwrap_or_default(),
        output: first(&[units.output_tokens]).unwrap_or_default(),
        ..Usage::default()
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(usage: serde_json::Value) -> Result<Option<Usage>, Malformed> {
        super::usage(usage.to_string().as_bytes())
    }

    #[test]
    fn each_provider_is_read_in_its_own_way() {
        let none = Usage::default();
        for (name, wire, expected) in [
            (
                "OpenAI chat with everything",
                json!({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                    "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 20},
                    "completion_tokens_details": {"reasoning_tokens": 15, "audio_tokens": 5,
                        "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}),
                Usage {
                    input: 50,
                    cached_input: 30,
                    input_audio: 20,
                    output: 30,
                    reasoning: 15,
                    output_audio: 5,
                    ..none
                },
            ),
            (
                "OpenAI responses",
                json!({"input_tokens": 36, "input_tokens_details": {"cached_tokens": 6}, "output_tokens": 87,
                    "output_tokens_details": {"reasoning_tokens": 60}, "total_tokens": 123}),
                Usage {
                    input: 30,
                    cached_input: 6,
                    output: 27,
                    reasoning: 60,
                    ..none
                },
            ),
            (
                "OpenAI embeddings",
                json!({"prompt_tokens": 8, "total_tokens": 8}),
                Usage { input: 8, ..none },
            ),
            (
                "OpenAI images",
                json!({"total_tokens": 100, "input_tokens": 50, "output_tokens": 50,
                    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}),
                Usage {
                    input: 50,
                    output: 50,
                    ..none
                },
            ),
            (
                "OpenAI transcription",
                json!({"type": "tokens", "input_tokens": 14, "output_tokens": 101, "total_tokens": 115,
                    "input_token_details": {"text_tokens": 0, "audio_tokens": 14}}),
                Usage {
                    input_audio: 14,
                    output: 101,
                    ..none
                },
            ),
            (
                "DeepSeek",
                json!({"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100,
                    "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 26,
                    "prompt_tokens_details": {"cached_tokens": 64}}),
                Usage {
                    input: 26,
                    cached_input: 64,
                    output: 10,
                    ..none
                },
            ),
            (
                "DeepSeek without details",
                json!({"prompt_tokens": 90, "completion_tokens": 10, "prompt_cache_hit_tokens": 64}),
                Usage {
                    input: 26,
                    cached_input: 64,
                    output: 10,
                    ..none
                },
            ),
            (
                "Moonshot",
                json!({"prompt_tokens": 19, "completion_tokens": 21, "total_tokens": 40, "cached_tokens": 10}),
                Usage {
                    input: 9,
                    cached_input: 10,
                    output: 21,
                    ..none
                },
            ),
            (
                "xAI: reasoning beside the completion",
                json!({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
                    "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
                    "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0}}),
                Usage {
                    input: 26,
                    cached_input: 6,
                    output: 9,
                    reasoning: 94,
                    ..none
                },
            ),
            (
                "Gemini's compatible endpoint: thoughts in the total alone",
                json!({"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 516}),
                Usage {
                    input: 7,
                    output: 9,
                    reasoning: 500,
                    ..none
                },
            ),
            (
                "OpenRouter with a cache write",
                json!({"prompt_tokens": 100, "completion_tokens": 4, "total_tokens": 104, "cost": 0.01,
                    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 50}}),
                Usage {
                    input: 30,
                    cached_input: 20,
                    cache_write_5m: 50,
                    output: 4,
                    ..none
                },
            ),
            (
                "vLLM: no details, nulls",
                json!({"prompt_tokens": 5, "total_tokens": 8, "completion_tokens": 3, "prompt_tokens_details": null}),
                Usage {
                    input: 5,
                    output: 3,
                    ..none
                },
            ),
            ("a reranker", json!({"total_tokens": 77}), Usage { input: 77, ..none }),
            (
                "whole numbers as fractions",
                json!({"prompt_tokens": 5.0, "completion_tokens": 3.0}),
                Usage {
                    input: 5,
                    output: 3,
                    ..none
                },
            ),
        ] {
            assert_eq!(read(wire), Ok(Some(expected)), "{name}");
        }
    }

    #[test]
    fn what_counts_no_tokens_is_none() {
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({"type": "duration", "seconds": 27})), Ok(None));
        assert_eq!(meta(br#"{"billed_units":{"search_units":1}}"#), Ok(None));
    }

    #[test]
    fn parts_never_exceed_their_whole() {
        let usage = read(json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 15, "audio_tokens": 1}}));
        let expected = Usage {
            cached_input: 10,
            reasoning: 4,
            output_audio: 1,
            ..Usage::default()
        };
        assert_eq!(usage, Ok(Some(expected)));
    }

    #[test]
    fn numbers_that_count_nothing_are_malformed_not_zero() {
        for bad in [
            json!("12"),
            json!(-1),
            json!(1.5),
            json!(1e30),
            json!(u64::MAX),
            json!([]),
            json!(true),
        ] {
            assert_eq!(
                read(json!({"prompt_tokens": bad, "completion_tokens": 1})),
                Err(Malformed),
                "{bad}"
            );
        }
        assert_eq!(read(json!([1])), Err(Malformed));
        assert_eq!(usage(br#"{"prompt_tokens":1,"prompt_tokens":2}"#), Err(Malformed));
        assert_eq!(usage(br#"{"prompt_tokens":1"#), Err(Malformed));
    }

    #[test]
    fn cohere_bills_units() {
        let raw = br#"{"api_version":{"version":"2"},"billed_units":{"input_tokens":12,"output_tokens":3.0},"tokens":{"input_tokens":80,"output_tokens":3}}"#;
        assert_eq!(
            meta(raw),
            Ok(Some(Usage {
                input: 12,
                output: 3,
                ..Usage::default()
            }))
        );
        let raw = br#"{"tokens":{"input_tokens":80}}"#;
        assert_eq!(
            meta(raw),
            Ok(Some(Usage {
                input: 80,
                ..Usage::default()
            }))
        );
    }

    proptest! {
        #[test]
        fn classes_add_up_to_what_was_reported(
            prompt in 0u64..1 << 50, completion in 0u64..1 << 50,
            cached: Option<u32>, audio: Option<u32>, reasoning: Option<u32>, spoken: Option<u32>,
        ) {
            let usage = read(json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": audio},
                "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": spoken}})).unwrap().unwrap();
            prop_assert_eq!((usage.prompt(), usage.completion()), (prompt, completion));
        }

        #[test]
        fn no_bytes_panic(raw: Vec<u8>) {
            let _ = (usage(&raw), meta(&raw));
        }
    }
}
