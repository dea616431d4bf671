//! A bad day, as its clients see it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Provider, chat, message, start};

const CHAT: &str = "/v1/chat/completions";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const NOVA: &str = "/model/amazon.nova-lite-v1:0/converse";

async fn forecast(provider: &Provider, forecast: Value) -> Value {
    let response = provider
        .request("POST", "/weather", "")
        .json(&forecast)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// The status of a new request, or what its connection came to.
async fn asked(provider: &Provider) -> Result<u16, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(format!("{}{CHAT}", provider.url))
        .bearer_auth("a")
        .json(&chat("gpt-4o"));
    request.send().await.map(|response| response.status().as_u16())
}

fn gemini() -> Value {
    json!({"contents": [{"parts": [{"text": "Say hi"}]}]})
}

fn nova() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "Say hi"}]}]})
}

#[tokio::test]
async fn an_outage_begins_and_ends() {
    let provider = start(&[]).await;
    let report = forecast(&provider, json!({"outage": "503", "for_ms": 150})).await;
    assert_eq!(report["outage_now"], true);
    assert_eq!(asked(&provider).await.unwrap(), 503);
    sleep(Duration::from_millis(160)).await;
    assert_eq!(asked(&provider).await.unwrap(), 200);
    forecast(&provider, json!({"outage": "529", "only": {"dialect": "anthropic"}})).await;
    assert_eq!(asked(&provider).await.unwrap(), 200);
    assert_eq!(
        provider
            .post("/v1/messages", "", &message("claude-haiku-4-5"))
            .await
            .status(),
        529
    );
    forecast(&provider, json!({})).await;
    assert_eq!(
        provider
            .post("/v1/messages", "", &message("claude-haiku-4-5"))
            .await
            .status(),
        200
    );
    let ledger = provider.ledger().await;
    assert_eq!(ledger["answers"]["default"], json!({"200": 3, "503": 1, "529": 1}));
    let refused = provider
        .request("POST", "/weather", "")
        .json(&json!({"outage": "rain"}));
    assert_eq!(refused.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn connections_are_reset_or_hang_or_are_refused() {
    let provider = start(&[]).await;
    forecast(&provider, json!({"outage": "reset"})).await;
    let error = asked(&provider).await.unwrap_err();
    assert!(
        error.is_request() && format!("{error:?}").contains("ConnectionReset"),
        "{error:?}"
    );
    forecast(&provider, json!({"outage": "hang"})).await;
    assert!(timeout(Duration::from_millis(50), asked(&provider)).await.is_err());
    forecast(&provider, json!({"outage": "refuse", "for_ms": 200})).await;
    let begun = Instant::now();
    sleep(Duration::from_millis(30)).await;
    let error = asked(&provider).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    while asked(&provider).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(190));
    let ledger = provider.ledger().await;
    assert_eq!(ledger["answers"]["default"]["reset"], 1);
    assert_eq!(ledger["answers"]["default"]["hang"], 1);
}

#[tokio::test]
async fn a_share_of_the_requests_is_slow_or_fails() {
    let provider = start(&[]).await;
    let day = json!({"slow": {"percent": 50, "ttft_ms": 80}, "flaky": {"500": 25}});
    forecast(&provider, day).await;
    let (mut slow, mut failed) = (0, 0);
    for _ in 0..8 {
        let begun = Instant::now();
        let status = asked(&provider).await.unwrap();
        failed += u64::from(status == 500);
        slow += u64::from(begun.elapsed() >= Duration::from_millis(80));
    }
    assert_eq!(failed, 2);
    assert!((2..=4).contains(&slow), "{slow}");
}

#[tokio::test]
async fn a_quota_that_is_set_at_run_time_is_told_in_each_providers_way() {
    let provider = start(&[]).await;
    forecast(&provider, json!({"rpm": 4})).await;
    let haiku = message("claude-haiku-4-5");
    let calls = [
        (CHAT, chat("gpt-4o")),
        ("/v1/messages", haiku.clone()),
        (GEMINI, gemini()),
        (NOVA, nova()),
    ];
    for (path, body) in &calls {
        assert_eq!(provider.post(path, "", body).await.status(), 200);
    }
    let [openai, anthropic, google, amazon] = calls;
    let refused = provider.post(openai.0, "", &openai.1).await;
    assert_eq!(refused.status(), 429);
    let headers = refused.headers();
    assert_eq!(headers["x-ratelimit-limit-requests"], "4");
    assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
    assert!(headers.contains_key("retry-after") && headers.contains_key("retry-after-ms"));
    let refused = provider.post(anthropic.0, "", &anthropic.1).await;
    assert_eq!(refused.headers()["anthropic-ratelimit-requests-limit"], "4");
    assert!(refused.headers().contains_key("retry-after"));
    let refused = provider.post(google.0, "", &google.1).await;
    assert!(!refused.headers().contains_key("retry-after"));
    let body: Value = refused.json().await.unwrap();
    let details = body["error"]["details"].as_array().unwrap();
    assert!(
        details
            .iter()
            .any(|detail| detail["retryDelay"].as_str().is_some_and(|delay| delay.ends_with('s')))
    );
    let refused = provider.post(amazon.0, "", &amazon.1).await;
    let kind = refused.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("ThrottlingException"), "{kind}");
    forecast(&provider, json!({})).await;
    let allowed = provider.post("/v1/messages", "", &haiku).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["anthropic-ratelimit-requests-limit"], "10000000");
}
