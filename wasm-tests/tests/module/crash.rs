//! Workers whose VM dies, is taken for dead, or is replaced: what they had set aside is free again, once, and no gauge wraps.

use serde_json::{Value, json};
use wasm_tests::{Exchange, Gateway, Reply, Request};

use crate::fixture::*;

/// More ticks than a VM may be silent.
const PATIENCE: usize = 22;

const DAY: &str = "key.budget.day";

fn document_with_rules() -> Value {
    let mut document = agent_with(json!({
        "limits": {"rpm": 100, "tpm": 1_000_000, "parallel": 4},
        "budget": {"usd": 1, "per": "day"}
    }));
    merge(
        &mut document["teams"]["payments"],
        json!({"limits": {"parallel": 10}, "budget": {"tokens": 1_000_000, "per": "day"}}),
    );
    merge(&mut document["providers"]["first"], json!({"limits": {"parallel": 10}}));
    document
}

/// Requests that have come to a provider, whose answer is under way.
fn under_way(gateway: &Gateway, count: usize) -> Vec<Exchange> {
    let mut exchanges: Vec<_> = (0..count).map(|_| gateway.begin(chat_stream("gpt-4o"))).collect();
    for exchange in &mut exchanges {
        for _ in 0..4 {
            assert!(exchange.step());
        }
    }
    exchanges
}

fn in_flight(gateway: &Gateway) -> u64 {
    gateway.process.metric("tollgate_requests_in_flight", &[])
}

fn told_in_flight(gateway: &Gateway) -> Value {
    gateway.send(Request::get("/tollgate/v1/me").bearer(AGENT_KEY)).json()["in_flight"].clone()
}

/// Nothing is set aside or under way, and no gauge has gone below 0.
fn nothing_left(gateway: &Gateway) {
    for (rule, member) in [
        ("key.parallel", "used"),
        ("team.parallel", "used"),
        (DAY, "set_aside"),
        ("team.token_budget.day", "set_aside"),
    ] {
        assert_eq!(amount(gateway, rule, member), 0, "{rule}");
    }
    assert_eq!(told_in_flight(gateway), 0);
    assert_eq!(in_flight(gateway), 0);
    for series in gateway.process.series() {
        assert!(series.value < 1 << 62, "{} went below 0", series.encoded);
        assert!(
            series.value == 0 || !series.name.contains("set_aside"),
            "{}",
            series.encoded
        );
    }
}

fn two_workers() -> (Gateway, Gateway) {
    let gateway = Gateway::start(&document_with_rules(), &ENV);
    gateway.answers("first", Reply::stream(chat_events(5)));
    let other = gateway.another_worker(&document_with_rules(), &ENV);
    gateway.tick();
    other.tick();
    (gateway, other)
}

#[test]
fn what_a_dead_worker_had_set_aside_is_free_again() {
    let (gateway, doomed) = two_workers();
    let own = under_way(&gateway, 1);
    for exchange in under_way(&doomed, 3) {
        exchange.vanish();
    }
    assert_eq!(in_flight(&gateway), 4);
    assert_eq!(refused_by(&gateway.send(chat("gpt-4o"))), "key.parallel");
    let aside = amount(&gateway, DAY, "set_aside");
    let mut seconds = 0;
    while amount(&gateway, "key.parallel", "used") == 4 {
        gateway.tick();
        seconds += 1;
        assert!(seconds < 30, "never taken for dead");
    }
    assert!((20..=22).contains(&seconds), "{seconds}");
    assert_eq!(
        amount(&gateway, "key.parallel", "used"),
        1,
        "the living one keeps its own"
    );
    assert_eq!(amount(&gateway, DAY, "set_aside"), aside / 4);
    gateway.tick();
    assert_eq!((in_flight(&gateway), told_in_flight(&gateway)), (1, json!(1)));
    for _ in 0..5 {
        gateway.tick();
    }
    assert_eq!(in_flight(&gateway), 1, "brought back once");
    for exchange in own {
        assert_eq!(exchange.run().status, 200);
    }
    gateway.tick();
    nothing_left(&gateway);
    assert_eq!(amount(&gateway, DAY, "used"), CHAT_COST);
}

#[test]
fn the_one_that_leads_may_die_as_well() {
    let (leading, gateway) = two_workers();
    for exchange in under_way(&leading, 2) {
        exchange.vanish();
    }
    for _ in 0..PATIENCE + 1 {
        gateway.tick();
    }
    nothing_left(&gateway);
}

#[test]
fn one_that_dies_before_it_ever_ticked_is_found_out_too() {
    let (gateway, _) = two_workers();
    let doomed = gateway.another_worker(&document_with_rules(), &ENV);
    for exchange in under_way(&doomed, 2) {
        exchange.vanish();
    }
    for _ in 0..PATIENCE + 1 {
        gateway.tick();
    }
    nothing_left(&gateway);
}

