//! A provider for benchmarks: the same two answers over and over, on one thread.
//!
//! In: HTTP/1.1 requests with a `content-length` or in chunks. Out: a JSON chat completion of [`JSON_BYTES`] bytes or, when the body
//! asks for a stream, [`EVENTS`] server-sent events (the last one with usage) and `[DONE]`, each in a write of its own. The
//! request header `x-pause-us` puts that pause between two of them. It knows nothing else of HTTP, and checks nothing.

use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// The length of the JSON answer's body.
const JSON_BYTES: usize = 746;
/// Events of a stream before `[DONE]`.
const EVENTS: usize = 101;
/// Longer requests are not what this measures.
const MOST: usize = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let answers = Rc::new(Answers::new());
    let local = LocalSet::new();
    local.run_until(accept(listener, answers)).await
}

async fn accept(listener: TcpListener, answers: Rc<Answers>) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let answers = Rc::clone(&answers);
        // A connection that breaks is the peer's business.
        tokio::task::spawn_local(async move { converse(connection, &answers).await });
    }
}

/// Both answers, as they go over the wire.
struct Answers {
    json: Vec<u8>,
    stream_head: &'static [u8],
    stream: Vec<Vec<u8>>,
}

impl Answers {
    fn new() -> Self {
        Self {
            json: json(),
            stream_head: STREAM_HEAD,
            stream: events().iter().map(|event| chunk(event)).collect(),
        }
    }
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\nx-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n";

fn json() -> Vec<u8> {
    let body = |text: &str| {
        format!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":212,"completion_tokens":24,"total_tokens":236,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_bench"}}"#
        )
    };
    let padding = JSON_BYTES.saturating_sub(body("").len());
    let body = body(&"An answer. ".chars().cycle().take(padding).collect::<String>());
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn events() -> Vec<String> {
    let event = |rest: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\
             \"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",{rest}}}\n\n"
        )
    };
    let choice = |delta: &str, finish: &str| {
        let choices = r#""choices":[{"index":0,"delta":DELTA,"logprobs":null,"finish_reason":FINISH}],"usage":null"#;
        event(&choices.replace("DELTA", delta).replace("FINISH", finish))
    };
    let words = (0..EVENTS - 3).map(|_| choice(r#"{"content":" word"}"#, "null"));
    let usage = r#""choices":[],"usage":{"prompt_tokens":212,"completion_tokens":98,"total_tokens":310,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}"#;
    std::iter::once(choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null"))
        .chain(words)
        .chain([choice("{}", r#""stop""#), event(usage), "data: [DONE]\n\n".to_owned()])
        .collect()
}

fn chunk(event: &str) -> Vec<u8> {
    let mut framed = String::new();
    // Writing to a string does not fail.
    let _ = write!(framed, "{:x}\r\n{event}\r\n", event.len());
    framed.into_bytes()
}

/// Answers every request of one connection.
async fn converse(mut connection: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut received = Vec::with_capacity(4096);
    loop {
        let Some(request) = Request::read(&mut connection, &mut received).await? else {
            return Ok(());
        };
        if !request.streams {
            connection.write_all(&answers.json).await?;
            continue;
        }
        connection.write_all(answers.stream_head).await?;
        for event in &answers.stream {
            match request.pause {
                Some(pause) => tokio::time::sleep(pause).await,
                // The other connections get their turn between two events, as they would from a real model.
                None => tokio::task::yield_now().await,
            }
            connection.write_all(event).await?;
        }
        connection.write_all(b"0\r\n\r\n").await?;
    }
}

const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// What matters of a request.
struct Request {
    streams: bool,
    pause: Option<Duration>,
}

impl Request {
    /// The next request, taken out of `received`; none when the connection ended.
    async fn read(connection: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Self>> {
        loop {
            if let Some((request, length)) = Self::find(received) {
                received.drain(..length);
                return Ok(Some(request));
            }
            if received.len() > MOST || connection.read_buf(received).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn find(received: &[u8]) -> Option<(Self, usize)> {
        let head = memmem::find(received, b"\r\n\r\n")? + 4;
        let (headers, rest) = received.split_at(head);
        // A chunked body ends with an empty chunk, which no JSON has in it.
        let length = match memmem::find(headers, b"transfer-encoding: chunked") {
            Some(_) => memmem::find(rest, LAST_CHUNK)? + LAST_CHUNK.len(),
            None => number(headers, b"content-length:").unwrap_or(0),
        };
        let body = rest.get(..length)?;
        let pause = number(headers, b"x-pause-us:").filter(|pause| *pause > 0);
        let request = Self {
            streams: memmem::find(body, br#""stream":true"#).is_some(),
            pause: pause.map(|pause| Duration::from_micros(pause as u64)),
        };
        Some((request, head + body.len()))
    }
}

/// The number in a header; Envoy sends names in lower case.
fn number(headers: &[u8], name: &[u8]) -> Option<usize> {
    let value = headers.get(memmem::find(headers, name)? + name.len()..)?;
    let digits: Vec<u8> = value
        .iter()
        .copied()
        .skip_while(|byte| *byte == b' ')
        .take_while(u8::is_ascii_digit)
        .collect();
    String::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_are_as_large_as_they_say() {
        let answer = String::from_utf8(json()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), JSON_BYTES);
        assert!(head.contains("content-length: 746"));
        assert_eq!(events().len(), EVENTS + 1);
    }

    #[test]
    fn a_request_is_found_once_its_body_is_whole() {
        let whole = b"POST / HTTP/1.1\r\ncontent-length: 15\r\nx-pause-us: 20\r\n\r\n{\"stream\":true}GET";
        assert!(Request::find(&whole[..60]).is_none());
        let (request, length) = Request::find(whole).unwrap();
        assert!(request.streams);
        assert_eq!(request.pause, Some(Duration::from_micros(20)));
        assert_eq!(&whole[length..], b"GET");
    }

    #[test]
    fn a_request_in_chunks_is_found_once_the_last_is_there() {
        let whole = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{\"stream\":true}\r\n0\r\n\r\nGET";
        assert!(Request::find(&whole[..whole.len() - 5]).is_none());
        let (request, length) = Request::find(whole).unwrap();
        assert!(request.streams);
        assert_eq!(&whole[length..], b"GET");
    }
}
