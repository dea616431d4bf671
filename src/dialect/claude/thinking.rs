//! How much a Claude is to think, in Anthropic's words, which Bedrock takes too.
//!
//! In: what is asked, of which model, and how long its answer may be. Out: `thinking` and the effort, never such that the
//! request is refused for it; what cannot be had is a hint lost by name.
//!
//! Sources: Anthropic's pages "Thinking", "Troubleshooting thinking", "Effort" and "Extended thinking": a budget is at least
//! 1024 and less than `max_tokens`; with a budget, a turn that goes on after a tool's result must begin with a sealed
//! thought; a model that thinks cannot be made to call a tool (newer ones can). Bedrock's user guide says the same in
//! "Extended thinking" and "Adaptive thinking".

use serde::Serialize;

use super::{Force, Model, Off, Thinking as Kind, may_be_anthropics};
use crate::conversation::{Block, Choice, Effort, Losses, Reasoning, Request, Role};

/// What is said on thinking.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Thinking {
    pub(in crate::dialect) config: Option<Config>,
    pub(in crate::dialect) effort: Option<&'static str>,
    /// Whether the model will think.
    pub(in crate::dialect) on: bool,
}

/// `thinking`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::dialect) enum Config {
    Enabled {
        budget_tokens: u64,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Disabled,
    BetweenTools,
}

const LEAST_BUDGET: u64 = 1024;

impl Thinking {
    /// For a request that wishes this, and whose answer may have `longest` tokens, or as many as the model has.
    pub(in crate::dialect) fn of(
        request: &Request,
        wish: Option<Reasoning>,
        model: Model,
        longest: Option<u64>,
        losses: &mut Losses,
    ) -> Self {
        let forced = !request.tools.is_empty()
            && matches!(request.choice, Some(Choice::Any | Choice::Tool(_)))
            && model.force() == Force::Unthinking;
        let Some(reasoning) = wish else {
            return match forced && model.thinks_unasked() {
                true => Self::off(model, losses),
                false => Self {
                    on: model.thinks_unasked(),
                    ..Self::default()
                },
            };
        };
        if reasoning.effort == Some(Effort::Off) {
            return Self::off(model, losses);
        }
        if forced {
            losses.hint("reasoning_effort");
            return Self::off(model, losses);
        }
        match model.thinking() {
            Kind::Adaptive => Self {
                config: Some(Config::Adaptive {
                    display: reasoning
                        .shown
                        .map(|shown| if shown { "summarized" } else { "omitted" }),
                }),
                effort: effort(reasoning, model),
                on: true,
            },
            Kind::Budget => match budget(reasoning, longest).filter(|_| !needs_a_seal(request)) {
                Some(budget_tokens) => Self {
                    config: Some(Config::Enabled { budget_tokens }),
                    effort: None,
                    on: true,
                },
                None => {
                    losses.hint("reasoning_effort");
                    Self::default()
                }
            },
            Kind::Never => {
                losses.hint("reasoning_effort");
                Self::default()
            }
        }
    }

    fn off(model: Model, losses: &mut Losses) -> Self {
        let config = match model.off() {
            Off::Silence => None,
            Off::Disabled => Some(Config::Disabled),
            Off::BetweenTools => Some(Config::BetweenTools),
            Off::Lowest => {
                losses.hint("reasoning_effort");
                return Self {
                    config: None,
                    effort: Some("low"),
                    on: true,
                };
            }
        };
        Self {
            config,
            ..Self::default()
        }
    }
}

/// The effort, which is named or follows from a budget as budgets follow from it.
fn effort(reasoning: Reasoning, model: Model) -> Option<&'static str> {
    let effort = reasoning.effort.or(reasoning.budget.map(|budget| match budget {
        ..4096 => Effort::Low,
        4096..12_288 => Effort::Medium,
        12_288..=32_000 => Effort::High,
        _ => Effort::XHigh,
    }))?;
    Some(match effort {
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::XHigh if model.takes_xhigh() => "xhigh",
        Effort::High | Effort::XHigh => "high",
        Effort::Max => "max",
    })
}

/// The budget, which is named or follows from an effort; `None` where the answer is too short for any. A fifth of the
/// answer is kept for what is said.
fn budget(reasoning: Reasoning, longest: Option<u64>) -> Option<u64> {
    let wanted = reasoning.budget.unwrap_or(match reasoning.effort {
        Some(Effort::Off | Effort::Minimal) => LEAST_BUDGET,
        Some(Effort::Low) => 2048,
        Some(Effort::Medium) | None => 8192,
        Some(Effort::High) => 16_384,
        Some(Effort::XHigh) => 24_576,
        Some(Effort::Max) => 32_000,
    });
    match longest {
        // The model's own limit is above all of these but what a client wrote itself.
        None => Some(wanted.max(LEAST_BUDGET)),
        Some(longest) => {
            let budget = wanted.min(longest - longest / 5).max(LEAST_BUDGET);
            (budget < longest).then_some(budget)
        }
    }
}

/// Whether the model goes on after tools' results in a turn that it began without a sealed thought.
fn needs_a_seal(request: &Request) -> bool {
    let mut turns = request.turns.iter().rev();
    let results = turns.next().is_some_and(|turn| {
        turn.role == Role::User && turn.content.iter().any(|block| matches!(block, Block::Result { .. }))
    });
    // A turn is all that the model said since the user last said something of their own.
    let begun = turns
        .take_while(|turn| {
            turn.role == Role::Assistant || turn.content.iter().all(|block| matches!(block, Block::Result { .. }))
        })
        .filter(|turn| turn.role == Role::Assistant);
    let sealed = |block: &Block| match block {
        Block::Thought { signature, .. } => signature.as_deref().is_some_and(may_be_anthropics),
        Block::SealedThought { data } => may_be_anthropics(data),
        _ => false,
    };
    results
        && begun
            .last()
            .is_some_and(|turn| !turn.content.first().is_some_and(sealed))
}
