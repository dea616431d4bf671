//! A price as a person writes it, and its compilation to integers.
//!
//! In: USD per million tokens, as decimal numbers, with whatever is the same left out. Out: a complete [`Price`], or what
//! is wrong with it and how to put that right. It does not know which models exist, nor the bundled list.

use std::collections::BTreeMap;
use std::fmt;

use super::{Price, Rates, Schedule, Tier};
use crate::usage::CLASSES;

/// How far from a whole number of picodollars a number may be: the error of a 64-bit float, not that of a person.
const SLACK: f64 = 1e-3;

/// One value for each class of tokens, in the order of [`CLASSES`].
pub(super) type PerClass<T> = [T; 8];

/// Defines a struct with the fields given and a rate for each class after them. `#[serde(flatten)]` would do it too, but
/// not together with `deny_unknown_fields`, and a misspelt rate that is ignored is a wrong bill.
macro_rules! with_rates {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
            /// Text and image input, in USD per million tokens.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub input: Option<f64>,
            /// Input read from a prompt cache, in USD per million tokens. If absent, it costs what `input` costs.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cached_input: Option<f64>,
            /// Input written to a prompt cache for five minutes, in USD per million tokens. If absent, as `input`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_5m: Option<f64>,
            /// Input written to a prompt cache for one hour, in USD per million tokens. If absent, as `cache_write_5m`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_write_1h: Option<f64>,
            /// Audio input, in USD per million tokens. If absent, as `input`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub input_audio: Option<f64>,
            /// Text output, in USD per million tokens.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub output: Option<f64>,
            /// Output spent on reasoning, in USD per million tokens. If absent, as `output`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reasoning: Option<f64>,
            /// Audio output, in USD per million tokens. If absent, as `output`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub output_audio: Option<f64>,
        }

        impl $name {
            /// The rates that are written, in the order of the classes.
            fn rates(&self) -> $crate::price::spec::PerClass<Option<f64>> {
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
    };
}
pub(super) use with_rates;

with_rates! {
    /// What a model costs, in place of the bundled list's price.
    ///
    /// `input` and `output` are required unless only `per_request` is charged; an embedding model says `"output": 0`.
    pub struct PriceSpec {
        /// The provider, by its name in this document.
        pub provider: String,
        /// The model as the provider knows it: its whole name, or the beginning of it and a `*`.
        pub model: String,
        /// What each request costs besides its tokens, in USD.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub per_request: Option<f64>,
        /// Other rates for longer prompts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub tiers: Vec<TierSpec>,
        /// Other rates by service tier, under the name that the provider reports in its reply, such as `flex`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub service_tiers: BTreeMap<String, ServiceTierSpec>,
    }
}

with_rates! {
    /// Rates for requests whose prompt is longer than a threshold; they hold for all tokens of such a request. A rate that
    /// is absent stays as it is below the threshold.
    pub struct TierSpec {
        /// The tier begins above this many tokens of input, cached ones included.
        pub above: u64,
    }
}

with_rates! {
    /// Rates of one service tier. A rate that is absent is the standard one for the same size of prompt.
    pub struct ServiceTierSpec {
        /// Other rates for longer prompts in this service tier.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub tiers: Vec<TierSpec>,
    }
}

/// What is wrong with a written price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceError {
    /// Where in the price, such as `tiers[0].input`.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.problem, self.remedy)
    }
}

impl std::error::Error for PriceError {}

