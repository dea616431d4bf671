use proptest::prelude::*;
use serde_json::{Value, json};

use crate::conversation::request::Cache;
use crate::conversation::{Block, Choice, Effort, Format, Losses, Media, Reasoning, Request, Role};
use crate::dialect::chat::{read_request, write_request};
use crate::dialect::{ChatFacts, To};

fn read(body: &Value) -> Request {
    read_request(body.to_string().as_bytes()).unwrap()
}

fn to(model: &str) -> To<'_> {
    To {
        model,
        longest: None,
        chat: ChatFacts::default(),
    }
}

/// What is written, and the losses: their names, hints in brackets.
fn write(request: &Request, to: &To) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let body = write_request(request, to, &mut losses);
    (serde_json::from_slice(&body).unwrap(), names(&losses))
}

fn names(losses: &Losses) -> Vec<String> {
    let name = |loss: &crate::conversation::Loss| match loss.hint {
        true => format!("({})", loss.member),
        false => loss.member.to_string(),
    };
    losses.iter().map(name).collect()
}

fn messages(messages: Value) -> Value {
    json!({"model": "m", "messages": messages})
}

/// Everything there is, in the form in which it is written.
fn everything() -> Value {
    json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is on these?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
            ]},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1.50}"}},
                {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "A cat."},
            {"role": "tool", "tool_call_id": "call_2", "content": "Noon."},
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "strict": true,
                "parameters": {"type": "object", "properties": {"z": {"type": "number"}, "at": {"type": "number"}}}}},
            {"type": "function", "function": {"name": "time"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema":
            {"name": "cat", "description": "A cat.", "strict": true, "schema": {"type": "object"}}},
        "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9, "seed": 7,
        "presence_penalty": 0.1, "frequency_penalty": -0.5, "stop": ["END"], "reasoning_effort": "high", "user": "u1",
        "stream": true, "stream_options": {"include_usage": true},
    })
}

#[test]
fn what_is_read_is_written_again() {
    let body = everything();
    let request = read(&body);
    assert_eq!(names(&request.losses), [""; 0]);
    assert_eq!(write(&request, &to("m")), (body, vec![]));
}

#[test]
fn messages_are_put_into_turns_that_alternate() {
    let request = read(&messages(json!([
        {"role": "user", "content": "one"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "two", "name": "bob"},
        {"role": "assistant", "content": null, "refusal": null},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "reasoning_content": "Hm."},
        {"role": "user", "content": "late"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}]},
        {"role": "user", "content": ""},
    ])));
    let seen: Vec<_> = request
        .turns
        .iter()
        .map(|turn| (turn.role, turn.content.len()))
        .collect();
    assert_eq!(seen, [(Role::User, 2), (Role::Assistant, 2), (Role::User, 2)]);
    assert!(matches!(&request.instructions[..], [Block::Text { text, .. }] if text == "Be kind."));
    assert!(matches!(&request.turns[1].content[0], Block::Thought { text, signature: None } if text == "Hm."));
    assert!(matches!(&request.turns[2].content[0], Block::Result { id, .. } if id == "c"));
    assert_eq!(names(&request.losses), ["(name)"]);
}

#[test]
fn what_sdks_add_to_an_answer_is_no_loss() {
    let message = json!({"role": "assistant", "content": "{}", "refusal": null, "annotations": null, "audio": null,
        "function_call": null, "parsed": {"a": 1}, "tool_calls": [{"id": "a", "index": 0, "type": "function",
            "function": {"name": "f", "arguments": "{}", "parsed_arguments": {"a": 1}}}]});
    assert_eq!(names(&read(&messages(json!([message]))).losses), [""; 0]);
}

