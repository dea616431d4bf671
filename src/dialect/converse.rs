//! AWS Bedrock's Converse, as a provider speaks it.
//!
//! In: a [`Request`](crate::conversation::Request) on its way out; an answer, whole or event by event
//! ([`crate::framing::eventstream`]), on the way back. Out: the body and the path of a call; a
//! [`Reply`](crate::conversation::Reply), [`Event`](crate::conversation::Event)s or a
//! [`Refusal`](crate::conversation::Refusal). It knows neither hosts nor credentials, and signs nothing.
//!
//! - `model`: what a model's name tells of what it takes; Converse is one API, but not all of it is for every model.
//! - `request`, with `content` for what is said, `thinking` for how hard it is to think, and the shapes in `body`.
//! - `reply` and `stream`, with the shapes in `answer`: what is answered. `refusal`: why there is no answer. `usage`: what
//!   it used.
//!
//! Sources: the service's own description (`bedrock-runtime/2023-09-30/service-2.json` of botocore 1.44); Bedrock's user
//! guide on the Converse API, prompt caching, extended and adaptive thinking, structured outputs; Nova's user guide on
//! extended thinking.

mod answer;
mod body;
mod content;
mod model;
mod refusal;
mod reply;
mod request;
mod stream;
mod thinking;
mod usage;

#[cfg(test)]
mod tests;

pub use refusal::read_refusal;
pub use reply::read_reply;
pub use request::write_request;
pub use stream::StreamReader;
pub use usage::usage;

/// What follows the base path. A model is an id, an inference profile's id or an ARN, which has slashes and colons.
pub fn path(model: &str, stream: bool) -> String {
    let model = super::path::segment(model);
    match stream {
        true => format!("/model/{model}/converse-stream"),
        false => format!("/model/{model}/converse"),
    }
}
