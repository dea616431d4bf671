//! What a piece of JSON says, as a hash, however it is spelled.
//!
//! In: JSON. Out: a hash in which the order of members, white space, escapes and the spelling of small numbers do not
//! count. It does not build what it reads: an object's hash is the sum of its members', which needs no sorting.

use crate::hash;
use crate::json::strict::{self, Cursor, Kind, Wrong};

/// The deepest nesting that is read; what is deeper counts as it is spelled.
const DEEPEST: usize = 32;

/// Longer numbers may say more than a double can hold, and count as they are spelled.
const LONGEST_NUMBER: usize = 15;

/// The hash of a tool's arguments as they stand in a request: JSON, or a string that holds JSON or anything else.
pub fn of_arguments(raw: &[u8]) -> u64 {
    let inside = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    match inside {
        Some(inside) => match strict::unescaped(inside) {
            Some(text) => of_document(&text).unwrap_or_else(|| hash::of(&text)),
            None => hash::of(inside),
        },
        None => of_document(raw).unwrap_or_else(|| hash::of(raw)),
    }
}

/// The hash of a JSON document; `None` when it is none.
pub fn of_document(text: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(text);
    let hash = value(&mut cursor, 0).ok()?;
    cursor.finish().ok()?;
    Some(hash)
}

/// The hash of the value at the cursor, which passes it.
fn value(cursor: &mut Cursor, depth: usize) -> Result<u64, Wrong> {
    match cursor.next_token() {
        Some(b'{') if depth < DEEPEST => {
            let mut members = 0_u64;
            cursor.object(|cursor, name, _| {
                let name = hash::of(name);
                let value = value(cursor, depth + 1)?;
                members = members.wrapping_add(hash::both(name, value));
                Ok::<(), Wrong>(())
            })?;
            Ok(tagged(b'{', members))
        }
        Some(b'[') if depth < DEEPEST => {
            cursor.expect(b'[', "expected '['")?;
            let mut elements = 0;
            if cursor.next_token() == Some(b']') {
                cursor.expect(b']', "expected ']'")?;
                return Ok(tagged(b'[', elements));
            }
            loop {
                elements = hash::both(elements, value(cursor, depth + 1)?);
                if cursor.next_token() == Some(b',') {
                    cursor.expect(b',', "expected ','")?;
                } else {
                    cursor.expect(b']', "expected ',' or ']'")?;
                    return Ok(tagged(b'[', elements));
                }
            }
        }
        _ => {
            let (kind, span) = cursor.value(depth, &mut ())?;
            let raw = cursor.slice(span);
            Ok(match kind {
                Kind::String => {
                    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
                    let text = strict::unescaped(inside);
                    tagged(b'"', hash::of(text.as_deref().unwrap_or(inside)))
                }
                Kind::Number => tagged(b'0', number(raw)),
                _ => tagged(b'=', hash::of(raw)),
            })
        }
    }
}

fn tagged(kind: u8, hash: u64) -> u64 {
    hash::both(u64::from(kind), hash)
}

fn number(raw: &[u8]) -> u64 {
    let value = std::str::from_utf8(raw)
        .ok()
        .filter(|text| text.len() <= LONGEST_NUMBER)
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|value| value.is_finite());
    match value {
        // 0 and -0 are one number.
        Some(value) => (value + 0.0).to_bits(),
        None => hash::of(raw),
    }
}

#[cfg(test)]
mod tests;