#[test]
fn what_only_openai_has_words_for_is_named() {
    let mut body = messages(json!([
        {"role": "user", "content": [{"type": "video_url", "video_url": {}}, {"type": "text", "text": "x", "odd": 1}]},
        {"role": "function", "name": "f", "content": "x"},
        {"role": "assistant", "audio": {"id": "a"}, "content": "y"},
    ]));
    for (name, value) in [
        ("logprobs", json!(true)),
        ("n", json!(2)),
        ("metadata", json!({"a": "b"})),
        ("store", json!(false)),
        ("service_tier", json!("flex")),
        ("made_up", json!(1)),
        ("modalities", json!(["text", "audio"])),
        ("web_search_options", json!({"search_context_size": "low"})),
        ("stream_options", json!({"include_obfuscation": true})),
        ("tools", json!([{"type": "custom", "custom": {"name": "c"}}])),
        ("reasoning_effort", json!("default")),
    ] {
        body[name] = value;
    }
    let mut lost = names(&read(&body).losses);
    lost.sort();
    assert_eq!(
        lost,
        [
            "(include_obfuscation)",
            "(metadata)",
            "(name)",
            "(reasoning_effort)",
            "(service_tier)",
            "logprobs",
            "made_up",
            "messages[0].content[0].video_url",
            "messages[0].content[1].odd",
            "messages[1].role",
            "messages[2].audio",
            "modalities",
            "n",
            "tools[0].custom",
            "web_search_options",
        ]
    );
}

#[test]
fn what_is_not_of_its_type_is_refused_by_name() {
    for (body, at) in [
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": "x"}), "messages"),
        (messages(json!([1])), "messages[0]"),
        (messages(json!([{"role": "robot", "content": "x"}])), "messages[0].role"),
        (messages(json!([{"role": "user", "content": 1}])), "messages[0].content"),
        (
            messages(json!([{"role": "user", "content": [{"type": "text"}]}])),
            "messages[0].content[0].text",
        ),
        (
            messages(json!([{"role": "tool", "content": "x"}])),
            "messages[0].tool_call_id",
        ),
        (
            messages(json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}])),
            "messages[0].tool_calls[0].id",
        ),
        (
            json!({"model": "m", "messages": [], "temperature": "hot"}),
            "temperature",
        ),
        (
            json!({"model": "m", "messages": [], "tool_choice": "perhaps"}),
            "tool_choice",
        ),
        (json!({"model": "m", "messages": [], "stop": [1]}), "stop"),
        (
            json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name",
        ),
    ] {
        assert_eq!(read_request(body.to_string().as_bytes()).unwrap_err().at, at, "{body}");
    }
}

#[test]
fn content_is_where_its_url_says() {
    let part = |part: Value| {
        let mut request = read(&messages(json!([{"role": "user", "content": [part]}])));
        request.turns.remove(0).content.remove(0)
    };
    let image = part(json!({"type": "image_url", "image_url": "data:image/PNG;base64,aGk="}));
    let inline = |media_type: &str| Media::Inline {
        media_type: media_type.to_owned(),
        data: "aGk=".to_owned(),
    };
    assert!(matches!(image, Block::Image { media, .. } if media == inline("image/png")));
    let bare = part(json!({"type": "file", "file": {"file_data": "aGk=", "filename": "a.txt"}}));
    assert!(matches!(bare, Block::Document { media, .. } if media == inline("text/plain")));
    let far = part(json!({"type": "file", "file": {"file_data": "https://example.org/a.pdf"}}));
    assert!(matches!(
        far,
        Block::Document {
            media: Media::Url(_),
            ..
        }
    ));
    let kept = part(json!({"type": "file", "file": {"file_id": "file-1"}}));
    assert!(matches!(kept, Block::Document { media: Media::File(id), .. } if id == "file-1"));
    let odd = part(json!({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}));
    assert!(matches!(
        odd,
        Block::Image {
            media: Media::Url(_),
            ..
        }
    ));
}

#[test]
fn marks_of_the_prompt_cache_are_read_and_told_as_lost() {
    let mut body = messages(json!([
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "user", "content": "u", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": [{"type": "text", "text": "v", "prompt_cache_breakpoint": {"mode": "explicit"}}]},
    ]));
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]);
    let request = read(&body);
    assert_eq!(names(&request.losses), [""; 0]);
    let kept = |block: &Block| match block {
        Block::Text { cache, .. } => *cache,
        _ => None,
    };
    assert_eq!(kept(&request.instructions[0]), Some(Cache::Hour));
    assert_eq!(request.turns[0].content.iter().filter_map(kept).count(), 2);
    assert_eq!(request.tools[0].cache, Some(Cache::Minutes5));
    assert_eq!(write(&request, &to("m")).1, ["(cache_control)"]);
}

