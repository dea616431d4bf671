//! Virtual keys and what each may use.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Findings, models::Models};
use crate::caller::{KEY_PREFIX, TimeError, UnixSeconds};
use crate::document::{Document, Key as Written};
use crate::world::{Allowed, Key, KeyId, ModelId, TeamId, names};

pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
    pub(super) digests: HashMap<[u8; 32], KeyId>,
}

pub(super) fn compile(
    document: &Document,
    models: &Models,
    teams: &HashMap<&str, TeamId>,
    findings: &mut Findings,
) -> Keys {
    let mut compiled = Keys {
        keys: Vec::with_capacity(document.keys.len()),
        digests: HashMap::with_capacity(document.keys.len()),
    };
    let mut key_names: HashMap<&str, usize> = HashMap::with_capacity(document.keys.len());
    let mut lists = Lists::new(models);
    for (index, written) in document.keys.iter().enumerate() {
        let path = format!("keys[{index}]");
        let name = written.name.as_str();
        findings.objection(&format!("{path}.name"), names::objection(name));
        if let Some(first) = key_names.insert(name, index) {
            let problem = format!("`{name}` is also the name of keys[{first}]");
            findings.problem(
                format!("{path}.name"),
                problem,
                "choose another name: metrics are counted by it",
            );
        }
        match digest(&written.sha256) {
            Ok(digest) => {
                if let Some(first) = compiled.digests.insert(digest, KeyId(index as u32)) {
                    let problem = format!("keys[{}] is the same key", first.0);
                    findings.problem(
                        format!("{path}.sha256"),
                        problem,
                        "mint another with `tollgate key new`",
                    );
                }
            }
            Err((problem, remedy)) => findings.problem(format!("{path}.sha256"), problem, remedy),
        }
        compiled.keys.push(Key {
            name: name.into(),
            team: team(&path, written, teams, document, findings),
            models: match &written.models {
                None => Allowed::All,
                Some(patterns) => lists.allowed(&path, patterns, findings),
            },
            disabled: written.disabled,
            expires: expiry(&path, written, findings),
            rules: None,
            shadow: false,
            per_model: Arc::default(),
            guard: None,
        });
    }
    compiled
}

fn team(
    path: &str,
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
        findings.problem(format!("{path}.team"), format!("there is no team `{name}`"), remedy);
    }
    id
}

fn expiry(path: &str, written: &Written, findings: &mut Findings) -> Option<UnixSeconds> {
    let text = written.expires.as_deref()?;
    let (problem, remedy) = match UnixSeconds::parse(text) {
        Ok(time) => return Some(time),
        Err(TimeError::Form) => ("is not a time", "write RFC 3339, such as 2027-01-01T00:00:00Z"),
        Err(TimeError::Offset) => ("says no time zone", "add Z for UTC, or an offset such as +01:00"),
        Err(TimeError::Range) => ("does not exist", "correct the date or the time of day"),
    };
    findings.problem(format!("{path}.expires"), format!("`{text}` {problem}"), remedy);
    None
}

fn digest(hex: &str) -> Result<[u8; 32], (&'static str, &'static str)> {
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
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = pair
            .iter()
            .try_fold(0, |byte, digit| Some(byte << 4 | nibble(*digit)?))
            .ok_or(NOT_HEX)?;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The lists of models that keys name. Most keys share one of a few, so each is worked out once.
struct Lists<'d> {
    models: &'d Models,
    /// Names and aliases in order, so that a prefix is a range.
    sorted: Vec<(&'d str, ModelId)>,
    known: HashMap<&'d [String], List>,
}

#[derive(Clone)]
struct List {
    models: Arc<[ModelId]>,
    unmatched: Vec<usize>,
    malformed: Vec<usize>,
}

impl<'d> Lists<'d> {
    fn new(models: &'d Models) -> Self {
        let mut sorted: Vec<_> = models.names.iter().map(|(name, id)| (&**name, *id)).collect();
        sorted.sort_unstable();
        Self {
            models,
            sorted,
            known: HashMap::new(),
        }
    }

    fn allowed(&mut self, path: &str, patterns: &'d [String], findings: &mut Findings) -> Allowed {
        let list = match self.known.get(patterns) {
            Some(list) => list.clone(),
            None => {
                let list = self.resolve(patterns);
                self.known.insert(patterns, list.clone());
                list
            }
        };
        let pattern = |index: usize| patterns.get(index).map_or("", String::as_str);
        for index in list.malformed {
            let problem = format!("`{}` has a `*` before its end", pattern(index));
            findings.problem(
                format!("{path}.models[{index}]"),
                problem,
                "write `*` only as the last character",
            );
        }
        for index in list.unmatched {
            let names = self.sorted.iter().map(|(name, _)| *name);
            let remedy = findings.suggestion(pattern(index), names, "add the model, or remove this");
            let warning = format!("no model matches `{}`", pattern(index));
            findings.warning(format!("{path}.models[{index}]"), warning, remedy);
        }
        if list.models.is_empty() {
            let remedy = r#"name models in `models`, or leave it out to allow all"#;
            findings.warning(path, "the key can use no model: all its requests are refused", remedy);
        }
        Allowed::Only(list.models)
    }

    fn resolve(&self, patterns: &[String]) -> List {
        let (mut models, mut unmatched, mut malformed) = (Vec::new(), Vec::new(), Vec::new());
        for (index, pattern) in patterns.iter().enumerate() {
            let before = models.len();
            match pattern.strip_suffix('*') {
                Some(prefix) => {
                    let start = self.sorted.partition_point(|(name, _)| *name < prefix);
                    let rest = self.sorted.get(start..).unwrap_or_default();
                    models.extend(
                        rest.iter()
                            .take_while(|(name, _)| name.starts_with(prefix))
                            .map(|(_, id)| *id),
                    );
                }
                None => models.extend(self.models.names.get(pattern.as_str())),
            }
            if models.len() == before {
                match pattern.trim_end_matches('*').contains('*') {
                    true => malformed.push(index),
                    false => unmatched.push(index),
                }
            }
        }
        models.sort_unstable();
        models.dedup();
        List {
            models: models.into(),
            unmatched,
            malformed,
        }
    }
}
