//! OpenAI's endpoints, except responses.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{chat, chat_stream, start, with};

#[tokio::test]
async fn a_chat_completion_has_the_fields_of_the_real_one() {
    let provider = start(&[]).await;
    let steering = "tokens=5,prompt=100,cached=40,audio_in=10,reasoning=7,audio_out=3";
    let reply = provider.json("/v1/chat/completions", steering, &chat("gpt-4o")).await;
    assert!(reply["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(reply["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["model"], "gpt-4o");
    assert_eq!(reply["service_tier"], "default");
    assert!(reply["system_fingerprint"].as_str().unwrap().starts_with("fp_"));
    assert_eq!(
        reply["choices"],
        json!([{
            "index": 0,
            "message": {"role": "assistant", "content": "A gateway is a small", "refusal": null, "annotations": []},
            "logprobs": null,
            "finish_reason": "stop",
        }])
    );
    assert_eq!(
        reply["usage"],
        json!({
            "prompt_tokens": 100,
            "completion_tokens": 15,
            "total_tokens": 115,
            "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 10},
            "completion_tokens_details": {
                "reasoning_tokens": 7, "audio_tokens": 3,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    );
}

#[tokio::test]
async fn members_come_in_the_order_of_the_real_api() {
    let provider = start(&[]).await;
    let text = provider
        .post("/v1/chat/completions", "", &chat("gpt-4o"))
        .await
        .text()
        .await
        .unwrap();
    let at = |member: &str| text.find(&format!("\"{member}\":")).unwrap();
    let order = [
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{text}");
}

#[tokio::test]
async fn a_prompt_is_counted_as_documented() {
    let provider = start(&[]).await;
    // "Say hi" is two tokens, "user" one; three for the message and three for the answer's beginning.
    let reply = provider.json("/v1/chat/completions", "", &chat("gpt-4o")).await;
    assert_eq!(reply["usage"]["prompt_tokens"], 3 + 3 + 1 + 2);
    let two = json!({"model": "gpt-4o", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Say hi"}]},
        {"role": "user", "content": "Say hi"},
    ]});
    let reply = provider.json("/v1/chat/completions", "", &two).await;
    assert_eq!(reply["usage"]["prompt_tokens"], 3 + 2 * (3 + 1 + 2));
}

#[tokio::test]
async fn a_chat_stream_begins_with_the_role_and_ends_with_usage_and_done() {
    let provider = start(&[]).await;
    let events = provider
        .events("/v1/chat/completions", "tokens=4", &chat_stream("gpt-4o"))
        .await;
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done.data, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|event| event.json()).collect();
    assert_eq!(chunks.len(), 1 + 4 + 1 + 1);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], chunks[0]["id"]);
    }
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(chunks[0]["usage"], Value::Null);
    assert!(chunks[0].as_object().unwrap().contains_key("usage"));
    let text: String = chunks[1..5]
        .iter()
        .map(|c| c["choices"][0]["delta"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(text, "A gateway is a");
    assert_eq!(
        chunks[5]["choices"][0],
        json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"})
    );
    assert_eq!(chunks[6]["choices"], json!([]));
    assert_eq!(chunks[6]["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn a_stream_that_was_not_asked_for_usage_has_none() {
    let provider = start(&[]).await;
    let body = with(chat("gpt-4o"), json!({"stream": true}));
    let events = provider.events("/v1/chat/completions", "tokens=4", &body).await;
    assert!(events.iter().all(|event| !event.data.contains("usage")));
    assert_eq!(events.len(), 1 + 4 + 1 + 1);
}

#[tokio::test]
async fn an_answer_stops_at_the_length_it_may_have() {
    let provider = start(&[]).await;
    let body = with(chat("gpt-4o"), json!({"max_completion_tokens": 10}));
    let reply = provider
        .json("/v1/chat/completions", "tokens=50,reasoning=4", &body)
        .await;
    assert_eq!(reply["choices"][0]["finish_reason"], "length");
    assert_eq!(reply["usage"]["completion_tokens"], 10);
    assert_eq!(reply["usage"]["completion_tokens_details"]["reasoning_tokens"], 4);
}

#[tokio::test]
async fn several_choices_are_several_answers() {
    let provider = start(&[]).await;
    let reply = provider
        .json(
            "/v1/chat/completions",
            "tokens=5",
            &with(chat("gpt-4o"), json!({"n": 3})),
        )
        .await;
    assert_eq!(reply["choices"].as_array().unwrap().len(), 3);
    assert_eq!(reply["usage"]["completion_tokens"], 15);
    let streamed = provider
        .events(
            "/v1/chat/completions",
            "tokens=5",
            &with(chat_stream("gpt-4o"), json!({"n": 3})),
        )
        .await;
    assert_eq!(streamed.len(), 3 * (1 + 5 + 1) + 2);
}

#[tokio::test]
async fn a_tool_is_called_when_the_request_insists_or_the_steering_says_so() {
    let provider = start(&[]).await;
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let required = json!({"tools": tools, "tool_choice": "required"});
    let reply = provider
        .json("/v1/chat/completions", "", &with(chat("gpt-4o"), required.clone()))
        .await;
    let choice = &reply["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(call["function"]["name"], "weather");
    let arguments = call["function"]["arguments"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap()["city"], "Paris");

    let events = provider
        .events("/v1/chat/completions", "", &with(chat_stream("gpt-4o"), required))
        .await;
    let deltas: Vec<Value> = events[..events.len() - 2]
        .iter()
        .map(|e| e.json()["choices"][0]["delta"].clone())
        .collect();
    assert_eq!(
        deltas[0]["tool_calls"][0]["function"],
        json!({"name": "weather", "arguments": ""})
    );
    let pieces: Vec<&str> = deltas[1..]
        .iter()
        .filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert!(pieces.len() > 3);
    assert_eq!(pieces.concat(), arguments);

    let named = with(
        chat("gpt-4o"),
        json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "x"}}}),
    );
    let reply = provider.json("/v1/chat/completions", "", &named).await;
    assert_eq!(reply["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "x");
    let reply = provider
        .json(
            "/v1/chat/completions",
            "tool=steered",
            &with(chat("gpt-4o"), json!({"tools": tools})),
        )
        .await;
    assert_eq!(
        reply["choices"][0]["message"]["tool_calls"][0]["function"]["name"],
        "steered"
    );
    let unforced = provider
        .json(
            "/v1/chat/completions",
            "",
            &with(chat("gpt-4o"), json!({"tools": tools})),
        )
        .await;
    assert_eq!(unforced["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn text_completions_are_answered_and_streamed() {
    let provider = start(&[]).await;
    let body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Say hi"});
    let reply = provider.json("/v1/completions", "", &body).await;
    assert_eq!(reply["object"], "text_completion");
    assert_eq!(
        reply["choices"][0]["finish_reason"], "length",
        "16 tokens unless asked for more"
    );
    assert_eq!(
        (&reply["usage"]["prompt_tokens"], &reply["usage"]["completion_tokens"]),
        (&json!(2), &json!(16))
    );
    let several = json!({"model": "gpt-3.5-turbo-instruct", "prompt": ["Say hi", [1, 2, 3]]});
    assert_eq!(
        provider.json("/v1/completions", "", &several).await["usage"]["prompt_tokens"],
        5
    );

    let stream = with(body, json!({"stream": true, "stream_options": {"include_usage": true}}));
    let events = provider.events("/v1/completions", "tokens=3", &stream).await;
    assert_eq!(events.len(), 3 + 1 + 1 + 1);
    assert_eq!(events[1].json()["choices"][0]["text"], " gateway");
    assert_eq!(events[4].json()["usage"]["total_tokens"], 5);
    assert_eq!(events[4].json()["choices"], json!([]));
}

#[tokio::test]
async fn embeddings_come_as_numbers_or_as_base64() {
    let provider = start(&[]).await;
    let body = json!({"model": "text-embedding-3-small", "input": ["Say hi", "Say hi"]});
    let reply = provider.json("/v1/embeddings", "", &body).await;
    assert_eq!(reply["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    assert_eq!(reply["data"][1]["index"], 1);
    assert_eq!(reply["data"][1]["embedding"].as_array().unwrap().len(), 1536);
    let packed =
        json!({"model": "text-embedding-3-large", "input": "Say hi", "encoding_format": "base64", "dimensions": 8});
    let reply = provider.json("/v1/embeddings", "", &packed).await;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(reply["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    assert_eq!(bytes.len(), 8 * 4);
}

#[tokio::test]
async fn the_small_endpoints_report_what_the_real_ones_do() {
    let provider = start(&[]).await;
    let image = json!({"model": "gpt-image-1", "prompt": "Say hi", "quality": "low"});
    let reply = provider.json("/v1/images/generations", "", &image).await;
    assert_eq!(
        reply["usage"],
        json!({
            "input_tokens": 2, "input_tokens_details": {"image_tokens": 0, "text_tokens": 2},
            "output_tokens": 272, "total_tokens": 274,
        })
    );
    assert!(reply["data"][0]["b64_json"].is_string());

    let rerank =
        json!({"model": "rerank-english", "query": "Say hi", "documents": ["Say hi", {"text": "Say hi"}], "top_n": 1});
    let reply = provider.json("/v1/rerank", "", &rerank).await;
    assert_eq!(reply["usage"], json!({"total_tokens": 6}));
    assert_eq!(reply["results"].as_array().unwrap().len(), 1);

    let reply = provider
        .json("/v1/moderations", "", &json!({"input": ["a", "b"]}))
        .await;
    assert_eq!(reply["results"].as_array().unwrap().len(), 2);
    assert_eq!(reply["results"][0]["flagged"], false);

    let batch = json!({"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    assert_eq!(provider.json("/v1/batches", "", &batch).await["status"], "validating");
}

#[tokio::test]
async fn audio_is_transcribed_from_a_form() {
    let provider = start(&[]).await;
    let form = |more: &[(&'static str, &'static str)]| {
        let audio = reqwest::multipart::Part::bytes(vec![0; 32_000]).file_name("a.wav");
        let form = reqwest::multipart::Form::new()
            .text("model", "gpt-4o-transcribe")
            .part("file", audio);
        more.iter().fold(form, |form, (name, value)| form.text(*name, *value))
    };
    let send = async |steering: &str, form| {
        let request = provider.request("POST", "/v1/audio/transcriptions", steering);
        request.multipart(form).send().await.unwrap().text().await.unwrap()
    };
    let reply: Value = serde_json::from_str(&send("tokens=6", form(&[])).await).unwrap();
    assert_eq!(
        reply["usage"],
        json!({
            "type": "tokens", "input_tokens": 10, "input_token_details": {"text_tokens": 0, "audio_tokens": 10},
            "output_tokens": 6, "total_tokens": 16,
        })
    );
    let streamed = crate::support::events(&send("tokens=6", form(&[("stream", "true")])).await);
    assert_eq!(streamed.len(), 7);
    assert_eq!(streamed[6].json()["type"], "transcript.text.done");
    assert_eq!(streamed[6].json()["usage"]["output_tokens"], 6);
    // 2 × (10 × $6 + 6 × $10) per million
    assert_eq!(provider.totals().await["settled"]["nanodollars"], 2 * (60_000 + 60_000));

    let file = reqwest::multipart::Part::bytes(vec![0; 9]).file_name("b.jsonl");
    let upload = reqwest::multipart::Form::new()
        .text("purpose", "batch")
        .part("file", file);
    let reply = provider
        .request("POST", "/v1/files", "")
        .multipart(upload)
        .send()
        .await
        .unwrap();
    let file: Value = reply.json().await.unwrap();
    assert_eq!(
        (&file["object"], &file["bytes"], &file["purpose"]),
        (&json!("file"), &json!(9), &json!("batch"))
    );
}

#[tokio::test]
async fn each_dialect_lists_its_own_models() {
    let provider = start(&["--model", "brand-new"]).await;
    let list: Value = provider
        .request("GET", "/v1/models", "")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"gpt-4o") && ids.contains(&"brand-new") && !ids.contains(&"claude-haiku-4-5"));
    let one: Value = provider
        .request("GET", "/v1/models/gpt-4o", "")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(one["object"], "model");
    let anthropic = provider
        .request("GET", "/v1/models", "")
        .header("anthropic-version", "2023-06-01");
    let list: Value = anthropic.send().await.unwrap().json().await.unwrap();
    assert!(
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == "claude-haiku-4-5")
    );
    assert_eq!(list["has_more"], false);
}
