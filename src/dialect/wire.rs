//! What the numbers in a usage object look like on the wire.

/// A usage object that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;
