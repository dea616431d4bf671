//! In what the Claude models differ, by name, whoever offers them and by whatever API.
//!
//! In: a provider's name of a model. Out: what it takes and refuses; in `thinking`, how it is asked to think. Names come in
//! several spellings
//! (`claude-opus-4-5-20251101`, `claude-3-7-sonnet-latest`, `us.anthropic.claude-sonnet-4-6-v1:0`, `claude-opus-4@20250514`,
//! `anthropic/claude-opus-4.6`). A version that is not known here is taken for a newer one of its family; a name that is no
//! Claude at all belongs to a server that follows Anthropic's API, of which only the oldest common ground is expected.
//!
//! Sources: Anthropic's pages "Models overview", "Thinking", "Troubleshooting thinking", "Effort", "Structured outputs" and
//! "What's new" of Claude 4.7, 4.8, Fable 5, Opus 5.5, Sonnet 5.5 and Haiku 5.5.

pub(super) mod thinking;

/// Major and minor.
pub(super) type Version = (u32, u32);

/// A version above all.
pub(super) const NEWEST: Version = (u32::MAX, 0);

/// A version below all that differ.
pub(super) const OLDEST: Version = (2, 0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Haiku,
    Sonnet,
    Opus,
    /// Fable and Mythos: one model under two names.
    Mythos,
    /// Another's model.
    Foreign,
}

/// A model of Anthropic's, or one behind a server that follows its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    family: Family,
    version: Version,
}

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It cannot.
    Never,
    /// With a budget of tokens.
    Budget,
    /// As it sees fit, led by an effort.
    Adaptive,
}

/// How a model is asked not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// By saying nothing.
    Silence,
    /// `disabled`
    Disabled,
    /// `between_tools`
    BetweenTools,
    /// It always thinks; the lowest effort comes closest.
    Lowest,
}

/// Whether a model can be made to call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
    /// Only while it does not think.
    Unthinking,
    /// Always.
    Any,
    /// Never.
    None,
}

impl Model {
    /// The model of this name; the version is this one where the name has a family alone.
    pub(super) fn named(name: &str, unnumbered: Version) -> Self {
        let foreign = Self {
            family: Family::Foreign,
            version: (0, 0),
        };
        let name = name.to_ascii_lowercase();
        let Some((_, name)) = name.rsplit_once("claude") else {
            return foreign;
        };
        let words = || {
            name.split(['-', '.', '@', ':', '/', '_'])
                .filter(|word| !word.is_empty())
        };
        let family = words().find_map(|word| match word {
            "haiku" => Some(Family::Haiku),
            "sonnet" => Some(Family::Sonnet),
            "opus" => Some(Family::Opus),
            "fable" | "mythos" => Some(Family::Mythos),
            _ => None,
        });
        // A date has eight digits; what follows one, or Bedrock's `v1`, is no version of the model any more.
        let numbers: Vec<u32> = words()
            .take_while(|word| word.len() < 8 && !word.starts_with('v'))
            .filter(|word| word.len() < 3)
            .filter_map(|word| word.parse().ok())
            .collect();
        let version = match (family, numbers.as_slice()) {
            // "Mythos Preview" has no number and behaves like what came after it.
            (Some(Family::Mythos), []) => (5, 0),
            (Some(_), []) => unnumbered,
            (None, []) => OLDEST,
            (_, [major]) => (*major, 0),
            (_, [major, minor, ..]) => (*major, *minor),
        };
        Self {
            // Claude 2 and Claude Instant had no families.
            family: family.unwrap_or(Family::Haiku),
            version,
        }
    }

    /// Whether it is a Claude of this version or a later one.
    pub(super) fn since(self, version: Version) -> bool {
        self.family != Family::Foreign && self.version >= version
    }

    /// The most tokens it answers with: "Max output" of the models overview. For another's, what most take.
    pub(super) fn longest(self) -> u64 {
        match (self.family, self.version) {
            (Family::Foreign, _) => 8192,
            (Family::Opus, (4, 0 | 1)) => 32_000,
            (_, (0..=2, _) | (3, 0)) => 4096,
            (_, (3, 1..=6)) => 8192,
            (Family::Opus, (4, 6..)) | (_, (5.., _)) => 128_000,
            _ => 64_000,
        }
    }

    /// How it is asked to think.
    pub(super) fn thinking(self) -> Thinking {
        match self.family {
            Family::Foreign => Thinking::Budget,
            _ if self.since((4, 6)) => Thinking::Adaptive,
            // Claude 3.7 Sonnet was the first.
            _ if self.since((3, 7)) => Thinking::Budget,
            _ => Thinking::Never,
        }
    }

    /// How it is asked not to think.
    pub(super) fn off(self) -> Off {
        match self.family {
            Family::Foreign => Off::Disabled,
            Family::Mythos => Off::Lowest,
            Family::Opus if self.since((5, 5)) => Off::Lowest,
            Family::Sonnet if self.since((5, 5)) => Off::BetweenTools,
            _ if self.since((4, 6)) => Off::Disabled,
            _ => Off::Silence,
        }
    }

    /// Whether it thinks where nothing is said.
    pub(super) fn thinks_unasked(self) -> bool {
        self.family == Family::Mythos || self.since((5, 0))
    }

