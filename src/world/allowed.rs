//! What a key may use: models, and of one that stands for many names the part of them that the key's list means.
//!
//! In: a model and the name it was asked for by. Out: whether it may be. Which patterns mean what was worked out before.

use std::sync::Arc;

use super::ModelId;

/// The models a key may use.
#[derive(Clone, Debug)]
pub enum Allowed {
    /// Every model.
    All,
    /// These ones. Keys with the same list share it.
    Only(Arc<Only>),
}

/// Certain models.
#[derive(Debug, Default)]
pub struct Only {
    /// In ascending order; those too of which only some names may be asked for.
    pub(super) models: Box<[ModelId]>,
    /// Of models that stand for many names: which of them, where not all.
    pub(super) parts: Box<[(ModelId, Part)]>,
}

/// Some of the names that a model stands for.
#[derive(Debug)]
pub(super) enum Part {
    /// This one.
    Name(Box<str>),
    /// Those that begin so.
    Prefix(Box<str>),
}

impl Allowed {
    /// Whether `model` is among them, or some of the names that it stands for are.
    pub fn contains(&self, model: ModelId) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only.models.binary_search(&model).is_ok(),
        }
    }

    /// Whether `model` may be asked for by this name, which is one of its own.
    pub fn permits(&self, model: ModelId, asked: &str) -> bool {
        let Self::Only(only) = self else { return true };
        let mut parts = only.parts.iter().filter(|(of, _)| *of == model).peekable();
        let whole = parts.peek().is_none();
        self.contains(model) && (whole || parts.any(|(_, part)| part.has(asked)))
    }
}

impl Only {
    /// The models, in ascending order; those too of which only some names may be asked for.
    pub fn models(&self) -> &[ModelId] {
        &self.models
    }
}

impl Part {
    fn has(&self, asked: &str) -> bool {
        match self {
            Self::Name(name) => **name == *asked,
            Self::Prefix(prefix) => asked.starts_with(&**prefix),
        }
    }
}
