//! What is asked of Bedrock and what it answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::conversation::request::Cache;
use crate::conversation::*;
use crate::dialect::{ChatFacts, To, Unanswered};
use crate::framing::eventstream::{Frames, Kind, encode_event, encode_exception};
use crate::usage::Usage;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-1-70b-instruct-v1:0";

/// The answer that these events add up to.
fn whole(events: Vec<Event>) -> Result<Reply, Unanswered> {
    Reply::of_events(events).map_err(Unanswered::Refused)
}

fn raw(json: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
}

fn marked(text: &str, cache: Option<Cache>) -> Block {
    Block::Text {
        text: text.to_owned(),
        cache,
    }
}

fn text(text: &str) -> Block {
    marked(text, None)
}

fn call(id: &str, name: &str, arguments: &str) -> Block {
    Block::Call {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
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

fn image(media: Media) -> Block {
    Block::Image {
        media,
        detail: None,
        cache: None,
    }
}

fn inline(media_type: &str) -> Media {
    Media::Inline {
        media_type: media_type.to_owned(),
        data: "AAAA".to_owned(),
    }
}

fn document(media: Media, name: Option<&str>) -> Block {
    Block::Document {
        media,
        name: name.map(str::to_owned),
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

fn hi() -> Request {
    Request {
        turns: vec![user(vec![text("Hi")])],
        ..Request::default()
    }
}

fn reasoning(effort: Option<Effort>, budget: Option<u64>) -> Option<Reasoning> {
    Some(Reasoning {
        effort,
        budget,
        shown: None,
    })
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

fn losses(model: &str, request: &Request) -> Vec<String> {
    written(model, request).1
}

#[test]
fn a_plain_request_is_short() {
    let request = Request {
        instructions: vec![text("Be brief."), text(" ")],
        turns: vec![
            user(vec![text("Hi"), text("")]),
            assistant(vec![text(" ")]),
            user(vec![text("Hi?")]),
        ],
        ..Request::default()
    };
    // The empty turn is left out, and its neighbours are one.
    let expected =
        r#"{"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Hi"},{"text":"Hi?"}]}]}"#;
    assert_eq!(written(CLAUDE, &request), (expected.to_owned(), vec![]));
    assert_eq!(
        path("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x-v1:0", true),
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x-v1%3A0/converse-stream"
    );
    assert_eq!(
        path("amazon.nova-pro-v1:0", false),
        "/model/amazon.nova-pro-v1%3A0/converse"
    );
}

#[test]
fn parameters_go_where_each_maker_wants_them() {
    let request = Request {
        max_output_tokens: Some(100),
        temperature: Some(1.5),
        top_k: Some(40),
        seed: Some(7),
        presence_penalty: Some(0.5),
        frequency_penalty: Some(0.0),
        stop: vec!["END".to_owned()],
        user: Some("u".to_owned()),
        ..hi()
    };
    let body = value(CLAUDE, &request);
    assert_eq!(
        body["inferenceConfig"],
        json!({"maxTokens": 100, "temperature": 1.0, "stopSequences": ["END"]})
    );
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 40}));
    assert_eq!(body["additionalModelResponseFieldPaths"], json!(["/stop_sequence"]));
    assert_eq!(
        losses(CLAUDE, &request),
        ["temperature", "seed", "user", "!presence_penalty"]
    );
    let body = value(NOVA, &request);
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"inferenceConfig": {"topK": 40}})
    );
    assert!(body["additionalModelResponseFieldPaths"].is_null());
    assert!(losses(LLAMA, &request).contains(&"!top_k".to_owned()));
    let both = Request {
        temperature: Some(0.5),
        top_p: Some(0.5),
        ..hi()
    };
    assert_eq!(
        value(NOVA, &both)["inferenceConfig"],
        json!({"temperature": 0.5, "topP": 0.5})
    );
    assert_eq!(value(CLAUDE, &both)["inferenceConfig"], json!({"temperature": 0.5}));
    let newest = written("anthropic.claude-opus-4-7", &both);
    assert!(!newest.0.contains("inferenceConfig"));
    assert_eq!(newest.1, ["temperature", "top_p"]);
}