    /// Whether it can be made to call a tool.
    pub(super) fn force(self) -> Force {
        match self.family {
            Family::Mythos if self.since((5, 1)) => Force::None,
            Family::Opus | Family::Sonnet if self.since((5, 5)) => Force::None,
            Family::Mythos => Force::Any,
            Family::Opus | Family::Sonnet if self.since((4, 8)) => Force::Any,
            _ => Force::Unthinking,
        }
    }

    /// Whether it takes the effort `xhigh`; `max` is taken wherever thinking is adaptive.
    pub(super) fn takes_xhigh(self) -> bool {
        self.since((4, 7))
    }

    /// Whether `temperature`, `top_p` and `top_k` are refused.
    pub(super) fn refuses_sampling(self) -> bool {
        self.since((4, 7))
    }

    /// Whether `temperature` and `top_p` are refused together.
    pub(super) fn refuses_both(self) -> bool {
        self.since((4, 1))
    }

    /// Whether it refuses to go on with a turn of its own that is not over ("prefill").
    pub(super) fn refuses_prefill(self) -> bool {
        self.since((4, 6))
    }

    /// Whether it takes `output_config.format` and strict tools.
    pub(super) fn takes_schema(self) -> bool {
        self.since((4, 5))
    }
}

/// Whether a seal can be one of Anthropic's. They are opaque and another's is refused, so whatever is known not to be one
/// is left out: OpenAI's `encrypted_content` is a Fernet token, which begins with a version and the upper bytes of a time,
/// and the form in which it comes through another dialect has colons, which Base64 has not.
pub(super) fn may_be_anthropics(seal: &str) -> bool {
    !seal.is_empty() && !seal.starts_with("gAAAA") && !seal.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_many_spellings() {
        let cases = [
            ("claude-opus-4-5-20251101", Family::Opus, (4, 5)),
            ("claude-opus-4-20250514", Family::Opus, (4, 0)),
            ("claude-opus-4@20250514", Family::Opus, (4, 0)),
            ("claude-3-7-sonnet-latest", Family::Sonnet, (3, 7)),
            ("claude-3-haiku-20240307", Family::Haiku, (3, 0)),
            ("us.anthropic.claude-sonnet-4-6-v1:0", Family::Sonnet, (4, 6)),
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", Family::Sonnet, (3, 5)),
            ("anthropic/claude-opus-4.6", Family::Opus, (4, 6)),
            ("claude-haiku-5-5", Family::Haiku, (5, 5)),
            ("claude-fable-5-1", Family::Mythos, (5, 1)),
            ("claude-mythos-preview", Family::Mythos, (5, 0)),
            ("claude-sonnet-5", Family::Sonnet, (5, 0)),
            ("claude-2.1", Family::Haiku, (2, 1)),
            ("anthropic.claude-v2:1", Family::Haiku, (2, 0)),
            ("anthropic.claude-opus-4-6-v1", Family::Opus, (4, 6)),
            (
                "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                Family::Haiku,
                (4, 5),
            ),
            ("kimi-k2", Family::Foreign, (0, 0)),
        ];
        for (name, family, version) in cases {
            assert_eq!(Model::named(name, NEWEST), Model { family, version }, "{name}");
        }
        for unnumbered in [NEWEST, OLDEST] {
            assert_eq!(Model::named("claude-sonnet", unnumbered).version, unnumbered);
        }
    }

    #[test]
    fn what_the_documentation_says_of_each() {
        let of = |name| Model::named(name, NEWEST);
        assert_eq!(of("claude-sonnet-4-5").thinking(), Thinking::Budget);
        assert_eq!(of("claude-3-5-haiku-20241022").thinking(), Thinking::Never);
        assert_eq!(of("claude-sonnet-4-6").thinking(), Thinking::Adaptive);
        assert_eq!(of("claude-sonnet-4-6").off(), Off::Disabled);
        assert_eq!(of("claude-sonnet-5-5").off(), Off::BetweenTools);
        assert_eq!(of("claude-opus-5").off(), Off::Disabled);
        assert_eq!(of("claude-opus-5-5").off(), Off::Lowest);
        assert_eq!(of("claude-fable-5").off(), Off::Lowest);
        assert_eq!(of("claude-opus-4-7").force(), Force::Unthinking);
        assert_eq!(of("claude-opus-4-8").force(), Force::Any);
        assert_eq!(of("claude-fable-5-1").force(), Force::None);
        assert!(!of("claude-opus-4-6").refuses_sampling() && of("claude-opus-4-7").refuses_sampling());
        assert!(of("claude-opus-5").thinks_unasked() && !of("claude-opus-4-8").thinks_unasked());
        let longest = [
            ("claude-3-opus-20240229", 4096),
            ("claude-3-5-sonnet-20241022", 8192),
            ("claude-3-7-sonnet-20250219", 64_000),
            ("claude-opus-4-1", 32_000),
            ("claude-haiku-4-5", 64_000),
            ("claude-sonnet-4-6", 64_000),
            ("claude-opus-4-6", 128_000),
            ("claude-haiku-5-5", 128_000),
            ("glm-5", 8192),
        ];
        for (name, tokens) in longest {
            assert_eq!(of(name).longest(), tokens, "{name}");
        }
    }
}
