//! Streams made up at random, against a reading of each event as a tree.

use serde_json::{Value, json};

use super::*;

/// An event of a chat stream, or something that may stand between them.
#[derive(Clone, Debug)]
enum Piece {
    Delta {
        choice: u8,
        name: &'static str,
        text: String,
    },
    Call {
        arguments: String,
        call: u8,
    },
    Finish,
    Usage {
        prompt: u32,
        completion: u32,
    },
    Ping,
    Done,
}

fn piece() -> impl Strategy<Value = Piece> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        any::<String>(),
        prop::sample::select(vec![
            "\",\"usage\":{\"prompt_tokens\":1}",
            "data: [DONE]\n\n",
            "\\",
            "\"",
            "\u{2028}\r\n",
            ""
        ])
        .prop_map(str::to_owned),
    ];
    let name = prop::sample::select(vec![
        "content",
        "content",
        "content",
        "reasoning_content",
        "refusal",
        "role",
    ]);
    prop_oneof![
        12 => (0u8..2, name, text.clone()).prop_map(|(choice, name, text)| Piece::Delta { choice, name, text }),
        3 => (text, 0u8..2).prop_map(|(arguments, call)| Piece::Call { arguments, call }),
        1 => Just(Piece::Finish),
        2 => (any::<u32>(), any::<u32>()).prop_map(|(prompt, completion)| Piece::Usage { prompt, completion }),
        1 => Just(Piece::Ping),
        1 => Just(Piece::Done),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Style {
    eol: &'static str,
    ascii: bool,
    spaced: bool,
    obfuscated: bool,
    named: bool,
}

fn style() -> impl Strategy<Value = Style> {
    (prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]), any::<[bool; 4]>()).prop_map(
        |(eol, [ascii, spaced, obfuscated, named])| Style {
            eol,
            ascii,
            spaced,
            obfuscated,
            named,
        },
    )
}

/// The bytes of an event and, of one that is a JSON document, its tree.
fn rendered(piece: &Piece, style: Style) -> (String, Option<Value>) {
    let eol = style.eol;
    let choice = |index: u8, delta: Value, finish: Value| json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let (choices, usage) = match piece {
        Piece::Delta {
            choice: index,
            name,
            text,
        } => (choice(*index, json!({*name: text}), Value::Null), Value::Null),
        Piece::Call { arguments, call } => {
            let delta = json!({"tool_calls": [{"index": call, "function": {"arguments": arguments}}]});
            (choice(0, delta, Value::Null), Value::Null)
        }
        Piece::Finish => (choice(0, json!({}), json!("stop")), Value::Null),
        Piece::Usage { prompt, completion } => (
            json!([]),
            json!({"prompt_tokens": prompt, "completion_tokens": completion}),
        ),
        Piece::Ping => return (format!(": ping{eol}{eol}"), None),
        Piece::Done => return (format!("data: [DONE]{eol}{eol}"), None),
    };
    let mut event = json!({"id": "chatcmpl-1", "model": "gpt-4o", "choices": choices, "usage": usage});
    if style.obfuscated {
        event["obfuscation"] = json!("x".repeat(event.to_string().len() % 9));
    }
    let mut text = event.to_string();
    if style.spaced {
        text = text.replace("\":", "\": ").replace("\\\": ", "\\\":");
        // A replacement inside generated text would change it: keep the plain form then.
        if serde_json::from_str::<Value>(&text).ok().as_ref() != Some(&event) {
            text = event.to_string();
        }
    }
    if style.ascii {
        let mut units = [0; 2];
        text = text
            .chars()
            .map(|c| {
                if c.is_ascii() {
                    c.to_string()
                } else {
                    c.encode_utf16(&mut units)
                        .iter()
                        .map(|unit| format!("\\u{unit:04x}"))
                        .collect()
                }
            })
            .collect();
    }
    let name = if style.named {
        format!("event: chunk{eol}")
    } else {
        String::new()
    };
    (format!("{name}data: {text}{eol}{eol}"), Some(event))
}

