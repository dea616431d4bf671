//! Names that stand for many models, keys' own providers, and what is inherited of failover and health.

use std::time::Duration;

use super::*;
use crate::document::Order;

/// A document whose models are these.
fn with_models(models: Value) -> Value {
    let provider = |port| json!({"dialect": "openai", "endpoint": format!("http://127.0.0.1:{port}")});
    json!({
        "providers": {"a": provider(1), "b": provider(2), "openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1"}},
        "models": models,
    })
}

/// A document with models that stand for many names, for one key that may use these.
fn with_patterns(patterns: &[&str]) -> Value {
    let target = json!({"targets": [{"provider": "a"}]});
    let mut document = with_models(json!({
        "claude-*": target, "claude-3-5*": target, "claude-opus": {"targets": [{"provider": "a"}], "aliases": ["opus"]}, "gpt-4o": target,
    }));
    document["keys"] = json!([{"name": "k", "sha256": format!("{:064x}", 1), "models": patterns}]);
    document
}

#[test]
fn a_whole_name_comes_first_and_then_the_longest_prefix() {
    let world = world(&with_patterns(&["*"]));
    let found = |name: &str| world.model_by_name(name).map(|id| &*world.model(id).unwrap().name);
    for (asked, expected) in [
        ("claude-opus", Some("claude-opus")),
        ("opus", Some("claude-opus")),
        ("claude-opus-4", Some("claude-*")),
        ("claude-3-5-haiku", Some("claude-3-5*")),
        ("claude-3-5", Some("claude-3-5*")),
        ("claude-3", Some("claude-*")),
        ("claude-", Some("claude-*")),
        ("claude", None),
        ("gpt-4o", Some("gpt-4o")),
        ("gpt-4o-mini", None),
        ("", None),
    ] {
        assert_eq!(found(asked), expected, "{asked}");
    }
}

#[test]
fn what_a_client_wrote_is_put_in_the_place_of_the_star() {
    let world = world(&with_models(json!({
        "claude-*": {"targets": [
            {"provider": "a"}, {"provider": "b", "model": "anthropic.claude-*"}, {"provider": "b", "model": "*"},
            {"provider": "b", "model": "fixed"},
        ]},
        "gpt": {"targets": [{"provider": "a"}, {"provider": "b", "model": "gpt-4o"}]},
    })));
    let names = |asked: &str| {
        let model = world.model(world.model_by_name(asked).unwrap()).unwrap();
        let names = model.targets.iter().map(|target| target.name_for(asked).into_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        names("claude-3-haiku"),
        ["claude-3-haiku", "anthropic.claude-3-haiku", "3-haiku", "fixed"]
    );
    assert_eq!(names("claude-"), ["claude-", "anthropic.claude-", "", "fixed"]);
    assert_eq!(names("gpt"), ["gpt", "gpt-4o"]);
    let open = |name: &str| {
        let model = world.model(world.model_by_name(name).unwrap()).unwrap();
        model.targets.iter().map(Target::is_open).collect::<Vec<_>>()
    };
    assert_eq!(open("claude-3"), [true, true, true, false]);
    assert_eq!(open("gpt"), [false, false]);
}

#[test]
fn what_is_asked_for_at_last_is_priced_then() {
    let mut document = with_models(json!({
        "gpt-*": {"targets": [{"provider": "openai"}, {"provider": "a", "model": "x-*"}, {"provider": "a", "model": "x-1"}]},
    }));
    document["prices"] = json!([
        {"provider": "a", "model": "x-1", "input": 1, "output": 1},
        {"provider": "a", "model": "x-2*", "input": 2, "output": 2},
    ]);
    let world = world(&document);
    let prices = |asked: &str| {
        let model = world.model(world.model_by_name(asked).unwrap()).unwrap();
        let prices = model.targets.iter().map(|target| world.price(target, asked));
        prices
            .map(|price| price.map(|price| price.standard.base.input))
            .collect::<Vec<_>>()
    };
    let listed = crate::price::lookup("openai", "gpt-4o").unwrap().standard.base.input;
    let one = Some(1_000_000);
    assert_eq!(prices("gpt-4o"), [Some(listed), None, one]);
    assert_eq!(prices("gpt-4o"), [Some(listed), None, one], "and again");
    assert_eq!(prices("gpt-1"), [None, one, one]);
    assert_eq!(prices("gpt-2-large"), [None, Some(2_000_000), one]);
    for n in 0..2_000 {
        assert_eq!(prices(&format!("gpt-no-such-{n}"))[0], None);
    }
    assert_eq!(prices("gpt-4o"), [Some(listed), None, one]);
}

#[test]
fn a_key_may_ask_for_the_names_that_it_and_the_model_both_mean() {
    for (patterns, permitted, refused) in [
        (
            &["claude-3*"][..],
            &["claude-3", "claude-3-opus", "claude-3-5", "claude-3-5-x"][..],
            &["claude-4", "claude-opus", "gpt-4o"][..],
        ),
        (
            &["claude-*"],
            &["claude-3", "claude-3-5", "claude-opus", "opus"],
            &["gpt-4o"],
        ),
        (&["*"], &["claude-3", "claude-3-5", "claude-opus", "gpt-4o"], &[]),
        (
            &["claude-3-haiku"],
            &["claude-3-haiku"],
            &["claude-3-haiku-2", "claude-3", "claude-3-5"],
        ),
        (
            &["claude-3-5-sonnet"],
            &["claude-3-5-sonnet"],
            &["claude-3-5", "claude-3"],
        ),
        (&["opus"], &["opus", "claude-opus"], &["claude-opus-4"]),
        (&["claude-o*"], &["claude-opus", "claude-opus-4"], &["claude-3"]),
        (&["claude-3*", "claude-4*"], &["claude-3", "claude-4"], &["claude-5"]),
        (&["claude-3*", "c*"], &["claude-3", "claude-9"], &["gpt-4o"]),
        (&["claude-3-5*"], &["claude-3-5-x"], &["claude-3", "claude-3-6"]),
        (&[], &[], &["claude-3", "gpt-4o"]),
    ] {
        let world = world(&with_patterns(patterns));
        for (asked, expected) in permitted
            .iter()
            .map(|p| (p, true))
            .chain(refused.iter().map(|r| (r, false)))
        {
            let model = world.model_by_name(asked).unwrap();
            assert_eq!(
                world.keys[0].models.permits(model, asked),
                expected,
                "{patterns:?} {asked}"
            );
        }
    }
}

proptest! {
    /// Of names that belong to a model of many, a key may ask for those that one of its patterns means.
    #[test]
    fn a_pattern_means_the_same_to_a_name_of_many(
        patterns in prop::collection::vec("(c|claude|claude-|claude-3|claude-3-5|claude-3-5-a|claude-9)[*]?", 0..4),
        asked in "claude-(3|3-5|9)(-a)?x?",
    ) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let world = world(&with_patterns(&patterns));
        let fits = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(prefix) => asked.starts_with(prefix),
            None => *pattern == asked,
        };
        let model = world.model_by_name(&asked).unwrap();
        let may = &world.keys[0].models;
        prop_assert_eq!(may.permits(model, &asked), patterns.iter().any(fits), "{:?} {}", patterns, asked);
        prop_assert!(!may.permits(model, &asked) || may.contains(model));
    }
}

