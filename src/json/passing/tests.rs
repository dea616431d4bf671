use std::ops::Range;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Counts `text`, keeps `keep`, notes `vary`, enters `in` and every element, and skips the rest.
#[derive(Debug, Default, PartialEq)]
struct Log {
    members: Vec<(u8, String, Kind)>,
    text: u64,
    kept: Vec<Option<String>>,
    varied: usize,
}

impl Visit for Log {
    fn member(&mut self, place: u8, name: &[u8], kind: Kind) -> Want {
        // A longer name may have been cut, as no name of interest is as long.
        let name_shown = String::from_utf8_lossy(name.get(..NAME_LIMIT).unwrap_or(name)).into_owned();
        self.members.push((place, name_shown, kind));
        match name {
            b"text" if kind == Kind::String => Want::Count,
            b"keep" => Want::Keep(7),
            b"vary" => Want::Vary,
            b"skip" => Want::Skip,
            _ => Want::Enter(place + 1),
        }
    }

    fn text(&mut self, bytes: u64) {
        self.text += bytes;
    }

    fn kept(&mut self, slot: u8, raw: Option<&[u8]>) {
        assert_eq!(slot, 7);
        self.kept.push(raw.map(|raw| String::from_utf8_lossy(raw).into_owned()));
    }

    fn varied(&mut self, span: Range<usize>, _kind: Kind, _counted: bool) {
        assert!(span.start <= span.end);
        self.varied += 1;
    }
}

fn log(pieces: &[&[u8]]) -> (Scanner, Log) {
    let mut scanner = Scanner::default();
    let mut log = Log::default();
    for piece in pieces {
        scanner.feed(piece, &mut log);
    }
    // What varies is only noted when it comes in one piece.
    if pieces.len() > 1 {
        log.varied = 0;
    }
    (scanner, log)
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

#[test]
fn members_are_told_by_where_they_stand() {
    let text = r#" {"in":{"text":"a\n\u00e9","skip":{"text":"]}\\\"","keep":1}},"list":[[{"text":"é"}],"x",-1.5,true,null],
        "keep" : {"a":[1,{"b":"}"}]} , "keep":"s","keep":17,"vary":12,"":0}"#;
    let (scanner, log) = log(&[text.as_bytes()]);
    assert!(scanner.done());
    assert_eq!(log.text, "a\né".len() as u64 + 2);
    assert_eq!(
        log.kept,
        [r#"{"a":[1,{"b":"}"}]}"#, r#""s""#, "17"].map(|raw| Some(raw.to_owned()))
    );
    assert_eq!(log.varied, 3);
    assert!(log.members.contains(&(2, "skip".into(), Kind::Object)));
    assert!(
        log.members.contains(&(3, "text".into(), Kind::String))
            || log.members.contains(&(4, "text".into(), Kind::String))
    );
    assert!(log.members.contains(&(2, String::new(), Kind::Null)));
}

#[test]
fn what_a_string_says_is_never_taken_for_structure() {
    let text = json!({"x": "\",\"text\":\"abc\",\"keep\":1", "skip": ["\"text\":\"abc\"", "}"], "text": "\"keep\":{}"})
        .to_string();
    let (scanner, log) = log(&[text.as_bytes()]);
    assert!(scanner.done());
    assert_eq!((log.text, log.kept.len()), ("\"keep\":{}".len() as u64, 0));
}

#[test]
fn a_value_too_large_to_keep_is_said_to_be() {
    let text = json!({"keep": "x".repeat(KEEP_LIMIT), "text": "abc"}).to_string();
    for pieces in [vec![text.as_bytes()], text.as_bytes().chunks(1000).collect()] {
        let (scanner, log) = log(&pieces);
        assert!(scanner.done());
        assert_eq!((log.kept, log.text), (vec![None], 3));
    }
}

#[test]
fn what_is_not_json_is_broken() {
    for text in [
        "<html>",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1]",
        "[1}",
        "]",
        "{\"a\":}",
        "{\"a\":1 \"b\":2}",
        "ID3\u{3}",
    ] {
        assert!(log(&[text.as_bytes()]).0.broken(), "{text}");
    }
}

#[test]
fn deep_nesting_is_skipped_and_not_lost() {
    let text = format!(
        "{{\"in\":{}{},\"text\":\"abc\"}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let (scanner, log) = log(&[text.as_bytes()]);
    assert!(scanner.done());
    assert_eq!(log.text, 3);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i16>().prop_map(|number| (f64::from(number) / 4.0).into()),
        any::<String>().prop_map(Into::into),
    ];
    let name = prop_oneof![
        3 => prop::sample::select(vec!["text", "keep", "vary", "skip", "in"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What [`Log`] should find, worked out from the tree.
fn expected(value: &Value, text: &mut u64, kept: &mut Vec<Value>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| expected(element, text, kept)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("text", Value::String(string)) => *text += string.len() as u64,
                    ("keep", _) => kept.push(value.clone()),
                    ("vary" | "skip" | "text", _) => {}
                    _ => expected(value, text, kept),
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn it_finds_what_a_tree_would_show(value in document(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let (scanner, log) = log(&[text.as_bytes()]);
        prop_assert!(!scanner.broken());
        let (mut text, mut kept) = (0, Vec::new());
        expected(&value, &mut text, &mut kept);
        let found: Vec<Value> = log.kept.iter().map(|raw| serde_json::from_str(raw.as_ref().unwrap()).unwrap()).collect();
        // `text` of another kind than a string is entered by the visitor.
        if !log.members.iter().any(|(_, name, kind)| name == "text" && matches!(kind, Kind::Object | Kind::Array)) {
            prop_assert_eq!((log.text, found), (text, kept));
        }
    }

    #[test]
    fn it_finds_the_same_wherever_a_document_is_cut(value in document(), pretty: bool, cuts: Vec<prop::sample::Index>) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let (_, mut whole) = log(&[text.as_bytes()]);
        whole.varied = 0;
        prop_assert_eq!(log(&[&cut(text.as_bytes(), &cuts)[..], &[b"\n"]].concat()).1, whole);
    }

    #[test]
    fn no_bytes_make_it_panic_and_none_differ_when_cut(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"text\":", "\"keep\":", "\"vary\":", "1", "null", " ", "\\u12", "é", "x",
        ]), 0..30),
        cuts: Vec<prop::sample::Index>,
    ) {
        let bytes = pieces.concat().into_bytes();
        let (_, mut whole) = log(&[&bytes]);
        whole.varied = 0;
        prop_assert_eq!(log(&[&cut(&bytes, &cuts)[..], &[b""]].concat()).1, whole);
    }
}
