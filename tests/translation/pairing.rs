//! That results stay with their calls, whatever ids a client's calls have and in whatever order its results come.
//!
//! Calls are numbered: each is of the same tool, with its number as the argument, and its result tells the number again. So
//! a provider's request shows whether it would take a result for that of its call.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate::dialect::Api;
use tollgate::translate::{self, Client};

use super::cases::{pairs, usual};

/// Calls that are made at once: their ids, and the order in which results come.
#[derive(Clone, Debug)]
struct Round {
    ids: Vec<String>,
    results: Vec<usize>,
    /// What the model says before, and the user afterwards.
    words: Option<String>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let id = prop_oneof!["[a-zA-Z0-9_-]{1,30}", "[a-zA-Z0-9_-]{60,90}", "\\PC{1,50}"];
    let ids = proptest::collection::vec(id, 1..5);
    let round = ids.prop_flat_map(|ids| {
        let order: Vec<usize> = (0..ids.len()).collect();
        let words = proptest::option::of(Just("Words.".to_owned()));
        let parts = (Just(ids), Just(order).prop_shuffle(), words);
        parts.prop_map(|(ids, results, words)| Round { ids, results, words })
    });
    proptest::collection::vec(round, 1..4).prop_map(|mut rounds| {
        for (number, round) in rounds.iter_mut().enumerate() {
            for (index, id) in round.ids.iter_mut().enumerate() {
                // Every id is another.
                id.push_str(&format!("{number}{index}"));
            }
        }
        rounds
    })
}

