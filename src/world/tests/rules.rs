//! Limits, budgets, loop guards and operators of a compiled document.

use super::*;
use crate::guard::rule::{Rules as Guard, Steps};
use crate::limit::rule::{Budget, Limit, Period, Raise, Share, Span, Then, Unit};

/// The world of one key with these members.
fn with_key(members: Value) -> World {
    world(&with(json!({"name": "a", "sha256": format!("{:064x}", 1)}), members))
}

/// A document of three models, for one key, with these members of the key.
fn with(mut key: Value, members: Value) -> Value {
    key.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    json!({
        "providers": {"a": {"dialect": "openai", "endpoint": "http://a:1"}},
        "models": {
            "gpt-4o": {"targets": [{"provider": "a"}], "aliases": ["best"]},
            "gpt-4o-mini": {"targets": [{"provider": "a"}]},
            "o3": {"targets": [{"provider": "a"}]},
        },
        "keys": [key],
    })
}

fn limit(most: u64) -> Limit {
    Limit {
        most,
        raise: None,
        warn_at: Share(800),
        then: Then::Block,
        shadow: false,
    }
}

fn budget(unit: Unit, most: u64, period: Period) -> Budget {
    Budget {
        unit,
        most,
        raise: None,
        period,
        warn_at: Share(800),
        then: Then::Block,
        shadow: false,
    }
}

fn day(offset: i32) -> Period {
    Period::Calendar {
        span: Span::Day,
        offset,
    }
}

#[test]
fn a_limit_is_a_number_or_says_more() {
    let until = UnixSeconds::parse("2027-01-01T00:00:00Z").unwrap();
    for (written, expected) in [
        (json!(60), limit(60)),
        (json!({"limit": 60}), limit(60)),
        (
            json!({"limit": 1_000_000_000_000_000_u64}),
            limit(1_000_000_000_000_000),
        ),
        (
            json!({"limit": 1, "warn_at": null, "then": null, "mode": null, "raise": null}),
            limit(1),
        ),
        (
            json!({"limit": 5, "warn_at": 0.001, "mode": "enforce"}),
            Limit {
                warn_at: Share(1),
                ..limit(5)
            },
        ),
        (
            json!({"limit": 5, "warn_at": 1, "mode": "shadow"}),
            Limit {
                warn_at: Share(1000),
                shadow: true,
                ..limit(5)
            },
        ),
        (
            json!({"limit": 5, "then": "downgrade"}),
            Limit {
                then: Then::Downgrade,
                ..limit(5)
            },
        ),
        (
            json!({"limit": 5, "then": "warn"}),
            Limit {
                then: Then::Warn,
                ..limit(5)
            },
        ),
        (
            json!({"limit": 5, "raise": {"to": 9, "until": "2027-01-01T01:00:00+01:00"}}),
            Limit {
                raise: Some(Raise { to: 9, until }),
                ..limit(5)
            },
        ),
    ] {
        for name in ["rpm", "tpm", "parallel"] {
            let world = with_key(json!({"limits": {name: written}}));
            let rules = world.keys[0].rules.as_ref().unwrap();
            let found = [("rpm", &rules.rpm), ("tpm", &rules.tpm), ("parallel", &rules.parallel)];
            for (other, limit) in found {
                let expected = (other == name).then_some(&expected);
                assert_eq!(limit.as_ref(), expected, "{name}: {written}");
            }
        }
    }
}

