use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::*;

fn edits(model: Option<&str>, include_usage: bool) -> Edits<'_> {
    Edits {
        model,
        include_usage,
        max_output_tokens: None,
    }
}

fn chat(body: &str) -> Result<Ask, AskError> {
    read(Endpoint::ChatCompletions, body.as_bytes())
}

fn rewritten(body: &str, model: Option<&str>, include_usage: bool) -> Option<String> {
    let ask = chat(body).unwrap();
    ask.rewrite(body.as_bytes(), edits(model, include_usage))
        .map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn the_members_that_matter_are_read() {
    let body = r#"{"messages":[{"role":"user","content":"hi"}], "model" : "gpt-4o\u002dmini", "stream":true,
        "stream_options":{"include_obfuscation":false,"include_usage":true},"max_tokens":100,"max_completion_tokens":200,"n":2}"#;
    let ask = chat(body).unwrap();
    assert_eq!(ask.model, "gpt-4o-mini");
    assert_eq!(&body[ask.model_span.clone()], r#""gpt-4o\u002dmini""#);
    assert!(ask.stream && ask.usage_asked);
    assert_eq!(ask.max_output_tokens, Some(200));
    assert_eq!(ask.choices, 2);
    let ask = read(
        Endpoint::Responses,
        br#"{"model":"o3","input":"x","max_output_tokens":9e1,"stream":null}"#,
    )
    .unwrap();
    assert_eq!(
        (ask.stream, ask.usage_asked, ask.max_output_tokens, ask.choices),
        (false, false, Some(90), 1)
    );
}

#[test]
fn each_fault_gets_its_own_answer() {
    let duplicate = |name, offset| Err(AskError::DuplicateMember { name, offset });
    let wrong = |member| Err(AskError::WrongType { member });
    let other_case = |name, offset| Err(AskError::MemberCase { name, offset });
    for (body, expected) in [
        ("", Err(AskError::Empty)),
        (" \n\t", Err(AskError::Empty)),
        ("[]", Err(AskError::NotObject)),
        ("\"x\"", Err(AskError::NotObject)),
        ("null", Err(AskError::NotObject)),
        ("{}", Err(AskError::ModelMissing)),
        (r#"{"model":null}"#, Err(AskError::ModelMissing)),
        (r#"{"model":4}"#, Err(AskError::ModelNotString)),
        (r#"{"model":["gpt-4o"]}"#, Err(AskError::ModelNotString)),
        (r#"{"model":"a","model":"b"}"#, duplicate("model", 13)),
        (r#"{"model":"a","mod\u0065l":"b"}"#, duplicate("model", 13)),
        (r#"{"model":"a","Model":"b"}"#, other_case("model", 13)),
        (r#"{"MODEL":"a","model":"b"}"#, other_case("model", 1)),
        (r#"{"model":"a","Max_Tokens":1}"#, other_case("max_tokens", 13)),
        (r#"{"stream":true,"model":"a","stream":false}"#, duplicate("stream", 27)),
        (
            r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
            duplicate("stream_options.include_usage", 52),
        ),
        (r#"{"model":"a","stream":"true"}"#, wrong("stream")),
        (r#"{"model":"a","stream":1}"#, wrong("stream")),
        (r#"{"model":"a","stream_options":[]}"#, wrong("stream_options")),
        (
            r#"{"model":"a","stream_options":{"include_usage":"yes"}}"#,
            wrong("stream_options.include_usage"),
        ),
        (r#"{"model":"a","max_tokens":"100"}"#, wrong("max_tokens")),
        (r#"{"model":"a","n":{}}"#, wrong("n")),
    ] {
        assert_eq!(chat(body).map(|_| ()), expected, "{body}");
    }
}

#[test]
fn malformed_json_is_located() {
    let malformed = |offset, line, column, what| AskError::Malformed {
        offset,
        line,
        column,
        what,
    };
    assert_eq!(
        chat("{\n  \"model\": \"é\",\n  \"é\": tru\n}"),
        Err(malformed(27, 3, 8, "expected a value"))
    );
    assert_eq!(
        chat(r#"{"model":"a"} trailing"#),
        Err(malformed(14, 1, 15, "unexpected characters after the value"))
    );
    // That it is not JSON outweighs what its members say.
    assert_eq!(
        chat(r#"{"stream":7,"model":"a""#),
        Err(malformed(23, 1, 24, "unexpected end"))
    );
    assert_eq!(
        chat("[1] x"),
        Err(malformed(4, 1, 5, "unexpected characters after the value"))
    );
    assert_eq!(
        read(Endpoint::ChatCompletions, b"{\"model\":\"\xff\"}"),
        Err(AskError::InvalidUtf8 { offset: 10 })
    );
    let message = chat("{\"model\":}").unwrap_err().to_string();
    assert_eq!(
        message,
        "the request body is not valid JSON: expected a value at line 1, column 10"
    );
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| format!(r#"{{"model":"a","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(chat(&nested(127)).is_ok());
    assert_eq!(chat(&nested(128)), Err(AskError::TooDeep { limit: 128 }));
    assert_eq!(
        chat(&"{\"model\":".repeat(100_000)),
        Err(AskError::TooDeep { limit: 128 })
    );
}

#[test]
fn a_limit_that_is_no_limit_is_none() {
    for (number, expected) in [
        ("-1", None),
        ("0", Some(0)),
        ("1.5", Some(2)),
        ("1e400", Some(u64::MAX)),
        ("null", None),
    ] {
        let ask = chat(&format!(r#"{{"model":"a","max_tokens":{number}}}"#)).unwrap();
        assert_eq!(ask.max_output_tokens, expected, "{number}");
    }
}

#[test]
fn only_the_model_changes() {
    let body = "{ \"x\":1e2,\t\"model\" : \"a\" ,\"z\":\"\\u00e9\" }";
    let expected = "{ \"x\":1e2,\t\"model\" : \"b\\\"c\" ,\"z\":\"\\u00e9\" }";
    assert_eq!(rewritten(body, Some("b\"c"), false).as_deref(), Some(expected));
    assert_eq!(rewritten(body, Some("a"), false), None);
    assert_eq!(rewritten(body, None, true), None, "not a stream");
}

#[test]
fn usage_is_asked_for_wherever_it_is_missing() {
    for (body, expected) in [
        (
            r#"{"model":"a","stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true},"model":"a","stream":true}"#),
        ),
        (
            r#"{"stream_options":null,"model":"a","stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true},"model":"a","stream":true}"#),
        ),
        (
            r#"{"stream_options":{ },"model":"a","stream":true}"#,
            Some(r#"{"stream_options":{"include_usage":true },"model":"a","stream":true}"#),
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"x":1}}"#,
            Some(r#"{"model":"a","stream":true,"stream_options":{"include_usage":true,"x":1}}"#),
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_usage":false,"x":1}}"#,
            Some(r#"{"model":"a","stream":true,"stream_options":{"include_usage":true,"x":1}}"#),
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_usage": null}}"#,
            Some(r#"{"model":"a","stream":true,"stream_options":{"include_usage": true}}"#),
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_usage":true}}"#,
            None,
        ),
        (r#"{"model":"a","stream":false}"#, None),
    ] {
        assert_eq!(rewritten(body, None, true).as_deref(), expected, "{body}");
    }
    let both = rewritten(r#"{"stream":true,"model":"a","stream_options":null}"#, Some("b"), true).unwrap();
    assert_eq!(
        both,
        r#"{"stream":true,"model":"b","stream_options":{"include_usage":true}}"#
    );
    let body = br#"{"model":"claude","stream":true}"#;
    assert_eq!(
        read(Endpoint::Messages, body).unwrap().rewrite(body, edits(None, true)),
        None,
        "Anthropic reports by itself"
    );
}

#[test]
fn the_input_is_weighed_without_its_pictures() {
    let picture = "iVBORw0KGgo".repeat(100_000);
    for medium in [
        json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{picture}")}}),
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}}),
    ] {
        let body = json!({"model": "a", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, medium]}]});
        let ask = read(Endpoint::ChatCompletions, body.to_string().as_bytes()).unwrap();
        assert!((1_000..1_100).contains(&ask.input_estimate), "{}", ask.input_estimate);
    }
    let prose = format!("data: {}", "what this is about, ".repeat(100));
    let body = json!({"model": "a", "messages": [{"role": "user", "content": prose}]}).to_string();
    assert!(
        (400..600).contains(&chat(&body).unwrap().input_estimate),
        "prose is no picture, whatever it begins with"
    );
    let numbers = json!({"model": "a", "input": [[1, 2, 3], [4, 5]]}).to_string();
    assert_eq!(
        read(Endpoint::Embeddings, numbers.as_bytes()).unwrap().input_estimate,
        5 + 6
    );
    let long = json!({"model": "a", "prompt": "word ".repeat(4_000)}).to_string();
    assert!((4_000..6_000).contains(&read(Endpoint::Completions, long.as_bytes()).unwrap().input_estimate));
}

#[test]
fn the_longest_answer_is_lowered_where_it_stands_and_put_in_where_it_does_not() {
    use Endpoint::{ChatCompletions, Completions, Embeddings, Messages, Other, Responses};
    for (endpoint, body, expected) in [
        (
            ChatCompletions,
            r#"{ "model":"a"}"#,
            r#"{"max_completion_tokens":50, "model":"a"}"#,
        ),
        (Completions, r#"{"model":"a"}"#, r#"{"max_tokens":50,"model":"a"}"#),
        (Responses, r#"{"model":"a"}"#, r#"{"max_output_tokens":50,"model":"a"}"#),
        (Messages, r#"{"model":"a"}"#, r#"{"max_tokens":50,"model":"a"}"#),
        // By another endpoint's name it is none.
        (
            Messages,
            r#"{"max_output_tokens":9,"model":"a"}"#,
            r#"{"max_tokens":50,"max_output_tokens":9,"model":"a"}"#,
        ),
        (
            ChatCompletions,
            r#"{"model":"a","max_tokens" : 51 }"#,
            r#"{"model":"a","max_tokens" : 50 }"#,
        ),
        (
            ChatCompletions,
            r#"{"model":"a","max_tokens":5.1e1}"#,
            r#"{"model":"a","max_tokens":50}"#,
        ),
        (
            ChatCompletions,
            r#"{"model":"a","max_tokens":-1}"#,
            r#"{"model":"a","max_tokens":50}"#,
        ),
        (
            ChatCompletions,
            r#"{"max_tokens":60,"model":"a","max_completion_tokens":70}"#,
            r#"{"max_tokens":50,"model":"a","max_completion_tokens":50}"#,
        ),
        (
            ChatCompletions,
            r#"{"max_tokens":60,"model":"a","max_completion_tokens":7}"#,
            r#"{"max_tokens":50,"model":"a","max_completion_tokens":7}"#,
        ),
        // Two members of one name would leave it to the provider which of them counts.
        (
            Completions,
            r#"{"model":"a","max_tokens":null}"#,
            r#"{"model":"a","max_tokens":50}"#,
        ),
        (
            Responses,
            r#"{"max_output_tokens": null,"model":"a"}"#,
            r#"{"max_output_tokens": 50,"model":"a"}"#,
        ),
        (
            ChatCompletions,
            r#"{"max_completion_tokens":null,"max_tokens":60,"model":"a"}"#,
            r#"{"max_completion_tokens":null,"max_tokens":50,"model":"a"}"#,
        ),
        (
            ChatCompletions,
            r#"{"max_tokens":null,"model":"a"}"#,
            r#"{"max_completion_tokens":50,"max_tokens":null,"model":"a"}"#,
        ),
        (
            Other,
            r#"{"model":"a","max_output_tokens":60}"#,
            r#"{"model":"a","max_output_tokens":50}"#,
        ),
        (Embeddings, r#"{"model":"a"}"#, r#"{"max_tokens":50,"model":"a"}"#),
    ] {
        let ask = read(endpoint, body.as_bytes()).unwrap();
        let edits = Edits {
            max_output_tokens: Some(50),
            ..Edits::default()
        };
        let bytes = ask.rewrite(body.as_bytes(), edits).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{body}");
    }
    let body = br#"{"model":"a","max_tokens":50,"max_completion_tokens":49}"#;
    let ask = read(ChatCompletions, body).unwrap();
    let edits = Edits {
        max_output_tokens: Some(50),
        ..Edits::default()
    };
    assert_eq!(ask.rewrite(body, edits), None, "it is never raised");
}

#[test]
fn all_edits_at_once_leave_every_other_byte() {
    let body = r#"{"x":1.50,"model":"a","stream":true ,"max_tokens":9e9,"y":"\u00e9"}"#;
    let edits = Edits {
        model: Some("b"),
        include_usage: true,
        max_output_tokens: Some(50),
    };
    let bytes = chat(body).unwrap().rewrite(body.as_bytes(), edits).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        r#"{"stream_options":{"include_usage":true},"x":1.50,"model":"b","stream":true ,"max_tokens":50,"y":"\u00e9"}"#
    );
    let bare = r#"{"model":"a","stream":true}"#;
    let bytes = chat(bare).unwrap().rewrite(bare.as_bytes(), edits).unwrap();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        value,
        json!({"model": "b", "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 50})
    );
}

#[test]
fn what_costs_otherwise_is_noticed() {
    let ask = |body: Value| read(Endpoint::ChatCompletions, body.to_string().as_bytes()).unwrap();
    let plain = ask(json!({"model": "a", "messages": [{"role": "user", "content": "cache_control input_audio"}]}));
    assert!(!plain.caches && !plain.audio && plain.service_tier.is_none());
    let caching = ask(
        json!({"model": "a", "service_tier": "flex", "messages": [{"role": "user", "content":
        [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]}),
    );
    assert!(caching.caches && !caching.audio);
    assert_eq!(caching.service_tier.as_deref(), Some("flex"));
    let heard = ask(json!({"model": "a", "messages": [{"role": "user", "content":
        [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]}]}));
    assert!(heard.audio);
    assert!(ask(json!({"model": "a", "audio": {"voice": "alloy"}, "messages": []})).audio);
}

/// Tokens of a conversation as OpenAI counts them: of each text, three around each message, and three for the answer's
/// beginning.
fn tiktoken(texts: &[&str]) -> u64 {
    let o200k = tiktoken_rs::o200k_base_singleton();
    let all = texts
        .iter()
        .map(|text| o200k.encode_with_special_tokens(text).len() as u64 + 1 + 3);
    all.sum::<u64>() + 3
}

#[test]
fn no_text_is_more_tokens_than_is_reckoned_with() {
    let texts = [
        String::new(),
        "Hello, world! How are you today? ".repeat(50),
        "fn main() { let x: Vec<_> = (0..10).map(|i| i * i).collect(); println!(\"{x:?}\"); }\n".repeat(20),
        "人工智能网关限制每个密钥的预算。".repeat(40),
        "Größe, Straße, Übermut; naïve café — “quoted”".repeat(20),
        "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪💾".repeat(30),
        "\u{1}\u{2}\u{7f}\t\r\n\\\"/".repeat(50),
        "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ 𓀀𓀁𓀂 ꧁꧂".repeat(20),
        "a b c d e f 1 2 3 ! ? . , ; : ( ) [ ] { } < > | ~ ^".repeat(20),
        "<|endoftext|><|im_start|>".repeat(20),
        "0123456789".repeat(60),
    ];
    for text in &texts {
        for other in [text.as_str(), "x"] {
            let messages = json!([{"role": "system", "content": other}, {"role": "user", "content": text}]);
            let plain = json!({"model": "a", "messages": messages}).to_string();
            let real = tiktoken(&[other, text]);
            // However it is spelled: as it is, or each character escaped.
            let escaped: String = plain
                .chars()
                .flat_map(|c| match c.is_ascii() {
                    true => vec![c.to_string()],
                    false => c
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .map(|unit| format!("\\u{unit:04x}"))
                        .collect(),
                })
                .collect();
            for body in [plain.clone(), escaped] {
                let ask = chat(&body).unwrap();
                assert!(ask.input_most >= real, "{} < {real} of {text:.40}", ask.input_most);
                assert!(ask.input_most >= ask.input_estimate);
            }
        }
    }
}

#[test]
fn descriptions_of_tools_are_reckoned_with_too() {
    let tools: Vec<Value> = (0..20)
        .map(|index| {
            json!({"type": "function", "function": {"name": format!("get_weather_{index}"),
                "description": "Get the current weather in a given location.",
                "parameters": {"type": "object", "properties": {"location": {"type": "string", "description": "City"},
                    "unit": {"type": "string", "enum": ["c", "f"]}}, "required": ["location"]}}})
        })
        .collect();
    let body = json!({"model": "a", "messages": [{"role": "user", "content": "hi"}], "tools": tools});
    let ask = read(Endpoint::ChatCompletions, body.to_string().as_bytes()).unwrap();
    // Whatever form a provider puts them in, it is shorter than the JSON.
    let real = tiktoken(&["hi"])
        + tiktoken_rs::o200k_base_singleton()
            .encode_ordinary(&body["tools"].to_string())
            .len() as u64;
    assert!(ask.input_most >= real, "{} < {real}", ask.input_most);
}

proptest! {
    #[test]
    fn nor_is_any_other(text in any::<String>()) {
        let body = json!({"model": "a", "messages": [{"role": "user", "content": text}]}).to_string();
        let ask = chat(&body).unwrap();
        prop_assert!(ask.input_most >= tiktoken(&[&text]));
    }

    #[test]
    fn a_lowered_answer_is_the_only_change(
        before in prop::collection::vec(("[a-l]{1,3}", any::<Option<String>>()), 0..4),
        max_tokens in prop_oneof![Just(Value::Null), (-5..200_i64).prop_map(Value::from)],
        max_completion_tokens in prop_oneof![Just(Value::Null), (-5..200_i64).prop_map(Value::from)],
        present in (any::<bool>(), any::<bool>()), most in 1..200_u64,
    ) {
        let mut members = serde_json::Map::new();
        members.extend(before.into_iter().map(|(name, value)| (name, json!(value))));
        members.insert("model".into(), json!("a"));
        for (name, value, there) in [("max_tokens", &max_tokens, present.0), ("max_completion_tokens", &max_completion_tokens, present.1)] {
            if there {
                members.insert(name.into(), value.clone());
            }
        }
        let body = Value::Object(members.clone()).to_string();
        let edits = Edits { max_output_tokens: Some(most), ..Edits::default() };
        let bytes = chat(&body).unwrap().rewrite(body.as_bytes(), edits).unwrap_or(body.into_bytes());
        let after: Value = serde_json::from_slice(&bytes).unwrap();
        let names = ["max_tokens", "max_completion_tokens"];
        let bounds: Vec<u64> = names.iter().filter_map(|name| after[name].as_u64()).collect();
        // Somewhere it says a number, and nowhere a higher one.
        prop_assert!(!bounds.is_empty() && bounds.iter().all(|bound| *bound <= most), "{after}");
        prop_assert!(names.iter().all(|name| after[name].as_i64().is_none_or(|number| number >= 0)));
        // Each once, and the rest as it was.
        for name in names {
            let quoted = format!("\"{name}\":");
            prop_assert!(String::from_utf8_lossy(&bytes).matches(&quoted).count() <= 1);
        }
        let mut rest = after.as_object().unwrap().clone();
        for name in names {
            rest.remove(name);
            members.remove(name);
        }
        prop_assert_eq!(rest, members);
    }
}

/// Bodies that are requests, almost requests, or nothing of the kind.
fn bodyish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"model\":\"x\"", "\"model\":", "\"x\"", "\"stream\":true", "\"stream\":",
            "\"stream_options\":{\"include_usage\":false}", "\"stream_options\":{}", "\"stream_options\":", "null", "1",
            "\"max_tokens\":5", "{\"model\":\"a\"", "{\"model\":\"\\ud800\"", " ", "\"n\":2", "{}", "\"messages\":[{\"content\":\"é\"}]",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<Vec<u8>>(),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_agrees_with_serde_json_on_what_is_json(body in bodyish()) {
        let valid = serde_json::from_slice::<IgnoredAny>(&body).is_ok() && std::str::from_utf8(&body).is_ok();
        let refused_as_such = matches!(
            read(Endpoint::ChatCompletions, &body),
            Err(AskError::Empty | AskError::InvalidUtf8 { .. } | AskError::TooDeep { .. })
                | Err(AskError::Malformed { .. })
        );
        let lone_surrogate = body.windows(4).any(|window| window == b"\\ud8");
        prop_assert!(valid != refused_as_such || lone_surrogate, "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn rewriting_changes_what_it_should_and_nothing_else(
        before in prop::collection::vec(("[a-l]{1,3}", any::<Option<String>>()), 0..4),
        after in prop::collection::vec(("[o-z]{1,3}", any::<Option<i64>>()), 0..4),
        old: String,
        new: String,
        options in prop::sample::select(vec![json!(null), json!({}), json!({"include_usage": false}), json!({"y": [1]}), json!({"include_usage": true, "z": null}), json!("absent")]),
        pretty: bool,
    ) {
        let mut members = serde_json::Map::new();
        members.extend(before.into_iter().map(|(name, value)| (name, json!(value))));
        members.insert("model".into(), json!(old));
        members.insert("stream".into(), json!(true));
        if options != "absent" {
            members.insert("stream_options".into(), options);
        }
        members.extend(after.into_iter().map(|(name, value)| (name, json!(value))));
        let mut expected = Value::Object(members);
        let body = if pretty { serde_json::to_string_pretty(&expected) } else { serde_json::to_string(&expected) }.unwrap();
        let ask = read(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
        let rewritten = ask.rewrite(body.as_bytes(), edits(Some(&new), true));
        let bytes = rewritten.clone().unwrap_or(body.clone().into_bytes());
        expected["model"] = json!(new);
        if expected["stream_options"].is_null() {
            expected["stream_options"] = json!({});
        }
        expected["stream_options"]["include_usage"] = json!(true);
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
        // Asking again finds nothing left to do, and undoing the model restores the original but for the options.
        let again = read(Endpoint::ChatCompletions, &bytes).unwrap();
        prop_assert!(again.usage_asked);
        prop_assert_eq!(again.rewrite(&bytes, edits(Some(&new), true)), None);
        let only_model = ask.rewrite(body.as_bytes(), edits(Some(&new), false)).unwrap_or(body.clone().into_bytes());
        let tail = &body.as_bytes()[ask.model_span.end..];
        prop_assert!(only_model.starts_with(&body.as_bytes()[..ask.model_span.start]));
        prop_assert!(only_model.ends_with(tail));
    }
}

#[test]
fn text_that_looks_like_a_medium_is_reckoned_as_text() {
    let long = "a".repeat(100_000);
    let most = |endpoint, body: String| read(endpoint, body.as_bytes()).unwrap().input_most;
    let text = most(
        Endpoint::ChatCompletions,
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{long}"}}]}}"#),
    );
    assert!(text >= 100_000, "{text}");
    let plain = most(
        Endpoint::Messages,
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{{"type":"document","source":{{"type":"text","media_type":"text/plain","data":"{long}"}}}}]}}]}}"#
        ),
    );
    assert!(plain >= 100_000, "{plain}");
    let image = most(
        Endpoint::ChatCompletions,
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{long}"}}}}]}}]}}"#
        ),
    );
    assert!((1_600..5_000).contains(&image), "{image}");
    let by_address = most(
        Endpoint::ChatCompletions,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.test/b.png"}}]}]}"#.to_owned(),
    );
    assert!(by_address >= 1_600, "{by_address}");
}

#[test]
fn each_of_several_prompts_has_answers_of_its_own() {
    for (prompt, n, choices) in [
        (r#""one""#, 1, 1),
        (r#"["one","two","three"]"#, 1, 3),
        (r#"["one","two"]"#, 4, 8),
        ("[1,2,3]", 1, 1),
        ("[[1,2],[3]]", 2, 4),
    ] {
        let body = format!(r#"{{"model":"m","prompt":{prompt},"n":{n}}}"#);
        let asked = read(Endpoint::Completions, body.as_bytes()).unwrap();
        assert_eq!(asked.choices, choices, "{prompt}");
    }
    let inputs = read(Endpoint::Embeddings, br#"{"model":"m","input":["a","b"]}"#).unwrap();
    assert_eq!(inputs.choices, 1);
}

#[test]
fn what_is_written_to_be_misread_is_reckoned_with() {
    let body = |members: &str| format!(r#"{{"model":"m",{members}}}"#);
    let asked = |endpoint, members: &str| read(endpoint, body(members).as_bytes()).unwrap();
    let tier = |members| asked(Endpoint::ChatCompletions, members).service_tier;
    assert_eq!(tier(r#""service_tier":"\u0070riority""#).as_deref(), Some("priority"));
    assert_eq!(tier(r#""speed":"fast","service_tier":"auto""#).as_deref(), Some("fast"));
    for members in [
        r#""cache_control":{"type":"ephemeral"}"#,
        r#""messages":[{"content":[{"type":"text","text":"x","cache\u005fcontrol":{}}]}]"#,
    ] {
        assert!(asked(Endpoint::Messages, members).caches, "{members}");
    }
    let most = |members| asked(Endpoint::ChatCompletions, members).max_output_tokens;
    assert_eq!(most(r#""max_tokens":-1,"max_completion_tokens":16"#), None);
    assert_eq!(most(r#""max_tokens":9,"max_completion_tokens":16"#), Some(16));
    // Wherever the text stands, it is no more tokens than the body has bytes.
    let long = "word ".repeat(10_000);
    for members in [
        format!(r#""messages":[{{"role":"assistant","content":[{{"type":"tool_use","input":{{"{long}":1}}}}]}}]"#),
        format!(r#""prediction":{{"content":"{long}"}}"#),
        format!(
            r#""messages":[{{"content":[{{"type":"x","data":"{}{long}"}}]}}]"#,
            "a".repeat(600)
        ),
        format!(r#""output_config":{{"format":"{long}"}}"#),
    ] {
        let most = asked(Endpoint::Messages, &members).input_most;
        assert!(most >= 50_000, "{most}: {}", &members[..40]);
    }
}
