//! What each target costs: the document's own prices before the bundled list's.
//!
//! In: what the document says of prices, a provider and its name of a model. Out: the price, and what is to be done where
//! there is none.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Findings;
use crate::document::Document;
use crate::price::{self, Price};
use crate::provider::Provider;
use crate::world::prices::Prices as AtLast;

/// The document's own prices, by provider and model.
pub(super) struct Prices<'d> {
    exact: HashMap<(&'d str, &'d str), (usize, Arc<Price>)>,
    /// Those whose model ends in `*`, without it; the longest first.
    prefixes: Vec<(&'d str, &'d str, usize, Arc<Price>)>,
    used: Vec<bool>,
}

impl<'d> Prices<'d> {
    pub(super) fn compile(document: &'d Document, findings: &mut Findings) -> Self {
        let mut prices = Self {
            exact: HashMap::new(),
            prefixes: Vec::new(),
            used: Vec::new(),
        };
        for (index, spec) in document.prices.iter().enumerate() {
            let path = format!("prices[{index}]");
            prices.used.push(false);
            let known = document.providers.0.iter().map(|(name, _)| name.as_str());
            if !known.clone().any(|name| name == spec.provider) {
                let remedy = findings.suggestion(&spec.provider, known, "add it to `providers`");
                let problem = format!("there is no provider `{}`", spec.provider);
                findings.problem(format!("{path}.provider"), problem, remedy);
            }
            let price = match spec.compile() {
                Ok(price) => Arc::new(price),
                Err(error) => {
                    findings.problem(format!("{path}.{}", error.path), error.problem, error.remedy);
                    continue;
                }
            };
            let provider = spec.provider.as_str();
            let twice = match spec.model.strip_suffix('*') {
                Some(prefix) => {
                    let twice = prices.prefixes.iter().any(|(p, m, ..)| (*p, *m) == (provider, prefix));
                    prices.prefixes.push((provider, prefix, index, price));
                    twice
                }
                None => prices
                    .exact
                    .insert((provider, spec.model.as_str()), (index, price))
                    .is_some(),
            };
            if twice {
                let problem = format!("`{}` at `{provider}` has a price already", spec.model);
                findings.problem(format!("{path}.model"), problem, "keep one of the two");
            }
        }
        prices
            .prefixes
            .sort_by_key(|(_, prefix, ..)| std::cmp::Reverse(prefix.len()));
        prices
    }

    /// The document's price by the model's whole name, else by the longest prefix, else the bundled list's.
    pub(super) fn of(&mut self, provider: &Provider, model: &str) -> Option<Arc<Price>> {
        let written = self
            .exact
            .get(&(&*provider.name, model))
            .map(|(index, price)| (*index, Arc::clone(price)))
            .or_else(|| {
                let mut prefixes = self.prefixes.iter();
                let found = prefixes.find(|(p, prefix, ..)| **p == *provider.name && model.starts_with(*prefix));
                found.map(|(_, _, index, price)| (*index, Arc::clone(price)))
            });
        match written {
            Some((index, price)) => {
                if let Some(used) = self.used.get_mut(index) {
                    *used = true;
                }
                Some(price)
            }
            None => price::lookup(&provider.priced_as, model).map(Arc::new),
        }
    }

    /// Whether some name that begins so may have a price there, and marks those of the document that may be its.
    pub(super) fn of_any(&mut self, provider: &Provider, begin: &str) -> bool {
        let mut known = false;
        let exact = self
            .exact
            .iter()
            .map(|((p, model), (index, _))| (*p, *model, false, *index));
        let prefixes = self
            .prefixes
            .iter()
            .map(|(p, prefix, index, _)| (*p, *prefix, true, *index));
        for (of, text, is_prefix, index) in exact.chain(prefixes) {
            if *of == *provider.name && (text.starts_with(begin) || is_prefix && begin.starts_with(text)) {
                known = true;
                if let Some(used) = self.used.get_mut(index) {
                    *used = true;
                }
            }
        }
        known
            || price::provider_named(&provider.priced_as).is_some_and(|listed| {
                let mut entries = price::entries().filter(|entry| entry.provider == listed);
                entries.any(|entry| entry.model.starts_with(begin) || begin.starts_with(entry.model))
            })
    }

    /// For what is asked for at last.
    pub(super) fn at_last(&self) -> AtLast {
        let exact = self.exact.iter();
        let exact = exact.map(|((p, model), (_, price))| (((*p).into(), (*model).into()), Arc::clone(price)));
        let prefixes = self.prefixes.iter();
        let prefixes = prefixes.map(|(p, prefix, _, price)| ((*p).into(), (*prefix).into(), Arc::clone(price)));
        AtLast::new(exact.collect(), prefixes.collect())
    }

    pub(super) fn warn_of_unused(&self, document: &Document, findings: &mut Findings) {
        for (index, (spec, used)) in document.prices.iter().zip(&self.used).enumerate() {
            if !used {
                let warning = format!("no target is `{}` at `{}`", spec.model, spec.provider);
                let remedy = "correct the name, or remove the price";
                findings.warning(format!("prices[{index}]"), warning, remedy);
            }
        }
    }
}

/// What is to be done where a model has no price.
pub(super) fn remedy(provider: &Provider, model: &str, findings: &mut Findings) -> String {
    let entry = format!(
        r#"add {{"provider": {:?}, "model": {model:?}, "input": …, "output": …}} to `prices`"#,
        provider.name
    );
    let Some(listed) = price::provider_named(&provider.priced_as) else {
        return format!("{entry}, or set the provider's `priced_as`");
    };
    match findings.nearest(model, || {
        price::entries()
            .filter(move |entry| entry.provider == listed)
            .map(|e| e.model)
    }) {
        Some(nearest) => format!("{entry}; the price list has `{nearest}`"),
        None => entry,
    }
}
