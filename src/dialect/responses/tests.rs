//! What a client's request becomes, what a provider's answer becomes, and the way back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::refusal::{Cause, Refusal};
use crate::conversation::request::Cache;
use crate::conversation::{Block, Choice, Effort, Event, Format, Losses, Media, Output, Reply, Request, Role, Stop};
use crate::dialect::{ChatFacts, To, Told, Unanswered};
use crate::framing::sse;
use crate::usage::Usage;

fn asked(body: Value) -> Request {
    read_request(body.to_string().as_bytes()).unwrap()
}

#[test]
fn what_the_sdks_add_to_an_answer_is_no_word_of_the_request() {
    let request = asked(json!({"model": "m", "input": [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "parsed_arguments": {"a": 1}},
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "hello", "annotations": [], "parsed": {"a": 1}}]},
    ]}));
    let (sent, losses) = sent(&request, "m");
    assert_eq!(names(&losses), [] as [(&str, bool); 0]);
    assert!(!sent.to_string().contains("parsed"), "{sent}");
}

fn to(model: &str) -> To<'_> {
    To {
        model,
        longest: None,
        chat: ChatFacts::default(),
    }
}

fn sent(request: &Request, model: &str) -> (Value, Losses) {
    let mut losses = Losses::default();
    let body = write_request(request, &to(model), &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses)
}

fn names(losses: &Losses) -> Vec<(&str, bool)> {
    losses.iter().map(|loss| (&*loss.member, loss.hint)).collect()
}

const TOLD: Told<'static> = Told {
    model: "asked-for",
    id: "x1",
    created: 1_700_000_000,
    stream_usage: false,
};

/// The answer that the events of a stream add up to.
fn folded(events: &[Event]) -> Reply {
    let mut reply = Reply::default();
    for event in events.iter().cloned() {
        match (event, reply.output.last_mut()) {
            (Event::Begin { id, model }, _) => (reply.id, reply.model) = (id, model),
            (Event::Text(more), Some(Output::Text(text))) => text.push_str(&more),
            (Event::Text(text), _) => reply.output.push(Output::Text(text)),
            (Event::Declined(more), Some(Output::Declined(text))) => text.push_str(&more),
            (Event::Declined(text), _) => reply.output.push(Output::Declined(text)),
            (Event::Thought(more), Some(Output::Thought { text, signature: None })) => text.push_str(&more),
            (Event::Thought(text), _) => reply.output.push(Output::Thought { text, signature: None }),
            (Event::Signature(seal), Some(Output::Thought { signature, .. })) => *signature = Some(seal),
            (Event::Signature(seal), _) => reply.output.push(Output::Thought {
                text: String::new(),
                signature: Some(seal),
            }),
            (Event::SealedThought(data), _) => reply.output.push(Output::SealedThought(data)),
            (Event::Call { id, name, signature }, _) => reply.output.push(Output::Call {
                id,
                name,
                arguments: String::new(),
                signature,
            }),
            (Event::Arguments(more), Some(Output::Call { arguments, .. })) => arguments.push_str(&more),
            (Event::Arguments(_), _) => panic!("arguments of nothing"),
            (Event::Stop(stop), _) => reply.stop = Some(stop),
            (Event::Usage(usage), _) => reply.usage = Some(usage),
            (Event::Tier(tier), _) => reply.tier = Some(tier),
            (Event::End | Event::Failed(_), _) => {}
        }
    }
    reply
}

/// The data of each event of a stream, read.
fn read_stream(stream: &[u8]) -> (Vec<Event>, Vec<Value>) {
    let (mut reader, mut blocks) = (StreamReader::default(), sse::Blocks::default());
    let (mut events, mut steps, mut rest) = (Vec::new(), Vec::new(), stream);
    while let Some(end) = blocks.end(rest) {
        let (block, after) = rest.split_at(end);
        rest = after;
        let (mut name, mut data) = (&b""[..], &b""[..]);
        for field in sse::fields(block) {
            match field.name {
                b"event" => name = field.value,
                b"data" => data = field.value,
                _ => {}
            }
        }
        if data.is_empty() {
            continue;
        }
        reader.read(name, data, &mut events).unwrap();
        let step: Value = serde_json::from_slice(data).unwrap();
        assert_eq!(step["type"].as_str().unwrap().as_bytes(), name);
        steps.push(step);
    }
    assert!(rest.is_empty());
    reader.finish(&mut events);
    (events, steps)
}

fn written(events: &[Event]) -> Vec<u8> {
    let (mut writer, mut out) = (StreamWriter::new(&TOLD), Vec::new());
    for event in events {
        writer.write(event, &mut out);
    }
    out
}

mod requests {
    use super::*;

    #[test]
    fn a_string_is_a_users_turn() {
        let request = asked(json!({"model": "m", "input": "Hi", "instructions": "Be brief."}));
        assert_eq!(request.turns.len(), 1);
        assert_eq!(request.turns[0].role, Role::User);
        assert!(matches!(&request.turns[0].content[..], [Block::Text { text, cache: None }] if text == "Hi"));
        assert!(matches!(&request.instructions[..], [Block::Text { text, .. }] if text == "Be brief."));
        assert_eq!(names(&request.losses), []);
        assert_eq!(
            sent(&request, "gpt-4.1").0,
            json!({
                "model": "gpt-4.1", "instructions": "Be brief.", "store": false,
                "input": [{"type": "message", "role": "user", "content": "Hi"}],
            })
        );
    }

