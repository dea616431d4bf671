//! Google's `generateContent`, as a provider speaks it.
//!
//! In: a [`Request`](crate::conversation::Request) on its way out; bytes of an answer, whole or event by event, on the way
//! back. Out: the body and the path of a call; a [`Reply`](crate::conversation::Reply),
//! [`Event`](crate::conversation::Event)s or a [`Refusal`](crate::conversation::Refusal). It knows neither hosts nor
//! credentials: the Gemini API and Vertex AI differ in those and in the base path, not in this.
//!
//! - `model`: what a model's name tells of what it takes.
//! - `request`, with the shapes in `body`: what is asked; `thinking`: how hard it is to think.
//! - `reply`: what is answered. Thoughts' signatures are kept where Google demands them back, with a call. Those on text,
//!   which it only recommends, are not: a client could take them to a provider that refuses what it has not signed.
//! - `refusal`: why there is no answer. `usage`: what it used.
//!
//! Sources: the API reference (ai.google.dev/api/generate-content, ai.google.dev/api/caching) with its guides on function
//! calling, thinking, thought signatures and structured output; `google/genai/types.py` of python-genai 3.6; Vertex AI's
//! REST reference for what only that says (`trafficType`).

mod body;
mod model;
mod refusal;
mod reply;
mod request;
mod thinking;
mod usage;

#[cfg(test)]
mod tests;

pub use refusal::read_refusal;
pub use reply::{StreamReader, read_reply, used};
pub use request::write_request;
pub use usage::usage;

/// What follows the base path (`/v1beta`, or a Vertex project's `…/publishers/google`).
pub fn path(model: &str, stream: bool) -> String {
    let model = super::path::segment(model.strip_prefix("models/").unwrap_or(model));
    match stream {
        true => format!("/models/{model}:streamGenerateContent?alt=sse"),
        false => format!("/models/{model}:generateContent"),
    }
}
