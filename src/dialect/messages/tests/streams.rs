use proptest::prelude::*;
use serde_json::{Value, json};

use super::{folded, told};
use crate::conversation::{Cause, Event, Output, Refusal, Reply, Stop};
use crate::dialect::Malformed;
use crate::dialect::messages::{StreamReader, StreamWriter, read_reply};
use crate::framing::sse::{Blocks, fields};
use crate::usage::Usage;

/// The names and data of a stream's events.
fn split(stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut blocks, mut rest, mut events) = (Blocks::default(), stream, Vec::new());
    while let Some(end) = blocks.end(rest) {
        let (mut name, mut data) = (Vec::new(), Vec::new());
        for field in fields(&rest[..end]) {
            match field.name {
                b"event" => name = field.value.to_vec(),
                b"data" => data.extend(field.value),
                _ => {}
            }
        }
        events.push((name, data));
        rest = &rest[end..];
    }
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(rest));
    events
}

fn read(stream: &[u8]) -> Vec<Event> {
    let (mut reader, mut out) = (StreamReader::default(), Vec::new());
    for (name, data) in split(stream) {
        reader.read(&name, &data, &mut out).unwrap();
    }
    reader.finish(&mut out);
    out
}

fn write(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (StreamWriter::new(&told()), Vec::new());
    for event in events {
        writer.write(event, &mut out);
    }
    out
}

fn data(events: &[Event]) -> Vec<Value> {
    let parse = |(name, data): (Vec<u8>, Vec<u8>)| {
        let value: Value = serde_json::from_slice(&data).unwrap();
        assert_eq!(value["type"].as_str().unwrap().as_bytes(), name);
        value
    };
    split(&write(events)).into_iter().map(parse).collect()
}

fn begin() -> Event {
    Event::Begin {
        id: "msg_1".to_owned(),
        model: "m".to_owned(),
    }
}

fn called(id: &str) -> Event {
    Event::Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        signature: None,
    }
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

#[test]
fn a_stream_is_read_as_it_comes() {
    let events = read(include_bytes!("../../golden/messages.anthropic.sse"));
    let usage = |output| {
        Event::Usage(Usage {
            input: 472,
            cached_input: 100,
            cache_write_5m: 10,
            cache_write_1h: 20,
            output,
            ..Usage::default()
        })
    };
    let expected = [
        Event::Begin {
            id: "msg_01".to_owned(),
            model: "claude-sonnet-4-5-20250929".to_owned(),
        },
        Event::Tier("standard".to_owned()),
        usage(2),
        Event::Thought("Hmm".to_owned()),
        Event::Signature("EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds".to_owned()),
        text("Okay"),
        text(", \"message_stop\""),
        Event::Call {
            id: "toolu_01".to_owned(),
            name: "get_weather".to_owned(),
            signature: None,
        },
        Event::Arguments("{\"location\":".to_owned()),
        Event::Arguments(" \"Ulm\"}".to_owned()),
        Event::Stop(Stop::Calls),
        usage(89),
        Event::End,
    ];
    assert_eq!(events, expected);
}

#[test]
fn an_error_ends_a_stream() {
    let events = read(include_bytes!("../../golden/messages_error.anthropic.sse"));
    let failed = Event::Failed(Refusal::new(Cause::Overloaded, "Overloaded"));
    assert_eq!(events.last(), Some(&failed));
}

/// Feeds these events, whose names are their types.
fn fed(events: &[Value]) -> (StreamReader, Vec<Event>) {
    let (mut reader, mut out) = (StreamReader::default(), Vec::new());
    for event in events {
        reader.read(b"", event.to_string().as_bytes(), &mut out).unwrap();
    }
    (reader, out)
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

#[test]
fn a_call_has_arguments_in_any_case() {
    let tool = |index, input| {
        block(
            index,
            json!({"type": "tool_use", "id": "", "name": "f", "input": input}),
        )
    };
    let stop = json!({"type": "content_block_stop", "index": 0});
    let (_, events) = fed(&[
        tool(0, json!({})),
        delta(0, json!({"type": "input_json_delta", "partial_json": ""})),
        stop.clone(),
        tool(1, json!({"a": 1})),
        tool(2, json!(null)),
        json!({"type": "message_stop"}),
    ]);
    let arguments = |text: &str| Event::Arguments(text.to_owned());
    let expected = [
        called("toolu_1"),
        arguments("{}"),
        called("toolu_2"),
        arguments("{\"a\":1}"),
        called("toolu_3"),
        arguments("{}"),
        Event::End,
    ];
    assert_eq!(events, expected);
}

#[test]
fn what_anthropics_own_tools_say_is_passed_over() {
    let (_, events) = fed(&[
        block(
            0,
            json!({"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}),
        ),
        delta(0, json!({"type": "input_json_delta", "partial_json": "{}"})),
        block(
            1,
            json!({"type": "web_search_tool_result", "content": [{"type": "web_search_result"}]}),
        ),
        block(2, json!({"type": "text", "text": "a"})),
        delta(2, json!({"type": "citations_delta", "citation": {}})),
        json!({"type": "novel", "delta": {"type": "novel"}}),
        json!({"type": "ping"}),
    ]);
    assert_eq!(events, [text("a")]);
}

#[test]
fn a_stream_that_ends_without_a_last_event_is_complete_if_it_said_why() {
    let ending = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}});
    let (mut reader, mut events) = fed(&[ending]);
    reader.finish(&mut events);
    assert_eq!(events.last(), Some(&Event::End));
    let (mut reader, mut events) = fed(&[block(0, json!({"type": "text", "text": "a"}))]);
    reader.finish(&mut events);
    assert_eq!(events, [text("a")]);
    let mut reader = StreamReader::default();
    assert_eq!(reader.read(b"message_stop", b"{", &mut events), Err(Malformed));
    assert_eq!(reader.read(b"", b"[DONE]", &mut events), Ok(()));
}

