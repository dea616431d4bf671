//! Every knob, as it shows on the wire.

use std::io::Read as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Provider, chat, chat_stream, events, message, message_stream, start, with};

const CHAT: &str = "/v1/chat/completions";

/// What arrives until the connection or the reply breaks off, and whether it did.
async fn until_broken(provider: &Provider, path: &str, steering: &str, body: &Value) -> (String, bool) {
    let mut response = provider.post(path, steering, body).await;
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => return (String::from_utf8(text).unwrap(), false),
            Err(_) => return (String::from_utf8(text).unwrap(), true),
        }
    }
}

/// The chunks of the body as they were written, by HTTP's own chunk lengths.
async fn chunks(provider: &Provider, steering: &str, body: &Value) -> Vec<Vec<u8>> {
    let mut socket = TcpStream::connect(provider.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\nconnection: close\r\nx-simulate: {steering}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    socket.read_to_end(&mut all).await.unwrap();
    let at = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (mut rest, mut chunks) = (&all[at..], Vec::new());
    loop {
        let line = rest.iter().position(|byte| *byte == b'\r').unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return chunks;
        }
        chunks.push(rest[line + 2..line + 2 + size].to_vec());
        rest = &rest[line + 2 + size + 2..];
    }
}

#[tokio::test]
async fn every_status_comes_in_the_providers_shape() {
    let provider = start(&[]).await;
    for (status, kind) in [
        (400, "invalid_request_error"),
        (429, "requests"),
        (500, "server_error"),
        (503, "server_error"),
    ] {
        let response = provider
            .post(CHAT, &format!("status={status},retry_after=7"), &chat("gpt-4o"))
            .await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["retry-after"], "7");
        assert!(response.headers().contains_key("x-request-id"));
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["type"], kind);
    }
    for (status, kind) in [
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ] {
        let response = provider
            .post(
                "/v1/messages",
                &format!("status={status}"),
                &message("claude-haiku-4-5"),
            )
            .await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().contains_key("retry-after"), status == 429);
        assert!(response.headers().contains_key("request-id"));
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["type"], kind);
    }
    let ledger = provider.ledger().await;
    assert_eq!(ledger["credentials"]["default"]["gpt-4o"]["errors"], 4);
    assert_eq!(ledger["errors_by_status"]["429"], 2);
}

#[tokio::test]
async fn a_knob_nobody_knows_is_refused() {
    let provider = start(&[]).await;
    let response = provider.post(CHAT, "tokns=4", &chat("gpt-4o")).await;
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("tokns=4"));
}

#[tokio::test]
async fn the_command_line_sets_defaults_and_serves_below_a_path() {
    let provider = start(&["--simulate", "tokens=3", "--base-path", "/openai/api/"]).await;
    let reply = provider
        .json("/openai/api/v1/chat/completions", "", &chat("gpt-4o"))
        .await;
    assert_eq!(reply["usage"]["completion_tokens"], 3);
    let reply = provider.json(CHAT, "tokens=4", &chat("gpt-4o")).await;
    assert_eq!(reply["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn a_cut_comes_after_exactly_so_many_events() {
    let provider = start(&[]).await;
    for n in [0, 1, 5] {
        for mode in ["event", "whole", "awkward"] {
            let (text, broken) = until_broken(
                &provider,
                CHAT,
                &format!("cut_after={n},chunks={mode}"),
                &chat_stream("gpt-4o"),
            )
            .await;
            assert!(broken, "{mode}");
            assert_eq!(text.matches("\n\n").count(), n, "{mode}");
        }
    }
    let (text, broken) = until_broken(&provider, CHAT, "cut_after=0", &chat("gpt-4o")).await;
    assert!(
        broken && text.len() > 100 && !text.ends_with('}'),
        "half of a JSON body: {text}"
    );
}

#[tokio::test]
async fn errors_in_a_stream_that_began_well() {
    let provider = start(&[]).await;
    let first = provider.events(CHAT, "error_first", &chat_stream("gpt-4o")).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].json()["error"]["type"], "server_error");
    let later = provider
        .events("/v1/messages", "error_after=4", &message_stream("claude-haiku-4-5"))
        .await;
    assert_eq!(later.len(), 5);
    assert_eq!(later[4].name.as_deref(), Some("error"));
    assert_eq!(later[4].json()["error"]["type"], "overloaded_error");
    for steering in ["error_body", "error_first"] {
        let body = provider.json(CHAT, steering, &chat("gpt-4o")).await;
        assert_eq!(body["error"]["type"], "server_error");
    }
    let body = provider
        .json("/v1/messages", "error_body", &message_stream("claude-haiku-4-5"))
        .await;
    assert_eq!(body["type"], "error");
}