    #[test]
    fn a_conversation_with_tools_goes_there_and_back() {
        let body = json!({
            "model": "m", "stream": true, "max_output_tokens": 1000, "parallel_tool_calls": false, "user": "u",
            "input": [
                {"role": "system", "content": "A"},
                {"role": "developer", "content": [{"type": "input_text", "text": "B"}]},
                {"role": "user", "content": "What is it?"},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAAAB=="},
                {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "commentary",
                    "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}]},
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"b\":1.50, \"a\":2}", "status": "completed"},
                {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
                {"role": "user", "content": "And?"},
                {"type": "function_call_output", "call_id": "c1", "output": "one"},
                {"type": "function_call_output", "call_id": "c2", "output": [
                    {"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
            ],
            "tools": [
                {"type": "function", "name": "f", "description": "F", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}, "strict": true},
                {"type": "function", "name": "g", "parameters": null},
            ],
            "tool_choice": {"type": "function", "name": "f"},
        });
        let request = asked(body);
        assert_eq!(names(&request.losses), [("phase", true)]);
        assert_eq!(request.instructions.len(), 2);
        let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
        let said = &request.turns[1].content;
        assert!(
            matches!(&said[0], Block::Thought { text, signature: Some(seal) } if text == "Hm" && seal == "rs:rs_1:gAAAAB==")
        );
        assert!(matches!(&said[2], Block::Call { arguments, .. } if arguments == "{\"b\":1.50, \"a\":2}"));
        assert!(matches!(&said[3], Block::Call { arguments, .. } if arguments == "{}"));
        let results = &request.turns[2].content;
        assert!(matches!(&results[0], Block::Result { id, .. } if id == "c1"));
        assert!(matches!(&results[1], Block::Result { content, .. } if content.len() == 2));
        assert!(matches!(&results[2], Block::Text { text, .. } if text == "And?"));

        let (body, losses) = sent(&request, "gpt-5");
        assert_eq!(names(&losses), []);
        assert_eq!(
            body,
            json!({
                "model": "gpt-5", "instructions": "A\n\nB", "stream": true, "store": false, "max_output_tokens": 1000,
                "parallel_tool_calls": false, "user": "u", "include": ["reasoning.encrypted_content"],
                "input": [
                    {"type": "message", "role": "user", "content": "What is it?"},
                    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAAAB=="},
                    {"type": "message", "role": "assistant", "content": "I look."},
                    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"b\":1.50, \"a\":2}"},
                    {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c1", "output": "one"},
                    {"type": "function_call_output", "call_id": "c2", "output": [
                        {"type": "input_text", "text": "two"},
                        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}]},
                    {"type": "message", "role": "user", "content": "And?"},
                ],
                "tools": [
                    {"type": "function", "name": "f", "description": "F", "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}, "strict": true},
                    {"type": "function", "name": "g", "strict": false,
                        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}},
                ],
                "tool_choice": {"type": "function", "name": "f"},
            })
        );
        // What was sent reads as what was asked.
        let again = asked(body);
        assert_eq!(sent(&again, "gpt-5").0, sent(&request, "gpt-5").0);
    }

    #[test]
    fn schemas_keep_their_bytes() {
        let schema = r#"{"type":"object", "properties":{"z":{"minimum":1.50},"a":{}}}"#;
        let body = format!(
            r#"{{"model":"m","input":"x","tools":[{{"type":"function","name":"f","parameters":{schema}}}],
            "text":{{"format":{{"type":"json_schema","name":"my answer","strict":true,"schema":{schema}}}}}}}"#
        );
        let request = read_request(body.as_bytes()).unwrap();
        let Format::Schema { schema: said, .. } = &request.format else {
            panic!("{:?}", request.format)
        };
        assert_eq!(said.get(), schema);
        let written = String::from_utf8(write_request(&request, &to("m"), &mut Losses::default())).unwrap();
        assert_eq!(written.matches(schema).count(), 2);
        assert!(written.contains(r#""name":"my_answer""#), "{written}");
    }

    #[test]
    fn pictures_and_files() {
        let request = asked(json!({"model": "m", "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "See", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
            {"type": "input_image", "image_url": "data:image/PNG;charset=x;base64,AAAA"},
            {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
            {"type": "input_file", "filename": "a.txt", "file_data": "CCCC"},
            {"type": "input_file", "file_url": "https://x/z.pdf"},
            {"type": "input_file", "file_id": "file_of_another"},
            {"type": "input_audio", "input_audio": {"data": "DDDD", "format": "wav"}},
        ]}]}));
        assert_eq!(names(&request.losses), []);
        let said = &request.turns[0].content;
        assert!(matches!(
            &said[0],
            Block::Text {
                cache: Some(Cache::Hour),
                ..
            }
        ));
        assert!(
            matches!(&said[2], Block::Image { media: Media::Inline { media_type, data }, .. } if media_type == "image/png" && data == "AAAA")
        );
        assert!(
            matches!(&said[5], Block::Document { media: Media::Inline { media_type, .. }, .. } if media_type == "text/plain")
        );
        let (body, losses) = sent(&request, "m");
        assert_eq!(
            names(&losses),
            [("cache_control", true), ("file_id", false), ("input_audio", false)]
        );
        assert_eq!(
            body["input"][0]["content"],
            json!([
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
                {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,CCCC"},
                {"type": "input_file", "file_url": "https://x/z.pdf"},
            ])
        );
    }

    #[test]
    fn what_only_openai_has_is_lost_by_name() {
        let request = asked(json!({"model": "m", "stream": false,
            "input": [{"type": "item_reference", "id": "x"}, {"type": "made_up"}, {"type": "reasoning", "id": "rs_1", "summary": []}],
            "previous_response_id": "resp_1", "conversation": {"id": "conv_1"}, "store": true, "metadata": {"a": "b"},
            "service_tier": "auto", "truncation": "auto", "top_logprobs": 3, "background": false,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
            "tools": [{"type": "web_search", "search_context_size": "low"}, {"type": "function", "name": "f", "async": true}],
            "tool_choice": {"type": "web_search"}, "text": {"verbosity": "low", "format": {"type": "text"}},
            "reasoning": {"effort": "high", "context": "all_turns", "mode": "pro"}, "made_up_too": 1, "moderation": null}));
        let mut lost = names(&request.losses);
        lost.sort_unstable();
        assert_eq!(
            lost,
            [
                ("context", true),
                ("conversation", false),
                ("include", false),
                ("input[0].type", false),
                ("input[1].type", false),
                ("made_up_too", false),
                ("metadata", true),
                ("previous_response_id", false),
                ("reasoning", true),
                ("reasoning.mode", false),
                ("service_tier", true),
                ("store", true),
                ("tool_choice", false),
                ("tools[0].type", false),
                ("tools[1].async", false),
                ("top_logprobs", false),
                ("truncation", true),
                ("verbosity", true),
            ]
        );
        let labels: Vec<_> = request.losses.iter().filter(|loss| loss.label == "other").collect();
        assert_eq!(labels.len(), 2);
        assert!(request.turns.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (body, at) in [
            (json!({"model": "m"}), "input"),
            (json!({"model": "m", "input": 1}), "input"),
            (
                json!({"model": "m", "input": [{"role": "tool", "content": "x"}]}),
                "input[0].role",
            ),
            (json!({"model": "m", "input": [{"content": "x"}]}), "input[0].type"),
            (
                json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
                "input[0].content[0].image_url",
            ),
            (
                json!({"model": "m", "input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "[]"}]}),
                "input[0].arguments",
            ),
            (
                json!({"model": "m", "input": "x", "tools": [{"type": "function"}]}),
                "tools[0].name",
            ),
            (
                json!({"model": "m", "input": "x", "tool_choice": "maybe"}),
                "tool_choice",
            ),
            (json!({"model": "m", "input": "x", "temperature": "hot"}), "temperature"),
            (
                json!({"model": "m", "input": "x", "reasoning": {"effort": "huge"}}),
                "reasoning.effort",
            ),
            (
                json!({"model": "m", "input": "x", "text": {"format": {"type": "xml"}}}),
                "text.format.type",
            ),
        ] {
            assert_eq!(read_request(body.to_string().as_bytes()).unwrap_err().at, at, "{body}");
        }
    }

    #[test]
    fn choices() {
        let tools = json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]);
        for (said, meant, written) in [
            (json!("none"), Choice::Never, json!("none")),
            (json!("auto"), Choice::Auto, json!("auto")),
            (json!("required"), Choice::Any, json!("required")),
            (
                json!({"type": "function", "name": "g"}),
                Choice::Tool("g".into()),
                json!({"type": "function", "name": "g"}),
            ),
        ] {
            let request = asked(json!({"model": "m", "input": "x", "tools": tools, "tool_choice": said}));
            assert_eq!(request.choice, Some(meant));
            assert_eq!(sent(&request, "m").0["tool_choice"], written);
        }
        let request = asked(json!({"model": "m", "input": "x", "tools": tools, "tool_choice":
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}}));
        assert_eq!((request.choice, request.tools.len()), (Some(Choice::Any), 1));
        assert_eq!(request.tools[0].name, "g");
        let request = asked(json!({"model": "m", "input": "x", "tool_choice": "auto", "parallel_tool_calls": true}));
        assert_eq!(sent(&request, "m").0.get("tool_choice"), None);
    }

    #[test]
    fn effort_is_one_that_the_model_takes() {
        let request = asked(json!({"model": "m", "input": "x", "reasoning": {"effort": "none", "summary": "auto"}}));
        assert_eq!(request.reasoning.unwrap().shown, Some(true));
        let (body, losses) = sent(&request, "o4-mini");
        assert_eq!(body["reasoning"], json!({"effort": "low", "summary": "auto"}));
        assert_eq!(names(&losses), [("reasoning_effort", true)]);
        assert_eq!(sent(&request, "gpt-5.1").0["reasoning"], json!({"effort": "none"}));
        let (body, losses) = sent(&request, "gpt-4.1");
        assert_eq!((body.get("reasoning"), body.get("include")), (None, None));
        assert_eq!(names(&losses), []);
        let mut request = asked(json!({"model": "m", "input": "x"}));
        request.reasoning = Some(crate::conversation::Reasoning {
            effort: None,
            budget: Some(10_000),
            shown: None,
        });
        assert_eq!(sent(&request, "my-own").0["reasoning"], json!({"effort": "medium"}));
        request.reasoning = Some(crate::conversation::Reasoning {
            effort: Some(Effort::Max),
            ..Default::default()
        });
        assert_eq!(sent(&request, "my-own").0["reasoning"], json!({"effort": "max"}));
    }

    #[test]
    fn sampling() {
        let mut request =
            asked(json!({"model": "m", "input": "x", "temperature": 0.2, "top_p": 1, "max_output_tokens": 1}));
        let (body, losses) = sent(&request, "gpt-4.1");
        assert_eq!(
            (&body["temperature"], &body["top_p"], &body["max_output_tokens"]),
            (&json!(0.2), &json!(1.0), &json!(16))
        );
        assert_eq!(names(&losses), [("max_output_tokens", true)]);
        let (body, losses) = sent(&request, "gpt-5");
        assert_eq!((body.get("temperature"), body.get("top_p")), (None, None));
        assert_eq!(names(&losses), [("temperature", true), ("max_output_tokens", true)]);
        request.stop = vec!["x".into()];
        request.seed = Some(1);
        request.top_k = Some(1);
        request.frequency_penalty = Some(0.0);
        request.presence_penalty = Some(0.1);
        let (_, losses) = sent(&request, "gpt-4.1");
        assert_eq!(
            names(&losses),
            [
                ("top_k", false),
                ("presence_penalty", false),
                ("stop", false),
                ("seed", true),
                ("max_output_tokens", true)
            ]
        );
    }

    #[test]
    fn a_model_that_does_not_reason_unasked_samples() {
        let request = asked(json!({"model": "m", "input": "x", "temperature": 0.5}));
        for (model, samples) in [
            ("gpt-5.1", true),
            ("gpt-5.4-mini", true),
            ("gpt-5.6", false),
            ("gpt-5-mini", false),
            ("grok-4", true),
        ] {
            let (body, losses) = sent(&request, model);
            assert_eq!(body.get("temperature").is_some(), samples, "{model}");
            assert_eq!(losses.iter().count(), usize::from(!samples), "{model}");
            assert_eq!(body.get("include").is_some(), !samples, "{model}");
        }
    }

    proptest! {
        #[test]
        fn no_json_panics(members in proptest::collection::vec((0usize..12, 0usize..14), 0..8)) {
            let names = ["input", "tools", "tool_choice", "text", "reasoning", "include", "instructions", "temperature",
                "max_output_tokens", "stream", "user", "made_up"];
            let values = [json!(null), json!(""), json!("x"), json!(-1), json!(1.5), json!([]), json!({}), json!([null]), json!([[]]),
                json!([{"role": "assistant", "content": [{"type": "input_file", "file_data": "data:;base64,"}]}]),
                json!([{"type": "function_call", "call_id": "", "name": "", "arguments": " "}, {"type": "reasoning", "encrypted_content": ""}]),
                json!([{"type": "function", "name": "", "parameters": []}]), json!({"type": "allowed_tools", "mode": "auto", "tools": [{}]}),
                json!({"format": {"type": "json_schema", "schema": []}, "effort": "low"})];
            let body: serde_json::Map<_, _> = members.into_iter().map(|(name, value)| (names[name].to_owned(), values[value].clone())).collect();
            if let Ok(request) = read_request(json!(body).to_string().as_bytes()) {
                prop_assert!(request.turns.iter().all(|turn| !turn.content.is_empty()));
                prop_assert!(request.turns.windows(2).all(|pair| pair[0].role != pair[1].role));
                // What was sent reads again.
                let body = write_request(&request, &to("gpt-5"), &mut Losses::default());
                prop_assert!(read_request(&body).is_ok());
            }
        }
    }

    #[test]
    fn a_thought_that_led_to_nothing_is_left_out() {
        let request = asked(json!({"model": "m", "input": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA1"},
            {"role": "assistant", "content": "Hi"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA2"},
            {"role": "user", "content": "Go on"},
        ]}));
        let (body, losses) = sent(&request, "gpt-5");
        assert_eq!(names(&losses), [("reasoning_content", true)]);
        let kinds: Vec<_> = body["input"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["type"])
            .collect();
        assert_eq!(kinds, ["reasoning", "message", "message"]);
    }

    #[test]
    fn only_its_own_seals_are_sent_and_long_ids_fit() {
        let long = "c".repeat(80);
        let mut request = asked(json!({"model": "m", "input": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "EqQB"},
            {"type": "reasoning", "summary": [], "encrypted_content": "signature:EqQB"},
            {"type": "reasoning", "summary": [], "encrypted_content": "EmwK"},
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
            {"type": "function_call", "call_id": long, "name": "f", "arguments": "{}", "extra_content": {"google": {"thought_signature": "s"}}},
            {"type": "function_call_output", "call_id": long, "output": ""},
        ]}));
        let said = &request.turns[0].content;
        assert!(matches!(&said[0], Block::Thought { text, signature: Some(seal) } if text == "Hm" && seal == "EqQB"));
        assert!(
            matches!(&said[1], Block::Thought { text, signature: Some(seal) } if text.is_empty() && seal == "EqQB")
        );
        assert!(matches!(&said[2], Block::SealedThought { data } if data == "EmwK"));
        assert!(matches!(&said[3], Block::Thought { text, signature: None } if text == "Hm"));
        assert!(matches!(&said[4], Block::Call { signature: Some(seal), .. } if seal == "s"));
        request.user = Some("u".repeat(161));
        if let Block::Result { failed, content, .. } = &mut request.turns[1].content[0] {
            *failed = true;
            content.clear();
        }
        let (body, losses) = sent(&request, "gpt-5");
        assert_eq!(names(&losses), [("reasoning_content", true), ("is_error", true)]);
        let [call, result] = &body["input"].as_array().unwrap()[..] else {
            panic!("{body}")
        };
        assert_eq!(call["call_id"], result["call_id"]);
        assert!(call["call_id"].as_str().unwrap().len() <= 64);
        assert_eq!(result["output"], "The tool failed.");
        assert!(body["user"].as_str().unwrap().len() <= 64);
    }
}

