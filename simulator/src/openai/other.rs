//! Images, transcriptions, moderations and rerank: small, but with the usage the real ones report.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::completions::input_tokens;
use super::{refuse_empty, reply_model};
use crate::answering::Answering;
use crate::call::{Admitted, Call, Reply};
use crate::errors::Problem;
use crate::json::{Object, Written, object};
use crate::ledger::{Charged, Produced};
use crate::prices::Tokens;
use crate::stream::{Pace, Script, Tells};

/// The smallest PNG there is.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// `POST /v1/images/generations`: the output is image tokens, by quality.
pub async fn images(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose_images(&mut call, &body);
    call.answer(composed).await
}

fn compose_images(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    #[derive(Deserialize)]
    struct Ask {
        model: Option<String>,
        #[serde(default)]
        prompt: String,
        n: Option<u64>,
        quality: Option<String>,
    }
    let ask: Ask = call.parse(body)?;
    let charged = call.model(Some(ask.model.as_deref().unwrap_or("gpt-image-1")))?;
    if ask.prompt.is_empty() {
        return Err(Problem::invalid_member(
            "prompt",
            "Missing required parameter: 'prompt'.",
        ));
    }
    let quality = ask
        .quality
        .as_deref()
        .filter(|q| matches!(*q, "low" | "medium"))
        .unwrap_or("high");
    // What OpenAI documents for a square image.
    let each = match quality {
        "low" => 272,
        "medium" => 1056,
        _ => 4160,
    };
    let n = ask.n.unwrap_or(1).clamp(1, 10);
    let counted = call.app.texts.count(&ask.prompt);
    let tokens = Tokens {
        input: call.steering.prompt.unwrap_or(counted),
        output: call.steering.tokens.unwrap_or(each * n),
        ..Tokens::default()
    };
    call.admit(&charged, tokens.input + tokens.output)?;
    let data = vec![object! {"b64_json": PIXEL}; n as usize];
    let body = object! {
        "created": call.created, "background": "opaque", "data": data, "output_format": "png",
        "quality": quality, "size": "1024x1024",
    };
    let usage = object! {
        "input_tokens": tokens.input,
        "input_tokens_details": object! {"image_tokens": 0, "text_tokens": tokens.input},
        "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
    };
    Ok(json_reply(call, charged, tokens, body, usage))
}

/// `POST /v1/audio/transcriptions`: audio in, text out; JSON or events.
pub async fn transcriptions(Admitted(mut call, body): Admitted) -> Response {
    let composed = match form(&call, body).await {
        Ok(form) => compose_transcription(&mut call, &form),
        Err(problem) => Err(problem),
    };
    call.answer(composed).await
}

