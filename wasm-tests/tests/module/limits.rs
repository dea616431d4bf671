//! Rate limits over several workers: as many requests pass as may, and not one more; and whoever comes back when told to
//! gets in.

use std::collections::VecDeque;

use serde_json::{Value, json};
use wasm_tests::{End, Gateway, Outcome, Reply};

use crate::fixture::*;

/// Workers of one proxy that answer.
fn workers(document: &Value, count: usize) -> Vec<Gateway> {
    let first = started(document);
    let mut all: Vec<Gateway> = (1..count).map(|_| first.another_worker(document, &ENV)).collect();
    all.insert(0, first);
    all
}

/// So many requests at once, each worker's in turn, whose network events are interleaved one by one.
fn at_once(workers: &[Gateway], count: usize) -> Vec<Outcome> {
    let mut exchanges: Vec<_> = (0..count)
        .map(|index| workers[index % workers.len()].begin(chat("gpt-4o").in_pieces_of(30)))
        .collect();
    let mut going = true;
    while going {
        going = false;
        for exchange in &mut exchanges {
            going |= exchange.step();
        }
    }
    exchanges.into_iter().map(wasm_tests::Exchange::run).collect()
}

fn passed(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| outcome.status == 200).count()
}

#[test]
fn of_many_requests_at_once_exactly_as_many_pass_as_may() {
    let workers = workers(&agent_with(json!({"limits": {"rpm": 10}})), 3);
    let outcomes = at_once(&workers, 30);
    assert_eq!(passed(&outcomes), 10);
    for refused in outcomes.iter().filter(|outcome| outcome.status != 200) {
        assert_eq!((refused_by(refused).as_str(), retry_after(refused)), ("key.rpm", 60));
        assert!(refused.attempts.is_empty());
    }
    assert_eq!(
        self::outcomes(&workers[0]),
        [("ok".to_owned(), 10), ("refused_rate_limit".to_owned(), 20)]
    );
    let labels = [
        ("key", "agent"),
        ("team", "payments"),
        ("model", "gpt-4o"),
        ("rule", "key.rpm"),
    ];
    assert_eq!(workers[0].process.metric("tollgate_refusals_total", &labels), 20);
    assert_eq!(recorded(&workers[0]), (30, 0));
}

#[test]
fn a_refusal_uses_nothing_up_and_who_comes_back_when_told_to_gets_in() {
    let workers = workers(&agent_with(json!({"limits": {"rpm": 10}})), 2);
    assert_eq!(passed(&at_once(&workers, 4)), 4);
    pass(&workers[0], 13);
    assert_eq!(passed(&at_once(&workers, 10)), 6);
    pass(&workers[0], 5);
    let wait = retry_after(&workers[1].send(chat("gpt-4o")));
    assert_eq!(wait, 42);
    for second in 0..wait {
        let refused = workers[second as usize % 2].send(chat("gpt-4o"));
        assert_eq!(retry_after(&refused), wait - second);
        pass(&workers[0], 1);
    }
    assert_eq!(
        passed(&at_once(&workers, 10)),
        4,
        "those of the first second are a minute old"
    );
    let wait = retry_after(&workers[0].send(chat("gpt-4o")));
    pass(&workers[0], wait - 1);
    assert_eq!(workers[0].send(chat("gpt-4o")).status, 429);
    pass(&workers[0], 1);
    assert_eq!(passed(&at_once(&workers, 10)), 6);
}

#[test]
fn in_no_minute_do_more_pass_than_may_and_the_minute_slides() {
    let workers = workers(&agent_with(json!({"limits": {"rpm": 7}})), 2);
    let mut lately: VecDeque<u64> = VecDeque::new();
    let mut all = 0;
    for step in 0..600_u64 {
        workers[0].process.advance(std::time::Duration::from_millis(730));
        let now = workers[0].process.now();
        lately.retain(|at| now - at < 61_000_000_000);
        let younger_than = |seconds: u64| lately.iter().filter(|at| now - **at < seconds * 1_000_000_000).count();
        let (in_a_minute, and_a_second) = (younger_than(60), younger_than(61));
        let outcome = workers[(step / 3) as usize % 2].send(chat("gpt-4o"));
        if outcome.status == 200 {
            assert!(in_a_minute < 7, "the eighth in a minute, at step {step}");
            lately.push_back(now);
            all += 1;
        } else {
            assert!(
                and_a_second >= 7,
                "refused at step {step} with {and_a_second} in a minute and a second"
            );
        }
    }
    // 438 seconds, seven in each minute of them.
    assert!((49..=56).contains(&all), "{all}");
}

