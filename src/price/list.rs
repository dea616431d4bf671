//! The bundled list of public prices.
//!
//! In: a provider and the name of a model as a request has it. Out: the price in the list. It knows no document: what an
//! operator writes goes before this, and what becomes of a model without a price is for others to say.
//!
//! `list.jsonl` is generated: `scripts/prices/generate.py` says from what, `scripts/prices/THIRD-PARTY.md` has the
//! notice. A line either begins a provider's part, and names the providers whose prices hold where its own are silent, or
//! is one of its models: a price as an operator writes it, and the patterns of the names that mean it too. The list stays
//! text and is read when asked, which is when a configuration is loaded and never for a request.

use std::collections::BTreeMap;

use super::Price;
use super::host::listed_name;
use super::rule::fits;
use super::spec::{ServiceTierSpec, TierSpec, price, with_rates};

/// The list, sorted by provider and model, compact and without escapes, members in the order of [`Line`].
const LIST: &str = include_str!("list.jsonl");
/// How lines begin.
const PROVIDER: &str = r#"{"provider":""#;
const MODEL: &str = r#"{"model":""#;
/// The members that are read without parsing their line: lists of strings.
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
    let (provider, others, lines) = part(listed_name(provider))?;
    let model = model.to_ascii_lowercase();
    search(provider, lines, &model).or_else(|| {
        strings(others, ELSE).find_map(|other| {
            let (other, _, lines) = part(other)?;
            let mut entry = search(other, lines, &model)?;
            entry.price.service_tiers.clear();
            Some(entry)
        })
    })
}

/// Every entry of the bundled list, by provider and model.
pub fn entries() -> impl Iterator<Item = Entry> {
    let mut provider = "";
    LIST.lines().filter_map(move |line| match line.strip_prefix(PROVIDER) {
        Some(name) => {
            provider = name.split('"').next().unwrap_or_default();
            None
        }
        None => entry(provider, line),
    })
}

/// A provider's name as listed, the rest of its first line, and its models' lines.
fn part(provider: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let mut rest = LIST;
    loop {
        let (_, after) = rest.split_once(PROVIDER)?;
        let (name, after) = after.split_once('"')?;
        if name.eq_ignore_ascii_case(provider) {
            let (heading, lines) = after.split_once('\n')?;
            return Some((
                name,
                heading,
                lines.split_once(PROVIDER).map_or(lines, |(lines, _)| lines),
            ));
        }
        rest = after;
    }
}

/// The entry among `lines` that `model`, in lower case, means.
fn search(provider: &'static str, lines: &'static str, model: &str) -> Option<Entry> {
    let named = |line: &&str| name(line).eq_ignore_ascii_case(model);
    let known = |line: &&str| strings(line, ALSO).any(|rule| fits(rule, model));
    let line = lines.lines().find(named).or_else(|| lines.lines().find(known))?;
    entry(provider, line)
}

/// The name of the model of a line.
fn name(line: &str) -> &str {
    line.strip_prefix(MODEL)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
}

/// The strings of a list in a line.
fn strings<'line>(line: &'line str, member: &str) -> impl Iterator<Item = &'line str> {
    line.split_once(member)
        .and_then(|(_, rest)| rest.split_once(r#""]"#))
        .into_iter()
        .flat_map(|(list, _)| list.split(r#"",""#))
}

fn entry(provider: &'static str, line: &'static str) -> Option<Entry> {
    let parsed: Line = serde_json::from_str(line).ok()?;
    let price = price(parsed.rates(), parsed.per_request, &parsed.tiers, &parsed.service_tiers).ok()?;
    Some(Entry {
        provider,
        model: name(line),
        context_window: parsed.context,
        price,
    })
}
