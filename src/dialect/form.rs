//! The form of an answer, asked for in words.
//!
//! In: a [`Format`]. Out: what a model is told where its provider does not enforce the form. That it is only told is a hint
//! that is lost: it does not know who tells it.

use crate::conversation::Format;

/// What a model is told; `None`: it may answer as it likes.
pub(super) fn words(format: &Format) -> Option<String> {
    match format {
        Format::Text => None,
        Format::Object => {
            Some("Answer with one JSON object and nothing else: no text around it and no code fence.".to_owned())
        }
        Format::Schema { schema, .. } => Some(format!(
            "Answer with one JSON value and nothing else: no text around it and no code fence. It must conform to this \
             JSON Schema:\n{}",
            schema.get()
        )),
    }
}
