//! A usage object, written.
//!
//! In: [`Usage`] in its classes. Out: the object under `usage`, from which
//! [`Counts`](crate::dialect::anthropic::Counts) reads the same classes again; audio is not told apart here. It counts
//! nothing.
//!
//! Source: `usage.py` and `message_delta_usage.py` of Anthropic's Python SDK.

use serde::Serialize;

use crate::usage::Usage;

/// The object under `usage`.
#[derive(Serialize)]
pub(super) struct Wire<'a> {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<Creation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct Creation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
struct Details {
    thinking_tokens: u64,
}

impl<'a> Wire<'a> {
    /// Of what was used; zeros where that is not known, since an answer must have it.
    pub(super) fn of(usage: Option<&Usage>, tier: Option<&'a str>) -> Self {
        let usage = usage.copied().unwrap_or_default();
        let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
        Self {
            input_tokens: usage.input.saturating_add(usage.input_audio),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: usage.cached_input,
            cache_creation: (written > 0).then_some(Creation {
                ephemeral_5m_input_tokens: usage.cache_write_5m,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            }),
            output_tokens: usage.completion(),
            output_tokens_details: (usage.reasoning > 0).then_some(Details {
                thinking_tokens: usage.reasoning,
            }),
            // The SDK's type knows no other.
            service_tier: tier.filter(|tier| matches!(*tier, "standard" | "priority" | "batch")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::anthropic::Counts;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(classes: [u32; 6]) {
            let [input, cached_input, cache_write_5m, cache_write_1h, output, reasoning] = classes.map(u64::from);
            let usage = Usage { input, cached_input, cache_write_5m, cache_write_1h, output, reasoning, ..Usage::default() };
            let mut counts = Counts::default();
            counts.take(&serde_json::to_vec(&Wire::of(Some(&usage), Some("priority"))).unwrap()).unwrap();
            prop_assert_eq!(counts.usage(), Some(usage));
            prop_assert_eq!(counts.tier(), Some("priority"));
        }
    }

    #[test]
    fn audio_is_input_and_output_like_any_other() {
        let usage = Usage {
            input: 1,
            input_audio: 2,
            output: 3,
            output_audio: 4,
            ..Usage::default()
        };
        let written = serde_json::to_value(Wire::of(Some(&usage), Some("flex"))).unwrap();
        let expected = serde_json::json!({"input_tokens": 3, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 7});
        assert_eq!(written, expected);
    }
}
