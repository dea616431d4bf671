//! What is asked and told while a document passes.

use std::ops::Range;

/// What kind of value begins, as far as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    String,
    /// A number or boolean.
    Scalar,
    /// `null`
    Null,
}

/// What to do with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    Skip,
    /// Look into an object or array; this names the place of what is in it.
    Enter(u8),
    /// Count the bytes of text that a string stands for.
    Count,
    /// Hand over the raw bytes, under this number.
    Keep(u8),
    /// Nothing, but note that it is different each time.
    Vary,
}

/// Hears what stands in a document.
pub trait Visit {
    /// A value begins in a place, as a member of this name or (without a name) as an element.
    fn member(&mut self, place: u8, name: &[u8], kind: Kind) -> Want;
    /// More bytes of text in a string that was to be counted.
    fn text(&mut self, bytes: u64);
    /// The raw bytes of a value that was to be kept, or `None` when they were more than [`KEEP_LIMIT`](super::KEEP_LIMIT).
    fn kept(&mut self, slot: u8, raw: Option<&[u8]>);
    /// A value that was wanted as [`Want::Count`] or [`Want::Vary`] stood whole in this span of the piece; of a string,
    /// the span between its quotes.
    fn varied(&mut self, _span: Range<usize>, _kind: Kind, _counted: bool) {}
}