#[test]
fn a_budget_is_an_amount_for_a_period() {
    let until = UnixSeconds(1_798_761_600);
    let dollars = |nanodollars| budget(Unit::Nanodollars, nanodollars, day(0));
    let calendar = |span| budget(Unit::Tokens, 5, Period::Calendar { span, offset: 0 });
    let rolling = |seconds| budget(Unit::Tokens, 5, Period::Rolling { seconds });
    for (written, expected) in [
        (json!({"usd": 50, "per": "day"}), dollars(50_000_000_000)),
        (json!({"usd": 0.1, "per": "day"}), dollars(100_000_000)),
        (json!({"usd": 19.99, "per": "day"}), dollars(19_990_000_000)),
        (json!({"usd": 0.000000001, "per": "day"}), dollars(1)),
        (
            json!({"usd": 1_000_000_000, "per": "day"}),
            dollars(1_000_000_000_000_000_000),
        ),
        (json!({"tokens": 5, "per": "hour"}), calendar(Span::Hour)),
        (
            json!({"tokens": 5, "per": "week", "utc_offset": "+00:00"}),
            calendar(Span::Week),
        ),
        (json!({"tokens": 5, "per": "month"}), calendar(Span::Month)),
        (
            json!({"tokens": 5, "per": "day", "utc_offset": "-09:30"}),
            budget(Unit::Tokens, 5, day(-34_200)),
        ),
        (json!({"tokens": 5, "over": "60s"}), rolling(60)),
        (json!({"tokens": 5, "over": "24h"}), rolling(86_400)),
        (json!({"tokens": 5, "over": "400d"}), rolling(34_560_000)),
        (
            json!({"usd": 5, "per": "day", "warn_at": 0.5, "then": "clamp", "mode": "shadow"}),
            Budget {
                warn_at: Share(500),
                then: Then::Clamp,
                shadow: true,
                ..dollars(5_000_000_000)
            },
        ),
        (
            json!({"usd": 5, "per": "day", "raise": {"to": 7.5, "until": "2027-01-01T00:00:00Z"}}),
            Budget {
                raise: Some(Raise {
                    to: 7_500_000_000,
                    until,
                }),
                ..dollars(5_000_000_000)
            },
        ),
        (
            json!({"tokens": 5, "over": "1m", "raise": {"to": 7, "until": "2027-01-01T00:00:00Z"}}),
            Budget {
                raise: Some(Raise { to: 7, until }),
                ..rolling(60)
            },
        ),
    ] {
        for written in [written.clone(), json!([written])] {
            let world = with_key(json!({"budget": written}));
            let rules = world.keys[0].rules.as_ref().unwrap();
            assert_eq!(rules.budgets.as_slice(), std::slice::from_ref(&expected), "{written}");
        }
    }
}

#[test]
fn what_has_no_limit_has_no_rules() {
    for members in [
        json!({}),
        json!({"limits": {}, "budget": [], "per_model": {}}),
        json!({"limits": {"rpm": null}, "budget": null, "per_model": {"*": {"limits": {}}, "o3": {}}}),
    ] {
        let world = with_key(members);
        let key = &world.keys[0];
        assert_eq!((&key.rules, key.per_model.len()), (&None, 0));
    }
}

#[test]
fn everything_that_may_have_rules_has_its_own() {
    let world = full();
    let tpm = |rules: &Option<Arc<Rules>>| rules.as_ref()?.tpm.as_ref().map(|limit| (limit.most, limit.then));
    let rpm = |rules: &Option<Arc<Rules>>| rules.as_ref()?.rpm.as_ref().map(|limit| limit.most);
    assert_eq!(tpm(&world.all), Some((2_000_000, Then::Block)));
    assert_eq!(
        world.all.as_ref().unwrap().budgets[0].period,
        Period::Calendar {
            span: Span::Month,
            offset: 7200
        }
    );
    assert!(!world.shadow);
    assert_eq!(tpm(&world.providers[0].rules), Some((2_000_000, Then::Downgrade)));
    assert_eq!(world.providers[1].rules, None);
    let model = |name| world.model(world.model_by_name(name).unwrap()).unwrap();
    assert_eq!(rpm(&model("gpt-4o").rules), Some(1000));
    assert_eq!(model("gpt-4o").cheaper, world.model_by_name("gpt-4o-mini"));
    assert_eq!(model("gpt-4o").max_output_tokens, Some(16_384));
    assert_eq!(model("gpt-4o-mini").cheaper, None);
    assert_eq!(rpm(&world.teams[0].rules), Some(600));
    assert!(world.teams[0].shadow);
    let budgets = &world.teams[0].rules.as_ref().unwrap().budgets;
    assert_eq!(
        budgets
            .iter()
            .map(|budget| (budget.unit, budget.then))
            .collect::<Vec<_>>(),
        [
            (Unit::Nanodollars, Then::Downgrade),
            (Unit::Nanodollars, Then::Block),
            (Unit::Tokens, Then::Clamp)
        ]
    );
    let [first, second] = world.keys.as_slice() else {
        panic!()
    };
    assert_eq!((rpm(&first.rules), first.shadow), (Some(60), false));
    assert_eq!((rpm(&second.rules), second.shadow), (None, true));
    let of = |name| first.rules_for(world.model_by_name(name).unwrap());
    assert_eq!(of("gpt-4o").unwrap().budgets[0].most, 50_000);
    assert_eq!(of("gpt-4o-mini").unwrap().rpm.as_ref().unwrap().most, 30);
    assert_eq!(of("llama"), None);
}

