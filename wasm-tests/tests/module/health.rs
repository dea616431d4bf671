//! A provider that fails is left alone, tried, and comes back by degrees; all workers know it, and the operator sees it.

use serde_json::json;
use wasm_tests::{End, Gateway, Outcome, Reply};

use crate::fixture::*;

fn first_of(outcome: &Outcome) -> &str {
    outcome.attempts.first().map_or("", |attempt| attempt.cluster.as_str())
}

/// A proxy whose first provider answers so, and whose second serves.
fn failing(reply: Reply) -> Gateway {
    let gateway = gateway();
    gateway.answers("first", reply).answers("second", chat_reply());
    gateway
}

/// How much of its traffic a provider is shown to get.
fn shown(gateway: &Gateway, provider: &str) -> u64 {
    gateway.tick();
    gateway
        .process
        .metric("tollgate_provider_health_percent", &[("provider", provider)])
}

fn rests(gateway: &Gateway, reason: &str) -> u64 {
    let labels = [("provider", "first"), ("reason", reason)];
    gateway.process.metric("tollgate_provider_rests_total", &labels)
}

/// Which provider each of so many requests went to first: how many to `first`.
fn tried_first(gateway: &Gateway, requests: usize) -> usize {
    (0..requests)
        .filter(|_| {
            let outcome = gateway.send(chat("gpt-4o"));
            assert_eq!(
                (outcome.end, outcome.status),
                (End::Complete, 200),
                "{}",
                outcome.text()
            );
            first_of(&outcome) == "first"
        })
        .count()
}