#[test]
fn a_refusal_says_why() {
    let (_, events) = fed(&[json!({"type": "message_delta", "delta": {"stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "Not this."}}})]);
    let expected = [Event::Declined("Not this.".to_owned()), Event::Stop(Stop::Declined)];
    assert_eq!(events, expected);
}

#[test]
fn a_stream_is_written_in_anthropics_order() {
    let usage = Usage {
        input: 5,
        output: 7,
        reasoning: 2,
        ..Usage::default()
    };
    let written = data(&[
        begin(),
        Event::Thought("Hm".to_owned()),
        Event::Signature("EqQB".to_owned()),
        text("Hi"),
        text("!"),
        called("call_1"),
        Event::Arguments("{}".to_owned()),
        Event::SealedThought("EmwK".to_owned()),
        Event::Usage(usage),
        Event::Stop(Stop::Sequence(Some("END".to_owned()))),
        Event::End,
        text("too late"),
    ]);
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let expected = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 0,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}}}),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "EqQB"})),
        stop(0),
        block(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Hi"})),
        delta(1, json!({"type": "text_delta", "text": "!"})),
        stop(1),
        block(2, json!({"type": "tool_use", "id": "call_1", "name": "f", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{}"})),
        stop(2),
        block(3, json!({"type": "redacted_thinking", "data": "EmwK"})),
        stop(3),
        json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 2}}}),
        json!({"type": "message_stop"}),
    ];
    assert_eq!(written, expected);
}

#[test]
fn a_failure_is_an_error_event_and_nothing_follows() {
    let failed = |cause, message: &str| Event::Failed(Refusal::new(cause, message));
    let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let written = data(&[begin(), failed(Cause::Authentication, "sk-secret"), Event::End]);
    assert_eq!(
        written[1..],
        [error("api_error", "The model's provider broke off the answer.")]
    );
    let written = data(&[failed(Cause::Overloaded, "internal name")]);
    assert_eq!(
        written,
        [error("overloaded_error", "The model's provider is overloaded.")]
    );
    let written = data(&[failed(Cause::Invalid, "messages: no")]);
    assert_eq!(written, [error("invalid_request_error", "messages: no")]);
}

#[test]
fn an_end_alone_is_an_empty_answer() {
    let written = data(&[Event::End]);
    assert_eq!(written[0]["message"]["id"], "msg_abc");
    assert_eq!(written[0]["message"]["model"], "smart");
    assert_eq!(written[1]["delta"]["stop_reason"], "end_turn");
    assert_eq!(written.len(), 3);
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,5}", Just("\n\r\u{2028}\"\\é\0".to_owned()), "\\PC{1,3}"]
}