mod answers {
    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../golden/responses.openai.json");

    #[test]
    fn a_whole_answer() {
        let reply = read_reply(GOLDEN).unwrap();
        assert_eq!(
            reply,
            Reply {
                id: "resp_1".into(),
                model: "gpt-4o-2024-08-06".into(),
                output: vec![
                    Output::Thought {
                        text: "Hm".into(),
                        signature: None
                    },
                    Output::Text("A cat".into()),
                    Output::Call {
                        id: "call_1".into(),
                        name: "f".into(),
                        arguments: "{}".into(),
                        signature: None
                    },
                ],
                stop: Some(Stop::Calls),
                usage: Some(Usage {
                    input: 328,
                    output: 52,
                    ..Usage::default()
                }),
                tier: Some("default".into()),
            }
        );
        assert_eq!(read_reply(&write_reply(&reply, &TOLD)).unwrap(), reply);
    }

    #[test]
    fn each_end_is_told() {
        for (stop, status, reason) in [
            (Stop::End, "completed", json!(null)),
            (Stop::Sequence(None), "completed", json!(null)),
            (Stop::Length, "incomplete", json!({"reason": "max_output_tokens"})),
            (Stop::ContextFull, "incomplete", json!({"reason": "max_output_tokens"})),
            (Stop::Filtered, "incomplete", json!({"reason": "content_filter"})),
            (Stop::Declined, "incomplete", json!({"reason": "content_filter"})),
        ] {
            let reply = Reply {
                output: vec![Output::Text("x".into())],
                stop: Some(stop.clone()),
                ..Reply::default()
            };
            let body: Value = serde_json::from_slice(&write_reply(&reply, &TOLD)).unwrap();
            assert_eq!(
                (&body["status"], &body["incomplete_details"]),
                (&json!(status), &reason),
                "{stop:?}"
            );
            assert_eq!(body["output"][0]["status"], status);
            assert_eq!(
                (&body["id"], &body["model"], &body["usage"]),
                (&json!("resp_x1"), &json!("asked-for"), &json!(null))
            );
            // The same in a stream.
            let events = [Event::Text("x".into()), Event::Stop(stop), Event::End];
            let (_, steps) = read_stream(&written(&events));
            let last = steps.last().unwrap();
            assert_eq!(last["type"], format!("response.{status}"));
            assert_eq!(last["response"], body);
        }
    }

