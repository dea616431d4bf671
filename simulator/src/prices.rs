//! What the simulated provider charges.
//!
//! In: a price sheet in USD per million tokens (`prices.json`, or one of the operator's). Out: the cost of one reply in
//! whole nanodollars. It knows nothing of requests or of how usage is reported.
//!
//! Arithmetic: $1 per million tokens is 1,000,000 picodollars per token. A reply is summed exactly in picodollars and
//! rounded once, half up, to nanodollars.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

const BUNDLED: &str = include_str!("../prices.json");

/// Tokens by what they cost: no token is in two classes, so the classes add up to the whole reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens neither cached nor audio.
    pub input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached_input: u64,
    /// Prompt tokens written to the cache for five minutes.
    pub cache_write_5m: u64,
    /// Prompt tokens written to the cache for one hour.
    pub cache_write_1h: u64,
    /// Audio in the prompt.
    pub input_audio: u64,
    /// Answer tokens that are neither reasoning nor audio.
    pub output: u64,
    /// Tokens spent on reasoning, where the provider tells them apart.
    pub reasoning: u64,
    /// Audio in the answer.
    pub output_audio: u64,
}

impl Tokens {
    /// The size of the prompt, whatever its parts cost.
    pub fn prompt(&self) -> u64 {
        self.input + self.cached_input + self.cache_write_5m + self.cache_write_1h + self.input_audio
    }

    /// The size of the answer, whatever its parts cost.
    pub fn completion(&self) -> u64 {
        self.output + self.reasoning + self.output_audio
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cached_input += other.cached_input;
        self.cache_write_5m += other.cache_write_5m;
        self.cache_write_1h += other.cache_write_1h;
        self.input_audio += other.input_audio;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.output_audio += other.output_audio;
    }
}

/// Every model the provider knows, with its price.
#[derive(Clone, Debug)]
pub struct PriceSheet {
    models: BTreeMap<String, Model>,
}

/// One model of the sheet.
#[derive(Clone, Debug)]
pub struct Model {
    /// `openai`, `anthropic`, or anything else for a model that both dialects serve.
    pub provider: String,
    rates: Option<Rates>,
    above: Vec<(u64, Rates)>,
    service_tiers: BTreeMap<String, Rates>,
}

/// Picodollars per token of each class.
#[derive(Clone, Copy, Debug)]
struct Rates {
    input: u64,
    cached_input: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    input_audio: u64,
    output: u64,
    reasoning: u64,
    output_audio: u64,
}

impl PriceSheet {
    /// The sheet that comes with the simulator.
    ///
    /// # Errors
    /// If the bundled file is broken, which a test rules out.
    pub fn bundled() -> Result<Self, String> {
        Self::parse(BUNDLED)
    }

    /// Reads a sheet shaped like `prices.json`.
    ///
    /// # Errors
    /// Says what is wrong and for which model.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written: WrittenSheet = serde_json::from_str(text).map_err(|e| format!("price sheet: {e}"))?;
        let mut models = BTreeMap::new();
        for (name, model) in written.models {
            let compiled = model.compile().map_err(|e| format!("price sheet: {name}: {e}"))?;
            models.insert(name, compiled);
        }
        Ok(Self { models })
    }

    /// Adds a model that is served but has no price: its replies cost nothing and are counted as unpriced.
    pub fn add_unpriced(&mut self, name: &str) {
        let model = Model {
            provider: "any".into(),
            rates: None,
            above: Vec::new(),
            service_tiers: BTreeMap::new(),
        };
        self.models.insert(name.to_owned(), model);
    }

    /// Looks a model up by its name, or by a dated snapshot of it such as `gpt-4o-2024-11-20`.
    pub fn model(&self, name: &str) -> Option<(&str, &Model)> {
        if let Some((known, model)) = self.models.get_key_value(name) {
            return Some((known, model));
        }
        let base = undated(name)?;
        self.models
            .get_key_value(base)
            .map(|(known, model)| (known.as_str(), model))
    }

    /// Every model by name.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Model)> {
        self.models.iter().map(|(name, model)| (name.as_str(), model))
    }
}

