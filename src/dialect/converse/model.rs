//! What a model's name tells of what it takes.
//!
//! In: a model's id or that of an inference profile (`us.anthropic.claude-sonnet-4-6`). Out: its maker and, for Claude and
//! Nova, its version. An application's own profile has a name that tells nothing; it gets what every model takes.
//!
//! Sources: Bedrock's user guide, "Supported models and model features" (Converse), "Prompt caching", "Structured outputs",
//! "Adaptive thinking"; Anthropic's "Thinking" and "What's new" of each model; Nova's "Extended thinking".

/// A model, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Anthropic's.
    Claude {
        line: Line,
        /// Major and minor.
        version: (u32, u32),
    },
    /// Amazon's, of this generation.
    Nova(u32),
    /// OpenAI's open weights.
    GptOss,
    /// Another's open weights, which Bedrock serves itself and can bind to a schema.
    Open,
    /// Anything else.
    Other,
}

/// The lines of Claude, as far as they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Haiku,
    Sonnet,
    Opus,
    /// Fable and Mythos.
    Mythos,
}

/// How a Claude is asked not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    Silence,
    Disabled,
    BetweenTools,
    /// It cannot be; the lowest effort comes closest.
    Lowest,
}

/// Makers whose models Bedrock serves itself and binds to a schema.
const OPEN: [&str; 8] = [
    "qwen.",
    "deepseek.v",
    "moonshot",
    "minimax.",
    "zai.",
    "google.gemma",
    "nvidia.",
    "mistral.",
];

impl Model {
    /// The model of this name.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if let Some((_, rest)) = name.rsplit_once("claude") {
            return claude(rest);
        }
        if let Some((_, rest)) = name.rsplit_once("nova-") {
            return Self::Nova(rest.split('-').next().and_then(|word| word.parse().ok()).unwrap_or(1));
        }
        match () {
            () if name.contains("gpt-oss") => Self::GptOss,
            () if OPEN.iter().any(|maker| name.contains(maker)) => Self::Open,
            () => Self::Other,
        }
    }

    fn is_claude_since(self, since: (u32, u32)) -> bool {
        matches!(self, Self::Claude { version, .. } if version >= since)
    }

    /// Whether it is one of Anthropic's.
    pub(super) fn is_claude(self) -> bool {
        matches!(self, Self::Claude { .. })
    }

    /// Whether it takes cache points in messages and instructions.
    pub(super) fn caches(self) -> bool {
        matches!(self, Self::Nova(_)) || self.is_claude_since((3, 5))
    }

    /// Whether it takes one behind the tools.
    pub(super) fn caches_tools(self) -> bool {
        self.is_claude_since((3, 5))
    }

    /// Whether a cache point may be for an hour.
    pub(super) fn caches_for_an_hour(self) -> bool {
        self.is_claude_since((4, 5))
    }

    /// Whether an answer can be bound to a schema, and calls to theirs.
    pub(super) fn takes_schema(self) -> bool {
        matches!(self, Self::GptOss | Self::Open) || self.is_claude_since((4, 5))
    }

    /// Whether a tool's result can say that it failed.
    pub(super) fn takes_status(self) -> bool {
        matches!(self, Self::Nova(_)) || self.is_claude()
    }

    /// Whether it decides itself how much to think, led by an effort.
    pub(super) fn is_adaptive(self) -> bool {
        self.is_claude_since((4, 6))
    }

    /// Whether it thinks with a budget of tokens.
    pub(super) fn takes_budget(self) -> bool {
        self.is_claude_since((3, 7)) && !self.is_adaptive()
    }

    /// Whether it thinks where nothing is said.
    pub(super) fn thinks_unasked(self) -> bool {
        self.is_claude_since((5, 0)) || matches!(self, Self::Claude { line: Line::Mythos, .. })
    }

    /// How it is asked not to.
    pub(super) fn off(self) -> Off {
        match self {
            Self::Claude { line: Line::Mythos, .. } => Off::Lowest,
            Self::Claude { line: Line::Opus, .. } if self.is_claude_since((5, 5)) => Off::Lowest,
            Self::Claude { line: Line::Sonnet, .. } if self.is_claude_since((5, 5)) => Off::BetweenTools,
            _ if self.is_adaptive() => Off::Disabled,
            _ => Off::Silence,
        }
    }

    /// Whether it can be made to call a tool while it thinks.
    pub(super) fn is_forced_thinking(self) -> bool {
        match self {
            Self::Claude { line: Line::Haiku, .. } => false,
            Self::Claude { line: Line::Mythos, .. } => true,
            Self::Claude { .. } => self.is_claude_since((4, 8)),
            _ => true,
        }
    }

    /// Whether it cannot be made to call a tool at all.
    pub(super) fn is_never_forced(self) -> bool {
        match self {
            Self::Claude { line: Line::Haiku, .. } => false,
            Self::Claude { line: Line::Mythos, .. } => self.is_claude_since((5, 1)),
            Self::Claude { .. } => self.is_claude_since((5, 5)),
            _ => false,
        }
    }

    /// Whether it takes the effort `xhigh`.
    pub(super) fn takes_xhigh(self) -> bool {
        self.is_claude_since((4, 7))
    }

    /// Whether it refuses `temperature`, `topP` and `top_k`.
    pub(super) fn refuses_sampling(self) -> bool {
        self.is_claude_since((4, 7))
    }

    /// Whether it refuses `temperature` and `topP` together.
    pub(super) fn refuses_both(self) -> bool {
        self.is_claude_since((4, 1))
    }
}

