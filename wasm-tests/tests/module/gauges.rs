//! Gauges of limits and budgets: refreshed once a second by one worker, true, and 0 once there is nothing to tell.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasm_tests::{Gateway, Kind};

use crate::fixture::*;

fn rules() -> Value {
    json!({
        "limits": {"rpm": 10, "tpm": 50_000, "parallel": 3},
        "budget": [{"usd": 2, "per": "day"}, {"tokens": 9000, "over": "24h", "then": "warn"}]
    })
}

/// Every gauge of a limit or budget that is not 0.
fn shown(gateway: &Gateway) -> BTreeMap<String, u64> {
    let series = gateway.process.series().into_iter();
    let ours =
        series.filter(|series| series.name.starts_with("tollgate_limit") || series.name.starts_with("tollgate_budget"));
    ours.filter(|series| series.value != 0)
        .map(|series| {
            assert_eq!(series.kind, Kind::Gauge);
            let labels = series.labels.iter().map(|(_, value)| value.as_str());
            let labels: Vec<_> = labels.filter(|value| *value != "none").collect();
            (format!("{} {}", series.name, labels.join(" ")), series.value)
        })
        .collect()
}

#[test]
fn they_say_what_is_used_and_left() {
    let gateway = started(&agent_with(rules()));
    gateway.tick();
    assert!(
        shown(&gateway).is_empty(),
        "of what was never used there is nothing to tell"
    );
    // A second past noon.
    gateway.send(chat("gpt-4o"));
    assert!(shown(&gateway).is_empty());
    gateway.tick();
    let midnight = 1_788_264_000 + 43_200;
    let expected = [
        (
            "tollgate_budget_nanodollars key agent payments day block",
            2_000_000_000,
        ),
        (
            "tollgate_budget_remaining_nanodollars key agent payments day block",
            1_996_000_000,
        ),
        (
            "tollgate_budget_remaining_tokens key agent payments rolling_24h warn",
            7_800,
        ),
        (
            "tollgate_budget_reset_timestamp_seconds key agent payments day block",
            midnight,
        ),
        (
            "tollgate_budget_reset_timestamp_seconds key agent payments rolling_24h warn",
            midnight + 43_200 + 1,
        ),
        (
            "tollgate_budget_spent_nanodollars key agent payments day block",
            CHAT_COST,
        ),
        (
            "tollgate_budget_spent_tokens key agent payments rolling_24h warn",
            1_200,
        ),
        ("tollgate_budget_tokens key agent payments rolling_24h warn", 9_000),
        ("tollgate_limit key agent payments parallel", 3),
        ("tollgate_limit key agent payments rpm", 10),
        ("tollgate_limit key agent payments tpm", 50_000),
        ("tollgate_limit_remaining key agent payments parallel", 3),
        ("tollgate_limit_remaining key agent payments rpm", 9),
        ("tollgate_limit_remaining key agent payments tpm", 48_800),
    ];
    let expected: BTreeMap<String, u64> = expected.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(shown(&gateway), expected);
    // Without any traffic, the minute and the day go by.
    pass(&gateway, 60);
    gateway.tick();
    assert_eq!(shown(&gateway)["tollgate_limit_remaining key agent payments rpm"], 10);
    pass(&gateway, 43_200);
    gateway.tick();
    assert_eq!(
        shown(&gateway)["tollgate_budget_remaining_nanodollars key agent payments day block"],
        2_000_000_000
    );
}

#[test]
fn they_show_what_is_set_aside_as_long_as_it_is() {
    let gateway = started(&agent_with(rules()));
    let mut exchange = gateway.begin(question("gpt-4o"));
    exchange.step();
    exchange.step();
    gateway.tick();
    let aside = "tollgate_budget_set_aside_nanodollars key agent payments day block";
    assert_eq!(shown(&gateway)[aside], QUESTION_MOST);
    assert_eq!(
        gateway.process.metric("tollgate_set_aside_nanodollars", &[]),
        QUESTION_MOST
    );
    let tokens = gateway.process.metric("tollgate_set_aside_tokens", &[]);
    assert_eq!(
        shown(&gateway)["tollgate_budget_set_aside_tokens key agent payments rolling_24h warn"],
        tokens
    );
    assert_eq!(
        shown(&gateway)["tollgate_limit_remaining key agent payments parallel"],
        2
    );
    assert_eq!(exchange.run().status, 200);
    gateway.tick();
    assert!(!shown(&gateway).keys().any(|name| name.contains("set_aside")));
    for gauge in ["tollgate_set_aside_nanodollars", "tollgate_set_aside_tokens"] {
        assert_eq!(gateway.process.metric(gauge, &[]), 0);
    }
}

#[test]
fn each_kind_of_subject_has_its_own_labels() {
    let mut document = document();
    let limits = json!({"limits": {"rpm": 10}});
    for path in ["", "/teams/payments", "/models/gpt-4o", "/providers/first", "/keys/0"] {
        merge(document.pointer_mut(path).unwrap(), limits.clone());
    }
    document["keys"][0]["per_model"] = json!({"gpt-*": limits});
    let gateway = started(&document);
    gateway.send(chat("gpt-4o"));
    gateway.tick();
    let left: Vec<String> = shown(&gateway)
        .into_iter()
        .filter(|(name, _)| name.starts_with("tollgate_limit_remaining "))
        .map(|(name, value)| format!("{} {value}", name.trim_start_matches("tollgate_limit_remaining ")))
        .collect();
    assert_eq!(
        left,
        [
            "all rpm 9",
            "key agent payments rpm 9",
            "key_model agent payments gpt-4o rpm 9",
            "model gpt-4o rpm 9",
            "provider first rpm 9",
            "team payments rpm 9"
        ]
    );
}

