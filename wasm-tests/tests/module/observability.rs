//! What the operator sees in Prometheus: the catalogue, all of it, and nothing a client could have put there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tollgate::metrics::{CATALOGUE, Kind as Catalogued};
use wasm_tests::{Gateway, Kind, Reply, Request};

use crate::fixture::*;

/// Keys by which each kind of rule does what it does.
fn watched_keys() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("tg-refused", json!({"limits": {"rpm": 2}})),
        (
            "tg-on-trial",
            json!({"limits": {"rpm": {"limit": 1, "mode": "shadow"}}}),
        ),
        (
            "tg-downgraded",
            json!({"limits": {"rpm": {"limit": 9, "warn_at": 0.1, "then": "downgrade"}}}),
        ),
        (
            "tg-clamped",
            json!({"budget": {"usd": 0.0095, "per": "day", "then": "clamp"}}),
        ),
        ("tg-counted", json!({"budget": {"tokens": 90_000, "per": "day"}})),
        ("tg-looping", json!({"loop_guard": {"requests": {"warn": 2}}})),
    ]
}

/// A tour through everything that is counted.
fn tour() -> Gateway {
    let mut document = document();
    document["max_series"] = json!(100);
    let models = document["models"].as_object_mut().unwrap();
    for index in 0..60 {
        models.insert(
            format!("model-{index}"),
            json!({"targets": [{"provider": "first", "model": "gpt-4o"}]}),
        );
    }
    merge(&mut document["models"]["gpt-4o"], json!({"cheaper": "gpt-4o-mini"}));
    let keys = document["keys"].as_array_mut().unwrap();
    for (secret, mut rules) in watched_keys() {
        merge(&mut rules, json!({"name": &secret[3..], "sha256": sha256(secret)}));
        keys.push(rules);
    }
    let gateway = Gateway::start(&document, &ENV);
    let reply = chat_reply()
        .header("x-ratelimit-limit-requests", "9")
        .header("x-ratelimit-remaining-requests", "8");
    gateway.answers("first", reply).answers("second", chat_reply());
    for (secret, _) in watched_keys() {
        for _ in 0..4 {
            gateway.send(chat("gpt-4o").bearer(secret));
        }
        gateway.tick();
    }
    gateway.answers_now(
        "first",
        Reply::stream(chat_events(5)).each_after(Duration::from_millis(10)),
    );
    gateway.send(chat_stream("gpt-4o"));
    gateway.send_and_hang_up(chat_stream("gpt-4o"), 5);
    gateway.answers_now("first", Reply::json(200, r#"{"object":"other"}"#));
    gateway.send(
        Request::post("/v1/audio/speech")
            .bearer(AGENT_KEY)
            .header("content-type", "application/octet-stream")
            .body("x"),
    );
    gateway.answers_now("first", Reply::json(200, "no JSON at all"));
    gateway.send(chat("gpt-4o"));
    gateway.answers_now("first", chat_reply().header("content-encoding", "gzip"));
    gateway.send(chat("gpt-4o"));
    gateway.answers_now("first", chat_reply());
    gateway.send(chat("free"));
    gateway.send(chat("gpt-9"));
    gateway.answers("anthropic", Reply::json(200, "{}"));
    let kept = json!({"model": "claude", "messages": [{"role": "user", "content": "x"}], "store": true});
    gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(kept.to_string()));
    gateway.answers_now("first", Reply::json(429, "{}"));
    gateway.send(chat("gpt-4o"));
    gateway.answers_now("first", chat_reply());
    for index in 0..60 {
        gateway.send(chat(&format!("model-{index}")));
    }
    gateway
}

#[test]
fn what_is_emitted_is_what_the_catalogue_says() {
    let gateway = tour();
    let catalogue: BTreeMap<&str, _> = CATALOGUE.iter().map(|metric| (metric.name, *metric)).collect();
    let mut seen = BTreeSet::new();
    for series in gateway.process.series() {
        let Some(metric) = catalogue.get(series.name.as_str()) else {
            panic!("{} is not in the catalogue", series.encoded)
        };
        let kind = match metric.kind {
            Catalogued::Counter => Kind::Counter,
            Catalogued::Gauge => Kind::Gauge,
            Catalogued::Histogram => Kind::Histogram,
        };
        assert_eq!(series.kind, kind, "{}", series.encoded);
        let labels: Vec<&str> = series.labels.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, metric.labels, "{}", series.encoded);
        let values = series
            .labels
            .iter()
            .map(|(label, value)| format!("{label}=.={value};.;"))
            .collect::<String>();
        let separator = if values.is_empty() { "" } else { "." };
        assert_eq!(
            series.encoded,
            format!("{}{separator}{values}", series.name),
            "Envoy's tag rules could not read it"
        );
        seen.insert(series.name);
    }
    let silent: Vec<_> = catalogue.keys().filter(|name| !seen.contains(**name)).collect();
    assert!(silent.is_empty(), "never emitted: {silent:?}");
}