#[test]
fn who_fails_five_times_in_a_row_rests_and_is_tried_again() {
    for reply in [
        Reply::json(500, "{}"),
        Reply::refused(),
        Reply::json(200, r#"{"error":{"message":"Internal.","type":"server_error"}}"#),
    ] {
        let gateway = failing(reply.clone());
        assert_eq!(shown(&gateway, "first"), 100);
        assert_eq!(tried_first(&gateway, 5), 5);
        assert_eq!(tried_first(&gateway, 5), 0, "it rests");
        assert_eq!((shown(&gateway, "first"), shown(&gateway, "second")), (0, 100));
        assert_eq!(rests(&gateway, "failed"), 1);
        // One tries it, and it fails at once: twice as long.
        pass(&gateway, 10);
        assert_eq!(tried_first(&gateway, 3), 1);
        pass(&gateway, 11);
        assert_eq!(tried_first(&gateway, 3), 0);
        pass(&gateway, 10);
        gateway.answers_now("first", chat_reply());
        assert!(tried_first(&gateway, 1) == 1, "one is served");
        assert_eq!(shown(&gateway, "first"), 13, "a tenth, and a second of thirty");
        let some = tried_first(&gateway, 40);
        assert!((1..20).contains(&some), "{some} of 40");
        pass(&gateway, 31);
        assert_eq!(shown(&gateway, "first"), 100);
        assert_eq!(tried_first(&gateway, 10), 10);
        assert_eq!(recorded(&gateway).1, 0);
    }
}

#[test]
fn what_one_worker_has_met_with_all_of_them_know() {
    let gateway = failing(Reply::json(503, "{}"));
    let other = gateway.another_worker(&document(), &ENV);
    assert_eq!((tried_first(&gateway, 3), tried_first(&other, 2)), (3, 2));
    assert_eq!((tried_first(&gateway, 3), tried_first(&other, 3)), (0, 0));
    pass(&gateway, 11);
    // While one tries it, nobody else does, at whichever worker.
    gateway.answers_now("first", Reply::stream(chat_events(3)));
    let mut trial = gateway.begin(chat_stream("gpt-4o"));
    for _ in 0..3 {
        assert!(trial.step());
    }
    assert_eq!((tried_first(&gateway, 3), tried_first(&other, 3)), (0, 0));
    let outcome = trial.run();
    assert_eq!((first_of(&outcome), outcome.status), ("first", 200));
    pass(&gateway, 31);
    gateway.answers_now("first", chat_reply());
    assert_eq!((tried_first(&gateway, 3), tried_first(&other, 3)), (3, 3));
    assert_eq!(recorded(&gateway).1, 0);
}

#[test]
fn a_trial_whose_client_leaves_is_free_for_the_next() {
    let gateway = failing(Reply::json(503, "{}"));
    assert_eq!(tried_first(&gateway, 5), 5);
    pass(&gateway, 11);
    gateway.answers_now("first", Reply::stream(chat_events(3)));
    let outcome = gateway.send_and_hang_up(chat_stream("gpt-4o"), 3);
    assert_eq!((outcome.end, first_of(&outcome)), (End::HungUp, "first"));
    gateway.answers_now("first", chat_reply());
    assert_eq!(tried_first(&gateway, 1), 1);
}

#[test]
fn what_a_client_did_wrong_does_not_count() {
    let gateway = failing(Reply::json(400, "{}"));
    for _ in 0..12 {
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!((outcome.status, first_of(&outcome)), (400, "first"));
    }
    for _ in 0..12 {
        gateway.answers_now("first", Reply::silence());
        gateway.send_and_hang_up(chat("gpt-4o"), 2);
    }
    assert_eq!(shown(&gateway, "first"), 100);
    assert!(
        gateway
            .process
            .series()
            .iter()
            .all(|series| series.name != "tollgate_provider_rests_total")
    );
}

#[test]
fn whoever_is_asked_too_often_rests_as_long_as_it_says_and_with_that_model_alone() {
    let mut document = document();
    document["models"]["gpt-5"] = json!({"targets": [{"provider": "first"}, {"provider": "second"}]});
    let gateway = Gateway::start(&document, &ENV);
    let busy = Reply::json(429, "{}").header("retry-after", "20");
    gateway.answers("first", busy).answers("second", chat_reply());
    assert_eq!(tried_first(&gateway, 3), 1);
    assert_eq!(rests(&gateway, "limited"), 1);
    gateway.answers_now("first", chat_reply());
    assert_eq!(first_of(&gateway.send(chat("gpt-5"))), "first");
    assert_eq!(shown(&gateway, "first"), 100, "it is there");
    pass(&gateway, 18);
    assert_eq!(tried_first(&gateway, 3), 0);
    pass(&gateway, 2);
    assert!(tried_first(&gateway, 3) >= 1);
}

#[test]
fn a_refused_credential_rests_for_a_minute() {
    let gateway = failing(Reply::json(401, "{}"));
    assert_eq!(tried_first(&gateway, 3), 1);
    assert_eq!(shown(&gateway, "first"), 0);
    pass(&gateway, 50);
    assert_eq!(tried_first(&gateway, 2), 0);
    gateway.answers_now("first", chat_reply());
    pass(&gateway, 10);
    assert!(tried_first(&gateway, 2) >= 1);
}

#[test]
fn where_all_rest_they_are_tried_all_the_same() {
    let gateway = gateway();
    for provider in ["first", "second"] {
        gateway.answers(provider, Reply::json(503, "{}"));
    }
    for _ in 0..8 {
        let outcome = gateway.send(chat("gpt-4o"));
        assert_eq!((outcome.status, outcome.attempts.len()), (503, 2));
    }
    gateway.answers_now("second", chat_reply());
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
}

#[test]
fn what_a_provider_says_of_its_own_limits_is_shown() {
    let reply = chat_reply()
        .header("x-ratelimit-limit-requests", "5000")
        .header("x-ratelimit-remaining-requests", "4999")
        .header("x-ratelimit-limit-tokens", "80000")
        .header("x-ratelimit-remaining-tokens", "79000");
    let gateway = failing(reply);
    assert_eq!(tried_first(&gateway, 1), 1);
    gateway.tick();
    for (quota, limit, remaining) in [("requests", 5_000, 4_999), ("tokens", 80_000, 79_000)] {
        let labels = [("provider", "first"), ("quota", quota)];
        assert_eq!(gateway.process.metric("tollgate_provider_quota", &labels), limit);
        assert_eq!(
            gateway.process.metric("tollgate_provider_quota_remaining", &labels),
            remaining
        );
    }
}

#[test]
fn the_fastest_is_asked_first() {
    use std::time::Duration;
    let mut document = document();
    document["models"]["gpt-4o"]["order"] = json!("fastest");
    let gateway = Gateway::start(&document, &ENV);
    gateway
        .answers("first", chat_reply().each_after(Duration::from_secs(2)))
        .answers("second", chat_reply().each_after(Duration::from_millis(100)));
    // Both are measured within the first few, and from then on one leads but for a look at the other now and then.
    tried_first(&gateway, 20);
    let slow = tried_first(&gateway, 60);
    assert!(slow < 20, "{slow} of 60 went to the slower one first");
}
