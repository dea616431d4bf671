//! What is written again and again: the limits, budgets and models of ten thousand keys are a few texts.
//!
//! In: the array of keys and the object of teams. Out: each of them, and what is written in the same way there once, and
//! read once. That is most of such a document's text, and would be nearly all of its memory.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Budgets, Entries, Key, KeyLoopGuard, Limits, Mode, PerModel, Team};
use crate::hash;

/// [`Key`], and of its parts only where they are written. The members are the same, in the same order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey<'t> {
    name: String,
    sha256: String,
    #[serde(default)]
    team: Option<String>,
    #[serde(default, borrow)]
    models: Option<&'t RawValue>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    expires: Option<String>,
    #[serde(default, borrow)]
    limits: Option<&'t RawValue>,
    #[serde(default, borrow)]
    budget: Option<&'t RawValue>,
    #[serde(default)]
    mode: Option<Mode>,
    /// `null`, too, is something that is written, and wrong.
    #[serde(default, borrow, deserialize_with = "whatever_is_there")]
    per_model: Option<&'t RawValue>,
    #[serde(default, borrow, deserialize_with = "whatever_is_there")]
    targets: Option<&'t RawValue>,
    #[serde(default)]
    loop_guard: Option<KeyLoopGuard>,
}

/// [`Team`], in the same way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTeam<'t> {
    #[serde(default, borrow)]
    limits: Option<&'t RawValue>,
    #[serde(default, borrow)]
    budget: Option<&'t RawValue>,
    #[serde(default)]
    mode: Option<Mode>,
}

fn whatever_is_there<'t, D: Deserializer<'t>>(deserializer: D) -> Result<Option<&'t RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Texts that were read before, and what they say.
struct Texts<'t, T> {
    known: HashTable<(u64, &'t str, Arc<T>)>,
    /// The last one: who writes the same ten thousand times mostly does so in a row.
    last: Option<(&'t str, Arc<T>)>,
}

impl<'t, T: Deserialize<'t>> Texts<'t, T> {
    fn new() -> Self {
        Self {
            known: HashTable::new(),
            last: None,
        }
    }

    fn read<E: Error>(&mut self, written: Option<&'t RawValue>) -> Result<Option<Arc<T>>, E> {
        written.map(|written| self.said(written.get())).transpose()
    }

    fn said<E: Error>(&mut self, text: &'t str) -> Result<Arc<T>, E> {
        let is_it = |known: &str| hash::same(known.as_bytes(), text.as_bytes());
        if let Some((_, said)) = self.last.as_ref().filter(|(last, _)| is_it(last)) {
            return Ok(said.clone());
        }
        let hash = hash::of(text.as_bytes());
        let said = match self.known.find(hash, |(_, known, _)| is_it(known)) {
            Some((_, _, said)) => said.clone(),
            None => {
                // What is wrong with it, and where, is found out once it is known that something is (`super::shape`).
                let said: T = serde_json::from_str(text).map_err(|_| E::custom("something is wrong in here"))?;
                let said = Arc::new(said);
                let entry = (hash, text, said.clone());
                self.known.insert_unique(hash, entry, |(hash, ..)| *hash);
                said
            }
        };
        self.last = Some((text, said.clone()));
        Ok(said)
    }
}

/// Keys, with what they share.
pub(super) fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Key>, D::Error> {
    struct Keys;

    impl<'de> Visitor<'de> for Keys {
        type Value = Vec<Key>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Key>, A::Error> {
            let mut keys = Vec::new();
            let (mut models, mut limits) = (Texts::new(), Texts::<Limits>::new());
            let (mut budgets, mut per_model) = (Texts::<Budgets>::new(), Texts::<Entries<PerModel>>::new());
            let no_entries = Arc::<Entries<PerModel>>::default();
            let (mut targets, no_targets) = (Texts::<Entries<Vec<String>>>::new(), Arc::default());
            while let Some(written) = seq.next_element::<WrittenKey<'de>>()? {
                keys.push(Key {
                    name: written.name,
                    sha256: written.sha256,
                    team: written.team,
                    models: models.read(written.models)?,
                    disabled: written.disabled,
                    expires: written.expires,
                    limits: limits.read(written.limits)?,
                    budget: budgets.read(written.budget)?,
                    mode: written.mode,
                    per_model: per_model.read(written.per_model)?.unwrap_or_else(|| no_entries.clone()),
                    targets: targets
                        .read(written.targets)?
                        .unwrap_or_else(|| Arc::clone(&no_targets)),
                    loop_guard: written.loop_guard,
                });
            }
            Ok(keys)
        }
    }

    deserializer.deserialize_seq(Keys)
}

/// Teams, with what they share.
pub(super) fn teams<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Entries<Team>, D::Error> {
    struct Teams;

    impl<'de> Visitor<'de> for Teams {
        type Value = Entries<Team>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<Team>, A::Error> {
            let mut teams = Vec::new();
            let (mut limits, mut budgets) = (Texts::<Limits>::new(), Texts::<Budgets>::new());
            while let Some((name, written)) = map.next_entry::<String, WrittenTeam<'de>>()? {
                let team = Team {
                    limits: limits.read(written.limits)?,
                    budget: budgets.read(written.budget)?,
                    mode: written.mode,
                };
                teams.push((name, team));
            }
            Ok(Entries(teams))
        }
    }

    deserializer.deserialize_map(Teams)
}

/// Keys and teams, each of them read by itself.
#[derive(Deserialize)]
struct Apart {
    #[serde(default, rename = "keys")]
    _keys: Vec<Key>,
    #[serde(default, rename = "teams")]
    _teams: Entries<Team>,
}

