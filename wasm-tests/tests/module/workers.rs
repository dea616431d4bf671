//! Several workers, several VMs: one set of numbers.

use serde_json::json;
use wasm_tests::{Gateway, Reply, Request};

use crate::fixture::*;

#[test]
fn the_numbers_of_all_workers_add_up() {
    let gateway = gateway();
    let others: Vec<_> = (0..3).map(|_| gateway.another_worker(&document(), &ENV)).collect();
    gateway.answers("first", chat_reply());
    for worker in others.iter().chain([&gateway]) {
        for _ in 0..5 {
            assert_eq!(worker.send(chat("gpt-4o")).status, 200);
        }
    }
    assert_eq!(recorded(&gateway), (20, 0));
    assert_eq!(
        gateway.process.metric("tollgate_cost_nanodollars_total", &[]),
        20 * CHAT_COST
    );
    assert_eq!(
        gateway
            .process
            .samples("tollgate_request_duration_milliseconds", &[])
            .len(),
        20
    );
}

#[test]
fn a_new_vm_knows_every_series_of_the_old_one() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    let before = gateway.process.series();
    gateway.worker.renew_vm();
    assert!(gateway.configure(&document()));
    assert_eq!(
        gateway.process.series(),
        before,
        "what a new VM defines again is what was there"
    );
    gateway.worker.end_old_vms();
    assert_eq!(gateway.process.series(), before, "and it defines all of it");
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    assert_eq!(
        gateway.process.metric("tollgate_cost_nanodollars_total", &[]),
        2 * CHAT_COST
    );
}

#[test]
fn what_an_old_vm_records_first_outlives_it() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(3)));
    gateway.answers("second", Reply::stream(chat_events(3)));
    // Twice, because what was handed over once leaves its place for the next.
    for (round, model) in [(1, "gpt-4o"), (2, "gpt-4o-mini")] {
        let mut exchange = gateway.begin(chat_stream(model));
        while exchange.events() < 4 {
            assert!(exchange.step(), "the answer has begun");
        }
        // Everything new goes to a new VM; the stream stays in the old one.
        gateway.worker.renew_vm_with("ANOTHER", &round.to_string());
        let mut changed = document();
        changed["max_series"] = json!(9_999 + round);
        assert!(gateway.configure(&changed));
        assert_eq!(exchange.run().status, 200);
        gateway.tick();
        gateway.worker.end_old_vms();
        assert_eq!(recorded(&gateway), (round, 0), "{model}");
        let cost = gateway
            .process
            .metric("tollgate_cost_nanodollars_total", &[("model", model)]);
        assert!(cost > 0, "{model}");
        let durations = gateway
            .process
            .samples("tollgate_request_duration_milliseconds", &[("model", model)]);
        assert_eq!(durations.len(), 1, "{model}");
    }
}

#[test]
fn an_attempt_in_a_newer_vm_is_still_the_same_request() {
    let answers = [
        ("json", chat_reply()),
        ("stream", Reply::stream(chat_events(3))),
        ("failover", Reply::json(500, "{}")),
    ];
    for (what, answer) in answers {
        let gateway = gateway();
        gateway.answers("first", answer);
        gateway.answers("second", chat_reply());
        let mut exchange = gateway.begin(if what == "stream" {
            chat_stream("best")
        } else {
            chat("best")
        });
        assert!(exchange.step(), "the headers are with the old VM");
        gateway.worker.renew_vm();
        assert!(gateway.configure(&document()));
        let outcome = exchange.run();
        assert_eq!(outcome.status, 200, "{what}");
        let attempt = outcome.attempts.last().unwrap();
        let (credential, model) = match what {
            "failover" => (SECOND_CREDENTIAL, "llama-3.3-70b"),
            _ => (FIRST_CREDENTIAL, "gpt-4o"),
        };
        let headers = attempt.headers.as_ref().unwrap();
        assert_eq!(
            headers.text("authorization").unwrap(),
            format!("Bearer {credential}"),
            "{what}"
        );
        assert!(!headers.mention(AGENT_KEY));
        assert!(
            String::from_utf8_lossy(&attempt.body).contains(&format!("\"model\":\"{model}\"")),
            "{what}"
        );
        assert_eq!(recorded(&gateway), (1, 0), "{what}");
        assert!(
            gateway
                .process
                .metric("tollgate_tokens_total", &[("source", "reported")])
                >= 1200,
            "{what}"
        );
        if what == "stream" {
            assert!(
                !outcome.text().contains("prompt_tokens"),
                "the usage nobody asked for: {}",
                outcome.text()
            );
        }
    }
}

#[test]
fn series_are_bounded_over_all_workers_and_sums_stay_true() {
    let mut document = document();
    document["max_series"] = json!(100);
    let models = document["models"].as_object_mut().unwrap();
    for index in 0..60 {
        models.insert(
            format!("model-{index}"),
            json!({"targets": [{"provider": "first", "model": "gpt-4o"}]}),
        );
    }
    let gateway = Gateway::start(&document, &ENV);
    let other = gateway.another_worker(&document, &ENV);
    gateway.answers("first", chat_reply());
    for index in 0..60 {
        let worker = if index % 2 == 0 { &gateway } else { &other };
        let body = chat_body(&format!("model-{index}"), false);
        assert_eq!(
            worker.send(Request::post(CHAT).bearer(AGENT_KEY).json(body)).status,
            200
        );
    }
    let series = gateway.process.series();
    assert!(gateway.process.metric("tollgate_series_overflow_total", &[]) > 0);
    let overflowing = series
        .iter()
        .filter(|series| series.labels.iter().any(|(_, value)| value == "other"))
        .count();
    let unlabelled = series.iter().filter(|series| series.labels.is_empty()).count();
    assert!(
        series.len() - overflowing - unlabelled <= 100,
        "{} series",
        series.len()
    );
    assert_eq!(gateway.process.metric("tollgate_requests_total", &[]), 60);
    assert_eq!(
        gateway.process.metric("tollgate_cost_nanodollars_total", &[]),
        60 * CHAT_COST
    );
    assert_eq!(gateway.process.metric("tollgate_requests_in_flight", &[]), 0);
}
