//! Files and batches: stubs that answer realistically and remember nothing.

use axum::extract::Path;
use axum::response::Response;
use serde::Deserialize;

use super::models::no_such_object;
use super::other::form;
use crate::call::{Admitted, Call};
use crate::errors::Problem;
use crate::json::{NULL, Object, Written, object};

/// `POST /v1/files`
pub async fn upload(Admitted(call, body): Admitted) -> Response {
    let form = match form(&call, body).await {
        Ok(form) => form,
        Err(problem) => return call.refuse(problem),
    };
    let Some((name, size)) = &form.file else {
        return call.refuse(Problem::invalid_member("file", "'file' is a required property"));
    };
    let purpose = form.text("purpose").unwrap_or("user_data").to_owned();
    call.free(&file(&call, &call.id("file-", 22), name, *size, &purpose))
}

/// `GET /v1/files` and `GET /v1/batches`
pub async fn list(Admitted(call, _): Admitted) -> Response {
    let list = object! {
        "object": "list", "data": Written("[]"), "first_id": NULL, "last_id": NULL, "has_more": false,
    };
    call.free(&list)
}

/// `GET /v1/files/{id}`
pub async fn retrieve(Path(id): Path<String>, Admitted(call, _): Admitted) -> Response {
    if !id.starts_with("file-") {
        return no_such_object(&call, "File", &id);
    }
    call.free(&file(&call, &id, "batch.jsonl", 120, "batch"))
}

/// `POST /v1/batches`
pub async fn create_batch(Admitted(call, body): Admitted) -> Response {
    #[derive(Deserialize)]
    struct Ask {
        input_file_id: String,
        endpoint: String,
    }
    match call.parse::<Ask>(&body) {
        Ok(ask) => call.free(&batch(
            &call,
            &call.id("batch_", 32),
            &ask.input_file_id,
            &ask.endpoint,
            "validating",
        )),
        Err(problem) => call.refuse(problem),
    }
}

/// `GET /v1/batches/{id}`
pub async fn retrieve_batch(Path(id): Path<String>, Admitted(call, _): Admitted) -> Response {
    if !id.starts_with("batch_") {
        return no_such_object(&call, "Batch", &id);
    }
    call.free(&batch(
        &call,
        &id,
        "file-simulated",
        "/v1/chat/completions",
        "completed",
    ))
}

fn file(call: &Call, id: &str, name: &str, size: usize, purpose: &str) -> Object {
    object! {
        "id": id, "object": "file", "bytes": size, "created_at": call.created, "expires_at": NULL,
        "filename": name, "purpose": purpose, "status": "processed", "status_details": NULL,
    }
}

fn batch(call: &Call, id: &str, input: &str, endpoint: &str, status: &str) -> Object {
    object! {
        "id": id, "object": "batch", "endpoint": endpoint, "errors": NULL, "input_file_id": input,
        "completion_window": "24h", "status": status, "output_file_id": NULL, "error_file_id": NULL,
        "created_at": call.created, "in_progress_at": NULL, "expires_at": call.created + 86_400,
        "finalizing_at": NULL, "completed_at": NULL, "failed_at": NULL, "expired_at": NULL,
        "cancelling_at": NULL, "cancelled_at": NULL,
        "request_counts": object! {"total": 0, "completed": 0, "failed": 0}, "metadata": NULL,
    }
}
