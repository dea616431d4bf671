//! The ledger against bills worked out by hand.

use serde_json::json;

use crate::support::{chat, chat_stream, message, message_stream, start, with};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn whole_replies_are_settled_at_list_prices() {
    let provider = start(&[]).await;
    // (100 − 40) × $2.5 + 40 × $1.25 + (5 + 7) × $10, per million
    provider
        .json(CHAT, "prompt=100,cached=40,tokens=5,reasoning=7", &chat("gpt-4o"))
        .await;
    provider
        .events(
            CHAT,
            "prompt=100,cached=40,tokens=5,reasoning=7",
            &chat_stream("gpt-4o"),
        )
        .await;
    let gpt = 150_000 + 50_000 + 120_000;
    // 10 × $1 + 40 × $0.1 + 20 × $1.25 + 3 × $2 + 5 × $5, per million
    let steering = "prompt=10,cached=40,cache_write_5m=20,cache_write_1h=3,tokens=5";
    provider
        .json("/v1/messages", steering, &message("claude-haiku-4-5"))
        .await;
    provider
        .events("/v1/messages", steering, &message_stream("claude-haiku-4-5"))
        .await;
    let claude = 10_000 + 4_000 + 25_000 + 6_000 + 25_000;
    // 20 × $2.5 + 10 × $32 + 6 × $10 + 30 × $64, per million
    provider
        .json(CHAT, "prompt=30,audio_in=10,tokens=6,audio_out=30", &chat("gpt-audio"))
        .await;
    let audio = 50_000 + 320_000 + 60_000 + 1_920_000;

    let ledger = provider.ledger().await;
    let account = |model: &str| ledger["credentials"]["default"][model]["settled"].clone();
    assert_eq!(account("gpt-4o")["nanodollars"], 2 * gpt);
    assert_eq!(
        account("gpt-4o")["tokens"],
        json!({
            "input": 120, "cached_input": 80, "cache_write_5m": 0, "cache_write_1h": 0, "input_audio": 0,
            "output": 10, "reasoning": 14, "output_audio": 0,
        })
    );
    assert_eq!(account("claude-haiku-4-5")["nanodollars"], 2 * claude);
    assert_eq!(account("gpt-audio")["nanodollars"], audio);
    assert_eq!(ledger["totals"]["settled"]["nanodollars"], 2 * gpt + 2 * claude + audio);
    assert_eq!(ledger["totals"]["settled"]["requests"], 5);
    assert_eq!(ledger["requests"], 5);
}

#[tokio::test]
async fn tiers_by_prompt_size_and_by_service_apply() {
    let provider = start(&[]).await;
    // 200,001 tokens of prompt: everything at the higher rates, $6, $0.6 and $22.5
    provider
        .json(
            "/v1/messages",
            "prompt=100001,cached=100000,tokens=2",
            &message("claude-sonnet-4-5"),
        )
        .await;
    assert_eq!(
        provider.totals().await["settled"]["nanodollars"],
        600_006_000_u64 + 60_000_000 + 45_000
    );
    provider.request("POST", "/ledger/reset", "").send().await.unwrap();
    // 3 × $0.0625 is 187.5 nanodollars: half up
    provider
        .json(
            CHAT,
            "prompt=3,cached=3,tokens=0",
            &with(chat("gpt-5"), json!({"service_tier": "flex"})),
        )
        .await;
    assert_eq!(provider.totals().await["settled"]["nanodollars"], 188);
}

#[tokio::test]
async fn a_stream_without_usage_is_billed_but_unreported() {
    let provider = start(&[]).await;
    provider
        .events(
            CHAT,
            "prompt=10,tokens=5",
            &with(chat("gpt-4o"), json!({"stream": true})),
        )
        .await;
    provider
        .json(
            "/v1/messages",
            "prompt=10,tokens=5,no_usage",
            &message("claude-haiku-4-5"),
        )
        .await;
    let totals = provider.totals().await;
    assert_eq!(totals["unreported"]["requests"], 2);
    assert_eq!(
        totals["unreported"]["nanodollars"],
        (25_000 + 50_000) + (10_000 + 25_000)
    );
    assert_eq!(totals["settled"]["requests"], 0);
    assert_eq!(totals["billed_nanodollars"], 110_000);
}

#[tokio::test]
async fn a_cut_stream_bills_what_was_made_and_remembers_what_was_told() {
    let provider = start(&[]).await;
    // The role and three tokens: 10 × $2.5 + 3 × $10; nothing of it was told.
    let cut = provider
        .post(CHAT, "prompt=10,tokens=9,cut_after=4", &chat_stream("gpt-4o"))
        .await;
    assert!(cut.text().await.is_err());
    let totals = provider.totals().await;
    assert_eq!(totals["interrupted"]["generated"]["nanodollars"], 25_000 + 30_000);
    assert_eq!(totals["interrupted"]["generated"]["tokens"]["output"], 3);
    assert_eq!(totals["interrupted"]["reported"]["requests"], 0);
    provider.request("POST", "/ledger/reset", "").send().await.unwrap();

    // Start, block, ping and four tokens; the start told of the prompt and of one token.
    let steering = "prompt=10,cached=30,tokens=9,cut_after=7";
    let cut = provider
        .post("/v1/messages", steering, &message_stream("claude-haiku-4-5"))
        .await;
    assert!(cut.text().await.is_err());
    let totals = provider.totals().await;
    assert_eq!(
        totals["interrupted"]["generated"]["nanodollars"],
        10_000 + 3_000 + 20_000
    );
    assert_eq!(totals["interrupted"]["reported"]["nanodollars"], 10_000 + 3_000 + 5_000);
    assert_eq!(totals["interrupted"]["reported"]["tokens"]["output"], 1);
    assert_eq!(totals["billed_nanodollars"], 33_000);
    assert_eq!(totals["settled"]["requests"], 0);
}

