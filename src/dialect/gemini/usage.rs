//! Usage as Google reports it.
//!
//! In: a `usageMetadata` object. Out: [`Usage`]. `promptTokenCount` includes what came from a cache; what tools that run at
//! Google put in front of the model (`toolUsePromptTokenCount`) stands beside it, as thoughts stand beside
//! `candidatesTokenCount`. Counts by modality tell how much of each is sound.

use std::borrow::Cow;

use serde::Deserialize;

use crate::dialect::wire::{Malformed, Maybe, first, part};
use crate::usage::Usage;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    prompt_token_count: Maybe,
    cached_content_token_count: Maybe,
    tool_use_prompt_token_count: Maybe,
    candidates_token_count: Maybe,
    thoughts_token_count: Maybe,
    total_token_count: Maybe,
    #[serde(borrow)]
    prompt_tokens_details: Option<Vec<Detail<'a>>>,
    #[serde(borrow)]
    cache_tokens_details: Option<Vec<Detail<'a>>>,
    #[serde(borrow)]
    candidates_tokens_details: Option<Vec<Detail<'a>>>,
    #[serde(borrow)]
    traffic_type: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    modality: Option<Cow<'a, str>>,
    token_count: Maybe,
}

/// What a `usageMetadata` object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) usage: Option<Usage>,
    pub(super) tier: Option<String>,
}

/// Reads a `usageMetadata` object. `None`: it counts no tokens.
///
/// # Errors
///
/// [`Malformed`] when it is no JSON object or one of its numbers is not a number of tokens.
pub fn usage(raw: &[u8]) -> Result<Option<Usage>, Malformed> {
    report(raw).map(|report| report.usage)
}

pub(super) fn report(raw: &[u8]) -> Result<Report, Malformed> {
    let wire: Wire = serde_json::from_slice(raw).map_err(|_| Malformed)?;
    let tier = wire.traffic_type.as_deref().and_then(tier);
    let prompt = first(&[wire.prompt_token_count]);
    let candidates = first(&[wire.candidates_token_count]);
    let thoughts = first(&[wire.thoughts_token_count]);
    if prompt.is_none() && candidates.is_none() && thoughts.is_none() && wire.total_token_count.is_none() {
        return Ok(Report { usage: None, tier });
    }
    let mut rest = prompt.unwrap_or_default();
    let cached_audio = audio(wire.cache_tokens_details);
    let mut usage = Usage {
        cached_input: part(&mut rest, first(&[wire.cached_content_token_count]).unwrap_or_default()),
        input_audio: part(
            &mut rest,
            audio(wire.prompt_tokens_details).saturating_sub(cached_audio),
        ),
        reasoning: thoughts.unwrap_or_default(),
        ..Usage::default()
    };
    usage.input = rest.saturating_add(first(&[wire.tool_use_prompt_token_count]).unwrap_or_default());
    let mut rest = candidates.unwrap_or_default();
    usage.output_audio = part(&mut rest, audio(wire.candidates_tokens_details));
    usage.output = rest;
    Ok(Report {
        usage: Some(usage),
        tier,
    })
}

fn audio(details: Option<Vec<Detail<'_>>>) -> u64 {
    let details = details.unwrap_or_default().into_iter();
    let audio = details.filter(|detail| detail.modality.as_deref() == Some("AUDIO"));
    audio
        .filter_map(|detail| first(&[detail.token_count]))
        .fold(0, u64::saturating_add)
}

/// The class of service in the words that the other dialects have for it.
fn tier(traffic: &str) -> Option<String> {
    match traffic {
        "" | "TRAFFIC_TYPE_UNSPECIFIED" => None,
        "ON_DEMAND" => Some("standard".to_owned()),
        _ => Some(
            traffic
                .strip_prefix("ON_DEMAND_")
                .unwrap_or(traffic)
                .to_ascii_lowercase(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(wire: Value) -> Result<Report, Malformed> {
        report(wire.to_string().as_bytes())
    }

    #[test]
    fn thoughts_stand_beside_the_answer_and_the_cache_within_the_prompt() {
        let wire = json!({"promptTokenCount": 1000, "cachedContentTokenCount": 300, "candidatesTokenCount": 50,
            "thoughtsTokenCount": 70, "toolUsePromptTokenCount": 11, "totalTokenCount": 1131, "trafficType": "ON_DEMAND_FLEX",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 800}, {"modality": "AUDIO", "tokenCount": 200}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}, {"modality": "TEXT", "tokenCount": 250}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}, {"modality": "AUDIO", "tokenCount": 10}]});
        let report = read(wire).unwrap();
        let usage = report.usage.unwrap();
        let expected = Usage {
            input: 561,
            cached_input: 300,
            input_audio: 150,
            output: 40,
            output_audio: 10,
            reasoning: 70,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.prompt() + usage.completion(), 1131);
        assert_eq!(report.tier.as_deref(), Some("flex"));
    }

    #[test]
    fn a_report_may_be_partial_and_must_be_numbers() {
        assert_eq!(read(json!({})), Ok(Report::default()));
        let early = read(json!({"promptTokenCount": 7, "totalTokenCount": 7}))
            .unwrap()
            .usage;
        assert_eq!(early.map(|usage| (usage.input, usage.output)), Some((7, 0)));
        assert_eq!(read(json!({"promptTokenCount": "7"})), Err(Malformed));
        assert_eq!(read(json!([1])).map(|report| report.usage), Err(Malformed));
    }
}