#[test]
fn choices_are_read_in_all_their_forms() {
    let choice = |choice: Value| {
        let tools =
            json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]);
        let request = read(&json!({"model": "m", "messages": [], "tools": tools, "tool_choice": choice}));
        (request.choice, request.tools.len())
    };
    assert_eq!(choice(json!("none")), (Some(Choice::Never), 2));
    assert_eq!(choice(json!("required")), (Some(Choice::Any), 2));
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required",
        "tools": [{"type": "function", "function": {"name": "g"}}]}});
    assert_eq!(choice(allowed), (Some(Choice::Any), 1));
    assert_eq!(choice(Value::Null), (None, 2));
}

#[test]
fn thoughts_come_back_with_their_signatures() {
    let request = read(&messages(json!([
        {"role": "assistant", "content": "x", "reasoning_content": "ab", "reasoning_details": [
            {"type": "reasoning.text", "text": "a", "index": 0}, {"type": "reasoning.text", "text": "b", "index": 0},
            {"type": "reasoning.text", "signature": "s", "index": 0}, {"type": "reasoning.encrypted", "data": "e"}],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""},
                "extra_content": {"google": {"thought_signature": "g"}}}]},
    ])));
    assert_eq!(names(&request.losses), [""; 0]);
    let [thought, sealed, _, call] = &request.turns[0].content[..] else {
        panic!()
    };
    assert!(matches!(thought, Block::Thought { text, signature: Some(s) } if text == "ab" && s == "s"));
    assert!(matches!(sealed, Block::SealedThought { data } if data == "e"));
    assert!(matches!(call, Block::Call { arguments, signature: Some(g), .. } if arguments == "{}" && g == "g"));

    let (body, lost) = write(&request, &to("gpt-4.1"));
    assert_eq!(lost, ["(extra_content)", "(reasoning_content)"]);
    assert!(body["messages"][0].get("reasoning_content").is_none());
    let mut taken = to("gemini-3");
    taken.chat.reasoning_content = true;
    let (body, lost) = write(&request, &taken);
    assert_eq!(lost, [""; 0]);
    assert_eq!(body["messages"][0]["reasoning_content"], "ab");
    let details = json!([{"type": "reasoning.text", "text": "ab", "signature": "s", "format": "unknown", "index": 0},
        {"type": "reasoning.encrypted", "data": "e", "format": "unknown", "index": 1}]);
    assert_eq!(body["messages"][0]["reasoning_details"], details);
    let extra = &body["messages"][0]["tool_calls"][0]["extra_content"];
    assert_eq!(extra["google"]["thought_signature"], "g");
}

#[test]
fn arguments_are_always_an_object() {
    for (given, read_as) in [
        (json!(null), "{}"),
        (json!("  "), "{}"),
        (json!("{\"a\": 1.0}"), "{\"a\": 1.0}"),
        (json!({"a": 1}), "{\"a\":1}"),
        (json!("{\"a\": "), "{\"arguments\":\"{\\\"a\\\": \"}"),
        (json!("[1]"), "{\"arguments\":\"[1]\"}"),
    ] {
        let request = read(&messages(json!([{"role": "assistant", "tool_calls":
            [{"id": "c", "type": "function", "function": {"name": "f", "arguments": given}}]}])));
        assert!(
            matches!(&request.turns[0].content[0], Block::Call { arguments, .. } if arguments == read_as),
            "{given}"
        );
    }
}

#[test]
fn results_with_pictures_are_told_in_two_messages() {
    let mut request = read(&everything());
    request.turns[2].content[0] = Block::Result {
        id: "call_1".to_owned(),
        content: vec![Block::Image {
            media: Media::Url("https://example.org/b.png".to_owned()),
            detail: None,
            cache: None,
        }],
        failed: false,
        cache: None,
    };
    if let Block::Result { failed, content, .. } = &mut request.turns[2].content[1] {
        *failed = true;
        content.clear();
    }
    let (body, lost) = write(&request, &to("m"));
    assert_eq!(lost, ["(is_error)"]);
    assert_eq!(body["messages"][3]["content"], "The result is in the next message.");
    assert_eq!(body["messages"][4]["content"], "Error");
    let said = json!([{"type": "image_url", "image_url": {"url": "https://example.org/b.png"}}, {"type": "text", "text": "And?"}]);
    assert_eq!(body["messages"][5]["content"], said);
}

