//! What the core computes and reads must not depend on the width of a pointer: sums of money and tokens beyond 32 bits,
//! offsets, times beyond 2038, and every cut of a stream.
#![expect(clippy::unwrap_used, reason = "whatever is not as it should be fails the test")]

use std::rc::Rc;

use serde_json::{Value, json};
use tollgate::ask;
use tollgate::caller;
use tollgate::document::Document;
use tollgate::endpoint::Endpoint;
use tollgate::handoff::{Handoff, Place, Stop};
use tollgate::headers::Headers;
use tollgate::limit::admit;
use tollgate::limit::cell::Cell;
use tollgate::limit::rule::{Budget, Period, Share, Then, Unit};
use tollgate::limit::store::{Books, Census, Clock, Memory, Owner};
use tollgate::limit::window::Length;
use tollgate::meter::{Meter, Passed, Reading};
use tollgate::metrics::{Metric, Sink};
use tollgate::pipeline::{self, Ending, Heading, Now, Onward, Receipt};
use tollgate::usage::Usage;
use tollgate::world::World;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const KEY: &str = "tg-agent";
/// 2060, in nanoseconds.
const T0: u64 = 2_840_140_800_000_000_000;

fn world() -> Rc<World> {
    let sha256: String = caller::digest(KEY.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let document = json!({
        "max_body_bytes": 1_073_741_824,
        "providers": {
            "first": {"dialect": "openai", "endpoint": "https://first.test/v1", "credential": {"env": "FIRST"}},
            "second": {"dialect": "openai", "endpoint": "https://second.test/v1"}
        },
        "models": {"gpt-4o": {"targets": [{"provider": "first"}, {"provider": "second", "model": "llama"}], "aliases": ["best"]}},
        "keys": [{"name": "agent", "sha256": sha256, "expires": "2107-01-01T00:00:00Z"}],
        "prices": [
            {"provider": "first", "model": "gpt-4o", "input": 2.5, "cached_input": 1.25, "output": 10, "per_request": 0.01,
             "tiers": [{"above": 5_000_000_000_u64, "input": 5, "output": 20}]},
            {"provider": "second", "model": "llama", "input": 0.1, "output": 0.4}
        ]
    });
    let document = Document::parse(&document.to_string()).unwrap();
    Rc::new(World::compile(&document, &|name| Some(format!("sk-{name}"))).unwrap())
}

#[test]
fn a_digest_is_the_published_one() {
    let hex: String = caller::digest(b"abc")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn money_beyond_32_bits_is_exact() {
    let world = world();
    let model = world.model(world.model_by_name("gpt-4o").unwrap()).unwrap();
    let price = model.targets.first().unwrap().price.as_ref().unwrap();
    let usage = Usage {
        input: 3_000_000_001,
        cached_input: 1_999_999_999,
        output: 4_294_967_297,
        ..Usage::default()
    };
    // Picodollars: 10^10 for the request, 3 000 000 001 × 2.5·10^6, 1 999 999 999 × 1.25·10^6, 4 294 967 297 × 10^7.
    // Worked out with Python's integers, for the tier too, in which cached input costs what it does below.
    let exact =
        10_000_000_000_u128 + 3_000_000_001 * 2_500_000 + 1_999_999_999 * 1_250_000 + 4_294_967_297 * 10_000_000;
    assert_eq!(u128::from(price.cost(&usage, None).0), (exact + 500) / 1000);
    assert_eq!(price.cost(&usage, None).to_string(), "$52949.682971250");
    let longer = Usage {
        input: 3_000_000_002,
        ..usage
    };
    assert_eq!(
        price.cost(&longer, None).to_string(),
        "$103399.355948750",
        "one token into the tier"
    );
}

#[test]
fn a_key_may_expire_after_2038_and_after_2106() {
    let world = world();
    let authenticate =
        |year_seconds| caller::authenticate(&world, Some(KEY.as_bytes()), caller::UnixSeconds(year_seconds));
    assert!(authenticate(2_147_483_648).is_ok(), "2038");
    assert!(authenticate(4_294_967_296).is_ok(), "2106");
    assert!(authenticate(4_323_283_200).is_err(), "2107");
    assert_eq!(
        caller::UnixSeconds::parse("2107-01-01T00:00:00Z").unwrap().0,
        4_323_283_200
    );
}

#[test]
fn numbers_beyond_32_bits_are_read_from_an_answer() {
    let answer = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {
        "prompt_tokens": 6_000_000_000_u64, "completion_tokens": 5_000_000_000_u64,
        "prompt_tokens_details": {"cached_tokens": 4_294_967_296_u64}}});
    let reading = read(
        &Meter::new(Endpoint::ChatCompletions, false, false, true),
        &[answer.to_string().as_bytes()],
    )
    .0;
    let expected = Usage {
        input: 1_705_032_704,
        cached_input: 4_294_967_296,
        output: 5_000_000_000,
        ..Usage::default()
    };
    assert_eq!(reading.reported, Some(expected));
    assert!(reading.complete);
}