/// Shorthand for the one way in which everything here fails.
fn refuse<T>(path: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, PriceError> {
    Err(PriceError {
        path: path.into(),
        problem: problem.into(),
        remedy: remedy.into(),
    })
}

impl PriceSpec {
    /// Turns the written price into integers, complete in every class.
    ///
    /// # Errors
    /// A number that is negative, not finite, finer than a picodollar per token (six decimals) or implausible as USD per
    /// million tokens; a missing `input` or `output`; two tiers with one threshold; a name that is empty or has its `*`
    /// elsewhere than at the end. The path leads from this price.
    pub fn compile(&self) -> Result<Price, PriceError> {
        if self.provider.is_empty() {
            return refuse("provider", "it is empty", "name a provider of this document");
        }
        match self.model.find('*') {
            _ if self.model.is_empty() => {
                return refuse(
                    "model",
                    "it is empty",
                    "write the model's name, or `*` for all models of the provider",
                );
            }
            Some(at) if at + 1 < self.model.len() => {
                return refuse(
                    "model",
                    "`*` stands before its end",
                    "only a last `*` is understood, as in `gpt-4o*`",
                );
            }
            _ => {}
        }
        if self.per_request.is_none() || self.input.is_some() || self.output.is_some() {
            for (class, rate) in [("input", self.input), ("output", self.output)] {
                if rate.is_none() {
                    let remedy = format!("write the price of {class} in USD per million tokens, or 0 if it is free");
                    return refuse(class, "it is missing", remedy);
                }
            }
        }
        price(self.rates(), self.per_request, &self.tiers, &self.service_tiers)
    }
}

/// The price that is written in these parts.
pub(super) fn price(
    rates: PerClass<Option<f64>>,
    per_request: Option<f64>,
    tiers: &[TierSpec],
    service_tiers: &BTreeMap<String, ServiceTierSpec>,
) -> Result<Price, PriceError> {
    let per_request = match per_request {
        Some(dollars) => whole("per_request".to_owned(), dollars, &USD)?,
        None => 0,
    };
    let standard = Steps::read("", rates, tiers)?;
    let service_tiers = service_tiers
        .iter()
        .map(|(name, tier)| {
            let own = Steps::read(&format!("service_tiers.{name}."), tier.rates(), &tier.tiers)?;
            Ok((name.clone(), own.over(&standard)))
        })
        .collect::<Result<_, _>>()?;
    Ok(Price {
        standard: standard.over(&Steps::default()),
        service_tiers,
        per_request,
    })
}

/// Written rates by threshold, ascending, the base at zero; what is not written is `None`.
#[derive(Default)]
struct Steps(Vec<(u64, PerClass<Option<u64>>)>);

impl Steps {
    fn read(path: &str, base: PerClass<Option<f64>>, tiers: &[TierSpec]) -> Result<Self, PriceError> {
        let mut steps = vec![(0, whole_rates(path, base)?)];
        for (index, tier) in tiers.iter().enumerate() {
            let path = format!("{path}tiers[{index}].");
            if tier.above == 0 {
                return refuse(
                    format!("{path}above"),
                    "a tier above 0 tokens leaves nothing below",
                    "write its rates outside `tiers`",
                );
            }
            if tiers.iter().take(index).any(|earlier| earlier.above == tier.above) {
                return refuse(
                    format!("{path}above"),
                    format!("two tiers begin above {} tokens", tier.above),
                    "write one tier for each threshold",
                );
            }
            steps.push((tier.above, whole_rates(&path, tier.rates())?));
        }
        steps.sort_by_key(|(above, _)| *above);
        Ok(Self(steps))
    }

    /// What is written for a prompt of just more than `above` tokens: of each class the last rate at or below it.
    fn at(&self, above: u64) -> PerClass<Option<u64>> {
        self.0
            .iter()
            .take_while(|(threshold, _)| *threshold <= above)
            .fold([None; 8], |below, (_, rates)| first_of(*rates, below))
    }

    /// The complete schedule of these rates, with those of `under` wherever these are silent.
    fn over(&self, under: &Self) -> Schedule {
        let mut thresholds: Vec<u64> = self.0.iter().chain(&under.0).map(|(above, _)| *above).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let rates = |above| complete(first_of(self.at(above), under.at(above)));
        let tiers = thresholds
            .into_iter()
            .filter(|above| *above > 0)
            .map(|above_prompt_tokens| Tier {
                above_prompt_tokens,
                rates: rates(above_prompt_tokens),
            })
            .collect();
        Schedule { base: rates(0), tiers }
    }
}

/// Class by class the first that is written.
fn first_of(one: PerClass<Option<u64>>, other: PerClass<Option<u64>>) -> PerClass<Option<u64>> {
    let mut other = other.into_iter();
    one.map(|rate| rate.or(other.next().flatten()))
}

/// Fills in what nobody wrote, as [`Rates`] documents.
fn complete(written: PerClass<Option<u64>>) -> Rates {
    let [
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        output,
        reasoning,
        output_audio,
    ] = written;
    let input = input.unwrap_or_default();
    let output = output.unwrap_or(input);
    let cache_write_5m = cache_write_5m.unwrap_or(input);
    Rates {
        input,
        cached_input: cached_input.unwrap_or(input),
        cache_write_5m,
        cache_write_1h: cache_write_1h.unwrap_or(cache_write_5m),
        input_audio: input_audio.unwrap_or(input),
        output,
        reasoning: reasoning.unwrap_or(output),
        output_audio: output_audio.unwrap_or(output),
    }
}

fn whole_rates(path: &str, written: PerClass<Option<f64>>) -> Result<PerClass<Option<u64>>, PriceError> {
    let mut rates = [None; 8];
    for ((rate, dollars), class) in rates.iter_mut().zip(written).zip(CLASSES) {
        if let Some(dollars) = dollars {
            *rate = Some(whole(format!("{path}{class}"), dollars, &USD_PER_MTOK)?);
        }
    }
    Ok(rates)
}

/// What a written number means, and which numbers make sense.
struct Unit {
    name: &'static str,
    /// Picodollars (a token or a request) in one of it.
    picodollars: f64,
    decimals: u32,
    cheapest: f64,
    dearest: f64,
}

/// Rates. A dollar a token is the dearest: with it no 64-bit count of tokens overflows a bill. The cheapest other than
/// nothing is a tenth of what the cheapest known model costs; a price written per token instead of per million lies
/// below, and would be all but free in silence.
const USD_PER_MTOK: Unit = Unit {
    name: "USD per million tokens",
    picodollars: 1e6,
    decimals: 6,
    cheapest: 1e-4,
    dearest: 1e6,
};
/// Prices of a request.
const USD: Unit = Unit {
    name: "USD",
    picodollars: 1e12,
    decimals: 12,
    cheapest: 1e-12,
    dearest: 1e6,
};

/// A written number in picodollars.
fn whole(path: String, dollars: f64, unit: &Unit) -> Result<u64, PriceError> {
    let name = unit.name;
    if !dollars.is_finite() || dollars < 0.0 {
        return refuse(
            path,
            format!("{dollars} is no price"),
            format!("write 0 or more, in {name}"),
        );
    }
    if dollars > unit.dearest {
        return refuse(
            path,
            format!("{dollars} is beyond any price"),
            format!("the unit is {name}"),
        );
    }
    if dollars > 0.0 && dollars < unit.cheapest {
        let remedy = format!("the unit is {name}: multiply a price per token by 1000000, or write 0 if it is free");
        return refuse(path, format!("{dollars} is next to nothing"), remedy);
    }
    let exact = dollars * unit.picodollars;
    let rounded = exact.round();
    // What is left besides a whole number is the error of a 64-bit float, which grows with the number, or a digit too
    // many, which does not.
    if (exact - rounded).abs() > SLACK.max(exact * f64::EPSILON) {
        let remedy = format!("round it to {} decimals", unit.decimals);
        return refuse(path, format!("{dollars} has too many decimals"), remedy);
    }
    // Not negative, and at most 10^18.
    Ok(rounded as u64)
}

#[cfg(test)]
mod tests;
