//! Requests for models whose names no document has, but their beginnings.

use serde_json::{Value, json};

use super::limits::{SECRET, over, world_with};
use super::*;
use crate::handoff::Place;

fn open_world() -> Rc<World> {
    world_with(|document| {
        document["models"]["house-*"] =
            json!({"targets": [{"provider": "one"}, {"provider": "two", "model": "org/house-*"}]});
        document["models"]["house-fixed"] = json!({"targets": [{"provider": "three"}]});
        document["keys"][0]["models"] = json!(["house-1*", "house-fixed", "small"]);
        document["prices"] = json!([
            {"provider": "one", "model": "house-1-large", "input": 1, "output": 10},
            {"provider": "one", "model": "house-*", "input": 2, "output": 20},
            {"provider": "two", "model": "*", "input": 0.1, "output": 1},
            {"provider": "three", "model": "*", "input": 2, "output": 5},
        ]);
    })
}

fn ask(world: &Rc<World>, model: &str) -> Result<Box<Sent>, u16> {
    let body = json!({"model": model, "max_tokens": 100, "messages": []}).to_string();
    awaiting(world, &head("POST", CHAT, SECRET))
        .ask_here(body.as_bytes())
        .map_err(|refused| refused.answer().status)
}

#[test]
fn each_provider_is_asked_for_what_the_client_wrote_in_its_own_words() {
    let mut sent = ask(&open_world(), "house-1-large").unwrap();
    let body = json!({"model": "house-1-large", "max_tokens": 100, "messages": []}).to_string();
    assert_eq!(
        sent.handoff(Place { vm: 1, exchange: 1 })
            .legs
            .iter()
            .map(|stop| (&*stop.provider, &*stop.model))
            .collect::<Vec<_>>(),
        [("one", "house-1-large"), ("two", "org/house-1-large")]
    );
    assert!(!sent.begins(&Headers::default()).unwrap().translates);
    assert_eq!(
        sent.translate(body.as_bytes()),
        Ok(None),
        "the first calls it as the client does"
    );
    assert!(sent.begins(&Headers::default()).unwrap().translates);
    let translated: Value = serde_json::from_slice(&sent.translate(body.as_bytes()).unwrap().unwrap()).unwrap();
    assert_eq!(translated["model"], "org/house-1-large");
    over(&mut sent);
}

#[test]
fn it_is_priced_by_the_name_that_was_asked_for_and_counted_by_the_documents() {
    for (model, cost) in [("house-1-large", 10_000 + 1_000), ("house-1-small", 20_000 + 2_000)] {
        let mut sent = ask(&open_world(), model).unwrap();
        let _ = sent.begins(&Headers::default());
        let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
        let usage = json!({"usage": {"prompt_tokens": 1_000, "completion_tokens": 1_000}}).to_string();
        let _ = sent.reply_chunk(usage.as_bytes(), T0, true);
        let seen = observed(&sent.record(Ending::ByProvider, T0));
        assert_eq!(
            seen["tollgate_cost_nanodollars_total agent payments house-* one reported ok"],
            cost * 1_000
        );
        assert!(
            !seen.keys().any(|series| series.contains("house-1")),
            "no client chooses a label"
        );
        over(&mut sent);
    }
}

#[test]
fn a_key_asks_for_what_it_may_and_nothing_else() {
    let world = open_world();
    for (model, status) in [
        ("house-1", None),
        ("house-12", None),
        ("house-fixed", None),
        ("house-2", Some(403)),
        ("house-fixed-2", Some(403)),
        ("house-*", Some(403)),
        ("house", Some(404)),
        ("large", Some(403)),
    ] {
        assert_eq!(
            ask(&world, model).map(|mut sent| over(&mut sent)).err(),
            status,
            "{model}"
        );
    }
}

#[test]
fn a_list_names_no_model_that_stands_for_many_but_each_can_be_looked_up() {
    let world = open_world();
    let told = |path: &str| match receive(&world, &head("GET", path, SECRET), true, T0) {
        Receipt::Refuse(refused) => refused.answer().status.to_string(),
        Receipt::Answer(answered) => String::from_utf8(answered.answer.body).unwrap(),
        other => panic!("{other:?}"),
    };
    let list: Value = serde_json::from_str(&told("/v1/models")).unwrap();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["house-fixed", "small"]);
    assert!(told("/v1/models/house-1-large").contains(r#""id":"house-1-large""#));
    assert_eq!(told("/v1/models/house-2"), "404");
}
