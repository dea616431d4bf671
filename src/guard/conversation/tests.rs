use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn of(endpoint: Endpoint, body: &Value) -> Conversation {
    read(endpoint, body.to_string().as_bytes())
}

fn chat(messages: Value) -> Conversation {
    of(Endpoint::ChatCompletions, &json!({"model": "m", "messages": messages}))
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"role": "assistant", "tool_calls": [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}},
    ]})
}

fn said(text: &str) -> u32 {
    hash::short(hash::of(text.as_bytes()))
}

#[test]
fn a_turn_is_what_is_called_whoever_writes_it_down() {
    let expected = chat(json!([call("c1", "look", r#"{"at":1}"#)]));
    let [turn] = expected.turns[..] else {
        panic!("{expected:?}")
    };
    assert_eq!(turn.id, hash::short(hash::of(b"c1")));
    let messages = json!({"messages": [{"content": [
        {"text": "I look.", "type": "text"},
        {"input": {"at": 1.0}, "id": "c1", "name": "look", "type": "tool_use"},
    ], "role": "assistant"}]});
    assert_eq!(of(Endpoint::Messages, &messages).turns, [turn]);
    for item in [
        json!({"type": "function_call", "id": "fc", "call_id": "c1", "name": "look", "arguments": "{ \"at\": 1 }"}),
        json!({"type": "custom_tool_call", "call_id": "c1", "id": "ct", "name": "look", "input": "{\"at\":1}"}),
    ] {
        assert_eq!(
            of(Endpoint::Responses, &json!({"input": [item]})).turns,
            [turn],
            "{item}"
        );
    }
    let custom = json!([{"role": "assistant", "tool_calls": [
        {"id": "c1", "type": "custom", "custom": {"name": "look", "input": "{\"at\":1}"}},
    ]}]);
    assert_eq!(chat(custom).turns, [turn]);
    let legacy = chat(json!([{"role": "assistant", "function_call": {"name": "look", "arguments": "{\"at\":1}"}}]));
    assert_eq!(legacy.turns, [Turn { id: 0, ..turn }]);
}

#[test]
fn a_shell_is_told_by_its_action() {
    let shell = |command: &str| {
        let item =
            json!({"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": [command]}});
        of(Endpoint::Responses, &json!({"input": [item]})).turns
    };
    assert_eq!(shell("ls"), shell("ls"));
    assert_ne!(shell("ls"), shell("pwd"));
}

#[test]
fn calls_of_one_answer_are_one_turn() {
    let item = |id: u32, name: &str| json!({"type": "function_call", "call_id": id.to_string(), "name": name, "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "1", "output": "ok"});
    let turns = of(
        Endpoint::Responses,
        &json!({"input": [item(1, "a"), item(2, "b"), output, output, item(3, "b"), item(4, "a"), item(5, "a"), output]}),
    )
    .turns;
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[0].signature, turns[1].signature);
    let alone = of(Endpoint::Responses, &json!({"input": [item(1, "a")]})).turns;
    assert_ne!(alone[0].signature, turns[0].signature);
}

#[test]
fn what_the_user_said_before_a_turn_belongs_to_it() {
    let conversation = chat(json!([
        {"role": "user", "content": "one"},
        call("1", "a", "{}"),
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
        call("2", "a", "{}"),
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}]},
        call("3", "a", "{}"),
        {"role": "user", "content": "four"},
    ]));
    let contexts: Vec<u32> = conversation.turns.iter().map(|turn| turn.context).collect();
    assert_eq!(contexts[..2], [said("one"); 2]);
    assert!(![0, said("one"), said("four")].contains(&contexts[2]));
    assert_eq!(conversation.heard, said("four"));
    assert_eq!(conversation.turns_in_all, 3);
    assert!(conversation.turns[0].repeats(&conversation.turns[1]));
    assert!(!conversation.turns[1].repeats(&conversation.turns[2]));
}

#[test]
fn results_of_tools_are_no_message_of_the_users() {
    let body = json!({"messages": [
        {"role": "user", "content": "one"},
        {"role": "user", "content": [{"type": "tool_result", "content": "x"}, {"type": "text", "text": "a reminder"}]},
    ]});
    assert_eq!(of(Endpoint::Messages, &body).heard, said("one"));
}

#[test]
fn long_messages_are_told_apart_by_their_ends() {
    let long = |text: &str| chat(json!([{"role": "user", "content": text}])).heard;
    let text = "x".repeat(5000);
    assert_ne!(long(&format!("{text}a")), long(&format!("{text}b")));
    assert_ne!(long(&format!("a{text}")), long(&format!("b{text}")));
    assert_ne!(long(&format!("{text}x")), long(&text));
}

#[test]
fn only_the_latest_turns_are_looked_at() {
    let messages: Vec<Value> = (0..1000)
        .flat_map(|n| {
            [
                call(&n.to_string(), "a", &n.to_string()),
                json!({"role": "tool", "content": "ok"}),
            ]
        })
        .collect();
    let conversation = chat(messages.into());
    assert_eq!(conversation.turns.len(), TURNS);
    assert_eq!(conversation.turns_in_all, 1000);
    assert_eq!(conversation.turns[TURNS - 1].id, hash::short(hash::of(b"999")));
    assert_eq!(conversation.turns[0].id, hash::short(hash::of(b"984")));
}

#[test]
fn the_session_is_the_first_that_is_named() {
    let fields = [
        json!({"conversation": {"id": "s"}}),
        json!({"prompt_cache_key": "s"}),
        json!({"metadata": {"session_id": "s"}}),
        json!({"metadata": {"user_id": "s"}}),
        json!({"safety_identifier": "s"}),
        json!({"user": " s "}),
    ];
    let wanted = session_hash(b"s");
    let mut others = json!({});
    for body in fields.iter().rev() {
        assert_eq!(of(Endpoint::Responses, body).session, wanted, "{body}");
        // Whatever comes later in the order is passed over, before it or behind.
        for text in [format!("{body}{others}"), format!("{others}{body}")] {
            let text = text.replace("}{", ",").replace("{,", "{").replace(",}", "}");
            assert_eq!(read(Endpoint::Responses, text.as_bytes()).session, wanted, "{text}");
        }
        let other = body.to_string().replace("\"s\"", "\"t\"").replace(" s ", "t");
        let mut other: serde_json::Map<String, Value> = serde_json::from_str(&other).unwrap();
        other.append(others.as_object_mut().unwrap());
        others = other.into();
    }
    for body in [
        json!({}),
        json!({"user": ""}),
        json!({"user": null, "metadata": "x", "conversation": {"id": 7}}),
    ] {
        assert_eq!(of(Endpoint::Responses, &body).session, None, "{body}");
    }
    assert_eq!(of(Endpoint::Responses, &json!({"conversation": "s"})).session, wanted);
}

#[test]
fn the_fingerprint_is_of_every_byte_and_of_what_costs() {
    let print = |endpoint, body: &str| read(endpoint, body.as_bytes()).fingerprint;
    assert_ne!(
        print(Endpoint::Embeddings, r#"{"a":1}"#),
        print(Endpoint::Embeddings, r#"{"a": 1}"#)
    );
    assert_eq!(
        print(Endpoint::Other, "--form\r\n"),
        print(Endpoint::Other, "--form\r\n")
    );
    assert_eq!(print(Endpoint::CountTokens, "{}"), 0);
}

/// Pieces of bodies, put together in any way.
fn almost() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "null",
        "1",
        "{}",
        "[]",
        "\"messages\":[",
        "\"input\":[",
        "{\"role\":\"user\",",
        "{\"role\":\"assistant\",",
        "\"content\":[",
        "\"content\":\"hi\"}",
        "\"tool_calls\":[{",
        "\"function\":{",
        "\"id\":\"1\"",
        "\"name\":\"a\",",
        "\"arguments\":\"{\\\"a\\\":1}\"",
        "{\"type\":\"tool_use\",",
        "{\"type\":\"function_call\",",
        "\"type\":\"tool_result\"",
        "\"text\":\"\\ud800\"",
        "\"metadata\":{",
        "\"user\":\"u\"",
        "\"conversation\":",
        "}}",
        "]}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| format!("{{{}", pieces.concat()))
}

proptest! {
    #[test]
    fn any_body_is_read(bytes: Vec<u8>, text in almost()) {
        for endpoint in Endpoint::ALL {
            for body in [bytes.as_slice(), text.as_bytes()] {
                let conversation = read(endpoint, body);
                prop_assert!(conversation.turns.len() <= TURNS);
                prop_assert_eq!(&read(endpoint, body), &conversation);
            }
        }
    }
}

#[test]
fn any_nesting_is_read() {
    for open in [
        "[",
        "{\"messages\":",
        "{\"messages\":[{\"content\":[",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"input\":",
    ] {
        for endpoint in Endpoint::ALL {
            let _ = read(endpoint, open.repeat(50_000).as_bytes());
            let _ = read(endpoint, format!("{open}{}", "[".repeat(100_000)).as_bytes());
        }
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let body = json!({"messages": [call("1", "a", &deep)]}).to_string();
    assert_eq!(read(Endpoint::ChatCompletions, body.as_bytes()).turns.len(), 1);
}
