//! What is set aside is enough, whatever the prices, the sizes and the answer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::limits::{SECRET, ask, over, world_with};
use super::*;
use crate::limit::judge::Rest;
use crate::limit::rule::Unit;
use crate::pipeline::want;

/// The rates of a price, in dollars for a million tokens with up to three decimals; prices of two providers with tiers.
fn prices() -> impl Strategy<Value = Value> {
    let usd = || (0..60_000_u32).prop_map(|thousandths| f64::from(thousandths) / 1e3);
    let price = move |provider: &'static str| {
        let tier = (1..2_000_u64, usd(), usd());
        let rates = (usd(), usd(), usd(), usd(), usd());
        (rates, prop::option::of(tier), prop::option::of(0..50_000_u32)).prop_map(
            move |((input, output, cached, write, reasoning), tier, per_request)| {
                let mut price = json!({"provider": provider, "model": "*", "input": input, "output": output,
                    "cached_input": cached, "cache_write_5m": write, "reasoning": reasoning});
                if let Some((above, input, output)) = tier {
                    price["tiers"] = json!([{"above": above, "input": input, "output": output}]);
                }
                if let Some(millionths) = per_request {
                    price["per_request"] = json!(f64::from(millionths) / 1e6);
                }
                price
            },
        )
    };
    (price("one"), price("two"), price("three")).prop_map(|(one, two, three)| json!([one, two, three]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_cut_answer_is_within_what_is_left_and_no_shorter_than_it_must_be(
        prices in prices(), text in 0..3_000_usize, choices in 1..5_u64, longest in 1..200_000_u64,
        money in 0..2_000_000_000_u64, tokens in prop::option::of(0..100_000_u64), caches: bool,
    ) {
        let world = world_with(|document| document["prices"] = prices);
        let mut content = json!([{"type": "text", "text": "x".repeat(text)}]);
        if caches {
            content[0]["cache_control"] = json!({"type": "ephemeral"});
        }
        let text = json!({"model": "everywhere", "n": choices, "max_tokens": longest, "messages": [{"role": "user", "content": content}]});
        let received = awaiting(&world, &head("POST", CHAT, SECRET));
        let arrival = received.arrival().clone();
        let read = crate::ask::read(Endpoint::ChatCompletions, text.to_string().as_bytes()).unwrap();
        let body = super::super::sent::Body::Json(read);
        let model = world.model_by_name("everywhere");
        let legs = crate::route::for_model(&world, model.unwrap(), Dialect::OpenAi);
        let size = with_books(|books| want::size(&arrival, model, &body, true, books));
        let rule = crate::limit::judge::RuleName {
            scope: crate::limit::judge::Scope::Key,
            measure: crate::limit::judge::Measure::Rpm,
        };
        let mut rests = vec![Rest { rule, unit: Unit::Nanodollars, rest: money }];
        rests.extend(tokens.map(|rest| Rest { rule, unit: Unit::Tokens, rest }));
        let fits = |most: u64| {
            let want = size.cut_to(Some(most)).want(&arrival, model, &legs);
            want.most_nanodollars <= money && tokens.is_none_or(|tokens| want.most_tokens <= tokens)
        };
        match size.bought(&arrival, model, &legs, &rests) {
            Some(most) => {
                prop_assert!((16..=longest.max(16)).contains(&most));
                prop_assert!(fits(most), "{most} do not fit");
                // A token or two less than would just fit, because of rounding.
                prop_assert!(most == longest || !fits(most + 2), "{} would fit as well as {most}", most + 2);
            }
            None => prop_assert!(longest < 16 || !fits(18), "18 would have fit"),
        }
    }

    #[test]
    fn no_answer_within_what_was_foreseen_overspends(
        prices in prices(), text in 0..2_000_usize, longest in 1..5_000_u64,
        real in (0..=1000_u64, 0..=1000_u64, 0..=1000_u64, 0..=1000_u64), provider in 0..3_usize,
    ) {
        STORE.take();
        let world = world_with(|document| {
            document["prices"] = prices;
            document["keys"][0]["budget"] = json!({"usd": 1000, "per": "day"});
            document["keys"][0]["limits"] = json!({"tpm": 1_000_000});
        });
        let question = json!({"model": "everywhere", "max_tokens": longest, "messages": [{"role": "user", "content": "x".repeat(text)}]});
        let mut sent = ask(&world, &question.to_string()).unwrap();
        let standing = || {
            let headers = head("GET", "/tollgate/v1/me", SECRET);
            let Receipt::Answer(answered) = receive(&world, &headers, true, T0) else { panic!() };
            let me: Value = serde_json::from_slice(&answered.answer.body).unwrap();
            let rule = me["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "key.budget.day").unwrap().clone();
            ["used", "set_aside"].map(|name| rule[name].as_u64().unwrap())
        };
        let [used, aside] = standing();
        prop_assert_eq!(used, 0);
        for _ in 0..provider {
            let _ = sent.begins(&Headers::default());
            let _ = sent.reply_head(&reply("500", "application/json"), false, T0);
        }
        let _ = sent.begins(&Headers::default());
        let _ = sent.reply_head(&reply("200", "application/json"), false, T0);
        let prompt = (text as u64 + 40) * real.0 / 1000;
        let completion = longest * real.1 / 1000;
        let usage = json!({"usage": {"prompt_tokens": prompt, "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": prompt * real.2 / 1000},
            "completion_tokens_details": {"reasoning_tokens": completion * real.3 / 1000}}});
        let _ = sent.reply_chunk(usage.to_string().as_bytes(), T0, true);
        over(&mut sent);
        let [used, left] = standing();
        prop_assert!(used <= aside, "{used} of {aside}");
        prop_assert_eq!(left, 0);
    }
}
