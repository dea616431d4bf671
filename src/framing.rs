//! How events are packed into bytes.

pub mod sse;
