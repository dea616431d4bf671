use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::{labels, read, written};
use crate::conversation::members::Unreadable;
use crate::conversation::request::Cache;
use crate::conversation::{Block, Choice, Effort, Format, Media, Reasoning, Request, Role, Tool, Turn};
use crate::dialect::messages::read_request;

const SONNET: &str = "claude-sonnet-4-5";

fn text(text: &str) -> Block {
    Block::Text {
        text: text.to_owned(),
        cache: None,
    }
}

fn turn(role: Role, content: Vec<Block>) -> Turn {
    Turn { role, content }
}

fn user(content: Vec<Block>) -> Request {
    Request {
        turns: vec![turn(Role::User, content)],
        ..Request::default()
    }
}

fn call(id: &str, arguments: &str) -> Block {
    Block::Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
        cache: None,
    }
}

fn result(id: &str, content: Vec<Block>) -> Block {
    Block::Result {
        id: id.to_owned(),
        content,
        failed: false,
        cache: None,
    }
}

fn tool(parameters: Option<&str>, strict: Option<bool>) -> Tool {
    Tool {
        name: "f".to_owned(),
        description: None,
        parameters: parameters.map(|text| RawValue::from_string(text.to_owned()).unwrap()),
        strict,
        cache: None,
    }
}

fn hello(members: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn refused(members: Value) -> String {
    let Unreadable { at, .. } = read(&hello(members)).unwrap_err();
    at
}

/// Everything this dialect can say, which is the same after it was read and written.
#[test]
fn what_is_read_is_written_again() {
    let body = json!({
        "model": SONNET,
        "max_tokens": 20_000,
        "system": [
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "Be kind."},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"},
                    "cache_control": {"type": "ephemeral"}},
                {"type": "document", "title": "a.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
                {"type": "document", "source": {"type": "url", "url": "https://example.org/b.pdf"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Größe"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1.50, "a": [2]}},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "42"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                ], "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true},
                {"type": "text", "text": "And now?"},
            ]},
        ],
        "tools": [
            {"name": "f", "description": "Does f.", "input_schema": {"type": "object", "properties": {}},
                "cache_control": {"type": "ephemeral"}},
            {"name": "g", "input_schema": {"type": "object", "additionalProperties": false}, "strict": true},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {"format": {"type": "json_schema",
            "schema": {"type": "object", "properties": {}, "additionalProperties": false}}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "stream": true,
    });
    let request = read(&body).unwrap();
    assert_eq!(labels(&request.losses), <[&str; 0]>::default());
    let (written, losses) = written(&request, SONNET);
    assert_eq!(losses, <[&str; 0]>::default());
    assert_eq!(written, body);
}

#[test]
fn sampling_keeps_to_what_the_model_takes() {
    let request = read(&hello(json!({"temperature": 0.5, "top_k": 5}))).unwrap();
    let (body, losses) = written(&request, SONNET);
    assert_eq!((&body["temperature"], &body["top_k"]), (&json!(0.5), &json!(5)));
    assert!(losses.is_empty());
    let hot = Request {
        temperature: Some(1.7),
        top_p: Some(0.9),
        seed: Some(7),
        presence_penalty: Some(0.0),
        frequency_penalty: Some(0.5),
        stop: vec!["\n".to_owned(), "END".to_owned()],
        user: Some("a@example.org".to_owned()),
        ..user(vec![text("Hi")])
    };
    let (body, losses) = written(&hot, SONNET);
    assert_eq!(body["temperature"], 1.0);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert!(body.get("top_p").is_none() && body.get("metadata").is_none());
    let expected = [
        "(temperature)",
        "(top_p)",
        "(seed)",
        "frequency_penalty",
        "stop",
        "(user)",
    ];
    assert_eq!(losses, expected);
    let (body, losses) = written(&request, "claude-opus-4-7");
    assert!(body.get("temperature").is_none() && body.get("top_k").is_none());
    assert_eq!(losses, ["(temperature)", "(top_k)"]);
    let one = Request {
        temperature: Some(1.0),
        top_p: Some(1.0),
        ..user(vec![text("Hi")])
    };
    assert!(written(&one, "claude-opus-5-5").1.is_empty());
    let thinking = Request {
        reasoning: Some(Reasoning::default()),
        top_p: Some(0.97),
        ..request
    };
    let (body, losses) = written(&thinking, "claude-sonnet-4-6");
    assert_eq!(body["top_p"], 0.97);
    assert_eq!(losses, ["(temperature)", "(top_k)"]);
}

#[test]
fn an_answer_is_as_long_as_the_model_allows_unless_it_is_said() {
    let mut request = user(vec![text("Hi")]);
    assert_eq!(written(&request, "claude-opus-4-1").0["max_tokens"], 32_000);
    assert_eq!(written(&request, "other").0["max_tokens"], 8192);
    let to = crate::dialect::To {
        longest: Some(777),
        ..super::to("other")
    };
    let body = crate::dialect::messages::write_request(&request, &to, &mut Default::default());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["max_tokens"], 777);
    request.max_output_tokens = Some(5);
    assert_eq!(written(&request, "claude-opus-4-1").0["max_tokens"], 5);
}

