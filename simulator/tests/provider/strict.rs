//! What OpenAI and Anthropic refuse when asked to be strict.

use serde_json::{Value, json};

use crate::support::{Provider, chat, message, start, with};

async fn refusal(provider: &Provider, path: &str, body: &Value) -> Value {
    assert_eq!(provider.post(path, "", body).await.status(), 200, "{body}");
    let response = provider.post(path, "strict", body).await;
    assert_eq!(response.status(), 400, "{body}");
    response.json::<Value>().await.unwrap()["error"].clone()
}

#[tokio::test]
async fn a_chat_with_what_openai_does_not_know() {
    let provider = start(&[]).await;
    let path = "/v1/chat/completions";
    let more = |more: Value| with(chat("gpt-4o"), more);
    let error = refusal(&provider, path, &more(json!({"top_k": 3}))).await;
    assert_eq!(error["message"], "Unrecognized request argument supplied: top_k");
    let says = |messages: Value| more(json!({"messages": messages}));
    let user = json!({"role": "user", "content": "a"});
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]});
    let answer = json!({"role": "tool", "tool_call_id": "c1", "content": "b"});
    for (body, words) in [
        (
            says(json!([user, {"role": "user", "content": "a", "thought": 1}])),
            "Unknown parameter: 'messages[1].thought'.",
        ),
        (
            says(json!([{"role": "user"}])),
            "Missing required parameter: 'messages[0].content'.",
        ),
        (
            says(json!([user, answer])),
            "must be a response to a preceeding message",
        ),
        (says(json!([user, calls])), "did not have response messages: c1"),
        (says(json!([user, calls, user])), "did not have response messages: c1"),
        (
            more(json!({"stream_options": {"include_usage": true}})),
            "only allowed when 'stream' is enabled",
        ),
        (
            more(json!({"tool_choice": "auto"})),
            "only allowed when 'tools' are specified",
        ),
        (
            more(json!({"model": "gpt-5", "max_tokens": 5})),
            "Use 'max_completion_tokens' instead.",
        ),
        (
            more(json!({"model": "gpt-5", "temperature": 0.5})),
            "Only the default (1) value is supported.",
        ),
        (
            more(json!({"response_format": {"type": "xml"}})),
            "Invalid value: \"xml\".",
        ),
    ] {
        let error = refusal(&provider, path, &body).await;
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    let good = says(json!([user, calls, answer]));
    assert_eq!(provider.post(path, "strict", &good).await.status(), 200);
}

#[tokio::test]
async fn a_message_with_what_anthropic_does_not_know() {
    let provider = start(&[]).await;
    let path = "/v1/messages";
    let more = |more: Value| with(message("claude-haiku-4-5"), more);
    let says = |messages: Value| more(json!({"messages": messages}));
    let user = json!({"role": "user", "content": "a"});
    let calls = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]});
    let answer = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "b"}]});
    let thought = json!([{"type": "thinking", "thinking": "hm", "signature": "c2ltdWxhdGVk"}]);
    for (body, words) in [
        (more(json!({"seed": 3})), "seed: Extra inputs are not permitted"),
        (
            says(json!([{"role": "user", "content": [{"type": "text", "text": "a", "id": 1}]}])),
            "messages.0.content.0.id: Extra inputs are not permitted",
        ),
        (
            says(json!([{"role": "user", "content": [{"type": "image"}]}])),
            "messages.0.content.0.source: Field required",
        ),
        (
            says(json!([{"role": "system", "content": "a"}])),
            "Unexpected role \"system\"",
        ),
        (
            says(json!([user, answer])),
            "unexpected `tool_use_id` found in `tool_result` blocks: t1",
        ),
        (
            says(json!([user, calls, user])),
            "messages.1: `tool_use` ids were found without `tool_result`",
        ),
        (
            says(json!([user, {"role": "assistant", "content": thought}])),
            "Invalid `signature` in `thinking` block",
        ),
        (more(json!({"temperature": 1.5})), "temperature: range: 0..1"),
        (
            more(json!({"thinking": {"type": "enabled", "budget_tokens": 2048}})),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
    ] {
        let error = refusal(&provider, path, &body).await;
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    let good = says(json!([user, user, calls, answer]));
    assert_eq!(provider.post(path, "strict", &good).await.status(), 200);
    for knobs in ["reasoning=5", "reasoning=5,sealed"] {
        let said = provider.json(path, knobs, &message("claude-haiku-4-5")).await["content"].clone();
        let body = says(json!([user, {"role": "assistant", "content": said}, user]));
        assert_eq!(provider.post(path, "strict", &body).await.status(), 200, "{knobs}");
    }
}
