//! Anthropic's API.

pub mod messages;
mod stream;
