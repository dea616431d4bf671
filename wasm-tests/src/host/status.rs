//! The answers to host calls.

/// The statuses that the SDK knows; any other number would be undefined behaviour in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such key, header, metric or buffer.
    NotFound = 1,
    /// Not now, or not with these arguments.
    BadArgument = 2,
    /// A value that has no bytes.
    SerializationFailure = 3,
    /// Arguments that could not be read.
    ParseFailure = 4,
    /// Nothing in the queue.
    Empty = 7,
    /// Someone else was first.
    CasMismatch = 8,
    /// The host is at fault.
    InternalFailure = 10,
}
