//! Google's endpoints.

use serde_json::{Value, json};

use crate::support::{Event, Provider, start, with};

const FLASH: &str = "/v1beta/models/gemini-2.5-flash";

fn ask() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Say hi"}]}]})
}

async fn generate(provider: &Provider, steering: &str, body: &Value) -> Value {
    provider.json(&format!("{FLASH}:generateContent"), steering, body).await
}

async fn stream(provider: &Provider, steering: &str, body: &Value) -> Vec<Event> {
    let path = format!("{FLASH}:streamGenerateContent?alt=sse");
    provider.events(&path, steering, body).await
}

async fn refused(provider: &Provider, steering: &str, body: &Value) -> Value {
    let response = provider.post(&format!("{FLASH}:generateContent"), steering, body).await;
    assert!(!response.status().is_success());
    response.json::<Value>().await.unwrap()["error"].clone()
}

#[tokio::test]
async fn a_reply_has_the_members_of_the_real_one() {
    let provider = start(&[]).await;
    let reply = generate(&provider, "tokens=5,prompt=100,cached=40,reasoning=7", &ask()).await;
    let candidate = &reply["candidates"][0];
    assert_eq!(candidate["content"]["role"], "model");
    assert_eq!(candidate["content"]["parts"][0]["text"], "A gateway is a small");
    assert_eq!(
        (&candidate["finishReason"], &candidate["index"]),
        (&json!("STOP"), &json!(0))
    );
    assert_eq!(reply["modelVersion"], "gemini-2.5-flash");
    assert_eq!(
        reply["usageMetadata"],
        json!({
            "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 5, "thoughtsTokenCount": 7,
            "totalTokenCount": 112,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        })
    );
    // 60 × $0.3 + 40 × $0.03 + 12 × $2.5, per million
    assert_eq!(
        provider.totals().await["settled"]["nanodollars"],
        60 * 300 + 40 * 30 + 12 * 2_500
    );
}

#[tokio::test]
async fn a_stream_tells_the_usage_with_every_event() {
    let provider = start(&[]).await;
    let shown = json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 100}}});
    let chunks = stream(&provider, "tokens=3,prompt=10,reasoning=2", &with(ask(), shown)).await;
    assert_eq!(chunks.len(), 2 + 3 + 1);
    assert_eq!(
        chunks[0].json()["candidates"][0]["content"]["parts"][0]["thought"],
        true
    );
    assert_eq!(chunks[2].json()["usageMetadata"]["candidatesTokenCount"], 1);
    let last = chunks[5].json();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert!(last["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_string());
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 15);
    assert_eq!(provider.totals().await["settled"]["requests"], 1);
    let hidden = stream(&provider, "tokens=3,reasoning=2", &ask()).await;
    assert_eq!(hidden.len(), 4);
}

#[tokio::test]
async fn without_alt_sse_the_stream_is_one_array() {
    let provider = start(&[]).await;
    let path = format!("{FLASH}:streamGenerateContent");
    let response = provider.post(&path, "tokens=3", &ask()).await;
    assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
    let chunks: Vec<Value> = response.json().await.unwrap();
    assert_eq!(chunks.len(), 4);
    let response = provider.post(&path, "status=503", &ask()).await;
    let errors: Vec<Value> = response.json().await.unwrap();
    assert_eq!(errors[0]["error"]["status"], "UNAVAILABLE");
    let response = provider.post(&path, "error_after=1", &ask()).await;
    let chunks: Vec<Value> = response.json().await.unwrap();
    assert_eq!(chunks[1]["error"]["code"], 503);
}

#[tokio::test]
async fn functions_are_called_and_their_responses_taken_back() {
    let provider = start(&[]).await;
    let tools = json!({
        "tools": [{"functionDeclarations": [
            {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}},
            {"name": "news", "parametersJsonSchema": {"type": "object", "additionalProperties": false}},
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    });
    let body = with(ask(), tools.clone());
    let reply = generate(&provider, "tools=2,reasoning=3", &body).await;
    let said = reply["candidates"][0]["content"].clone();
    assert_eq!(said["parts"][0]["functionCall"]["args"]["city"], "Paris");
    assert_eq!(said["parts"][1]["functionCall"]["name"], "news");
    assert_eq!(reply["candidates"][0]["finishReason"], "STOP");
    let chunks = stream(&provider, "tools=2", &body).await;
    assert_eq!(chunks.len(), 3);
    let respond = |names: &[&str]| {
        let parts: Vec<Value> = names
            .iter()
            .map(|name| json!({"functionResponse": {"name": name, "response": {"output": "rain"}}}))
            .collect();
        let contents = json!([ask()["contents"][0], said, {"role": "user", "parts": parts}]);
        with(json!({"contents": contents}), tools.clone())
    };
    let error = refused(&provider, "", &respond(&["weather"])).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("number of function response parts")
    );
    let reply = generate(&provider, "echo", &respond(&["weather", "news"])).await;
    let text = reply["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap();
    let echo: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        echo["turns"][2]["parts"][1]["result"],
        json!({"name": "news", "failed": false, "content": [{"text": "rain"}]})
    );
    assert_eq!(
        echo["tools"][0]["schema"],
        json!({"type": "object", "properties": {"city": {"type": "string"}}})
    );
    let mut forged = respond(&["weather", "news"]);
    forged["contents"][1]["parts"][0]["functionCall"]["args"]["city"] = json!("Rome");
    let error = refused(&provider, "", &forged).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("Corrupted thought signature")
    );
}

