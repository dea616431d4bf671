use proptest::prelude::*;

use super::*;

mod any_stream;
mod golden;

/// What comes of an answer that arrives in these pieces: the reading, whether anything came before the end, and what
/// the client gets.
fn metered(meter: &mut Meter, pieces: &[&[u8]]) -> (Reading, Vec<u8>) {
    let mut passed = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        match meter.feed(piece, at as u64, at + 1 == pieces.len()) {
            Passed::Unchanged => passed.extend_from_slice(piece),
            Passed::Replaced(bytes) => passed.extend(bytes),
        }
    }
    (meter.reading(), passed)
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

fn chat(hide_usage: bool) -> Meter {
    Meter::new(Endpoint::ChatCompletions, true, hide_usage, true)
}

const HELLO: &str = r#"data: {"id":"x","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null}

"#;
const USAGE: &str = r#"data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}

"#;
const DONE: &str = "data: [DONE]\n\n";

fn reported(input: u64, output: u64) -> Option<Usage> {
    Some(Usage {
        input,
        output,
        ..Usage::default()
    })
}

#[test]
fn the_usage_nobody_asked_for_is_hidden() {
    let stream = [HELLO, HELLO, USAGE, DONE].concat();
    let (reading, passed) = metered(&mut chat(true), &[stream.as_bytes()]);
    assert_eq!(String::from_utf8(passed).unwrap(), [HELLO, HELLO, DONE].concat());
    assert_eq!(
        (reading.reported, reading.text_bytes, reading.complete),
        (reported(3, 2), 10, true)
    );
    let (reading, passed) = metered(&mut chat(false), &[stream.as_bytes()]);
    assert_eq!(passed, stream.as_bytes());
    assert_eq!(reading.reported, reported(3, 2));
}

#[test]
fn whole_events_pass_untouched_while_nothing_is_hidden() {
    let mut meter = chat(true);
    for _ in 0..3 {
        assert_eq!(meter.feed(HELLO.as_bytes(), 0, false), Passed::Unchanged);
    }
    assert_eq!(meter.feed(USAGE.as_bytes(), 0, false), Passed::Replaced(Vec::new()));
    assert_eq!(meter.feed(DONE.as_bytes(), 0, false), Passed::Unchanged);
}

#[test]
fn a_partial_event_is_withheld_only_where_usage_is_hidden() {
    let (head, tail) = USAGE.split_at(USAGE.len() - 1);
    let mut meter = chat(true);
    let chunk = [HELLO, head].concat();
    assert_eq!(meter.feed(chunk.as_bytes(), 0, false), Passed::Replaced(HELLO.into()));
    assert_eq!(
        meter.feed([tail, DONE].concat().as_bytes(), 0, true),
        Passed::Replaced(DONE.into())
    );
    let mut meter = chat(false);
    assert_eq!(meter.feed(chunk.as_bytes(), 0, false), Passed::Unchanged);
    assert_eq!(meter.feed(tail.as_bytes(), 0, false), Passed::Unchanged);
    assert_eq!(meter.reading().reported, reported(3, 2));
}

#[test]
fn a_stream_that_ends_within_an_event_gives_it_up() {
    let (head, _) = HELLO.split_at(HELLO.len() - 40);
    let mut meter = chat(true);
    assert_eq!(meter.feed(head.as_bytes(), 0, false), Passed::Replaced(Vec::new()));
    assert_eq!(meter.feed(b"", 0, true), Passed::Replaced(head.into()));
    let reading = meter.reading();
    assert_eq!(
        (reading.text_bytes, reading.complete, reading.undecoded),
        (5, false, false)
    );
    // The last event's blank line may be missing.
    let mut meter = chat(true);
    assert_eq!(
        meter.feed(USAGE.trim_end().as_bytes(), 0, true),
        Passed::Replaced(Vec::new())
    );
    assert_eq!(meter.reading().reported, reported(3, 2));
}

#[test]
fn the_first_token_is_the_first_content() {
    let role = HELLO
        .replace("Hello", "")
        .replace("\"delta\":{", "\"delta\":{\"role\":\"assistant\",");
    let mut meter = chat(false);
    for (now, event) in [": ping\n\n", &role, HELLO, HELLO, USAGE, DONE].iter().enumerate() {
        meter.feed(event.as_bytes(), 100 + now as u64, false);
    }
    assert_eq!(meter.first_token_ns(), Some(102));
    let sound =
        r#"data: {"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"UklGRg=="}},"finish_reason":null}]}"#;
    let mut meter = chat(false);
    meter.feed(format!("{sound}\n\n").as_bytes(), 7, false);
    assert_eq!((meter.first_token_ns(), meter.reading().text_bytes), (Some(7), 0));
}