/// What the meter should find, worked out from the trees.
fn expected(pieces: &[Piece], style: Style) -> (Reading, String, String) {
    let mut reading = Reading::default();
    let (mut stream, mut visible) = (String::new(), String::new());
    for piece in pieces {
        let (bytes, event) = rendered(piece, style);
        stream += &bytes;
        let hidden = matches!(piece, Piece::Usage { .. });
        if !hidden {
            visible += &bytes;
        }
        if event.is_some() {
            reading.model = Some("gpt-4o".to_owned());
        }
        match piece {
            Piece::Delta { name, text, .. } if *name != "role" => reading.text_bytes += text.len() as u64,
            Piece::Call { arguments, .. } => reading.text_bytes += arguments.len() as u64,
            Piece::Usage { prompt, completion } => {
                reading.reported = reported(u64::from(*prompt), u64::from(*completion));
                reading.complete = true;
            }
            Piece::Finish => reading.finished = true,
            Piece::Done => reading.complete = true,
            _ => {}
        }
    }
    (reading, stream, visible)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_stream_cut_anywhere_is_read_as_a_tree_would_be(
        pieces in prop::collection::vec(piece(), 0..25),
        style in style(),
        cuts: Vec<prop::sample::Index>,
    ) {
        let (reading, stream, visible) = expected(&pieces, style);
        for pieces in [vec![stream.as_bytes()], cut(stream.as_bytes(), &cuts)] {
            let (found, passed) = metered(&mut chat(true), &pieces);
            prop_assert_eq!(&found, &reading);
            prop_assert_eq!(String::from_utf8(passed).unwrap(), visible.as_str());
            let (found, passed) = metered(&mut chat(false), &pieces);
            prop_assert_eq!(&found, &reading);
            prop_assert_eq!(passed, stream.as_bytes());
        }
    }

    #[test]
    fn a_small_memory_changes_what_is_hidden_and_nothing_that_is_read(
        pieces in prop::collection::vec(piece(), 0..25),
        style in style(),
        cuts: Vec<prop::sample::Index>,
        limit in 60usize..200,
    ) {
        let (reading, stream, _) = expected(&pieces, style);
        let mut outcomes = Vec::new();
        for pieces in [vec![stream.as_bytes()], cut(stream.as_bytes(), &cuts)] {
            let mut meter = chat(true);
            let Answer::Stream(inner) = &mut meter.answer else { panic!() };
            inner.limit_to(limit);
            let (found, passed) = metered(&mut meter, &pieces);
            prop_assert_eq!(&found, &reading);
            outcomes.push(passed);
        }
        prop_assert_eq!(&outcomes[0], &outcomes[1]);
    }

    #[test]
    fn no_bytes_panic_and_none_are_lost(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "data: ", "data:", "{", "}", "\n", "\r", "\n\n", "\"usage\":", "{\"prompt_tokens\":1}", "\"choices\":[", "]",
                "\"delta\":{\"content\":\"", "\"", "\\", ",", "[DONE]", "event: error", "\u{feff}", "é", "null", ":",
            ]).prop_map(|piece| piece.as_bytes().to_vec()),
            any::<Vec<u8>>(),
        ], 0..30),
        cuts: Vec<prop::sample::Index>,
    ) {
        let stream = pieces.concat();
        for endpoint in Endpoint::ALL {
            for (streaming, hide_usage) in [(true, true), (true, false), (false, false)] {
                let whole = metered(&mut Meter::new(endpoint, streaming, hide_usage, true), &[&stream]);
                let pieces = cut(&stream, &cuts);
                prop_assert_eq!(&metered(&mut Meter::new(endpoint, streaming, hide_usage, true), &pieces), &whole);
                if !hide_usage {
                    prop_assert_eq!(&whole.1, &stream);
                }
            }
        }
    }
}
