//! How events are packed into bytes.
//!
//! In: bytes, cut anywhere. Out: where events begin and end in them: server-sent events ([`sse`]) or AWS's binary messages
//! ([`eventstream`]). It does not know what an event says, and never takes bytes for text: a cut may go through a character.

pub mod eventstream;
pub mod sse;