/// Content as a reader gives it: texts that follow one another are one, thoughts without a seal, too.
fn content() -> impl Strategy<Value = Vec<Output>> {
    let output = prop_oneof![
        words().prop_map(Output::Text),
        (words(), words()).prop_map(|(text, seal)| Output::Thought {
            text,
            signature: Some(seal),
        }),
        words().prop_map(|text| Output::Thought { text, signature: None }),
        words().prop_map(|seal| Output::Thought {
            text: String::new(),
            signature: Some(seal),
        }),
        words().prop_map(Output::SealedThought),
        (words(), words(), words()).prop_map(|(id, name, value)| Output::Call {
            id,
            name,
            arguments: json!({"a": value}).to_string(),
            signature: None,
        }),
    ];
    prop::collection::vec(output, 0..6).prop_map(|mut outputs| {
        outputs.dedup_by(|b, a| {
            let texts = matches!((&a, &b), (Output::Text(_), Output::Text(_)));
            texts
                || matches!(
                    (a, b),
                    (Output::Thought { signature: None, .. }, Output::Thought { .. })
                )
        });
        outputs
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let stop = prop::option::of(prop::sample::select(vec![
        Stop::End,
        Stop::Length,
        Stop::Calls,
        Stop::Sequence(Some("END".to_owned())),
        Stop::Declined,
        Stop::ContextFull,
    ]));
    (content(), stop, any::<[u16; 6]>()).prop_map(|(output, stop, classes)| {
        let [
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            output_tokens,
            reasoning,
        ] = classes.map(u64::from);
        let usage = Usage {
            input,
            cached_input,
            cache_write_5m,
            cache_write_1h,
            output: output_tokens + 1,
            reasoning,
            ..Usage::default()
        };
        let called = output.iter().any(|output| matches!(output, Output::Call { .. }));
        Reply {
            id: "msg_1".to_owned(),
            model: "m".to_owned(),
            stop: match stop {
                None | Some(Stop::End) if called => Some(Stop::Calls),
                stop => stop.or(Some(Stop::End)),
            },
            usage: Some(usage),
            tier: None,
            output,
        }
    })
}

/// The events of an answer, each text in pieces.
fn events(reply: &Reply, size: usize) -> Vec<Event> {
    let pieces = |text: &str| {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(size).map(String::from_iter).collect::<Vec<String>>()
    };
    let mut events = vec![Event::Begin {
        id: reply.id.clone(),
        model: reply.model.clone(),
    }];
    for output in &reply.output {
        match output {
            Output::Text(text) => events.extend(pieces(text).into_iter().map(Event::Text)),
            Output::Declined(text) => events.extend(pieces(text).into_iter().map(Event::Declined)),
            Output::Thought { text, signature } => {
                events.extend(pieces(text).into_iter().map(Event::Thought));
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
                events.extend(pieces(arguments).into_iter().map(Event::Arguments));
            }
        }
    }
    events.extend(reply.stop.clone().map(Event::Stop));
    events.extend(reply.usage.map(Event::Usage));
    events.push(Event::End);
    events
}

/// Any event, in any order.
fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(begin()),
        Just(Event::End),
        Just(Event::Arguments("{}".to_owned())),
        Just(Event::Signature("EqQB".to_owned())),
        Just(Event::Stop(Stop::Filtered)),
        Just(Event::Tier("standard".to_owned())),
        Just(Event::Usage(Usage::default())),
        Just(called("1")),
        Just(Event::Failed(Refusal::new(Cause::Server, "m"))),
        words().prop_map(Event::Text),
        words().prop_map(Event::Thought),
        words().prop_map(Event::Declined),
        words().prop_map(Event::SealedThought),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(reply in reply(), size in 1..4_usize) {
        let events = events(&reply, size);
        let read = read(&write(&events));
        prop_assert_eq!(&folded(&read), &reply);
        prop_assert_eq!(read, events);
    }

    #[test]
    fn a_stream_amounts_to_the_whole_answer(reply in reply(), size in 1..4_usize) {
        let whole = crate::dialect::messages::write_reply(&reply, &told());
        prop_assert_eq!(read_reply(&whole).unwrap(), folded(&read(&write(&events(&reply, size)))));
    }

    #[test]
    fn any_order_of_events_gives_a_stream_that_can_be_read(events in prop::collection::vec(any_event(), 0..12)) {
        let written = write(&events);
        let mut open = None;
        for (_, data) in split(&written) {
            let data: Value = serde_json::from_slice(&data).unwrap();
            match data["type"].as_str().unwrap() {
                "content_block_start" => prop_assert_eq!(open.replace(data["index"].clone()), None),
                "content_block_delta" => prop_assert_eq!(open.as_ref(), Some(&data["index"])),
                "content_block_stop" => prop_assert_eq!(open.take(), Some(data["index"].clone())),
                "message_stop" => prop_assert_eq!(open.as_ref(), None),
                _ => {}
            }
        }
        read(&written);
    }

    #[test]
    fn no_bytes_panic(name: Vec<u8>, bytes: Vec<u8>, at in 0..4000_usize, byte: u8) {
        let (mut reader, mut out) = (StreamReader::default(), Vec::new());
        let _ = reader.read(&name, &bytes, &mut out);
        let mut stream = include_bytes!("../../golden/messages.anthropic.sse").to_vec();
        let at = at % stream.len();
        stream[at] = byte;
        stream.extend(b"\n\n");
        for (name, data) in split(&stream) {
            let _ = reader.read(&name, &data, &mut out);
        }
        reader.finish(&mut out);
        write(&out);
    }
}