#[test]
fn what_the_model_says_is_never_taken_for_usage() {
    let said =
        serde_json::to_string(r#"","usage":{"prompt_tokens":9},"choices":[],"error":{"x":1},"finish_reason":"stop"#)
            .unwrap();
    let stream = [HELLO, &HELLO.replace("\"Hello\"", &said), HELLO].concat();
    for hide_usage in [false, true] {
        let (reading, passed) = metered(&mut chat(hide_usage), &[stream.as_bytes()]);
        assert_eq!(passed, stream.as_bytes());
        let expected = Reading {
            text_bytes: 10 + said.replace('\\', "").len() as u64 - 2,
            ..Reading::default()
        };
        assert_eq!(reading, expected);
    }
}

#[test]
fn usage_that_cannot_be_read_is_undecoded_and_not_zero() {
    for usage in [
        r#"{"prompt_tokens":"many"}"#,
        "[]",
        "7",
        "\"x\"",
        r#"{"prompt_tokens":-1}"#,
    ] {
        let event = format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n");
        let (reading, _) = metered(&mut chat(false), &[event.as_bytes()]);
        assert_eq!((reading.reported, reading.undecoded), (None, true), "{usage}");
        let reply = format!("{{\"choices\":[],\"usage\":{usage}}}");
        let (reading, _) = metered(
            &mut Meter::new(Endpoint::Embeddings, false, false, true),
            &[reply.as_bytes()],
        );
        assert_eq!(
            (reading.reported, reading.undecoded, reading.complete),
            (None, true, true),
            "{usage}"
        );
    }
    for (reply, undecoded) in [
        ("<html>", true),
        ("\u{1f}\u{8b}\u{8}", true),
        ("{\"usage\":", false),
        ("", false),
    ] {
        let (reading, _) = metered(
            &mut Meter::new(Endpoint::ChatCompletions, false, false, true),
            &[reply.as_bytes()],
        );
        assert_eq!((reading.undecoded, reading.complete), (undecoded, false), "{reply:?}");
    }
    let (reading, _) = metered(&mut chat(false), &[b"data: Internal Server Error\n\n"]);
    assert!(reading.undecoded);
    let (reading, _) = metered(
        &mut Meter::new(Endpoint::Other, false, false, true),
        &[b"ID3\x03binary"],
    );
    assert_eq!(reading, Reading::default());
}

#[test]
fn an_answer_that_is_no_success_is_not_read() {
    let mut meter = Meter::new(Endpoint::ChatCompletions, true, true, false);
    assert_eq!(meter.feed(USAGE.as_bytes(), 0, true), Passed::Unchanged);
    assert_eq!(meter.reading(), Reading::default());
    let mut meter = Meter::new(Endpoint::CountTokens, false, false, true);
    meter.feed(br#"{"input_tokens":2095}"#, 0, true);
    assert_eq!(meter.reading(), Reading::default());
}

#[test]
fn an_event_too_large_to_put_by_is_read_all_the_same() {
    let picture = "x".repeat(3 << 20);
    let event = format!(
        "event: image_generation.completed\ndata: {{\"type\":\"image_generation.completed\",\"b64_json\":\"{picture}\",\"usage\":{{\"input_tokens\":50,\"output_tokens\":4}}}}\n\n"
    );
    let mut meter = Meter::new(Endpoint::Other, true, false, true);
    for piece in event.as_bytes().chunks(16_384) {
        assert_eq!(meter.feed(piece, 0, false), Passed::Unchanged);
        let Answer::Stream(stream) = &meter.answer else {
            panic!()
        };
        assert!(stream.put_by_len() <= 64 * 1024);
    }
    let reading = meter.reading();
    assert_eq!(
        (reading.reported, reading.complete, reading.undecoded),
        (reported(50, 4), true, false)
    );
}

#[test]
fn hiding_is_given_up_rather_than_withholding_without_bound() {
    let large = HELLO.replace("Hello", &"x".repeat(2 << 20));
    let stream = [HELLO, &large, USAGE, DONE].concat();
    for pieces in [vec![stream.as_bytes()], stream.as_bytes().chunks(10_000).collect()] {
        let (reading, passed) = metered(&mut chat(true), &pieces);
        assert_eq!(passed, stream.as_bytes());
        assert_eq!((reading.reported, reading.text_bytes), (reported(3, 2), 5 + (2 << 20)));
        assert!(!reading.undecoded);
    }
}

#[test]
fn a_reply_of_many_megabytes_is_not_kept() {
    let vector = "-0.0123456,".repeat(1536) + "0.5";
    let element = format!("{{\"object\":\"embedding\",\"index\":0,\"embedding\":[{vector}]}},");
    let reply = format!(
        "{{\"object\":\"list\",\"data\":[{}0],\"model\":\"text-embedding-3-small\",\"usage\":{{\"prompt_tokens\":8,\"total_tokens\":8}}}}",
        element.repeat(200)
    );
    let mut meter = Meter::new(Endpoint::Embeddings, false, false, true);
    for piece in reply.as_bytes().chunks(16_384) {
        meter.feed(piece, 0, false);
    }
    assert_eq!(
        (meter.reading().reported, meter.reading().complete),
        (reported(8, 0), true)
    );
}