#[test]
fn one_worker_refreshes_them_and_another_takes_over() {
    let gateway = started(&agent_with(rules()));
    let other = gateway.another_worker(&agent_with(rules()), &ENV);
    gateway.tick();
    other.tick();
    let left = || {
        shown(&gateway)
            .get("tollgate_limit_remaining key agent payments rpm")
            .copied()
    };
    other.send(chat("gpt-4o"));
    other.tick();
    assert_eq!(left(), None, "the first one leads");
    gateway.tick();
    assert_eq!(left(), Some(9));
    // It ticks no more: after a while it is taken for dead, and the other one leads.
    other.send(chat("gpt-4o"));
    for _ in 0..25 {
        other.tick();
    }
    assert_eq!(left(), Some(8));
    // Should it come back, it does not lead again.
    gateway.tick();
    other.send(chat("gpt-4o"));
    gateway.tick();
    assert_eq!(left(), Some(8));
    other.tick();
    assert_eq!(left(), Some(7));
}

#[test]
fn what_is_gone_from_the_document_reads_nothing_and_never_comes_back() {
    let gateway = started(&agent_with(rules()));
    gateway.send(chat("gpt-4o"));
    gateway.tick();
    assert!(!shown(&gateway).is_empty());
    // A budget and a limit less.
    assert!(gateway.configure(&agent_with(
        json!({"limits": {"rpm": 20}, "budget": {"usd": 2, "per": "day"}})
    )));
    gateway.tick();
    let names: Vec<String> = shown(&gateway).into_keys().collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("tokens") || name.contains("tpm") || name.contains("parallel")),
        "{names:?}"
    );
    assert_eq!(shown(&gateway)["tollgate_limit key agent payments rpm"], 20);
    // The key itself.
    let mut document = document();
    document["keys"].as_array_mut().unwrap().remove(0);
    assert!(gateway.configure(&document));
    gateway.tick();
    assert!(shown(&gateway).is_empty(), "{:?}", shown(&gateway));
    // A new VM takes over every series, and none of their values.
    gateway.worker.renew_vm();
    assert!(gateway.configure(&document));
    assert!(shown(&gateway).is_empty());
    gateway.worker.end_old_vms();
    for _ in 0..25 {
        gateway.tick();
        assert!(shown(&gateway).is_empty(), "{:?}", shown(&gateway));
    }
    // Should it come back, so do its gauges, with what was used.
    assert!(gateway.configure(&agent_with(rules())));
    gateway.tick();
    assert_eq!(
        shown(&gateway)["tollgate_budget_spent_nanodollars key agent payments day block"],
        CHAT_COST
    );
}

#[test]
fn a_stream_under_an_older_configuration_does_not_hold_them_up() {
    let gateway = started(&agent_with(rules()));
    let mut exchange = gateway.begin(chat("gpt-4o"));
    exchange.step();
    exchange.step();
    gateway.tick();
    assert!(gateway.configure(&agent_with(json!({"limits": {"rpm": 20}}))));
    for _ in 0..2 {
        gateway.tick();
        let shown = shown(&gateway);
        assert_eq!(shown["tollgate_limit key agent payments rpm"], 20);
        assert!(!shown.contains_key("tollgate_limit key agent payments tpm"));
    }
    assert_eq!(exchange.run().status, 200);
}

#[test]
fn where_there_are_too_many_series_none_is_set_in_the_name_of_others() {
    let mut document = agent_with(rules());
    document["max_series"] = json!(100);
    let keys = document["keys"].as_array_mut().unwrap();
    let secrets: Vec<String> = (0..60).map(|index| format!("tg-{index:0>48}")).collect();
    for (index, secret) in secrets.iter().enumerate() {
        let mut key = json!({"name": format!("key-{index}"), "sha256": sha256(secret)});
        merge(&mut key, rules());
        keys.push(key);
    }
    let gateway = started(&document);
    for secret in &secrets {
        assert_eq!(gateway.send(chat("gpt-4o").bearer(secret)).status, 200);
    }
    for _ in 0..3 {
        gateway.tick();
    }
    assert!(gateway.process.metric("tollgate_series_overflow_total", &[]) > 0);
    for series in gateway.process.series() {
        let of_a_subject = series.name.starts_with("tollgate_limit") || series.name.starts_with("tollgate_budget");
        let others = series.labels.iter().any(|(_, value)| value == "other");
        assert!(!(of_a_subject && others && series.value != 0), "{}", series.encoded);
    }
    assert_eq!(gateway.process.metric("tollgate_requests_in_flight", &[]), 0);
}

#[test]
fn many_keys_are_gone_through_a_part_at_a_time() {
    let mut document = document();
    let keys = document["keys"].as_array_mut().unwrap();
    for index in 0..4_500 {
        let hash = format!("{index:064x}");
        keys.push(json!({"name": format!("key-{index}"), "sha256": hash}));
    }
    let last = "tg-last_last_last_last_last_last_last_last_last_l";
    keys.push(json!({"name": "last", "sha256": sha256(last), "limits": {"rpm": 10}}));
    let gateway = started(&document);
    gateway.send(chat("gpt-4o").bearer(last));
    let mut ticks = 0;
    while !shown(&gateway).contains_key("tollgate_limit_remaining key last rpm") {
        gateway.tick();
        ticks += 1;
        assert!(ticks < 10);
    }
    assert_eq!(ticks, 3);
}
