//! How hard a model is to think, in the words of its generation.
//!
//! In: what the client asked for. Out: a `thinkingConfig`. A third generation's model takes a level, one of 2.5 a number of
//! tokens; the numbers for levels are those of Google's own OpenAI-compatible endpoint
//! (ai.google.dev/gemini-api/docs/openai, "Thinking"). Some cannot be kept from thinking: they get the least, as a loss.

use super::body::ThinkingConfig;
use super::model::{Model, Thinking};
use crate::conversation::{Effort, Losses, Reasoning};

/// The tokens that stand for an effort, and the other way round.
const LOW: u64 = 1024;
const MEDIUM: u64 = 8192;
const HIGH: u64 = 24_576;

/// What to say of a wish; `None`: nothing.
pub(super) fn config(model: Model, wish: Reasoning, losses: &mut Losses) -> Option<ThinkingConfig> {
    let mut config = ThinkingConfig::default();
    match model.thinking() {
        Thinking::None => {
            if wish.effort.is_some_and(|effort| effort != Effort::Off) || wish.budget.is_some_and(|budget| budget > 0) {
                losses.hint("reasoning_effort");
            }
            return None;
        }
        Thinking::Levels { minimal, medium } => {
            let effort = wish.effort.or_else(|| {
                let budget = wish.budget?;
                losses.hint("thinking");
                Some(effort(budget))
            });
            config.thinking_level = effort.map(|effort| level(effort, minimal, medium, losses));
        }
        Thinking::Budget {
            least,
            most,
            can_be_off,
        } => {
            config.thinking_budget = match wish.budget.or_else(|| wish.effort.map(tokens)) {
                Some(0) if can_be_off => Some(0),
                Some(0) => {
                    losses.hint("reasoning_effort");
                    Some(least)
                }
                wanted => wanted.map(|wanted| wanted.clamp(least, most)),
            };
        }
    }
    config.include_thoughts = wish.shown.filter(|&shown| shown);
    (config != ThinkingConfig::default()).then_some(config)
}

fn tokens(effort: Effort) -> u64 {
    match effort {
        Effort::Off => 0,
        Effort::Minimal | Effort::Low => LOW,
        Effort::Medium => MEDIUM,
        Effort::High => HIGH,
        // As much as the model may; it is cut to that.
        Effort::XHigh | Effort::Max => u64::MAX,
    }
}

fn effort(tokens: u64) -> Effort {
    match tokens {
        0 => Effort::Off,
        1..=LOW => Effort::Low,
        ..=MEDIUM => Effort::Medium,
        _ => Effort::High,
    }
}

fn level(effort: Effort, minimal: bool, medium: bool, losses: &mut Losses) -> &'static str {
    match effort {
        Effort::Off => {
            losses.hint("reasoning_effort");
            if minimal { "MINIMAL" } else { "LOW" }
        }
        Effort::Minimal if minimal => "MINIMAL",
        Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium if medium => "MEDIUM",
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(model: &str, effort: Option<Effort>, budget: Option<u64>) -> (String, usize) {
        let mut losses = Losses::default();
        let wish = Reasoning {
            effort,
            budget,
            shown: None,
        };
        let config = config(Model::of(model), wish, &mut losses);
        (serde_json::to_string(&config).unwrap(), losses.iter().count())
    }

    #[test]
    fn each_generation_is_told_in_its_own_words() {
        for (model, effort, budget, expected, lost) in [
            (
                "gemini-3.1-pro-preview",
                Some(Effort::Minimal),
                None,
                r#"{"thinkingLevel":"LOW"}"#,
                0,
            ),
            (
                "gemini-3-flash-preview",
                Some(Effort::Off),
                None,
                r#"{"thinkingLevel":"MINIMAL"}"#,
                1,
            ),
            (
                "gemini-3-flash-preview",
                Some(Effort::Max),
                None,
                r#"{"thinkingLevel":"HIGH"}"#,
                0,
            ),
            (
                "gemini-3-flash-preview",
                None,
                Some(5000),
                r#"{"thinkingLevel":"MEDIUM"}"#,
                1,
            ),
            (
                "gemini-2.5-flash",
                Some(Effort::Off),
                None,
                r#"{"thinkingBudget":0}"#,
                0,
            ),
            (
                "gemini-2.5-pro",
                Some(Effort::Off),
                None,
                r#"{"thinkingBudget":128}"#,
                1,
            ),
            (
                "gemini-2.5-pro",
                Some(Effort::Max),
                None,
                r#"{"thinkingBudget":32768}"#,
                0,
            ),
            ("gemini-2.5-flash-lite", None, Some(100), r#"{"thinkingBudget":512}"#, 0),
            (
                "gemini-2.5-flash",
                Some(Effort::High),
                Some(3000),
                r#"{"thinkingBudget":3000}"#,
                0,
            ),
            ("gemini-2.0-flash", Some(Effort::High), None, "null", 1),
            ("gemini-2.5-flash", None, None, "null", 0),
        ] {
            assert_eq!(
                asked(model, effort, budget),
                (expected.to_owned(), lost),
                "{model} {effort:?}"
            );
        }
    }

    #[test]
    fn thoughts_are_shown_when_asked_for() {
        let wish = Reasoning {
            shown: Some(true),
            ..Reasoning::default()
        };
        let config = config(Model::of("gemini-2.5-pro"), wish, &mut Losses::default());
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"includeThoughts":true}"#);
    }
}