#[test]
fn no_label_is_ever_chosen_by_a_client() {
    let gateway = gateway();
    gateway.answers("first", Reply::json(200, r#"{"model":"clientmark","service_tier":"clientmark","usage":{"prompt_tokens":1,"completion_tokens":1,"clientmark":1}}"#));
    let mark = "clientmark";
    gateway.send(chat(mark));
    gateway.send(
        chat("gpt-4o")
            .header("user-agent", mark)
            .header("x-request-id", mark)
            .header("x-client", mark),
    );
    gateway.send(chat("gpt-4o").bearer(mark));
    gateway.send(Request::new("CLIENTMARK", CHAT).bearer(AGENT_KEY));
    gateway.send(
        Request::post(&format!("/v1/{mark}?{mark}={mark}"))
            .bearer(AGENT_KEY)
            .json(format!(r#"{{"model":"{mark}"}}"#)),
    );
    gateway.send(Request::post(&format!("/{mark}")).bearer(AGENT_KEY).json("{}"));
    gateway.send(Request::get(&format!("/v1/models/{mark}")).bearer(AGENT_KEY));
    gateway.send(Request::post(CHAT).bearer(AGENT_KEY).json(format!(
        r#"{{"model":"gpt-4o","user":"{mark}","service_tier":"{mark}"}}"#
    )));
    gateway.send(chat("gpt-4o;.;key=.=agent"));
    let models = ["gpt-4o", "none"];
    for series in gateway.process.series() {
        assert!(!series.encoded.to_lowercase().contains(mark), "{}", series.encoded);
        assert!(
            series.label("model").is_none_or(|model| models.contains(&model)),
            "{}",
            series.encoded
        );
        assert!(
            series
                .label("key")
                .is_none_or(|key| ["agent", "unknown"].contains(&key)),
            "{}",
            series.encoded
        );
    }
    assert!(
        !gateway.process.log_text().to_lowercase().contains(mark),
        "{}",
        gateway.process.log_text()
    );
}

#[test]
fn an_alias_is_counted_as_the_model_it_is() {
    let gateway = gateway();
    gateway.answers("first", chat_reply());
    gateway.send(chat("best"));
    gateway.send(chat("gpt-4o"));
    assert_eq!(
        gateway
            .process
            .metric("tollgate_requests_total", &[("model", "gpt-4o")]),
        2
    );
}

#[test]
fn durations_are_those_of_the_clock() {
    let gateway = gateway();
    gateway.answers(
        "first",
        Reply::stream(chat_events(10)).each_after(Duration::from_millis(20)),
    );
    gateway.send(chat_stream("gpt-4o"));
    // The head, 12 events of an answer, its usage, [DONE] and the end, 20 ms each.
    assert_eq!(
        gateway.process.samples("tollgate_request_duration_milliseconds", &[]),
        [320]
    );
    // The first event has a role and no text; the second has the first token.
    assert_eq!(
        gateway
            .process
            .samples("tollgate_time_to_first_token_milliseconds", &[]),
        [60]
    );
    let per_token = gateway
        .process
        .samples("tollgate_time_per_output_token_microseconds", &[]);
    assert_eq!(per_token.len(), 1);
    // 200 tokens, from 60 ms to some moment after the last of them.
    assert!((180_000 / 199..=260_000 / 199).contains(&per_token[0]), "{per_token:?}");
    assert_eq!(
        gateway.process.samples("tollgate_added_microseconds", &[]),
        [0],
        "no time passed inside"
    );
}

#[test]
fn a_clock_that_jumps_back_does_no_harm() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(3)));
    let mut exchange = gateway.begin(chat_stream("gpt-4o"));
    for _ in 0..4 {
        exchange.step();
    }
    gateway.process.turn_back(Duration::from_secs(3600));
    assert_eq!(exchange.run().status, 200);
    assert_eq!(
        gateway.process.samples("tollgate_request_duration_milliseconds", &[]),
        [0]
    );
    assert_eq!(recorded(&gateway), (1, 0));
}

#[test]
fn the_log_is_quiet_where_all_is_well() {
    let gateway = gateway();
    gateway.answers("first", Reply::stream(chat_events(3)));
    let before = gateway.process.log().len();
    for _ in 0..10 {
        gateway.send(chat_stream("gpt-4o"));
    }
    assert_eq!(gateway.process.log().len(), before, "{}", gateway.process.log_text());
}
