//! Base64 with the standard alphabet (RFC 4648, §4).
//!
//! In: text, or Base64. Out: the other. It is used for plain text documents only, which are text in this dialect and
//! Base64 in [`Media`](crate::conversation::Media).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The Base64 of a text, padded.
pub(super) fn encoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = 0_u32;
        for at in 0..3 {
            group = group << 8 | u32::from(chunk.get(at).copied().unwrap_or_default());
        }
        for at in 0..4 {
            let digit = ALPHABET.get((group >> (18 - 6 * at) & 63) as usize);
            out.push(match digit {
                Some(digit) if at <= chunk.len() => char::from(*digit),
                _ => '=',
            });
        }
    }
    out
}

/// The text that a Base64 stands for; `None` where it is none, or no text.
pub(super) fn text(base64: &str) -> Option<String> {
    let mut out = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0);
    let digits = base64.trim_end_matches('=').bytes();
    for byte in digits.filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_what_the_rfc_says() {
        for (plain, base64) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(plain), base64);
            assert_eq!(text(base64).as_deref(), Some(plain));
        }
        assert_eq!(text("Zm9v\nYmFy").as_deref(), Some("foobar"));
        assert_eq!(text("!"), None);
        assert_eq!(text("/w=="), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(plain: String) {
            prop_assert_eq!(text(&encoded(&plain)), Some(plain));
        }
    }
}
