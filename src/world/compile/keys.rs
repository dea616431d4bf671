//! Virtual keys and what each may use.

use hashbrown::HashMap;

use super::guard::Guards;
use super::models::Models;
use super::patterns::{Lists, Names};
use super::per_model::PerModels;
use super::providers::Providers;
use super::rules::Rulebook;
use super::targets::Own;
use super::{Findings, numbers, place::Place};
use crate::caller::KEY_PREFIX;
use crate::document::{Document, Key as Written, Mode};
use crate::world::{Allowed, Key, KeyId, TeamId, names};

pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
    pub(super) digests: HashMap<[u8; 32], KeyId>,
}

pub(super) fn compile(
    document: &Document,
    models: &Models,
    providers: &Providers,
    teams: &HashMap<&str, TeamId>,
    rulebook: &mut Rulebook,
    guards: &mut Guards,
    findings: &mut Findings,
) -> Keys {
    let mut compiled = Keys {
        keys: Vec::with_capacity(document.keys.len()),
        digests: HashMap::with_capacity(document.keys.len()),
    };
    let mut key_names: HashMap<&str, usize> = HashMap::with_capacity(document.keys.len());
    let model_names = Names::new(models);
    let mut lists = Lists::new(&model_names);
    let mut per_models = PerModels::new(&model_names);
    let mut own = Own::new(document, models, providers);
    let all = Place::At("keys");
    for (index, written) in document.keys.iter().enumerate() {
        let place = all.element(index);
        let name = written.name.as_str();
        findings.objection(place.member("name"), names::objection(name));
        if let Some(first) = key_names.insert(name, index) {
            let problem = format!("`{name}` is also the name of keys[{first}]");
            findings.problem(
                place.member("name"),
                problem,
                "choose another name: metrics are counted by it",
            );
        }
        match digest(&written.sha256) {
            Ok(digest) => {
                if let Some(first) = compiled.digests.insert(digest, KeyId(index as u32)) {
                    let problem = format!("keys[{}] is the same key", first.0);
                    findings.problem(place.member("sha256"), problem, "mint another with `tollgate key new`");
                }
            }
            Err((problem, remedy)) => findings.problem(place.member("sha256"), problem, remedy),
        }
        let team = team(place, written, teams, document, findings);
        let models = match &written.models {
            None => Allowed::All,
            Some(patterns) => lists.allowed(place, patterns, findings),
        };
        let per_model = per_models.of_key(place, &written.per_model, &models, rulebook, findings);
        let targets = own.of_key(place, &written.targets, &models, findings);
        compiled.keys.push(Key {
            name: name.into(),
            team,
            models,
            disabled: written.disabled,
            expires: written
                .expires
                .as_deref()
                .and_then(|text| numbers::time(place.member("expires"), text, findings)),
            rules: rulebook.rules(place, written.limits.as_deref(), written.budget.as_deref(), findings),
            shadow: written.mode == Some(Mode::Shadow),
            per_model,
            targets,
            guard: guards.of_key(place, written.loop_guard.as_ref(), findings),
        });
    }
    compiled
}

fn team(
    place: Place<'_>,
    written: &Written,
    teams: &HashMap<&str, TeamId>,
    document: &Document,
    findings: &mut Findings,
) -> Option<TeamId> {
    let name = written.team.as_deref()?;
    let id = teams.get(name).copied();
    if id.is_none() {
        let known = document.teams.0.iter().map(|(name, _)| name.as_str());
        let remedy = findings.suggestion(name, known, "add it to `teams`");
        findings.problem(place.member("team"), format!("there is no team `{name}`"), remedy);
    }
    id
}

pub(super) fn digest(hex: &str) -> Result<[u8; 32], (&'static str, &'static str)> {
    if hex.starts_with(KEY_PREFIX) {
        // Not quoted: it is a secret.
        return Err((
            "this is a key itself, not its hash",
            "treat the key as leaked: mint another with `tollgate key new`, which prints the entry to write here",
        ));
    }
    const NOT_HEX: (&str, &str) = (
        "it is not 64 hexadecimal digits",
        "write the SHA-256 of the key, as `tollgate key new` prints it",
    );
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return Err(NOT_HEX);
    }
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let mut wrong = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        wrong |= high | low;
        *byte = high << 4 | low;
    }
    if wrong > 0xF {
        return Err(NOT_HEX);
    }
    Ok(bytes)
}

/// A digit's value; more than that of any digit where it is none.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => u8::MAX,
    }
}
