//! Names as they stand in a path.
//!
//! In: a provider's name for a model. Out: one segment of a path (RFC 3986). It knows no dialect.

use std::fmt::Write;

/// A text as one segment: all but unreserved characters are escaped, colons and slashes too, which AWS's signature and
/// Google's custom verbs need.
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(char::from(byte)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(segment, "%{byte:02X}");
            }
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_name_stays_within_its_segment() {
        assert_eq!(segment("gemini-2.5-pro"), "gemini-2.5-pro");
        assert_eq!(segment("a:b/../c?é"), "a%3Ab%2F..%2Fc%3F%C3%A9");
    }
}
