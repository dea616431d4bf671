//! What the numbers in a usage object look like on the wire.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A usage object that cannot be read: what it says is unknown, which is not the same as nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A number of tokens. Some providers write whole numbers as `12.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number of tokens")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
                // More than any text has: a sum of such numbers would no longer be one.
                const MOST: u64 = 1 << 53;
                if value <= MOST {
                    Ok(Count(value))
                } else {
                    Err(E::custom("not a number of tokens"))
                }
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Count, E> {
                if value >= 0.0 && value.fract() == 0.0 {
                    self.visit_u64(value as u64)
                } else {
                    Err(E::custom("not a number of tokens"))
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A number that may be absent or `null`.
pub(super) type Maybe = Option<Count>;

/// The first of several spellings of a number.
pub(super) fn first(spellings: &[Maybe]) -> Option<u64> {
    spellings.iter().flatten().next().map(|count| count.0)
}

/// Takes as much of `wanted` out of `rest` as there is: a part never exceeds its whole.
pub(super) fn part(rest: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*rest);
    *rest -= taken;
    taken
}