#[test]
fn tools_and_schemas_keep_their_bytes() {
    let schema = r#"{"type":"object", "properties":{"b":{"enum":[1.50]},"a":{}}, "additionalProperties":false}"#;
    let mut request = Request {
        tools: vec![tool("one", Some(schema)), tool("two", None)],
        choice: Some(Choice::Tool("one".to_owned())),
        format: Format::Schema {
            name: Some("n".to_owned()),
            description: None,
            schema: raw(schema),
            strict: Some(true),
        },
        ..hi()
    };
    request.tools[0].strict = Some(true);
    request.tools[1].cache = Some(Cache::Minutes5);
    let (body, lost) = written(CLAUDE, &request);
    assert!(body.contains(&format!(
        r#""toolConfig":{{"tools":[{{"toolSpec":{{"name":"one","description":"does it","inputSchema":{{"json":{schema}}},"strict":true}}}},{{"toolSpec":{{"name":"two","description":"does it","inputSchema":{{"json":{{"type":"object","properties":{{}}}}}}}}}},{{"cachePoint":{{"type":"default"}}}}],"toolChoice":{{"tool":{{"name":"one"}}}}}}"#
    )), "{body}");
    let format = &value(CLAUDE, &request)["outputConfig"]["textFormat"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(
        format["structure"]["jsonSchema"],
        json!({"schema": schema, "name": "n"})
    );
    assert_eq!(lost, [""; 0]);
    assert_eq!(losses(NOVA, &request), ["response_format", "strict", "cache_control"]);
    request.format = Format::Object;
    let (body, lost) = written(CLAUDE, &request);
    assert!(body.contains("Answer with one JSON object"), "{body}");
    assert_eq!(lost, ["response_format"]);
    // What cannot be enforced is told, too.
    let open = r#"{"type":"object","properties":{"b":{"minimum":1.50}}}"#;
    request.tools[0].parameters = Some(raw(open));
    request.format = Format::Schema {
        name: None,
        description: None,
        schema: raw(open),
        strict: None,
    };
    let (body, lost) = written(CLAUDE, &request);
    assert!(
        body.contains("conform to this JSON Schema") && !body.contains("strict"),
        "{body}"
    );
    assert_eq!(lost, ["response_format", "strict"]);
}

#[test]
fn what_is_to_be_called() {
    let with = |choice, parallel| Request {
        tools: vec![tool("one", None)],
        choice,
        parallel_calls: parallel,
        ..hi()
    };
    let any = with(Some(Choice::Any), None);
    assert_eq!(value(CLAUDE, &any)["toolConfig"]["toolChoice"], json!({"any": {}}));
    assert_eq!(losses("anthropic.claude-fable-5-1", &any), ["!tool_choice"]);
    let auto = with(Some(Choice::Auto), Some(false));
    let body = value(CLAUDE, &auto);
    assert!(body["toolConfig"]["toolChoice"].is_null());
    assert_eq!(
        body["additionalModelRequestFields"]["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    assert_eq!(losses(NOVA, &auto), ["!parallel_tool_calls"]);
    let mut never = with(Some(Choice::Never), None);
    assert!(value(CLAUDE, &never)["toolConfig"].is_null());
    assert_eq!(losses(CLAUDE, &never), [""; 0]);
    never.turns.push(assistant(vec![call("c", "one", "{}")]));
    assert_eq!(losses(CLAUDE, &never), ["!tool_choice"]);
    // Calls without tools.
    never.tools.clear();
    assert_eq!(
        value(CLAUDE, &never)["toolConfig"]["tools"][0]["toolSpec"]["name"],
        "one"
    );
    assert_eq!(losses(CLAUDE, &never), ["tools"]);
}

#[test]
fn calls_and_results() {
    let long = "c".repeat(70);
    let request = Request {
        turns: vec![
            user(vec![text("Do both")]),
            assistant(vec![call("c1", "one", r#"{"x":1.0}"#), call(&long, "my.tool", "[]")]),
            user(vec![
                result("c1", vec![text("a"), image(inline("image/jpg")), text("b")], false),
                result(&long, vec![], true),
                text("Go on"),
            ]),
        ],
        tools: vec![tool("one", None), tool("my.tool", None)],
        ..Request::default()
    };
    let (body, lost) = written(CLAUDE, &request);
    assert!(body.contains(r#""input":{"x":1.0}"#));
    assert_eq!(lost, ["!tools[1].name"]);
    let body = value(CLAUDE, &request);
    let second = &body["messages"][1]["content"][1]["toolUse"];
    let (id, name) = (second["toolUseId"].as_str().unwrap(), &second["name"]);
    assert!(id.len() <= 64 && id.starts_with("ccc"), "{id}");
    assert_eq!(body["toolConfig"]["tools"][1]["toolSpec"]["name"], *name);
    assert_eq!(second["input"], json!({}));
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"toolResult": {"toolUseId": "c1", "content": [
                {"text": "a"}, {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}, {"text": "b"}]}},
            {"toolResult": {"toolUseId": id, "content": [{"text": "(no output)"}], "status": "error"}},
            {"text": "Go on"},
        ])
    );
    assert_eq!(losses(LLAMA, &request), ["!tools[1].name", "is_error"]);
}

#[test]
fn media_are_bytes() {
    let url = |url: &str| Media::Url(url.to_owned());
    let request = Request {
        turns: vec![user(vec![
            image(inline("image/png")),
            image(url("https://x.test/a.png")),
            image(url("s3://bucket/a.webp")),
            image(inline("image/bmp")),
            document(inline("application/pdf"), Some("Q3 report_final.pdf")),
            document(inline("text/plain"), None),
            document(Media::File("file-1".to_owned()), None),
            Block::Audio {
                format: "wav".to_owned(),
                data: "UklG".to_owned(),
            },
        ])],
        ..Request::default()
    };
    let expected = json!([
        {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a.webp"}}}},
        {"document": {"format": "pdf", "name": "Q3 report final pdf-1", "source": {"bytes": "AAAA"}}},
        {"document": {"format": "txt", "name": "document-2", "source": {"bytes": "AAAA"}}},
        {"audio": {"format": "wav", "source": {"bytes": "UklG"}}},
        {"text": "Q3 report final pdf-1, document-2"},
    ]);
    assert_eq!(value(NOVA, &request)["messages"][0]["content"], expected);
    assert_eq!(losses(NOVA, &request), ["!image_url", "!file_id"]);
    assert_eq!(losses(CLAUDE, &request), ["!image_url", "!file_id", "!input_audio"]);
}

#[test]
fn caches_have_points() {
    let result = Block::Result {
        id: "c".to_owned(),
        content: vec![marked("out", Some(Cache::Minutes5))],
        failed: false,
        cache: None,
    };
    let request = Request {
        instructions: vec![marked("Long.", Some(Cache::Hour))],
        turns: vec![
            user(vec![text("Hi")]),
            assistant(vec![call("c", "one", "{}")]),
            user(vec![result]),
        ],
        tools: vec![tool("one", None)],
        ..Request::default()
    };
    let body = value(CLAUDE, &request);
    assert_eq!(
        body["system"],
        json!([{"text": "Long."}, {"cachePoint": {"type": "default", "ttl": "1h"}}])
    );
    assert_eq!(
        body["messages"][2]["content"][1],
        json!({"cachePoint": {"type": "default"}})
    );
    let nova = written(NOVA, &request);
    assert_eq!(nova.0.matches(r#"{"cachePoint":{"type":"default"}}"#).count(), 2);
    assert_eq!(nova.1, ["cache_control"]);
    let llama = written(LLAMA, &request);
    assert!(!llama.0.contains("cachePoint"));
    assert_eq!(llama.1, ["cache_control"]);
}

#[test]
fn each_maker_is_told_how_hard_to_think() {
    let asked = |model: &str, effort, budget, longest| {
        let request = Request {
            reasoning: reasoning(effort, budget),
            max_output_tokens: longest,
            ..hi()
        };
        let body = value(model, &request);
        let told = json!([body["additionalModelRequestFields"], body["outputConfig"]]);
        (told.to_string(), losses(model, &request).len())
    };
    let high = Some(Effort::High);
    for (model, effort, budget, longest, expected, lost) in [
        (
            CLAUDE,
            high,
            None,
            None,
            r#"[{"thinking":{"budget_tokens":16384,"type":"enabled"}},null]"#,
            0,
        ),
        (
            CLAUDE,
            high,
            None,
            Some(10_000),
            r#"[{"thinking":{"budget_tokens":8000,"type":"enabled"}},null]"#,
            0,
        ),
        (
            CLAUDE,
            None,
            Some(2000),
            None,
            r#"[{"thinking":{"budget_tokens":2000,"type":"enabled"}},null]"#,
            0,
        ),
        (CLAUDE, high, None, Some(1000), "[null,null]", 1),
        (CLAUDE, Some(Effort::Off), None, None, "[null,null]", 0),
        (
            "anthropic.claude-opus-4-7",
            Some(Effort::XHigh),
            None,
            None,
            r#"[{"thinking":{"type":"adaptive"}},{"effort":"xhigh"}]"#,
            0,
        ),
        (
            "anthropic.claude-sonnet-4-6",
            Some(Effort::Off),
            None,
            None,
            r#"[{"thinking":{"type":"disabled"}},null]"#,
            0,
        ),
        (
            "anthropic.claude-fable-5",
            Some(Effort::Off),
            None,
            None,
            r#"[null,{"effort":"low"}]"#,
            1,
        ),
        (
            NOVA,
            high,
            None,
            None,
            r#"[{"reasoningConfig":{"maxReasoningEffort":"high","type":"enabled"}},null]"#,
            0,
        ),
        (
            NOVA,
            high,
            None,
            Some(100),
            r#"[{"reasoningConfig":{"maxReasoningEffort":"medium","type":"enabled"}},null]"#,
            1,
        ),
        (
            "openai.gpt-oss-20b-1:0",
            high,
            None,
            None,
            r#"[{"reasoning_effort":"high"},null]"#,
            0,
        ),
        (LLAMA, high, None, None, "[null,null]", 1),
        (LLAMA, Some(Effort::Off), None, None, "[null,null]", 0),
    ] {
        assert_eq!(
            asked(model, effort, budget, longest),
            (expected.to_owned(), lost),
            "{model} {effort:?}"
        );
    }
}

#[test]
fn a_step_without_its_seal_does_not_think() {
    let thought = |signature: Option<&str>| Block::Thought {
        text: "hm".to_owned(),
        signature: signature.map(str::to_owned),
    };
    let with = |first: Block| Request {
        turns: vec![
            user(vec![text("Hi")]),
            assistant(vec![first, call("c", "one", "{}")]),
            user(vec![result("c", vec![text("out")], false)]),
        ],
        tools: vec![tool("one", None)],
        reasoning: reasoning(Some(Effort::Low), None),
        temperature: Some(0.3),
        ..Request::default()
    };
    let sealed = value(CLAUDE, &with(thought(Some("EqQB"))));
    assert_eq!(
        sealed["messages"][1]["content"][0],
        json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQB"}}})
    );
    assert_eq!(
        sealed["additionalModelRequestFields"]["thinking"]["budget_tokens"],
        2048
    );
    assert_eq!(losses(CLAUDE, &with(thought(Some("EqQB")))), ["temperature"]);
    let redacted = value(
        CLAUDE,
        &with(Block::SealedThought {
            data: "Eabc".to_owned(),
        }),
    );
    assert_eq!(
        redacted["messages"][1]["content"][0],
        json!({"reasoningContent": {"redactedContent": "Eabc"}})
    );
    for unsealed in [thought(None), thought(Some("gAAAAABx")), text("Well.")] {
        let request = with(unsealed.clone());
        let body = value(CLAUDE, &request);
        assert!(body["additionalModelRequestFields"].is_null());
        assert_eq!(body["inferenceConfig"]["temperature"], 0.3);
        assert!(losses(CLAUDE, &request).contains(&"reasoning_effort".to_owned()));
    }
    let mut forced = with(thought(Some("EqQB")));
    forced.choice = Some(Choice::Any);
    assert!(value(CLAUDE, &forced)["additionalModelRequestFields"].is_null());
    assert_eq!(losses(CLAUDE, &forced), ["reasoning_effort"]);
}

fn answer() -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": "EqQB"}}},
            {"reasoningContent": {"redactedContent": "Eabc"}},
            {"text": "It is sunny."},
            {"toolUse": {"toolUseId": "t1", "name": "one", "input": {"x": 1.0}}},
            {"toolUse": {"toolUseId": "t2", "name": "two", "input": {}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 22, "cacheReadInputTokens": 7},
        "metrics": {"latencyMs": 100},
        "serviceTier": {"type": "flex"},
    })
}

#[test]
fn an_answer_is_read() {
    let call = |id: &str, name: &str, arguments: &str| Output::Call {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    };
    let expected = Reply {
        output: vec![
            Output::Thought {
                text: "Let me think.".to_owned(),
                signature: Some("EqQB".to_owned()),
            },
            Output::SealedThought("Eabc".to_owned()),
            Output::Text("It is sunny.".to_owned()),
            call("t1", "one", r#"{"x":1.0}"#),
            call("t2", "two", "{}"),
        ],
        stop: Some(Stop::Calls),
        usage: Some(Usage {
            input: 10,
            cached_input: 7,
            output: 5,
            ..Usage::default()
        }),
        tier: Some("flex".to_owned()),
        ..Reply::default()
    };
    assert_eq!(read_reply(answer().to_string().as_bytes()), Ok(expected));
}

/// The same answer as a stream, each text in pieces of this many characters.
fn events(answer: &Value, piece: usize) -> Vec<(&'static str, Value)> {
    let pieces = |text: &Value| {
        let letters: Vec<char> = text.as_str().unwrap().chars().collect();
        let pieces: Vec<String> = letters.chunks(piece).map(|piece| piece.iter().collect()).collect();
        pieces
    };
    let mut events = vec![("messageStart", json!({"role": "assistant", "p": "abc"}))];
    let blocks = answer["output"]["message"]["content"].as_array().unwrap();
    for (index, block) in blocks.iter().enumerate() {
        let delta = |delta: Value| ("contentBlockDelta", json!({"delta": delta, "contentBlockIndex": index}));
        let reasoning = &block["reasoningContent"];
        if block["toolUse"].is_object() {
            let start = json!({"toolUseId": block["toolUse"]["toolUseId"], "name": block["toolUse"]["name"]});
            events.push((
                "contentBlockStart",
                json!({"start": {"toolUse": start}, "contentBlockIndex": index}),
            ));
            let input = block["toolUse"]["input"].to_string();
            if input != "{}" {
                for piece in pieces(&json!(input)) {
                    events.push(delta(json!({"toolUse": {"input": piece}})));
                }
            }
        } else if reasoning["redactedContent"].is_string() {
            events.push(delta(json!({"reasoningContent": reasoning})));
        } else if reasoning.is_object() {
            for piece in pieces(&reasoning["reasoningText"]["text"]) {
                events.push(delta(json!({"reasoningContent": {"text": piece}})));
            }
            let signature = &reasoning["reasoningText"]["signature"];
            events.push(delta(json!({"reasoningContent": {"signature": signature}})));
        } else {
            for piece in pieces(&block["text"]) {
                events.push(delta(json!({"text": piece})));
            }
        }
        events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
    }
    let stop = json!({"stopReason": answer["stopReason"],
        "additionalModelResponseFields": answer["additionalModelResponseFields"]});
    events.push(("messageStop", stop));
    let metadata = json!({"usage": answer["usage"], "metrics": {}, "serviceTier": answer["serviceTier"]});
    events.push(("metadata", metadata));
    events
}

/// What is read of frames, as they come from the wire.
fn streamed(bytes: &[u8]) -> Vec<Event> {
    let mut frames = Frames::default();
    let mut reader = StreamReader::default();
    let mut out = Vec::new();
    for piece in bytes.chunks(7) {
        let fed = frames.feed(piece, |message| {
            let name = match message.kind {
                Kind::Event => message.name.to_owned(),
                Kind::Exception | Kind::Error => format!("exception:{}", message.name),
            };
            reader.read(name.as_bytes(), message.payload, &mut out).unwrap();
        });
        fed.unwrap();
    }
    reader.finish(&mut out);
    out
}

fn framed(events: &[(&str, Value)]) -> Vec<u8> {
    let frames = events
        .iter()
        .map(|(name, event)| encode_event(name, event.to_string().as_bytes()));
    frames.flatten().collect()
}

#[test]
fn a_stream_says_the_same() {
    let streamed = streamed(&framed(&events(&answer(), 3)));
    assert_eq!(streamed.last(), Some(&Event::End));
    assert_eq!(streamed.iter().filter(|event| **event == Event::End).count(), 1);
    assert_eq!(whole(streamed), read_reply(answer().to_string().as_bytes()));
}

#[test]
fn a_stream_is_complete_with_its_reason() {
    let mut cut = events(&answer(), 5);
    cut.pop();
    assert_eq!(streamed(&framed(&cut)).last(), Some(&Event::End));
    cut.pop();
    assert!(!streamed(&framed(&cut)).contains(&Event::End));
    let mut reader = StreamReader::default();
    assert!(reader.read(b"contentBlockDelta", b"{", &mut Vec::new()).is_err());
    assert!(reader.read(b"somethingNew", b"{", &mut Vec::new()).is_ok());
}

#[test]
fn an_exception_ends_a_stream() {
    for (name, cause) in [
        ("throttlingException", Cause::RateLimited),
        ("internalServerException", Cause::Server),
        ("modelStreamErrorException", Cause::Server),
        ("serviceUnavailableException", Cause::Overloaded),
        ("validationException", Cause::Invalid),
        ("modelTimeoutException", Cause::Timeout),
    ] {
        let mut bytes = framed(&events(&answer(), 3)[..2]);
        bytes.extend(encode_exception(name, br#"{"message":"why"}"#));
        bytes.extend(framed(&events(&answer(), 3)[2..]));
        let events = streamed(&bytes);
        assert_eq!(
            events.last(),
            Some(&Event::Failed(Refusal::new(cause, "why"))),
            "{name}"
        );
    }
}

#[test]
fn reasons_for_an_end() {
    let with = |reason: &str, content: Value| {
        let body = json!({"output": {"message": {"content": content}}, "stopReason": reason,
            "additionalModelResponseFields": {"stop_sequence": "END"}, "usage": {"inputTokens": 1, "outputTokens": 1}});
        let whole_reply = read_reply(body.to_string().as_bytes());
        assert_eq!(whole(streamed(&framed(&events(&body, 9)))), whole_reply, "{reason}");
        whole_reply
    };
    for (reason, stop) in [
        ("end_turn", Stop::End),
        ("max_tokens", Stop::Length),
        ("stop_sequence", Stop::Sequence(Some("END".to_owned()))),
        ("guardrail_intervened", Stop::Filtered),
        ("content_filtered", Stop::Filtered),
        ("model_context_window_exceeded", Stop::ContextFull),
        ("malformed_model_output", Stop::End),
    ] {
        assert_eq!(
            with(reason, json!([{"text": "x"}])).unwrap().stop,
            Some(stop),
            "{reason}"
        );
    }
    assert!(matches!(
        with("malformed_tool_use", json!([])),
        Err(Unanswered::Refused(Refusal {
            cause: Cause::Server,
            ..
        }))
    ));
    assert_eq!(read_reply(b"{}"), Err(Unanswered::Malformed));
    assert!(matches!(
        read_reply(br#"{"message":"no"}"#),
        Err(Unanswered::Refused(_))
    ));
}

#[test]
fn errors_are_told_apart() {
    for (status, message, cause) in [
        (
            400,
            "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum",
            Cause::ContextExceeded,
        ),
        (400, "Input is too long for requested model.", Cause::ContextExceeded),
        (400, "The provided model identifier is invalid.", Cause::NotFound),
        (400, "messages: roles must alternate", Cause::Invalid),
        (
            400,
            "This request has been blocked by our content filters.",
            Cause::Filtered,
        ),
        (
            403,
            "The security token included in the request is invalid.",
            Cause::Authentication,
        ),
        (
            403,
            "You don't have access to the model with the specified model ID.",
            Cause::Permission,
        ),
        (404, "Could not resolve the foundation model", Cause::NotFound),
        (408, "late", Cause::Timeout),
        (424, "the model failed", Cause::Server),
        (
            429,
            "Too many requests, please wait before trying again.",
            Cause::RateLimited,
        ),
        (
            429,
            "Too many tokens per day, please wait before trying again.",
            Cause::Exhausted,
        ),
        (500, "oops", Cause::Server),
        (503, "busy", Cause::Overloaded),
    ] {
        let expected = Refusal::new(cause, message);
        for key in ["message", "Message"] {
            let body = json!({ key: message }).to_string();
            assert_eq!(read_refusal(status, body.as_bytes()), expected, "{status}");
        }
    }
    let typed = br#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow"}"#;
    assert_eq!(read_refusal(400, typed).cause, Cause::RateLimited);
    assert_eq!(read_refusal(502, b"<html>").cause, Cause::Server);
    assert_eq!(read_refusal(413, b"").cause, Cause::TooLarge);
}

/// Any turns, with whatever text where text may stand.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let block = prop_oneof![
        any::<String>().prop_map(|any| text(&any)),
        any::<(String, String, String)>().prop_map(|(id, name, arguments)| call(&id, &name, &arguments)),
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
    fn whatever_is_asked_is_written_as_json(turns in turns(), model in prop::sample::select(vec![CLAUDE, NOVA, LLAMA])) {
        let request = Request { turns, ..Request::default() };
        let body = value(model, &request);
        prop_assert!(body["messages"].is_array());
    }

    #[test]
    fn any_answer_reads_the_same_whole_or_in_events(
        blocks in prop::collection::vec(
            prop_oneof![
                "[a-c]{1,4}".prop_map(|text| json!({"text": text})),
                "[a-c]{1,4}".prop_map(|text| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": text}}})),
                "[a-c]{1,4}".prop_map(|data| json!({"reasoningContent": {"redactedContent": data}})),
                ("[a-c]{1,4}", prop::option::of("[a-c]{1,4}")).prop_map(|(id, value)| {
                    let input = value.map_or(json!({}), |value| json!({"x": value}));
                    json!({"toolUse": {"toolUseId": id, "name": "n", "input": input}})
                }),
            ],
            0..6,
        ),
        reason in prop::sample::select(vec!["end_turn", "tool_use", "max_tokens", "malformed_tool_use"]),
        piece in 1_usize..4,
    ) {
        let mut answer = answer();
        answer["output"]["message"]["content"] = blocks.into();
        answer["stopReason"] = reason.into();
        let streamed = streamed(&framed(&events(&answer, piece)));
        prop_assert_eq!(whole(streamed), read_reply(answer.to_string().as_bytes()));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, status: u16, name in prop::sample::select(vec![
        "messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "exception:x", "",
    ])) {
        let _ = read_reply(&bytes);
        let _ = read_refusal(status, &bytes);
        let mut reader = StreamReader::default();
        let mut out = Vec::new();
        let _ = reader.read(name.as_bytes(), &bytes, &mut out);
        reader.finish(&mut out);
    }

    #[test]
    fn names_are_allowed_and_stay_apart(one: String, other: String) {
        let name = super::content::allowed(&one);
        prop_assert!((1..=64).contains(&name.len()));
        prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        prop_assert_eq!(one == other, name == super::content::allowed(&other));
    }
}
