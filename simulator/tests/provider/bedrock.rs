//! Amazon Bedrock's endpoints.

use serde_json::{Value, json};

use crate::support::{Provider, start, with};

const NOVA: &str = "/model/amazon.nova-lite-v1%3A0/converse";

fn ask() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "Say hi"}]}]})
}

/// The events of a stream: the names and payloads of frames whose checksums are right.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        assert_eq!(number(8), crc32fast::hash(&bytes[..8]) as usize);
        assert_eq!(number(total - 4), crc32fast::hash(&bytes[..total - 4]) as usize);
        let mut rest = &bytes[12..12 + headers];
        let mut name = String::new();
        while !rest.is_empty() {
            let key = 1 + rest[0] as usize;
            let length = u16::from_be_bytes([rest[key + 1], rest[key + 2]]) as usize;
            if rest[1..key].ends_with(b"-type") && !rest[1..key].ends_with(b"message-type") {
                let value = std::str::from_utf8(&rest[key + 3..key + 3 + length]).unwrap();
                if rest[1..key] != *b":content-type" {
                    name = value.to_owned();
                }
            }
            rest = &rest[key + 3 + length..];
        }
        events.push((name, serde_json::from_slice(&bytes[12 + headers..total - 4]).unwrap()));
        bytes = &bytes[total..];
    }
    events
}

async fn stream(provider: &Provider, steering: &str, body: &Value) -> Vec<(String, Value)> {
    let response = provider.post(&format!("{NOVA}-stream"), steering, body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
    frames(&response.bytes().await.unwrap())
}

#[tokio::test]
async fn a_reply_has_the_members_of_the_service_model() {
    let provider = start(&[]).await;
    let reply = provider
        .json(NOVA, "tokens=5,prompt=10,cached=40,cache_write_5m=20", &ask())
        .await;
    assert_eq!(
        reply["output"],
        json!({"message": {"role": "assistant", "content": [{"text": "A gateway is a small"}]}})
    );
    assert_eq!(reply["stopReason"], "end_turn");
    assert_eq!(
        reply["usage"],
        json!({
            "inputTokens": 10, "outputTokens": 5, "totalTokens": 75, "cacheReadInputTokens": 40,
            "cacheWriteInputTokens": 20, "cacheDetails": [{"ttl": "5m", "inputTokens": 20}],
        })
    );
    assert!(reply["metrics"]["latencyMs"].is_u64());
    // 30 tokens at $0.06 of which the cache's cost $0.015, 5 at $0.24, per million
    assert_eq!(
        provider.totals().await["settled"]["nanodollars"],
        10 * 60 + 40 * 15 + 20 * 60 + 5 * 240
    );
}

#[tokio::test]
async fn a_stream_is_made_of_frames_and_ends_with_the_usage() {
    let provider = start(&[]).await;
    let events = stream(&provider, "tokens=2,prompt=10,reasoning=3", &ask()).await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "messageStart");
    assert_eq!(
        names[names.len() - 3..],
        ["contentBlockStop", "messageStop", "metadata"]
    );
    let text = |pointer: &str| -> String {
        events
            .iter()
            .filter_map(|(_, payload)| payload.pointer(pointer)?.as_str())
            .collect()
    };
    assert_eq!(text("/delta/text"), "A gateway");
    assert_eq!(text("/delta/reasoningContent/text"), "A gateway is");
    assert!(!text("/delta/reasoningContent/signature").is_empty());
    let (_, metadata) = events.last().unwrap();
    assert_eq!(
        (&metadata["usage"]["inputTokens"], &metadata["usage"]["outputTokens"]),
        (&json!(10), &json!(5))
    );
    assert_eq!(provider.totals().await["settled"]["requests"], 1);
}

#[tokio::test]
async fn an_exception_comes_in_the_stream() {
    let provider = start(&[]).await;
    let events = stream(&provider, "error_after=2", &ask()).await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[2].0, "internalServerException");
}