#[test]
fn what_a_provider_does_not_take_is_left_out_and_named() {
    let mut request = read(&everything());
    request.top_k = Some(5);
    request.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let plain = To {
        model: "m",
        longest: None,
        chat: ChatFacts {
            max_completion_tokens: false,
            stream_options: false,
            developer_role: true,
            json_schema: false,
            reasoning_effort: false,
            reasoning_content: false,
        },
    };
    let (body, lost) = write(&request, &plain);
    assert_eq!(lost, ["(reasoning_effort)", "top_k", "stop", "(response_format)"]);
    assert_eq!(body["max_tokens"], 100);
    assert_eq!(body["stop"].as_array().unwrap().len(), 4);
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    assert_eq!(body["messages"][0]["role"], "developer");
    let told = body["messages"][0]["content"].as_str().unwrap();
    assert!(told.starts_with("Be brief.\n\nAnswer with one JSON value") && told.ends_with(r#"{"type":"object"}"#));
    for absent in ["max_completion_tokens", "stream_options", "reasoning_effort", "top_k"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn models_that_reason_are_not_sampled() {
    let request = read(&everything());
    let (body, lost) = write(&request, &to("openai/gpt-5-mini"));
    assert_eq!(
        lost,
        [
            "(temperature)",
            "(top_p)",
            "(presence_penalty)",
            "(frequency_penalty)",
            "stop"
        ]
    );
    assert!(body.get("temperature").is_none() && body.get("stop").is_none());
    let mut plain = read(&messages(json!([{"role": "user", "content": "x"}])));
    plain.temperature = Some(1.0);
    assert_eq!(write(&plain, &to("o3")), (messages_of("o3"), vec![]));
    plain.temperature = Some(0.3);
    assert_eq!(write(&plain, &to("gpt-5.2")).0["temperature"], 0.3);
    assert_eq!(write(&plain, &to("gpt-5-chat-latest")).0["temperature"], 0.3);
}

fn messages_of(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "x"}]})
}

#[test]
fn effort_is_told_in_the_words_a_model_has() {
    let told = |model: &str, reasoning: Reasoning| {
        let mut request = read(&messages_of("x"));
        request.reasoning = Some(reasoning);
        let (body, lost) = write(&request, &to(model));
        (body["reasoning_effort"].as_str().map(str::to_owned), !lost.is_empty())
    };
    let effort = |effort| Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    };
    for (model, wanted, said, lossy) in [
        ("gpt-5", Effort::Off, Some("minimal"), true),
        ("gpt-5.1", Effort::Minimal, Some("low"), true),
        ("gpt-5.2", Effort::Off, Some("none"), false),
        ("gpt-5.2", Effort::Max, Some("xhigh"), true),
        ("gpt-5.6-mini", Effort::Max, Some("max"), false),
        ("o4-mini", Effort::XHigh, Some("high"), true),
        ("gpt-4.1", Effort::High, None, true),
        ("gpt-4.1", Effort::Off, None, false),
        ("qwen/qwen3-32b", Effort::Medium, Some("medium"), false),
        ("qwen/qwen3-32b", Effort::Off, Some("none"), false),
    ] {
        assert_eq!(
            told(model, effort(wanted)),
            (said.map(str::to_owned), lossy),
            "{model} {wanted:?}"
        );
    }
    let budget = |budget| Reasoning {
        budget: Some(budget),
        ..Reasoning::default()
    };
    assert_eq!(told("m", budget(4000)), (Some("medium".to_owned()), false));
    assert_eq!(told("m", budget(32000)), (Some("high".to_owned()), false));
    let shown = Reasoning {
        shown: Some(true),
        ..Reasoning::default()
    };
    assert_eq!(told("m", shown), (None, false));
}

#[test]
fn a_model_that_reasons_or_calls_calls() {
    for (model, said) in [
        ("gpt-5.6-terra", json!("none")),
        ("gpt-5.4", json!("none")),
        ("openai/gpt-5.6", json!("high")),
        ("gpt-5.2", json!("high")),
    ] {
        let mut request = read(&everything());
        let (body, lost) = write(&request, &to(model));
        assert_eq!(body["reasoning_effort"], said, "{model}");
        assert_eq!(lost.contains(&"(reasoning_effort)".to_owned()), said == "none");
        request.reasoning = None;
        let (body, lost) = write(&request, &to(model));
        assert_eq!(body.get("reasoning_effort").is_some(), said == "none");
        assert!(!lost.contains(&"(reasoning_effort)".to_owned()));
    }
}