#[test]
fn of_several_patterns_the_name_comes_first_and_then_the_longest_prefix() {
    for (patterns, allowed, expected) in [
        (
            json!({"*": 1}),
            json!(["*"]),
            vec![("gpt-4o", 1), ("gpt-4o-mini", 1), ("o3", 1)],
        ),
        (
            json!({"gpt*": 1, "gpt-4o-*": 2, "*": 3}),
            json!(null),
            vec![("gpt-4o", 1), ("gpt-4o-mini", 2), ("o3", 3)],
        ),
        (
            json!({"best": 1, "gpt-4o*": 2}),
            json!(null),
            vec![("gpt-4o", 1), ("gpt-4o-mini", 2)],
        ),
        (
            json!({"gpt-4o": 1, "gpt-4o*": 2}),
            json!(null),
            vec![("gpt-4o", 1), ("gpt-4o-mini", 2)],
        ),
        (
            json!({"b*": 1, "gpt-4o*": 2}),
            json!(null),
            vec![("gpt-4o", 2), ("gpt-4o-mini", 2)],
        ),
        (
            json!({"o3": null, "*": 1}),
            json!(null),
            vec![("gpt-4o", 1), ("gpt-4o-mini", 1)],
        ),
        (json!({"*": 1}), json!(["o3"]), vec![("o3", 1)]),
        (json!({"o3": 1, "*": 2}), json!(["gpt-4o"]), vec![("gpt-4o", 2)]),
        (json!({"gone*": 1}), json!(null), vec![]),
    ] {
        let members = patterns.as_object().unwrap().iter();
        let members = members.map(|(pattern, rpm)| (pattern.clone(), json!({"limits": {"rpm": rpm}})));
        let per_model = Value::Object(members.collect());
        let world = with_key(json!({"models": allowed, "per_model": per_model}));
        let found: Vec<_> = world.keys[0].per_model.iter().collect();
        let found = found
            .iter()
            .map(|(id, rules)| (&*world.model(*id).unwrap().name, rules.rpm.as_ref().unwrap().most));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{patterns} of {allowed}");
    }
}

#[test]
fn a_loop_guard_inherits_member_by_member() {
    let steps = |warn, slow, block| Steps { warn, slow, block };
    let default = Guard::default;
    let common = json!({"tool_calls": {"warn": 2, "slow": null}, "mode": "shadow", "block_for": "1h", "session_header": "X-Run"});
    let of_common = || Guard {
        session_header: "x-run".into(),
        tool_calls: steps(Some(2), None, Some(12)),
        block_ms: 3_600_000,
        shadow: true,
        ..default()
    };
    for (common, own, expected) in [
        (json!(null), json!(null), None),
        (json!(null), json!("off"), None),
        (json!(null), json!({}), Some(default())),
        (json!({}), json!(null), Some(default())),
        (json!({}), json!("off"), None),
        (common.clone(), json!(null), Some(of_common())),
        (common.clone(), json!("off"), None),
        (common.clone(), json!({}), Some(of_common())),
        (
            common,
            json!({"tool_calls": {"slow": 7}, "mode": "enforce", "velocity_floor_usd_per_minute": 0}),
            Some(Guard {
                tool_calls: steps(Some(2), Some(7), Some(12)),
                shadow: false,
                velocity_floor: 0,
                ..of_common()
            }),
        ),
        (
            json!(null),
            json!({"velocity": {"warn": null, "slow": null, "block": null}, "velocity_floor_usd_per_minute": 0.1, "requests": {"block": 10}}),
            Some(Guard {
                velocity: steps(None, None, None),
                velocity_floor: 100_000_000,
                requests: steps(Some(6), Some(10), Some(10)),
                ..default()
            }),
        ),
    ] {
        let mut document = with(
            json!({"name": "a", "sha256": format!("{:064x}", 1)}),
            json!({"loop_guard": own}),
        );
        document["loop_guard"] = common.clone();
        let world = world(&document);
        assert_eq!(world.keys[0].guard.as_deref(), expected.as_ref(), "{own} over {common}");
        assert_eq!(world.guard.is_some(), !common.is_null());
    }
}