#[tokio::test]
async fn what_is_not_published_is_refused() {
    let provider = start(&[]).await;
    let error = refused(&provider, "", &with(ask(), json!({"temperature": 1}))).await;
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!(400), &json!("INVALID_ARGUMENT"))
    );
    assert_eq!(
        error["message"],
        "Invalid JSON payload received. Unknown name \"temperature\": Cannot find field."
    );
    let declared = json!([{"name": "a", "parameters": {"type": "object", "additionalProperties": false}}]);
    let tools = json!({"tools": [{"function_declarations": declared}]});
    let error = refused(&provider, "", &with(ask(), tools)).await;
    assert_eq!(
        error["message"],
        "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters': Cannot find field."
    );
    for (body, message) in [
        (json!({"contents": []}), "contents is not specified"),
        (json!({"contents": [{"parts": []}]}), "must not be empty"),
        (json!({"contents": [{"parts": [{}]}]}), "required oneof field 'data'"),
        (
            json!({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}),
            "TYPE_ENUM",
        ),
        (
            with(ask(), json!({"generationConfig": {"temperature": 2.5}})),
            "out of range",
        ),
        (
            with(ask(), json!({"generationConfig": {"topK": "a"}})),
            "'generation_config.top_k' (TYPE_FLOAT)",
        ),
    ] {
        let error = refused(&provider, "", &body).await;
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
    let error = refused(&provider, "status=429,retry_after=9", &ask()).await;
    assert_eq!(error["status"], "RESOURCE_EXHAUSTED");
    let details = error["details"].as_array().unwrap();
    assert!(details.iter().any(|detail| detail["retryDelay"] == "9s"));
    let unknown = provider
        .post("/v1beta/models/gemini-9:generateContent", "", &ask())
        .await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn a_prompt_that_is_blocked_or_too_long() {
    let provider = start(&[]).await;
    let blocked = generate(&provider, "filtered", &ask()).await;
    assert_eq!(blocked["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert!(blocked.get("candidates").is_none());
    let error = refused(&provider, "prompt=11,context=10", &ask()).await;
    assert_eq!(
        error["message"],
        "The input token count (11) exceeds the maximum number of tokens allowed (10)."
    );
    let cut = generate(&provider, "finish=content_filter", &ask()).await;
    assert_eq!(cut["candidates"][0]["finishReason"], "SAFETY");
}

#[tokio::test]
async fn contents_are_embedded_and_tokens_counted() {
    let provider = start(&[]).await;
    let path = "/v1beta/models/gemini-embedding-001";
    let content = json!({"content": {"parts": [{"text": "hi"}]}, "outputDimensionality": 8});
    let one = provider
        .json(&format!("{path}:embedContent"), "prompt=3", &content)
        .await;
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 8);
    assert_eq!(one["usageMetadata"]["promptTokenCount"], 3);
    let request = with(content, json!({"model": "models/gemini-embedding-001"}));
    let batch = json!({"requests": [request, request]});
    let many = provider.json(&format!("{path}:batchEmbedContents"), "", &batch).await;
    assert_eq!(many["embeddings"].as_array().unwrap().len(), 2);
    let counted = provider.json(&format!("{FLASH}:countTokens"), "prompt=8", &ask()).await;
    assert_eq!(counted["totalTokens"], 8);
    assert_eq!(provider.totals().await["settled"]["requests"], 2);
}

#[tokio::test]
async fn keys_are_googles_and_vertex_is_served_too() {
    let provider = start(&["--credential", "blue=AIza-simulated"]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = async |path: &str, name: &str, value: &str| {
        let request = client
            .post(format!("{}{path}", provider.url))
            .header(name, value)
            .json(&ask());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let path = format!("{FLASH}:generateContent");
    assert_eq!(asked(&path, "x-goog-api-key", "AIza-simulated").await.0, 200);
    assert_eq!(asked(&format!("{path}?key=AIza-simulated"), "x-a", "b").await.0, 200);
    let (status, body) = asked(&path, "x-goog-api-key", "wrong").await;
    assert!(status == 400 && body.contains("API_KEY_INVALID"), "{body}");
    assert_eq!(asked(&path, "x-a", "b").await.0, 403);
    let vertex = "/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-pro:generateContent";
    let (status, body) = asked(vertex, "authorization", "Bearer AIza-simulated").await;
    assert!(status == 200 && body.contains("ON_DEMAND"), "{body}");
    assert_eq!(asked(vertex, "authorization", "Bearer wrong").await.0, 401);
}