fn compose_transcription(call: &mut Call, form: &Form) -> Result<Reply, Problem> {
    let charged = call.model(form.text("model"))?;
    let Some((_, size)) = &form.file else {
        return Err(Problem::invalid_member("file", "'file' is a required property"));
    };
    // Ten tokens a second, of audio at 32,000 bytes a second.
    if call.steering.audio_in == 0 {
        call.steering.audio_in = (*size as u64 / 3_200).max(1);
    }
    let prompt = call.app.texts.count(form.text("prompt").unwrap_or_default()) + call.steering.audio_in;
    let answering = Answering::text(call, prompt, None)?;
    let (answer, tokens) = (answering.said(), &answering.tokens);
    call.admit(&charged, tokens.prompt() + tokens.completion())?;
    let usage = object! {
        "type": "tokens",
        "input_tokens": tokens.prompt(),
        "input_token_details": object! {"text_tokens": tokens.input, "audio_tokens": tokens.input_audio},
        "output_tokens": tokens.completion(),
        "total_tokens": tokens.prompt() + tokens.completion(),
    };
    if form.text("stream") != Some("true") {
        return Ok(json_reply(call, charged, *tokens, object! {"text": answer.text}, usage));
    }
    let mut script = Script::events(&call.steering, Pace::new(&call.steering, 0));
    for piece in &answer.pieces {
        let data = [r#"{"type":"transcript.text.delta","delta":""#, &piece.json, r#""}"#];
        script.push(None, &data, Produced::Answer(piece.so_far), Tells::Nothing);
    }
    let mut done = object! {"type": "transcript.text.done", "text": answer.text};
    done.put_some("usage", &(!call.steering.no_usage).then_some(usage));
    script.push(None, &[&done.to_string()], Produced::Everything, call.tells_all());
    Ok(Reply {
        charged,
        tokens: *tokens,
        script,
        stream: true,
        error_event: None,
    })
}

/// `POST /v1/moderations`: free.
pub async fn moderations(Admitted(call, body): Admitted) -> Response {
    #[derive(Deserialize)]
    struct Ask {
        model: Option<String>,
        #[serde(default)]
        input: Value,
    }
    let ask: Ask = match call.parse(&body) {
        Ok(ask) => ask,
        Err(problem) => return call.refuse(problem),
    };
    let model = ask.model.as_deref().unwrap_or("omni-moderation-latest");
    if let Err(problem) = call.model(Some(model)) {
        return call.refuse(problem);
    }
    let each = |value: &str| {
        let mut object = Object::default();
        for category in ["harassment", "hate", "self-harm", "sexual", "violence"] {
            object.put(category, &Written(value));
        }
        object
    };
    let inputs = ask.input.as_array().map_or(1, Vec::len).max(1);
    let result = object! {"flagged": false, "categories": each("false"), "category_scores": each("0.0001")};
    call.free(&object! {"id": call.id("modr-", 24), "model": model, "results": vec![result; inputs]})
}

/// `POST /v1/rerank`, as the OpenAI-compatible providers have it: the usage is a single total.
pub async fn rerank(Admitted(mut call, body): Admitted) -> Response {
    let composed = compose_rerank(&mut call, &body);
    call.answer(composed).await
}

fn compose_rerank(call: &mut Call, body: &[u8]) -> Result<Reply, Problem> {
    #[derive(Deserialize)]
    struct Ask {
        model: Option<String>,
        #[serde(default)]
        query: String,
        #[serde(default)]
        documents: Vec<Value>,
        top_n: Option<usize>,
    }
    let ask: Ask = call.parse(body)?;
    let charged = call.model(ask.model.as_deref())?;
    refuse_empty("documents", &ask.documents)?;
    let documents = ask
        .documents
        .iter()
        .map(|d| d.get("text").unwrap_or(d))
        .map(|d| input_tokens(call, d));
    let counted = call.app.texts.count(&ask.query) + documents.sum::<u64>();
    let tokens = Tokens {
        input: call.steering.prompt.unwrap_or(counted),
        ..Tokens::default()
    };
    call.admit(&charged, tokens.input)?;
    let results: Vec<Object> = (0..ask.documents.len())
        .take(ask.top_n.unwrap_or(usize::MAX))
        .map(|index| object! {"index": index, "relevance_score": 0.9 / (index + 1) as f64})
        .collect();
    let model = reply_model(call, ask.model.as_deref().unwrap_or_default());
    let body = object! {"id": call.id("rerank-", 24), "object": "rerank", "model": model, "results": results};
    Ok(json_reply(
        call,
        charged,
        tokens,
        body,
        object! {"total_tokens": tokens.input},
    ))
}

fn json_reply(call: &Call, charged: Charged, tokens: Tokens, mut body: Object, usage: Object) -> Reply {
    body.put_some("usage", &(!call.steering.no_usage).then_some(usage));
    let script = Script::json(body.to_string(), call.tells_all());
    Reply {
        charged,
        tokens,
        script,
        stream: false,
        error_event: None,
    }
}

/// A multipart form: its text fields, and the name and size of its file.
pub(super) struct Form {
    fields: HashMap<String, String>,
    pub(super) file: Option<(String, usize)>,
}

impl Form {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Reads a multipart form from a body that was already read.
pub(super) async fn form(call: &Call, body: Bytes) -> Result<Form, Problem> {
    let mut request = Request::new(Body::from(body));
    if let Some(content_type) = call.headers.get(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    let refuse = |problem: String| Problem::invalid(format!("Could not parse multipart form: {problem}"));
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|e| refuse(e.body_text()))?;
    let mut form = Form {
        fields: HashMap::new(),
        file: None,
    };
    while let Some(field) = multipart.next_field().await.map_err(|e| refuse(e.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|e| refuse(e.body_text()))?;
        match file {
            Some(file) => form.file = Some((file, bytes.len())),
            None => drop(form.fields.insert(name, String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
    Ok(form)
}
