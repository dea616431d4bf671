//! Anthropic's endpoints.

use serde_json::{Value, json};

use crate::support::{message, message_stream, start, with};

#[tokio::test]
async fn a_message_has_the_fields_of_the_real_one() {
    let provider = start(&[]).await;
    let steering = "tokens=5,prompt=10,cached=40,cache_write_5m=20,cache_write_1h=3";
    let reply = provider
        .json("/v1/messages", steering, &message("claude-sonnet-4-5"))
        .await;
    assert!(reply["id"].as_str().unwrap().starts_with("msg_"));
    assert_eq!(
        reply["content"],
        json!([{"type": "text", "text": "A gateway is a small"}])
    );
    assert_eq!(
        (&reply["type"], &reply["role"]),
        (&json!("message"), &json!("assistant"))
    );
    assert_eq!(
        (&reply["stop_reason"], &reply["stop_sequence"]),
        (&json!("end_turn"), &Value::Null)
    );
    assert_eq!(
        reply["usage"],
        json!({
            "input_tokens": 10,
            "cache_creation_input_tokens": 23,
            "cache_read_input_tokens": 40,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3},
            "output_tokens": 5,
            "service_tier": "standard",
        })
    );
}

#[tokio::test]
async fn a_stream_begins_with_the_prompts_usage_and_ends_with_the_whole() {
    let provider = start(&[]).await;
    let events = provider
        .events(
            "/v1/messages",
            "tokens=3,prompt=10,cached=4",
            &message_stream("claude-haiku-4-5"),
        )
        .await;
    let kinds: Vec<&str> = events.iter().map(|event| event.name.as_deref().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    for event in &events {
        assert_eq!(event.json()["type"], event.name.as_deref().unwrap());
        assert!(
            event.data.starts_with("{\"type\":"),
            "the type comes first: {}",
            event.data
        );
    }
    let start = &events[0].json()["message"];
    assert_eq!(start["usage"]["input_tokens"], 10);
    assert_eq!(start["usage"]["cache_read_input_tokens"], 4);
    assert_eq!(start["usage"]["output_tokens"], 1);
    assert_eq!(start["content"], json!([]));
    let delta = events[7].json();
    assert_eq!(
        delta["delta"],
        json!({"stop_reason": "end_turn", "stop_sequence": null})
    );
    assert_eq!(delta["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn thinking_is_a_block_of_its_own_and_part_of_the_output() {
    let provider = start(&[]).await;
    let reply = provider
        .json("/v1/messages", "tokens=3,reasoning=6", &message("claude-sonnet-4-5"))
        .await;
    assert_eq!(reply["content"][0]["type"], "thinking");
    assert_eq!(reply["content"][1]["text"], "A gateway is");
    assert_eq!(reply["usage"]["output_tokens"], 9);
    let events = provider
        .events(
            "/v1/messages",
            "tokens=3,reasoning=6",
            &message_stream("claude-sonnet-4-5"),
        )
        .await;
    let thought = events
        .iter()
        .filter(|event| event.data.contains("thinking_delta"))
        .count();
    let signed = events
        .iter()
        .filter(|event| event.data.contains("signature_delta"))
        .count();
    assert_eq!((thought, signed), (6, 1));
    assert_eq!(provider.totals().await["settled"]["tokens"]["output"], 18);
    assert_eq!(provider.totals().await["settled"]["tokens"]["reasoning"], 0);
}

#[tokio::test]
async fn a_tool_call_streams_its_input_in_pieces() {
    let provider = start(&[]).await;
    let tools =
        json!({"tools": [{"name": "weather", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}});
    let reply = provider
        .json("/v1/messages", "", &with(message("claude-haiku-4-5"), tools.clone()))
        .await;
    assert_eq!(reply["stop_reason"], "tool_use");
    assert_eq!(reply["content"][0]["name"], "weather");
    assert_eq!(reply["content"][0]["input"]["city"], "Paris");
    let events = provider
        .events("/v1/messages", "", &with(message_stream("claude-haiku-4-5"), tools))
        .await;
    let deltas = events
        .iter()
        .map(|e| e.json())
        .filter(|json| json["delta"]["type"] == "input_json_delta");
    let joined: String = deltas
        .map(|json| json["delta"]["partial_json"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&joined).unwrap(),
        reply["content"][0]["input"]
    );
    let named = json!({"tool_choice": {"type": "tool", "name": "chosen"}});
    let reply = provider
        .json("/v1/messages", "", &with(message("claude-haiku-4-5"), named))
        .await;
    assert_eq!(reply["content"][0]["name"], "chosen");
}

#[tokio::test]
async fn tokens_are_counted_for_nothing() {
    let provider = start(&[]).await;
    let mut body = message("claude-haiku-4-5");
    body.as_object_mut().unwrap().remove("max_tokens");
    let counted = provider.json("/v1/messages/count_tokens", "", &body).await;
    assert_eq!(counted, json!({"input_tokens": 3 + 3 + 2}));
    let ledger = provider.ledger().await;
    assert_eq!(ledger["paths"]["/v1/messages/count_tokens"], 1);
    assert_eq!(ledger["totals"]["billed_nanodollars"], 0);
}

#[tokio::test]
async fn an_answer_stops_at_max_tokens() {
    let provider = start(&[]).await;
    let body = with(message("claude-haiku-4-5"), json!({"max_tokens": 7}));
    let reply = provider.json("/v1/messages", "", &body).await;
    assert_eq!(
        (&reply["stop_reason"], &reply["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(7))
    );
}