#[test]
fn an_operator_is_known_by_its_digest_and_is_no_key() {
    let world = full();
    let mut digest = [0; 32];
    digest[31] = 0xaa;
    assert_eq!(&*world.operator_by_digest(&digest).unwrap().name, "on-call");
    assert_eq!(world.key_by_digest(&digest), None);
    assert!(world.operator_by_digest(&[0xff; 32]).is_none());
    assert!(world.key_by_digest(&[0xff; 32]).is_some());
}

#[test]
fn a_raise_that_is_over_is_warned_of_from_its_last_second_on() {
    let raise = |to: u64| json!({"to": to, "until": "2027-01-01T00:00:00Z"});
    let members = json!({
        "limits": {"rpm": {"limit": 1, "raise": raise(2)}},
        "budget": {"usd": 1, "per": "day", "then": "warn", "raise": raise(3)},
        "per_model": {"gpt*": {"budget": [{"tokens": 1, "per": "day", "raise": raise(4)}]}},
    });
    let world = with_key(members);
    let until = UnixSeconds::parse("2027-01-01T00:00:00Z").unwrap();
    assert_eq!(world.warnings_at(UnixSeconds(until.0 - 1)), []);
    let paths: Vec<_> = world
        .warnings_at(until)
        .into_iter()
        .map(|warning| warning.path)
        .collect();
    assert_eq!(
        paths,
        [
            r#"keys[0].per_model["gpt*"].budget[0].raise"#,
            "keys[0].limits.rpm.raise",
            "keys[0].budget.raise"
        ]
    );
}

#[test]
fn a_key_is_written_as_it_was_read() {
    let document = Document::parse(include_str!("../golden/good-full.json")).unwrap();
    let mut again = document.clone();
    for key in &mut again.keys {
        *key = serde_json::from_value(serde_json::to_value(&*key).unwrap()).unwrap();
    }
    let compiled = |document| format!("{:?}", World::compile(document, &env).unwrap().keys);
    assert_eq!(compiled(&document), compiled(&again));
}

/// As many keys of ten kinds, in a thousand teams, with everything a key may have.
fn large_with_rules(keys: usize) -> Value {
    let mut document = large(keys);
    for (index, key) in document["keys"].as_array_mut().unwrap().iter_mut().enumerate() {
        let kind = index % 10 + 1;
        key["limits"] = json!({"rpm": 60 * kind, "tpm": {"limit": 90_000 * kind, "warn_at": 0.9}, "parallel": 4});
        key["budget"] = json!([
            {"usd": 0.5 * kind as f64, "per": "day", "then": "downgrade"},
            {"usd": 10 * kind, "per": "month", "utc_offset": "+01:00"},
        ]);
        key["per_model"] = json!({"model-1*": {"limits": {"rpm": 10 * kind}}, "model-100": {"budget": {"tokens": 1_000_000, "over": "24h"}}});
        key["loop_guard"] = json!({"requests": {"block": 20 + kind}});
    }
    for (index, team) in document["teams"].as_object_mut().unwrap().values_mut().enumerate() {
        *team = json!({"limits": {"rpm": 600}, "budget": {"usd": 100 + index, "per": "month"}});
    }
    for (_, model) in document["models"].as_object_mut().unwrap() {
        model["max_output_tokens"] = json!(4096);
    }
    document["models"]["model-100"]["cheaper"] = json!("model-101");
    document
}

#[test]
fn ten_thousand_keys_with_rules_of_their_own_share_what_is_equal() {
    let world = world(&large_with_rules(10_000));
    assert_eq!(world.warnings, []);
    for (index, key) in world.keys.iter().enumerate() {
        let like = &world.keys[index % 10];
        assert!(Arc::ptr_eq(key.rules.as_ref().unwrap(), like.rules.as_ref().unwrap()));
        assert!(Arc::ptr_eq(key.guard.as_ref().unwrap(), like.guard.as_ref().unwrap()));
        assert!(Arc::ptr_eq(&key.per_model, &like.per_model));
        assert_eq!(key.per_model.len(), 100);
        assert_eq!(
            key.rules.as_ref().unwrap().rpm,
            Some(limit(60 * (index as u64 % 10 + 1)))
        );
    }
    assert_ne!(world.keys[0].rules, world.keys[1].rules);
    assert_ne!(world.teams[0].rules, world.teams[1].rules);
}