fn read(meter: &Meter, chunks: &[&[u8]]) -> (Reading, Vec<u8>) {
    let mut meter = meter.clone();
    let mut passed = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        match meter.feed(chunk, 7 + index as u64, index + 1 == chunks.len()) {
            Passed::Unchanged => passed.extend_from_slice(chunk),
            Passed::Replaced(bytes) => passed.extend(bytes),
        }
    }
    (meter.reading(), passed)
}

fn openai_stream() -> (Vec<u8>, Vec<u8>) {
    let event = |value: &Value| format!("data: {value}\r\n\r\n");
    let delta = |text: &str| event(&json!({"choices": [{"index": 0, "delta": {"content": text}}], "usage": null}));
    let usage = event(
        &json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 1}}}),
    );
    let before = [delta("grüß "), ": a comment\n\n".to_owned(), delta("日本 \"\\u00fc\"")].concat();
    let after = "data: [DONE]\n\n";
    let visible = [before.as_bytes(), after.as_bytes()].concat();
    (
        [before.as_bytes(), usage.as_bytes(), after.as_bytes()].concat(),
        visible,
    )
}

fn anthropic_stream() -> Vec<u8> {
    let event = |value: Value| {
        format!(
            "event: {}\ndata: {value}\n\n",
            value.get("type").and_then(Value::as_str).unwrap()
        )
    };
    [
        event(
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 9, "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 1}, "output_tokens": 1}}}),
        ),
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "grüß"}})),
        event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}})),
        event(json!({"type": "message_stop"})),
    ]
    .concat()
    .into_bytes()
}

#[test]
fn it_makes_no_difference_where_a_stream_is_cut() {
    let (stream, visible) = openai_stream();
    let cases = [
        (
            Meter::new(Endpoint::ChatCompletions, true, true, true),
            stream.clone(),
            visible,
        ),
        (
            Meter::new(Endpoint::ChatCompletions, true, false, true),
            stream.clone(),
            stream,
        ),
        (
            Meter::new(Endpoint::Messages, true, false, true),
            anthropic_stream(),
            anthropic_stream(),
        ),
    ];
    for (meter, stream, visible) in cases {
        let (whole, passed) = read(&meter, &[&stream]);
        assert_eq!(String::from_utf8_lossy(&passed), String::from_utf8_lossy(&visible));
        assert!(
            whole.reported.is_some() && whole.complete && !whole.undecoded,
            "{whole:?}"
        );
        for cut in 1..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(
                read(&meter, &[head, tail]),
                (whole.clone(), visible.clone()),
                "cut at {cut}"
            );
        }
        for size in 1..20 {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(
                read(&meter, &chunks),
                (whole.clone(), visible.clone()),
                "pieces of {size}"
            );
        }
    }
}

