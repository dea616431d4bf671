//! Which model takes the place of which, so that whoever goes from one to the next comes to an end.

use super::{Findings, models::Models};
use crate::document::{Document, member};
use crate::provider::Provider;
use crate::world::{Model, ModelId};

/// Sets what is cheaper than each model. The names of all models and aliases are known by now.
pub(super) fn resolve(document: &Document, compiled: &mut Models, providers: &[Provider], findings: &mut Findings) {
    for (index, (name, written)) in document.models.0.iter().enumerate() {
        let Some(wanted) = written.cheaper.as_deref() else {
            continue;
        };
        let path = format!("{}.cheaper", member("models", name));
        let id = ModelId(index as u32);
        let prefix = wanted.strip_suffix('*');
        match compiled.names.get(wanted).copied() {
            None if prefix.is_some_and(|prefix| compiled.prefixes.iter().any(|(known, _)| **known == *prefix)) => {
                let problem = format!("`{wanted}` stands for many models, and does not say which one");
                findings.problem(path, problem, "name a model whose name does not end in `*`");
            }
            None => {
                let known = document.models.0.iter().map(|(name, _)| name.as_str());
                let known = known.filter(|name| !name.ends_with('*'));
                let remedy = findings.suggestion(wanted, known, "add it to `models`");
                findings.problem(path, format!("there is no model `{wanted}`"), remedy);
            }
            Some(cheaper) if cheaper == id => {
                findings.problem(path, "it is the model itself", "name another one, or remove it");
            }
            Some(cheaper) => {
                if let Some(model) = compiled.models.get_mut(index) {
                    model.cheaper = Some(cheaper);
                }
            }
        }
    }
    let cycles = cycles(&compiled.models);
    for cycle in &cycles {
        let names = || cycle.iter().filter_map(|id| compiled.models.get(id.0 as usize));
        let mut around: Vec<_> = names().map(|model| format!("`{}`", model.name)).collect();
        around.extend(around.first().cloned());
        let first = names().next().map_or("", |model| &*model.name);
        findings.problem(
            format!("{}.cheaper", member("models", first)),
            format!("it leads back to where it began: {}", around.join(" → ")),
            "remove it from the cheapest of them",
        );
    }
    for model in compiled.models.iter().filter(|_| cycles.is_empty()) {
        let cheaper = model.cheaper.and_then(|id| compiled.models.get(id.0 as usize));
        let Some(cheaper) = cheaper.filter(|cheaper| !share_a_dialect(model, cheaper, providers)) else {
            continue;
        };
        findings.warning(
            format!("{}.cheaper", member("models", &model.name)),
            format!(
                "no provider of `{}` speaks a dialect of this model's: its requests cannot go there",
                cheaper.name
            ),
            "name a model of the same dialect",
        );
    }
}

/// Every cycle once, from the first of its models in the document on.
fn cycles(models: &[Model]) -> Vec<Vec<ModelId>> {
    let mut found = Vec::new();
    // From which model on each was first reached.
    let mut reached: Vec<Option<usize>> = vec![None; models.len()];
    for start in 0..models.len() {
        let mut way = Vec::new();
        let mut next = Some(ModelId(start as u32));
        while let Some((id, from)) = next.and_then(|id| Some((id, reached.get_mut(id.0 as usize)?))) {
            match *from {
                None => {
                    *from = Some(start);
                    way.push(id);
                    next = models.get(id.0 as usize).and_then(|model| model.cheaper);
                }
                Some(from) => {
                    let closed = way.iter().position(|earlier| *earlier == id);
                    if let (true, Some(closed)) = (from == start, closed) {
                        let mut cycle = way.split_off(closed);
                        let first = cycle.iter().enumerate().min_by_key(|(_, id)| **id);
                        let first = first.map_or(0, |(at, _)| at);
                        cycle.rotate_left(first);
                        found.push(cycle);
                    }
                    break;
                }
            }
        }
    }
    found
}

fn share_a_dialect(one: &Model, other: &Model, providers: &[Provider]) -> bool {
    let dialects = |model: &Model| {
        let targets = model.targets.iter();
        let providers = targets.filter_map(|target| providers.get(target.provider.0 as usize));
        providers.map(|provider| provider.dialect).collect::<Vec<_>>()
    };
    let of_other = dialects(other);
    dialects(one).iter().any(|dialect| of_other.contains(dialect))
}
