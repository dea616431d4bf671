//! Anthropic's Messages API, as a client and as a provider speaks it.
//!
//! In: bodies and stream events of `POST /v1/messages`. Out: the types of [`crate::conversation`]; and back. It knows
//! neither HTTP nor how events are framed ([`crate::framing`]), and decides nothing about what is lost on the way: that is
//! told by name ([`Losses`](crate::conversation::Losses)).
//!
//! - `ask_read` (with `content_read`): a client's request; `ask_write` (with `content_write`, `schema`, and what is known
//!   of the Claude models): a request to a provider.
//! - `reply`: a whole answer, both ways; `stream_read` and `stream_write`: the same as it comes; `usage`: a usage object,
//!   written; `refusal`: errors, both ways.
//! - `base64`: plain text documents are text here and Base64 elsewhere.
//!
//! Sources: the types of Anthropic's Python SDK 2.13 (`anthropic/types`, `_streaming.py`, `_exceptions.py`) for the wire
//! format; Anthropic's pages on API versions, errors, thinking, effort, structured outputs, tool use and the models for
//! what is refused. Requests are written for the API version `2023-06-01`: `2026-10-21` differs in that it refuses every
//! sampling parameter, documents in an assistant's turn and citations in a user's, of which only the first is ever written
//! here (and only for models that take it).

mod ask_read;
mod ask_write;
mod base64;
mod content_read;
mod content_write;
mod refusal;
mod reply;
pub(super) mod schema;
mod stream_read;
mod stream_write;
mod usage;

pub use ask_read::read_request;
pub use ask_write::write_request;
pub use refusal::read_refusal;
pub use reply::{read_reply, write_reply};
pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;

#[cfg(test)]
mod tests;
