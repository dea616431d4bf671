//! What is set aside for a request is settled however it ends: at every way out, and for a client that hangs up at any
//! moment.

use serde_json::{Value, json};
use wasm_tests::{Gateway, ProviderEnds, Reply, Request};

use crate::fixture::*;

/// Every kind of rule, at everything that can have one.
fn document_with_rules() -> Value {
    let rules = json!({
        "limits": {"rpm": 1000, "tpm": 10_000_000, "parallel": 100},
        "budget": [{"usd": 100, "per": "day"}, {"tokens": 100_000_000, "over": "24h"}]
    });
    let mut document = agent_with(rules.clone());
    document["keys"][0]["per_model"] = json!({"*": rules.clone()});
    document["operators"] = json!([{"name": "on-call", "sha256": sha256(OPERATOR_KEY)}]);
    for path in [
        "/teams/payments",
        "/models/gpt-4o",
        "/providers/first",
        "/providers/second",
        "",
    ] {
        merge(document.pointer_mut(path).unwrap(), rules.clone());
    }
    document
}

/// Everything that an operator is told of rules.
fn rules(gateway: &Gateway) -> Vec<Value> {
    let outcome = gateway.send(Request::get("/tollgate/v1/keys").bearer(OPERATOR_KEY));
    let page = outcome.json();
    let mut rules = page["all"].as_array().unwrap().clone();
    for kind in ["keys", "teams", "models", "providers"] {
        for subject in page[kind].as_array().unwrap() {
            rules.extend(subject["rules"].as_array().unwrap().iter().cloned());
        }
    }
    // Everything, the key, four models of the key, its team as it sees it, the team, a model, two providers.
    assert_eq!(rules.len(), 5 * (1 + 1 + 4 + 1 + 1 + 1 + 2));
    rules
}

/// Nothing is under way or set aside anywhere, and the ledgers have what the metrics have.
fn settled(gateway: &Gateway, about: &str) {
    let cost = gateway.process.metric("tollgate_cost_nanodollars_total", &[]);
    let tokens = gateway.process.metric("tollgate_tokens_total", &[]);
    let mut by_providers = [0, 0];
    for rule in rules(gateway) {
        assert_eq!(rule["set_aside"], 0, "{about}: {rule}");
        let name = rule["rule"].as_str().unwrap();
        let (scope, limit) = name.split_once('.').unwrap();
        let used = rule["used"].as_u64().unwrap();
        match (scope, limit) {
            (_, "parallel") => assert_eq!(used, 0, "{about}: {rule}"),
            ("provider", "budget.day") => by_providers[0] += used,
            ("provider", "token_budget.rolling_24h") => by_providers[1] += used,
            // The other models of the key were not used.
            ("key_model", _) if used == 0 => {}
            (_, "budget.day") => assert_eq!(used, cost, "{about}: {rule}"),
            (_, "token_budget.rolling_24h" | "tpm") if scope != "provider" => {
                assert_eq!(used, tokens, "{about}: {rule}");
            }
            _ => {}
        }
    }
    assert_eq!(by_providers, [cost, tokens], "{about}");
    gateway.tick();
    for gauge in [
        "tollgate_set_aside_nanodollars",
        "tollgate_set_aside_tokens",
        "tollgate_requests_in_flight",
    ] {
        assert_eq!(gateway.process.metric(gauge, &[]), 0, "{about}: {gauge}");
    }
    for series in gateway.process.series() {
        if series.name.contains("set_aside") {
            assert_eq!(series.value, 0, "{about}: {}", series.encoded);
        }
    }
}

/// How the providers answer, in the order in which they are asked.
fn ways() -> Vec<(&'static str, Vec<Reply>)> {
    vec![
        ("answered", vec![chat_reply().in_pieces_of(100)]),
        ("a stream", vec![Reply::stream(chat_events(3))]),
        ("refused by the provider", vec![Reply::json(400, "{}")]),
        ("cut", vec![Reply::stream(chat_events(3)).cut_after(2)]),
        ("the second answers", vec![Reply::json(500, "{}"), chat_reply()]),
        (
            "the second streams",
            vec![Reply::refused(), Reply::stream(chat_events(3))],
        ),
        ("all fail", vec![Reply::reset(), Reply::json(429, "{}")]),
        ("none is there", vec![Reply::refused(), Reply::refused()]),
        (
            "our credential is refused",
            vec![Reply::json(401, "{}"), Reply::json(403, "{}")],
        ),
        ("silence", vec![Reply::silence()]),
    ]
}