#[test]
fn what_a_stream_reports_is_what_it_says() {
    let (stream, _) = openai_stream();
    let reading = read(&Meter::new(Endpoint::ChatCompletions, true, true, true), &[&stream]).0;
    assert_eq!(
        reading.reported,
        Some(Usage {
            input: 9,
            output: 2,
            reasoning: 1,
            ..Usage::default()
        })
    );
    let reading = read(
        &Meter::new(Endpoint::Messages, true, false, true),
        &[&anthropic_stream()],
    )
    .0;
    let expected = Usage {
        input: 9,
        cached_input: 4,
        cache_write_1h: 2,
        cache_write_5m: 1,
        output: 5,
        ..Usage::default()
    };
    assert_eq!(reading.reported, Some(expected));
}

#[test]
fn a_body_is_read_and_edited_in_place() {
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"日本 {\\\"model\\\"\"}],\"stream\":true, \"model\" : \"b\\u0065st\",\"n\":2}";
    let ask = ask::read(Endpoint::ChatCompletions, body.as_bytes()).unwrap();
    assert_eq!(
        (ask.model.as_str(), ask.stream, ask.choices, ask.usage_asked),
        ("best", true, 2, false)
    );
    let edited = String::from_utf8(
        ask.rewrite(
            body.as_bytes(),
            ask::Edits {
                model: Some("gpt-4o"),
                include_usage: true,
                max_output_tokens: None,
            },
        )
        .unwrap(),
    )
    .unwrap();
    let value: Value = serde_json::from_str(&edited).unwrap();
    assert_eq!(value.get("model"), Some(&json!("gpt-4o")));
    assert_eq!(value.get("stream_options"), Some(&json!({"include_usage": true})));
    assert!(edited.contains("日本 {\\\"model\\\""));
    let large = ask::read(
        Endpoint::ChatCompletions,
        br#"{"model":"m","max_tokens":5000000000,"n":1}"#,
    )
    .unwrap();
    assert_eq!(large.max_output_tokens, Some(5_000_000_000));
}