#[tokio::test]
async fn a_cut_after_the_final_usage_is_settled() {
    let provider = start(&[]).await;
    // Role, two tokens, finish, usage: only the end mark is missing.
    let cut = provider
        .post(CHAT, "prompt=10,tokens=2,cut_after=5", &chat_stream("gpt-4o"))
        .await;
    assert!(cut.text().await.is_err());
    let cut = provider
        .post(CHAT, "prompt=10,tokens=2,cut_after=4", &chat_stream("gpt-4o"))
        .await;
    assert!(cut.text().await.is_err());
    let totals = provider.totals().await;
    assert_eq!(
        (&totals["settled"]["requests"], &totals["interrupted"]["requests"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(totals["settled"]["nanodollars"], 45_000);
    assert_eq!(totals["interrupted"]["generated"]["nanodollars"], 45_000);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_billed_what_was_made_until_then() {
    let provider = start(&[]).await;
    let mut stream = provider
        .post(
            "/v1/messages",
            "prompt=10,tokens=900,rate=200",
            &message_stream("claude-haiku-4-5"),
        )
        .await;
    for _ in 0..3 {
        stream.chunk().await.unwrap();
    }
    drop(stream);
    let slow = provider
        .request("POST", CHAT, "prompt=10,tokens=900,rate=200")
        .json(&chat("gpt-4o"));
    assert!(
        slow.timeout(std::time::Duration::from_millis(100))
            .send()
            .await
            .is_err()
    );
    let totals = provider.totals().await;
    assert_eq!(totals["interrupted"]["requests"], 2);
    assert_eq!(totals["interrupted"]["reported"]["nanodollars"], 10_000 + 5_000);
    let output = totals["interrupted"]["generated"]["tokens"]["output"].as_u64().unwrap();
    assert!((3..900).contains(&output), "{output}");
}

#[tokio::test]
async fn errors_cost_nothing_even_with_status_200() {
    let provider = start(&[]).await;
    provider.events(CHAT, "error_first", &chat_stream("gpt-4o")).await;
    provider.json(CHAT, "error_body", &chat("gpt-4o")).await;
    provider.post(CHAT, "status=500", &chat("gpt-4o")).await;
    let totals = provider.totals().await;
    assert_eq!(
        (&totals["errors"], &totals["billed_nanodollars"]),
        (&json!(3), &json!(0))
    );
    // An error half-way is another matter: 10 × $2.5 + 1 × $10 were used.
    provider
        .events(CHAT, "prompt=10,error_after=2", &chat_stream("gpt-4o"))
        .await;
    assert_eq!(
        provider.totals().await["interrupted"]["generated"]["nanodollars"],
        35_000
    );
}

#[tokio::test]
async fn a_model_without_a_price_is_counted_as_such() {
    let provider = start(&["--model", "brand-new"]).await;
    provider.json(CHAT, "prompt=10,tokens=5", &chat("brand-new")).await;
    let totals = provider.totals().await;
    assert_eq!(
        (&totals["unpriced_requests"], &totals["billed_nanodollars"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(totals["settled"]["tokens"]["output"], 5);
}

#[tokio::test]
async fn a_leaked_virtual_key_is_noticed_once_for_each_request() {
    let provider = start(&[]).await;
    let key = "tg-0123456789012345678901234567890123456789012";
    provider
        .request("POST", CHAT, "")
        .header("x-forwarded-key", key)
        .json(&chat("gpt-4o"))
        .send()
        .await
        .unwrap();
    let both = with(chat("gpt-4o"), json!({"user": key}));
    provider
        .request("POST", CHAT, "")
        .header("x-api-key", key)
        .json(&both)
        .send()
        .await
        .unwrap();
    provider.json(CHAT, "", &both).await;
    provider.json(CHAT, "", &chat("gpt-4o")).await;
    assert_eq!(provider.ledger().await["leaked_virtual_keys"], 3);
}

#[tokio::test]
async fn paths_are_counted_and_a_reset_forgets_everything() {
    let provider = start(&[]).await;
    provider.json(CHAT, "", &chat("gpt-4o")).await;
    provider.request("GET", "/v1/models", "").send().await.unwrap();
    let ledger = provider.ledger().await;
    assert_eq!(ledger["paths"], json!({CHAT: 1, "/v1/models": 1}));
    assert_eq!(ledger["attempts"], json!({"default": 2}));
    provider.request("POST", "/ledger/reset", "").send().await.unwrap();
    let ledger = provider.ledger().await;
    assert_eq!((&ledger["requests"], &ledger["credentials"]), (&json!(0), &json!({})));
}

#[tokio::test]
async fn many_requests_at_once_are_all_in_the_books() {
    let provider = std::sync::Arc::new(start(&[]).await);
    let agents = (0..20).map(|agent: u64| {
        let provider = provider.clone();
        tokio::spawn(async move {
            for n in 1..=20 {
                let steering = format!("prompt={},tokens={n}", 100 * agent);
                provider.events(CHAT, &steering, &chat_stream("gpt-4o-mini")).await;
            }
        })
    });
    for agent in agents.collect::<Vec<_>>() {
        agent.await.unwrap();
    }
    let totals = provider.totals().await;
    // Σ prompts is 100 × 190 × 20, Σ answers 20 × 210; $0.15 and $0.6 per million
    assert_eq!(totals["settled"]["nanodollars"], 100 * 190 * 20 * 150 + 20 * 210 * 600);
    assert_eq!(totals["settled"]["requests"], 400);
}
