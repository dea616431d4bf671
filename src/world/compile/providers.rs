//! Providers: what they are, and the hosts they are recognised by.
//!
//! [`kind`] finds out what is meant, [`endpoint`] where that is, [`credentials`] what it is shown, and [`health_check`] what
//! Envoy asks it besides.

use hashbrown::HashMap;

use super::{Env, Findings, Unset, failover, place::Place, rules::Rulebook};
use crate::document::{Document, TranslateTo, Untranslatable, member};
use crate::health::rule::Rule;
use crate::price;
use crate::provider::catalogue::Catalogue;
use crate::provider::{Origin, Provider, default_port};
use crate::world::{ProviderId, names};

mod credentials;
mod endpoint;
mod health_check;
mod kind;

pub(super) struct Providers {
    pub(super) providers: Vec<Provider>,
    pub(super) names: HashMap<Box<str>, ProviderId>,
    pub(super) hosts: HashMap<Box<str>, ProviderId>,
    pub(super) default: Option<ProviderId>,
    /// Those whose credential is missing.
    pub(super) unusable: Vec<ProviderId>,
}

/// What a provider is compiled with besides the document.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'s> {
    pub(super) env: Env<'s>,
    pub(super) unset: Unset,
    pub(super) catalogue: Catalogue<'s>,
}

pub(super) fn compile(
    document: &Document,
    around: Surroundings<'_>,
    rulebook: &mut Rulebook,
    findings: &mut Findings,
) -> Providers {
    let mut compiled = Providers {
        providers: Vec::new(),
        names: HashMap::new(),
        hosts: HashMap::new(),
        default: None,
        unusable: Vec::new(),
    };
    let health = failover::health(Place::At(""), document.health.as_ref(), Rule::default(), findings);
    for (name, written) in &document.providers.0 {
        let id = ProviderId(compiled.providers.len() as u32);
        let path = member("providers", name);
        findings.objection(&path, names::provider_objection(name));
        if compiled.names.insert(name.as_str().into(), id).is_some() {
            findings.problem(
                &path,
                "the provider is written twice",
                "keep one of them, or rename one",
            );
        }
        let meant = kind::meant(&path, name, written, around.catalogue, findings);
        let endpoint = endpoint::compile(&path, written, &meant, findings);
        let shown = credentials::compile(&path, written, &meant, &endpoint, around, findings);
        if shown.missing {
            compiled.unusable.push(id);
        }
        let priced_as = match &written.priced_as {
            Some(priced_as) => {
                is_in_price_list(&path, priced_as, findings);
                priced_as.as_str().into()
            }
            None => price::provider_for_host(&endpoint.host)
                .or_else(|| meant.row.as_ref()?.price)
                .unwrap_or(name)
                .into(),
        };
        let region = written.settings.0.iter().find(|(name, _)| name == "region");
        let provider = Provider {
            name: name.as_str().into(),
            kind: meant.row.as_ref().map(|row| row.kind.into()),
            dialect: meant.dialect,
            endpoint,
            auth: meant.auth,
            credentials: shown.credentials,
            sources: shown.sources,
            region: region.map(|(_, region)| region.as_str().into()),
            facts: meant.facts,
            drops: written.untranslatable == Some(Untranslatable::Drop),
            prefers_responses: written.translate_to == Some(TranslateTo::Responses),
            priced_as,
            rules: rulebook.rules(
                Place::At(&path),
                written.limits.as_ref(),
                written.budget.as_ref(),
                findings,
            ),
            health: failover::health(Place::At(&path), written.health.as_ref(), health, findings),
            health_check: health_check::compile(&path, written.health_check.as_ref(), findings),
        };
        recognise(&path, id, &provider, document.hold_headers, &mut compiled, findings);
        compiled.providers.push(provider);
    }
    compiled.default = default_provider(document, &compiled.names, findings);
    compiled
}

fn default_provider(
    document: &Document,
    names: &HashMap<Box<str>, ProviderId>,
    findings: &mut Findings,
) -> Option<ProviderId> {
    let name = document.default_provider.as_deref()?;
    let id = names.get(name).copied();
    if id.is_none() {
        let known = document.providers.0.iter().map(|(name, _)| name.as_str());
        let remedy = findings.suggestion(name, known, "add it to `providers`");
        findings.problem("default_provider", format!("there is no provider `{name}`"), remedy);
    }
    id
}

fn is_in_price_list(path: &str, priced_as: &str, findings: &mut Findings) {
    if price::provider_named(priced_as).is_none() {
        let remedy = findings.suggestion(priced_as, price::providers(), "`tollgate prices` lists them");
        let path = member(path, "priced_as");
        findings.warning(path, format!("the price list has no provider `{priced_as}`"), remedy);
    }
}

fn recognise(
    path: &str,
    id: ProviderId,
    provider: &Provider,
    hold_headers: bool,
    compiled: &mut Providers,
    findings: &mut Findings,
) {
    let Origin { tls, host, port, .. } = &provider.endpoint;
    let mut keys = vec![names::host_key(host, Some(*port))];
    if *port == default_port(*tls) {
        keys.push(names::host_key(host, None));
    }
    let mut shared = None;
    for key in keys {
        let first = *compiled.hosts.entry(key.into()).or_insert(id);
        if first != id {
            shared = Some(first);
        }
    }
    let first = shared.and_then(|first| compiled.providers.get(first.0 as usize));
    if let Some(first) = first.filter(|_| !hold_headers) {
        findings.warning(
            member(path, "endpoint"),
            format!(
                "provider `{}` has the same host, and requests to it count as that one's",
                first.name
            ),
            "remove one: without `hold_headers` a provider is recognised by its host alone",
        );
    }
}
