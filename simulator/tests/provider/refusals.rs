//! How requests are refused.

use serde_json::{Value, json};

use crate::support::{Provider, chat, message, start, with};

async fn refused(provider: &Provider, path: &str, body: &Value) -> (u16, Value) {
    let response = provider.post(path, "", body).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn openai_refuses_in_its_own_words() {
    let provider = start(&[]).await;
    let (status, body) = refused(&provider, "/v1/chat/completions", &chat("gpt-9")).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("model_not_found")));
    let (status, body) = refused(&provider, "/v1/chat/completions", &chat("claude-haiku-4-5")).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("model_not_found")));
    let (status, body) = refused(&provider, "/v1/chat/completions", &json!({"messages": []})).await;
    assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")));
    let (status, body) = refused(
        &provider,
        "/v1/chat/completions",
        &json!({"model": "gpt-4o", "messages": []}),
    )
    .await;
    assert_eq!((status, &body["error"]["param"]), (400, &json!("messages")));
    let (status, body) = refused(&provider, "/v1/embeddings", &json!({"model": "text-embedding-3-small"})).await;
    assert_eq!((status, &body["error"]["param"]), (400, &json!("input")));
    let (status, body) = refused(&provider, "/v1/nothing", &json!({})).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (404, &json!("Invalid URL (POST /v1/nothing)"))
    );
    let wrong_method = provider
        .request("GET", "/v1/chat/completions", "")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong_method.status(), 405);
    let broken = provider
        .request("POST", "/v1/chat/completions", "")
        .body("{\"model\":")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), 400);
    let totals = provider.totals().await;
    assert_eq!(
        (&totals["errors"], &totals["billed_nanodollars"]),
        (&json!(8), &json!(0))
    );
}

#[tokio::test]
async fn anthropic_refuses_in_its_own_words() {
    let provider = start(&[]).await;
    let mut unlimited = message("claude-haiku-4-5");
    unlimited.as_object_mut().unwrap().remove("max_tokens");
    let (status, body) = refused(&provider, "/v1/messages", &unlimited).await;
    assert_eq!(status, 400);
    assert_eq!(body["type"], "error");
    assert_eq!(
        body["error"],
        json!({"type": "invalid_request_error", "message": "max_tokens: Field required"})
    );
    assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
    let (status, body) = refused(&provider, "/v1/messages", &message("gpt-4o")).await;
    assert_eq!(
        (status, &body["error"]),
        (404, &json!({"type": "not_found_error", "message": "model: gpt-4o"}))
    );
    let (status, body) = refused(&provider, "/v1/messages", &json!({"model": "claude-haiku-4-5"})).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (400, &json!("messages: Field required"))
    );
    let unversioned = provider
        .request("POST", "/v1/messages", "")
        .json(&message("claude-haiku-4-5"));
    assert_eq!(unversioned.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_wrong_credential_is_refused_and_a_right_one_named() {
    let provider = start(&["--credential", "blue=sk-simulated", "--credential", "red=sk-other"]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |name: &str, value: &str, path: &str| {
        let body = if path.contains("messages") {
            message("claude-haiku-4-5")
        } else {
            chat("gpt-4o")
        };
        let mut request = client
            .post(format!("{}{path}", provider.url))
            .header(name, value)
            .json(&body);
        if path.contains("messages") {
            request = request.header("anthropic-version", "2023-06-01");
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, body) = ask("authorization", "Bearer sk-wrong", "/v1/chat/completions").await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_api_key")));
    let (status, body) = ask("x-nothing", "", "/v1/chat/completions").await;
    assert_eq!((status, &body["error"]["code"]), (401, &Value::Null));
    let (status, body) = ask("x-api-key", "sk-wrong", "/v1/messages").await;
    assert_eq!((status, &body["error"]["type"]), (401, &json!("authentication_error")));
    let (status, _) = ask("x-api-key", "sk-other", "/v1/chat/completions").await;
    assert_eq!(status, 401, "OpenAI does not read Anthropic's header");
    assert_eq!(
        ask("authorization", "Bearer sk-simulated", "/v1/chat/completions")
            .await
            .0,
        200
    );
    assert_eq!(ask("api-key", "sk-other", "/v1/chat/completions").await.0, 200);
    assert_eq!(ask("x-api-key", "sk-other", "/v1/messages").await.0, 200);
    let ledger = provider.ledger().await;
    assert_eq!(ledger["attempts"], json!({"blue": 1, "red": 2, "refused": 4}));
    assert_eq!(ledger["errors_by_status"], json!({"401": 4}));
    assert_eq!(
        ledger["credentials"]["red"]["claude-haiku-4-5"]["settled"]["requests"],
        1
    );
}

#[tokio::test]
async fn exactly_the_limit_passes_and_the_headers_say_so() {
    let provider = start(&["--rpm", "2"]).await;
    for left in ["1", "0"] {
        let response = provider.post("/v1/chat/completions", "", &chat("gpt-4o")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-ratelimit-limit-requests"], "2");
        assert_eq!(response.headers()["x-ratelimit-remaining-requests"], left);
        assert!(
            response.headers()["x-ratelimit-reset-requests"]
                .to_str()
                .unwrap()
                .ends_with('s')
        );
    }
    let refused = provider.post("/v1/chat/completions", "", &chat("gpt-4o")).await;
    assert_eq!(refused.status(), 429);
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    assert_eq!(body["error"]["type"], "requests");
    assert_eq!(provider.ledger().await["credentials"]["default"]["gpt-4o"]["errors"], 1);
}

#[tokio::test]
async fn anthropic_limits_tokens_with_its_own_headers() {
    let provider = start(&["--tpm", "1500"]).await;
    let ask = async || provider.post("/v1/messages", "", &message("claude-haiku-4-5")).await;
    let first = ask().await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["anthropic-ratelimit-tokens-limit"], "1500");
    assert_eq!(
        first.headers()["anthropic-ratelimit-tokens-remaining"],
        "492",
        "8 in and up to 1,000 out"
    );
    assert!(
        first.headers()["anthropic-ratelimit-tokens-reset"]
            .to_str()
            .unwrap()
            .ends_with('Z')
    );
    let second = ask().await;
    assert_eq!(second.status(), 429);
    assert!(second.headers().contains_key("retry-after"));
    assert_eq!(
        second.json::<Value>().await.unwrap()["error"]["type"],
        "rate_limit_error"
    );
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let provider = start(&["--max-body", "1000"]).await;
    let long = with(chat("gpt-4o"), json!({"user": "x".repeat(1000)}));
    assert_eq!(refused(&provider, "/v1/chat/completions", &long).await.0, 413);
}
