//! What OpenAI's models take, by their names.
//!
//! In: a model's name. Out: which effort it takes, and whether it samples. It knows OpenAI's names alone; of any other
//! model nothing is known, and what the client said is sent as it is.
//!
//! Source: OpenAI's guide on reasoning and the pages of its models: before GPT-5.1 there is no `none` and only GPT-5 takes
//! `minimal`; `xhigh` comes with GPT-5.1-Codex-Max and GPT-5.2, `max` with GPT-5.6; Codex models always reason; GPT-5 pro
//! takes `high` alone. Models that reason take neither `temperature` nor `top_p`, except with the effort `none`.

use crate::conversation::Effort;

/// Models that take the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// It does not reason.
    Plain,
    /// It reasons.
    Reasoning {
        /// The least effort.
        least: Effort,
        /// The greatest.
        most: Effort,
        /// Whether `minimal` is one of those between.
        minimal: bool,
    },
    /// Not a name of OpenAI's.
    Unknown,
}

impl Family {
    /// Of a model's name; what stands in front of a slash is a vendor's.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or_default();
        let within = |least, most| Self::Reasoning {
            least,
            most,
            minimal: least == Effort::Minimal,
        };
        let numbered = |prefix: &str| {
            let rest = name.strip_prefix(prefix)?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at_checked(end)?;
            Some((digits.parse::<u32>().ok()?, rest))
        };
        if numbered("o").is_some() || name.starts_with("codex-mini") {
            return within(Effort::Low, Effort::High);
        }
        if name.contains("-chat") && name.starts_with("gpt-5") || name.starts_with("chatgpt-") {
            return Self::Plain;
        }
        let Some((major, rest)) = numbered("gpt-") else {
            return Self::Unknown;
        };
        let minor = numbered("gpt-5.").map_or(0, |(minor, _)| minor);
        let codex = rest.contains("-codex");
        let pro = rest.contains("-pro");
        match (major, minor) {
            (..=4, _) => Self::Plain,
            (5, 0) if pro => within(Effort::High, Effort::High),
            (5, 0) if codex => within(Effort::Low, Effort::High),
            (5, 0) => within(Effort::Minimal, Effort::High),
            (5, 1) if rest.contains("-codex-max") => within(Effort::Low, Effort::XHigh),
            (5, 1) if codex => within(Effort::Low, Effort::High),
            (5, 1) => within(Effort::Off, Effort::High),
            (5, 2..=5) if pro => within(Effort::Medium, Effort::XHigh),
            (5, 2..=5) if codex => within(Effort::Low, Effort::XHigh),
            (5, 2..=5) => within(Effort::Off, Effort::XHigh),
            _ => within(Effort::Off, Effort::Max),
        }
    }

    /// The nearest effort that it takes. `None`: it takes none at all.
    pub(super) fn nearest(self, effort: Effort) -> Option<Effort> {
        match self {
            Self::Plain => None,
            Self::Unknown => Some(effort),
            Self::Reasoning { least, most, minimal } => {
                let known = match effort {
                    Effort::Minimal if !minimal => Effort::Low,
                    other => other,
                };
                Some(known.clamp(least, most))
            }
        }
    }

    /// Whether it reasons where nothing is said of it, as far as is known.
    pub(super) fn reasons(self) -> bool {
        matches!(self, Self::Reasoning { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_gets_an_effort_it_takes() {
        for (model, said, taken) in [
            ("gpt-4.1", Effort::High, None),
            ("gpt-4o-mini", Effort::High, None),
            ("gpt-5-chat-latest", Effort::High, None),
            ("o3", Effort::Off, Some(Effort::Low)),
            ("o4-mini-2025-04-16", Effort::Max, Some(Effort::High)),
            ("gpt-5", Effort::Off, Some(Effort::Minimal)),
            ("gpt-5-mini-2025-08-07", Effort::XHigh, Some(Effort::High)),
            ("gpt-5-pro", Effort::Low, Some(Effort::High)),
            ("openai/gpt-5.1", Effort::Minimal, Some(Effort::Low)),
            ("gpt-5.1", Effort::Off, Some(Effort::Off)),
            ("gpt-5.1-codex-max", Effort::Max, Some(Effort::XHigh)),
            ("gpt-5.4", Effort::Max, Some(Effort::XHigh)),
            ("gpt-5.6-terra", Effort::Max, Some(Effort::Max)),
            ("gpt-oss-120b", Effort::Minimal, Some(Effort::Minimal)),
            ("my-deployment", Effort::Max, Some(Effort::Max)),
        ] {
            assert_eq!(Family::of(model).nearest(said), taken, "{model}");
        }
    }
}