fn thinking(reasoning: Reasoning, model: &str, max: Option<u64>) -> (Value, Value, Vec<String>) {
    let request = Request {
        reasoning: Some(reasoning),
        max_output_tokens: max,
        ..user(vec![text("Hi")])
    };
    let (mut body, losses) = written(&request, model);
    (body["thinking"].take(), body["output_config"].take(), losses)
}

#[test]
fn effort_and_budget_are_what_the_model_knows() {
    let effort = |effort| Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    };
    let budget = |budget| Reasoning {
        budget: Some(budget),
        ..Reasoning::default()
    };
    let none = Vec::<String>::new();
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let adaptive = json!({"type": "adaptive"});
    let said = |effort: &str| json!({"effort": effort});
    let cases = [
        (
            effort(Effort::High),
            SONNET,
            None,
            enabled(16_384),
            Value::Null,
            none.clone(),
        ),
        (
            effort(Effort::High),
            SONNET,
            Some(4096),
            enabled(3277),
            Value::Null,
            none.clone(),
        ),
        (
            budget(2000),
            SONNET,
            Some(4096),
            enabled(2000),
            Value::Null,
            none.clone(),
        ),
        (budget(10), SONNET, Some(4096), enabled(1024), Value::Null, none.clone()),
        (
            effort(Effort::Low),
            SONNET,
            Some(1024),
            Value::Null,
            Value::Null,
            vec!["(reasoning_effort)".to_owned()],
        ),
        (
            effort(Effort::Low),
            "claude-3-5-haiku-latest",
            None,
            Value::Null,
            Value::Null,
            vec!["(reasoning_effort)".to_owned()],
        ),
        (
            effort(Effort::Off),
            SONNET,
            None,
            Value::Null,
            Value::Null,
            none.clone(),
        ),
        (
            effort(Effort::Minimal),
            "claude-sonnet-4-6",
            None,
            adaptive.clone(),
            said("low"),
            none.clone(),
        ),
        (
            effort(Effort::XHigh),
            "claude-sonnet-4-6",
            None,
            adaptive.clone(),
            said("high"),
            none.clone(),
        ),
        (
            effort(Effort::XHigh),
            "claude-opus-4-8",
            None,
            adaptive.clone(),
            said("xhigh"),
            none.clone(),
        ),
        (
            budget(10_000),
            "claude-opus-5",
            None,
            adaptive.clone(),
            said("medium"),
            none.clone(),
        ),
        (
            Reasoning::default(),
            "claude-opus-5",
            None,
            adaptive.clone(),
            Value::Null,
            none.clone(),
        ),
        (
            effort(Effort::Off),
            "claude-opus-5",
            None,
            json!({"type": "disabled"}),
            Value::Null,
            none.clone(),
        ),
        (
            effort(Effort::Off),
            "claude-sonnet-5-5",
            None,
            json!({"type": "between_tools"}),
            Value::Null,
            none.clone(),
        ),
        (
            effort(Effort::Off),
            "claude-opus-5-5",
            None,
            Value::Null,
            said("low"),
            vec!["(reasoning_effort)".to_owned()],
        ),
    ];
    for (reasoning, model, max, config, output, losses) in cases {
        assert_eq!(
            thinking(reasoning, model, max),
            (config, output, losses),
            "{model} {reasoning:?}"
        );
    }
    let shown = Reasoning {
        shown: Some(true),
        ..effort(Effort::Max)
    };
    let summarized = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(thinking(shown, "claude-fable-5", None), (summarized, said("max"), none));
}

