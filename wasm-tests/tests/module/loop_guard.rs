//! The loop guard in whole exchanges: told, slowed, stopped, released; and what is no loop.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Outcome, Reply, Request};

use crate::fixture::*;

fn guarded(guard: Value) -> Value {
    let mut document = agent_with(json!({"loop_guard": guard}));
    document["operators"] = json!([{"name": "on-call", "sha256": sha256(OPERATOR_KEY)}]);
    document
}

fn by_requests() -> Value {
    guarded(json!({"requests": {"warn": 2, "slow": 3, "block": 5}}))
}

fn found(outcome: &Outcome) -> Option<String> {
    outcome.headers.text("x-tollgate-loop")
}

fn in_session(session: &str) -> Request {
    chat("gpt-4o").header("x-session-id", session)
}

fn release(gateway: &Gateway, query: &str) -> Outcome {
    gateway.send(Request::post(&format!("/tollgate/v1/release?{query}")).bearer(OPERATOR_KEY))
}

/// Sends until the session is blocked, waiting where it is told to.
fn run_into_a_block(gateway: &Gateway, request: &Request) -> Outcome {
    for _ in 0..20 {
        let outcome = gateway.send(request.clone());
        if outcome.status == 429 {
            let wait = retry_after(&outcome);
            if wait > 60 {
                return outcome;
            }
            pass(gateway, wait);
        }
    }
    panic!("never blocked: {:?}", outcomes(gateway))
}

#[test]
fn a_request_again_and_again_is_told_then_slowed_then_stopped() {
    let gateway = started(&by_requests());
    let other = gateway.another_worker(&by_requests(), &ENV);
    let send = || other.send(chat("gpt-4o"));
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!((outcome.status, found(&outcome)), (200, None));
    let outcome = send();
    assert_eq!(
        (outcome.status, found(&outcome).as_deref()),
        (200, Some("warn; requests"))
    );
    let slowed = send();
    assert_eq!(
        (refused_by(&slowed).as_str(), retry_after(&slowed)),
        ("loop_guard.requests", 2)
    );
    assert_eq!(slowed.json()["error"]["code"], "runaway_loop");
    assert!(
        slowed
            .text()
            .contains("it sends the same request again and again. Try again in 2 s."),
        "{}",
        slowed.text()
    );
    pass(&gateway, 1);
    assert_eq!(retry_after(&send()), 1, "a refusal is not counted");
    pass(&gateway, 1);
    let outcome = send();
    assert_eq!(
        (outcome.status, found(&outcome).as_deref()),
        (200, Some("warn; requests"))
    );
    assert_eq!(retry_after(&send()), 4, "and longer each time");
    pass(&gateway, 4);
    assert_eq!(send().status, 200);
    let blocked = send();
    assert_eq!(
        (refused_by(&blocked).as_str(), retry_after(&blocked)),
        ("loop_guard.requests", 600)
    );
    assert_eq!(blocked.headers.text("x-should-retry").unwrap(), "false");
    // Whatever else comes in this session meanwhile.
    let another = gateway.send(chat("gpt-4o-mini"));
    assert_eq!((another.status, another.attempts.len()), (429, 0));
    pass(&gateway, 600);
    let outcome = send();
    assert_eq!(
        (outcome.status, found(&outcome).as_deref()),
        (200, Some("warn; requests"))
    );

    let steps = |step| {
        let labels = [
            ("key", "agent"),
            ("team", "payments"),
            ("step", step),
            ("sign", "requests"),
        ];
        gateway.process.metric("tollgate_loop_guard_total", &labels)
    };
    assert_eq!([steps("warn"), steps("slow"), steps("block")], [4, 3, 2]);
    assert!(outcomes(&gateway).contains(&("refused_loop".to_owned(), 5)));
    let refusals = gateway
        .process
        .metric("tollgate_refusals_total", &[("rule", "loop_guard.requests")]);
    assert_eq!(refusals, 5);
    assert_eq!(recorded(&gateway).1, 0);
}

#[test]
fn another_request_in_between_is_no_loop() {
    let gateway = started(&by_requests());
    for index in 0..12 {
        let outcome = gateway.send(chat(["gpt-4o", "gpt-4o-mini"][index % 2]));
        assert_eq!((outcome.status, found(&outcome)), (200, None));
    }
}

