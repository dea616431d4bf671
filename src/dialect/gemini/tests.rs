//! What is asked of Google and what it answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::request::Cache;
use crate::conversation::*;
use crate::dialect::{ChatFacts, To, Unanswered};
use crate::usage::Usage;

/// The answer that these events add up to.
fn whole(events: Vec<Event>) -> Result<Reply, Unanswered> {
    Reply::of_events(events).map_err(Unanswered::Refused)
}

fn raw(json: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
}

fn text(text: &str) -> Block {
    Block::Text {
        text: text.to_owned(),
        cache: None,
    }
}

fn call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Block {
    Block::Call {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: signature.map(str::to_owned),
        cache: None,
    }
}

fn result(id: &str, content: Vec<Block>, failed: bool) -> Block {
    Block::Result {
        id: id.to_owned(),
        content,
        failed,
        cache: None,
    }
}

fn user(content: Vec<Block>) -> Turn {
    Turn {
        role: Role::User,
        content,
    }
}

fn assistant(content: Vec<Block>) -> Turn {
    Turn {
        role: Role::Assistant,
        content,
    }
}

fn tool(name: &str, parameters: Option<&str>) -> Tool {
    Tool {
        name: name.to_owned(),
        description: Some("does it".to_owned()),
        parameters: parameters.map(raw),
        strict: None,
        cache: None,
    }
}

/// A body as written, and the losses: a `!` in front of those that matter.
fn written(model: &str, request: &Request) -> (String, Vec<String>) {
    let to = To {
        model,
        longest: None,
        chat: ChatFacts::default(),
    };
    let mut losses = Losses::default();
    let body = write_request(request, &to, &mut losses);
    let name = |loss: &Loss| format!("{}{}", if loss.hint { "" } else { "!" }, loss.member);
    (String::from_utf8(body).unwrap(), losses.iter().map(name).collect())
}

fn value(model: &str, request: &Request) -> Value {
    serde_json::from_str(&written(model, request).0).unwrap()
}