impl Model {
    /// The cost of one reply in nanodollars, or `None` for a model without a price.
    pub fn nanodollars(&self, tokens: &Tokens, service_tier: Option<&str>) -> Option<u64> {
        let tier = service_tier.and_then(|name| self.service_tiers.get(name));
        let size = tokens.prompt();
        let rates = match tier {
            Some(rates) => rates,
            None => self
                .above
                .iter()
                .rev()
                .find(|(over, _)| size > *over)
                .map(|(_, r)| r)
                .or(self.rates.as_ref())?,
        };
        let picodollars: u128 = [
            (tokens.input, rates.input),
            (tokens.cached_input, rates.cached_input),
            (tokens.cache_write_5m, rates.cache_write_5m),
            (tokens.cache_write_1h, rates.cache_write_1h),
            (tokens.input_audio, rates.input_audio),
            (tokens.output, rates.output),
            (tokens.reasoning, rates.reasoning),
            (tokens.output_audio, rates.output_audio),
        ]
        .into_iter()
        .map(|(count, rate)| u128::from(count) * u128::from(rate))
        .sum();
        u64::try_from((picodollars + 500) / 1000).ok()
    }
}

/// Strips `-20250929` or `-2024-11-20` from the end of a model's name.
fn undated(name: &str) -> Option<&str> {
    let digits = |text: &str, lengths: &[usize]| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() == lengths.len()
            && parts
                .iter()
                .zip(lengths)
                .all(|(p, n)| p.len() == *n && p.bytes().all(|b| b.is_ascii_digit()))
    };
    for (tail, lengths) in [(9, &[8][..]), (11, &[4, 2, 2][..])] {
        let Some((base, date)) = name.len().checked_sub(tail).and_then(|at| name.split_at_checked(at)) else {
            continue;
        };
        if date.strip_prefix('-').is_some_and(|date| digits(date, lengths)) {
            return Some(base);
        }
    }
    None
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSheet {
    #[serde(rename = "unit")]
    _unit: Option<String>,
    models: BTreeMap<String, WrittenModel>,
}

#[derive(Deserialize)]
struct WrittenModel {
    provider: String,
    #[serde(flatten)]
    rates: WrittenRates,
    #[serde(default)]
    above: Vec<WrittenTier>,
    #[serde(default)]
    service_tiers: BTreeMap<String, WrittenRates>,
}

#[derive(Deserialize)]
struct WrittenTier {
    prompt_tokens: u64,
    #[serde(flatten)]
    rates: WrittenRates,
}

/// A class without a price of its own costs what its nearest relative does.
#[derive(Deserialize)]
struct WrittenRates {
    input: f64,
    cached_input: Option<f64>,
    cache_write_5m: Option<f64>,
    cache_write_1h: Option<f64>,
    input_audio: Option<f64>,
    output: f64,
    reasoning: Option<f64>,
    output_audio: Option<f64>,
}

impl WrittenModel {
    fn compile(self) -> Result<Model, String> {
        let mut above = Vec::new();
        for tier in self.above {
            above.push((tier.prompt_tokens, tier.rates.compile()?));
        }
        above.sort_by_key(|(over, _)| *over);
        let mut service_tiers = BTreeMap::new();
        for (name, rates) in self.service_tiers {
            service_tiers.insert(name, rates.compile()?);
        }
        Ok(Model {
            provider: self.provider,
            rates: Some(self.rates.compile()?),
            above,
            service_tiers,
        })
    }
}

impl WrittenRates {
    fn compile(&self) -> Result<Rates, String> {
        let input = picodollars(self.input)?;
        let output = picodollars(self.output)?;
        let or = |written: Option<f64>, relative| written.map_or(Ok(relative), picodollars);
        let cache_write_5m = or(self.cache_write_5m, input)?;
        Ok(Rates {
            input,
            cached_input: or(self.cached_input, input)?,
            cache_write_5m,
            cache_write_1h: or(self.cache_write_1h, cache_write_5m)?,
            input_audio: or(self.input_audio, input)?,
            output,
            reasoning: or(self.reasoning, output)?,
            output_audio: or(self.output_audio, output)?,
        })
    }
}

