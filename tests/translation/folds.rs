//! That a stream says what a whole answer does, and that both count the same.
//!
//! What is written for a client is read again by the reader of the client's own dialect: whole, and as it comes, folded into
//! a whole.

use proptest::prelude::*;
use serde_json::Value;
use tollgate::conversation::{Event, Output, Reply, Stop};
use tollgate::dialect::{Malformed, chat, messages, responses};
use tollgate::framing::sse::{Blocks, fields};
use tollgate::translate::Client;
use tollgate::usage::Usage;

use super::cases::{CLIENTS, Case, TOLD, pairs};
use super::page::{streamed, whole};

/// A client's stream, as its own reader reads it.
fn events(client: Client, bytes: &[u8]) -> Vec<Event> {
    match client {
        Client::Chat => {
            let mut reader = chat::StreamReader::default();
            let mut events = read(bytes, |name, data, out| reader.read(name, data, out));
            reader.finish(&mut events);
            events
        }
        Client::Responses => {
            let mut reader = responses::StreamReader::default();
            let mut events = read(bytes, |name, data, out| reader.read(name, data, out));
            reader.finish(&mut events);
            events
        }
        Client::Messages => {
            let mut reader = messages::StreamReader::default();
            let mut events = read(bytes, |name, data, out| reader.read(name, data, out));
            reader.finish(&mut events);
            events
        }
    }
}

fn read(bytes: &[u8], mut each: impl FnMut(&[u8], &[u8], &mut Vec<Event>) -> Result<(), Malformed>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut blocks = Blocks::default();
    let mut rest = bytes;
    while let Some(len) = blocks.end(rest) {
        let (block, after) = rest.split_at(len);
        let (mut name, mut data): (&[u8], &[u8]) = (&[], &[]);
        for field in fields(block) {
            match field.name {
                b"event" => name = field.value,
                b"data" => data = field.value,
                _ => {}
            }
        }
        each(name, data, &mut events).unwrap();
        rest = after;
    }
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(rest));
    events
}

/// The whole answer that events come to.
fn folded(events: Vec<Event>) -> Reply {
    Reply::of_events(events).unwrap()
}

/// What was generated, so that the same is equal: arguments without what stands between their tokens, neighbouring texts as
/// one. Chat completions tell thoughts, texts and calls apart, but not in which order they came.
fn generated(client: Client, reply: Reply) -> Vec<Output> {
    let mut all: Vec<Output> = Vec::new();
    for output in reply.output {
        let output = match output {
            Output::Call {
                id,
                name,
                arguments,
                signature,
            } => Output::Call {
                id,
                name,
                arguments: serde_json::from_str::<Value>(&arguments).unwrap().to_string(),
                signature,
            },
            other => other,
        };
        all.push(output);
    }
    if client == Client::Chat {
        all.sort_by_key(|output| match output {
            Output::Thought { .. } | Output::SealedThought(_) => 0,
            Output::Text(_) => 1,
            Output::Declined(_) => 2,
            Output::Call { .. } => 3,
        });
    }
    let mut merged: Vec<Output> = Vec::new();
    for output in all {
        match (merged.last_mut(), output) {
            (Some(Output::Text(text)), Output::Text(more)) => text.push_str(&more),
            (
                Some(Output::Thought { text, signature: None }),
                Output::Thought {
                    text: more,
                    signature: None,
                },
            ) => {
                text.push_str(&more);
            }
            (_, output) => merged.push(output),
        }
    }
    merged
}

fn read_reply(client: Client, body: &[u8]) -> Reply {
    match client {
        Client::Chat => chat::read_reply(body),
        Client::Responses => responses::read_reply(body),
        Client::Messages => messages::read_reply(body),
    }
    .unwrap()
}

#[test]
fn a_stream_says_what_a_whole_answer_does() {
    for case in Case::all() {
        for (client, api) in pairs() {
            let (Some(reply), Some(stream)) = (case.reply(api), case.stream(api)) else {
                continue;
            };
            let what = format!("{}, {api:?} to {client:?}", case.name);
            let (out, translation) = whole(client, api, &reply);
            let (streamed, translation_as_it_comes) = streamed(client, api, &stream);
            assert_eq!(translation.refusal(), translation_as_it_comes.refusal(), "{what}");
            if translation.refusal().is_some() {
                continue;
            }
            let once = read_reply(client, &out);
            assert_eq!(once.usage, translation.reading().reported, "{what}");
            let (out, translation) = (streamed, translation_as_it_comes);
            let folded = folded(events(client, &out));
            assert_eq!(folded.usage, translation.reading().reported, "{what}");
            assert_eq!(folded.usage, once.usage, "{what}");
            assert_eq!(folded.stop, once.stop, "{what}");
            assert_eq!((&folded.id, &folded.model), (&once.id, &once.model), "{what}");
            assert_eq!(generated(client, folded), generated(client, once), "{what}");
        }
    }
}

/// A usage, as far as a client's dialect can tell it.
fn told(client: Client, usage: Usage) -> Usage {
    match client {
        // One number for what was written to a cache, whatever its lifetime.
        Client::Chat | Client::Responses => Usage {
            cache_write_5m: usage.cache_write_5m + usage.cache_write_1h,
            cache_write_1h: 0,
            ..usage
        },
        // Sound is not told apart.
        Client::Messages => Usage {
            input: usage.input + usage.input_audio,
            input_audio: 0,
            output: usage.output + usage.output_audio,
            output_audio: 0,
            ..usage
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_used_is_told_unchanged(classes: [u32; 8]) {
        let [input, cached_input, cache_write_5m, cache_write_1h, input_audio, output, reasoning, output_audio] =
            classes.map(u64::from);
        let usage = Usage {
            input, cached_input, cache_write_5m, cache_write_1h, input_audio, output, reasoning, output_audio,
        };
        let reply = Reply { usage: Some(usage), stop: Some(Stop::End), ..Reply::default() };
        let steps = [
            Event::Begin { id: String::new(), model: String::new() },
            Event::Text("x".to_owned()),
            Event::Stop(Stop::End),
            Event::Usage(usage),
            Event::End,
        ];
        for client in CLIENTS {
            let mut stream = Vec::new();
            let body = match client {
                Client::Chat => {
                    let mut writer = chat::StreamWriter::new(&TOLD);
                    steps.iter().for_each(|event| writer.write(event, &mut stream));
                    chat::write_reply(&reply, &TOLD)
                }
                Client::Responses => {
                    let mut writer = responses::StreamWriter::new(&TOLD);
                    steps.iter().for_each(|event| writer.write(event, &mut stream));
                    responses::write_reply(&reply, &TOLD)
                }
                Client::Messages => {
                    let mut writer = messages::StreamWriter::new(&TOLD);
                    steps.iter().for_each(|event| writer.write(event, &mut stream));
                    messages::write_reply(&reply, &TOLD)
                }
            };
            let expected = told(client, usage);
            prop_assert_eq!(read_reply(client, &body).usage, Some(expected), "{:?}, whole", client);
            let folded = folded(events(client, &stream));
            prop_assert_eq!(folded.usage, Some(expected), "{:?}, as it comes", client);
            prop_assert_eq!(expected.prompt() + expected.completion(), usage.prompt() + usage.completion());
        }
    }
}
