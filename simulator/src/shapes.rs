//! The shapes of requests, as the providers publish them, and whether a body has one.
//!
//! In: a text that lists types and their members (`shapes/*.txt`), and a JSON value. Out: the first thing that is not as
//! published ([`Mismatch`]), for the dialect to put into its own words. It knows no dialect.
//!
//! ```text
//! Message: role!={user,assistant} content!=[Block]     an object; `!` is required; without `=` anything goes
//! Source|: bytes=string url=string                     a union: exactly one of the members
//! Block@type: text=TextBlock image=ImageBlock          an object whose member `type` says which shape it has
//! ```
//!
//! What a member may be: `string`, `number`, `integer`, `boolean`, `map` (any object), `any`, `{a,b}` (one of these
//! strings), `[X]` (a list), `<X>` (an object whose
//! members all are X), the name of a type, or several of these with `/` between them. `null` is as good as absent.

use std::collections::HashMap;

use serde_json::Value;

/// Types by name.
#[derive(Debug, Default)]
pub struct Shapes {
    types: HashMap<&'static str, Type>,
    /// Whether members may be written `like_this` as well as `likeThis` (protocol buffers).
    snake_too: bool,
}

#[derive(Debug)]
enum Type {
    Object(Vec<Member>),
    Union(Vec<Member>),
    Tagged(&'static str, Vec<Member>),
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    required: bool,
    kind: &'static str,
}

/// What is not as published, and where: `contents[0].parts[1]`, empty at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where.
    pub at: String,
    /// What.
    pub what: What,
}

/// What is not as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A member the type does not have.
    Unknown(String),
    /// A member that is required.
    Missing(&'static str),
    /// A value of another kind: what it had to be, and the value.
    Wrong(&'static str, String),
    /// None or several of a union's members.
    Members(usize),
}

impl Mismatch {
    /// Where, with dots only: `messages.0.content.1`.
    pub fn dotted(&self) -> String {
        self.at.replace('[', ".").replace(']', "")
    }

    /// The member at fault with the way to it, with dots only.
    pub fn member(&self, name: &str) -> String {
        let at = self.dotted();
        if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        }
    }
}

impl Shapes {
    /// Reads the text of a file of shapes. Lines that begin with `#` are remarks, indented ones go on with the last.
    pub fn parse(text: &'static str, snake_too: bool) -> Self {
        let mut shapes = Self {
            types: HashMap::new(),
            snake_too,
        };
        let mut last = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let members = if line.starts_with(' ') {
                line
            } else if let Some((head, members)) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))
            {
                let (name, empty) = match (head.strip_suffix('|'), head.split_once('@')) {
                    (Some(name), _) => (name, Type::Union(Vec::new())),
                    (None, Some((name, tag))) => (name, Type::Tagged(tag, Vec::new())),
                    (None, None) => (head, Type::Object(Vec::new())),
                };
                shapes.types.insert(name, empty);
                last = Some(name);
                members
            } else {
                continue;
            };
            let Some(known) = last.and_then(|name| shapes.types.get_mut(name)) else {
                continue;
            };
            let (Type::Object(list) | Type::Union(list) | Type::Tagged(_, list)) = known;
            list.extend(members.split_whitespace().map(Member::parse));
        }
        shapes
    }

    /// Compares `value` with the type of this name.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, kind: &'static str, value: &Value) -> Result<(), Mismatch> {
        self.kind(kind, value, &mut String::new())
    }

    fn kind(&self, kind: &'static str, value: &Value, at: &mut String) -> Result<(), Mismatch> {
        let mut choices = alternatives(kind).filter(|choice| fits(choice, value));
        let Some(choice) = choices.next() else {
            return Err(mismatch(at, What::Wrong(kind, brief(value))));
        };
        if let (Some(inner), Value::Array(items)) = (listed(choice), value) {
            for (index, item) in items.iter().enumerate() {
                let length = at.len();
                at.push_str(&format!("[{index}]"));
                self.kind(inner, item, at)?;
                at.truncate(length);
            }
            return Ok(());
        }
        if let (Some(inner), Value::Object(members)) = (mapped(choice), value) {
            for (name, item) in members {
                let length = at.len();
                step(at, name);
                self.kind(inner, item, at)?;
                at.truncate(length);
            }
            return Ok(());
        }
        let (Some(known), Value::Object(members)) = (self.types.get(choice), value) else {
            return Ok(());
        };
        let given = || members.iter().filter(|(_, value)| !value.is_null());
        let list = match known {
            Type::Object(list) => list,
            Type::Union(list) => {
                if given().count() != 1 {
                    return Err(mismatch(at, What::Members(given().count())));
                }
                list
            }
            Type::Tagged(tag, list) => {
                let Some(written) = members.get(*tag).filter(|value| !value.is_null()) else {
                    return Err(mismatch(at, What::Missing(tag)));
                };
                let Some(branch) = list.iter().find(|member| written == member.name) else {
                    step(at, tag);
                    return Err(mismatch(at, What::Wrong("a known type", brief(written))));
                };
                return self.kind(branch.kind, value, at);
            }
        };
        for (name, value) in given() {
            let known = list.iter().find(|member| member.is(name, self.snake_too));
            let Some(member) = known else {
                return Err(mismatch(at, What::Unknown(name.clone())));
            };
            let length = at.len();
            step(at, name);
            self.kind(member.kind, value, at)?;
            at.truncate(length);
        }
        let absent = list
            .iter()
            .find(|member| member.required && !given().any(|(name, _)| member.is(name, self.snake_too)));
        absent.map_or(Ok(()), |member| Err(mismatch(at, What::Missing(member.name))))
    }
}

