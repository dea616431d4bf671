//! Server-sent events: where one ends, and what its lines say.
//!
//! In: the bytes of a stream as they arrive. Out: the ends of its blocks (an event and its blank line), and the fields of
//! a block. It keeps no bytes: whoever needs a block that arrives in pieces keeps the pieces. It knows nothing of JSON.
//!
//! Lines end with LF, CRLF or CR, as the WHATWG's HTML standard says (§9.2, "Server-sent events").

use memchr::memchr2;

/// Finds the ends of blocks, wherever the stream is cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks {
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At the first byte of a block.
    #[default]
    Fresh,
    /// At the first byte of another line.
    Line,
    /// Within a line.
    Within,
    /// Behind a CR that ended a line; an LF that follows belongs to it.
    Cr,
    /// Behind a CR that ended a blank line; an LF that follows belongs to it.
    BlankCr,
}

impl Blocks {
    /// Whether the next byte begins a block.
    #[inline]
    pub fn fresh(&self) -> bool {
        self.place == Place::Fresh
    }

    /// The offset behind the first block that ends in `bytes`. `None`: all of them belong to a block that goes on.
    ///
    /// It may be 0, when only the next byte shows that a block had ended.
    #[inline]
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..)?;
            let first = *rest.first()?;
            self.place = match (self.place, first) {
                (Place::Fresh | Place::Line, b'\n') => {
                    self.place = Place::Fresh;
                    return Some(at + 1);
                }
                (Place::Fresh | Place::Line, b'\r') => {
                    at += 1;
                    Place::BlankCr
                }
                (Place::Fresh | Place::Line | Place::Within, _) => match memchr2(b'\n', b'\r', rest) {
                    None => {
                        self.place = Place::Within;
                        return None;
                    }
                    Some(line) => {
                        at += line + 1;
                        if rest.get(line) == Some(&b'\n') {
                            Place::Line
                        } else {
                            Place::Cr
                        }
                    }
                },
                (Place::Cr, b'\n') => {
                    at += 1;
                    Place::Line
                }
                (Place::Cr, _) => Place::Line,
                (Place::BlankCr, next) => {
                    self.place = Place::Fresh;
                    return Some(at + usize::from(next == b'\n'));
                }
            };
        }
    }
}

/// A line of a block, split at its colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What stands before the colon; empty in a comment.
    pub name: &'a [u8],
    /// What stands behind the colon and one space.
    pub value: &'a [u8],
    /// Where in the block the value begins.
    pub at: usize,
}

/// The fields of a block, in order, blank lines left out.
pub fn fields(block: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut at = if block.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    std::iter::from_fn(move || {
        loop {
            let rest = block.get(at..).filter(|rest| !rest.is_empty())?;
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = rest.get(..end)?;
            let start = at;
            at += end + 1;
            if !line.is_empty() {
                return Some(field(line, start));
            }
        }
    })
}

#[inline]
fn field(line: &[u8], start: usize) -> Field<'_> {
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
    let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
    let value = value.get(1..).unwrap_or_default();
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Field {
        name,
        value,
        at: start + line.len() - value.len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The blocks of a stream that arrives in these pieces; the last is what had not ended.
    fn blocks(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut finder = Blocks::default();
        let mut found = vec![Vec::new()];
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = finder.end(rest) {
                assert!(finder.fresh());
                found.last_mut().unwrap().extend(&rest[..end]);
                found.push(Vec::new());
                rest = &rest[end..];
            }
            found.last_mut().unwrap().extend(rest);
        }
        found
    }

    #[test]
    fn a_blank_line_ends_a_block_however_lines_end() {
        for eol in ["\n", "\r\n", "\r"] {
            let stream = format!("data: a{eol}{eol}event: x{eol}data: b{eol}{eol}: ping{eol}{eol}data: open");
            let found = blocks(&[stream.as_bytes()]);
            assert_eq!(found.len(), 4, "{eol:?}");
            assert_eq!(found[1], format!("event: x{eol}data: b{eol}{eol}").as_bytes());
            assert_eq!(found[3], b"data: open");
        }
    }

    #[test]
    fn fields_are_split_as_the_standard_says() {
        let block = b"\xef\xbb\xbfdata:a\r\ndata: b:c\ndata:  d\n: comment\nretry\nid:\r\r\n";
        let found: Vec<_> = fields(block)
            .map(|field| (field.name, &block[field.at..][..field.value.len()]))
            .collect();
        let expected: Vec<(&[u8], &[u8])> = vec![
            (b"data", b"a"),
            (b"data", b"b:c"),
            (b"data", b" d"),
            (b"", b"comment"),
            (b"retry", b""),
            (b"id", b""),
        ];
        assert_eq!(found, expected);
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "\n", "\r", "\r\n", "\n\n", "data: x", "data:", ":", "é", "event: y", "\r\n\r\n",
        ]);
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn a_stream_has_the_same_blocks_wherever_it_is_cut(stream in stream(), cuts: Vec<prop::sample::Index>) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(blocks(&pieces), blocks(&[&stream]));
        }

        #[test]
        fn no_bytes_are_lost_and_none_panic(stream: Vec<u8>) {
            prop_assert_eq!(blocks(&[&stream]).concat(), stream.clone());
            for field in fields(&stream) {
                prop_assert_eq!(&stream[field.at..][..field.value.len()], field.value);
            }
        }
    }
}
