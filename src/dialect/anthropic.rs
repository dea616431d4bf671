//! Usage as Anthropic's Messages API reports it.
//!
//! `input_tokens` counts neither what was read from a cache nor what was written to one; those stand beside it. In a
//! stream, `message_start` and each `message_delta` report running totals, and a later one may leave out or (from some
//! compatible servers) zero what an earlier one said. Totals only grow, so the greatest of each number is the last word.

use std::borrow::Cow;

use serde::Deserialize;

use super::wire::{Malformed, Maybe, first};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Wire<'a> {
    input_tokens: Maybe,
    cache_read_input_tokens: Maybe,
    cache_creation_input_tokens: Maybe,
    cache_creation: Option<CacheCreation>,
    output_tokens: Maybe,
    output_tokens_details: Option<Output>,
    #[serde(borrow)]
    service_tier: Option<Cow<'a, str>>,
    #[serde(borrow)]
    speed: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Maybe,
    ephemeral_1h_input_tokens: Maybe,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Output {
    thinking_tokens: Maybe,
    reasoning_tokens: Maybe,
}

/// What has been reported of one message so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    tier: Option<String>,
}

impl Counts {
    /// Takes in another `usage` object.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is no JSON object or one of its numbers is not a number of tokens; nothing is taken then.
    pub fn take(&mut self, raw: &[u8]) -> Result<(), Malformed> {
        let wire: Wire = serde_json::from_slice(raw).map_err(|_| Malformed)?;
        let created = wire.cache_creation.unwrap_or_default();
        let output = wire.output_tokens_details.unwrap_or_default();
        self.input = self.input.max(first(&[wire.input_tokens]));
        self.cache_read = self.cache_read.max(first(&[wire.cache_read_input_tokens]));
        self.cache_written = self.cache_written.max(first(&[wire.cache_creation_input_tokens]));
        self.written_5m = self.written_5m.max(first(&[created.ephemeral_5m_input_tokens]));
        self.written_1h = self.written_1h.max(first(&[created.ephemeral_1h_input_tokens]));
        self.output = self.output.max(first(&[wire.output_tokens]));
        self.thinking = self
            .thinking
            .max(first(&[output.thinking_tokens, output.reasoning_tokens]));
        // Fast mode has a price of its own, whatever the tier.
        let fast = wire.speed.filter(|speed| speed == "fast");
        if let Some(tier) = fast.or(wire.service_tier)
            && self.tier.as_deref() != Some(&*tier)
        {
            self.tier = Some(tier.into_owned());
        }
        Ok(())
    }

    /// The classes; `None` when nothing was counted.
    ///
    /// Without the split by lifetime, all cache writes are of five minutes, which is the default.
    pub fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let written_1h = self.written_1h.unwrap_or_default();
        let written = self.cache_written.unwrap_or_default();
        let output = self.output.unwrap_or_default();
        let reasoning = self.thinking.unwrap_or_default().min(output);
        Some(Usage {
            input: self.input.unwrap_or_default(),
            cached_input: self.cache_read.unwrap_or_default(),
            cache_write_5m: written
                .saturating_sub(written_1h)
                .max(self.written_5m.unwrap_or_default()),
            cache_write_1h: written_1h,
            output: output - reasoning,
            reasoning,
            ..Usage::default()
        })
    }

    /// The provider's name for the class of service it gave.
    pub fn tier(&self) -> Option<&str> {
        self.tier.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn after(reports: &[Value]) -> Option<Usage> {
        let mut counts = Counts::default();
        for report in reports {
            counts.take(report.to_string().as_bytes()).unwrap();
        }
        counts.usage()
    }

    #[test]
    fn caches_stand_beside_the_input() {
        let none = Usage::default();
        let split = json!({"input_tokens": 21, "cache_creation_input_tokens": 188_086, "cache_read_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 188_000, "ephemeral_1h_input_tokens": 86},
            "output_tokens": 393, "service_tier": "standard", "server_tool_use": {"web_search_requests": 2}});
        let expected = Usage {
            input: 21,
            cached_input: 7,
            cache_write_5m: 188_000,
            cache_write_1h: 86,
            output: 393,
            ..none
        };
        assert_eq!(after(&[split]), Some(expected));
        let unsplit = json!({"input_tokens": 1, "cache_creation_input_tokens": 10, "cache_read_input_tokens": null, "output_tokens": 2});
        assert_eq!(
            after(&[unsplit]),
            Some(Usage {
                input: 1,
                cache_write_5m: 10,
                output: 2,
                ..none
            })
        );
    }

    #[test]
    fn a_streams_reports_are_running_totals() {
        let start = json!({"input_tokens": 25, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 4,
            "cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 0}, "output_tokens": 1});
        let expected = |output| {
            Some(Usage {
                input: 25,
                cached_input: 5,
                cache_write_1h: 4,
                output,
                ..Usage::default()
            })
        };
        assert_eq!(after(std::slice::from_ref(&start)), expected(1));
        assert_eq!(after(&[start.clone(), json!({"output_tokens": 15})]), expected(15));
        let repeated = json!({"input_tokens": 25, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 15});
        assert_eq!(after(&[start.clone(), repeated]), expected(15));
        let zeroed = json!({"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 15});
        assert_eq!(after(&[start, zeroed]), expected(15));
        let late = [
            json!({"input_tokens": 0, "output_tokens": 0}),
            json!({"input_tokens": 9, "output_tokens": 3}),
        ];
        assert_eq!(
            after(&late),
            Some(Usage {
                input: 9,
                output: 3,
                ..Usage::default()
            })
        );
    }

    #[test]
    fn the_tier_is_what_the_provider_calls_it() {
        let mut counts = Counts::default();
        counts.take(br#"{"input_tokens":1,"service_tier":"priority"}"#).unwrap();
        counts.take(br#"{"output_tokens":1}"#).unwrap();
        assert_eq!(counts.tier(), Some("priority"));
        counts
            .take(br#"{"output_tokens":1,"service_tier":"standard","speed":"fast"}"#)
            .unwrap();
        assert_eq!(counts.tier(), Some("fast"));
    }

    #[test]
    fn a_malformed_report_changes_nothing() {
        let mut counts = Counts::default();
        counts.take(br#"{"input_tokens":1}"#).unwrap();
        let before = counts.clone();
        assert_eq!(
            counts.take(br#"{"input_tokens":5,"output_tokens":"7"}"#),
            Err(Malformed)
        );
        assert_eq!(counts.take(b"[]x"), Err(Malformed));
        assert_eq!(counts, before);
        assert_eq!(Counts::default().usage(), None);
        assert_eq!(after(&[json!({"server_tool_use": {}})]), None);
    }
}