#[tokio::test]
async fn several_tools_are_called_at_once_and_their_results_taken_back() {
    let provider = start(&[]).await;
    let tool = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}});
    let tools = json!({"toolConfig": {"tools": [tool("weather"), tool("news")], "toolChoice": {"any": {}}}});
    let body = with(ask(), tools.clone());
    let events = stream(&provider, "tools=2", &body).await;
    let starts: Vec<&Value> = events
        .iter()
        .filter(|(name, _)| name == "contentBlockStart")
        .map(|(_, payload)| &payload["start"]["toolUse"])
        .collect();
    assert_eq!(
        (&starts[0]["name"], &starts[1]["name"]),
        (&json!("weather"), &json!("news"))
    );
    assert_ne!(starts[0]["toolUseId"], starts[1]["toolUseId"]);
    let input = |index: u64| -> Value {
        let deltas = events
            .iter()
            .filter(|(_, payload)| payload["contentBlockIndex"] == index);
        let text: String = deltas
            .filter_map(|(_, payload)| payload.pointer("/delta/toolUse/input")?.as_str())
            .collect();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!((&input(0)["days"], &input(1)["days"]), (&json!(3), &json!(4)));
    let reply = provider.json(NOVA, "tools=2", &body).await;
    assert_eq!(reply["stopReason"], "tool_use");
    let said = reply["output"]["message"].clone();
    let id = |index: usize| said["content"][index]["toolUse"]["toolUseId"].clone();
    let result = |id: Value| json!({"toolResult": {"toolUseId": id, "content": [{"text": "rain"}]}});
    let mut messages = vec![ask()["messages"][0].clone(), said.clone()];
    let answered = |messages: &[Value]| with(json!({"messages": messages}), tools.clone());
    let response = provider.post(NOVA, "", &answered(&messages)).await;
    assert_eq!(response.status(), 200, "a call may stand last");
    messages.push(json!({"role": "user", "content": [result(id(0))]}));
    let refused: Value = provider
        .post(NOVA, "", &answered(&messages))
        .await
        .json()
        .await
        .unwrap();
    let expected = format!(
        "Expected toolResult blocks at messages.2.content for the following Ids: {}",
        id(1).as_str().unwrap()
    );
    assert_eq!(refused["message"], expected);
    messages[2] = json!({"role": "user", "content": [result(id(0)), result(id(1))]});
    let reply = provider.json(NOVA, "echo", &answered(&messages)).await;
    let echo: Value = serde_json::from_str(reply["output"]["message"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(echo["turns"][2]["parts"][1]["result"]["name"], "news");
    assert_eq!(echo["tool_choice"], "any");
}

#[tokio::test]
async fn what_the_service_model_does_not_have_is_refused() {
    let provider = start(&[]).await;
    let user = |content: Value| json!({"role": "user", "content": content});
    let text = json!([{"text": "a"}]);
    for (body, message) in [
        (with(ask(), json!({"temperature": 1})), "extraneous key [temperature]"),
        (
            json!({"messages": [user(text.clone()), user(text.clone())]}),
            "must alternate between user and assistant",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": text}]}),
            "must start with a user message",
        ),
        (
            with(ask(), json!({"inferenceConfig": {"temperature": 1.5}})),
            "Member must have value less than or equal to 1",
        ),
        (json!({"messages": [user(json!([]))]}), "messages.0 is empty"),
        (json!({"messages": [user(json!([{"text": " "}]))]}), "is blank"),
        (
            json!({"messages": [user(json!([{"type": "text", "text": "a"}]))]}),
            "exactly one member",
        ),
        (
            json!({"messages": [user(json!("a"))]}),
            "#/messages/0/content: expected",
        ),
        (json!({"messages": []}), "must start with a user message"),
    ] {
        let response = provider.post(NOVA, "", &body).await;
        assert_eq!(response.status(), 400);
        let kind = response.headers()["x-amzn-errortype"].to_str().unwrap();
        assert!(kind.starts_with("ValidationException:"), "{kind}");
        let told: Value = response.json().await.unwrap();
        assert!(told["message"].as_str().unwrap().contains(message), "{told}");
    }
    let throttled = provider.post(NOVA, "status=429", &ask()).await;
    assert_eq!(throttled.status(), 429);
    assert!(
        throttled.headers()["x-amzn-errortype"]
            .to_str()
            .unwrap()
            .starts_with("ThrottlingException")
    );
    assert_eq!(
        provider.ledger().await["credentials"]["default"]["amazon.nova-lite-v1:0"]["errors"],
        1
    );
}

#[tokio::test]
async fn a_thought_must_be_one_that_was_signed() {
    let provider = start(&[]).await;
    for knobs in ["reasoning=4", "reasoning=4,sealed"] {
        let reply = provider.json(NOVA, knobs, &ask()).await;
        let said = reply["output"]["message"].clone();
        let more = json!({"role": "user", "content": [{"text": "More"}]});
        let body = json!({"messages": [ask()["messages"][0], said, more]});
        assert_eq!(provider.post(NOVA, "", &body).await.status(), 200, "{knobs}");
        let forged = body
            .to_string()
            .replace("\"signature\":\"", "\"signature\":\"x")
            .replace("\"redactedContent\":\"", "\"redactedContent\":\"x");
        let response = provider.post(NOVA, "", &serde_json::from_str(&forged).unwrap()).await;
        assert_eq!(response.status(), 400, "{knobs}");
    }
}

#[tokio::test]
async fn texts_are_embedded_and_counted_in_a_header() {
    let provider = start(&[]).await;
    let titan = provider
        .json(
            "/model/amazon.titan-embed-text-v2:0/invoke",
            "prompt=7",
            &json!({"inputText": "hi", "dimensions": 256, "normalize": true}),
        )
        .await;
    assert_eq!(
        (
            titan["embedding"].as_array().unwrap().len(),
            &titan["inputTextTokenCount"]
        ),
        (256, &json!(7))
    );
    let body = json!({"texts": ["a", "b"], "input_type": "search_query"});
    let response = provider
        .post("/model/cohere.embed-english-v3/invoke", "prompt=9", &body)
        .await;
    assert_eq!(response.headers()["x-amzn-bedrock-input-token-count"], "9");
    let cohere: Value = response.json().await.unwrap();
    assert_eq!(cohere["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(cohere["response_type"], "embeddings_floats");
    let body = with(body, json!({"embedding_types": ["float", "int8"]}));
    let cohere = provider.json("/model/cohere.embed-english-v3/invoke", "", &body).await;
    assert_eq!(cohere["embeddings"]["int8"].as_array().unwrap().len(), 2);
    assert_eq!(provider.totals().await["settled"]["requests"], 3);
}

#[tokio::test]
async fn a_credential_signs_or_is_a_bearer_token() {
    let provider = start(&["--credential", "aws=AKIDEXAMPLE:SECRET", "--credential", "key=ABSK123"]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = async |authorization: &str| {
        let mut request = client.post(format!("{}{NOVA}", provider.url)).json(&ask());
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let response = request.header("x-amz-date", "20260131T235959Z").send().await.unwrap();
        let kind = response
            .headers()
            .get("x-amzn-errortype")
            .map(|kind| kind.to_str().unwrap().to_owned());
        (response.status().as_u16(), kind.unwrap_or_default())
    };
    assert_eq!(asked("Bearer ABSK123").await.0, 200);
    assert_eq!(asked("Bearer other").await.0, 403);
    assert!(asked("").await.1.starts_with("MissingAuthenticationToken"));
    let signed = |key: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260131/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
        )
    };
    assert!(asked(&signed("AKIDOTHER")).await.1.starts_with("UnrecognizedClient"));
    let (status, kind) = asked(&signed("AKIDEXAMPLE")).await;
    assert_eq!(status, 403);
    assert!(kind.starts_with("InvalidSignatureException"), "{kind}");
}
