//! The bundled list of public prices.
//!
//! In: a provider and the name of a model as a request has it. Out: the price in the list. It knows no document: what an
//! operator writes goes before this, and what becomes of a model without a price is for others to say.
//!
//! `list.jsonl` is generated: `scripts/prices/generate.py` says from what, `scripts/prices/THIRD-PARTY.md` has the
//! notice. A line either begins a provider's part, and names the providers whose prices hold where its own are silent, or
//! is one of its models: a price as an operator writes it, and the patterns of the names that mean it too. The list stays
//! text and is read when asked, which is when a configuration is loaded and never for a request: natively a lookup takes
//! 0.02 to 0.13 ms, and 0.4 ms to find nothing among the 900 models of OpenRouter.

use std::collections::BTreeMap;
use std::str::Lines;

use super::Price;
use super::host::listed_name;
use super::rule::fits;
use super::spec::{ServiceTierSpec, TierSpec, price, with_rates};

/// The list, sorted by provider and model, compact and without escapes, members in the order of [`Line`].
const LIST: &str = include_str!("list.jsonl");
/// How lines begin.
const PROVIDER: &str = r#"{"provider":""#;
const MODEL: &str = r#"{"model":""#;
/// The lists of strings that may follow the name there, and are read without parsing the line.
const ELSE: &str = r#","else":[""#;
const ALSO: &str = r#","also":[""#;

/// One model of the bundled list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The provider's name in the list.
    pub provider: &'static str,
    /// The model's name in the list; a request may name it otherwise, by date or by region.
    pub model: &'static str,
    /// The most tokens of input the model takes, where known.
    pub context_window: Option<u64>,
    /// What it costs.
    pub price: Price,
}

with_rates! {
    /// A model's line.
    struct Line {
        model: String,
        #[serde(default)]
        also: Vec<String>,
        context: Option<u64>,
        per_request: Option<f64>,
        #[serde(default)]
        tiers: Vec<TierSpec>,
        #[serde(default)]
        service_tiers: BTreeMap<String, ServiceTierSpec>,
    }
}

/// The public list price of `model` at `provider`, `None` if the list has none. [`find`] says how it is looked for.
pub fn lookup(provider: &str, model: &str) -> Option<Price> {
    find(provider, model).map(|entry| entry.price)
}

/// The entry of the bundled list that prices `model` at `provider`, without regard to the case of letters.
///
/// An entry of exactly that name comes first, then the first in the order of the list that knows the name by one of its
/// patterns, then, in the same way, the entries of the providers whose models this one resells (Azure sells OpenAI's and
/// Anthropic's, Google sells Anthropic's): only their standard prices, for service tiers are each seller's own.
///
/// A name that nothing fits has no price, even if it looks like a dated version of one that has: `gpt-4o-2024-05-13`
/// costs twice what `gpt-4o` does.
pub fn find(provider: &str, model: &str) -> Option<Entry> {
    let part = part(listed_name(provider))?;
    let model = model.to_ascii_lowercase();
    part.find(&model).or_else(|| {
        listed(part.heading, PROVIDER, ELSE).1.find_map(|other| {
            let mut entry = self::part(other)?.find(&model)?;
            entry.price.service_tiers.clear();
            Some(entry)
        })
    })
}

/// Every entry of the bundled list, by provider and model.
pub fn entries() -> impl Iterator<Item = Entry> {
    let mut provider = "";
    LIST.lines().filter_map(move |line| {
        if line.starts_with(PROVIDER) {
            provider = listed(line, PROVIDER, ELSE).0;
            return None;
        }
        entry(provider, line)
    })
}

/// The providers of the bundled list, in its order.
pub fn providers() -> impl Iterator<Item = &'static str> + Clone {
    LIST.lines()
        .filter(|line| line.starts_with(PROVIDER))
        .map(|line| listed(line, PROVIDER, ELSE).0)
}

/// The name in the list of a provider that may go by another, `None` if the list has no such provider.
pub fn provider_named(name: &str) -> Option<&'static str> {
    part(listed_name(name)).map(|part| listed(part.heading, PROVIDER, ELSE).0)
}

/// A provider's part of the list.
struct Part {
    heading: &'static str,
    /// The lines after the heading; the part ends with the next heading or with them.
    rest: Lines<'static>,
}

fn part(provider: &str) -> Option<Part> {
    let mut rest = LIST.lines();
    let heading =
        rest.find(|line| line.starts_with(PROVIDER) && listed(line, PROVIDER, ELSE).0.eq_ignore_ascii_case(provider))?;
    Some(Part { heading, rest })
}

impl Part {
    /// The entry that `model`, in lower case, means.
    fn find(&self, model: &str) -> Option<Entry> {
        let lines = || self.rest.clone().take_while(|line| !line.starts_with(PROVIDER));
        let named = |line: &&str| listed(line, MODEL, ALSO).0.eq_ignore_ascii_case(model);
        let known = |line: &&str| listed(line, MODEL, ALSO).1.any(|rule| fits(rule, model));
        let line = lines().find(named).or_else(|| lines().find(known))?;
        entry(listed(self.heading, PROVIDER, ELSE).0, line)
    }
}

/// The name that a line begins with, and the strings of the list that may follow it.
fn listed<'line>(line: &'line str, begin: &str, list: &str) -> (&'line str, impl Iterator<Item = &'line str>) {
    let (name, rest) = line
        .strip_prefix(begin)
        .and_then(|line| line.split_once('"'))
        .unwrap_or_default();
    let strings = rest.strip_prefix(list).and_then(|strings| strings.split_once(r#""]"#));
    (
        name,
        strings.into_iter().flat_map(|(strings, _)| strings.split(r#"",""#)),
    )
}

fn entry(provider: &'static str, line: &'static str) -> Option<Entry> {
    let parsed: Line = serde_json::from_str(line).ok()?;
    let price = price(parsed.rates(), parsed.per_request, &parsed.tiers, &parsed.service_tiers).ok()?;
    Some(Entry {
        provider,
        model: listed(line, MODEL, ALSO).0,
        context_window: parsed.context,
        price,
    })
}

#[cfg(test)]
mod tests;
