//! What a reply costs.
//!
//! In: the classes of tokens a provider counted ([`crate::usage::Usage`]), the service tier it reported, and a price:
//! either what the operator wrote ([`PriceSpec`]) or an entry of the bundled list of public prices ([`lookup`]).
//! Out: [`Nanodollars`]. It deliberately knows no request, no key and no wire format, and it never rounds twice: rates
//! are whole picodollars per token (a price of $1 per million tokens is 1,000,000 of them), a bill is summed exactly and
//! rounded once, half up, to whole nanodollars.
//!
//! What is not known is never free in silence: a class without a rate of its own takes its nearest relative's
//! ([`Rates`]), and a model that nobody prices has no [`Price`] at all, which the caller counts as unpriced.

mod host;
mod list;
mod money;
mod rule;
mod spec;
#[cfg(test)]
mod tests;

pub use host::provider_for_host;
pub use list::{Entry, entries, find, lookup, provider_named, providers};
pub use money::Nanodollars;
pub use spec::{PriceError, PriceSpec, ServiceTierSpec, TierSpec};

use crate::usage::Usage;

/// What one token of each class of [`Usage`] costs, in whole picodollars.
///
/// Every class has a rate. Where a price names none, the nearest relative's applies, so that nothing becomes free by
/// omission: cached input, cache writes, audio input and output cost what input costs; a cache write for an hour costs
/// what one for five minutes does; reasoning and audio output cost what output costs. (An operator's price must name
/// both input and output; in the bundled list it is embedding models that have no price of output, and no output.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Text and image input outside any prompt cache.
    pub input: u64,
    /// Input read from a prompt cache.
    pub cached_input: u64,
    /// Input written to a prompt cache for five minutes (or for an unstated time).
    pub cache_write_5m: u64,
    /// Input written to a prompt cache for one hour.
    pub cache_write_1h: u64,
    /// Audio input.
    pub input_audio: u64,
    /// Text output.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
    /// Audio output.
    pub output_audio: u64,
}

/// What a request may come to, before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Tokens of input, at most.
    pub input: u64,
    /// Tokens of output, at most.
    pub output: u64,
    /// Whether input may be written to a prompt cache.
    pub caches: bool,
    /// Whether input or output may be audio.
    pub audio: bool,
    /// The service tier that is asked for. The provider may give it, or the standard.
    pub service_tier: Option<&'a str>,
}

impl Rates {
    /// The dearest rate of input and of output that may apply.
    fn most(&self, expected: &Expected<'_>) -> (u64, u64) {
        let (mut input, mut output) = (self.input.max(self.cached_input), self.output.max(self.reasoning));
        if expected.caches {
            input = input.max(self.cache_write_5m).max(self.cache_write_1h);
        }
        if expected.audio {
            input = input.max(self.input_audio);
            output = output.max(self.output_audio);
        }
        (input, output)
    }

    /// The exact cost in picodollars. Eight products of two 64-bit numbers need 131 bits, hence the saturation; with
    /// rates that [`PriceSpec::compile`] lets through it is never reached.
    fn picodollars(&self, usage: &Usage) -> u128 {
        usage
            .classes()
            .into_iter()
            .zip(self.classes())
            .fold(0, |sum: u128, (tokens, rate)| {
                sum.saturating_add(u128::from(tokens) * u128::from(rate))
            })
    }

    /// Each class, in the order of [`crate::usage::CLASSES`].
    pub fn classes(&self) -> [u64; 8] {
        [
            self.input,
            self.cached_input,
            self.cache_write_5m,
            self.cache_write_1h,
            self.input_audio,
            self.output,
            self.reasoning,
            self.output_audio,
        ]
    }
}

/// Other rates for requests whose prompt is longer than a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The tier applies to prompts of more than this many tokens ([`Usage::prompt`], cached ones included).
    pub above_prompt_tokens: u64,
    /// The rates of the whole request, its first tokens included.
    pub rates: Rates,
}

/// Rates by prompt size.
///
/// A tier prices the whole request, not only what lies above its threshold: so bill Google, Anthropic and OpenAI
/// wherever they have tiers, and no provider of the bundled list bills marginally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Below every threshold.
    pub base: Rates,
    /// In ascending order of threshold; the last one that the prompt exceeds applies.
    pub tiers: Vec<Tier>,
}

impl Schedule {
    /// The rates for a request with this many tokens of input.
    pub fn rates(&self, prompt_tokens: u64) -> &Rates {
        self.tiers
            .iter()
            .rev()
            .find(|tier| prompt_tokens > tier.above_prompt_tokens)
            .map_or(&self.base, |tier| &tier.rates)
    }
}

/// The price of one model at one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What a request costs unless a service tier says otherwise.
    pub standard: Schedule,
    /// By the name the provider reports in its reply (`flex`, `priority`, `batch`, `fast`), complete like the standard.
    pub service_tiers: Vec<(String, Schedule)>,
    /// What a request costs before its first token, in picodollars.
    pub per_request: u64,
}

impl Price {
    /// The cost of one billed reply, rounded once, half up.
    ///
    /// `service_tier` is what the reply says (not what the request asked for: a provider may downgrade). A name this
    /// price has no rates for, such as `default`, `standard`, `auto`, `on_demand` or none at all, costs the standard.
    pub fn cost(&self, usage: &Usage, service_tier: Option<&str>) -> Nanodollars {
        let rates = self.schedule(service_tier).rates(usage.prompt());
        Nanodollars::from_picodollars(rates.picodollars(usage).saturating_add(u128::from(self.per_request)))
    }

    /// The most that a request with at most so many tokens of input and output can cost, and what one more token of output
    /// adds to that, in picodollars.
    pub fn most(&self, expected: &Expected<'_>) -> (Nanodollars, u64) {
        let tiers = [
            Some(self.schedule(None)),
            expected.service_tier.map(|tier| self.schedule(Some(tier))),
        ];
        let (mut input, mut output) = (0, 0);
        for schedule in tiers.into_iter().flatten() {
            let above = schedule
                .tiers
                .iter()
                .filter(|tier| expected.input > tier.above_prompt_tokens);
            for rates in above.map(|tier| &tier.rates).chain([&schedule.base]) {
                let (of_input, of_output) = rates.most(expected);
                (input, output) = (of_input.max(input), of_output.max(output));
            }
        }
        let sum = (u128::from(input) * u128::from(expected.input))
            .saturating_add(u128::from(output) * u128::from(expected.output))
            .saturating_add(u128::from(self.per_request));
        (Nanodollars::from_picodollars(sum), output)
    }

    /// The rates by prompt size for a service tier, the standard where it has none of its own.
    pub fn schedule(&self, service_tier: Option<&str>) -> &Schedule {
        service_tier
            .and_then(|wanted| {
                self.service_tiers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            })
            .map_or(&self.standard, |(_, schedule)| schedule)
    }
}
