//! Models and their targets.
//!
//! In: what the document says of models. Out: each with its targets, and the names it is found by: its own and its aliases,
//! or, of one whose name ends in `*`, what other names begin with.

use hashbrown::HashMap;

use super::prices::{self, Prices};
use super::rules::Rulebook;
use super::{Findings, cheaper, failover, numbers, place::Place, providers::Providers};
use crate::document::{Document, Model as Written, Order, Target as WrittenTarget, member};
use crate::provider::Provider;
use crate::world::{Failover, Model, ModelId, Target, names, prices::Prices as AtLast};

pub(super) struct Models {
    pub(super) models: Vec<Model>,
    /// Names and aliases, but for names that end in `*`.
    pub(super) names: HashMap<Box<str>, ModelId>,
    /// Of those what comes before it, the longest first.
    pub(super) prefixes: Vec<(Box<str>, ModelId)>,
    /// What targets cost whose model is known only when it is asked for.
    pub(super) prices: AtLast,
}

/// The longest answer there may be said to be, and the largest context, in tokens.
const LONGEST_ANSWER: u64 = 1_000_000_000;

/// The largest weight.
const HEAVIEST: u64 = 1_000_000;

pub(super) fn compile(
    document: &Document,
    providers: &Providers,
    inherited: Failover,
    rulebook: &mut Rulebook,
    findings: &mut Findings,
) -> Models {
    let mut prices = Prices::compile(document, findings);
    let mut compiled = Models {
        models: Vec::new(),
        names: HashMap::new(),
        prefixes: Vec::new(),
        prices: AtLast::default(),
    };
    for (name, _) in &document.models.0 {
        let path = member("models", name);
        findings.objection(&path, names::objection(name));
        if compiled.add_name(&path, name, findings) {
            findings.problem(
                &path,
                "the model is written twice",
                "keep one of them, with the targets of both",
            );
        }
        compiled.models.push(Model {
            name: name.as_str().into(),
            targets: Vec::new(),
            order: Order::Priority,
            sticky: false,
            failover: inherited,
            rules: None,
            cheaper: None,
            max_output_tokens: None,
        });
    }
    for (index, (name, written)) in document.models.0.iter().enumerate() {
        let path = member("models", name);
        let id = ModelId(index as u32);
        compiled.add_aliases(&path, id, written, findings);
        order(&path, written, findings);
        let targets = targets(&path, name, written, document, providers, &mut prices, findings);
        let longest = written.max_output_tokens.and_then(|tokens| {
            let place = Place::At(&path);
            numbers::count(place.member("max_output_tokens"), tokens, LONGEST_ANSWER, findings)
        });
        if let Some(model) = compiled.models.get_mut(index) {
            model.targets = targets;
            model.order = written.order;
            model.sticky = written.sticky;
            model.failover = failover::failover(Place::At(&path), written.failover.as_ref(), inherited, findings);
            model.rules = rulebook.rules(
                Place::At(&path),
                written.limits.as_ref(),
                written.budget.as_ref(),
                findings,
            );
            model.max_output_tokens = longest;
        }
    }
    compiled
        .prefixes
        .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    if !compiled.prefixes.is_empty() {
        compiled.prices = prices.at_last();
    }
    cheaper::resolve(document, &mut compiled, &providers.providers, findings);
    prices.warn_of_unused(document, findings);
    compiled
}

impl Models {
    /// Whether the name is there already.
    fn add_name(&mut self, path: &str, name: &str, findings: &mut Findings) -> bool {
        let id = ModelId(self.models.len() as u32);
        let Some(prefix) = name.strip_suffix('*') else {
            if name.contains('*') {
                let problem = "the name has a `*` before its end";
                findings.problem(path, problem, "write `*` only as the last character");
            }
            return self.names.insert(name.into(), id).is_some();
        };
        if prefix.contains('*') {
            let problem = "the name has a `*` before its end";
            findings.problem(path, problem, "write `*` only as the last character");
        }
        let twice = self.prefixes.iter().any(|(known, _)| **known == *prefix);
        self.prefixes.push((prefix.into(), id));
        twice
    }

