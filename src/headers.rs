//! A message's headers, as one block of bytes.
//!
//! In: the host's serialised header map (or plain pairs, in tests). Out: look-ups by name, in the order of the message.
//! Nothing is allocated per header, because a request carries some twenty of them and Tollgate reads five. It does not
//! know what any header means.

/// The headers of a request or a reply. Names are lower-case, as HTTP/2 and Envoy have them; pseudo headers
/// (`:path`, `:status`) are among them. Values are bytes: nothing promises that they are UTF-8.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    block: Vec<u8>,
}

impl Headers {
    /// Takes a header map in the proxy-wasm serialisation: a little-endian `u32` count, that many pairs of `u32`
    /// lengths, then each name and value followed by a zero byte. A block that is cut short simply has fewer headers.
    ///
    /// Source: the proxy-wasm ABI 0.2.1 specification, "Serialization".
    pub fn from_block(block: Vec<u8>) -> Self {
        Self { block }
    }

    /// Builds the same block from pairs.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let mut block = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in &pairs {
            block.extend((name.len() as u32).to_le_bytes());
            block.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in &pairs {
            for part in [name, value] {
                block.extend(part.as_bytes());
                block.push(0);
            }
        }
        Self { block }
    }

    /// The block, in the proxy-wasm serialisation.
    pub fn into_block(self) -> Vec<u8> {
        self.block
    }

    /// The value of the first header of that (lower-case) name.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value)
    }

    /// The same as text; `None` as well where the value is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Whether a header of that name is present.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether the body is encoded (compressed) in any way.
    pub fn has_encoded_body(&self) -> bool {
        self.text("content-encoding")
            .is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"))
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let count = word(&self.block, 0).unwrap_or(0) as usize;
        let mut at = count.saturating_mul(8).saturating_add(4);
        (0..count).map_while(move |index| {
            let lengths = 4 + index * 8;
            let name_len = word(&self.block, lengths)? as usize;
            let value_len = word(&self.block, lengths + 4)? as usize;
            let name = self.block.get(at..at.checked_add(name_len)?)?;
            let value_at = at + name_len + 1;
            let value = self.block.get(value_at..value_at.checked_add(value_len)?)?;
            at = value_at + value_len + 1;
            Some((name, value))
        })
    }
}

fn word(block: &[u8], at: usize) -> Option<u32> {
    let bytes = block.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_two_equal_names_is_read() {
        let headers = Headers::from_pairs([(":path", "/v1/models"), ("x-a", "1"), ("x-a", "2"), ("x-b", "")]);
        assert_eq!(headers.text(":path"), Some("/v1/models"));
        assert_eq!(headers.text("x-a"), Some("1"));
        assert_eq!(headers.text("x-b"), Some(""));
        assert_eq!(headers.text("x-c"), None);
        assert_eq!(headers.iter().count(), 4);
    }

    proptest! {
        #[test]
        fn any_block_can_be_read(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let headers = Headers::from_block(block);
            let _ = headers.value("x");
            let _ = headers.iter().count();
        }
    }
}