/// USD per million tokens to picodollars per token; prices have at most six decimals.
fn picodollars(usd_per_million: f64) -> Result<u64, String> {
    let exact = usd_per_million * 1e6;
    let whole = exact.round();
    if !(0.0..1e15).contains(&whole) || (exact - whole).abs() > 1e-3 {
        return Err(format!("{usd_per_million} is not a price of at most six decimals"));
    }
    Ok(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(model: &str, tier: Option<&str>, tokens: Tokens) -> u64 {
        PriceSheet::bundled()
            .unwrap()
            .model(model)
            .unwrap()
            .1
            .nanodollars(&tokens, tier)
            .unwrap()
    }

    #[test]
    fn bills_agree_with_bills_worked_out_by_hand() {
        // 1,000 × $2.5/M + 500 × $1.25/M + 200 × $10/M = $0.0025 + $0.000625 + $0.002
        let gpt = Tokens {
            input: 1_000,
            cached_input: 500,
            output: 150,
            reasoning: 50,
            ..Tokens::default()
        };
        assert_eq!(cost("gpt-4o", None, gpt), 5_125_000);
        // $0.003 + 2,000 × $0.3/M + 400 × $3.75/M + 100 × $6/M + 50 × $15/M
        let claude = Tokens {
            input: 1_000,
            cached_input: 2_000,
            cache_write_5m: 400,
            cache_write_1h: 100,
            output: 50,
            ..Tokens::default()
        };
        assert_eq!(
            cost("claude-sonnet-4-5", None, claude),
            3_000_000 + 600_000 + 1_500_000 + 600_000 + 750_000
        );
        // 10 × $2.5 + 20 × $32 + 30 × $10 + 40 × $64, all per million
        let audio = Tokens {
            input: 10,
            input_audio: 20,
            output: 30,
            output_audio: 40,
            ..Tokens::default()
        };
        assert_eq!(cost("gpt-audio", None, audio), 25_000 + 640_000 + 300_000 + 2_560_000);
    }

    #[test]
    fn a_long_prompt_costs_the_higher_tier_for_every_token() {
        let at = Tokens {
            input: 100_000,
            cached_input: 100_000,
            output: 10,
            ..Tokens::default()
        };
        assert_eq!(cost("claude-sonnet-4-5", None, at), 300_000_000 + 30_000_000 + 150_000);
        let over = Tokens { input: 100_001, ..at };
        assert_eq!(
            cost("claude-sonnet-4-5", None, over),
            600_006_000 + 60_000_000 + 225_000
        );
    }

    #[test]
    fn a_service_tier_has_its_own_rates_and_an_unknown_one_the_standard() {
        let tokens = Tokens {
            input: 100,
            output: 10,
            ..Tokens::default()
        };
        assert_eq!(cost("gpt-5", Some("flex"), tokens), 62_500 + 50_000);
        assert_eq!(cost("gpt-5", Some("priority"), tokens), 250_000 + 200_000);
        assert_eq!(cost("gpt-5", Some("default"), tokens), 125_000 + 100_000);
    }

    #[test]
    fn a_reply_is_rounded_once_and_half_up() {
        // Text-embedding-3-small: 20,000 picodollars a token, 20 nanodollars. gpt-5 flex cached: 62.5 nanodollars.
        let half = Tokens {
            cached_input: 1,
            ..Tokens::default()
        };
        assert_eq!(cost("gpt-5", Some("flex"), half), 63);
        let two_halves = Tokens {
            cached_input: 1,
            cache_write_5m: 0,
            input: 1,
            ..Tokens::default()
        };
        assert_eq!(
            cost("gpt-5", Some("flex"), two_halves),
            688,
            "625 + 62.5 rounds up to 688"
        );
        let three = Tokens {
            cached_input: 3,
            ..Tokens::default()
        };
        assert_eq!(cost("gpt-5", Some("flex"), three), 188, "187.5, not 3 × 63");
    }

    #[test]
    fn dated_snapshots_cost_what_their_model_costs() {
        let sheet = PriceSheet::bundled().unwrap();
        assert_eq!(sheet.model("gpt-4o-2024-11-20").unwrap().0, "gpt-4o");
        assert_eq!(
            sheet.model("claude-sonnet-4-5-20250929").unwrap().0,
            "claude-sonnet-4-5"
        );
        assert!(sheet.model("gpt-4o-20x4-11-20").is_none());
        assert!(sheet.model("gpt-9").is_none());
        assert!(sheet.model("é-2024-11-20").is_none());
    }
}
