//! JSON read where it lies: without a tree, without copies, without trust.
//!
//! In: bytes. Out: spans and sizes. [`strict`] validates a whole document (what a client sends, and what must therefore
//! be read exactly as the provider will read it); [`passing`] follows a document that arrives in pieces and is not ours
//! to judge (what a provider answers). Neither knows what any member means.

pub mod passing;
pub mod strict;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of the first byte that is `"`, `\` or a control character, and possibly of bytes behind it.
#[inline]
fn special(word: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*word);
    let quote = word ^ (LOW * b'"' as u64);
    let backslash = word ^ (LOW * b'\\' as u64);
    // A borrow can only make a false hit above a true one, and the lowest hit is the one that counts.
    let hits = (quote.wrapping_sub(LOW) & !quote)
        | (backslash.wrapping_sub(LOW) & !backslash)
        | (word.wrapping_sub(LOW * 0x20) & !word);
    hits & HIGH
}

/// How many bytes at the start of `bytes` are neither `"` nor `\` nor a control character.
///
/// Eight bytes at a time: nearly the same speed natively and on wasm32 without SIMD.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    const SHORT: usize = 32;
    let (words, tail) = bytes.get(..SHORT).unwrap_or(bytes).as_chunks::<8>();
    let mut done = 0;
    for word in words {
        let hits = special(word);
        if hits != 0 {
            return done + (hits.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    match bytes.get(SHORT..) {
        Some(rest) => SHORT + long_plain_run(rest),
        None => done + plain_bytes(tail),
    }
}

#[inline]
fn plain_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
        .unwrap_or(bytes.len())
}

/// The same for what is long already, and may be megabytes.
fn long_plain_run(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<64>();
    let plain = |block: &&[u8; 64]| {
        block
            .as_chunks::<8>()
            .0
            .iter()
            .fold(0, |hits, word| hits | special(word))
            == 0
    };
    let done = blocks.iter().take_while(plain).count() * 64;
    let (words, tail) = bytes.get(done..).unwrap_or_default().as_chunks::<8>();
    match words.iter().map(special).enumerate().find(|(_, hits)| *hits != 0) {
        Some((at, hits)) => done + at * 8 + (hits.trailing_zeros() / 8) as usize,
        None => done + words.len() * 8 + plain_bytes(tail),
    }
}

/// How many bytes at the start of `bytes` cannot open or close a string, an array or an object.
///
/// It may stop at a byte that cannot either (a letter); the caller looks at it and goes on.
#[inline]
pub(crate) fn flat_run(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut done = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (LOW * b'"' as u64);
        // Brackets and braces have bit 6 set; digits, signs, commas and white space have not.
        let hits = (quote.wrapping_sub(LOW) & !quote & HIGH) | ((word << 1) & HIGH);
        if hits != 0 {
            return done + (hits.trailing_zeros() / 8) as usize;
        }
        done += 8;
    }
    done + tail
        .iter()
        .position(|&byte| byte == b'"' || byte & 0x40 != 0)
        .unwrap_or(tail.len())
}

/// Whether two slices are equal: eight bytes at a time, where libc's `memcmp` on wasm32 compares one by one.
#[inline]
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (left, left_tail) = left.as_chunks::<8>();
    let (right, right_tail) = right.as_chunks::<8>();
    left.iter()
        .zip(right)
        .all(|(l, r)| u64::from_le_bytes(*l) == u64::from_le_bytes(*r))
        && left_tail.iter().zip(right_tail).all(|(l, r)| l == r)
}

/// Counts the bytes of UTF-8 that the inside of a JSON string stands for; the string may come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextLength {
    /// 0 outside an escape, 1 after a backslash, 2–5 before the first to fourth digit of `\uXXXX`.
    escape: u8,
    unit: u16,
}

impl TextLength {
    /// The bytes that `piece` adds.
    #[inline]
    pub(crate) fn of(&mut self, piece: &[u8]) -> u64 {
        if self.escape == 0 && memchr::memchr(b'\\', piece).is_none() {
            return piece.len() as u64;
        }
        piece.iter().map(|&byte| self.byte(byte)).sum()
    }

    fn byte(&mut self, byte: u8) -> u64 {
        match (self.escape, byte) {
            (0, b'\\') => self.escape = 1,
            (0, _) => return 1,
            (1, b'u') => (self.escape, self.unit) = (2, 0),
            (1, _) => {
                self.escape = 0;
                return 1;
            }
            (digit, _) => {
                let value = char::from(byte)
                    .to_digit(16)
                    .and_then(|value| u16::try_from(value).ok());
                self.unit = (self.unit << 4) | value.unwrap_or_default();
                self.escape = if digit == 5 { 0 } else { digit + 1 };
                if digit == 5 {
                    return match self.unit {
                        0..0x80 => 1,
                        0x80..0x800 => 2,
                        0xd800..0xdc00 => 4, // the first half of a pair; the second adds nothing
                        0xdc00..0xe000 => 0,
                        _ => 3,
                    };
                }
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_run_ends_where_a_byte_by_byte_search_says(bytes: Vec<u8>, len in 0usize..300) {
            let bytes: Vec<u8> = std::iter::repeat_n(b'a', len).chain(bytes).collect();
            let expected = bytes.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(bytes.len());
            prop_assert_eq!(plain_run(&bytes), expected);
        }

        #[test]
        fn a_flat_run_never_runs_over_a_bracket_or_a_quote(bytes: Vec<u8>, len in 0usize..40) {
            let bytes: Vec<u8> = std::iter::repeat_n(b'1', len).chain(bytes).collect();
            let run = flat_run(&bytes);
            let special = bytes[..run].iter().any(|byte| br#""[]{}"#.contains(byte));
            prop_assert!(!special);
            prop_assert!(run >= len);
        }

        #[test]
        fn the_same_bytes_are_the_same(left: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            prop_assert!(same(&left, &left.clone()));
            if !left.is_empty() {
                let mut right = left.clone();
                right[at.index(left.len())] ^= flip;
                prop_assert!(!same(&left, &right));
                prop_assert!(!same(&left, &left[1..]));
            }
        }

        #[test]
        fn text_is_as_long_as_what_the_string_stands_for(text: String, ascii: bool, cuts: Vec<prop::sample::Index>) {
            let mut quoted = serde_json::to_string(&text).unwrap();
            if ascii {
                quoted = quoted.chars().map(|c| {
                    let mut units = [0; 2];
                    if c.is_ascii() {
                        c.to_string()
                    } else {
                        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                    }
                }).collect();
            }
            let inside = &quoted.as_bytes()[1..quoted.len() - 1];
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(inside.len() + 1)).collect();
            cuts.extend([0, inside.len()]);
            cuts.sort_unstable();
            let mut length = TextLength::default();
            let sum: u64 = cuts.windows(2).map(|cut| length.of(&inside[cut[0]..cut[1]])).sum();
            prop_assert_eq!(sum, text.len() as u64);
        }
    }
}