#[test]
fn a_body_that_is_wrong_is_told_where_on_any_machine() {
    let deep = format!("{{\"model\":\"a\",\"x\":{}", "[".repeat(100_000));
    for (body, told) in [
        (r#"{"model": }"#, "line 1, column 11"),
        ("{\n \"model\":\"a\",\n \"model\":\"b\"}", "more than once"),
        (&deep, "deep"),
        (r#"{"model":"a"#, "line 1"),
    ] {
        let error = ask::read(Endpoint::ChatCompletions, body.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_crosses_between_the_roles_is_64_bits_wide() {
    let handoff = Handoff {
        place: Place {
            vm: u64::MAX,
            exchange: 1 << 40,
        },
        begun: 1,
        endpoint: Endpoint::ChatCompletions,
        path: "/v1/chat/completions?a=b".to_owned(),
        max_output_tokens: Some(u64::MAX),
        stream: true,
        legs: vec![Stop {
            provider: "first".to_owned(),
            credential: usize::MAX,
            model: "gpt-4o".to_owned(),
        }],
    };
    assert_eq!(Handoff::decode(&handoff.encode()), Some(handoff));
}

#[test]
fn what_is_used_and_when_is_64_bits_wide() {
    let census = Census::default();
    let later = Clock {
        wall: Now(T0).seconds(),
        steady: 1 << 42,
    };
    let year = Period::Rolling { seconds: 31_536_000 };
    let mut cell = Cell::default();
    cell.tokens().add(Length::MINUTE, later.steady, 5_000_000_000);
    let budget = Budget {
        unit: Unit::Nanodollars,
        most: 1 << 63,
        raise: None,
        period: year,
        warn_at: Share::DEFAULT,
        then: Then::Block,
        shadow: false,
    };
    cell.spend(&budget, std::slice::from_ref(&budget), later, 1 << 62);
    cell.hold(Owner(1), |held| held.nanodollars = 1 << 41);
    let mut again = Cell::decode(cell.into_bytes(), &census);
    assert_eq!(again.tokens().sum(Length::MINUTE, later.steady + 59_999), 5_000_000_000);
    assert_eq!(again.tokens().sum(Length::MINUTE, later.steady + 60_000), 0);
    assert_eq!(again.set_aside().nanodollars, 1 << 41);
    let mut ledger = again.ledger(Unit::Nanodollars, year).unwrap();
    assert_eq!(ledger.spent(later), 1 << 62);
    assert_eq!(ledger.until_afresh(later), 31_536_000_000);
}

#[test]
fn a_request_is_counted_in_and_out() {
    let (mut store, census) = (Memory::default(), Census::default());
    let mut books = Books {
        store: &mut store,
        clock: Clock::default(),
        owner: Owner(1),
        census: &census,
    };
    admit::enter("key", &mut books).unwrap();
    assert_eq!(admit::leave("key", Owner(1), &mut books), Ok(true));
    assert_eq!(admit::leave("key", Owner(1), &mut books), Ok(false));
}

/// Sums of what is observed, by metric.
#[derive(Default)]
struct Ledger(std::collections::BTreeMap<&'static str, u64>);

impl Sink for Ledger {
    fn observe(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        assert_eq!(metric.labels.len(), labels.len());
        *self.0.entry(metric.name).or_default() += value;
    }
}

#[test]
fn a_whole_exchange_comes_to_the_same_bill() {
    let world = world();
    let bearer = format!("Bearer {KEY}");
    let headers = Headers::from_pairs([
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        (":authority", "gateway.test"),
        ("authorization", &bearer),
        ("content-type", "application/json"),
        ("content-length", "1073741823"),
    ]);
    let (mut store, census) = (Memory::default(), Census::default());
    let mut books = Books {
        store: &mut store,
        clock: Clock {
            wall: Now(T0).seconds(),
            steady: 5_000_000_000,
        },
        owner: Owner(1),
        census: &census,
    };
    let Receipt::Await(received) = pipeline::receive(&world, &headers, false, Now(T0), &mut books) else {
        panic!("not received")
    };
    let body = br#"{"model":"best","stream":true,"messages":[]}"#;
    let mut sent = received.ask(body, &mut books).expect("the key may use the model");
    assert_eq!(sent.cluster(), Some("first"));
    sent.begin(&headers, Now(T0), &mut books).unwrap();
    let translated = String::from_utf8(sent.translate(body).unwrap().unwrap()).unwrap();
    assert!(
        translated.contains(r#""model":"gpt-4o""#) && translated.contains("include_usage"),
        "{translated}"
    );
    let head = Headers::from_pairs([(":status", "200"), ("content-type", "text/event-stream")]);
    // Another target is left: nothing passes before the first token.
    assert_eq!(sent.reply_head(&head, false, Now(T0)), Heading::Held);
    let (stream, visible) = openai_stream();
    let mut passed = Vec::new();
    let chunks = stream.chunks(5);
    let last = chunks.len() - 1;
    for (index, chunk) in chunks.enumerate() {
        // A second for each chunk: the whole takes longer than 32 bits of nanoseconds hold.
        let now = Now(T0 + index as u64 * 1_000_000_000);
        match sent.reply_chunk(chunk, now, index == last) {
            Onward::Unchanged => passed.extend_from_slice(chunk),
            Onward::Replaced(bytes) | Onward::Released(_, bytes) => passed.extend(bytes),
            Onward::Held => {}
        }
    }
    assert_eq!(passed, visible);
    let mut ledger = Ledger::default();
    sent.record(Ending::ByClient, Now(T0 + 7_000_000_000_000))
        .observe(&mut ledger);
    // $0.01 for the request, 9 × $2.50/M and 3 × $10/M.
    assert_eq!(ledger.0.get("tollgate_cost_nanodollars_total"), Some(&10_052_500));
    assert_eq!(ledger.0.get("tollgate_tokens_total"), Some(&12));
    assert_eq!(ledger.0.get("tollgate_request_duration_milliseconds"), Some(&7_000_000));
}
