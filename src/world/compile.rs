//! From document to world.
//!
//! Every section is compiled even where an earlier one has problems, so that one run shows all of them. What cannot be
//! compiled leaves a stand-in behind to keep the ids in step; with a problem on record no world comes out of it.

use std::net::SocketAddr;

use place::Place;

use super::{Failover, Model, ORDERS_AHEAD, World};
use crate::document::{Document, Mode, Problem, Warning, spelling};
use crate::provider::catalogue::Catalogue;

mod cheaper;
mod coverage;
mod failover;
mod guard;
mod keys;
mod models;
mod numbers;
mod operators;
mod patterns;
mod per_model;
mod place;
mod prices;
mod providers;
mod rules;
mod targets;
mod teams;

/// Looks up an environment variable.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// What a credential that is not set is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    Problem,
    Warning,
}

/// What was found on the way.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
    suggestions: usize,
}

pub(super) fn compile(
    document: &Document,
    env: Env<'_>,
    unset: Unset,
    catalogue: Catalogue<'_>,
) -> Result<World, Vec<Problem>> {
    let mut findings = Findings::default();
    let listen = address("listen", &document.listen, &mut findings);
    let admin = address("admin", &document.admin, &mut findings);
    if listen == admin && listen.port() != 0 {
        findings.problem("admin", "it is the address of `listen`", "give it another port");
    }
    if !admin.ip().is_loopback() {
        findings.warning(
            "admin",
            "whoever reaches Envoy's admin interface can read its configuration",
            "listen on 127.0.0.1, or keep the port behind a firewall",
        );
    }
    let max_body_bytes = within(
        "max_body_bytes",
        document.max_body_bytes,
        1 << 10,
        1 << 30,
        &mut findings,
    );
    let max_series = within("max_series", document.max_series, 100, 1_000_000, &mut findings);

    let mut rulebook = rules::Rulebook::default();
    let all = rulebook.rules(
        Place::At(""),
        document.limits.as_ref(),
        document.budget.as_ref(),
        &mut findings,
    );
    let providers = providers::compile(
        document,
        providers::Surroundings { env, unset, catalogue },
        &mut rulebook,
        &mut findings,
    );
    let top = Place::At("");
    let failover = failover::failover(top, document.failover.as_ref(), Failover::default(), &mut findings);
    let models = models::compile(document, &providers, failover, &mut rulebook, &mut findings);
    let teams = teams::compile(document, &mut rulebook, &mut findings);
    let mut guards = guard::Guards::new(document.loop_guard.as_ref(), &mut findings);
    let keys = keys::compile(
        document,
        &models,
        &providers,
        &teams.names,
        &mut rulebook,
        &mut guards,
        &mut findings,
    );
    let operators = operators::compile(document, &keys.digests, &mut findings);
    nothing_to_do(document, &models.models, &mut findings);
    // The module compiles the document once per worker and shows its warnings to nobody.
    if cfg!(not(target_arch = "wasm32")) {
        let world = coverage::Subjects {
            all: all.as_deref(),
            providers: &providers.providers,
            models: &models.models,
            teams: &teams.teams,
            keys: &keys.keys,
        };
        world.warn(&mut findings);
    }

    let Findings { problems, warnings, .. } = findings;
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(World {
        hash: document
            .digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        listen,
        admin,
        hold_headers: document.hold_headers,
        orders_ahead: env(ORDERS_AHEAD).as_deref() == Some("1"),
        max_body_bytes,
        max_series,
        default_provider: providers.default,
        providers: providers.providers,
        models: models.models,
        teams: teams.teams,
        keys: keys.keys,
        all,
        shadow: document.mode == Some(Mode::Shadow),
        guard: guards.common,
        failover,
        operators: operators.operators,
        warnings,
        provider_names: providers.names,
        provider_hosts: providers.hosts,
        model_names: models.names,
        model_prefixes: models.prefixes,
        prices: models.prices,
        key_digests: keys.digests,
        operator_digests: operators.digests,
        raises: rulebook.raises,
    })
}

fn nothing_to_do(document: &Document, models: &[Model], findings: &mut Findings) {
    if document.providers.0.is_empty() {
        findings.warning("providers", "there is none: no request can be served", "add a provider");
    } else if models.is_empty() {
        findings.warning(
            "models",
            "there is none: no request that names a model can be served",
            "add a model",
        );
    }
    if document.keys.is_empty() {
        findings.warning(
            "keys",
            "there is none: every request is refused",
            "mint one with `tollgate key new`",
        );
    }
}

fn address(path: &str, text: &str, findings: &mut Findings) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        let remedy = match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
            Some(port) => format!("write \"127.0.0.1:{port}\""),
            None => "write an IP address and a port, such as \"127.0.0.1:4000\" or \"[::1]:4000\"".to_owned(),
        };
        findings.problem(path, format!("`{text}` is not an address and port"), remedy);
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn within(path: &str, value: u64, least: u64, most: u64, findings: &mut Findings) -> usize {
    if !(least..=most).contains(&value) {
        findings.problem(
            path,
            format!("{value} is out of range"),
            format!("write a number from {least} to {most}"),
        );
    }
    value.min(most) as usize
}

impl Findings {
    fn problem(&mut self, path: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            path: path.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    fn warning(&mut self, path: impl Into<String>, warning: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(Warning {
            path: path.into(),
            warning: warning.into(),
            remedy: remedy.into(),
        });
    }

    fn objection(&mut self, path: impl Into<String>, objection: Option<(String, String)>) {
        if let Some((problem, remedy)) = objection {
            self.problem(path, problem, remedy);
        }
    }

    /// A remedy for a name that does not exist. Comparing spellings is slow, and in a document with hundreds of wrong
    /// names the first few show the mistake.
    fn suggestion<'c>(
        &mut self,
        name: &str,
        candidates: impl Iterator<Item = &'c str> + Clone,
        otherwise: &str,
    ) -> String {
        self.suggestions += 1;
        match self.suggestions <= MOST_SUGGESTIONS {
            true => spelling::suggestion(name, candidates, otherwise),
            false => otherwise.to_owned(),
        }
    }

    /// The name that was probably meant, of candidates that are slow to come by. The module, which compiles the document
    /// once per worker and shows its warnings to nobody, does without.
    fn nearest<'n, I: Iterator<Item = &'n str>>(
        &mut self,
        name: &str,
        candidates: impl FnOnce() -> I,
    ) -> Option<&'n str> {
        self.suggestions += 1;
        let worth_it = cfg!(not(target_arch = "wasm32")) && self.suggestions <= MOST_SUGGESTIONS;
        worth_it.then(|| spelling::nearest(name, candidates())).flatten()
    }
}

/// Suggestions made per document.
const MOST_SUGGESTIONS: usize = 50;
