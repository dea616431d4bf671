//! Amazon Bedrock's runtime API.
//!
//! In: requests of `POST /model/{id}/converse`, `/converse-stream` and `/invoke`. Out: replies as the service model of
//! bedrock-runtime describes them (botocore, `service-2.json`). What is not in that model is refused.
//!
//! [`converse`] answers a conversation, `stream` as a stream; `reading` says what it means; [`invoke`] embeds; [`signature`]
//! verifies Amazon's signatures.

pub mod converse;
pub mod invoke;
mod reading;
pub mod signature;
mod stream;

use std::sync::LazyLock;

use serde_json::Value;

use crate::errors::Problem;
use crate::shapes::{Shapes, What};

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| Shapes::parse(include_str!("shapes/converse.txt"), false));

/// Refuses a body that is not as published.
fn check(kind: &'static str, body: &Value) -> Result<(), Problem> {
    let Err(mismatch) = SHAPES.check(kind, body) else {
        return Ok(());
    };
    let at = mismatch.dotted();
    let pointer = if at.is_empty() {
        "#".to_owned()
    } else {
        format!("#/{}", at.replace('.', "/"))
    };
    let message = match &mismatch.what {
        What::Unknown(name) => format!("{pointer}: extraneous key [{name}] is not permitted"),
        What::Missing(name) => format!("{pointer}: required key [{name}] not found"),
        What::Wrong(expected, found) => format!("{pointer}: expected {expected}, found: {found}"),
        What::Members(found) => {
            return Err(Problem::invalid(format!(
                "The union at {at} must have exactly one member, it has {found}."
            )));
        }
    };
    Err(Problem::invalid(format!(
        "Malformed input request: {message}, please reformat your input and try again."
    )))
}