#[test]
fn a_plain_request_is_short() {
    let request = Request {
        instructions: vec![text("Be brief."), text("Be kind.")],
        turns: vec![
            user(vec![text("Hi")]),
            assistant(vec![text("Yes?")]),
            user(vec![text("Bye")]),
        ],
        ..Request::default()
    };
    let expected = r#"{"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"Be kind."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Yes?"}]},{"role":"user","parts":[{"text":"Bye"}]}]}"#;
    assert_eq!(written("gemini-2.5-flash", &request), (expected.to_owned(), vec![]));
    assert_eq!(
        path("gemini-2.5-flash", false),
        "/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(path("models/a/b", true), "/models/a%2Fb:streamGenerateContent?alt=sse");
}

#[test]
fn parameters_have_googles_names() {
    let request = Request {
        turns: vec![user(vec![text("Hi")])],
        max_output_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(40),
        seed: Some(7),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(-0.5),
        stop: vec!["END".to_owned()],
        user: Some("u".to_owned()),
        stream: true,
        ..Request::default()
    };
    let expected = json!({"maxOutputTokens": 100, "temperature": 1.5, "topP": 0.9, "topK": 40, "seed": 7,
        "presencePenalty": 0.5, "frequencyPenalty": -0.5, "stopSequences": ["END"]});
    assert_eq!(value("gemini-2.5-flash", &request)["generationConfig"], expected);
    assert_eq!(written("gemini-2.5-flash", &request).1, ["user"]);
    let newest = written("gemini-3.6-flash", &request);
    assert_eq!(
        newest.1,
        [
            "user",
            "temperature",
            "top_p",
            "top_k",
            "!presence_penalty",
            "!frequency_penalty"
        ]
    );
    assert!(
        newest
            .0
            .contains(r#""generationConfig":{"maxOutputTokens":100,"seed":7,"stopSequences":["END"]}"#)
    );
}

#[test]
fn tools_and_schemas_keep_their_bytes() {
    let schema = r#"{"type":"object", "properties":{"b":{"minimum":1.50},"a":{}}, "additionalProperties":false}"#;
    let mut request = Request {
        turns: vec![user(vec![text("Hi")])],
        tools: vec![tool("one", Some(schema)), tool("two", None)],
        choice: Some(Choice::Tool("one".to_owned())),
        format: Format::Schema {
            name: Some("n".to_owned()),
            description: None,
            schema: raw(schema),
            strict: Some(true),
        },
        ..Request::default()
    };
    let (body, losses) = written("gemini-3-flash-preview", &request);
    assert!(body.contains(&format!(
        r#""tools":[{{"functionDeclarations":[{{"name":"one","description":"does it","parametersJsonSchema":{schema}}},{{"name":"two","description":"does it"}}]}}]"#
    )));
    assert!(body.contains(r#""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["one"]}}"#));
    assert!(body.contains(&format!(
        r#""generationConfig":{{"responseMimeType":"application/json","responseJsonSchema":{schema}}}"#
    )));
    assert_eq!(losses, [""; 0]);
    // Older models do not take both.
    assert_eq!(written("gemini-2.5-pro", &request).1, ["response_format"]);
    request.format = Format::Object;
    for (choice, mode) in [(Choice::Auto, "AUTO"), (Choice::Never, "NONE"), (Choice::Any, "ANY")] {
        request.choice = Some(choice);
        let body = value("gemini-3-flash-preview", &request);
        assert_eq!(body["toolConfig"], json!({"functionCallingConfig": {"mode": mode}}));
        assert_eq!(
            body["generationConfig"],
            json!({"responseMimeType": "application/json"})
        );
    }
    request.parallel_calls = Some(false);
    request.tools.push(tool("3 bad", None));
    request.tools[0].strict = Some(true);
    assert_eq!(
        written("gemini-3-flash-preview", &request).1,
        ["strict", "!tools[2].name", "!parallel_tool_calls"]
    );
}

fn with_tools(signature: Option<&str>) -> Request {
    let png = Media::Inline {
        media_type: "image/png".to_owned(),
        data: "AAAA".to_owned(),
    };
    let image = Block::Image {
        media: png,
        detail: None,
        cache: None,
    };
    Request {
        turns: vec![
            user(vec![text("Do both")]),
            assistant(vec![
                text("Well."),
                call("c1", "one", r#"{"x":1.0}"#, signature),
                call("c2", "two", "{}", None),
            ]),
            user(vec![
                result("c1", vec![text("a"), image, text("b")], false),
                result("c2", vec![text("no")], true),
                text("Go on"),
            ]),
        ],
        ..Request::default()
    }
}

#[test]
fn calls_and_results_of_the_third_generation() {
    let expected = json!([
        {"role": "user", "parts": [{"text": "Do both"}]},
        {"role": "model", "parts": [
            {"text": "Well."},
            {"functionCall": {"id": "c1", "name": "one", "args": {"x": 1.0}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "c2", "name": "two", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "c1", "name": "one", "response": {"output": "a\nb"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}},
            {"functionResponse": {"id": "c2", "name": "two", "response": {"error": "no"}}},
            {"text": "Go on"},
        ]},
    ]);
    let model = "gemini-3.1-pro-preview";
    assert_eq!(value(model, &with_tools(Some("c2ln")))["contents"], expected);
    let unsigned = value(model, &with_tools(None));
    assert_eq!(
        unsigned["contents"][1]["parts"][1]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    assert!(unsigned["contents"][1]["parts"][2]["thoughtSignature"].is_null());
    assert!(written(model, &with_tools(None)).0.contains(r#""args":{"x":1.0}"#));
}

#[test]
fn calls_and_results_of_older_models() {
    let body = value("gemini-2.5-pro", &with_tools(None));
    assert_eq!(
        body["contents"][1]["parts"][1],
        json!({"functionCall": {"name": "one", "args": {"x": 1.0}}})
    );
    assert_eq!(
        body["contents"][2]["parts"],
        json!([
            {"functionResponse": {"name": "one", "response": {"output": "a\nb"}}},
            {"functionResponse": {"name": "two", "response": {"error": "no"}}},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"text": "Go on"},
        ])
    );
}

#[test]
fn media_are_sent_or_pointed_at() {
    let url = |url: &str| Media::Url(url.to_owned());
    let image = |media| Block::Image {
        media,
        detail: Some("low".to_owned()),
        cache: Some(Cache::Hour),
    };
    let document = |media| Block::Document {
        media,
        name: Some("a.pdf".to_owned()),
        cache: None,
    };
    let pdf = Media::Inline {
        media_type: "application/pdf".to_owned(),
        data: "JVBE".to_owned(),
    };
    let request = Request {
        turns: vec![user(vec![
            image(url("https://x.test/a.PNG?s=1")),
            image(url("https://x.test/a")),
            document(pdf),
            document(url("https://x.test/a")),
            document(Media::File("file-1".to_owned())),
            Block::Audio {
                format: "wav".to_owned(),
                data: "UklG".to_owned(),
            },
        ])],
        ..Request::default()
    };
    let expected = json!([
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.PNG?s=1"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.test/a"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.test/a"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
    ]);
    assert_eq!(value("gemini-2.5-pro", &request)["contents"][0]["parts"], expected);
    assert_eq!(
        written("gemini-2.5-pro", &request).1,
        ["cache_control", "detail", "filename", "!file_id"]
    );
}

#[test]
fn thoughts_are_not_sent_again_and_newer_models_want_the_users_turn_last() {
    let thought = Block::Thought {
        text: "hm".to_owned(),
        signature: Some("other".to_owned()),
    };
    let request = Request {
        turns: vec![user(vec![text("Hi")]), assistant(vec![thought, text("{")])],
        reasoning: Some(Reasoning {
            effort: Some(Effort::Low),
            budget: None,
            shown: Some(true),
        }),
        ..Request::default()
    };
    let (body, losses) = written("gemini-2.5-pro", &request);
    assert!(body.contains(r#"{"role":"model","parts":[{"text":"{"}]}"#));
    assert!(body.contains(r#""thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}"#));
    assert_eq!(losses, ["reasoning_content"]);
    assert_eq!(written("gemini-3.6-flash", &request).1, ["!messages[1]"]);
}

fn answer() -> Value {
    json!({
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"text": "Let me ", "thought": true},
            {"text": "think.", "thought": true},
            {"text": "It is "}, {"text": "sunny."}, {"text": ""},
            {"functionCall": {"name": "one", "args": {"b": 1.0, "a": [2]}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "own", "name": "two"}},
        ]}}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18,
            "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-3-flash", "responseId": "r1"
    })
}

#[test]
fn an_answer_is_read() {
    let reply = read_reply(answer().to_string().as_bytes()).unwrap();
    let Some(Output::Call {
        id,
        arguments,
        signature,
        ..
    }) = reply.output.get(2)
    else {
        unreachable!("{reply:?}")
    };
    assert!(id.starts_with("call_") && id.ends_with("_0"), "{id}");
    assert_eq!(
        (arguments.as_str(), signature.as_deref()),
        (r#"{"a":[2],"b":1.0}"#, Some("c2ln"))
    );
    let expected = Reply {
        id: "r1".to_owned(),
        model: "gemini-3-flash".to_owned(),
        output: vec![
            Output::Thought {
                text: "Let me think.".to_owned(),
                signature: None,
            },
            Output::Text("It is sunny.".to_owned()),
            reply.output[2].clone(),
            Output::Call {
                id: "own".to_owned(),
                name: "two".to_owned(),
                arguments: "{}".to_owned(),
                signature: None,
            },
        ],
        stop: Some(Stop::Calls),
        usage: Some(Usage {
            input: 10,
            output: 5,
            reasoning: 3,
            ..Usage::default()
        }),
        tier: Some("standard".to_owned()),
    };
    assert_eq!(reply, expected);
}

/// The same answer as a stream: an event for each part, the reason in the last.
fn events(answer: &Value) -> Vec<String> {
    let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap();
    let mut events: Vec<String> = parts
        .iter()
        .map(|part| {
            json!({"candidates": [{"content": {"parts": [part]}}], "responseId": answer["responseId"],
                "modelVersion": answer["modelVersion"]})
            .to_string()
        })
        .collect();
    let mut last = answer.clone();
    last["candidates"][0].as_object_mut().unwrap().remove("content");
    events.push(last.to_string());
    events
}

fn streamed(data: &[String]) -> Vec<Event> {
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    for data in data {
        reader.read(b"", data.as_bytes(), &mut out).unwrap();
    }
    reader.finish(&mut out);
    out
}

#[test]
fn a_stream_says_the_same() {
    let streamed = streamed(&events(&answer()));
    assert_eq!(streamed.last(), Some(&Event::End));
    assert_eq!(whole(streamed), read_reply(answer().to_string().as_bytes()));
}

#[test]
fn a_stream_without_a_reason_is_not_complete() {
    let mut cut = events(&answer());
    cut.pop();
    assert!(!streamed(&cut).contains(&Event::End));
    assert_eq!(streamed(&[]), []);
    let mut reader = StreamReader::default();
    assert!(reader.read(b"", b"{", &mut Vec::new()).is_err());
}

#[test]
fn reasons_for_an_end() {
    let with = |reason: &str, parts: Value| {
        let body = json!({"candidates": [{"finishReason": reason, "content": {"parts": parts}}]});
        read_reply(body.to_string().as_bytes())
    };
    for (reason, stop) in [
        ("STOP", Stop::End),
        ("MAX_TOKENS", Stop::Length),
        ("SAFETY", Stop::Filtered),
        ("RECITATION", Stop::Filtered),
        ("OTHER", Stop::End),
    ] {
        assert_eq!(
            with(reason, json!([{"text": "x"}])).unwrap().stop,
            Some(stop),
            "{reason}"
        );
    }
    assert!(matches!(
        with("MALFORMED_FUNCTION_CALL", json!([])),
        Err(Unanswered::Refused(Refusal {
            cause: Cause::Server,
            ..
        }))
    ));
    assert_eq!(with("MAX_TOKENS", json!([])).unwrap().output, []);
    let body = br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#;
    assert_eq!(used(body).map(|usage| usage.input), Some(3));
    let blocked = read_reply(body);
    assert!(matches!(
        blocked,
        Err(Unanswered::Refused(Refusal {
            cause: Cause::Filtered,
            ..
        }))
    ));
    assert_eq!(read_reply(b"{}"), Err(Unanswered::Malformed));
    let error = br#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#;
    let refusal = Refusal::new(Cause::Overloaded, "overloaded");
    assert_eq!(read_reply(error), Err(Unanswered::Refused(refusal.clone())));
    let stream = streamed(&[String::from_utf8(error.to_vec()).unwrap(), answer().to_string()]);
    assert_eq!(stream, [Event::Failed(refusal)]);
}

#[test]
fn errors_are_told_apart() {
    let daily = r#"[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]"#;
    let bad_key = r#"[{"reason":"API_KEY_INVALID"}]"#;
    for (code, status, message, details, cause) in [
        (400, "INVALID_ARGUMENT", "Invalid value", "[]", Cause::Invalid),
        (
            400,
            "INVALID_ARGUMENT",
            "API key not valid.",
            bad_key,
            Cause::Authentication,
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "[]",
            Cause::ContextExceeded,
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 20971520 bytes.",
            "[]",
            Cause::TooLarge,
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use.",
            "[]",
            Cause::Permission,
        ),
        (403, "PERMISSION_DENIED", "no", "[]", Cause::Permission),
        (404, "NOT_FOUND", "no such model", "[]", Cause::NotFound),
        (429, "RESOURCE_EXHAUSTED", "quota", "[]", Cause::RateLimited),
        (429, "RESOURCE_EXHAUSTED", "quota", daily, Cause::Exhausted),
        (500, "INTERNAL", "oops", "[]", Cause::Server),
        (503, "UNAVAILABLE", "overloaded", "[]", Cause::Overloaded),
        (504, "DEADLINE_EXCEEDED", "late", "[]", Cause::Timeout),
    ] {
        let body =
            format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":{details}}}}}"#);
        let expected = Refusal::new(cause, message);
        assert_eq!(read_refusal(code, body.as_bytes()), expected, "{status}");
        assert_eq!(read_refusal(code, format!("[{body}]").as_bytes()), expected, "{status}");
    }
    assert_eq!(read_refusal(502, b"<html>").cause, Cause::Server);
    assert_eq!(read_refusal(413, b"").cause, Cause::TooLarge);
}

/// Any turns, with whatever text where text may stand.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let block = prop_oneof![
        any::<String>().prop_map(|any| text(&any)),
        any::<(String, String, String)>().prop_map(|(id, name, arguments)| call(&id, &name, &arguments, None)),
        any::<(String, String, bool)>().prop_map(|(id, any, failed)| result(&id, vec![text(&any)], failed)),
        any::<(String, String)>().prop_map(|(media_type, data)| Block::Document {
            media: Media::Inline { media_type, data },
            name: None,
            cache: Some(Cache::Hour),
        }),
        any::<String>().prop_map(|url| Block::Image {
            media: Media::Url(url),
            detail: None,
            cache: None,
        }),
    ];
    let role = prop::sample::select(vec![Role::User, Role::Assistant]);
    let turn = (role, prop::collection::vec(block, 1..4)).prop_map(|(role, content)| Turn { role, content });
    prop::collection::vec(turn, 0..4)
}

proptest! {
    #[test]
    fn whatever_is_asked_is_written_as_json(turns in turns(), model in prop::sample::select(vec!["gemini-2.5-pro", "gemini-3.6-flash", "x"])) {
        let request = Request { turns, ..Request::default() };
        let body = value(model, &request);
        prop_assert!(body["contents"].is_array());
    }

    #[test]
    fn any_answer_reads_the_same_whole_or_in_events(
        parts in prop::collection::vec(
            prop_oneof![
                "[a-c]{0,3}".prop_map(|text| json!({"text": text})),
                "[a-c]{0,3}".prop_map(|text| json!({"text": text, "thought": true})),
                "[a-c]{1,3}".prop_map(|name| json!({"functionCall": {"name": name, "args": {"x": name}}})),
            ],
            0..8,
        ),
        reason in prop::sample::select(vec!["STOP", "MAX_TOKENS", "SAFETY", "OTHER"]),
    ) {
        let mut answer = answer();
        answer["candidates"][0]["content"]["parts"] = parts.into();
        answer["candidates"][0]["finishReason"] = reason.into();
        prop_assert_eq!(whole(streamed(&events(&answer))), read_reply(answer.to_string().as_bytes()));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, status: u16) {
        let _ = read_reply(&bytes);
        let _ = read_refusal(status, &bytes);
        let mut reader = StreamReader::default();
        let mut out = Vec::new();
        let _ = reader.read(&bytes, &bytes, &mut out);
        reader.finish(&mut out);
    }
}
