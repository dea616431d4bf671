//! `GET /v1/models` and `GET /v1/models/{id}`, in the dialects of OpenAI and Anthropic, and Google's `/v1beta/models`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use crate::call::{Admitted, Call};
use crate::errors::{Dialect, Problem};
use crate::json::{Object, object};
use crate::server::App;

/// 2025-01-01; when a model was made matters to nobody here.
const CREATED: u64 = 1_735_689_600;

/// Lists the models of this dialect's provider.
pub async fn list(State(app): State<Arc<App>>, Admitted(call, _): Admitted) -> Response {
    let mut names: Vec<&String> = app.models.keys().filter(|name| call.serves(name).is_some()).collect();
    names.sort();
    let data: Vec<Object> = names.iter().map(|name| entry(&call, name)).collect();
    call.free(&match call.dialect {
        Dialect::OpenAi | Dialect::Bedrock => object! {"object": "list", "data": data},
        Dialect::Gemini => object! {"models": data},
        Dialect::Anthropic => {
            object! {"data": data, "first_id": names.first(), "last_id": names.last(), "has_more": false}
        }
    })
}

/// One model.
pub async fn retrieve(Path(id): Path<String>, Admitted(call, _): Admitted) -> Response {
    match call.model(Some(&id)) {
        Ok(_) => call.free(&entry(&call, &id)),
        Err(problem) => call.refuse(problem),
    }
}

fn entry(call: &Call, name: &str) -> Object {
    match call.dialect {
        Dialect::OpenAi | Dialect::Bedrock => {
            object! {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}
        }
        Dialect::Gemini => object! {
            "name": format!("models/{name}"), "version": "001", "displayName": name,
            "inputTokenLimit": 1_048_576_u64, "outputTokenLimit": 65_536_u64,
            "supportedGenerationMethods": vec!["generateContent", "countTokens"],
        },
        Dialect::Anthropic => {
            object! {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}
        }
    }
}

/// Refuses a path parameter nothing is known of.
pub(super) fn no_such_object(call: &Call, kind: &str, id: &str) -> Response {
    call.refuse(Problem::invalid(format!("No such {kind} object: {id}")).with_status(404))
}