fn answering(document: &Value, replies: Vec<Reply>) -> Gateway {
    let gateway = Gateway::start(document, &ENV);
    for (cluster, reply) in ["first", "second"].into_iter().zip(replies) {
        gateway.answers(cluster, reply);
    }
    gateway
}

#[test]
fn nothing_stays_set_aside_on_any_way_out_and_at_no_moment_of_it() {
    let document = document_with_rules();
    for (what, replies) in ways() {
        for moment in 1.. {
            let gateway = answering(&document, replies.clone());
            let request = if what.contains("stream") || what == "cut" {
                chat_stream("gpt-4o")
            } else {
                chat("gpt-4o")
            };
            let outcome = gateway.send_and_hang_up(request.in_pieces_of(60).ending_separately(), moment);
            settled(&gateway, &format!("{what}, hung up after {moment} events"));
            if outcome.events < moment || moment > 40 {
                break;
            }
        }
    }
}

#[test]
fn whichever_end_comes_first_and_whoever_else_is_under_way() {
    let document = document_with_rules();
    for ends in [ProviderEnds::BeforeTheLog, ProviderEnds::AfterTheLog] {
        let gateway = Gateway::start(&document, &ENV).with_provider_ending(ends);
        gateway.answers("first", Reply::stream(chat_events(6)));
        let other = gateway.another_worker(&document, &ENV);
        let workers = [&gateway, &other];
        let mut exchanges: Vec<_> = (0..24)
            .map(|index| workers[index % 2].begin(chat_stream("gpt-4o")))
            .collect();
        for _ in 0..5 {
            for exchange in &mut exchanges {
                exchange.step();
            }
        }
        assert_eq!(amount(&gateway, "key.parallel", "used"), 24);
        assert!(amount(&other, "key.budget.day", "set_aside") >= 24 * 1024 * 10_000);
        gateway.tick();
        assert!(gateway.process.metric("tollgate_set_aside_nanodollars", &[]) >= 24 * 1024 * 10_000);
        assert!(gateway.process.metric("tollgate_set_aside_tokens", &[]) >= 24 * 1024);
        assert_eq!(gateway.process.metric("tollgate_requests_in_flight", &[]), 24);
        for (index, exchange) in exchanges.into_iter().enumerate() {
            match index % 5 {
                0 => drop(exchange.hang_up()),
                _ => drop(exchange.run()),
            }
        }
        settled(&gateway, &format!("{ends:?}"));
    }
}

#[test]
fn nor_where_headers_cannot_be_held() {
    let mut document = document_with_rules();
    document["hold_headers"] = json!(false);
    for (what, replies) in ways() {
        if replies.len() > 1 {
            continue;
        }
        for moment in 1.. {
            let gateway = Gateway::start(&document, &ENV);
            gateway.answers("first.test", replies[0].clone());
            let request = if what.contains("stream") || what == "cut" {
                chat_stream("gpt-4o")
            } else {
                chat("gpt-4o")
            };
            let request = request.header(":authority", "first.test").in_pieces_of(60);
            let outcome = gateway.send_and_hang_up(request, moment);
            let keys = Request::get("/tollgate/v1/keys").header(":authority", "first.test");
            let page = gateway.send(keys.bearer(OPERATOR_KEY)).text();
            assert!(page.contains("\"set_aside\":0"), "{page}");
            let left = page
                .match_indices("\"set_aside\":")
                .filter(|(at, found)| !page[at + found.len()..].starts_with('0'));
            assert_eq!(left.count(), 0, "{what}, hung up after {moment} events: {page}");
            assert!(!page.contains("\"in_flight\":1"), "{page}");
            if outcome.events < moment || moment > 40 {
                break;
            }
        }
    }
}

#[test]
fn a_body_that_never_ends_sets_nothing_aside_and_is_counted_out() {
    let gateway = answering(&document_with_rules(), vec![chat_reply()]);
    let mut exchange = gateway.begin(chat("gpt-4o").in_pieces_of(20));
    exchange.step();
    exchange.step();
    let me = gateway.send(Request::get("/tollgate/v1/me").bearer(AGENT_KEY)).json();
    assert_eq!(me["in_flight"], 1);
    assert_eq!(amount(&gateway, "key.parallel", "used"), 0);
    drop(exchange);
    let me = gateway.send(Request::get("/tollgate/v1/me").bearer(AGENT_KEY)).json();
    assert_eq!(me["in_flight"], 0);
    settled(&gateway, "half a body");
}
