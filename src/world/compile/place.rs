//! Where something is written: a path that is put into words only where there is something to say of it.
//!
//! Ten thousand keys without a mistake have some hundred thousand numbers in them that each could be one.

use crate::document;

/// A place in the document, by way of the one that it is in.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// The path itself; empty for the document as a whole.
    At(&'p str),
    /// An object's member.
    Member(&'p Place<'p>, &'p str),
    /// An array's element.
    Element(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    pub(super) fn member(&'p self, name: &'p str) -> Self {
        Self::Member(self, name)
    }

    pub(super) fn element(&'p self, index: usize) -> Self {
        Self::Element(self, index)
    }
}

impl From<Place<'_>> for String {
    fn from(place: Place<'_>) -> Self {
        match place {
            Place::At(path) => path.to_owned(),
            Place::Member(parent, name) => document::member(&Self::from(*parent), name),
            Place::Element(parent, index) => format!("{}[{index}]", Self::from(*parent)),
        }
    }
}