#[test]
fn what_a_provider_failed_may_be_tried_again_as_often_as_one_likes() {
    let gateway = started(&by_requests());
    for reply in [Reply::json(500, "{}"), Reply::json(429, "{}"), Reply::refused()] {
        gateway.answers_now("first", reply.clone()).answers_now("second", reply);
        for _ in 0..10 {
            let outcome = gateway.send(chat("gpt-4o"));
            assert!(
                outcome.status >= 429 && !outcome.headers.has("x-tollgate-limit"),
                "{}",
                outcome.text()
            );
            assert_eq!(found(&outcome), None);
        }
    }
    gateway.answers_now("first", Reply::stream(chat_events(5)));
    for _ in 0..10 {
        gateway.send_and_hang_up(chat_stream("gpt-4o"), 4);
    }
    assert_eq!(found(&gateway.send(chat_stream("gpt-4o"))), None);
}

#[test]
fn what_a_limit_refused_is_no_repetition() {
    let mut document = by_requests();
    document["keys"][0]["limits"] = json!({"rpm": 1});
    let gateway = started(&document);
    assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    for _ in 0..10 {
        assert_eq!(refused_by(&gateway.send(chat("gpt-4o"))), "key.rpm");
    }
    pass(&gateway, 60);
    let outcome = gateway.send(chat("gpt-4o"));
    assert_eq!(
        found(&outcome).as_deref(),
        Some("warn; requests"),
        "the second, not the twelfth"
    );
}

#[test]
fn a_session_is_blocked_by_itself_and_released_by_an_operator() {
    let gateway = started(&by_requests());
    let other = gateway.another_worker(&by_requests(), &ENV);
    run_into_a_block(&gateway, &in_session("one"));
    assert_eq!(other.send(in_session("one")).status, 429);
    assert_eq!(other.send(in_session("two")).status, 200);
    assert_eq!(
        other.send(chat("gpt-4o")).status,
        200,
        "without a session it is the key's own"
    );
    let me = Request::get("/tollgate/v1/me").bearer(AGENT_KEY);
    let told = other.send(me.clone().header("x-session-id", "one")).json();
    assert_eq!(
        told["loop_guard"],
        json!({"blocked_by": "requests", "blocked_for_seconds": 600})
    );
    let told = other.send(me.header("x-session-id", "two")).json();
    assert_eq!(told["loop_guard"]["blocked_by"], Value::Null);

    let released = release(&other, "key=agent&session=two");
    assert_eq!((released.status, released.json()), (200, json!({"released": 0})));
    assert_eq!(gateway.send(in_session("one")).status, 429);
    assert_eq!(release(&other, "key=agent&session=one").json(), json!({"released": 1}));
    let outcome = gateway.send(in_session("one"));
    assert_eq!((outcome.status, found(&outcome)), (200, None));
}

#[test]
fn all_of_a_keys_sessions_are_released_at_once() {
    let gateway = started(&by_requests());
    for session in ["one", "two", "three"] {
        run_into_a_block(&gateway, &in_session(session));
    }
    assert_eq!(release(&gateway, "key=agent").json(), json!({"released": 3}));
    for session in ["one", "two", "three"] {
        assert_eq!(gateway.send(in_session(session)).status, 200, "{session}");
    }
    assert_eq!(release(&gateway, "key=nobody").status, 404);
    assert_eq!(release(&gateway, "").status, 404);
}

#[test]
fn on_trial_it_only_says() {
    let shadows = [
        guarded(json!({"requests": {"warn": 2, "slow": 3, "block": 5}, "mode": "shadow"})),
        {
            let mut document = by_requests();
            document["mode"] = json!("shadow");
            document
        },
    ];
    for document in shadows {
        let gateway = started(&document);
        for index in 0..8 {
            let outcome = gateway.send(chat("gpt-4o"));
            assert_eq!(outcome.status, 200);
            let expected = match index {
                0 => None,
                1 => Some("warn; requests"),
                2..4 => Some("slow; requests"),
                _ => Some("block; requests"),
            };
            assert_eq!(found(&outcome).as_deref(), expected, "request {index}");
            let would = outcome.headers.text("x-tollgate-would-deny");
            assert_eq!(
                would.as_deref(),
                (index >= 2).then_some("loop_guard.requests"),
                "request {index}"
            );
        }
        let labels = [("key", "agent"), ("rule", "loop_guard.requests")];
        assert_eq!(gateway.process.metric("tollgate_would_deny_total", &labels), 6);
        assert_eq!(gateway.process.metric("tollgate_refusals_total", &[]), 0);
    }
}

