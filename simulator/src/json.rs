//! JSON objects whose members stay in the order they are written in, as the providers write them.
//!
//! A reader may depend on that order without knowing (the type of an event before its usage), so the oracle keeps it;
//! `serde_json`'s own map sorts. In: names and values. Out: text.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

/// An object under construction; displays as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(String);

/// Writes an [`Object`]: `object! {"id": id, "choices": vec![object! {"index": 0}], "usage": NULL}`.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let mut object = $crate::json::Object::default();
        $(object.put($name, &$value);)*
        object
    }};
}
pub(crate) use object;

/// `null`.
pub const NULL: Option<bool> = None;

impl Object {
    /// Appends a member. `name` is written as it is.
    pub fn put(&mut self, name: &str, value: &impl Write) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        for part in ["\"", name, "\":"] {
            self.0.push_str(part);
        }
        value.write(&mut self.0);
    }

    /// Appends a member if there is a value for it.
    pub fn put_some(&mut self, name: &str, value: &Option<impl Write>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// These members, and then those.
    pub fn and(mut self, more: &Self) -> Self {
        if !self.0.is_empty() && !more.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&more.0);
        self
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// What can be the value of a member.
pub trait Write {
    /// Appends the value as JSON.
    fn write(&self, out: &mut String);
}

/// Text that is JSON already.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a>(pub &'a str);

/// The inside of a JSON string, already escaped.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

macro_rules! written_as {
    ($convert:expr; $($kind:ty),*) => {$(
        impl Write for $kind {
            fn write(&self, out: &mut String) {
                let convert: fn(&$kind) -> String = $convert;
                out.push_str(&convert(self));
            }
        }
    )*};
}
written_as!(|value| value.to_string(); bool, i32, u64, usize, f64, Object, Value);
written_as!(|text| Value::from(text).to_string(); str);
written_as!(|text| Value::from(text.as_str()).to_string(); String);

impl Write for Written<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(self.0);
    }
}

impl Write for Escaped<'_> {
    fn write(&self, out: &mut String) {
        for part in ["\"", self.0, "\""] {
            out.push_str(part);
        }
    }
}

impl<T: Write + ?Sized> Write for &T {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl<T: Write> Write for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl<T: Write> Write for [T] {
    fn write(&self, out: &mut String) {
        out.push('[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            value.write(out);
        }
        out.push(']');
    }
}

impl<T: Write> Write for Vec<T> {
    fn write(&self, out: &mut String) {
        self.as_slice().write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_texts_are_escaped() {
        let mut written = object! {
            "z": "a \"quoted\"\nline", "a": vec![object! {"n": 1}, Object::default()], "m": NULL,
            "raw": Written("{\"x\":1}"), "inside": Escaped("é\\n"),
        };
        written.put_some("absent", &NULL);
        written.put_some("half", &Some(0.5));
        assert_eq!(
            written.and(&object! {"last": true}).to_string(),
            r#"{"z":"a \"quoted\"\nline","a":[{"n":1},{}],"m":null,"raw":{"x":1},"inside":"é\n","half":0.5,"last":true}"#
        );
    }
}