#[test]
fn rules_per_model_are_those_of_a_model_of_many_as_a_whole() {
    let mut document = with_patterns(&["claude-3*"]);
    document["keys"][0]["per_model"] = json!({"claude-*": {"limits": {"rpm": 5}}});
    let world = world(&document);
    let rules = |asked| world.keys[0].rules_for(world.model_by_name(asked).unwrap()).is_some();
    assert!(rules("claude-3") && rules("claude-3-5-x"));
}

#[test]
fn failover_and_health_are_inherited_member_by_member() {
    let mut document = with_models(json!({
        "m": {"targets": [{"provider": "a", "context": 5}], "failover": {"attempts": 1}, "order": "fastest", "sticky": true},
        "n": {"targets": [{"provider": "a", "weight": 7}]},
    }));
    let plain = world(&document);
    assert_eq!(plain.failover, Failover::default());
    assert_eq!(plain.providers[0].health, crate::health::rule::Rule::default());
    document["failover"] = json!({"total": "5m", "content_filter": true});
    document["health"] = json!({"failures": 9, "rest": "1s"});
    document["providers"]["b"]["health"] = json!({"rest": "3s", "recovery": "1h"});
    let world = world(&document);
    let common = Failover {
        total: Duration::from_secs(300),
        content_filter: true,
        ..Failover::default()
    };
    assert_eq!(world.failover, common);
    assert_eq!(world.models[0].failover, Failover { attempts: 1, ..common });
    assert_eq!(world.models[1].failover, common);
    let health = |index: usize| {
        let rule = world.providers[index].health;
        (
            rule.failures,
            rule.rest.as_secs(),
            rule.rest_at_most.as_secs(),
            rule.recovery.as_secs(),
        )
    };
    assert_eq!(health(0), (9, 1, 300, 30));
    assert_eq!(health(1), (9, 3, 300, 3_600));
    let [m, n] = &world.models[..] else { panic!() };
    assert_eq!(
        (m.order, m.sticky, m.targets[0].context, m.targets[0].weight),
        (Order::Fastest, true, Some(5), 1)
    );
    assert_eq!(
        (n.order, n.sticky, n.targets[0].context, n.targets[0].weight),
        (Order::Priority, false, None, 7)
    );
}

#[test]
fn keys_with_the_same_own_providers_share_them() {
    let mut document = with_models(json!({
        "m": {"targets": [{"provider": "a"}, {"provider": "b"}], "aliases": ["best"]}, "c-*": {"targets": [{"provider": "b"}]},
    }));
    let key = |n: u64| json!({"name": format!("k{n}"), "sha256": format!("{n:064x}"), "targets": {"c-*": ["b"], "best": ["b", "a"]}});
    document["keys"] = json!([key(1), key(2), {"name": "k3", "sha256": format!("{:064x}", 3)}]);
    let world = world(&document);
    let [one, other, none] = &world.keys[..] else { panic!() };
    assert!(Arc::ptr_eq(&one.targets, &other.targets));
    let id = |name| world.provider_by_name(name).unwrap();
    let own = |key: &Key, model| key.targets_for(world.model_by_name(model).unwrap()).map(<[_]>::to_vec);
    assert_eq!(own(one, "m"), Some(vec![id("b"), id("a")]));
    assert_eq!(own(one, "c-3"), Some(vec![id("b")]));
    assert_eq!(own(none, "m"), None);
}
