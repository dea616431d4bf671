//! How long the answers are that a key gets from a model: what is set aside for a request that says no longest answer.
//!
//! In: the output tokens of answers as they come. Out: a number that goes up at once and comes down slowly, so that it is
//! rarely too low. It is a guess, and nothing that has to hold is built on it alone.

use super::bytes;
use super::store::{Books, Unwritable};

/// What is assumed of a key and model that are new.
pub const AT_FIRST: u64 = 1_024;

/// Output tokens of an answer, as far as is known.
pub fn expected(cell: &str, books: &mut Books<'_>) -> u64 {
    let known = books
        .store
        .read(cell)
        .and_then(|(value, _)| bytes::take(&mut &value[..]));
    known.unwrap_or(AT_FIRST)
}

/// An answer had so many.
pub fn learn(cell: &str, tokens: u64, books: &mut Books<'_>) -> Result<(), Unwritable> {
    books.update(cell, |value, _| {
        let before = bytes::take(&mut &value[..]);
        let now = after(before, tokens);
        let mut out = Vec::with_capacity(4);
        bytes::put(&mut out, now);
        ((before != Some(now)).then_some(out), ())
    })
}

/// A sixteenth of the way down, and all of the way up.
fn after(before: Option<u64>, tokens: u64) -> u64 {
    match before {
        Some(before) if before > tokens => before - (before - tokens).div_ceil(16),
        _ => tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_up_at_once_and_down_slowly() {
        assert_eq!(after(None, 10), 10);
        assert_eq!(after(Some(10), 1_000), 1_000);
        assert_eq!(after(Some(1_000), 40), 940);
        let settled = (0..200).fold(1_000, |before, _| after(Some(before), 40));
        assert_eq!(settled, 40);
    }
}
