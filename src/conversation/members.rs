//! A JSON object, read member by member.
//!
//! In: an object's bytes. Out: [`Members`], from which a reader takes what it knows; what is left is known by name. A value
//! is looked at only when it is taken. It knows no dialect.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::loss::Losses;

/// Why a request cannot be read in the dialect its endpoint is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where: `messages[2].content`.
    pub at: String,
    /// What should stand there: `must be a string or an array of parts`.
    pub what: Cow<'static, str>,
}

impl Unreadable {
    /// Of a place and what should be there.
    pub fn new(at: impl Into<String>, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
        }
    }
}

/// The members of one object that nobody has taken yet.
#[derive(Debug)]
pub struct Members<'a> {
    at: String,
    members: HashMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a>(#[serde(borrow)] HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// The members of an object. `at`: its path, empty for the whole body.
    pub fn of(json: &'a [u8], at: impl Into<String>) -> Result<Self, Unreadable> {
        let at = at.into();
        match serde_json::from_slice::<Object<'a>>(json) {
            Ok(Object(members)) => Ok(Self { at, members }),
            Err(_) => Err(Unreadable::new(at, "must be an object")),
        }
    }

    /// The same of a value within a document that is known to be JSON.
    pub fn within(json: &'a RawValue, at: impl Into<String>) -> Result<Self, Unreadable> {
        Self::of(json.get().as_bytes(), at)
    }

    /// The path of a member.
    pub fn at(&self, name: &str) -> String {
        match self.at.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.at),
        }
    }

    /// Takes a member's value as it stands there; `None` where it is missing or `null`.
    pub fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.members.remove(name).filter(|value| value.get() != "null")
    }

    /// Takes a member; `None` where it is missing or `null`. `what`: what it should be, for the error.
    pub fn take<T: Deserialize<'a>>(&mut self, name: &str, what: &'static str) -> Result<Option<T>, Unreadable> {
        match self.raw(name) {
            None => Ok(None),
            Some(value) => serde_json::from_str(value.get())
                .map(Some)
                .map_err(|_| Unreadable::new(self.at(name), what)),
        }
    }

    /// Takes a member that must be there.
    pub fn need<T: Deserialize<'a>>(&mut self, name: &str, what: &'static str) -> Result<T, Unreadable> {
        let found = self.take(name, what)?;
        found.ok_or_else(|| Unreadable::new(self.at(name), what))
    }

    /// Takes a string.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        self.take(name, "must be a string")
    }

    /// Whether a member is there and not `null`, without taking it.
    pub fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| value.get() != "null")
    }

    /// Takes members that have a meaning in this dialect and none in another: those present are losses. `null`, `false` and
    /// empty ones say nothing.
    pub fn lose(&mut self, names: &[&'static str], hint: bool, losses: &mut Losses) {
        for name in names {
            if self
                .raw(name)
                .is_some_and(|value| !matches!(value.get(), "false" | "[]" | "{}" | "\"\""))
            {
                match (hint, self.at.is_empty()) {
                    (true, _) => losses.hint(name),
                    (false, true) => losses.meaning(name),
                    (false, false) => losses.meaning_at(self.at(name), name),
                }
            }
        }
    }

    /// Whatever is left is not known here: a loss by its name, unless it is `null`.
    pub fn rest(self, losses: &mut Losses) {
        let mut left: Vec<_> = self.members.iter().filter(|(_, value)| value.get() != "null").collect();
        left.sort_by(|a, b| a.0.cmp(b.0));
        for (name, _) in left {
            losses.unknown(self.at(name));
        }
    }
}

/// The elements of an array, each as it stands there. `what`: what it should be, for the error.
pub fn elements<'a>(json: &'a RawValue, at: &str, what: &'static str) -> Result<Vec<&'a RawValue>, Unreadable> {
    serde_json::from_str(json.get()).map_err(|_| Unreadable::new(at, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_known_by_name() {
        let mut members = Members::of(br#"{"a":1,"b":null,"c":[],"d":"x","\u0065":2,"f":true}"#, "").unwrap();
        let mut losses = Losses::default();
        assert_eq!(members.take::<u64>("a", "must be a number"), Ok(Some(1)));
        assert_eq!(members.take::<u64>("b", "must be a number"), Ok(None));
        let error = members.take::<u64>("d", "must be a number").unwrap_err();
        assert_eq!(error, Unreadable::new("d", "must be a number"));
        members.lose(&["c"], false, &mut losses);
        members.lose(&["f"], true, &mut losses);
        members.rest(&mut losses);
        let names: Vec<_> = losses
            .iter()
            .map(|loss| (&*loss.member, loss.label, loss.hint))
            .collect();
        assert_eq!(names, [("f", "f", true), ("e", "other", false)]);
        assert!(Members::of(b"[]", "x").is_err());
    }

    #[test]
    fn values_keep_their_bytes() {
        let mut members = Members::of(br#"{"s": {"b":1.50, "a":2}}"#, "tools[0]").unwrap();
        let schema: Box<RawValue> = members.need("s", "must be a schema").unwrap();
        assert_eq!(schema.get(), r#"{"b":1.50, "a":2}"#);
        assert_eq!(
            members.need::<u64>("t", "must be a number").unwrap_err().at,
            "tools[0].t"
        );
    }
}
