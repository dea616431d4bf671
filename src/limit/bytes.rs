//! Numbers in bytes: a fixed eight bytes each where they are changed in place, and seven bits to a byte (LEB128) where small
//! ones are to be short.

/// Bytes of a number in its place.
pub(super) const WORD: usize = 8;

/// The number at a place; 0 where there is none.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<WORD>())
        .map_or(0, |word| u64::from_le_bytes(*word))
}

/// Writes a number at a place, if there is one.
#[inline]
pub(super) fn set_word(bytes: &mut [u8], at: usize, number: u64) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<WORD>()) {
        *place = number.to_le_bytes();
    }
}

/// Puts bytes in between, at a place that is not behind the end.
pub(super) fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let at = at.min(bytes.len());
    let end = bytes.len();
    bytes.extend_from_slice(new);
    if at < end {
        bytes.copy_within(at..end, at + new.len());
        if let Some(place) = bytes.get_mut(at..at + new.len()) {
            place.copy_from_slice(new);
        }
    }
}

/// Takes bytes out.
pub(super) fn remove(bytes: &mut Vec<u8>, at: usize, length: usize) {
    let end = at.saturating_add(length).min(bytes.len());
    if at < end {
        bytes.copy_within(end.., at);
        bytes.truncate(bytes.len() - (end - at));
    }
}

/// Appends a number, a short one where it is small.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes such a number off the beginning. `None`: there is none, or it does not fit 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(number: u64) {
            let mut out = Vec::new();
            put(&mut out, number);
            let mut rest = &out[..];
            prop_assert_eq!(take(&mut rest), Some(number));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            let _ = take(&mut &bytes[..]);
        }

        #[test]
        fn what_is_put_in_between_can_be_taken_out(before: Vec<u8>, at in 0usize..40, new: Vec<u8>) {
            let mut bytes = before.clone();
            insert(&mut bytes, at, &new);
            prop_assert_eq!(bytes.len(), before.len() + new.len());
            let at = at.min(before.len());
            prop_assert_eq!(&bytes[at..at + new.len()], &new[..]);
            remove(&mut bytes, at, new.len());
            prop_assert_eq!(bytes, before);
        }

        #[test]
        fn a_place_that_is_not_there_is_left_alone(bytes: Vec<u8>, at in 0usize..100, number: u64) {
            let mut changed = bytes.clone();
            set_word(&mut changed, at, number);
            prop_assert_eq!(changed.len(), bytes.len());
            prop_assert_eq!(word(&changed, at), if at + WORD <= bytes.len() { number } else { 0 });
        }
    }
}