#[test]
fn a_model_that_must_call_does_not_think() {
    let request = Request {
        tools: vec![tool(None, None)],
        choice: Some(Choice::Tool("f".to_owned())),
        reasoning: Some(Reasoning {
            effort: Some(Effort::High),
            ..Reasoning::default()
        }),
        ..user(vec![text("Hi")])
    };
    let (body, losses) = written(&request, "claude-sonnet-4-6");
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(losses, ["(reasoning_effort)"]);
    let (body, losses) = written(&request, "claude-opus-5");
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert!(losses.is_empty());
    let (body, losses) = written(&request, "claude-sonnet-5-5");
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    assert_eq!(losses, ["tool_choice"]);
}

#[test]
fn thoughts_without_a_seal_stay_here() {
    let thought = |signature: Option<&str>| Block::Thought {
        text: "Hm".to_owned(),
        signature: signature.map(ToOwned::to_owned),
    };
    let mut request = Request {
        turns: vec![
            turn(Role::User, vec![text("Hi")]),
            turn(Role::Assistant, vec![thought(None), call("toolu_1", "{}")]),
            turn(Role::User, vec![result("toolu_1", vec![text("1")])]),
        ],
        tools: vec![tool(None, None)],
        reasoning: Some(Reasoning::default()),
        ..Request::default()
    };
    let (body, losses) = written(&request, SONNET);
    assert!(body.get("thinking").is_none());
    assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert_eq!(losses, ["(reasoning_effort)", "(reasoning_content)"]);
    // Whoever thinks as it sees fit asks for no seal.
    let (body, losses) = written(&request, "claude-sonnet-4-6");
    assert_eq!(body["thinking"]["type"], "adaptive");
    assert_eq!(losses, ["(reasoning_content)"]);
    request.turns[1].content[0] = thought(Some("EqQB"));
    let (body, losses) = written(&request, SONNET);
    assert_eq!(body["thinking"]["type"], "enabled");
    assert!(losses.is_empty());
    request.turns[1].content[0] = Block::SealedThought {
        data: "gAAAAABo".to_owned(),
    };
    assert_eq!(
        written(&request, SONNET).1,
        ["(reasoning_effort)", "(reasoning_content)"]
    );
}

