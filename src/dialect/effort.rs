//! OpenAI's words for how hard a model is to think, which both of its APIs have.
//!
//! In: an [`Effort`] or a word. Out: the other. Which of them a model takes, each API knows for itself.
//!
//! Source: openai-python, `types/shared/reasoning_effort.py`.

use crate::conversation::Effort;

/// The word for it.
pub(super) fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}

/// The effort of this word.
pub(super) fn named(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::Off,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_it_is_written() {
        use Effort::{High, Low, Max, Medium, Minimal, Off, XHigh};
        for effort in [Off, Minimal, Low, Medium, High, XHigh, Max] {
            assert_eq!(named(word(effort)), Some(effort));
        }
        assert_eq!(named("off"), None);
    }
}
