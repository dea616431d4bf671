//! Usage as Bedrock's Converse reports it.
//!
//! In: a `usage` object. Out: [`Usage`]. `inputTokens` counts neither what was read from a cache nor what was written to
//! one ("Prompt caching" of Bedrock's user guide); `cacheDetails` splits the latter by lifetime. Thoughts are part of
//! `outputTokens` and not told apart.

use std::borrow::Cow;

use serde::Deserialize;

use crate::dialect::wire::{Malformed, Maybe, first};
use crate::usage::Usage;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    input_tokens: Maybe,
    output_tokens: Maybe,
    cache_read_input_tokens: Maybe,
    cache_write_input_tokens: Maybe,
    #[serde(borrow)]
    cache_details: Option<Vec<Detail<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    ttl: Option<Cow<'a, str>>,
    input_tokens: Maybe,
}

/// Reads a `usage` object. `None`: it counts no tokens.
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object or one of its numbers is not a number of tokens.
pub fn usage(raw: &[u8]) -> Result<Option<Usage>, Malformed> {
    let wire: Wire = serde_json::from_slice(raw).map_err(|_| Malformed)?;
    if wire.input_tokens.is_none() && wire.output_tokens.is_none() {
        return Ok(None);
    }
    let written = first(&[wire.cache_write_input_tokens]);
    let written_for = |ttl: &str| {
        let details = wire.cache_details.iter().flatten();
        let of_it = details.filter(|detail| detail.ttl.as_deref() == Some(ttl));
        of_it
            .filter_map(|detail| first(&[detail.input_tokens]))
            .fold(0, u64::saturating_add)
    };
    let hour = written_for("1h").min(written.unwrap_or(u64::MAX));
    Ok(Some(Usage {
        input: first(&[wire.input_tokens]).unwrap_or_default(),
        cached_input: first(&[wire.cache_read_input_tokens]).unwrap_or_default(),
        cache_write_5m: written.map_or_else(|| written_for("5m"), |written| written - hour),
        cache_write_1h: hour,
        output: first(&[wire.output_tokens]).unwrap_or_default(),
        ..Usage::default()
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(wire: Value) -> Result<Option<Usage>, Malformed> {
        usage(wire.to_string().as_bytes())
    }

    #[test]
    fn caches_stand_beside_the_input() {
        let wire = json!({"inputTokens": 3, "outputTokens": 50, "totalTokens": 1653, "cacheReadInputTokens": 1000,
            "cacheWriteInputTokens": 600, "cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 400}]});
        let usage = read(wire).unwrap().unwrap();
        let expected = Usage {
            input: 3,
            cached_input: 1000,
            cache_write_5m: 400,
            cache_write_1h: 200,
            output: 50,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.prompt() + usage.completion(), 1653);
        let unsplit = read(json!({"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 7}))
            .unwrap()
            .unwrap();
        assert_eq!((unsplit.cache_write_5m, unsplit.cache_write_1h), (7, 0));
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({"inputTokens": -1})), Err(Malformed));
    }
}