#[test]
fn tools_have_a_schema_of_an_object() {
    let tools = [
        None,
        Some("{}"),
        Some(r#"{ "properties":{"b":{},"a":{}}}"#),
        Some(r#"{"type":"object"}"#),
    ];
    let request = Request {
        tools: tools.map(|parameters| tool(parameters, None)).into(),
        choice: Some(Choice::Any),
        parallel_calls: Some(false),
        ..user(vec![text("Hi")])
    };
    let body = crate::dialect::messages::write_request(&request, &super::to(SONNET), &mut Default::default());
    let body = String::from_utf8(body).unwrap();
    for schema in [
        r#""input_schema":{"type":"object","properties":{}}}"#,
        r#""input_schema":{"type":"object"}}"#,
        r#""input_schema":{"type":"object", "properties":{"b":{},"a":{}}}}"#,
        r#""tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
    ] {
        assert!(body.contains(schema), "{schema} in {body}");
    }
}

#[test]
fn strict_is_said_where_it_can_be_kept() {
    let closed = r#"{"type":"object","additionalProperties":false}"#;
    let mut request = Request {
        tools: vec![
            tool(Some(closed), Some(true)),
            tool(Some(r#"{"type":"object"}"#), Some(true)),
        ],
        ..user(vec![text("Hi")])
    };
    let (body, losses) = written(&request, SONNET);
    assert_eq!(body["tools"][0]["strict"], true);
    assert!(body["tools"][1].get("strict").is_none());
    assert_eq!(losses, ["(strict)"]);
    request.tools.truncate(1);
    assert_eq!(written(&request, "claude-sonnet-4-0").1, ["(strict)"]);
    request.tools = vec![tool(Some(closed), Some(true)); 21];
    assert_eq!(written(&request, SONNET).1, ["(strict)"]);
}

#[test]
fn forms_are_enforced_or_asked_for() {
    let schema = |text: &str| Format::Schema {
        name: Some("n".to_owned()),
        description: None,
        schema: RawValue::from_string(text.to_owned()).unwrap(),
        strict: None,
    };
    let closed =
        r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}},"additionalProperties":false}"#;
    let mut request = Request {
        format: schema(closed),
        ..user(vec![text("Hi")])
    };
    let (body, losses) = written(&request, SONNET);
    assert_eq!(body["output_config"]["format"]["type"], "json_schema");
    assert!(losses.is_empty() && body.get("system").is_none());
    for (format, model) in [
        (schema(closed), "claude-sonnet-4-0"),
        (schema(r#"{"type":"object"}"#), SONNET),
        (Format::Object, SONNET),
    ] {
        request.format = format;
        let (body, losses) = written(&request, model);
        assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON"));
        assert!(body.get("output_config").is_none());
        assert_eq!(losses, ["(response_format)"]);
    }
}

#[test]
fn what_others_say_is_put_so_that_it_is_taken() {
    let odd = "functions.f:0";
    let request = Request {
        turns: vec![
            turn(Role::Assistant, vec![text("Welcome!"), text(" \n")]),
            turn(
                Role::User,
                vec![
                    text("Hi"),
                    Block::Audio {
                        format: "wav".to_owned(),
                        data: "UklG".to_owned(),
                    },
                ],
            ),
            turn(Role::Assistant, vec![call(odd, r#"{"a" : 1}"#), call("", "no json")]),
            turn(Role::User, vec![result(odd, vec![]), result("", vec![text("")])]),
            turn(Role::Assistant, vec![text("So: ")]),
        ],
        ..Request::default()
    };
    let (body, losses) = written(&request, SONNET);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(
        messages[0],
        json!({"role": "user", "content": [{"type": "text", "text": "."}]})
    );
    assert_eq!(messages[1]["content"], json!([{"type": "text", "text": "Welcome!"}]));
    let ids = [0, 1].map(|at| messages[3]["content"][at]["id"].as_str().unwrap());
    assert!(ids[0].starts_with("functions_f_0_") && ids[0] != ids[1]);
    let results = [0, 1].map(|at| messages[4]["content"][at]["tool_use_id"].as_str().unwrap());
    assert_eq!(ids, results);
    assert_eq!(messages[3]["content"][1]["input"], json!({}));
    assert_eq!(messages[5]["content"][0]["text"], "So:");
    assert_eq!(losses, ["input_audio"]);
    // Newer models are asked to go on.
    let (body, _) = written(&request, "claude-sonnet-4-6");
    assert_eq!(body["messages"][5]["content"][0]["text"], "So: ");
    assert_eq!(
        body["messages"][6]["content"],
        json!([{"type": "text", "text": "Continue."}])
    );
    let (body, _) = written(&Request::default(), SONNET);
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "."}]}])
    );
}