    #[test]
    fn no_answers() {
        let failed =
            json!({"id": "r", "status": "failed", "output": [], "error": {"code": "server_error", "message": "oops"}});
        let refused = Unanswered::Refused(Refusal::new(Cause::Server, "oops"));
        assert_eq!(read_reply(failed.to_string().as_bytes()), Err(refused));
        let error = json!({"error": {"code": "context_length_exceeded", "message": "long"}});
        let refused = Unanswered::Refused(Refusal::new(Cause::ContextExceeded, "long"));
        assert_eq!(read_reply(error.to_string().as_bytes()), Err(refused));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"status":"queued","output":[]}"#,
            r#"{"output":1}"#,
            r#"{"output":[1]}"#,
        ] {
            assert_eq!(read_reply(body.as_bytes()), Err(Unanswered::Malformed), "{body}");
        }
    }

    #[test]
    fn usage_that_the_dialect_can_say_comes_back() {
        let usage = Usage {
            input: 1,
            cached_input: 2,
            cache_write_5m: 3,
            input_audio: 4,
            output: 5,
            reasoning: 6,
            output_audio: 7,
            ..Usage::default()
        };
        let reply = Reply {
            usage: Some(usage),
            ..Reply::default()
        };
        assert_eq!(read_reply(&write_reply(&reply, &TOLD)).unwrap().usage, Some(usage));
        let hour = Usage {
            cache_write_1h: 3,
            input: 1,
            ..Usage::default()
        };
        let reply = Reply {
            usage: Some(hour),
            ..Reply::default()
        };
        let body: Value = serde_json::from_slice(&write_reply(&reply, &TOLD)).unwrap();
        assert_eq!(
            body["usage"],
            json!({"input_tokens": 4, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 3},
            "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 4})
        );
    }

    #[test]
    fn what_was_thought_comes_back_with_the_next_request() {
        let reply = Reply {
            output: vec![
                Output::Thought {
                    text: "Hm".into(),
                    signature: Some("EqQB".into()),
                },
                Output::Thought {
                    text: String::new(),
                    signature: Some("EqQC".into()),
                },
                Output::SealedThought("EmwK".into()),
                Output::Call {
                    id: "c".into(),
                    name: "f".into(),
                    arguments: "{}".into(),
                    signature: Some("s".into()),
                },
            ],
            ..Reply::default()
        };
        let body: Value = serde_json::from_slice(&write_reply(&reply, &TOLD)).unwrap();
        let request = asked(json!({"model": "m", "input": body["output"]}));
        assert_eq!(names(&request.losses), []);
        let said = &request.turns[0].content;
        assert!(matches!(&said[0], Block::Thought { text, signature: Some(seal) } if text == "Hm" && seal == "EqQB"));
        assert!(
            matches!(&said[1], Block::Thought { text, signature: Some(seal) } if text.is_empty() && seal == "EqQC")
        );
        assert!(matches!(&said[2], Block::SealedThought { data } if data == "EmwK"));
        assert!(matches!(&said[3], Block::Call { signature: Some(seal), .. } if seal == "s"));
    }
}

