//! What a model's name tells of what it takes.
//!
//! In: a model's id or that of an inference profile (`us.anthropic.claude-sonnet-4-6`). Out: its maker, and what of Converse
//! it takes; the rest that is to be known of a Claude is in `dialect::claude`. An application's own profile has a name that
//! tells nothing; it gets what every model takes.
//!
//! Sources: Bedrock's user guide, "Supported models and model features" (Converse), "Prompt caching", "Structured outputs",
//! "Adaptive thinking"; Anthropic's "Thinking" and "What's new" of each model; Nova's "Extended thinking".

use crate::dialect::claude;

/// A model, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Anthropic's.
    Claude(claude::Model),
    /// Amazon's, of this generation.
    Nova(u32),
    /// OpenAI's open weights.
    GptOss,
    /// Another's open weights, which Bedrock serves itself and can bind to a schema.
    Open,
    /// Anything else.
    Other,
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
        if name.contains("claude") {
            return Self::Claude(claude::Model::named(&name, claude::OLDEST));
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

    fn is_claude_since(self, since: claude::Version) -> bool {
        self.claude().is_some_and(|model| model.since(since))
    }

    /// The model, where it is one of Anthropic's.
    fn claude(self) -> Option<claude::Model> {
        match self {
            Self::Claude(model) => Some(model),
            _ => None,
        }
    }

    /// Whether it is one of Anthropic's.
    pub(super) fn is_claude(self) -> bool {
        matches!(self, Self::Claude(_))
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
        matches!(self, Self::GptOss | Self::Open) || self.claude().is_some_and(claude::Model::takes_schema)
    }

    /// Whether a tool's result can say that it failed.
    pub(super) fn takes_status(self) -> bool {
        matches!(self, Self::Nova(_)) || self.is_claude()
    }

    /// Whether it cannot be made to call a tool at all.
    pub(super) fn is_never_forced(self) -> bool {
        self.claude().is_some_and(|model| model.force() == claude::Force::None)
    }

    /// Whether it refuses `temperature`, `topP` and `top_k`.
    pub(super) fn refuses_sampling(self) -> bool {
        self.claude().is_some_and(claude::Model::refuses_sampling)
    }

    /// Whether it refuses `temperature` and `topP` together.
    pub(super) fn refuses_both(self) -> bool {
        self.claude().is_some_and(claude::Model::refuses_both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_maker() {
        for name in ["anthropic.claude-opus-4-6-v1", "anthropic.claude-v2:1"] {
            assert!(Model::of(name).is_claude(), "{name}");
        }
        for (name, model) in [
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
        assert!(of("anthropic.claude-3-5-sonnet-20241022-v2:0").caches_tools());
        assert!(!of("us.anthropic.claude-3-haiku-20240307-v1:0").caches());
        assert!(of("amazon.nova-pro-v1:0").caches() && !of("amazon.nova-pro-v1:0").caches_tools());
        assert!(!of("meta.llama3-1-70b-instruct-v1:0").caches());
    }
}