#[test]
fn one_that_was_only_taken_for_dead_settles_and_is_counted_out_once() {
    let (gateway, silent) = two_workers();
    let exchanges = under_way(&silent, 3);
    for _ in 0..PATIENCE {
        gateway.tick();
    }
    gateway.tick();
    nothing_left(&gateway);
    // It lives after all: its requests end, one before it ticks again, and two after that.
    let mut exchanges = exchanges.into_iter();
    assert_eq!(exchanges.next().unwrap().run().status, 200);
    nothing_left(&gateway);
    silent.tick();
    let new = under_way(&silent, 1);
    assert_eq!((in_flight(&gateway), amount(&gateway, "key.parallel", "used")), (1, 1));
    assert_eq!(exchanges.next().unwrap().run().status, 200);
    drop(exchanges.next().unwrap().hang_up());
    assert_eq!(
        (in_flight(&gateway), amount(&gateway, "key.parallel", "used")),
        (1, 1),
        "the new one's"
    );
    for exchange in new {
        assert_eq!(exchange.run().status, 200);
    }
    gateway.tick();
    nothing_left(&gateway);
    // What they used is spent nevertheless.
    let cost = gateway.process.metric("tollgate_cost_nanodollars_total", &[]);
    assert!(cost > 3 * CHAT_COST);
    assert_eq!(amount(&gateway, DAY, "used"), cost);
    assert_eq!(
        gateway.process.metric("tollgate_requests_total", &[]),
        4 + told(&gateway)
    );
}

/// How many of the requests were for this test's own looks.
fn told(gateway: &Gateway) -> u64 {
    gateway
        .process
        .metric("tollgate_requests_total", &[("endpoint", "status")])
}

#[test]
fn one_that_comes_back_before_it_is_counted_out_counts_itself_out() {
    let (gateway, silent) = two_workers();
    let exchanges = under_way(&silent, 2);
    // Requests in the same moment in which it is found dead, before anybody has gone through the keys.
    for _ in 0..PATIENCE {
        silent.process.advance(std::time::Duration::from_secs(1));
        gateway.worker.tick();
        if amount(&gateway, "key.parallel", "used") == 0 {
            break;
        }
    }
    let late = under_way(&silent, 1);
    for exchange in exchanges.into_iter().chain(late) {
        assert_eq!(exchange.run().status, 200);
    }
    for _ in 0..3 {
        gateway.tick();
        silent.tick();
    }
    nothing_left(&gateway);
}

#[test]
fn a_newer_module_takes_over_while_requests_are_under_way() {
    let gateway = Gateway::start(&document_with_rules(), &ENV);
    gateway.answers("first", Reply::stream(chat_events(5)));
    gateway.tick();
    let exchanges = under_way(&gateway, 2);
    let waiting = {
        let mut exchange = gateway.begin(chat("gpt-4o").in_pieces_of(20));
        exchange.step();
        exchange
    };
    gateway.worker.renew_vm();
    assert!(gateway.configure(&document_with_rules()));
    // As long as it has streams, the old one goes on ticking.
    for _ in 0..PATIENCE * 2 {
        gateway.tick();
        assert_eq!(in_flight(&gateway), 3);
        assert_eq!(amount(&gateway, "key.parallel", "used"), 2);
    }
    let new = under_way(&gateway, 2);
    assert_eq!((in_flight(&gateway), amount(&gateway, "key.parallel", "used")), (5, 4));
    assert_eq!(refused_by(&gateway.send(chat("gpt-4o"))), "key.parallel");
    for exchange in exchanges.into_iter().chain(new) {
        assert_eq!(exchange.run().status, 200);
    }
    assert_eq!((in_flight(&gateway), amount(&gateway, "key.parallel", "used")), (1, 0));
    assert_eq!(waiting.run().status, 200);
    gateway.worker.end_old_vms();
    // The old one led; it takes as long as for any other to find that it is gone.
    for _ in 0..PATIENCE + 1 {
        gateway.tick();
    }
    nothing_left(&gateway);
    let cost = gateway.process.metric("tollgate_cost_nanodollars_total", &[]);
    assert_eq!(amount(&gateway, DAY, "used"), cost);
}

#[test]
fn a_worker_that_ticks_is_never_taken_for_dead_however_unevenly() {
    let (gateway, other) = two_workers();
    let exchanges = under_way(&other, 3);
    for round in 0..200 {
        gateway.tick();
        // Up to nineteen signs late.
        if round % 19 == 18 {
            other.worker.tick();
        }
        assert_eq!(amount(&gateway, "key.parallel", "used"), 3, "round {round}");
    }
    for exchange in exchanges {
        assert_eq!(exchange.run().status, 200);
    }
    gateway.tick();
    nothing_left(&gateway);
}

#[test]
fn a_clock_of_the_calendar_that_is_set_back_gives_nothing_back_and_takes_nothing_away() {
    let (gateway, _) = two_workers();
    gateway.answers_now("first", chat_reply());
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    gateway.process.turn_back(std::time::Duration::from_secs(86_400 * 3));
    assert_eq!(amount(&gateway, DAY, "used"), CHAT_COST);
    assert_eq!(amount(&gateway, "key.rpm", "used"), 1);
    pass(&gateway, 60);
    assert_eq!(
        amount(&gateway, "key.rpm", "used"),
        0,
        "a minute is a minute by any calendar"
    );
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    assert_eq!(amount(&gateway, DAY, "used"), 2 * CHAT_COST);
    gateway.tick();
    nothing_left(&gateway);
}