/// A conversation in which the same tool was called so often with the same arguments.
fn calling(times: usize) -> Request {
    let mut messages = vec![json!({"role": "user", "content": "Fix the build."})];
    for index in 0..times {
        let id = format!("call_{index}");
        let call = json!({"id": id, "type": "function",
            "function": {"name": "run", "arguments": if index % 2 == 0 { "{\"cmd\":\"make\"}" } else { "{ \"cmd\": \"make\" }" }}});
        messages.push(
            json!({"role": "assistant", "content": format!("Trying once more ({index})."), "tool_calls": [call]}),
        );
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": format!("error {index}")}));
    }
    chat("gpt-4o").json(json!({"model": "gpt-4o", "messages": messages}).to_string())
}

#[test]
fn an_agent_that_calls_the_same_tool_over_and_over_is_recognised_by_that() {
    let gateway = started(&guarded(json!({"tool_calls": {"warn": 3, "slow": 4, "block": 6}})));
    for times in 1..=6 {
        let outcome = gateway.send(calling(times));
        match times {
            1 | 2 => assert_eq!((outcome.status, found(&outcome)), (200, None)),
            3 => assert_eq!(
                (outcome.status, found(&outcome).as_deref()),
                (200, Some("warn; tool_calls"))
            ),
            4 | 5 => {
                assert_eq!(refused_by(&outcome), "loop_guard.tool_calls");
                pass(&gateway, retry_after(&outcome));
                assert_eq!(gateway.send(calling(times)).status, 200, "after the wait, {times}");
            }
            _ => assert_eq!(retry_after(&outcome), 600),
        }
    }
    assert!(!gateway.process.log_text().contains("make"));
}

#[test]
fn a_key_without_a_guard_may_repeat_itself() {
    let mut document = document();
    document["loop_guard"] = json!({"requests": {"warn": 2, "slow": 2, "block": 2}});
    document["keys"][0]["loop_guard"] = json!("off");
    let gateway = started(&document);
    for _ in 0..5 {
        assert_eq!(gateway.send(chat("gpt-4o")).status, 200);
    }
    let send = || gateway.send(chat("gpt-4o-mini").bearer(LIMITED_KEY));
    assert_eq!(
        [send().status, send().status],
        [200, 429],
        "the document's holds for the others"
    );
}

#[test]
fn a_session_that_spends_far_faster_than_it_used_to_is_recognised_by_that_priced_or_not() {
    let guard = |slow: Value, block: Value| {
        guarded(json!({"tool_calls": {"warn": null, "slow": null, "block": null},
            "requests": {"warn": null, "slow": null, "block": null},
            "velocity": {"warn": 3, "slow": slow, "block": block}, "velocity_floor_usd_per_minute": 0.001}))
    };
    for model in ["gpt-4o", "free"] {
        for (step, document) in [
            ("slow", guard(json!(6), json!(null))),
            ("block", guard(json!(null), json!(6))),
        ] {
            let gateway = started(&document);
            let send = || gateway.send(chat(model));
            for _ in 0..8 {
                for _ in 0..2 {
                    let outcome = send();
                    assert_eq!((outcome.status, found(&outcome)), (200, None), "{model}");
                    pass(&gateway, 30);
                }
            }
            let burst: Vec<Outcome> = (0..20).map(|_| send()).collect();
            let passed = burst.iter().position(|outcome| found(outcome).is_some()).unwrap();
            // Two a minute is the past; six are three times that, and twelve six times.
            assert!((4..=6).contains(&passed), "{passed}");
            assert_eq!(found(&burst[passed]).as_deref(), Some("warn; velocity"));
            let refused = burst.iter().position(|outcome| outcome.status == 429).unwrap();
            assert!((10..=12).contains(&refused), "{refused}");
            assert_eq!(refused_by(&burst[refused]), "loop_guard.velocity");
            assert_eq!(retry_after(&burst[refused]), if step == "slow" { 2 } else { 600 });
            let labels = [("step", step), ("sign", "velocity")];
            assert_eq!(
                gateway.process.metric("tollgate_loop_guard_total", &labels),
                20 - refused as u64
            );
        }
    }
}
