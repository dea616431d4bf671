use proptest::prelude::*;
use serde_json::{Value, json};

use super::reply::{TOLD, reply};
use crate::conversation::{Cause, Event, Output, Refusal, Reply, Stop};
use crate::dialect::chat::{StreamReader, StreamWriter, read_reply, write_reply};
use crate::dialect::{Malformed, Told};
use crate::framing::sse;
use crate::usage::Usage;

/// What a reader makes of this data.
fn read(data: &[&str]) -> Vec<Event> {
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    for data in data {
        reader.read(b"", data.as_bytes(), &mut out).unwrap();
    }
    reader.finish(&mut out);
    out
}

fn delta(delta: Value) -> String {
    json!({"id": "r", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

fn ending(reason: &str) -> String {
    json!({"id": "r", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).to_string()
}

/// Reads the stream of these deltas and this end; what is between the first event and the last two.
fn content(deltas: &[Value], reason: &str) -> Vec<Event> {
    let mut data: Vec<_> = deltas.iter().cloned().map(delta).collect();
    data.extend([ending(reason), "[DONE]".to_owned()]);
    let data: Vec<_> = data.iter().map(String::as_str).collect();
    let events = read(&data);
    assert!(matches!(events.first(), Some(Event::Begin { id, model }) if id == "r" && model == "m"));
    assert!(matches!(events.get(events.len() - 2), Some(Event::Stop(_))));
    assert_eq!(events.last(), Some(&Event::End));
    events[1..events.len() - 2].to_vec()
}

/// What is written of these events.
fn write(events: &[Event], told: &Told) -> String {
    let mut writer = StreamWriter::new(told);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The data of a stream's events.
fn data(stream: &str) -> Vec<String> {
    let blocks = stream.split_terminator("\n\n").map(|block| {
        let fields: Vec<_> = sse::fields(block.as_bytes()).collect();
        assert_eq!((fields.len(), fields[0].name), (1, &b"data"[..]));
        String::from_utf8(fields[0].value.to_vec()).unwrap()
    });
    blocks.collect()
}

fn read_stream(stream: &str) -> Vec<Event> {
    let data = data(stream);
    read(&data.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The whole answer that these events are the pieces of.
fn fold(events: &[Event]) -> Reply {
    Reply::of_events(events.iter().cloned()).unwrap()
}

/// The pieces of a whole answer.
fn unfold(reply: &Reply) -> Vec<Event> {
    let mut events = vec![Event::Begin {
        id: reply.id.clone(),
        model: reply.model.clone(),
    }];
    let halves = |text: &str| {
        let middle = text
            .char_indices()
            .nth(text.chars().count() / 2)
            .map_or(0, |(at, _)| at);
        let (first, second) = text.split_at(middle);
        [first, second]
            .into_iter()
            .filter(|half| !half.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for output in &reply.output {
        match output {
            Output::Text(text) => events.extend(halves(text).into_iter().map(Event::Text)),
            Output::Declined(text) => events.extend(halves(text).into_iter().map(Event::Declined)),
            Output::Thought { text, signature } => {
                events.extend(halves(text).into_iter().map(Event::Thought));
                events.extend(signature.clone().map(Event::Signature));
            }
            Output::SealedThought(data) => events.push(Event::SealedThought(data.clone())),
            Output::Call {
                id,
                name,
                arguments,
                signature,
            } => {
                events.push(Event::Call {
                    id: id.clone(),
                    name: name.clone(),
                    signature: signature.clone(),
                });
                events.extend(halves(arguments).into_iter().map(Event::Arguments));
            }
        }
    }
    events.extend(reply.stop.clone().map(Event::Stop));
    events.extend(reply.usage.map(Event::Usage));
    events.push(Event::End);
    events
}

fn call(id: &str, name: &str) -> Event {
    Event::Call {
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    }
}

fn arguments(more: &str) -> Event {
    Event::Arguments(more.to_owned())
}

#[test]
fn a_stream_is_read_piece_by_piece() {
    let usage = json!({"id": "r", "model": "m", "choices": [], "service_tier": "default",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    let events = read(&[
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#,
        &delta(json!({"role": "assistant", "content": "", "refusal": null})),
        &delta(json!({"content": "Hel"})),
        "{}",
        &delta(json!({"content": "lo"})),
        &ending("stop"),
        &usage.to_string(),
        "[DONE]",
        &delta(json!({"content": "late"})),
    ]);
    let usage = Usage {
        input: 3,
        output: 2,
        ..Usage::default()
    };
    assert_eq!(
        events,
        [
            Event::Begin {
                id: "r".to_owned(),
                model: "m".to_owned()
            },
            Event::Text("Hel".to_owned()),
            Event::Text("lo".to_owned()),
            Event::Stop(Stop::End),
            Event::Tier("default".to_owned()),
            Event::Usage(usage),
            Event::End,
        ]
    );
}

#[test]
fn calls_come_one_after_the_other() {
    let piece = |index: Value, id: Value, name: Value, more: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": more}}]});
    let null = || Value::Null;
    let expected = [
        call("a", "f"),
        arguments("{\"x\""),
        arguments(":1}"),
        call("b", "g"),
        arguments("{}"),
    ];
    let orderly = [
        piece(json!(0), json!("a"), json!("f"), ""),
        piece(json!(0), null(), null(), "{\"x\""),
        piece(json!(0), null(), null(), ":1}"),
        piece(json!(1), json!("b"), json!("g"), ""),
        piece(json!(1), null(), null(), "{}"),
    ];
    assert_eq!(content(&orderly, "tool_calls"), expected);
    let begun_first = [
        piece(json!(0), json!("a"), json!("f"), ""),
        piece(json!(1), json!("b"), json!("g"), ""),
        piece(json!(0), null(), null(), "{\"x\""),
        piece(json!(1), null(), null(), "{}"),
        piece(json!(0), null(), null(), ":1}"),
    ];
    assert_eq!(content(&begun_first, "stop"), expected);
    let googles = [
        piece(json!(0), json!("a"), json!("f"), "{\"x\":1}"),
        piece(json!(0), json!("b"), json!("g"), "{}"),
    ];
    let whole = [call("a", "f"), arguments("{\"x\":1}"), call("b", "g"), arguments("{}")];
    assert_eq!(content(&googles, "stop"), whole);
    let without_index = [
        piece(null(), json!("a"), json!("f"), "{\"x\":1}"),
        piece(null(), json!("b"), json!("g"), "{}"),
    ];
    assert_eq!(content(&without_index, "stop"), whole);
    let both_at_once = [json!({"tool_calls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]})];
    assert_eq!(content(&both_at_once, "tool_calls"), whole);
    let repeats_its_name = [
        piece(json!(0), json!("a"), json!("f"), "{\"x\""),
        piece(json!(0), json!("a"), json!("f"), ":1}"),
        piece(json!(0), json!(""), json!("f"), ""),
    ];
    assert_eq!(content(&repeats_its_name, "tool_calls"), expected[..3]);
    let no_arguments = [
        piece(json!(0), json!("a"), json!("f"), ""),
        piece(json!(1), json!("b"), json!("g"), ""),
    ];
    assert_eq!(content(&no_arguments, "tool_calls"), [call("a", "f"), call("b", "g")]);
    let text_between = [
        piece(json!(0), json!("a"), json!("f"), "{\"x\""),
        json!({"content": "hm"}),
        piece(json!(0), null(), null(), ":1}"),
    ];
    let late = [&expected[..3], &[Event::Text("hm".to_owned())]].concat();
    assert_eq!(content(&text_between, "tool_calls"), late);
}

#[test]
fn thoughts_are_read_in_all_their_forms() {
    let thought = |text: &str| Event::Thought(text.to_owned());
    assert_eq!(content(&[json!({"reasoning_content": "a"})], "stop"), [thought("a")]);
    assert_eq!(content(&[json!({"reasoning": "a"})], "stop"), [thought("a")]);
    let detailed = json!({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"},
        {"type": "reasoning.text", "signature": "s"}, {"type": "reasoning.encrypted", "data": "e"}]});
    let expected = [
        thought("a"),
        Event::Signature("s".to_owned()),
        Event::SealedThought("e".to_owned()),
    ];
    assert_eq!(content(&[detailed], "stop"), expected);
    let mistrals = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]});
    assert_eq!(content(&[mistrals], "stop"), [thought("a")]);
}

#[test]
fn a_stream_that_breaks_off_is_not_complete() {
    let text = delta(json!({"content": "x"}));
    assert!(!read(&[&text]).contains(&Event::End));
    assert_eq!(read(&[]), []);
    assert_eq!(read(&["[DONE]"]), []);
    assert_eq!(read(&[&text, &ending("stop")]).last(), Some(&Event::End));
    let held = delta(
        json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]}),
    );
    assert_eq!(
        read(&[&held])[1..],
        [call("a", "f"), arguments("{"), call("b", "g"), arguments("{}")]
    );
    for (error, cause) in [
        (r#"{"error":{"message":"x","code":429}}"#, Cause::RateLimited),
        (
            r#"{"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"error"}],"error":{"code":502}}"#,
            Cause::Server,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
            Cause::Overloaded,
        ),
    ] {
        let events = read(&[&text, error, &text, "[DONE]"]);
        assert!(
            matches!(&events[2..], [Event::Failed(refusal)] if refusal.cause == cause),
            "{events:?}"
        );
    }
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    reader.read(b"error", br#"{"message":"x"}"#, &mut out).unwrap();
    assert!(matches!(&out[..], [Event::Failed(_)]));
    assert_eq!(StreamReader::default().read(b"", b"{", &mut out), Err(Malformed));
}

#[test]
fn a_stream_is_written_as_openai_writes_it() {
    let events = [
        Event::Begin {
            id: String::new(),
            model: String::new(),
        },
        Event::Text("x".to_owned()),
        call("a", "f"),
        Event::Stop(Stop::Calls),
        Event::Usage(Usage {
            input: 1,
            output: 2,
            ..Usage::default()
        }),
        Event::End,
        Event::Text("late".to_owned()),
    ];
    let stream = write(&events, &TOLD);
    let (chunks, done) = stream.trim_end().rsplit_once("\n\n").unwrap();
    assert_eq!(done, "data: [DONE]");
    let chunks: Vec<Value> = data(chunks)
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let deltas: Vec<_> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0], &json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1], &json!({"content": "x"}));
    let begun = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
    assert_eq!(deltas[2]["tool_calls"][0], begun);
    assert_eq!(
        deltas[3]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "{}"}})
    );
    assert_eq!(chunks[4]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chunks[5]["choices"], json!([]));
    assert_eq!(chunks[5]["usage"]["total_tokens"], 3);
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["model"], &chunk["created"]),
            (&json!("chatcmpl-x1"), &json!("asked"), &json!(7))
        );
    }
    assert_eq!(chunks[1].get("usage"), Some(&Value::Null));
    let unasked = Told {
        stream_usage: false,
        ..TOLD
    };
    assert!(!write(&events, &unasked).contains("usage"));
}

