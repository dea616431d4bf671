//! A provider in this process, and a client for it.

use std::time::Duration;

use clap::Parser as _;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tollgate_simulator::{Options, serve};

pub(crate) struct Provider {
    pub(crate) url: String,
    client: reqwest::Client,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts one with these arguments.
pub(crate) async fn start(arguments: &[&str]) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = Options::try_parse_from(["simulator"].iter().chain(arguments)).unwrap();
    let task = tokio::spawn(serve(listener, options).unwrap());
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    Provider { url, client, task }
}

impl Provider {
    /// A request with a credential, steered.
    pub(crate) fn request(&self, method: &str, path: &str, steering: &str) -> RequestBuilder {
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .header("authorization", "Bearer sk-simulated")
            .header("x-simulate", steering)
    }

    pub(crate) async fn post(&self, path: &str, steering: &str, body: &Value) -> Response {
        let mut request = self.request("POST", path, steering).json(body);
        if path.contains("/messages") {
            request = request.header("anthropic-version", "2023-06-01");
        }
        request.send().await.unwrap()
    }

    /// The JSON of a reply that succeeds.
    pub(crate) async fn json(&self, path: &str, steering: &str, body: &Value) -> Value {
        let response = self.post(path, steering, body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        response.json().await.unwrap()
    }

    /// The events of a reply that streams to its end.
    pub(crate) async fn events(&self, path: &str, steering: &str, body: &Value) -> Vec<Event> {
        let response = self.post(path, steering, body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        events(&response.text().await.unwrap())
    }

    /// The books, once no reply is in flight.
    pub(crate) async fn ledger(&self) -> Value {
        loop {
            let ledger: Value = self
                .request("GET", "/ledger", "")
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            if ledger["in_flight"] == 0 {
                return ledger;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The sums over all credentials and models, once no reply is in flight.
    pub(crate) async fn totals(&self) -> Value {
        self.ledger().await["totals"].clone()
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// Reads server-sent events; every byte must belong to one.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let text = text.replace("\r\n", "\n");
    let blocks: Vec<&str> = text.split("\n\n").collect();
    let (last, blocks) = blocks.split_last().unwrap();
    assert_eq!(*last, "", "the stream ends with an event's blank line");
    blocks
        .iter()
        .map(|block| {
            let line = |field: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(field))
                    .map(str::to_owned)
            };
            Event {
                name: line("event: "),
                data: line("data: ").unwrap(),
            }
        })
        .collect()
}

pub(crate) fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Say hi"}]})
}

pub(crate) fn chat_stream(model: &str) -> Value {
    with(
        chat(model),
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    )
}

pub(crate) fn message(model: &str) -> Value {
    json!({"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": "Say hi"}]})
}

pub(crate) fn message_stream(model: &str) -> Value {
    with(message(model), json!({"stream": true}))
}

pub(crate) fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}
