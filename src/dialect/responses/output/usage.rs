//! The `usage` object as it is written.
//!
//! In: [`Usage`] in its disjoint classes. Out: OpenAI's numbers, of which the parts are contained in their wholes.

use serde::Serialize;

use crate::usage::Usage;

/// The `usage` object.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::dialect::responses) struct Tokens {
    input_tokens: u64,
    input_tokens_details: Input,
    output_tokens: u64,
    output_tokens_details: Generated,
    total_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Input {
    cached_tokens: u64,
    cache_write_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Generated {
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tokens {
    /// Classes in OpenAI's words: all input in one number, what was cached or written to a cache as parts of it.
    pub(in crate::dialect::responses) fn of(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.prompt(),
            input_tokens_details: Input {
                cached_tokens: usage.cached_input,
                cache_write_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
                audio_tokens: usage.input_audio,
            },
            output_tokens: usage.completion(),
            output_tokens_details: Generated {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.output_audio,
            },
            total_tokens: usage.prompt().saturating_add(usage.completion()),
        }
    }
}