#[test]
fn pieces_of_a_thought_are_put_together_by_their_index() {
    let events = [
        Event::Thought("a".to_owned()),
        Event::Thought("b".to_owned()),
        Event::Signature("s".to_owned()),
        Event::SealedThought("e".to_owned()),
        Event::Thought("c".to_owned()),
    ];
    let stream = write(&events, &TOLD);
    let chunks = data(&stream)
        .into_iter()
        .map(|data| serde_json::from_str::<Value>(&data).unwrap());
    let details: Vec<_> = chunks
        .map(|chunk| chunk["choices"][0]["delta"]["reasoning_details"][0].clone())
        .filter(|detail| !detail.is_null())
        .map(|detail| (detail["index"].as_u64().unwrap(), detail.get("format").is_some()))
        .collect();
    // What the format is must be said once: the SDKs put texts behind each other.
    assert_eq!(details, [(0, true), (0, false), (0, false), (1, true), (2, true)]);
}

#[test]
fn an_error_ends_a_stream_in_words_that_are_the_clients_to_read() {
    let failed = |cause| Event::Failed(Refusal::new(cause, "their words"));
    let stream = write(&[Event::Text("x".to_owned()), failed(Cause::Server), Event::End], &TOLD);
    let last: Value = serde_json::from_str(data(&stream).last().unwrap()).unwrap();
    assert_eq!(last["error"]["message"], "The provider broke off with an error.");
    let stream = write(&[failed(Cause::ContextExceeded)], &TOLD);
    let last: Value = serde_json::from_str(&data(&stream)[0]).unwrap();
    let expected = json!({"message": "their words", "type": "invalid_request_error", "param": null,
        "code": "context_length_exceeded"});
    assert_eq!(last["error"], expected);
}