#[test]
fn deepseek_is_told_in_its_own_words_not_to_think() {
    let mut request = read(&messages_of("m"));
    let effort = |effort| {
        Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        })
    };
    request.reasoning = effort(Effort::XHigh);
    assert_eq!(write(&request, &to("deepseek-v4-pro")).0["reasoning_effort"], "xhigh");
    request.reasoning = effort(Effort::Off);
    let (body, lost) = write(&request, &to("deepseek-v4-pro"));
    assert_eq!((&body["thinking"], lost), (&json!({"type": "disabled"}), vec![]));
    assert!(body.get("reasoning_effort").is_none());
    // It wants to see what it thought before a call.
    let mut deepseek = to("deepseek-v4-pro");
    deepseek.chat.reasoning_content = true;
    let mut request = read(&everything());
    let (body, lost) = write(&request, &deepseek);
    assert_eq!(
        (&body["thinking"], lost),
        (&json!({"type": "disabled"}), vec!["(reasoning_effort)".to_owned()])
    );
    let thought = Block::Thought {
        text: "Hm.".to_owned(),
        signature: None,
    };
    request.turns[1].content.insert(0, thought);
    let (body, lost) = write(&request, &deepseek);
    assert_eq!((&body["reasoning_effort"], lost), (&json!("high"), vec![]));
    assert_eq!(body["messages"][2]["reasoning_content"], "Hm.");
}

#[test]
fn reasoning_is_read_in_three_forms() {
    for (name, value, expected) in [
        (
            "reasoning_effort",
            json!("xhigh"),
            Reasoning {
                effort: Some(Effort::XHigh),
                ..Reasoning::default()
            },
        ),
        (
            "reasoning",
            json!({"max_tokens": 2000, "exclude": true}),
            Reasoning {
                effort: None,
                budget: Some(2000),
                shown: Some(false),
            },
        ),
        (
            "thinking",
            json!({"type": "disabled"}),
            Reasoning {
                effort: Some(Effort::Off),
                ..Reasoning::default()
            },
        ),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 5}),
            Reasoning {
                budget: Some(5),
                ..Reasoning::default()
            },
        ),
    ] {
        let mut body = messages_of("m");
        body[name] = value;
        assert_eq!(read(&body).reasoning, Some(expected));
    }
}

#[test]
fn ids_of_calls_are_put_for_where_a_provider_does_not_take_them() {
    let long = "toolu_".repeat(10);
    let request = read(&messages(json!([
        {"role": "assistant", "tool_calls": [{"id": long, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": long, "content": "r"},
    ])));
    for (model, longest) in [("gpt-4.1", 40), ("mistral-large-latest", 9), ("codestral-2501", 9)] {
        let (body, _) = write(&request, &to(model));
        let id = body["messages"][0]["tool_calls"][0]["id"].as_str().unwrap().to_owned();
        assert!(id.len() <= longest, "{id}");
        assert_eq!(body["messages"][1]["tool_call_id"], id);
    }
}

#[test]
fn texts_in_base64_are_told_as_texts() {
    let mut request = read(&messages_of("m"));
    request.turns[0].content = vec![Block::Document {
        media: Media::Inline {
            media_type: "text/plain".to_owned(),
            data: "aGk=".to_owned(),
        },
        name: None,
        cache: None,
    }];
    assert_eq!(write(&request, &to("m")).0["messages"][0]["content"], "hi");
    for media in [
        Media::Url("https://example.org/a.pdf".to_owned()),
        Media::File("file-1".to_owned()),
    ] {
        request.turns[0].content = vec![Block::Document {
            media,
            name: None,
            cache: None,
        }];
        assert_eq!(write(&request, &to("m")).1.len(), 1);
    }
}

#[test]
fn schemas_keep_their_bytes() {
    let schema = r#"{"z": 1.50, "a": {"$ref": "é"}}"#;
    let body = format!(
        r#"{{"model":"m","messages":[],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}],
        "response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
    );
    let request = read_request(body.as_bytes()).unwrap();
    assert!(matches!(&request.format, Format::Schema { schema: read, .. } if read.get() == schema));
    let written = String::from_utf8(write_request(&request, &to("m"), &mut Losses::default())).unwrap();
    assert_eq!(written.matches(schema).count(), 2);
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, text in "[\\[{\"a-z:,}\\]0-9]{0,40}") {
        let _ = read_request(&body);
        let within = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{text}}}],"tools":{text}}}"#);
        let _ = (read_request(text.as_bytes()), read_request(within.as_bytes()));
    }
}
