//! OpenAI's chat completions, as a client and as a provider speaks it.
//!
//! In: the bytes of requests, answers, errors and the events of streams. Out: a [`Request`](crate::conversation::Request),
//! a [`Reply`](crate::conversation::Reply), [`Event`](crate::conversation::Event)s, and the way back. It does not know
//! which provider it speaks to: in what the many who follow OpenAI differ is told by
//! [`ChatFacts`](crate::dialect::ChatFacts), and what a model takes by its name.
//!
//! - `read` (a client's request), `turns` (its messages), `parts` (their content).
//! - `write` (a request for a provider), `body` (the shapes it is written in), `effort` (what a model's name says).
//! - `answer` (a whole answer, both ways), `wire` (the shapes it is read in), `thoughts` (what a model thought).
//! - `stream` (a stream's events, read), `calls` (calls whose pieces come mixed), `chunks` (a stream, written).
//! - `error` (why there is no answer).
//!
//! Sources: the OpenAPI types of openai-python (`types/chat`), OpenRouter's "Reasoning tokens" (`reasoning_details`),
//! DeepSeek's "Thinking mode" (`reasoning_content`), Google's "OpenAI compatibility" and "Thought signatures"
//! (`extra_content.google.thought_signature`), Mistral's "Reasoning" (content of the type `thinking`).

mod answer;
mod body;
mod calls;
mod chunks;
mod effort;
mod error;
mod parts;
mod read;
mod stream;
#[cfg(test)]
mod tests;
mod thoughts;
mod turns;
mod wire;
mod write;

pub use answer::{read_reply, write_reply};
pub use chunks::StreamWriter;
pub use error::read_refusal;
pub use read::read_request;
pub use stream::StreamReader;
pub use write::write_request;
