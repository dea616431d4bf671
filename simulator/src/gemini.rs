//! Google's Gemini API, as it is served below `/v1beta/models/` and, with the same bodies, by Vertex AI.
//!
//! In: `POST …/models/{model}:{method}`. Out: replies as <https://ai.google.dev/api/generate-content> and googleapis/python-genai
//! (`types.py`) describe them. What is not described there is refused, as protocol buffers do.
//!
//! `generate` answers, `embed` embeds, `reading` says what a request means.

mod embed;
mod generate;
mod reading;

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;

use crate::call::{Admitted, Call};
use crate::errors::Problem;
use crate::shapes::{Shapes, What, snake};

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::parse(include_str!("shapes/gemini.txt"), true));

/// Answers `/v1beta/models/{model}:{method}`.
pub async fn handle(Path(operation): Path<String>, admitted: Admitted) -> Response {
    answer(&operation, admitted).await
}

/// Answers `/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:{method}`.
pub async fn handle_vertex(Path((_, _, operation)): Path<(String, String, String)>, admitted: Admitted) -> Response {
    answer(&operation, admitted).await
}

async fn answer(operation: &str, Admitted(mut call, body): Admitted) -> Response {
    let Some((model, method)) = operation.rsplit_once(':') else {
        return call.refuse(Problem::status(404, call.dialect));
    };
    let composed = match method {
        "generateContent" => generate::compose(&mut call, model, &body, false),
        "streamGenerateContent" => generate::compose(&mut call, model, &body, true),
        "countTokens" => {
            return match generate::count(&call, model, &body) {
                Ok(counted) => call.free(&counted),
                Err(problem) => call.refuse(problem),
            };
        }
        "embedContent" => embed::compose(&mut call, model, &body),
        "batchEmbedContents" => embed::compose_batch(&mut call, model, &body),
        _ => Err(Problem::status(404, call.dialect)),
    };
    call.answer(composed).await
}

/// Reads a body that has the published shape.
fn read(call: &Call, kind: &'static str, body: &[u8]) -> Result<Value, Problem> {
    let ask: Value = call.parse(body)?;
    let Err(mismatch) = SHAPES.check(kind, &ask) else {
        return Ok(ask);
    };
    let at = snake(&mismatch.at);
    let place = if at.is_empty() {
        String::new()
    } else {
        format!(" at '{at}'")
    };
    Err(Problem::invalid(match mismatch.what {
        What::Unknown(name) => {
            format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.")
        }
        What::Missing(name) => {
            let name = snake(name);
            let member = if at.is_empty() { name } else { format!("{at}.{name}") };
            format!("* {kind}.{member}: {member} is not specified\n")
        }
        What::Wrong(expected, found) => format!("Invalid value{place} ({}), {found}", wire(expected)),
        What::Members(found) => format!("Invalid value{place} (oneof), {found} members are set"),
    }))
}

/// A member, whose name may be written `likeThis` or `like_this`.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let found = value.get(name).or_else(|| value.get(snake(name)));
    found.filter(|value| !value.is_null())
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What protocol buffers call a kind.
fn wire(kind: &str) -> &'static str {
    match kind {
        "string" => "TYPE_STRING",
        "number" => "TYPE_FLOAT",
        "integer" => "TYPE_INT32",
        "boolean" => "TYPE_BOOL",
        _ if kind.starts_with('{') => "TYPE_ENUM",
        _ => "TYPE_MESSAGE",
    }
}