#[test]
fn streams_of_several_providers_are_read() {
    let usage = |input, cached_input, output, reasoning| Usage {
        input,
        cached_input,
        output,
        reasoning,
        ..Usage::default()
    };
    let text = |text: &str| Output::Text(text.to_owned());
    let thought = |text: &str| Output::Thought {
        text: text.to_owned(),
        signature: None,
    };
    let weather = Output::Call {
        id: "call_abc".to_owned(),
        name: "get_weather".to_owned(),
        arguments: r#"{"city":"Ulm"}"#.to_owned(),
        signature: None,
    };
    for (stream, output, stop, counted) in [
        (
            include_str!("../../golden/chat_text.openai.sse"),
            vec![text("Hello, \"Zoë\"!\n😀")],
            Stop::End,
            Some(usage(15, 4, 10, 0)),
        ),
        (
            include_str!("../../golden/chat_tools.openai.sse"),
            vec![weather],
            Stop::Calls,
            None,
        ),
        (
            include_str!("../../golden/chat.azure.sse"),
            vec![text("Hi")],
            Stop::End,
            Some(usage(8, 0, 1, 0)),
        ),
        (
            include_str!("../../golden/chat.groq.sse"),
            vec![text("Sure")],
            Stop::End,
            Some(usage(36, 0, 2, 0)),
        ),
        (
            include_str!("../../golden/chat.mistral.sse"),
            vec![thought("Hm"), text("Oui")],
            Stop::End,
            Some(usage(12, 0, 5, 0)),
        ),
        (
            include_str!("../../golden/chat_reasoning.deepseek.sse"),
            vec![thought("你好"), text("Hi")],
            Stop::End,
            Some(usage(26, 64, 10, 20)),
        ),
    ] {
        let data: Vec<_> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let events = read(&data);
        assert_eq!(events.last(), Some(&Event::End));
        let reply = fold(&events);
        assert_eq!((reply.output, reply.stop, reply.usage), (output, Some(stop), counted));
    }
    let broken = include_str!("../../golden/chat_error.openai.sse");
    let data: Vec<_> = broken.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert!(matches!(read(&data).last(), Some(Event::Failed(refusal)) if refusal.cause == Cause::Server));
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || "[a-z{}\"]{0,3}";
    prop_oneof![
        Just(Event::Begin {
            id: "r".to_owned(),
            model: "m".to_owned()
        }),
        text().prop_map(Event::Text),
        text().prop_map(Event::Thought),
        text().prop_map(Event::Signature),
        text().prop_map(Event::SealedThought),
        text().prop_map(|name| call("c", &name)),
        text().prop_map(Event::Arguments),
        text().prop_map(Event::Declined),
        Just(Event::Stop(Stop::End)),
        Just(Event::Usage(Usage::default())),
        text().prop_map(Event::Tier),
        Just(Event::End),
        Just(Event::Failed(Refusal::new(Cause::Invalid, "x"))),
    ]
}