#[test]
fn documents_are_pdfs_or_texts() {
    let document = |media_type: &str, data: &str| Block::Document {
        media: Media::Inline {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        },
        name: None,
        cache: Some(Cache::Hour),
    };
    let file = Block::Image {
        media: Media::File("file-1".to_owned()),
        detail: Some("high".to_owned()),
        cache: None,
    };
    let request = user(vec![
        document("text/csv", "YSxi"),
        document("application/zip", "UEsD"),
        file,
    ]);
    let (body, losses) = written(&request, SONNET);
    let expected = json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
        "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(losses, ["file", "(detail)", "file_id"]);
}

#[test]
fn turns_are_merged_and_results_come_first() {
    let request = read(
        &json!({"model": "m", "max_tokens": 1, "system": "Be brief.", "messages": [
        {"role": "user", "content": ""},
        {"role": "user", "content": "a"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "text", "text": "c"},
            {"type": "tool_result", "tool_use_id": "1", "content": "d"}]},
    ], "cache_control": {"type": "ephemeral"}}),
    )
    .unwrap();
    assert_eq!(request.instructions.len(), 2);
    let roles: Vec<_> = request
        .turns
        .iter()
        .map(|turn| (turn.role, turn.content.len()))
        .collect();
    assert_eq!(roles, [(Role::User, 2), (Role::Assistant, 1), (Role::User, 2)]);
    let last = &request.turns[2].content;
    assert!(matches!(&last[0], Block::Result { content, .. } if content.len() == 1));
    assert!(matches!(&last[1], Block::Text { text, cache: Some(Cache::Minutes5) } if text == "c"));
}

#[test]
fn what_has_no_counterpart_is_told_by_name() {
    let request = read(&json!({
        "model": "m", "max_tokens": 0, "service_tier": "auto", "container": "c", "inference_geo": null, "novel": 1,
        "metadata": {"user_id": "u", "more": 1},
        "thinking": {"type": "disabled"}, "output_config": {"effort": "low"},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "a", "citations": [{"type": "char_location"}], "novel": true},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                    "context": "c", "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "y"}]}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
                {"type": "later"},
            ]},
            {"role": "assistant", "content": [{"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}]},
        ],
        "tools": [{"type": "web_search_20250305", "name": "web_search"},
            {"name": "f", "input_schema": {"type": "object"}, "input_examples": [{}]}],
    }))
    .unwrap();
    let members: Vec<_> = request
        .losses
        .iter()
        .map(|loss| (&*loss.member, loss.label, loss.hint))
        .collect();
    let expected = [
        ("max_tokens", "max_tokens", false),
        ("citations", "citations", true),
        ("messages[0].content[0].novel", "other", false),
        ("messages[0].content[1].context", "context", false),
        ("messages[0].content[1].citations", "citations", false),
        ("messages[0].content[3].search_result", "search_result", false),
        ("messages[0].content[4]", "other", false),
        ("messages[1].content[0].server_tool_use", "server_tool_use", false),
        ("tools[0].web_search_20250305", "tools", false),
        ("input_examples", "input_examples", true),
        ("output_config", "output_config", true),
        ("metadata", "metadata", true),
        ("service_tier", "service_tier", true),
        ("container", "container", false),
        ("novel", "other", false),
    ];
    assert_eq!(members, expected);
    assert_eq!(request.tools.len(), 1);
    assert_eq!(request.reasoning.unwrap().effort, Some(Effort::Off));
    assert_eq!(request.turns.len(), 1);
}

