//! The same as the scanner's states do, for what stands whole in one piece, and faster.

use super::{KEEP_LIMIT, Kind, Scanner, State, Visit, Want};
use crate::json::plain_run;

impl Scanner {
    /// Passes members as most are written: no white space, no escapes, whole in this piece, and no containers. It does
    /// nothing that the states would not do, only faster. Returns where the next member's name begins or, having set
    /// [`State::After`], where the last one's value ended.
    #[inline]
    pub(super) fn simple_members(&mut self, piece: &[u8], mut at: usize, visit: &mut impl Visit) -> usize {
        let place = self.place() >> 1;
        while let Some((name, start, first)) = simple_name(piece, at)
            && let Some(kind) = kind(first)
            && let Some(rest) = piece.get(start..)
        {
            let (len, inside) = match kind {
                Kind::Object | Kind::Array => break,
                Kind::String => {
                    let run = plain_run(rest.get(1..).unwrap_or_default());
                    match rest.get(run + 1) {
                        Some(b'"') => (run + 2, start + 1..start + 1 + run),
                        _ => break,
                    }
                }
                Kind::Scalar | Kind::Null => {
                    let Some(run) = rest.iter().position(|&byte| ends_scalar(byte)) else {
                        break;
                    };
                    (run, start..start + run)
                }
            };
            match visit.member(place, name, kind) {
                Want::Count if kind == Kind::String => {
                    visit.text(inside.len() as u64);
                    visit.varied(inside, kind, true);
                }
                Want::Vary => visit.varied(inside, kind, false),
                Want::Keep(slot) => visit.kept(slot, rest.get(..len).filter(|raw| raw.len() <= KEEP_LIMIT)),
                Want::Skip | Want::Count | Want::Enter(_) => {}
            }
            at = start + len;
            match piece.get(at..) {
                Some([b',', b'"', ..]) => at += 1,
                _ => {
                    self.state = State::After;
                    break;
                }
            }
        }
        at
    }
}

/// The kind of a value, by its first byte; `None` when none begins so.
#[inline]
pub(super) fn kind(first: u8) -> Option<Kind> {
    Some(match first {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::String,
        b'n' => Kind::Null,
        b'-' | b'0'..=b'9' | b't' | b'f' => Kind::Scalar,
        _ => return None,
    })
}

/// The member's name that begins at `at`, and its value's beginning and first byte, if they stand together.
#[inline]
pub(super) fn simple_name(piece: &[u8], at: usize) -> Option<(&[u8], usize, u8)> {
    let rest = piece.get(at + 1..)?;
    let (name, behind) = rest.split_at_checked(plain_run(rest))?;
    match behind {
        [b'"', b':', first, ..] if !is_space(*first) => Some((name, at + 1 + name.len() + 2, *first)),
        _ => None,
    }
}

/// Whether a byte ends a number or word.
#[inline]
pub(super) fn ends_scalar(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b',' | b']' | b'}')
}

#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