fn claude(rest: &str) -> Model {
    let words = || {
        rest.split(['-', '.', ':', '/', '@', '_'])
            .filter(|word| !word.is_empty())
    };
    let line = words().find_map(|word| match word {
        "haiku" => Some(Line::Haiku),
        "sonnet" => Some(Line::Sonnet),
        "opus" => Some(Line::Opus),
        "fable" | "mythos" => Some(Line::Mythos),
        _ => None,
    });
    // What follows a date (eight digits) or `v1` is Bedrock's own version.
    let mut numbers = words()
        .take_while(|word| word.len() < 8 && !word.starts_with('v'))
        .filter_map(|word| word.parse().ok());
    let version = match (numbers.next(), line) {
        (Some(major), _) => (major, numbers.next().unwrap_or_default()),
        // Mythos Preview has no number and behaves like what came after it.
        (None, Some(Line::Mythos)) => (5, 0),
        (None, _) => (2, 0),
    };
    Model::Claude {
        // Before there were lines, what mattered was as with Haiku.
        line: line.unwrap_or(Line::Haiku),
        version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_maker_and_version() {
        let claude = |line, major, minor| Model::Claude {
            line,
            version: (major, minor),
        };
        for (name, model) in [
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", claude(Line::Sonnet, 3, 5)),
            ("us.anthropic.claude-3-haiku-20240307-v1:0", claude(Line::Haiku, 3, 0)),
            (
                "global.anthropic.claude-opus-4-5-20251101-v1:0",
                claude(Line::Opus, 4, 5),
            ),
            ("anthropic.claude-sonnet-4-20250514-v1:0", claude(Line::Sonnet, 4, 0)),
            ("anthropic.claude-opus-4-6-v1", claude(Line::Opus, 4, 6)),
            ("anthropic.claude-sonnet-5", claude(Line::Sonnet, 5, 0)),
            ("anthropic.claude-fable-5-1", claude(Line::Mythos, 5, 1)),
            ("anthropic.claude-mythos-preview", claude(Line::Mythos, 5, 0)),
            ("anthropic.claude-v2:1", claude(Line::Haiku, 2, 0)),
            (
                "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                claude(Line::Haiku, 4, 5),
            ),
            ("us.amazon.nova-2-lite-v1:0", Model::Nova(2)),
            ("amazon.nova-pro-v1:0", Model::Nova(1)),
            ("openai.gpt-oss-120b-1:0", Model::GptOss),
            ("qwen.qwen3-32b-v1:0", Model::Open),
            ("meta.llama3-1-70b-instruct-v1:0", Model::Other),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
                Model::Other,
            ),
        ] {
            assert_eq!(Model::of(name), model, "{name}");
        }
    }

    #[test]
    fn what_follows_from_a_version() {
        let of = Model::of;
        assert!(of("anthropic.claude-sonnet-4-5").takes_budget() && !of("anthropic.claude-sonnet-4-6").takes_budget());
        assert!(of("anthropic.claude-sonnet-4-6").is_adaptive());
        assert_eq!(of("anthropic.claude-fable-5").off(), Off::Lowest);
        assert_eq!(of("anthropic.claude-opus-5").off(), Off::Disabled);
        assert_eq!(of("anthropic.claude-opus-4-5").off(), Off::Silence);
        assert!(of("amazon.nova-pro-v1:0").caches() && !of("amazon.nova-pro-v1:0").caches_tools());
        assert!(!of("meta.llama3-1-70b-instruct-v1:0").caches());
    }
}
