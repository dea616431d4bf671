//! Providers: endpoints, credentials, and the hosts they are recognised by.

use hashbrown::HashMap;

use super::{Env, Findings, Unset, failover, place::Place, rules::Rulebook};
use crate::dialect::Dialect;
use crate::document::{Credential as Reference, Document, member};
use crate::health::rule::Rule;
use crate::price;
use crate::provider::{Credential, Origin, OriginError, Provider, SecretError, default_port};
use crate::world::{ProviderId, names};

pub(super) struct Providers {
    pub(super) providers: Vec<Provider>,
    pub(super) names: HashMap<Box<str>, ProviderId>,
    pub(super) hosts: HashMap<Box<str>, ProviderId>,
    pub(super) default: Option<ProviderId>,
    /// Those whose credential is missing.
    pub(super) unusable: Vec<ProviderId>,
}

pub(super) fn compile(
    document: &Document,
    env: Env<'_>,
    unset: Unset,
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
        let endpoint = endpoint(&path, &written.endpoint, written.dialect, findings);
        let credential = match &written.credential {
            Some(reference) => {
                let credential = credential(&path, reference, written.dialect, env, unset, findings);
                if credential.is_none() {
                    compiled.unusable.push(id);
                }
                in_the_clear(&path, &endpoint, findings);
                credential
            }
            None => None,
        };
        let priced_as = match &written.priced_as {
            Some(priced_as) => {
                is_in_price_list(&path, priced_as, findings);
                priced_as.as_str().into()
            }
            None => price::provider_for_host(&endpoint.host).unwrap_or(name).into(),
        };
        let provider = Provider {
            name: name.as_str().into(),
            dialect: written.dialect,
            endpoint,
            credential,
            priced_as,
            rules: rulebook.rules(
                Place::At(&path),
                written.limits.as_ref(),
                written.budget.as_ref(),
                findings,
            ),
            health: failover::health(Place::At(&path), written.health.as_ref(), health, findings),
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

fn endpoint(path: &str, url: &str, dialect: Dialect, findings: &mut Findings) -> Origin {
    let path = member(path, "endpoint");
    let (problem, remedy) = match Origin::parse(url) {
        Ok(origin) => {
            if dialect == Dialect::OpenAi && &*origin.host == "api.openai.com" && origin.base_path.is_empty() {
                findings.warning(
                    path,
                    "OpenAI's endpoints are under /v1",
                    "write \"https://api.openai.com/v1\"",
                );
            }
            return origin;
        }
        Err(OriginError::Scheme) if url.contains("://") => ("the scheme is neither http nor https", "use one of them"),
        Err(OriginError::Scheme) => ("the scheme is missing", "begin it with https:// (or http://)"),
        Err(OriginError::Host) => (
            "the host is missing or malformed",
            "write it as in https://api.openai.com/v1",
        ),
        Err(OriginError::Port) => (
            "the port is not a number from 1 to 65535",
            "correct it, or leave it out",
        ),
        Err(OriginError::UserInfo) => (
            "it contains a user or password",
            "remove what stands before `@`; secrets come from `credential`",
        ),
        Err(OriginError::Query) => ("it contains `?` or `#`", "end it after the path"),
        Err(OriginError::Path) => (
            "its path contains a character a URL cannot have",
            "percent-encode or remove it",
        ),
    };
    findings.problem(path, problem, remedy);
    Origin {
        tls: true,
        host: "".into(),
        port: 443,
        base_path: "".into(),
    }
}

fn credential(
    path: &str,
    reference: &Reference,
    dialect: Dialect,
    env: Env<'_>,
    unset: Unset,
    findings: &mut Findings,
) -> Option<Credential> {
    let path = format!("{path}.credential.env");
    let variable = reference.env.as_str();
    if !is_variable(variable) {
        // Not quoted: what is no variable's name is often the secret itself.
        let remedy = "write the variable's name, such as OPENAI_API_KEY, and never the secret";
        findings.problem(path, "it is not the name of an environment variable", remedy);
        return None;
    }
    let found = env(variable).ok_or("is not set").and_then(|secret| {
        Credential::new(dialect, &secret).map_err(|error| match error {
            SecretError::Empty => "is empty",
            SecretError::Unsendable => "holds a line break or a character that is not ASCII",
        })
    });
    match found {
        Ok(credential) => return Some(credential),
        Err(what) => {
            let remedy = format!("set {variable} to the provider's API key where Tollgate runs");
            match unset {
                Unset::Problem => {
                    findings.problem(path, format!("the environment variable {variable} {what}"), remedy);
                }
                Unset::Warning => {
                    findings.warning(path, format!("the environment variable {variable} {what} here"), remedy);
                }
            }
        }
    }
    None
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A secret sent without TLS to what looks like a public host. Plain names and addresses are a private network's.
fn in_the_clear(path: &str, endpoint: &Origin, findings: &mut Findings) {
    let host = &*endpoint.host;
    let address = host.parse::<std::net::IpAddr>().is_ok();
    let private = [".local", ".internal", ".localhost", ".svc"]
        .iter()
        .any(|suffix| host.ends_with(suffix));
    if !endpoint.tls && host.contains('.') && !address && !private {
        findings.warning(
            member(path, "endpoint"),
            "the credential would cross the network unencrypted",
            "begin it with https://",
        );
    }
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
