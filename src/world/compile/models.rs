//! Models, their targets, and what each target costs.

use hashbrown::HashMap;

use super::rules::Rulebook;
use super::{Findings, cheaper, numbers, place::Place, providers::Providers};
use crate::document::{Document, Model as Written, member};
use crate::price::{self, Price};
use crate::provider::Provider;
use crate::world::{Model, ModelId, Target, names};

pub(super) struct Models {
    pub(super) models: Vec<Model>,
    /// Names and aliases.
    pub(super) names: HashMap<Box<str>, ModelId>,
}

/// The longest answer there may be said to be, in tokens.
const LONGEST_ANSWER: u64 = 1_000_000_000;

pub(super) fn compile(
    document: &Document,
    providers: &Providers,
    rulebook: &mut Rulebook,
    findings: &mut Findings,
) -> Models {
    let mut prices = Prices::compile(document, findings);
    let mut compiled = Models {
        models: Vec::new(),
        names: HashMap::new(),
    };
    for (name, _) in &document.models.0 {
        let path = member("models", name);
        findings.objection(&path, names::objection(name));
        if compiled
            .names
            .insert(name.as_str().into(), ModelId(compiled.models.len() as u32))
            .is_some()
        {
            findings.problem(
                &path,
                "the model is written twice",
                "keep one of them, with the targets of both",
            );
        }
        compiled.models.push(Model {
            name: name.as_str().into(),
            targets: Vec::new(),
            rules: None,
            cheaper: None,
            max_output_tokens: None,
        });
    }
    for (index, (name, written)) in document.models.0.iter().enumerate() {
        let path = member("models", name);
        let id = ModelId(index as u32);
        compiled.add_aliases(&path, id, written, findings);
        let targets = targets(&path, name, written, document, providers, &mut prices, findings);
        let longest = written.max_output_tokens.and_then(|tokens| {
            let place = Place::At(&path);
            numbers::count(place.member("max_output_tokens"), tokens, LONGEST_ANSWER, findings)
        });
        if let Some(model) = compiled.models.get_mut(index) {
            model.targets = targets;
            model.rules = rulebook.rules(
                Place::At(&path),
                written.limits.as_ref(),
                written.budget.as_ref(),
                findings,
            );
            model.max_output_tokens = longest;
        }
    }
    cheaper::resolve(document, &mut compiled, &providers.providers, findings);
    prices.warn_of_unused(document, findings);
    compiled
}

impl Models {
    fn add_aliases(&mut self, path: &str, id: ModelId, written: &Written, findings: &mut Findings) {
        for (index, alias) in written.aliases.iter().enumerate() {
            let path = format!("{path}.aliases[{index}]");
            findings.objection(&path, names::objection(alias));
            let taken = self
                .names
                .get(alias.as_str())
                .and_then(|taken| self.models.get(taken.0 as usize));
            match taken {
                None => {
                    self.names.insert(alias.as_str().into(), id);
                }
                Some(model) if *model.name == **alias => {
                    findings.problem(path, format!("`{alias}` is the name of a model"), "remove the alias");
                }
                Some(model) => {
                    let problem = format!("`{alias}` is already an alias of `{}`", model.name);
                    findings.problem(path, problem, "remove one of the two");
                }
            }
        }
    }
}

fn targets(
    path: &str,
    name: &str,
    written: &Written,
    document: &Document,
    providers: &Providers,
    prices: &mut Prices<'_>,
    findings: &mut Findings,
) -> Vec<Target> {
    if written.targets.is_empty() {
        findings.problem(
            format!("{path}.targets"),
            "there is none",
            r#"add one, such as {"provider": "openai"}"#,
        );
    }
    let mut targets = Vec::new();
    for (index, target) in written.targets.iter().enumerate() {
        let path = format!("{path}.targets[{index}]");
        let model = target.model.as_deref().unwrap_or(name);
        if model.is_empty() || model.chars().any(char::is_control) {
            findings.problem(
                format!("{path}.model"),
                "it is empty or contains a control character",
                "write the name the provider uses, or leave it out where it is the model's own",
            );
        }
        let id = providers.names.get(target.provider.as_str()).copied();
        let Some((id, provider)) = id.and_then(|id| Some((id, providers.providers.get(id.0 as usize)?))) else {
            let known = document.providers.0.iter().map(|(name, _)| name.as_str());
            let remedy = findings.suggestion(&target.provider, known, "add it to `providers`");
            let problem = format!("there is no provider `{}`", target.provider);
            findings.problem(format!("{path}.provider"), problem, remedy);
            continue;
        };
        let price = prices.of(provider, model);
        if price.is_none() {
            let remedy = price_remedy(provider, model, findings);
            let warning = format!(
                "no price for `{model}` at `{}`: its requests count as unpriced",
                provider.name
            );
            findings.warning(&path, warning, remedy);
        }
        targets.push(Target {
            provider: id,
            model: model.into(),
            price,
        });
    }
    let usable = targets
        .iter()
        .any(|target| !providers.unusable.contains(&target.provider));
    if !usable && !targets.is_empty() {
        let warning = "none of its providers has its credential: every request for it would fail";
        findings.warning(path, warning, "set the credential of one of them");
    }
    targets
}

fn price_remedy(provider: &Provider, model: &str, findings: &mut Findings) -> String {
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

/// The document's own prices, by provider and model.
struct Prices<'d> {
    exact: HashMap<(&'d str, &'d str), (usize, Price)>,
    /// Those whose model ends in `*`, without it; the longest first.
    prefixes: Vec<(&'d str, &'d str, usize, Price)>,
    used: Vec<bool>,
}

impl<'d> Prices<'d> {
    fn compile(document: &'d Document, findings: &mut Findings) -> Self {
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
                Ok(price) => price,
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
    fn of(&mut self, provider: &Provider, model: &str) -> Option<Price> {
        let written = self
            .exact
            .get(&(&*provider.name, model))
            .map(|(index, price)| (*index, price))
            .or_else(|| {
                let mut prefixes = self.prefixes.iter();
                let found = prefixes.find(|(p, prefix, ..)| **p == *provider.name && model.starts_with(*prefix));
                found.map(|(_, _, index, price)| (*index, price))
            });
        match written {
            Some((index, price)) => {
                if let Some(used) = self.used.get_mut(index) {
                    *used = true;
                }
                Some(price.clone())
            }
            None => price::lookup(&provider.priced_as, model),
        }
    }

    fn warn_of_unused(&self, document: &Document, findings: &mut Findings) {
        for (index, (spec, used)) in document.prices.iter().zip(&self.used).enumerate() {
            if !used {
                let warning = format!("no target is `{}` at `{}`", spec.model, spec.provider);
                let remedy = "correct the name, or remove the price";
                findings.warning(format!("prices[{index}]"), warning, remedy);
            }
        }
    }
}
