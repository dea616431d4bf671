//! Why a text is not a document: every problem of its shape, with the path of each.
//!
//! In: a text that failed to deserialise, and the error. Out: problems, at least one. A deserialiser stops at its first
//! error, so the members are tried one by one, and what is wrong is taken out before the rest is tried again.
//! A wrong value is described by its kind and never quoted: it may be a secret that was put into the wrong place.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::{Budget, Document, Key, Model, Operator, PerModel, Problem, Provider, Team, member, repeated, spelling};
use crate::price::PriceSpec;

/// No more problems than this are reported of one document: beyond it nobody reads them.
const MOST: usize = 50;

pub(super) fn problems(text: &str, error: serde_json::Error) -> Vec<Problem> {
    let mut root: Value = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(error) => return vec![syntax(text, &error)],
    };
    let mut found = Vec::new();
    if !root.is_object() {
        let problem = format!("expected an object, found {}", kind(&root));
        found.push(Problem {
            path: String::new(),
            problem,
            remedy: DESCRIBED.to_owned(),
        });
        return found;
    }
    each_member("", &mut root, "providers", &mut found, subject::<Provider>);
    each_member("", &mut root, "models", &mut found, subject::<Model>);
    each_member("", &mut root, "teams", &mut found, subject::<Team>);
    each_element("", &mut root, "keys", &mut found, key);
    each_element("", &mut root, "prices", &mut found, attempt::<PriceSpec>);
    each_element("", &mut root, "operators", &mut found, attempt::<Operator>);
    subject::<Document>("", &mut root, &mut found);
    if found.is_empty() {
        // A `Value` keeps the last of two equal members, so only the text itself shows that there are two.
        let error = repeated::first_error(text, error);
        let Shape { problem, remedy, .. } = Shape::of(&error);
        let place = format!("{problem} (line {}, column {})", error.line(), error.column());
        found.push(Problem {
            path: String::new(),
            problem: place,
            remedy,
        });
    }
    found
}

fn syntax(text: &str, error: &serde_json::Error) -> Problem {
    let remedy = if text.trim().is_empty() {
        DESCRIBED
    } else if error.is_eof() {
        "close what was opened: the text ends too early"
    } else {
        "correct the JSON there: names and texts in double quotes, no comments, no comma after the last member"
    };
    Problem {
        path: String::new(),
        problem: format!("not JSON: {error}"),
        remedy: remedy.to_owned(),
    }
}

type Attempt = fn(&str, &mut Value, &mut Vec<Problem>);

/// Tries each member of an object and takes it out, so that the whole can be tried without what was reported already.
fn each_member(base: &str, value: &mut Value, section: &str, found: &mut Vec<Problem>, attempt: Attempt) {
    if let Some(Value::Object(members)) = value.get_mut(section) {
        let section = member(base, section);
        for (name, mut value) in std::mem::take(members) {
            attempt(&member(&section, &name), &mut value, found);
        }
    }
}

/// As [`each_member`], for an array.
fn each_element(base: &str, value: &mut Value, section: &str, found: &mut Vec<Problem>, attempt: Attempt) {
    if let Some(Value::Array(elements)) = value.get_mut(section) {
        let section = member(base, section);
        for (index, mut value) in std::mem::take(elements).into_iter().enumerate() {
            attempt(&format!("{section}[{index}]"), &mut value, found);
        }
    }
}

/// Something that has limits and budgets.
fn subject<T: DeserializeOwned>(base: &str, value: &mut Value, found: &mut Vec<Problem>) {
    each_element(base, value, "budget", found, attempt::<Budget>);
    attempt::<T>(base, value, found);
}

fn key(base: &str, value: &mut Value, found: &mut Vec<Problem>) {
    each_member(base, value, "per_model", found, subject::<PerModel>);
    subject::<Key>(base, value, found);
}

fn attempt<T: DeserializeOwned>(base: &str, value: &mut Value, found: &mut Vec<Problem>) {
    let mut taken = Vec::new();
    while found.len() < MOST {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&*value) else {
            return;
        };
        let Shape {
            problem,
            remedy,
            missing,
        } = Shape::of(error.inner());
        let path = joined(base, error.path());
        // What is missing because it was taken out has been reported.
        let known = missing.is_some_and(|missing| taken.contains(&member(&path, &missing)));
        if !known {
            found.push(Problem {
                path: path.clone(),
                problem,
                remedy,
            });
        }
        taken.push(path);
        if !remove(value, error.path()) {
            return;
        }
    }
}

