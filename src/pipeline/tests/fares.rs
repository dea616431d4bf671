//! What becomes of one request is known to the next: who is slow, who is limited, what is too long for whom.

use serde_json::json;

use super::limits::{SECRET, over, world_with};
use super::*;
use crate::dialect::Dialect;
use crate::handoff::Place;
use crate::route::{self, kept};

fn ask(world: &Rc<World>, model: &str, text: &str) -> Box<Sent> {
    let body = json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}).to_string();
    awaiting(world, &head("POST", CHAT, SECRET))
        .ask_here(body.as_bytes())
        .unwrap()
}

/// The providers in the order of the attempts.
fn order(sent: &Sent) -> Vec<String> {
    let legs = sent.handoff(Place { vm: 1, exchange: 1 }).legs;
    legs.iter().map(|stop| stop.provider.to_string()).collect()
}

/// An attempt that ends with this status after so many milliseconds, and what is taken down of it.
fn ends(mut sent: Box<Sent>, status: &str, millis: u64) {
    let later = Now(T0.0 + millis * 1_000_000);
    let _ = sent.begins(&Headers::default());
    let _ = sent.reply_head(&reply(status, "application/json"), false, later);
    let _ = sent.reply_chunk(b"{}", later, true);
    with_books(|books| sent.note(Some(Ending::ByProvider), books)).unwrap();
    over(&mut sent);
}

#[test]
fn the_fastest_is_asked_once_all_are_known() {
    let world = world_with(|document| document["models"]["everywhere"]["order"] = json!("fastest"));
    assert_eq!(order(&ask(&world, "everywhere", "")).len(), 3);
    // Whoever is asked first is measured; those not known are tried now and then.
    let model = world.model_by_name("everywhere").unwrap();
    for (provider, millis) in [("one", 900), ("two", 300), ("three", 600)] {
        let sent = ask(&world, "everywhere", "");
        let first = order(&sent)[0].clone();
        ends(sent, "200", millis);
        let cell = crate::pace::cell_name(&first, "everywhere");
        let known =
            with_books(|books| crate::pace::read(&cell, books).expected(crate::pace::Kind::Answer, books.clock.steady));
        assert!(known.is_some(), "{first}");
        let cell = crate::pace::cell_name(provider, "everywhere");
        let all = (0..60).try_for_each(|_| {
            with_books(|books| crate::pace::learn(&cell, crate::pace::Kind::Answer, millis * 1_000, books))
        });
        assert_eq!(all, Ok(()));
    }
    assert_eq!(order(&ask(&world, "everywhere", "")), ["two", "three", "one"]);
    assert!(
        kept::place(
            &world,
            Some(model),
            &route::for_model(&world, model, Dialect::OpenAi)[0]
        )
        .is_some()
    );
}

#[test]
fn a_429_sends_a_model_elsewhere_and_leaves_the_others_where_they_are() {
    let world = world_with(|document| {
        document["models"]["beside"] = document["models"]["everywhere"].clone();
        document["failover"] = json!({"attempts": 1});
    });
    ends(ask(&world, "everywhere", ""), "429", 5);
    assert_eq!(order(&ask(&world, "everywhere", ""))[0], "two");
    assert_eq!(order(&ask(&world, "beside", ""))[0], "one");
}

#[test]
fn what_is_too_long_goes_where_it_fits_and_anywhere_if_it_fits_nowhere() {
    let world = world_with(|document| {
        let targets = document["models"]["everywhere"]["targets"].as_array_mut().unwrap();
        for (target, most) in targets.iter_mut().zip([200, 2_000, 1_000]) {
            target["context"] = json!(most);
        }
    });
    for (bytes, expected) in [
        (40, &["one", "two", "three"][..]),
        (2_000, &["two", "three"]),
        (60_000, &["one", "two", "three"]),
    ] {
        assert_eq!(
            order(&ask(&world, "everywhere", &"word ".repeat(bytes / 5))),
            expected,
            "{bytes}"
        );
    }
}

#[test]
fn who_could_not_be_reached_is_at_fault_and_not_what_a_backup_has_no_words_for() {
    let world = world_with(|document| {
        document["providers"]["claude"] = json!({"dialect": "anthropic", "endpoint": "https://anthropic.test"});
        document["models"]["mixed"] = json!({"targets": [{"provider": "one"}, {"provider": "claude"}]});
        document["models"]["claude"] = json!({"targets": [{"provider": "claude"}]});
    });
    let body = json!({"model": "mixed", "logprobs": true, "messages": []}).to_string();
    let asks = |body: &str| awaiting(&world, &head("POST", CHAT, SECRET)).ask_here(body.as_bytes());
    let mut sent = asks(&body).unwrap();
    let _ = sent.begins(&Headers::default());
    let _ = sent.begins(&Headers::default());
    assert_eq!(sent.translate(body.as_bytes()).unwrap_err().status, 502);
    assert_eq!(sent.record(Ending::ByProvider, T0).outcome, "provider_unreachable");
    over(&mut sent);
    // Where nobody has words for it, that is said.
    let refused = asks(&body.replace("mixed", "claude")).unwrap_err();
    assert_eq!(refused.record(T0).outcome, "refused_untranslatable");
}
