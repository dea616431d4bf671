use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn validate(text: &str) -> Result<Kind, Wrong> {
    let mut cursor = Cursor::new(text.as_bytes());
    let (kind, span) = cursor.value(0, &mut ())?;
    cursor.finish()?;
    assert_eq!(&text[span], text.trim_matches([' ', '\t', '\r', '\n']));
    Ok(kind)
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    for (text, wrong) in [
        ("", Wrong::At(0, "unexpected end")),
        ("{\"a\":1", Wrong::At(6, "unexpected end")),
        ("{\"a\" 1}", Wrong::At(5, "expected ':'")),
        ("{\"a\":1 \"b\":2}", Wrong::At(7, "expected ',' or '}'")),
        ("{\"a\":1,}", Wrong::At(7, "expected a member's name in quotes")),
        ("[1,]", Wrong::At(3, "expected a value")),
        ("[1 2]", Wrong::At(3, "expected ',' or ']'")),
        ("[1}", Wrong::At(2, "expected ',' or ']'")),
        ("{'a':1}", Wrong::At(1, "expected a member's name in quotes")),
        ("[\"a\nb\"]", Wrong::At(3, "control character in a string")),
        ("[\"\\x\"]", Wrong::At(3, "invalid escape in a string")),
        ("[\"\\u12g4\"]", Wrong::At(6, "invalid escape in a string")),
        ("[01]", Wrong::At(2, "expected ',' or ']'")),
        ("[1.]", Wrong::At(3, "invalid number")),
        ("[-]", Wrong::At(2, "invalid number")),
        ("[NaN]", Wrong::At(1, "expected a value")),
        ("[nul]", Wrong::At(1, "expected a value")),
        ("{} x", Wrong::At(3, "unexpected characters after the value")),
    ] {
        assert_eq!(validate(text), Err(wrong), "{text}");
    }
}

#[test]
fn nesting_is_read_up_to_the_limit_and_no_further() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(validate(&nested(DEPTH_LIMIT)), Ok(Kind::Array));
    assert_eq!(validate(&nested(DEPTH_LIMIT + 1)), Err(Wrong::TooDeep));
    assert_eq!(validate(&"[".repeat(1_000_000)), Err(Wrong::TooDeep));
    assert_eq!(validate(&"{\"a\":".repeat(1_000_000)), Err(Wrong::TooDeep));
}

/// Text that looks like JSON often enough to be it, and to be almost it.
fn jsonish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"model\"", "\"model\":\"x\"", "\"\\u0061\"", "\"\\ud83d\"",
            "\\", "\\n", "null", "true", "false", "1", "-0", "0", "1.5", "1e9", "1E+400", " ", "\n", "\t", "{}", "[]",
            "\"é\"", "01", ".5", "-", "tru", "\u{0}", "\"a\":1,", "\"stream\":true", "/", "\u{feff}",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_agrees_with_serde_json_on_what_is_json(text in jsonish()) {
        let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(validate(&text).is_ok(), theirs, "{}", text);
    }
}

proptest! {
    #[test]
    fn it_reads_every_document_and_none_of_its_beginnings(value in document(), pretty: bool, cut: prop::sample::Index) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(validate(&text).is_ok());
        let (mut cut, is_number) = (cut.index(text.len()), value.is_number());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        prop_assert!(is_number || validate(&text[..cut]).is_err());
    }
}
