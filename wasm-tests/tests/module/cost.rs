//! What a request costs in instructions of the module and in memory. The numbers are printed; asserted are only shapes
//! that hold on any machine, because instructions do not depend on one.

use wasm_tests::{Process, Reply, Request, Role, Worker};

use crate::fixture::*;

/// Instructions of one warm exchange.
fn instructions(gateway: &wasm_tests::Gateway, request: &Request) -> u64 {
    gateway.send(request.clone());
    gateway.send(request.clone());
    let before = gateway.worker.instructions();
    gateway.send(request.clone());
    gateway.worker.instructions() - before
}

fn stream_of(deltas: usize) -> u64 {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(deltas)));
    instructions(&gateway, &chat_stream("gpt-4o"))
}

#[test]
fn an_event_costs_the_same_however_long_its_stream_is() {
    let (short, middle, long) = (stream_of(100), stream_of(1_000), stream_of(10_000));
    let early = (middle - short) / 900;
    let late = (long - middle) / 9_000;
    println!(
        "instructions: stream of 101 events {}, each further event {early}, later {late}",
        stream_of(97)
    );
    assert!(late <= early + early / 10, "{early} an event at first, {late} later");
}

#[test]
fn a_json_exchange_costs_little_and_the_same_each_time() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    let first = instructions(&gateway, &chat("gpt-4o"));
    for _ in 0..200 {
        gateway.send(chat("gpt-4o"));
    }
    let later = instructions(&gateway, &chat("gpt-4o"));
    gateway.answers("second", chat_reply());
    let alone = instructions(&gateway, &chat("gpt-4o-mini"));
    println!("instructions: JSON exchange with two targets {later}, with one {alone}");
    assert!(
        later <= first + first / 10,
        "{first} at first, {later} after 200 others"
    );
}

#[test]
fn the_cost_of_a_request_grows_no_faster_than_its_body() {
    let of_size = |size: usize| {
        let gateway = gateway();
        gateway.answers("first", chat_reply());
        let body = format!(
            r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{}"}}]}}"#,
            "word ".repeat(size / 5)
        );
        instructions(
            &gateway,
            &Request::post(CHAT).bearer(AGENT_KEY).json(body).in_pieces_of(16 << 10),
        )
    };
    let (small, large) = (of_size(100_000), of_size(1_000_000));
    println!("instructions: body of 100 kB {small}, of 1 MB {large}");
    assert!(large <= 12 * small, "{small} for 100 kB, {large} for 1 MB");
}

#[test]
fn a_refusal_costs_less_than_service() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    let served = instructions(&gateway, &chat("gpt-4o"));
    let refused = instructions(&gateway, &chat("gpt-4o").bearer("tg-wrong"));
    println!("instructions: served {served}, refused for its key {refused}");
    assert!(refused < served);
}

#[test]
fn a_vm_keeps_no_memory_of_what_is_over() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(200)));
    let send = |times: usize| {
        for index in 0..times {
            match index % 3 {
                0 => gateway.send(chat_stream("gpt-4o")),
                1 => gateway.send_and_hang_up(chat_stream("gpt-4o"), 50),
                _ => gateway.send(chat("gpt-9")),
            };
        }
    };
    send(60);
    let before = gateway.worker.memory_bytes();
    send(600);
    println!("memory: {} kB", gateway.worker.memory_bytes() / 1024);
    assert_eq!(gateway.worker.memory_bytes(), before);
}

/// Every subject of the agent's request with every kind of limit, two budgets each, and the loop guard.
fn everything_limited() -> serde_json::Value {
    let rules = || {
        serde_json::json!({
            "limits": {"rpm": 1_000_000, "tpm": 1_000_000_000, "parallel": 1_000},
            "budget": [{"usd": 1_000_000, "per": "month"}, {"tokens": 1_000_000_000_000_u64, "over": "24h"}]
        })
    };
    let mut document = document();
    let merge = |into: &mut serde_json::Value| {
        let serde_json::Value::Object(members) = rules() else {
            return;
        };
        into.as_object_mut().unwrap().extend(members);
    };
    merge(&mut document);
    for place in ["/providers/first", "/models/gpt-4o", "/teams/payments", "/keys/0"] {
        merge(document.pointer_mut(place).unwrap());
    }
    document["keys"][0]["per_model"] = serde_json::json!({"gpt-4o": rules()});
    document["loop_guard"] = serde_json::json!({"requests": {"warn": null, "slow": null, "block": null}});
    document
}

#[test]
fn limits_cost_the_same_for_every_request() {
    let off = gateway();
    off.answers("first", chat_reply());
    let off = instructions(&off, &chat("gpt-4o"));
    let gateway = wasm_tests::Gateway::start(&everything_limited(), &ENV);
    gateway.answers("first", chat_reply());
    let first = instructions(&gateway, &chat("gpt-4o"));
    for _ in 0..300 {
        gateway.process.advance(std::time::Duration::from_millis(250));
        gateway.send(chat("gpt-4o"));
    }
    let later = instructions(&gateway, &chat("gpt-4o"));
    println!("instructions: without limits {off}, with all of them {first}, with full windows {later}");
    assert!(later <= 3 * off, "{off} without limits, {later} with full windows");
}

/// As many keys in a tenth as many teams, limited all of them.
fn crowded(keys: usize) -> String {
    let rules = serde_json::json!({
        "limits": {"rpm": 1_000_000, "tpm": 1_000_000_000, "parallel": 1_000},
        "budget": [{"usd": 1_000_000, "per": "month"}, {"tokens": 1_000_000_000_000_u64, "over": "24h"}]
    });
    let mut document = document();
    for number in 0..keys / 10 {
        document["teams"][format!("team-{number:04}")] = rules.clone();
    }
    let key = |number: usize| {
        let mut key = serde_json::json!({
            "name": format!("key-{number:05}"),
            "sha256": sha256(&format!("tg-{number}")),
            "team": format!("team-{:04}", number % (keys / 10)),
        });
        merge(&mut key, rules.clone());
        key
    };
    document["keys"] = (0..keys).map(key).collect();
    document.to_string()
}

#[test]
fn a_key_costs_the_same_among_ten_thousand_as_among_a_thousand() {
    let configured = |keys: usize| {
        let document = crowded(keys);
        let process = Process::start();
        let worker = Worker::start(&process, &ENV);
        let cost = |role| {
            let before = worker.instructions();
            assert!(worker.configure(role, &document), "{}", process.log_text());
            worker.instructions() - before
        };
        let (first, second) = (cost(Role::Gateway), cost(Role::Provider));
        println!(
            "configuring {keys} keys, {} kB: instructions {first}, of the other role {second}; memory {} kB",
            document.len() / 1024,
            worker.memory_bytes() / 1024
        );
        first
    };
    let (few, some, many) = (configured(100), configured(1_000), configured(10_000));
    let (early, late) = ((some - few) / 900, (many - some) / 9_000);
    println!("instructions: each of 1,000 keys {early}, each of 10,000 {late}");
    assert!(
        late <= early + early / 5,
        "{early} a key among 1,000, {late} among 10,000"
    );
}