/// The conversation in a client's words, and how many calls it has.
fn asked(client: Client, rounds: &[Round]) -> (Value, usize) {
    let mut said = vec![json!({"role": "user", "content": "Begin."})];
    let mut count = 0;
    for round in rounds {
        let numbers: Vec<usize> = (count..count + round.ids.len()).collect();
        count += round.ids.len();
        let calls = numbers.iter().zip(&round.ids);
        let results = round.results.iter().map(|index| (numbers[*index], &round.ids[*index]));
        match client {
            Client::Chat => {
                let calls: Vec<Value> = calls
                    .map(|(n, id)| {
                        let arguments = json!({"n": n}).to_string();
                        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}})
                    })
                    .collect();
                said.push(json!({"role": "assistant", "content": round.words, "tool_calls": calls}));
                said.extend(
                    results.map(|(n, id)| json!({"role": "tool", "tool_call_id": id, "content": format!("r{n}")})),
                );
            }
            Client::Responses => {
                said.extend(
                    round
                        .words
                        .iter()
                        .map(|words| json!({"role": "assistant", "content": words})),
                );
                said.extend(calls.map(|(n, id)| {
                    let arguments = json!({"n": n}).to_string();
                    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments})
                }));
                said.extend(
                    results.map(
                        |(n, id)| json!({"type": "function_call_output", "call_id": id, "output": format!("r{n}")}),
                    ),
                );
            }
            Client::Messages => {
                let words = round.words.iter().map(|words| json!({"type": "text", "text": words}));
                let calls = calls.map(|(n, id)| json!({"type": "tool_use", "id": id, "name": "f", "input": {"n": n}}));
                said.push(json!({"role": "assistant", "content": words.chain(calls).collect::<Vec<_>>()}));
                let results = results
                    .map(|(n, id)| json!({"type": "tool_result", "tool_use_id": id, "content": format!("r{n}")}));
                said.push(json!({"role": "user", "content": results.collect::<Vec<_>>()}));
            }
        }
        if let Some(words) = &round.words {
            said.push(json!({"role": "user", "content": words}));
        }
    }
    let body = match client {
        Client::Chat => json!({"model": "m", "messages": said,
            "tools": [{"type": "function", "function": {"name": "f"}}]}),
        Client::Responses => json!({"model": "m", "input": said, "tools": [{"type": "function", "name": "f"}]}),
        Client::Messages => json!({"model": "m", "max_tokens": 9, "messages": said,
            "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
    };
    (body, count)
}

/// A call or a result in a provider's words: by which id, and its number.
enum Found {
    Call(String, u64),
    Result(String, String),
    /// A turn ends.
    Turn,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn arguments(value: &Value) -> u64 {
    serde_json::from_str::<Value>(value.as_str().unwrap()).unwrap()["n"]
        .as_u64()
        .unwrap()
}

fn found(api: Api, body: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match api {
        Api::Chat => {
            for message in list(&body["messages"]) {
                for call in list(&message["tool_calls"]) {
                    found.push(Found::Call(
                        text(&call["id"]),
                        arguments(&call["function"]["arguments"]),
                    ));
                }
                if message["role"] == "tool" {
                    found.push(Found::Result(text(&message["tool_call_id"]), text(&message["content"])));
                } else {
                    found.push(Found::Turn);
                }
            }
        }
        Api::Responses => {
            for item in list(&body["input"]) {
                found.push(match item["type"].as_str() {
                    Some("function_call") => Found::Call(text(&item["call_id"]), arguments(&item["arguments"])),
                    Some("function_call_output") => Found::Result(text(&item["call_id"]), text(&item["output"])),
                    _ => Found::Turn,
                });
            }
        }
        Api::Messages | Api::Converse => {
            for message in list(&body["messages"]) {
                for block in list(&message["content"]) {
                    let (call, result) = match api {
                        Api::Messages => (&block, &block),
                        _ => (&block["toolUse"], &block["toolResult"]),
                    };
                    let id = |of: &Value, names: [&str; 2]| {
                        names.iter().find_map(|name| of[name].as_str().map(str::to_owned))
                    };
                    if let Some(number) = call["input"]["n"].as_u64() {
                        found.push(Found::Call(id(call, ["id", "toolUseId"]).unwrap(), number));
                    } else if let Some(id) = id(result, ["tool_use_id", "toolUseId"]) {
                        found.push(Found::Result(id, text(&result["content"][0]["text"])));
                    }
                }
                found.push(Found::Turn);
            }
        }
        // Without ids the order tells: the first response is the first call's.
        Api::Gemini => {
            for content in list(&body["contents"]) {
                for (index, part) in list(&content["parts"])
                    .iter()
                    .filter(|part| part["text"].is_null())
                    .enumerate()
                {
                    let (call, result) = (&part["functionCall"], &part["functionResponse"]);
                    if let Some(number) = call["args"]["n"].as_u64() {
                        found.push(Found::Call(index.to_string(), number));
                    } else if result.is_object() {
                        found.push(Found::Result(index.to_string(), text(&result["response"]["output"])));
                    }
                }
                found.push(Found::Turn);
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_result_is_that_of_its_call(rounds in rounds()) {
        for (client, api) in pairs() {
            let (body, count) = asked(client, &rounds);
            let written = translate::request(client, api, body.to_string().as_bytes(), &usual(api), None).unwrap();
            let written: Value = serde_json::from_slice(&written.body).unwrap();
            // Calls that wait for their results: all must come before anything else does.
            let mut open: HashMap<String, u64> = HashMap::new();
            let mut turns = 0;
            let mut paired = 0;
            for step in found(api, &written) {
                match step {
                    Found::Call(id, number) => {
                        turns = 0;
                        prop_assert!(open.insert(id, number).is_none(), "one id for two calls: {written}");
                    }
                    Found::Result(id, result) => {
                        let number = open.remove(&id);
                        prop_assert_eq!(number.map(|number| format!("r{number}")), Some(result), "{}", &written);
                        paired += 1;
                    }
                    Found::Turn => {
                        turns += 1;
                        prop_assert!(open.is_empty() || turns < 2, "a call without its result: {written}");
                    }
                }
            }
            prop_assert_eq!(paired, count, "{}", &written);
        }
    }
}
