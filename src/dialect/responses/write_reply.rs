//! What a client is told, whole.
//!
//! In: a [`Reply`]. Out: a `response` object. It does not know the request that it answers.

use std::borrow::Cow;

use super::output::{self, Response, Tokens};
use crate::conversation::{Output, Reply};
use crate::dialect::Told;

/// Writes an answer.
pub fn write_reply(reply: &Reply, told: &Told<'_>) -> Vec<u8> {
    let declined = reply.output.iter().any(|piece| matches!(piece, Output::Declined(_)));
    let incomplete = output::incomplete(reply.stop.as_ref(), declined);
    let mut items = output::items(&reply.output, told.id);
    if incomplete.is_some()
        && let Some(last) = items.last_mut()
    {
        last.end(output::INCOMPLETE);
    }
    let id = match reply.id.is_empty() {
        true => Cow::Owned(format!("resp_{}", told.id)),
        false => Cow::Borrowed(&*reply.id),
    };
    let model = if reply.model.is_empty() {
        told.model
    } else {
        &reply.model
    };
    let mut response = Response::new(id, model, told.created);
    response.end(incomplete);
    response.output = &items;
    response.service_tier = reply.tier.as_deref().and_then(output::tier);
    response.usage = reply.usage.as_ref().map(Tokens::of);
    // Nothing in it can fail to be written.
    serde_json::to_vec(&response).unwrap_or_default()
}
