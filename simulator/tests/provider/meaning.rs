//! The same meaning in five dialects, and the same answer in each.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bedrock::frames;
use crate::support::{Provider, start, with};

const PIXEL: &str = "iVBORw0KGgo=";

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// Path and body in each dialect of one conversation: instructions, an image, a call and its result, a tool that must be
/// called, sampling, and JSON of a shape.
fn conversations() -> Vec<(&'static str, Value)> {
    let arguments = json!({"city": "Paris"});
    vec![
        (
            "/v1/chat/completions",
            json!({
                "model": "gpt-4o", "max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "stop": "END",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": [
                        {"type": "text", "text": "Where?"},
                        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}},
                    ]},
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments.to_string()}},
                    ]},
                    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
                ],
                "tools": [{"type": "function", "function": {
                    "name": "weather", "description": "Tells it", "parameters": schema(),
                }}],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
                "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema()}},
            }),
        ),
        (
            "/v1/responses",
            json!({
                "model": "gpt-4o", "max_output_tokens": 50, "temperature": 0.5, "top_p": 0.9,
                "instructions": "Be brief.",
                "input": [
                    {"role": "user", "content": [
                        {"type": "input_text", "text": "Where?"},
                        {"type": "input_image", "image_url": format!("data:image/png;base64,{PIXEL}")},
                    ]},
                    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": arguments.to_string()},
                    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
                ],
                "tools": [{"type": "function", "name": "weather", "description": "Tells it", "parameters": schema()}],
                "tool_choice": {"type": "function", "name": "weather"},
                "text": {"format": {"type": "json_schema", "name": "a", "schema": schema()}},
            }),
        ),
        (
            "/v1/messages",
            json!({
                "model": "claude-haiku-4-5", "max_tokens": 50, "temperature": 0.5, "top_p": 0.9,
                "stop_sequences": ["END"], "system": "Be brief.",
                "messages": [
                    {"role": "user", "content": [
                        {"type": "text", "text": "Where?"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    ]},
                    {"role": "assistant", "content": [
                        {"type": "tool_use", "id": "c1", "name": "weather", "input": arguments},
                    ]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
                ],
                "tools": [{"name": "weather", "description": "Tells it", "input_schema": schema()}],
                "tool_choice": {"type": "tool", "name": "weather"},
                "output_config": {"format": {"type": "json_schema", "schema": schema()}},
            }),
        ),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            json!({
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [
                        {"text": "Where?"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                    ]},
                    {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "weather", "args": arguments}}]},
                    {"role": "user", "parts": [
                        {"functionResponse": {"id": "c1", "name": "weather", "response": {"result": "rain"}}},
                    ]},
                ],
                "tools": [{"functionDeclarations": [
                    {"name": "weather", "description": "Tells it", "parameters": schema()},
                ]}],
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
                "generationConfig": {
                    "maxOutputTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"],
                    "responseMimeType": "application/json", "responseJsonSchema": schema(),
                },
            }),
        ),
        (
            "/model/amazon.nova-lite-v1:0/converse",
            json!({
                "system": [{"text": "Be brief."}],
                "messages": [
                    {"role": "user", "content": [
                        {"text": "Where?"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}},
                    ]},
                    {"role": "assistant", "content": [
                        {"toolUse": {"toolUseId": "c1", "name": "weather", "input": arguments}},
                    ]},
                    {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "rain"}]}}]},
                ],
                "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
                "toolConfig": {
                    "tools": [{"toolSpec": {
                        "name": "weather", "description": "Tells it", "inputSchema": {"json": schema()},
                    }}],
                    "toolChoice": {"tool": {"name": "weather"}},
                },
                "outputConfig": {"textFormat": {"type": "json_schema", "structure": {
                    "jsonSchema": {"schema": schema().to_string()},
                }}},
            }),
        ),
    ]
}

/// Where each dialect has the text of an answer.
const TEXT: [&str; 5] = [
    "/choices/0/message/content",
    "/output/0/content/0/text",
    "/content/0/text",
    "/candidates/0/content/parts/0/text",
    "/output/message/content/0/text",
];

