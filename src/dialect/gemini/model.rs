//! What a model's name tells of what it takes.
//!
//! In: the provider's name for a model. Out: its generation and what follows from it. It is a guess where a name says
//! nothing: such names (`gemini-flash-latest`) stand for the newest.
//!
//! Sources: ai.google.dev/gemini-api/docs/generate-content/thinking (levels and budgets),
//! …/generate-content/whats-new-gemini-3.6 (parameters that newer models no longer take), …/docs/gemini-3 (function calls).

/// A model, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// Major and minor version; `None`: it is no Gemini (Gemma, a tuned model).
    version: Option<(u32, u32)>,
    size: Size,
    /// Made for something else than text.
    special: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Pro,
    Flash,
    Lite,
}

/// How a model is told how hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// By a level.
    Levels {
        /// Whether it takes `MINIMAL`.
        minimal: bool,
        /// Whether it takes `MEDIUM`.
        medium: bool,
    },
    /// By a number of tokens.
    Budget {
        /// The least, when it thinks.
        least: u64,
        /// The most.
        most: u64,
        /// Whether 0 turns it off.
        can_be_off: bool,
    },
    /// Not at all.
    None,
}

impl Model {
    /// Of a name, with or without what stands in front of it.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let version = name.split_once("gemini-").map(|(_, rest)| {
            let number = rest.split('-').next().unwrap_or_default();
            let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
            major
                .parse()
                .map_or((u32::MAX, 0), |major| (major, minor.parse().unwrap_or_default()))
        });
        let size = match () {
            () if name.contains("lite") => Size::Lite,
            () if name.contains("flash") => Size::Flash,
            () => Size::Pro,
        };
        let special = ["image", "tts", "audio", "live"].iter().any(|word| name.contains(word));
        Self { version, size, special }
    }

    /// How it is told how hard to think.
    pub(super) fn thinking(self) -> Thinking {
        match self.version {
            _ if self.special => Thinking::None,
            Some(version) if version >= (3, 0) => Thinking::Levels {
                minimal: self.size != Size::Pro,
                medium: self.size != Size::Pro || version > (3, 0),
            },
            Some((2, 5)) => match self.size {
                Size::Pro => budget(128, 32_768, false),
                Size::Flash => budget(0, 24_576, true),
                Size::Lite => budget(512, 24_576, true),
            },
            _ => Thinking::None,
        }
    }

    /// Whether calls have ids, tools may answer with pictures, and functions and JSON answers go together.
    pub(super) fn is_third(self) -> bool {
        self.version.is_some_and(|version| version >= (3, 0))
    }

    /// Whether it ignores temperature, top-p and top-k, and refuses penalties and a model's turn at the end.
    pub(super) fn samples_alone(self) -> bool {
        let from = match self.size {
            Size::Lite => (3, 5),
            Size::Pro | Size::Flash => (3, 6),
        };
        // An alias may stand for an older one, which minds; it is not refused for what it does not get.
        self.version.is_some_and(|version| version >= from)
    }
}

fn budget(least: u64, most: u64, can_be_off: bool) -> Thinking {
    Thinking::Budget {
        least,
        most,
        can_be_off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        for (name, third, alone) in [
            ("gemini-2.5-pro", false, false),
            ("models/gemini-3-pro-preview", true, false),
            ("gemini-3.1-flash-lite", true, false),
            ("gemini-3.5-flash", true, false),
            ("gemini-3.5-flash-lite", true, true),
            ("publishers/google/models/gemini-3.6-flash", true, true),
            ("gemini-flash-latest", true, true),
            ("gemma-3-27b-it", false, false),
        ] {
            let model = Model::of(name);
            assert_eq!((model.is_third(), model.samples_alone()), (third, alone), "{name}");
        }
        assert_eq!(Model::of("gemini-2.5-pro").thinking(), budget(128, 32_768, false));
        assert_eq!(Model::of("gemini-2.0-flash").thinking(), Thinking::None);
        assert_eq!(Model::of("gemini-2.5-flash-image").thinking(), Thinking::None);
        let levels = |minimal, medium| Thinking::Levels { minimal, medium };
        assert_eq!(Model::of("gemini-3-pro-preview").thinking(), levels(false, false));
        assert_eq!(Model::of("gemini-3.1-pro-preview").thinking(), levels(false, true));
        assert_eq!(Model::of("gemini-3-flash-preview").thinking(), levels(true, true));
    }
}