proptest! {
    #[test]
    fn a_stream_that_is_written_is_read_again(reply in reply()) {
        let reply = Reply { tier: None, ..reply };
        let events = unfold(&reply);
        let read = read_stream(&write(&events, &TOLD));
        prop_assert_eq!(read.last(), Some(&Event::End));
        prop_assert_eq!(&read, &events);
        // And is the same answer as a whole one.
        let mut folded = fold(&read);
        for output in &mut folded.output {
            if let Output::Call { arguments, .. } = output && arguments.is_empty() {
                "{}".clone_into(arguments);
            }
        }
        prop_assert_eq!(Ok(folded), read_reply(&write_reply(&reply, &TOLD)));
    }

    #[test]
    fn no_order_of_events_panics(events in prop::collection::vec(any_event(), 0..20)) {
        let stream = write(&events, &TOLD);
        let read = read_stream(&stream);
        if let Some(Event::End) = events.iter().find(|event| matches!(event, Event::End | Event::Failed(_))) {
            prop_assert!(stream.ends_with("data: [DONE]\n\n"));
            prop_assert_eq!(read.last(), Some(&Event::End));
        }
    }

    #[test]
    fn no_data_panics(pieces in prop::collection::vec(("[a-z]{0,5}", "[\\[{\"a-z:,}\\]0-9]{0,30}", any::<Vec<u8>>()), 0..6)) {
        let mut reader = StreamReader::default();
        let mut out = Vec::new();
        for (name, text, bytes) in pieces {
            let within = format!(r#"{{"choices":[{{"delta":{{"content":{text},"tool_calls":{text}}}}}]}}"#);
            for data in [text.as_bytes(), within.as_bytes(), &bytes] {
                let _ = reader.read(name.as_bytes(), data, &mut out);
            }
        }
        reader.finish(&mut out);
    }
}
