//! XXH64 with seed 0: a plain, fast 64-bit hash that is the same in every VM.
//!
//! In: bytes or hashes. Out: a hash. Whoever wants two things to collide can have that, so it only ever compares what one
//! session sends with what the same session sent before, and what one operator writes with what they wrote before; whose
//! session it is is told by SHA-256 ([`crate::guard::table`]).

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

#[inline]
fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2))
        .rotate_left(31)
        .wrapping_mul(P1)
}

fn avalanche(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}

/// The hash of bytes.
pub fn of(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut hash = if blocks.is_empty() {
        P5
    } else {
        let mut lanes = [P1.wrapping_add(P2), P2, 0, 0_u64.wrapping_sub(P1)];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let [a, b, c, d] = lanes;
        let sum = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        lanes.into_iter().fold(sum, |hash, lane| {
            (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4)
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        hash ^= round(0, u64::from_le_bytes(*word));
        hash = hash.rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        hash ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(P1);
        hash = hash.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(P5);
        hash = hash.rotate_left(11).wrapping_mul(P1);
    }
    avalanche(hash)
}

/// Whether two texts are the same. On wasm32 the standard library compares byte by byte, which takes eight times as long.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    let equal = |(one, other): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*one) == u64::from_le_bytes(*other);
    one.len() == other.len() && words.iter().zip(other_words).all(equal) && rest == other_rest
}

/// One hash of two, in this order.
pub fn both(first: u64, second: u64) -> u64 {
    avalanche(round(round(P5, first), second))
}

/// A hash in 32 bits, never 0: 0 says that there is nothing.
pub fn short(hash: u64) -> u32 {
    ((hash ^ (hash >> 32)) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_xxh64() {
        for (text, hash) in [
            ("", 0xEF46_DB37_51D8_E999),
            ("a", 0xD24E_C4F1_A98C_6E5B),
            ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] {
            assert_eq!(of(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn the_same_is_the_same_to_its_last_byte() {
        let text = b"0123456789abcdefghi";
        for length in 0..text.len() {
            assert!(same(&text[..length], &text.to_vec()[..length]), "{length}");
            assert!(!same(&text[..length], &text[..length + 1]), "{length}");
            for wrong in 0..length {
                let mut other = text.to_vec();
                other[wrong] ^= 1;
                assert!(!same(&text[..length], &other[..length]), "{length} {wrong}");
            }
        }
    }

    #[test]
    fn order_matters_to_two_and_nothing_is_never_short() {
        assert_ne!(both(1, 2), both(2, 1));
        assert_eq!(short(0), 1);
    }
}