#[test]
fn tokens_are_counted_as_foreseen_and_then_as_used() {
    let workers = workers(&agent_with(json!({"limits": {"tpm": 5000}})), 2);
    // Nothing is known yet: 1024 tokens are foreseen for each answer, and a few for the question.
    let outcomes = at_once(&workers, 12);
    assert_eq!(passed(&outcomes), 4);
    for refused in outcomes.iter().filter(|outcome| outcome.status != 200) {
        assert_eq!(refused_by(refused), "key.tpm");
        assert_eq!(refused.json()["error"]["type"], "tokens");
    }
    // What they used is 1200 each.
    assert_eq!(amount(&workers[0], "key.tpm", "used"), 4 * 1200);
    // The next is foreseen with the 200 of the answers before, and still does not fit.
    let refused = workers[1].send(chat("gpt-4o"));
    let wait = retry_after(&refused);
    pass(&workers[0], wait - 1);
    assert_eq!(workers[1].send(chat("gpt-4o")).status, 429);
    pass(&workers[0], 1);
    assert_eq!(workers[1].send(chat("gpt-4o")).status, 200);
}

#[test]
fn a_request_larger_than_the_whole_limit_is_told_that_it_never_fits() {
    let gateway = started(&agent_with(json!({"limits": {"tpm": 5000}})));
    let mut body: Value = serde_json::from_str(&chat_body("gpt-4o", false)).unwrap();
    body["max_tokens"] = json!(6000);
    let outcome = gateway.send(chat("gpt-4o").json(body.to_string()));
    assert_eq!((outcome.status, refused_by(&outcome).as_str()), (429, "key.tpm"));
    assert!(!outcome.headers.has("retry-after"));
    assert_eq!(outcome.headers.text("x-should-retry").unwrap(), "false");
    assert!(
        outcome.text().contains("ever allows: 5000 tokens per minute (TPM)"),
        "{}",
        outcome.text()
    );
    assert_eq!(amount(&gateway, "key.tpm", "used"), 0);
}

#[test]
fn a_place_is_free_as_soon_as_its_request_is_over_whichever_worker_had_it() {
    let workers = workers(&agent_with(json!({"limits": {"parallel": 2}})), 2);
    let mut one = workers[0].begin(chat("gpt-4o"));
    let mut two = workers[1].begin(chat("gpt-4o"));
    for exchange in [&mut one, &mut two] {
        exchange.step();
        exchange.step();
    }
    let refused = workers[0].send(chat("gpt-4o"));
    assert_eq!(
        (refused_by(&refused).as_str(), retry_after(&refused)),
        ("key.parallel", 1)
    );
    assert!(refused.text().contains("2 at once"), "{}", refused.text());
    assert_eq!(amount(&workers[1], "key.parallel", "used"), 2);
    assert_eq!(two.run().status, 200);
    assert_eq!(workers[0].send(chat("gpt-4o")).status, 200);
    assert_eq!(one.hang_up().end, End::HungUp);
    assert_eq!(amount(&workers[1], "key.parallel", "used"), 0);
}

#[test]
fn a_request_has_to_fit_into_everything_that_concerns_it() {
    let rules = |rpm: u64| json!({"limits": {"rpm": rpm}});
    let mut document = document();
    let everywhere = ["key", "team", "model", "provider", "all", "key_model"];
    for tightest in everywhere {
        let rpm = |scope: &str| if scope == tightest { 2 } else { 3 };
        merge(&mut document["keys"][0], rules(rpm("key")));
        document["keys"][0]["per_model"] = json!({"gpt-4o": rules(rpm("key_model"))});
        merge(&mut document["teams"]["payments"], rules(rpm("team")));
        merge(&mut document["models"]["gpt-4o"], rules(rpm("model")));
        for provider in ["first", "second"] {
            merge(&mut document["providers"][provider], rules(rpm("provider")));
        }
        merge(&mut document, rules(rpm("all")));
        let workers = workers(&document, 2);
        assert_eq!(workers[0].send(chat("gpt-4o")).status, 200, "{tightest}");
        assert_eq!(workers[1].send(chat("best")).status, 200, "{tightest}");
        let refused = workers[0].send(chat("gpt-4o"));
        // There is another provider: it takes what the first one may not.
        if tightest == "provider" {
            assert_eq!((refused.status, refused.attempt().cluster.as_str()), (200, "second"));
            continue;
        }
        assert_eq!(refused_by(&refused), format!("{tightest}.rpm"));
        let whose = match tightest {
            "key" => "key 'agent'",
            "team" => "team 'payments'",
            "model" => "model 'gpt-4o'",
            "key_model" => "key 'agent' for model 'gpt-4o'",
            _ => "this gateway",
        };
        let text = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(
            text,
            format!("Rate limit of {whose} reached: 2 requests per minute (RPM). Try again in 1 min.")
        );
        for (scope, used) in [("key", 2), ("team", 2), ("key_model", 2)] {
            assert_eq!(amount(&workers[1], &format!("{scope}.rpm"), "used"), used, "{tightest}");
        }
    }
}

