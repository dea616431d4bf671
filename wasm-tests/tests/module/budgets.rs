//! Budgets: the worst case is set aside, what was used is spent, and no more than there is.

use serde_json::{Value, json};
use wasm_tests::{Gateway, Outcome, Reply};

use crate::fixture::*;

const DAY: &str = "key.budget.day";

fn dollars(usd: f64) -> Value {
    agent_with(json!({"budget": {"usd": usd, "per": "day"}}))
}

fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.send(question("gpt-4o")).status).collect()
}

#[test]
fn the_worst_case_is_set_aside_and_the_difference_comes_back() {
    let gateway = started(&dollars(1.0));
    let other = gateway.another_worker(&dollars(1.0), &ENV);
    let mut exchange = gateway.begin(question("gpt-4o"));
    exchange.step();
    exchange.step();
    let told = rule(&other, DAY);
    let [used, aside, left] = ["used", "set_aside", "remaining"].map(|name| told[name].as_u64().unwrap());
    assert_eq!((used, aside, left), (0, QUESTION_MOST, 1_000_000_000 - QUESTION_MOST));
    assert_eq!(exchange.run().status, 200);
    let told = rule(&other, DAY);
    assert_eq!(
        (told["used"].as_u64(), told["set_aside"].as_u64()),
        (Some(CHAT_COST), Some(0))
    );
    assert_eq!(told["used_usd"], 0.004);
    assert_eq!(told["resets_at"], "2026-09-02T00:00:00Z");
}

#[test]
fn the_ledger_is_the_bill_to_the_nanodollar_whoever_served_and_however_it_ended() {
    let document = dollars(50.0);
    let gateway = Gateway::start(&document, &ENV);
    let other = gateway.another_worker(&document, &ENV);
    for index in 0..60 {
        let worker = [&gateway, &other][index % 2];
        let (first, second) = match index % 6 {
            0 => (chat_reply(), Reply::silence()),
            1 => (Reply::stream(chat_events(index)), Reply::silence()),
            2 => (Reply::stream(chat_events(9)).cut_after(7), Reply::silence()),
            3 => (Reply::json(500, "{}"), chat_reply()),
            4 => (
                Reply::json(200, r#"{"choices":[{"message":{"content":"no usage told"}}]}"#),
                Reply::silence(),
            ),
            _ => (Reply::stream(chat_events(9)), Reply::silence()),
        };
        worker.answers_now("first", first);
        worker.answers_now("second", second);
        match index % 6 {
            5 => drop(worker.send_and_hang_up(chat_stream("gpt-4o"), 5 + index % 4)),
            1 | 2 => drop(worker.send(chat_stream("gpt-4o"))),
            _ => drop(worker.send(chat("gpt-4o"))),
        }
    }
    let cost = gateway.process.metric("tollgate_cost_nanodollars_total", &[]);
    assert!(cost > 40 * 100_000, "{cost}");
    assert_eq!(amount(&gateway, DAY, "used"), cost);
    assert_eq!(amount(&gateway, DAY, "set_aside"), 0);
}

#[test]
fn no_number_of_requests_at_once_overspends() {
    // Room for the worst cases of nine; what they really cost leaves room for another afterwards.
    let document = dollars(0.043);
    let gateway = started(&document);
    let other = gateway.another_worker(&document, &ENV);
    let workers = [&gateway, &other];
    let mut exchanges: Vec<_> = (0..14)
        .map(|index| workers[index % 2].begin(question("gpt-4o")))
        .collect();
    for _ in 0..2 {
        for exchange in &mut exchanges {
            exchange.step();
        }
    }
    let all: Vec<Outcome> = exchanges.into_iter().map(wasm_tests::Exchange::run).collect();
    assert_eq!(all.iter().filter(|outcome| outcome.status == 200).count(), 9);
    let refused = all.iter().find(|outcome| outcome.status == 429).unwrap();
    assert_eq!((refused_by(refused).as_str(), retry_after(refused)), (DAY, 1));
    assert!(
        refused
            .text()
            .contains("set aside for requests under way: $0.043 per day"),
        "{}",
        refused.text()
    );
    assert_eq!(statuses(&gateway, 3), [200, 429, 429]);
    assert_eq!(amount(&gateway, DAY, "used"), 10 * CHAT_COST);
}

#[test]
fn a_budget_that_is_used_up_comes_back_when_its_day_is_over() {
    let gateway = started(&dollars(0.0114));
    assert_eq!(statuses(&gateway, 3), [200, 200, 429]);
    let refused = gateway.send(question("gpt-4o"));
    // It is noon.
    assert_eq!((refused_by(&refused).as_str(), retry_after(&refused)), (DAY, 43_200));
    assert_eq!(refused.headers.text("x-should-retry").unwrap(), "false");
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("budget_exceeded"))
    );
    assert_eq!(
        error["message"],
        "The budget of key 'agent' is used up: $0.0114 per day. Try again in 12 h."
    );
    pass(&gateway, 43_199);
    assert_eq!(retry_after(&gateway.send(question("gpt-4o"))), 1);
    pass(&gateway, 1);
    assert_eq!(amount(&gateway, DAY, "used"), 0);
    assert_eq!(statuses(&gateway, 3), [200, 200, 429]);
    assert!(gateway.process.metric("tollgate_refusals_total", &[("rule", DAY)]) >= 4);
    assert!(outcomes(&gateway).contains(&("refused_budget".to_owned(), 4)));
}