    fn add_aliases(&mut self, path: &str, id: ModelId, written: &Written, findings: &mut Findings) {
        for (index, alias) in written.aliases.iter().enumerate() {
            let path = format!("{path}.aliases[{index}]");
            findings.objection(&path, names::objection(alias));
            if alias.contains('*') || self.prefixes.iter().any(|(_, prefixed)| *prefixed == id) {
                let problem = "what ends in `*` has no further names, and is none";
                findings.problem(path, problem, "make it a model of its own");
                continue;
            }
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

/// What is said of the order and does nothing.
fn order(path: &str, written: &Written, findings: &mut Findings) {
    if written.sticky && !matches!(written.order, Order::Weighted | Order::Fastest) {
        let warning = "with this `order` every session goes to the same target";
        findings.warning(
            format!("{path}.sticky"),
            warning,
            r#"remove it, or add "order": "weighted" or "fastest""#,
        );
    }
    let weighted = written.targets.iter().position(|target| target.weight.is_some());
    if let Some(index) = weighted.filter(|_| written.order != Order::Weighted) {
        let path = format!("{path}.targets[{index}].weight");
        findings.warning(
            path,
            "no lots are drawn by it",
            r#"add "order": "weighted", or remove it"#,
        );
    }
    let none = written.targets.iter().all(|target| target.weight == Some(0));
    if none && written.order == Order::Weighted && !written.targets.is_empty() {
        let warning = "every weight is 0: the targets are tried as they are written";
        findings.warning(format!("{path}.targets"), warning, "give one of them a weight");
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
        let open = open(&path, name, target, findings);
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
        let price = match open {
            None => prices.of(provider, model),
            Some(_) => None,
        };
        if let Some(begin) = model.strip_suffix('*').filter(|_| open.is_some()) {
            warn_of_unpriced(&path, provider, begin, prices, findings);
        } else if price.is_none() {
            let remedy = prices::remedy(provider, model, findings);
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
            weight: weight(&path, target, findings),
            context: target.context.and_then(|tokens| {
                let path = Place::At(&path);
                numbers::count(path.member("context"), tokens, LONGEST_ANSWER, findings)
            }),
            open,
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

/// Where the target's name ends in what the client wrote: how many bytes of the asked name come before that.
fn open(path: &str, name: &str, target: &WrittenTarget, findings: &mut Findings) -> Option<usize> {
    let model = target.model.as_deref().unwrap_or(name);
    let begin = model.strip_suffix('*')?;
    match name.strip_suffix('*') {
        _ if begin.contains('*') => {
            if target.model.is_some() {
                let problem = format!("`{model}` has a `*` before its end");
                findings.problem(format!("{path}.model"), problem, "write `*` only as the last character");
            }
            None
        }
        Some(prefix) => Some(prefix.len()),
        None => {
            let problem = format!("`{model}` ends in `*`, and `{name}` does not: nothing is there to put in its place");
            let remedy = "write the whole name, or end the model's own name in `*`";
            findings.problem(format!("{path}.model"), problem, remedy);
            None
        }
    }
}

fn weight(path: &str, target: &WrittenTarget, findings: &mut Findings) -> u32 {
    let weight = target.weight.unwrap_or(1);
    if weight > HEAVIEST {
        let remedy = format!("write a whole number from 0 to {HEAVIEST}");
        findings.problem(format!("{path}.weight"), format!("{weight} is out of range"), remedy);
    }
    weight.min(HEAVIEST) as u32
}

fn warn_of_unpriced(path: &str, provider: &Provider, begin: &str, prices: &mut Prices<'_>, findings: &mut Findings) {
    if !prices.of_any(provider, begin) {
        let warning = format!(
            "no price for anything that begins with `{begin}` at `{}`: its requests count as unpriced",
            provider.name
        );
        let remedy = prices::remedy(provider, &format!("{begin}*"), findings);
        findings.warning(path, warning, remedy);
    }
}
