//! Recognises an event that differs from an earlier one only in its text.
//!
//! Nearly every event of a stream says the same as the one before it, with another few letters in one string. Once such
//! an event has been read in full, its bytes outside the varying values are remembered; another event with the same
//! bytes there, and any string or number in the places between, has the same structure by the grammar of JSON: what
//! stands before a string's quote decides how it is read, and no string's content changes how the rest is. So it is
//! compared instead of parsed. Nothing is guessed: whatever does not match is read in full.

use super::facts::Event;
use crate::json::{TextLength, plain_run, same};

/// A longer event is not worth remembering.
const LIMIT: usize = 4096;

/// What an event looks like.
#[derive(Clone, Debug, Default)]
pub(super) struct Likeness {
    /// Everything but the varying values.
    constant: Vec<u8>,
    gaps: [Gap; 6],
    gaps_len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    /// Where it is in the constant bytes.
    at: usize,
    quoted: bool,
    counted: bool,
}

/// An event that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The length of its block, blank line included.
    pub(super) len: usize,
    /// Bytes of generated text in it.
    pub(super) text: u64,
}

impl Likeness {
    /// Whether a block that held one event can be recognised again.
    pub(super) fn is_worth(block: &[u8], event: &Event) -> bool {
        // Behind a CR it would not be known whether an LF still belongs to the block.
        event.is_plain()
            && (1..=event.varied.len()).contains(&event.varied_len)
            && block.len() <= LIMIT
            && block.ends_with(b"\n")
    }

    /// Remembers a block that held one event; `base` is where in the block its data begins.
    pub(super) fn learn(&mut self, block: &[u8], base: usize, event: &Event) {
        self.gaps_len = 0;
        self.constant.clear();
        let varied = event.varied.get(..event.varied_len).unwrap_or_default();
        let mut done = 0;
        for (value, gap) in varied.iter().zip(&mut self.gaps) {
            let (start, end) = (base + value.span.start, base + value.span.end);
            self.constant
                .extend_from_slice(block.get(done..start).unwrap_or_default());
            *gap = Gap {
                at: self.constant.len(),
                quoted: value.quoted,
                counted: value.counted,
            };
            done = end;
        }
        self.constant.extend_from_slice(block.get(done..).unwrap_or_default());
        self.gaps_len = varied.len();
    }

    /// Whether a block like the remembered one stands, whole, at the beginning of `bytes`.
    #[inline]
    pub(super) fn matches(&self, bytes: &[u8]) -> Option<Match> {
        let gaps = self.gaps.get(..self.gaps_len).filter(|gaps| !gaps.is_empty())?;
        let mut rest = bytes;
        let mut done = 0;
        let mut text = 0;
        for gap in gaps {
            rest = behind(rest, self.constant.get(done..gap.at)?)?;
            let (len, escaped) = if gap.quoted {
                string(rest)?
            } else {
                (number(rest), false)
            };
            if gap.counted {
                text += if escaped {
                    TextLength::default().of(rest.get(..len)?)
                } else {
                    len as u64
                };
            }
            rest = rest.get(len..)?;
            done = gap.at;
        }
        rest = behind(rest, self.constant.get(done..)?)?;
        Some(Match {
            len: bytes.len() - rest.len(),
            text,
        })
    }
}

/// What follows `start` in `bytes`, if they start with it.
#[inline]
fn behind<'a>(bytes: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(start.len())?;
    same(head, start).then_some(rest)
}

/// The length of the inside of a string, and whether it has escapes; `None` when it does not end, or is none.
#[inline]
fn string(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut len = 0;
    let mut escaped = false;
    loop {
        len += plain_run(bytes.get(len..)?);
        match bytes.get(len)? {
            b'"' => return Some((len, escaped)),
            b'\\' => {
                escaped = true;
                // What is escaped cannot end the string, but a line's end may not be skipped.
                bytes.get(len + 1).filter(|byte| **byte >= b' ')?;
                len += 2;
            }
            _ => return None,
        }
    }
}

/// The length of a run of digits.
#[inline]
fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(bytes.len())
}