#[test]
fn a_budget_that_rolls_comes_back_bit_by_bit() {
    let document = agent_with(json!({"budget": {"usd": 0.0114, "over": "1h"}}));
    let gateway = started(&document);
    assert_eq!(statuses(&gateway, 1), [200]);
    pass(&gateway, 1_000);
    assert_eq!(statuses(&gateway, 2), [200, 429]);
    let refused = gateway.send(question("gpt-4o"));
    assert_eq!(refused_by(&refused), "key.budget.rolling_1h");
    let wait = retry_after(&refused);
    assert!((2_600..2_661).contains(&wait), "{wait}");
    pass(&gateway, wait - 1);
    assert_eq!(statuses(&gateway, 1), [429]);
    pass(&gateway, 1);
    assert_eq!(statuses(&gateway, 2), [200, 429]);
}

#[test]
fn a_budget_of_tokens_is_one_of_all_its_teams_keys() {
    let mut document = document();
    document["teams"]["payments"]["budget"] = json!({"tokens": 5000, "per": "week"});
    document["keys"][1]["team"] = json!("payments");
    let gateway = started(&document);
    let other = gateway.another_worker(&document, &ENV);
    assert_eq!(gateway.send(question("gpt-4o")).status, 200);
    assert_eq!(other.send(chat("gpt-4o-mini").bearer(LIMITED_KEY)).status, 200);
    assert_eq!(gateway.send(question("gpt-4o")).status, 200);
    assert_eq!(amount(&other, "team.token_budget.week", "used"), 3 * 1200);
    assert_eq!(other.send(chat("gpt-4o-mini").bearer(LIMITED_KEY)).status, 200);
    let refused = other.send(chat("gpt-4o-mini").bearer(LIMITED_KEY));
    assert_eq!(refused_by(&refused), "team.token_budget.week");
    // From Tuesday noon to Monday.
    assert_eq!(retry_after(&refused), 5 * 86_400 + 43_200);
    assert!(
        refused
            .text()
            .contains("team 'payments' is used up: 5000 tokens per week"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_request_larger_than_the_whole_budget_is_told_so() {
    let gateway = started(&dollars(0.001));
    let refused = gateway.send(question("gpt-4o"));
    assert_eq!(refused_by(&refused), DAY);
    assert!(!refused.headers.has("retry-after"));
    assert!(
        refused
            .text()
            .contains("may use more than the whole budget of key 'agent': $0.001 per day")
    );
}

#[test]
fn a_budget_on_trial_refuses_nothing_and_one_that_only_warns_neither() {
    let budgets = [json!({"mode": "shadow"}), json!({"then": "warn"})];
    for members in budgets {
        let shadow = members.get("mode").is_some();
        let mut budget = json!({"usd": 0.009, "per": "day"});
        merge(&mut budget, members);
        let gateway = started(&agent_with(json!({"budget": budget})));
        assert_eq!(statuses(&gateway, 4), [200, 200, 200, 200]);
        let outcome = gateway.send(question("gpt-4o"));
        assert_eq!(outcome.headers.text("x-tollgate-warning").unwrap(), DAY);
        assert_eq!(outcome.headers.has("x-tollgate-would-deny"), shadow);
        assert_eq!(
            amount(&gateway, DAY, "used"),
            5 * CHAT_COST,
            "what it cost is spent nevertheless"
        );
        let labels = [("key", "agent"), ("rule", DAY)];
        // The first two found less than 80 % used.
        assert_eq!(gateway.process.metric("tollgate_near_limit_total", &labels), 3);
        let denied = gateway.process.metric("tollgate_would_deny_total", &labels);
        assert_eq!(denied, if shadow { 3 } else { 0 });
    }
}

#[test]
fn a_raised_budget_is_raised_until_its_moment() {
    let budget = json!({"usd": 0.0114, "per": "day", "raise": {"to": 0.03, "until": "2026-09-01T13:00:00Z"}});
    let gateway = started(&agent_with(json!({"budget": budget})));
    assert_eq!(statuses(&gateway, 3), [200, 200, 200]);
    assert_eq!(amount(&gateway, DAY, "limit"), 30_000_000);
    pass(&gateway, 3_600);
    let refused = gateway.send(question("gpt-4o"));
    assert_eq!(retry_after(&refused), 11 * 3_600);
    assert_eq!(amount(&gateway, DAY, "limit"), 11_400_000);
    assert_eq!(amount(&gateway, DAY, "remaining"), 0);
}

#[test]
fn a_changed_amount_keeps_what_was_spent_and_a_changed_period_begins_afresh_and_says_so() {
    let with = |usd: f64, per: &str| agent_with(json!({"budget": {"usd": usd, "per": per}}));
    let gateway = started(&with(0.0114, "day"));
    assert_eq!(statuses(&gateway, 3), [200, 200, 429]);
    assert!(gateway.configure(&with(0.0154, "day")));
    assert_eq!(amount(&gateway, DAY, "used"), 2 * CHAT_COST);
    assert_eq!(statuses(&gateway, 2), [200, 429]);
    assert!(!gateway.process.log_text().contains("begins afresh"));
    assert!(gateway.configure(&with(0.0114, "month")));
    assert_eq!(statuses(&gateway, 3), [200, 200, 429]);
    let log = gateway.process.log_text();
    let line = "what was spent per day does not count for the budget per month, which begins afresh";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    assert!(log.contains("key.agent"), "{log}");
    // Back again: the day is still known.
    assert!(gateway.configure(&with(0.0154, "day")));
    assert_eq!(amount(&gateway, DAY, "used"), 3 * CHAT_COST);
}

#[test]
fn what_has_no_price_spends_nothing_until_the_budget_is_spent() {
    let gateway = started(&dollars(0.0114));
    let free = || gateway.send(chat("free")).status;
    assert_eq!([free(), free()], [200, 200]);
    assert_eq!(amount(&gateway, DAY, "used"), 0);
    assert_eq!(statuses(&gateway, 2), [200, 200]);
    assert_eq!(free(), 200);
    let budget = json!({"usd": 0.008, "per": "day"});
    assert!(gateway.configure(&agent_with(json!({"budget": budget}))));
    assert_eq!(
        free(),
        429,
        "of a budget that is spent nothing goes on, whatever it may cost"
    );
}