#[test]
fn another_model_or_another_key_is_not_held_up() {
    let mut document = agent_with(json!({"per_model": {"gpt-4o": {"limits": {"rpm": 1}}}}));
    merge(&mut document["teams"]["payments"], json!({"limits": {"rpm": 3}}));
    let gateway = started(&document);
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    assert_eq!(refused_by(&gateway.send(chat("best"))), "key_model.rpm");
    assert_eq!(gateway.send(chat("gpt-4o-mini")).status, 200);
    assert_eq!(gateway.send(chat("free")).status, 200);
    assert_eq!(refused_by(&gateway.send(chat("free"))), "team.rpm");
    assert_eq!(gateway.send(chat("gpt-4o-mini").bearer(LIMITED_KEY)).status, 200);
}

#[test]
fn a_limit_holds_where_headers_cannot_be_held_too() {
    let mut document = agent_with(json!({"limits": {"rpm": 2, "parallel": 1}}));
    document["hold_headers"] = json!(false);
    let gateway = Gateway::start(&document, &ENV);
    gateway.answers("first.test", chat_reply());
    let request = || chat("gpt-4o").header(":authority", "first.test");
    let mut under_way = gateway.begin(request());
    under_way.step();
    under_way.step();
    assert_eq!(refused_by(&gateway.send(request())), "key.parallel");
    assert_eq!(under_way.run().status, 200);
    assert_eq!(gateway.send(request()).status, 200);
    let refused = gateway.send(request());
    assert_eq!((refused_by(&refused).as_str(), retry_after(&refused)), ("key.rpm", 60));
    assert!(
        refused.attempts.iter().all(|attempt| !attempt.ended),
        "no body of it left"
    );
    pass(&gateway, 60);
    assert_eq!(gateway.send(request()).status, 200);
    assert_eq!(recorded(&gateway).1, 0);
}

#[test]
fn a_raise_holds_until_its_moment() {
    // The mock's clock begins on 2026-09-01 at noon.
    let document =
        agent_with(json!({"limits": {"rpm": {"limit": 1, "raise": {"to": 3, "until": "2026-09-01T12:10:00Z"}}}}));
    let gateway = started(&document);
    let send = |count: usize| passed(&(0..count).map(|_| gateway.send(chat("gpt-4o"))).collect::<Vec<_>>());
    assert_eq!(send(5), 3);
    assert_eq!(rule(&gateway, "key.rpm")["raised_until"], "2026-09-01T12:10:00Z");
    pass(&gateway, 599);
    assert_eq!(send(2), 2, "the last second of it");
    pass(&gateway, 1);
    assert_eq!(send(1), 0, "two in the last minute are more than one");
    pass(&gateway, 60);
    assert_eq!(send(3), 1);
    assert!(rule(&gateway, "key.rpm").get("raised_until").is_none());
}

#[test]
fn a_changed_limit_keeps_what_was_used() {
    let with = |rpm: u64| agent_with(json!({"limits": {"rpm": rpm}}));
    let gateway = started(&with(3));
    for status in [200, 200, 200, 429] {
        assert_eq!(gateway.send(chat("gpt-4o")).status, status);
    }
    assert!(gateway.configure(&with(5)));
    for status in [200, 200, 429] {
        assert_eq!(gateway.send(chat("gpt-4o")).status, status);
    }
    assert!(gateway.configure(&with(2)));
    assert_eq!(gateway.send(chat("gpt-4o")).status, 429);
    assert_eq!(amount(&gateway, "key.rpm", "used"), 5);
}

#[test]
fn a_limit_in_shadow_refuses_nothing_and_says_what_it_would_have() {
    let shadows = [
        json!({"limits": {"rpm": {"limit": 1, "mode": "shadow"}}}),
        json!({"limits": {"rpm": 1}, "mode": "shadow"}),
    ];
    for members in shadows {
        let gateway = started(&agent_with(members));
        assert!(!gateway.send(chat("gpt-4o")).headers.has("x-tollgate-would-deny"));
        for request in [chat("gpt-4o"), chat_stream("gpt-4o")] {
            gateway.answers_now("first", Reply::stream(chat_events(2)));
            let outcome = gateway.send(request);
            assert_eq!(outcome.status, 200);
            assert_eq!(outcome.headers.text("x-tollgate-would-deny").unwrap(), "key.rpm");
            assert!(
                !outcome.headers.has("x-ratelimit-limit-requests"),
                "what is not enforced is not told as a limit"
            );
        }
        assert_eq!(
            gateway
                .process
                .metric("tollgate_would_deny_total", &[("rule", "key.rpm")]),
            2
        );
        assert_eq!(gateway.process.metric("tollgate_refusals_total", &[]), 0);
        assert_eq!(
            amount(&gateway, "key.rpm", "used"),
            1,
            "what it would have refused does not use it up"
        );
    }
}