#[tokio::test]
async fn one_meaning_has_one_summary_in_every_dialect() {
    let provider = start(&[]).await;
    let mut summaries = Vec::new();
    for ((path, body), text) in conversations().into_iter().zip(TEXT) {
        let reply = provider.json(path, "echo,strict", &body).await;
        let summary = reply.pointer(text).and_then(Value::as_str).expect(path);
        let mut summary: Value = serde_json::from_str(summary).unwrap();
        if path == "/v1/responses" {
            summary["sampling"]["stop"] = json!(["END"]);
        }
        summaries.push(summary);
    }
    let expected = json!({
        "system": ["Be brief."],
        "turns": [
            {"role": "user", "parts": [{"text": "Where?"}, {"image": {"media_type": "image/png", "bytes": 8}}]},
            {"role": "assistant", "parts": [
                {"call": {"id": "c1", "name": "weather", "arguments": {"city": "Paris"}}},
            ]},
            {"role": "user", "parts": [
                {"result": {"id": "c1", "name": "weather", "failed": false, "content": [{"text": "rain"}]}},
            ]},
        ],
        "tools": [{"name": "weather", "description": "Tells it", "schema": schema()}],
        "tool_choice": {"tool": "weather"},
        "sampling": {"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "stop": ["END"]},
        "format": {"schema": schema()},
    });
    for summary in summaries {
        assert_eq!(summary, expected);
    }
}

/// The data of a stream's events, whatever frames them.
async fn streamed(provider: &Provider, path: &str, steering: &str, body: &Value) -> Vec<Value> {
    let path = match path {
        path if path.ends_with("/converse") => format!("{path}-stream"),
        path if path.contains(":generate") => path.replace(":generate", ":streamGenerate") + "?alt=sse",
        path => path.to_owned(),
    };
    let body = if path.starts_with("/v1/") {
        with(body.clone(), json!({"stream": true}))
    } else {
        body.clone()
    };
    if path.ends_with("-stream") {
        let bytes = provider.post(&path, steering, &body).await.bytes().await.unwrap();
        return frames(&bytes).into_iter().map(|(_, payload)| payload).collect();
    }
    let events = provider.events(&path, steering, &body).await;
    let data = events.iter().filter(|event| event.data != "[DONE]");
    data.map(|event| event.json()).collect()
}

#[tokio::test]
async fn several_calls_have_ids_and_arguments_of_their_own_in_every_dialect() {
    let provider = start(&[]).await;
    for (path, body) in conversations() {
        let reply = provider.json(path, "tools=3", &body).await.to_string();
        let stream = streamed(&provider, path, "tools=3", &body).await;
        let stream = Value::from(stream).to_string();
        assert!(reply.matches("\"weather\"").count() >= 3, "{path}: {reply}");
        for days in ["3", "4", "5"] {
            let plain = [format!("\"days\":{days}"), format!("\\\"days\\\":{days}")];
            assert!(plain.iter().any(|text| reply.contains(text)), "{path}: {reply}");
        }
        let ids = |text: &str| {
            let found = ["call_", "toolu_", "tooluse_"].map(|prefix| format!(":\"{prefix}"));
            let found = found.iter().flat_map(|prefix| text.match_indices(prefix));
            let ids: BTreeSet<&str> = found.map(|(at, _)| &text[at..at + 24]).collect();
            ids.len()
        };
        if !path.contains("gemini") {
            assert_eq!((ids(&reply), ids(&stream)), (3, 3), "{path}");
        }
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_refused_in_each_providers_words() {
    let provider = start(&[]).await;
    let words = [
        "context_length_exceeded",
        "context_length_exceeded",
        "prompt is too long: 11 tokens > 10 maximum",
        "The input token count (11) exceeds the maximum number of tokens allowed (10).",
        "Input is too long for requested model.",
    ];
    for ((path, body), words) in conversations().into_iter().zip(words) {
        let refused = provider.post(path, "prompt=11,context=10", &body).await;
        assert_eq!(refused.status(), 400);
        let told = refused.text().await.unwrap();
        assert!(told.contains(words), "{told}");
        assert_eq!(provider.post(path, "prompt=10,context=10", &body).await.status(), 200);
    }
}

#[tokio::test]
async fn endings_are_told_in_each_providers_words() {
    let provider = start(&[]).await;
    let cases = [
        (
            "finish=length",
            ["length", "max_output_tokens", "max_tokens", "MAX_TOKENS", "max_tokens"],
        ),
        (
            "finish=content_filter",
            [
                "content_filter",
                "content_filter",
                "refusal",
                "SAFETY",
                "content_filtered",
            ],
        ),
        (
            "finish=stop_sequence",
            ["stop", "completed", "stop_sequence", "STOP", "stop_sequence"],
        ),
        (
            "refusal",
            ["I'm sorry", "\"refusal\"", "\"refusal\"", "I'm sorry", "I'm sorry"],
        ),
        (
            "reasoning=4,show_reasoning",
            [
                "reasoning_content",
                "summary_text",
                "thinking",
                "\"thought\"",
                "reasoningContent",
            ],
        ),
    ];
    for (knobs, words) in cases {
        for ((path, body), word) in conversations().into_iter().zip(words) {
            let reply = provider.json(path, knobs, &body).await.to_string();
            assert!(reply.contains(word), "{knobs} {path}: {reply}");
            let stream = Value::from(streamed(&provider, path, knobs, &body).await).to_string();
            let word = if word.contains(' ') { "sorry" } else { word };
            assert!(stream.contains(word), "{knobs} {path}: {stream}");
        }
    }
    let words = [
        "content_filter",
        "content_filter",
        "\"refusal\"",
        "blockReason",
        "guardrail_intervened",
    ];
    for ((path, body), word) in conversations().into_iter().zip(words) {
        let response = provider.post(path, "filtered", &body).await;
        assert_eq!(
            response.status().as_u16(),
            if word == "content_filter" { 400 } else { 200 }
        );
        let reply = response.text().await.unwrap();
        assert!(reply.contains(word), "{path}: {reply}");
    }
}
