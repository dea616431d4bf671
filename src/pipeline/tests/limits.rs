//! Limits in the life of a request: what is set aside, which way it goes, what it is told.

use serde_json::{Value, json};

use super::*;

pub(super) const SECRET: &str = "tg-agent";

/// A document with three providers and a chain of models, and what `change` makes of it.
pub(super) fn world_with(change: impl FnOnce(&mut Value)) -> Rc<World> {
    let digest = caller::digest(SECRET.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let provider = |name: &str| json!({"dialect": "openai", "endpoint": format!("https://{name}.test/v1"), "credential": {"env": "X"}});
    let model = |target: &str, cheaper: Option<&str>| {
        let mut model = json!({"targets": [{"provider": target}]});
        if let Some(cheaper) = cheaper {
            model["cheaper"] = json!(cheaper);
        }
        model
    };
    let mut document = json!({
        "providers": {"one": provider("one"), "two": provider("two"), "three": provider("three")},
        "models": {
            "large": model("one", Some("middle")),
            "middle": model("one", Some("small")),
            "small": model("two", None),
            "everywhere": {"targets": [{"provider": "one"}, {"provider": "two"}, {"provider": "three"}]}
        },
        "teams": {"payments": {}},
        "keys": [{"name": "agent", "sha256": hash, "team": "payments"}],
        "prices": [
            {"provider": "one", "model": "*", "input": 1, "output": 10},
            {"provider": "two", "model": "*", "input": 0.1, "output": 1},
            {"provider": "three", "model": "*", "input": 2, "output": 5}
        ]
    });
    change(&mut document);
    let document = Document::parse(&document.to_string()).unwrap();
    Rc::new(World::compile(&document, &|name| Some(format!("sk-{name}"))).unwrap())
}

fn body(model: &str) -> String {
    json!({"model": model, "max_tokens": 100, "messages": []}).to_string()
}

/// A request that was let through, or the rule that refused it.
pub(super) fn ask(world: &Rc<World>, body: &str) -> Result<Box<Sent>, String> {
    awaiting(world, &head("POST", CHAT, SECRET))
        .ask_here(body.as_bytes())
        .map_err(|refused| refused.record(T0).remarks.refused_by.unwrap())
}

/// Lets a request be answered with so many tokens, and settles it.
fn answered(sent: &mut Sent, prompt: u64, completion: u64) {
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
    let usage = json!({"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}).to_string();
    let _ = sent.reply_chunk(usage.as_bytes(), T0, true);
    over(sent);
}

/// The request is over.
pub(super) fn over(sent: &mut Sent) {
    let grant = sent.take_grant();
    let record = sent.record(Ending::ByProvider, T0);
    with_books(|books| sent.settle(grant, &record, books)).unwrap();
}

fn told(sent: &mut Sent) -> BTreeMap<&'static str, String> {
    let _ = sent.begins(&Headers::default());
    let head = sent.reply_head(&reply("200", "application/json"), false, T0);
    passed(head).set.into_iter().collect()
}

fn model(sent: &Sent) -> String {
    sent.arrival.world.model(sent.model.unwrap()).unwrap().name.to_string()
}

#[test]
fn a_key_with_several_rules_goes_down_the_chain_by_one_model_for_each() {
    let world = world_with(|document| {
        document["keys"][0]["limits"] = json!({"rpm": {"limit": 100, "warn_at": 0.01, "then": "downgrade"}});
        document["teams"]["payments"]["limits"] = json!({"rpm": {"limit": 100, "warn_at": 0.02, "then": "downgrade"}});
    });
    let models: Vec<String> = (0..4).map(|_| model(&ask(&world, &body("large")).unwrap())).collect();
    assert_eq!(models, ["large", "middle", "small", "small"]);
    let mut sent = ask(&world, &body("large")).unwrap();
    let headers = told(&mut sent);
    assert_eq!(headers["x-tollgate-model"], "small");
    // From the model that was asked for, and by the rule that came first: the team's are asked before the key's.
    assert_eq!(headers["x-tollgate-downgraded"], "large; team.rpm");
    let record = sent.record(Ending::ByProvider, T0);
    let observed = observed(&record);
    assert_eq!(
        observed["tollgate_downgrades_total agent payments large small team.rpm"],
        1
    );
    assert_eq!(
        observed["tollgate_downgrades_total agent payments middle small key.rpm"],
        1
    );
}

#[test]
fn a_chain_ends_where_the_key_may_not_go_on() {
    let world = world_with(|document| {
        let limit = json!({"rpm": {"limit": 100, "warn_at": 0.01, "then": "downgrade"}});
        document["keys"][0]["models"] = json!(["large", "middle"]);
        document["keys"][0]["per_model"] = json!({"*": {"limits": limit}});
    });
    let models: Vec<String> = (0..5).map(|_| model(&ask(&world, &body("large")).unwrap())).collect();
    assert_eq!(models, ["large", "middle", "middle", "middle", "middle"]);
}

#[test]
fn a_request_that_was_sent_on_uses_up_the_models_it_goes_to_and_not_the_ones_it_left() {
    let world = world_with(|document| {
        let limit = json!({"limits": {"rpm": {"limit": 1, "then": "downgrade", "warn_at": 1}}});
        document["models"]["large"]["limits"] = limit["limits"].clone();
        document["keys"][0]["per_model"] = json!({"middle": limit, "small": {"limits": {"rpm": 2}}});
    });
    let order: Vec<_> = (0..5)
        .map(|_| ask(&world, &body("large")).map(|sent| model(&sent)))
        .collect();
    let served = |name: &str| Ok(name.to_owned());
    let refused = Err("key_model.rpm".to_owned());
    assert_eq!(
        order,
        [
            served("large"),
            served("middle"),
            served("small"),
            served("small"),
            refused
        ]
    );
}

#[test]
fn providers_are_gone_to_in_order_but_for_those_that_are_full_or_nearly_so() {
    let rule =
        |limit: u64, warn_at: f64, then: &str| json!({"rpm": {"limit": limit, "warn_at": warn_at, "then": then}});
    let order = |sent: &mut Sent| -> Vec<String> {
        let mut order = vec![sent.cluster().unwrap().to_owned()];
        while let Some(next) = sent.begins(&Headers::default()).unwrap().next_cluster {
            if order.last() == Some(&next) {
                break;
            }
            order.push(next);
        }
        order
    };
    let world = world_with(|document| {
        document["providers"]["one"]["limits"] = rule(2, 0.5, "downgrade");
        document["providers"]["two"]["limits"] = rule(3, 1.0, "block");
    });
    let orders: Vec<Vec<String>> = (0..4)
        .map(|_| {
            let mut sent = ask(&world, &body("everywhere")).unwrap();
            let order = order(&mut sent);
            // Only the first of them is gone to.
            let mut sent = *sent;
            sent.attempts.truncate(1);
            over(&mut sent);
            order
        })
        .collect();
    assert_eq!(
        orders,
        [
            vec!["one", "two", "three"],
            // Nearly full: last.
            vec!["two", "three", "one"],
            vec!["two", "three", "one"],
            vec!["two", "three", "one"],
        ]
    );
    // And now the second is full.
    assert_eq!(order(&mut ask(&world, &body("everywhere")).unwrap()), ["three", "one"]);
}

#[test]
fn where_all_providers_are_full_the_one_that_is_free_first_says_when() {
    let world = world_with(|document| {
        document["providers"]["one"]["budget"] = json!({"tokens": 200, "per": "day"});
        for name in ["two", "three"] {
            document["providers"][name]["limits"] = json!({"rpm": 1});
        }
    });
    for provider in ["one", "two", "three"] {
        // While a request is under way, each provider that it may yet go to has a place for it; then all but one take it back.
        let mut sent = ask(&world, &body("everywhere")).unwrap();
        assert_eq!(sent.cluster(), Some(provider));
        answered(&mut sent, 32, 100);
    }
    let refused = awaiting(&world, &head("POST", CHAT, SECRET))
        .ask_here(body("everywhere").as_bytes())
        .unwrap_err();
    let answer = refused.answer();
    let header = |name: &str| {
        answer
            .headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(header("x-tollgate-limit").as_deref(), Some("provider.rpm"));
    assert_eq!(header("retry-after").as_deref(), Some("60"));
}

#[test]
fn of_a_request_with_several_answers_all_are_set_aside() {
    let world = world_with(|document| {
        document["keys"][0]["budget"] = json!([{"tokens": 1000, "per": "day"}, {"usd": 1, "per": "day"}]);
    });
    let many = json!({"model": "large", "n": 9, "max_tokens": 100, "messages": []}).to_string();
    let mut sent = ask(&world, &many).unwrap();
    assert_eq!(ask(&world, &body("large")).unwrap_err(), "key.token_budget.day");
    answered(&mut sent, 8, 90);
    let refused = ask(&world, &many).unwrap_err();
    assert_eq!(refused, "key.token_budget.day", "98 are spent, and 932 might be");
    assert!(
        ask(
            &world,
            &json!({"model": "large", "n": 8, "max_tokens": 100, "messages": []}).to_string()
        )
        .is_ok()
    );
}

#[test]
fn a_request_without_a_longest_answer_is_reckoned_with_the_models_or_with_those_before() {
    let tokens_left = |world: &Rc<World>, text: &str| -> u64 {
        let headers = told(&mut ask(world, text).unwrap());
        headers["x-ratelimit-remaining-tokens"].parse().unwrap()
    };
    let bare = json!({"model": "small", "messages": []}).to_string();
    let limited = |most: Option<u64>| {
        world_with(move |document| {
            document["keys"][0]["limits"] = json!({"tpm": 100_000});
            if let Some(most) = most {
                document["models"]["small"]["max_output_tokens"] = json!(most);
            }
        })
    };
    let world = limited(None);
    assert_eq!(tokens_left(&world, &bare), 100_000 - 1_024);
    answered(&mut ask(&world, &bare).unwrap(), 0, 5_000);
    assert_eq!(tokens_left(&world, &bare), 100_000 - 1_024 - 5_000 - 5_000);
    STORE.take();
    assert_eq!(tokens_left(&limited(Some(700)), &bare), 100_000 - 700);
    // What the request says goes before both.
    STORE.take();
    assert_eq!(tokens_left(&limited(Some(700)), &body("small")), 100_000 - 100);
}

#[test]
fn reading_and_counting_costs_nothing_and_is_a_request_nevertheless() {
    let world = world_with(|document| {
        document["default_provider"] = json!("one");
        document["keys"][0]["budget"] = json!({"usd": 0.000001, "per": "day"});
        document["keys"][0]["limits"] = json!({"rpm": 2});
    });
    for _ in 0..2 {
        let Receipt::Send(mut sent) = receive(&world, &head("GET", "/v1/files", SECRET), true, T0) else {
            panic!()
        };
        over(&mut sent);
    }
    let Receipt::Refuse(refused) = receive(&world, &head("GET", "/v1/files", SECRET), true, T0) else {
        panic!()
    };
    assert_eq!(refused.record(T0).remarks.refused_by.as_deref(), Some("key.rpm"));
}

#[test]
fn an_embedding_has_no_answer_to_set_aside_or_to_cut() {
    let world = world_with(|document| {
        document["keys"][0]["budget"] = json!({"tokens": 1000, "per": "day", "then": "clamp"});
    });
    let text = |length: usize| json!({"model": "small", "input": "x".repeat(length)}).to_string();
    let send =
        |length: usize| awaiting(&world, &head("POST", "/v1/embeddings", SECRET)).ask_here(text(length).as_bytes());
    assert!(send(1_000).is_err());
    let mut sent = send(600)
        .map_err(|refused| String::from_utf8(refused.answer().body))
        .unwrap();
    assert_eq!(sent.translate(text(600).as_bytes()), Ok(None));
}

#[test]
fn two_budgets_of_one_name_are_told_and_counted_once() {
    let world = world_with(|document| {
        document["keys"][0]["budget"] = json!([
            {"usd": 400, "per": "month", "warn_at": 0.001, "then": "warn"},
            {"usd": 500, "per": "month", "warn_at": 0.001}
        ]);
    });
    answered(&mut ask(&world, &body("large")).unwrap(), 0, 90_000);
    let mut sent = ask(&world, &body("large")).unwrap();
    assert_eq!(told(&mut sent)["x-tollgate-warning"], "key.budget.month");
    let record = sent.record(Ending::ByProvider, T0);
    assert_eq!(
        observed(&record)["tollgate_near_limit_total agent payments large key.budget.month"],
        1
    );
}

#[test]
fn what_costs_nobody_knows_what_is_not_for_keys_with_a_budget() {
    let budget = json!({"usd": 5, "per": "day"});
    let world = world_with(|document| {
        document["keys"][0]["budget"] = budget.clone();
        document["default_provider"] = json!("one");
    });
    let status = |world: &Rc<World>, path: &str, body: &str| match awaiting(world, &head("POST", path, SECRET))
        .ask_here(body.as_bytes())
    {
        Ok(mut sent) => {
            over(&mut sent);
            200
        }
        Err(refused) => refused.answer().status,
    };
    assert_eq!(status(&world, "/v1/batches", r#"{"input_file_id":"f"}"#), 403);
    assert_eq!(status(&world, CHAT, r#"{"model":"","messages":[]}"#), 400);
    // Not that they cost nothing, but in shadow mode nothing is refused.
    let shadow = world_with(|document| {
        document["default_provider"] = json!("one");
        document["keys"][0]["budget"] = budget.clone();
        document["keys"][0]["mode"] = json!("shadow");
    });
    assert_eq!(status(&shadow, "/v1/batches", r#"{"input_file_id":"f"}"#), 200);
    let warned = world_with(|document| {
        document["default_provider"] = json!("one");
        document["keys"][0]["budget"] = json!({"usd": 5, "per": "day", "then": "warn"});
    });
    assert_eq!(status(&warned, "/v1/batches", r#"{"input_file_id":"f"}"#), 200);
}

#[test]
fn in_shadow_mode_a_request_keeps_its_bytes() {
    for place in ["/mode", "/keys/0/mode", "/teams/payments/mode"] {
        let world = world_with(|document| {
            document["keys"][0]["budget"] = json!({"usd": 5, "per": "day"});
            for model in document["models"].as_object_mut().unwrap().values_mut() {
                model["max_output_tokens"] = json!(500);
            }
            let (object, member) = place.rsplit_once('/').unwrap();
            document.pointer_mut(object).unwrap()[member] = json!("shadow");
        });
        let body = json!({"model": "one-of-its-own", "messages": []}).to_string();
        let body = body.replace("one-of-its-own", "large");
        let mut sent = ask(&world, &body).unwrap();
        let translated = sent
            .translate(body.as_bytes())
            .unwrap()
            .map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(!translated.unwrap_or_default().contains("500"), "{place}");
        over(&mut sent);
    }
}
