//! Tokens worked out from sizes, for what no provider reported.
//!
//! In: bytes of text. Out: a number of tokens, which is an estimate and must be marked as one wherever it is shown.

/// Tokens in `bytes` bytes of UTF-8 text, estimated.
pub fn tokens_from_text_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}