/// What is wrong first in a text that is wrong. `error` says at which key or team it is, and this where in it.
pub(super) fn first_error(text: &str, error: serde_json::Error) -> serde_json::Error {
    let place = |error: &serde_json::Error| (error.line(), error.column());
    match serde_json::from_str::<Apart>(text) {
        Err(exact) if place(&exact) <= place(&error) => exact,
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    /// The document's keys and teams, read each by itself; the text of the error where that fails.
    fn apart(text: &str) -> Result<String, String> {
        let read = serde_json::from_str::<Apart>(text);
        read.map(|apart| format!("{:?} {:?}", apart._keys, apart._teams))
            .map_err(|error| error.to_string())
    }

    fn together(text: &str) -> Result<String, String> {
        let read = serde_json::from_str::<Document>(text);
        read.map(|document| format!("{:?} {:?}", document.keys, document.teams))
            .map_err(|error| first_error(text, error).to_string())
    }

    #[test]
    fn it_is_the_same_as_reading_each_by_itself() {
        let limits = r#"{"rpm": 5, "tpm": {"limit": 7, "raise": {"to": 9, "until": "2030-01-01T00:00:00Z"}}}"#;
        for member in [
            r#""disabled": true"#,
            r#""models": null, "team": null, "limits": null, "budget": null, "mode": null, "loop_guard": null"#,
            r#""models": ["a", "\u0062*"], "expires": "2030-01-01T00:00:00Z", "loop_guard": "off""#,
            r#""models": [], "limits": {}, "budget": [], "per_model": {}"#,
            r#""budget": {"usd": 1, "per": "day"}, "mode": "shadow", "team": "t""#,
            r#""budget": [{"usd": 0.5, "per": "day"}, {"tokens": 7, "over": "1h", "then": "clamp"}]"#,
            r#""per_model": {"a": {"limits": {"rpm": 1}}, "a": {}, "b*": {"budget": {"usd": 1, "per": "hour"}}}"#,
            r#""targets": {"a": ["x", "y"], "b": []}"#,
            r#""targets": {"a": ["x", 1]}"#,
            r#""targets": null"#,
            r#""per_model": null"#,
            r#""per_model": []"#,
            r#""per_model": {"a": {"limit": {}}}"#,
            r#""disabled": null"#,
            r#""models": "a""#,
            r#""models": [1]"#,
            r#""models": ["\ud800"]"#,
            r#""limits": 5"#,
            r#""limits": {"rpm": 1e999}"#,
            r#""limits": {"rpm": 1, "rpm": 1}"#,
            r#""limits": {"rpm": {"limit": 1, "limit": 1}}"#,
            r#""limits": {"rpm": 1}, "limits": {"rpm": 1}"#,
            r#""budget": {"usd": 1, "usd": 2, "per": "day"}"#,
            r#""budget": "x""#,
            r#""mode": "off""#,
            r#""nobody": 1"#,
        ] {
            let text = format!(
                "{{\"providers\": {{}},\n \"teams\": {{\"a\": {{\"limits\": {limits}}}, \"b\": {{\"limits\": {limits}}}}},\n \
                 \"keys\": [{{\"name\": \"a\", \"sha256\": \"b\"}}, [\"c\", \"d\"],\n {{\"name\": \"a\", \"sha256\": \"b\", {member}}},\n \
                 {{\"name\": \"\\n\", \"sha256\": \"b\", {member}}}]}}"
            );
            assert_eq!(together(&text), apart(&text), "{text}");
        }
        for teams in [
            r#"{"a": {}, "a": {"mode": "shadow"}}"#,
            r#"{"a": [null]}"#,
            r#"{"a": []}"#,
            r#"{"a": {"budget": {"usd": 1, "per": "day"}}, "b": {"budget": {"usd": 1, "per": "day"}, "limits": {}}}"#,
            r#"{"a": {"budget": {"usd": 1, "per": "day", "per": "day"}}}"#,
            r#"{"a": null}"#,
            "[]",
            "null",
        ] {
            let text = format!(r#"{{"providers": {{}}, "teams": {teams}, "keys": []}}"#);
            assert_eq!(together(&text), apart(&text), "{text}");
        }
    }

    #[test]
    fn the_first_of_several_mistakes_is_told() {
        for (text, told) in [
            (
                r#"{"providers": {}, "listen": "", "listen": "", "keys": [{"name": "a", "name": "b"}]}"#,
                "`listen`",
            ),
            (
                r#"{"providers": {}, "keys": [{"limits": {"rpm": 1, "rpm": 1}}], "listen": "", "listen": ""}"#,
                "`rpm`",
            ),
        ] {
            let error = serde_json::from_str::<Document>(text).unwrap_err();
            let error = first_error(text, error).to_string();
            assert!(error.starts_with(&format!("duplicate field {told} at ")), "{error}");
        }
    }

    #[test]
    fn what_is_written_in_the_same_way_is_there_once() {
        let key = r#"{"name": "a", "sha256": "b", "models": ["m"], "limits": {"rpm": 5}, "budget": {"usd": 1, "per": "day"}}"#;
        let document = Document::parse(&format!(r#"{{"providers": {{}}, "keys": [{key}, {key}]}}"#)).unwrap();
        let [one, other] = &document.keys[..] else { panic!() };
        assert!(Arc::ptr_eq(
            one.limits.as_ref().unwrap(),
            other.limits.as_ref().unwrap()
        ));
        assert!(Arc::ptr_eq(
            one.budget.as_ref().unwrap(),
            other.budget.as_ref().unwrap()
        ));
        assert!(Arc::ptr_eq(
            one.models.as_ref().unwrap(),
            other.models.as_ref().unwrap()
        ));
        assert!(Arc::ptr_eq(&one.per_model, &other.per_model));
    }
}
