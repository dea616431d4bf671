//! `POST /v1/responses`.

use serde_json::{Value, json};

use crate::support::{start, with};

fn ask() -> Value {
    json!({"model": "gpt-5", "input": "Say hi", "instructions": "Be brief"})
}

#[tokio::test]
async fn a_response_has_the_fields_of_the_real_one() {
    let provider = start(&[]).await;
    let reply = provider
        .json("/v1/responses", "tokens=5,prompt=50,cached=20,reasoning=9", &ask())
        .await;
    assert!(reply["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(
        (&reply["object"], &reply["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(reply["instructions"], "Be brief");
    assert_eq!(reply["output"][0]["type"], "reasoning");
    assert_eq!(reply["output"][1]["content"][0]["text"], "A gateway is a small");
    assert_eq!(
        reply["usage"],
        json!({
            "input_tokens": 50, "input_tokens_details": {"cached_tokens": 20},
            "output_tokens": 14, "output_tokens_details": {"reasoning_tokens": 9},
            "total_tokens": 64,
        })
    );
}

#[tokio::test]
async fn a_stream_is_typed_numbered_and_complete() {
    let provider = start(&[]).await;
    let events = provider
        .events("/v1/responses", "tokens=3", &with(ask(), json!({"stream": true})))
        .await;
    let kinds: Vec<&str> = events.iter().map(|event| event.name.as_deref().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        let json = event.json();
        assert_eq!(json["type"], event.name.as_deref().unwrap());
        assert_eq!(json["sequence_number"], number);
    }
    assert_eq!(events[0].json()["response"]["usage"], Value::Null);
    assert_eq!(events[0].json()["response"]["status"], "in_progress");
    assert_eq!(events[7].json()["text"], "A gateway is");
    let response = &events[10].json()["response"];
    assert_eq!(response["usage"]["output_tokens"], 3);
    assert_eq!(response["output"][0]["id"], events[4].json()["item_id"]);
}

#[tokio::test]
async fn a_tool_call_streams_its_arguments_in_pieces() {
    let provider = start(&[]).await;
    let tools = json!({"tools": [{"type": "function", "name": "weather"}], "tool_choice": "required", "stream": true});
    let events = provider
        .events("/v1/responses", "reasoning=5", &with(ask(), tools))
        .await;
    let of = |kind: &str| {
        events
            .iter()
            .filter(|e| e.name.as_deref() == Some(kind))
            .map(|e| e.json())
            .collect::<Vec<_>>()
    };
    let pieces = of("response.function_call_arguments.delta");
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece["output_index"] == 1));
    let joined: String = pieces.iter().map(|piece| piece["delta"].as_str().unwrap()).collect();
    assert_eq!(of("response.function_call_arguments.done")[0]["arguments"], joined);
    let output = of("response.completed")[0]["response"]["output"].clone();
    assert_eq!(
        (&output[0]["type"], &output[1]["name"]),
        (&json!("reasoning"), &json!("weather"))
    );
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_incomplete() {
    let provider = start(&[]).await;
    let body = with(ask(), json!({"max_output_tokens": 5}));
    let reply = provider.json("/v1/responses", "", &body).await;
    assert_eq!(reply["status"], "incomplete");
    assert_eq!(reply["incomplete_details"], json!({"reason": "max_output_tokens"}));
    let events = provider
        .events("/v1/responses", "", &with(body, json!({"stream": true})))
        .await;
    assert_eq!(events.last().unwrap().name.as_deref(), Some("response.incomplete"));
    assert_eq!(provider.totals().await["settled"]["requests"], 2);
}

#[tokio::test]
async fn an_error_in_the_stream_is_of_the_apis_own_kind() {
    let provider = start(&[]).await;
    let events = provider
        .events("/v1/responses", "error_after=4", &with(ask(), json!({"stream": true})))
        .await;
    assert_eq!(events.len(), 5);
    assert_eq!(events[4].name.as_deref(), Some("error"));
    assert_eq!(
        (&events[4].json()["type"], &events[4].json()["code"]),
        (&json!("error"), &json!("server_error"))
    );
}