#[tokio::test]
async fn hanging_and_dropping() {
    let provider = start(&[]).await;
    let pause = Duration::from_millis(100);
    let body = chat_stream("gpt-4o");
    let silent = provider
        .request("POST", CHAT, "hang")
        .json(&body)
        .timeout(pause)
        .send()
        .await;
    assert!(silent.unwrap_err().is_timeout());
    let dropped = provider.request("POST", CHAT, "drop").json(&body).send().await;
    assert!(!dropped.unwrap_err().is_timeout());

    let mut response = provider.post(CHAT, "hang_after=3", &body).await;
    let mut text = String::new();
    while text.matches("\n\n").count() < 3 {
        text += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(
        tokio::time::timeout(pause, response.chunk()).await.is_err(),
        "nothing more comes"
    );
    drop(response);
    assert_eq!(provider.totals().await["interrupted"]["requests"], 1);
}

#[tokio::test]
async fn flaky_requests_fail_evenly() {
    let provider = start(&[]).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(provider.post(CHAT, "flaky=25", &chat("gpt-4o")).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 503, 200, 200, 200, 503]);
}

#[tokio::test]
async fn a_reply_is_written_as_asked() {
    let provider = start(&[]).await;
    let body = chat_stream("gpt-4o");
    let texts = |chunks: &[Vec<u8>]| String::from_utf8(chunks.concat()).unwrap();
    let each = chunks(&provider, "tokens=20,text=unicode", &body).await;
    assert!(
        each.iter()
            .all(|chunk| chunk.starts_with(b"data: ") && chunk.ends_with(b"\n\n"))
    );
    let count = events(&texts(&each)).len();
    assert_eq!(each.len(), count);

    let whole = chunks(&provider, "tokens=20,text=unicode,chunks=whole", &body).await;
    assert_eq!((whole.len(), events(&texts(&whole)).len()), (1, count));

    let awkward = chunks(&provider, "tokens=20,text=unicode,chunks=awkward,crlf", &body).await;
    assert!(awkward.iter().any(|chunk| chunk.ends_with(b"da")));
    assert!(awkward.iter().any(|chunk| std::str::from_utf8(chunk).is_err()));
    assert!(awkward.iter().filter(|chunk| chunk.ends_with(b"\r\n\r\n")).count() <= 1);
    assert!(texts(&awkward).contains("\r\n\r\n") && !texts(&awkward).replace("\r\n", "").contains('\n'));
    assert_eq!(events(&texts(&awkward)).len(), count);

    let bytes = chunks(&provider, "tokens=2,chunks=bytes", &body).await;
    assert!(bytes.iter().all(|chunk| chunk.len() == 1));
}

#[tokio::test]
async fn time_passes_as_asked() {
    let provider = start(&[]).await;
    for body in [chat("gpt-4o"), chat_stream("gpt-4o")] {
        let began = Instant::now();
        provider
            .post(CHAT, "ttft_ms=100,rate=100,tokens=10,reasoning=5", &body)
            .await
            .text()
            .await
            .unwrap();
        assert!(began.elapsed() >= Duration::from_millis(100 + 150));
    }
}

#[tokio::test]
async fn compression_is_for_those_who_accept_it() {
    let provider = start(&[]).await;
    for (path, body) in [(CHAT, chat("gpt-4o")), (CHAT, chat_stream("gpt-4o"))] {
        let plain = provider.post(path, "gzip", &body).await;
        assert!(!plain.headers().contains_key("content-encoding"));
        let packed = provider
            .request("POST", path, "gzip")
            .header("accept-encoding", "br, gzip")
            .json(&body);
        let packed = packed.send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let bytes = packed.bytes().await.unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.len(), plain.text().await.unwrap().len());
    }
    assert_eq!(provider.totals().await["settled"]["requests"], 4);
}

#[tokio::test]
async fn the_reply_may_lack_usage_name_another_model_and_tier() {
    let provider = start(&[]).await;
    let reply = provider
        .json(CHAT, "no_usage,reply_model=gpt-4o-2024-08-06", &chat("gpt-4o"))
        .await;
    assert!(reply.get("usage").is_none());
    assert_eq!(reply["model"], "gpt-4o-2024-08-06");
    for (path, body) in [
        (CHAT, chat_stream("gpt-4o")),
        ("/v1/messages", message_stream("claude-haiku-4-5")),
        ("/v1/messages", message("claude-haiku-4-5")),
    ] {
        let text = provider.post(path, "no_usage", &body).await.text().await.unwrap();
        assert!(!text.contains("usage") && !text.contains("input_tokens"), "{text}");
    }
    let reply = provider
        .json(CHAT, "", &with(chat("gpt-5"), json!({"service_tier": "flex"})))
        .await;
    assert_eq!(reply["service_tier"], "flex");
    let reply = provider.json(CHAT, "service_tier=priority", &chat("gpt-5")).await;
    assert_eq!(reply["service_tier"], "priority");
    let reply = provider
        .json(CHAT, "", &with(chat("gpt-5"), json!({"service_tier": "auto"})))
        .await;
    assert_eq!(reply["service_tier"], "default");
}
