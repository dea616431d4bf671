//! What a model takes, as far as its name says.
//!
//! In: a model's name as the provider has it. Out: which efforts it takes, whether it lets itself be sampled. Nothing is
//! known of a name that is not OpenAI's; such a model is asked in the words that all of them have.
//!
//! Sources: OpenAI's guide "Reasoning models", the descriptions of `reasoning_effort` and `stop` in its API reference, and
//! what it answers where tools and reasoning come together from GPT-5.4 on (openai/openai-openapi, issue 541: "Function
//! tools with reasoning_effort are not supported … use /v1/responses or set reasoning_effort to 'none'"); DeepSeek's guide "Thinking Mode".

use crate::conversation::{Effort, Reasoning};

/// A model, by its name.
#[derive(Clone, Copy)]
pub(super) struct Model<'a> {
    /// Without what stands before it (`openai/gpt-5`).
    name: &'a str,
    /// Whether something does: then it is another who offers it.
    is_resold: bool,
}

impl<'a> Model<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        match name.rsplit_once('/') {
            Some((_, name)) => Self { name, is_resold: true },
            None => Self { name, is_resold: false },
        }
    }

    /// The minor version of a GPT-5: 0 for `gpt-5-mini`, 2 for `gpt-5.2`. Later ones are like the last that is known.
    fn five(self) -> Option<u32> {
        let rest = self.name.strip_prefix("gpt-")?;
        let (major, rest) = rest.split_at_checked(1)?;
        match (major, rest.strip_prefix('.')) {
            ("5", Some(minor)) => {
                let end = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
                minor.get(..end)?.parse().ok()
            }
            ("5", None) => (rest.is_empty() || rest.starts_with('-')).then_some(0),
            ("6" | "7" | "8" | "9", _) => Some(u32::MAX),
            _ => None,
        }
    }

    /// One of those that reason before anything else.
    fn is_o(self) -> bool {
        ["o1", "o3", "o4"].iter().any(|name| self.name.starts_with(name))
    }

    /// Whether it reasons, and is OpenAI's.
    fn reasons(self) -> bool {
        self.is_o() || self.five().is_some() && !self.name.contains("-chat")
    }

    /// The efforts it takes; none: it takes no effort.
    fn efforts(self) -> &'static [Effort] {
        use Effort::{High, Low, Max, Medium, Minimal, Off, XHigh};
        if ["gpt-3", "gpt-4", "chatgpt-"]
            .iter()
            .any(|name| self.name.starts_with(name))
            || self.name.contains("-chat-latest")
        {
            return &[];
        }
        if self.is_o() || self.name.starts_with("gpt-oss") {
            return &[Low, Medium, High];
        }
        if self.is_deepseeks() {
            return &[Off, Minimal, Low, Medium, High, XHigh, Max];
        }
        match self.five() {
            None => &[Off, Low, Medium, High],
            Some(0) if self.name.contains("codex") => &[Low, Medium, High],
            Some(0) if self.name.contains("pro") => &[High],
            Some(0) => &[Minimal, Low, Medium, High],
            Some(1) if self.name.contains("max") => &[Off, Low, Medium, High, XHigh],
            Some(1) => &[Off, Low, Medium, High],
            Some(2..=5) => &[Off, Low, Medium, High, XHigh],
            Some(_) => &[Off, Low, Medium, High, XHigh, Max],
        }
    }

    /// The effort that comes nearest to what is wanted, and whether it is just that. `None`: it takes none.
    pub(super) fn effort(self, wanted: Effort) -> Option<(Effort, bool)> {
        let efforts = self.efforts();
        // Off is not lessened to a little while there is nothing below it.
        let near = efforts.iter().find(|effort| **effort >= wanted).or(efforts.last());
        near.map(|effort| (*effort, *effort == wanted))
    }

    /// Whether OpenAI lets it reason or call tools in chat completions, but not both.
    pub(super) fn reasons_or_calls(self) -> bool {
        !self.is_resold && self.reasons() && self.five().is_some_and(|minor| minor >= 4)
    }

    /// Whether it is DeepSeek's with DeepSeek, which takes every word for an effort, but to think not at all is a member
    /// of its own; and which wants to see again what it thought before a call.
    pub(super) fn is_deepseeks(self) -> bool {
        !self.is_resold && self.name.starts_with("deepseek")
    }

    /// Whether it takes `temperature`, `top_p` and penalties.
    pub(super) fn is_sampled(self, effort: Option<Effort>) -> bool {
        !self.reasons() || self.five().is_some_and(|minor| minor >= 1) && matches!(effort, None | Some(Effort::Off))
    }

    /// Whether it takes `stop`.
    pub(super) fn stops(self) -> bool {
        !self.reasons()
    }

    /// Whether it is Google's.
    pub(super) fn is_gemini(self) -> bool {
        self.name.contains("gemini")
    }

    /// Whether it is one of Mistral's, whose names all end so.
    pub(super) fn is_mistral(self) -> bool {
        ["stral", "mixtral"].iter().any(|name| self.name.contains(name))
    }
}

/// The effort that is wanted, where a number of tokens was said: the steps of Google's "OpenAI compatibility".
pub(super) fn wanted(reasoning: Reasoning) -> Option<Effort> {
    reasoning.effort.or(reasoning.budget.map(|budget| match budget {
        0 => Effort::Off,
        1..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }))
}