mod streams {
    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../golden/responses.openai.sse");

    fn call(id: &str) -> Event {
        Event::Call {
            id: id.into(),
            name: "f".into(),
            signature: None,
        }
    }

    fn read(steps: &[Value]) -> Vec<Event> {
        let (mut reader, mut events) = (StreamReader::default(), Vec::new());
        for step in steps {
            reader.read(b"", step.to_string().as_bytes(), &mut events).unwrap();
        }
        reader.finish(&mut events);
        events
    }

    #[test]
    fn a_stream_of_openais() {
        let (events, _) = read_stream(GOLDEN);
        assert_eq!(
            events,
            [
                Event::Begin {
                    id: "resp_67c9".into(),
                    model: "o4-mini-2025-04-16".into()
                },
                Event::Thought("Think".into()),
                Event::Text("Hi".into()),
                Event::Text(" there".into()),
                Event::Stop(Stop::End),
                Event::Usage(Usage {
                    input: 30,
                    cached_input: 7,
                    output: 11,
                    reasoning: 100,
                    ..Usage::default()
                }),
                Event::Tier("priority".into()),
                Event::End,
            ]
        );
    }

    #[test]
    fn what_comes_interleaved_is_put_in_order() {
        let added = |index: u64, id: &str| {
            json!({"type": "response.output_item.added", "output_index": index,
            "item": {"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "f", "arguments": ""}})
        };
        let delta = |index: u64, text: &str| json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": text});
        let done = |index: u64, id: &str, text: &str| {
            json!({"type": "response.output_item.done", "output_index": index,
            "item": {"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "f", "arguments": text}})
        };
        let events = read(&[
            added(0, "a"),
            added(1, "b"),
            delta(1, "{\"b"),
            delta(0, "{\"a"),
            added(2, "c"),
            delta(0, "\":1}"),
            done(2, "c", ""),
            delta(1, "\":2}"),
            done(0, "a", "{\"a\":1}"),
            done(1, "b", "{\"b\":2}"),
        ]);
        let arguments = |text: &str| Event::Arguments(text.into());
        assert_eq!(
            events[1..],
            [
                call("a"),
                arguments("{\"a"),
                arguments("\":1}"),
                call("b"),
                arguments("{\"b"),
                arguments("\":2}"),
                call("c"),
                arguments("{}"),
            ]
        );
    }

    #[test]
    fn what_comes_only_whole_is_told_once() {
        let items = json!([
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAAA"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAB"},
            {"type": "web_search_call", "id": "ws_1", "action": {"content": 1}},
            {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ]);
        let whole = json!({"id": "r", "model": "m", "status": "completed", "output": items});
        let mut reply = read_reply(whole.to_string().as_bytes()).unwrap();
        let begin = json!({"type": "response.created", "response": {"id": "r", "model": "m", "output": []}});
        let end = json!({"type": "response.completed", "response": whole});
        let mut steps = vec![begin.clone()];
        steps.extend(
            items
                .as_array()
                .unwrap()
                .iter()
                .enumerate()
                .map(|(index, item)| json!({"type": "response.output_item.done", "output_index": index, "item": item})),
        );
        steps.push(end.clone());
        assert_eq!(folded(&read(&steps)), reply);
        assert_eq!(folded(&read(&[begin, end.clone()])), reply);
        assert_eq!(folded(&read(&[end])), reply);
        reply.output.truncate(2);
        assert_eq!(
            reply.output,
            [
                Output::Thought {
                    text: "Hm".into(),
                    signature: Some("rs:rs_1:gAAAA".into())
                },
                Output::SealedThought("rs:rs_2:gAAAB".into()),
            ]
        );
    }

    #[test]
    fn errors_end_a_stream() {
        let cut = Refusal::new(Cause::Overloaded, "busy");
        for step in [
            json!({"type": "error", "sequence_number": 3, "code": "server_is_overloaded", "message": "busy", "param": null}),
            json!({"type": "error", "error": {"code": "server_is_overloaded", "message": "busy"}}),
            json!({"error": {"code": "server_is_overloaded", "message": "busy"}}),
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_is_overloaded", "message": "busy"}}}),
        ] {
            let delta = json!({"type": "response.output_text.delta", "delta": "more"});
            assert_eq!(read(&[step, delta]), [Event::Failed(cut.clone())]);
        }
        let mut reader = StreamReader::default();
        assert!(reader.read(b"", b"{", &mut Vec::new()).is_err());
        assert!(
            reader
                .read(b"x", b"{\"type\":\"response.brand_new\",\"delta\":{}}", &mut Vec::new())
                .is_ok()
        );
        assert!(reader.read(b"", b"[DONE]", &mut Vec::new()).is_ok());
    }

    #[test]
    fn an_error_is_told_so_that_sdks_raise_it() {
        let failed = |cause| Event::Failed(Refusal::new(cause, "theirs"));
        let stream = written(&[
            Event::Begin {
                id: "r".into(),
                model: "m".into(),
            },
            failed(Cause::Authentication),
            Event::Text("x".into()),
        ]);
        let (events, steps) = read_stream(&stream);
        let types: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            ["response.created", "response.in_progress", "response.failed", "error"]
        );
        assert_eq!(steps[3]["error"]["message"], "The provider could not go on.");
        assert!(!String::from_utf8_lossy(&stream).contains("theirs"));
        assert!(matches!(events.last(), Some(Event::Failed(refusal)) if refusal.cause == Cause::Server));
        // Before anything was told.
        let (events, steps) = read_stream(&written(&[failed(Cause::ContextExceeded)]));
        assert_eq!(
            steps,
            [
                json!({"type": "error", "sequence_number": 0, "code": "context_length_exceeded", "message": "theirs",
            "param": null, "error": {"type": "invalid_request_error", "code": "context_length_exceeded", "message": "theirs", "param": null}})
            ]
        );
        assert_eq!(events, [Event::Failed(Refusal::new(Cause::ContextExceeded, "theirs"))]);
    }

    /// Does what the SDKs' accumulators do, and demands what they demand.
    fn accumulated(steps: &[Value]) -> Value {
        let mut snapshot = Value::Null;
        for (number, step) in steps.iter().enumerate() {
            assert_eq!(step["sequence_number"], number);
            let kind = step["type"].as_str().unwrap();
            if number == 0 {
                assert_eq!(kind, "response.created");
            }
            if let Some(response) = step.get("response") {
                assert!(snapshot.is_null() || snapshot["id"] == response["id"]);
                if kind == "response.completed" {
                    assert_eq!(snapshot["output"], response["output"]);
                }
                snapshot = response.clone();
                continue;
            }
            let output = snapshot["output"].as_array_mut().unwrap();
            let at = usize::try_from(step["output_index"].as_u64().unwrap()).unwrap();
            if kind == "response.output_item.added" {
                assert_eq!(output.len(), at);
                output.push(step["item"].clone());
                continue;
            }
            let item = &mut output[at];
            if kind == "response.output_item.done" {
                for own in ["type", "id", "call_id"] {
                    assert_eq!(item[own], step["item"][own]);
                }
                if step["item"]["type"] != "reasoning" {
                    item["status"] = step["item"]["status"].clone();
                    assert_eq!(*item, step["item"]);
                }
                *item = step["item"].clone();
                continue;
            }
            assert_eq!(step["item_id"], item["id"]);
            let (parts, at) = match item["type"].as_str().unwrap() {
                "message" => ("content", &step["content_index"]),
                "reasoning" => ("summary", &step["summary_index"]),
                _ => {
                    let so_far = item["arguments"].as_str().unwrap().to_owned();
                    match kind {
                        "response.function_call_arguments.delta" => {
                            item["arguments"] = json!(so_far + step["delta"].as_str().unwrap())
                        }
                        "response.function_call_arguments.done" => assert_eq!(step["arguments"], so_far),
                        _ => panic!("{kind}"),
                    }
                    continue;
                }
            };
            let parts = item[parts].as_array_mut().unwrap();
            let at = usize::try_from(at.as_u64().unwrap()).unwrap();
            if kind.ends_with("part.added") {
                assert_eq!(parts.len(), at);
                parts.push(step["part"].clone());
                continue;
            }
            let name = if parts[at]["type"] == "refusal" {
                "refusal"
            } else {
                "text"
            };
            match kind.rsplit('.').next().unwrap() {
                "delta" => {
                    parts[at][name] =
                        json!(parts[at][name].as_str().unwrap().to_owned() + step["delta"].as_str().unwrap())
                }
                _ if kind.ends_with("part.done") => assert_eq!(parts[at], step["part"]),
                _ => assert_eq!(parts[at][name], step[name]),
            }
        }
        snapshot
    }

    /// Events in an order that a reader gives.
    fn blocks() -> impl Strategy<Value = Vec<Event>> {
        let words = || proptest::collection::vec("[a-z\"\\\\\n é]{1,6}", 1..4);
        let text = words().prop_map(|words| words.into_iter().map(Event::Text).collect::<Vec<_>>());
        let declined = words().prop_map(|words| words.into_iter().map(Event::Declined).collect());
        let thought = words().prop_map(|words| {
            let mut events: Vec<_> = words.into_iter().map(Event::Thought).collect();
            events.push(Event::Signature("EqQB".into()));
            events
        });
        let sealed = Just(vec![Event::SealedThought("EmwK".into())]);
        let called = (
            "[a-z]{3}",
            proptest::collection::vec("[0-9]{1,4}", 0..3),
            proptest::option::of("[a-z]{3}"),
        )
            .prop_map(|(name, pieces, signature)| {
                let mut events = vec![Event::Call {
                    id: String::new(),
                    name,
                    signature,
                }];
                events.push(Event::Arguments(if pieces.is_empty() {
                    "{}".into()
                } else {
                    "{\"a\":1".into()
                }));
                if !pieces.is_empty() {
                    events.extend(pieces.into_iter().map(Event::Arguments));
                    events.push(Event::Arguments("}".into()));
                }
                events
            });
        proptest::collection::vec(prop_oneof![text, declined, thought, sealed, called], 0..6).prop_map(|blocks| {
            let mut events: Vec<_> = blocks.into_iter().flatten().collect();
            for (number, event) in events.iter_mut().enumerate() {
                if let Event::Call { id, .. } = event {
                    *id = format!("call_{number}");
                }
            }
            events
        })
    }

    /// Any events at all.
    fn anything() -> impl Strategy<Value = Event> {
        prop_oneof![
            any::<String>().prop_map(Event::Text),
            any::<String>().prop_map(Event::Thought),
            any::<String>().prop_map(Event::Signature),
            any::<String>().prop_map(Event::SealedThought),
            any::<String>().prop_map(Event::Arguments),
            any::<String>().prop_map(Event::Declined),
            (any::<String>(), any::<String>()).prop_map(|(id, name)| Event::Call {
                id,
                name,
                signature: None
            }),
            (any::<String>(), any::<String>()).prop_map(|(id, model)| Event::Begin { id, model }),
            Just(Event::Stop(Stop::Length)),
            Just(Event::Usage(Usage::default())),
            Just(Event::Tier("flex".into())),
            Just(Event::End),
            Just(Event::Failed(Refusal::new(Cause::Invalid, "x"))),
        ]
    }

    /// Without the marks that tell this dialect's seals from others.
    fn unmarked(mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            if let Event::Signature(seal) | Event::SealedThought(seal) = event {
                *seal = seal::open(seal).unwrap().1.to_owned();
            }
        }
        events
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_what_was_said(content in blocks(), length: bool) {
            let usage = Usage { input: 3, cached_input: 2, output: 5, reasoning: 1, ..Usage::default() };
            let has = |what: fn(&Event) -> bool| content.iter().any(what);
            let stop = match (length, has(|event| matches!(event, Event::Call { .. })), has(|event| matches!(event, Event::Declined(_)))) {
                (true, ..) => Stop::Length,
                (false, true, _) => Stop::Calls,
                (false, false, true) => Stop::Declined,
                (false, false, false) => Stop::End,
            };
            let mut events = vec![Event::Begin { id: "resp_9".into(), model: "m".into() }];
            events.extend(content);
            events.extend([Event::Stop(stop), Event::Usage(usage), Event::Tier("flex".into()), Event::End]);
            let (again, steps) = read_stream(&written(&events));
            prop_assert_eq!(unmarked(again.clone()), events);
            let whole = accumulated(&steps);
            let reply = read_reply(whole.to_string().as_bytes()).unwrap();
            prop_assert_eq!(&folded(&again), &reply);
            // The same answer told whole. Its seals are marked already, and marked once more.
            prop_assert_eq!(read_reply(&write_reply(&reply, &TOLD)).unwrap().output.len(), reply.output.len());
        }

        #[test]
        fn any_order_of_events_is_a_stream(events in proptest::collection::vec(anything(), 0..12)) {
            let (_, steps) = read_stream(&written(&events));
            if steps.first().is_some_and(|step| step["type"] != "error") {
                let steps: Vec<_> = steps.into_iter().filter(|step| step["type"] != "error").collect();
                accumulated(&steps);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, name: Vec<u8>) {
            let _ = (read_request(&bytes), read_reply(&bytes));
            let _ = StreamReader::default().read(&name, &bytes, &mut Vec::new());
        }

        #[test]
        fn no_json_panics(events in proptest::collection::vec((0usize..14, 0u64..3, 0usize..6, "[a-z{}\"]{0,3}"), 0..16)) {
            let kinds = ["response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta",
                "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.completed", "response.failed",
                "error", "response.refusal.delta", "response.reasoning_text.delta", "response.reasoning_summary_part.added",
                "response.incomplete", "response.brand_new"];
            let items = [json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}), json!({"type": "message", "content": []}),
                json!({"type": "reasoning", "encrypted_content": "x"}), json!({}), json!([]), json!(1)];
            let (mut reader, mut out) = (StreamReader::default(), Vec::new());
            for (kind, index, item, text) in events {
                let step = json!({"type": kinds[kind], "output_index": index, "delta": text, "arguments": text, "item": items[item],
                    "response": {"output": [items[item]]}});
                let _ = reader.read(b"", step.to_string().as_bytes(), &mut out);
            }
            reader.finish(&mut out);
            // Arguments always belong to a call.
            folded(&out);
        }
    }
}
