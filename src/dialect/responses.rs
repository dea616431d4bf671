//! OpenAI's responses, as a client and as a provider speaks it.
//!
//! In: requests, answers, events and errors of `POST /v1/responses`. Out: [`crate::conversation`]'s types, and the way back.
//! It keeps no conversation: what refers to one that is stored elsewhere is a loss by name.
//!
//! - [`read_request`](mod@read_request), [`write_reply`](mod@write_reply) and [`stream_writer`] are the side of the client: what it asks, what it is told.
//! - [`write_request`](mod@write_request), [`read_reply`](mod@read_reply) and [`stream_reader`] are the side of the provider, and [`refusal`] its errors.
//! - [`seal`]: how a provider's encrypted reasoning travels through dialects that know nothing of it; `family`: which
//!   model takes which effort; `output`: an answer as it is written.
//!
//! Sources: OpenAI's API reference (Responses, streaming events), its guides on reasoning, errors and migration from chat
//! completions, and the types and accumulators of its SDKs (`openai` 3.57 for Python, 6.49 for Node).

mod family;
mod output;
pub mod read_reply;
pub mod read_request;
pub mod refusal;
pub mod seal;
pub mod stream_reader;
pub mod stream_writer;
pub mod write_reply;
pub mod write_request;

#[cfg(test)]
mod tests;

pub use read_reply::read_reply;
pub use read_request::read_request;
pub use refusal::read_refusal;
pub use stream_reader::StreamReader;
pub use stream_writer::StreamWriter;
pub use write_reply::write_reply;
pub use write_request::write_request;
