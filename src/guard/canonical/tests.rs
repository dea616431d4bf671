use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn of(text: &str) -> u64 {
    of_document(text.as_bytes()).unwrap()
}

#[test]
fn spelling_does_not_count() {
    for (one, other) in [
        (r#"{"a":1,"b":[true,null]}"#, " {\n\"b\" : [ true , null ], \"a\" :1 }"),
        (r#"{"path":"/tmp"}"#, r#"{"\u0070ath":"\/tmp"}"#),
        (r#"["é😀"]"#, r#"["\u00e9\ud83d\ude00"]"#),
        ("[1, 10, 0]", "[1.0, 1e1, -0]"),
        (r#"{"a":{"x":1,"y":2}}"#, r#"{"a":{"y":2,"x":1}}"#),
    ] {
        assert_eq!(of(one), of(other), "{one} {other}");
    }
}

#[test]
fn what_is_said_does() {
    let documents = [
        "{}",
        "[]",
        "\"\"",
        "null",
        "false",
        "0",
        "\"0\"",
        "[0]",
        "[[0]]",
        "[0,0]",
        "[1,2]",
        "[2,1]",
        "[12]",
        r#"{"a":1}"#,
        r#"{"a":"1"}"#,
        r#"{"b":1}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":2,"b":1}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"a":null}"#,
        "100000000000000000000001",
        "100000000000000000000002",
        "0.12345678901234567",
        "0.12345678901234568",
        "1e999",
        "2e999",
    ];
    for (index, one) in documents.iter().enumerate() {
        for other in &documents[..index] {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }
}

#[test]
fn arguments_are_json_or_a_string_of_it_or_any_text() {
    assert_eq!(of_arguments(br#"{"a": 1}"#), of_arguments(br#""{\"a\":1}""#));
    assert_eq!(of_arguments(br#""ls -la""#), of_arguments(br#""\u006cs -la""#));
    assert_ne!(of_arguments(br#""ls""#), of_arguments(br#""ls -la""#));
    assert_ne!(
        of_arguments(br#""{\"a\":1""#),
        of_arguments(br#""{\"a\":2""#),
        "cut off"
    );
    assert_ne!(
        of_arguments(b"\"\\ud800\""),
        of_arguments(b"\"\\ud801\""),
        "no text at all"
    );
}

#[test]
fn nesting_is_read_to_a_depth_and_compared_beyond() {
    let nested = |levels: usize, inside: &str| "[".repeat(levels) + inside + &"]".repeat(levels);
    assert_ne!(of(&nested(DEEPEST + 9, "1")), of(&nested(DEEPEST + 9, "2")));
    assert_eq!(of_document(nested(100_000, "1").as_bytes()), None);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_written_another_way_is_the_same(value in json()) {
        let plain = serde_json::to_string(&value).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(of(&plain), of(&pretty));
        // A string in the place of arguments is taken for what it holds.
        if !value.is_string() {
            let quoted = serde_json::to_string(&pretty).unwrap();
            prop_assert_eq!(of_arguments(plain.as_bytes()), of_arguments(quoted.as_bytes()));
        }
    }

    #[test]
    fn another_value_is_another(one in json(), other in json()) {
        prop_assert_eq!(of(&one.to_string()) == of(&other.to_string()), one == other);
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>) {
        of_arguments(&bytes);
        of_document(&bytes);
    }
}