impl Member {
    fn parse(word: &'static str) -> Self {
        let (name, kind) = word.split_once('=').unwrap_or((word, "any"));
        let required = name.ends_with('!');
        Self {
            name: name.trim_end_matches('!'),
            required,
            kind,
        }
    }

    fn is(&self, written: &str, snake_too: bool) -> bool {
        self.name == written || (snake_too && camel(written) == self.name)
    }
}

/// `like_this` as `likeThis`.
pub fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.push(letter.to_ascii_uppercase());
        } else {
            camel.push(letter);
        }
    }
    camel
}

/// `likeThis` as `like_this`.
pub fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn mismatch(at: &str, what: What) -> Mismatch {
    Mismatch {
        at: at.to_owned(),
        what,
    }
}

fn step(at: &mut String, name: &str) {
    if !at.is_empty() {
        at.push('.');
    }
    at.push_str(name);
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// What stands between slashes, of which none is inside brackets or braces.
fn alternatives(kind: &'static str) -> impl Iterator<Item = &'static str> {
    let mut depth = 0_i32;
    kind.split(move |letter| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        letter == '/' && depth == 0
    })
}

fn listed(kind: &'static str) -> Option<&'static str> {
    kind.strip_prefix('[')?.strip_suffix(']')
}

fn mapped(kind: &'static str) -> Option<&'static str> {
    kind.strip_prefix('<')?.strip_suffix('>')
}

fn fits(kind: &'static str, value: &Value) -> bool {
    match kind {
        "any" => true,
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "map" => value.is_object(),
        _ if kind.starts_with('[') => value.is_array(),
        _ if kind.starts_with('{') => {
            let words = kind.trim_matches(['{', '}']);
            value
                .as_str()
                .is_some_and(|text| words.split(',').any(|word| word == text))
        }
        _ => value.is_object(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "\
# A remark.
Ask: turns!=[Turn] most=integer
  more=string/[Block]
Turn: role!={user,assistant} parts=[Part]
Part|: text=string inlineData=Data
Data: data!=string
Block@type: text=Text
Text: type text!=string
Nothing:
";

    fn found(value: Value) -> Option<(String, What)> {
        let mismatch = Shapes::parse(TEXT, true).check("Ask", &value).err()?;
        Some((mismatch.at, mismatch.what))
    }

    #[test]
    fn what_is_as_published_passes() {
        let good = json!({
            "turns": [{"role": "user", "parts": [{"text": "a"}, {"inline_data": {"data": "x"}}]}],
            "most": 3, "more": [{"type": "text", "text": "t"}],
        });
        assert_eq!(found(good), None);
        assert_eq!(found(json!({"turns": [], "more": "text", "most": null})), None);
    }

    #[test]
    fn the_first_difference_is_found_and_its_place_named() {
        let at = |at: &str, what| Some((at.to_owned(), what));
        assert_eq!(found(json!({"turns": [], "x": 1})), at("", What::Unknown("x".into())));
        assert_eq!(found(json!({})), at("", What::Missing("turns")));
        let turn = |part: Value| json!({"turns": [{"role": "user", "parts": [{"text": ""}, part]}]});
        assert_eq!(found(turn(json!({}))), at("turns[0].parts[1]", What::Members(0)));
        assert_eq!(
            found(turn(json!({"text": 1}))),
            at("turns[0].parts[1].text", What::Wrong("string", "1".into()))
        );
        assert_eq!(
            found(json!({"turns": [{"role": "tool"}]})),
            at("turns[0].role", What::Wrong("{user,assistant}", "\"tool\"".into()))
        );
        assert_eq!(
            found(json!({"turns": [], "more": [{"type": "odd"}]})),
            at("more[0].type", What::Wrong("a known type", "\"odd\"".into()))
        );
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        for text in [
            include_str!("shapes/chat.txt"),
            include_str!("shapes/converse.txt"),
            include_str!("shapes/gemini.txt"),
            include_str!("shapes/messages.txt"),
        ] {
            let shapes = Shapes::parse(text, false);
            for known in shapes.types.values() {
                let (Type::Object(list) | Type::Union(list) | Type::Tagged(_, list)) = known;
                for mut kind in list.iter().flat_map(|member| alternatives(member.kind)) {
                    while let Some(inner) = listed(kind).or_else(|| mapped(kind)) {
                        kind = inner;
                    }
                    let named = kind.starts_with(|letter: char| letter.is_ascii_uppercase());
                    assert!(!named || shapes.types.contains_key(kind), "{kind}");
                }
            }
        }
    }
}