fn joined(base: &str, path: &Path) -> String {
    path.iter().fold(base.to_owned(), |at, segment| match segment {
        Segment::Seq { index } => format!("{at}[{index}]"),
        Segment::Map { key } => member(&at, key),
        Segment::Enum { .. } | Segment::Unknown => at,
    })
}

/// Takes the member at `path` out of its object.
fn remove(value: &mut Value, path: &Path) -> bool {
    let mut at = Some(value);
    let mut segments = path.iter().peekable();
    while let Some(segment) = segments.next() {
        at = match (segment, at) {
            (Segment::Map { key }, Some(Value::Object(members))) if segments.peek().is_none() => {
                return members.remove(key).is_some();
            }
            (Segment::Map { key }, Some(inner)) => inner.get_mut(key),
            (Segment::Seq { index }, Some(inner)) => inner.get_mut(index),
            _ => None,
        };
    }
    false
}

/// An error of serde's, put into the document's words.
struct Shape {
    problem: String,
    remedy: String,
    /// The field that is not there, where that is what is wrong.
    missing: Option<String>,
}

impl Shape {
    /// serde has no other form of its errors than their text; the tests below hold on to that text.
    fn of(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let (told, expected) = message.split_once(", ").unwrap_or((message, ""));
        let expected = message
            .rsplit_once(", expected ")
            .map_or(expected, |(_, expected)| expected);
        if let Some(name) = told.strip_prefix("unknown field ") {
            return Self::new("unknown field", instead_of(name, expected, "remove it"));
        }
        if let Some(name) = told.strip_prefix("unknown variant ") {
            return Self::new(format!("unknown value {name}"), instead_of(name, expected, DESCRIBED));
        }
        if let Some(name) = told.strip_prefix("missing field ") {
            let missing = Some(name.trim_matches('`').to_owned());
            return Self {
                missing,
                ..Self::new(format!("{name} is missing"), format!("add {name}"))
            };
        }
        if let Some(name) = told.strip_prefix("duplicate field ") {
            return Self::new(format!("{name} is written twice"), "keep one of them");
        }
        if let Some(value) = told
            .strip_prefix("invalid type: ")
            .or_else(|| told.strip_prefix("invalid value: "))
        {
            let wanted = wanted(expected);
            let remedy = match expected {
                "struct Credential" => SECRET_BY_NAME.to_owned(),
                _ => format!("write {wanted}"),
            };
            return Self::new(format!("expected {wanted}, found {}", found(value)), remedy);
        }
        if told.starts_with("invalid length ") {
            return Self::new("expected an object, found an array", "write an object");
        }
        Self::new(message, DESCRIBED)
    }

    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
            missing: None,
        }
    }
}

/// What to write instead of `name`, from serde's list: "`a`", "`a` or `b`", "one of `a`, `b`, `c`".
fn instead_of(name: &str, expected: &str, otherwise: &str) -> String {
    let known = expected.split('`').skip(1).step_by(2);
    spelling::suggestion(name.trim_matches('`'), known, otherwise)
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a map" => "an object",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "a string" | "string or map" => "a text in double quotes",
        "u64" | "usize" | "u32" => "a whole number that is not negative",
        "f64" => "a number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

/// The kind of serde's ``integer `5` ``, `string "…"`, `map`, `null`.
fn found(value: &str) -> &'static str {
    match value.split(' ').next() {
        Some("null") => "null",
        Some("boolean") => "true or false",
        Some("integer") if value.contains('-') => "a negative number",
        Some("integer") => "a whole number",
        Some("floating") => "a number with a fraction",
        Some("string") => "a text",
        Some("sequence") => "an array",
        Some("map") => "an object",
        _ => "something else",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

const SECRET_BY_NAME: &str = r#"write {"env": "NAME"} with the name of the environment variable that holds the secret"#;
const DESCRIBED: &str = "write a JSON object as `tollgate schema` describes it";