#[test]
fn what_is_wrong_is_told_by_its_place() {
    assert_eq!(read(&json!({"model": "m"})).unwrap_err().at, "messages");
    assert_eq!(refused(json!({"max_tokens": "9"})), "max_tokens");
    assert_eq!(refused(json!({"system": 1})), "system");
    assert_eq!(
        refused(json!({"messages": [{"role": "tool", "content": ""}]})),
        "messages[0].role"
    );
    assert_eq!(refused(json!({"messages": [{"role": "user"}]})), "messages[0].content");
    let content = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    assert_eq!(
        refused(content(json!({"type": "image"}))),
        "messages[0].content[0].source"
    );
    assert_eq!(refused(content(json!({"type": "text"}))), "messages[0].content[0].text");
    assert_eq!(
        refused(content(json!({"type": "thinking"}))),
        "messages[0].content[0].type"
    );
    let ttl = json!({"type": "text", "text": "a", "cache_control": {"ttl": "1d"}});
    assert_eq!(refused(content(ttl)), "messages[0].content[0].cache_control.ttl");
    assert_eq!(
        refused(json!({"thinking": {"type": "enabled"}})),
        "thinking.budget_tokens"
    );
    assert_eq!(
        refused(json!({"output_config": {"effort": "utmost"}})),
        "output_config.effort"
    );
    assert_eq!(refused(json!({"tool_choice": {"type": "tool"}})), "tool_choice.name");
    assert_eq!(
        refused(json!({"tools": [{"name": "f", "input_schema": []}]})),
        "tools[0].input_schema"
    );
}

#[test]
fn nothing_is_nested_at_the_cost_of_the_stack() {
    let depth = 100_000;
    let open = r#"[{"type":"tool_result","tool_use_id":"1","content":"#.repeat(depth);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":{open}""{}}}]}}"#,
        "}]".repeat(depth)
    );
    let Unreadable { at, .. } = read_request(body.as_bytes()).unwrap_err();
    assert!(at.starts_with("messages[0].content[0].content"), "{at}");
}

/// Pieces of requests, put together at random.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!("user")),
        Just(json!("assistant")),
        Just(json!("tool_use")),
        Just(json!("tool_result")),
        Just(json!("text")),
        Just(json!({"type": "text", "text": "a"})),
        Just(json!({"type": "enabled", "budget_tokens": 1})),
        Just(json!({"type": "json_schema", "schema": {}})),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,3}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let names = prop::sample::select(vec![
            "messages",
            "role",
            "content",
            "type",
            "text",
            "id",
            "name",
            "input",
            "tool_use_id",
            "source",
            "data",
            "media_type",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "signature",
            "output_config",
            "format",
            "cache_control",
            "metadata",
            "input_schema",
            "title",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map(names.prop_map(ToOwned::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_request_panics(body in body(), bytes: Vec<u8>) {
        let _ = read_request(&bytes);
        for body in [hello(json!({"messages": [{"role": "user", "content": [body.clone()]}]})),
            hello(json!({"messages": [{"role": "assistant", "content": body.clone()}], "tools": body.clone()})), body] {
            if let Ok(request) = read(&body) {
                for turns in request.turns.windows(2) {
                    prop_assert_ne!(turns[0].role, turns[1].role);
                }
                for model in [SONNET, "claude-opus-5-5", "other"] {
                    prop_assert!(written(&request, model).0.is_object());
                }
            }
        }
    }

    #[test]
    fn arguments_keep_their_bytes(number in any::<f64>().prop_filter("a number", |number| number.is_finite())) {
        let arguments = format!(r#"{{"z": {number:e}, "a":[ ]}}"#);
        let request = Request {
            turns: vec![turn(Role::User, vec![text("a")]), turn(Role::Assistant, vec![call("1", &arguments)])],
            ..Request::default()
        };
        let body = crate::dialect::messages::write_request(&request, &super::to(SONNET), &mut Default::default());
        prop_assert!(String::from_utf8(body.clone()).unwrap().contains(&arguments));
        let again = read_request(&body).unwrap();
        let Block::Call { arguments: read, .. } = &again.turns[1].content[0] else { panic!() };
        prop_assert_eq!(read, &arguments);
        prop_assert!(to_raw_value(&1).is_ok());
    }
}
