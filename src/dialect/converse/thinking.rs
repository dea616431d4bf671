//! How hard a model is to think, in the words of its maker.
//!
//! In: a request and its model. Out: what goes into `additionalModelRequestFields` and `outputConfig.effort`, never such
//! that the request is refused for it; what cannot be had is a hint lost by name.
//!
//! - Claude from 4.6 on takes an effort, from 3.7 a budget: at least 1024 and less than `maxTokens`; with a budget, a turn
//!   that goes on after a tool's result must begin with a sealed thought, and no tool can be forced.
//! - Nova 2 takes an effort, of which `high` goes with no other limit; gpt-oss takes `reasoning_effort`.
//!
//! Sources: Bedrock's user guide, "Extended thinking" and "Adaptive thinking"; Nova's, "Extended thinking".

use super::body::{NovaReasoning, Thinking as Config};
use super::content::may_be_anthropics;
use super::model::{Model, Off};
use crate::conversation::{Block, Choice, Effort, Losses, Reasoning, Request, Role};

/// The least budget.
const LEAST: u64 = 1024;

/// What is said on thinking.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    /// Claude's.
    pub(super) config: Option<Config>,
    /// Claude's, in `outputConfig`.
    pub(super) effort: Option<&'static str>,
    /// Nova's.
    pub(super) nova: Option<NovaReasoning>,
    /// gpt-oss's.
    pub(super) reasoning_effort: Option<&'static str>,
    /// Whether Claude will think, with which some other parameters do not go.
    pub(super) on: bool,
}

/// What to say of a request, whose answer may have `longest` tokens.
pub(super) fn thinking(request: &Request, model: Model, longest: Option<u64>, losses: &mut Losses) -> Thinking {
    let wish = request.reasoning.unwrap_or_default();
    let is_asked = wish.effort.is_some_and(|effort| effort != Effort::Off)
        || wish.effort.is_none() && (wish.budget.is_some() || wish.shown == Some(true));
    let mut thinking = Thinking::default();
    match model {
        Model::Claude { .. } => return claude(request, model, longest, is_asked, losses),
        Model::Nova(2..) if is_asked => thinking.nova = Some(nova(request, wish, losses)),
        Model::GptOss if is_asked => thinking.reasoning_effort = Some(three(wish)),
        // It always thinks.
        Model::GptOss if wish.effort == Some(Effort::Off) => {
            losses.hint("reasoning_effort");
            thinking.reasoning_effort = Some("low");
        }
        _ if is_asked => losses.hint("reasoning_effort"),
        _ => {}
    }
    thinking
}

fn claude(request: &Request, model: Model, longest: Option<u64>, is_asked: bool, losses: &mut Losses) -> Thinking {
    let wish = request.reasoning.unwrap_or_default();
    let is_forced = !request.tools.is_empty()
        && matches!(request.choice, Some(Choice::Any | Choice::Tool(_)))
        && !model.is_forced_thinking();
    match () {
        () if is_forced && (is_asked || model.thinks_unasked()) => {
            if is_asked {
                losses.hint("reasoning_effort");
            }
            off(model, losses)
        }
        () if wish.effort == Some(Effort::Off) => off(model, losses),
        () if !is_asked => Thinking {
            on: model.thinks_unasked(),
            ..Thinking::default()
        },
        () if model.is_adaptive() => Thinking {
            config: Some(Config::Adaptive {
                display: wish.shown.map(|shown| if shown { "summarized" } else { "omitted" }),
            }),
            effort: effort(wish, model),
            on: true,
            ..Thinking::default()
        },
        () => {
            let budget = budget(wish, longest).filter(|_| model.takes_budget() && !lacks_a_seal(request));
            if budget.is_none() {
                losses.hint("reasoning_effort");
            }
            Thinking {
                config: budget.map(|budget_tokens| Config::Enabled { budget_tokens }),
                on: budget.is_some(),
                ..Thinking::default()
            }
        }
    }
}

fn off(model: Model, losses: &mut Losses) -> Thinking {
    let (config, effort) = match model.off() {
        Off::Silence => (None, None),
        Off::Disabled => (Some(Config::Disabled), None),
        Off::BetweenTools => (Some(Config::BetweenTools), None),
        Off::Lowest => {
            losses.hint("reasoning_effort");
            (None, Some("low"))
        }
    };
    Thinking {
        on: effort.is_some(),
        config,
        effort,
        ..Thinking::default()
    }
}

fn effort(wish: Reasoning, model: Model) -> Option<&'static str> {
    let effort = wish.effort.or(wish.budget.map(|budget| match budget {
        ..4096 => Effort::Low,
        4096..12_288 => Effort::Medium,
        _ => Effort::High,
    }))?;
    Some(match effort {
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::XHigh if model.takes_xhigh() => "xhigh",
        Effort::High | Effort::XHigh => "high",
        Effort::Max => "max",
    })
}

/// The budget; `None` where the answer is too short for any. A fifth of the answer is kept for what is said.
fn budget(wish: Reasoning, longest: Option<u64>) -> Option<u64> {
    let wanted = wish.budget.unwrap_or(match wish.effort {
        Some(Effort::Off | Effort::Minimal) => LEAST,
        Some(Effort::Low) => 2048,
        Some(Effort::Medium) | None => 8192,
        Some(Effort::High) => 16_384,
        Some(Effort::XHigh) => 24_576,
        Some(Effort::Max) => 32_000,
    });
    match longest {
        // Without a limit the model's own holds, which is above all of these but what a client wrote itself.
        None => Some(wanted.max(LEAST)),
        Some(longest) => Some(wanted.min(longest - longest / 5).max(LEAST)).filter(|budget| *budget < longest),
    }
}

/// Low, medium or high.
fn three(wish: Reasoning) -> &'static str {
    match (wish.effort, wish.budget) {
        (Some(Effort::Off | Effort::Minimal | Effort::Low), _) | (None, Some(..4096)) => "low",
        (Some(Effort::Medium), _) | (None, None | Some(4096..12_288)) => "medium",
        (Some(Effort::High | Effort::XHigh | Effort::Max), _) | (None, Some(_)) => "high",
    }
}

fn nova(request: &Request, wish: Reasoning, losses: &mut Losses) -> NovaReasoning {
    let mut effort = three(wish);
    if effort == "high"
        && (request.max_output_tokens.is_some() || request.temperature.is_some() || request.top_p.is_some())
    {
        losses.hint("reasoning_effort");
        effort = "medium";
    }
    NovaReasoning {
        r#type: "enabled",
        max_reasoning_effort: effort,
    }
}

/// Whether the model goes on after tools' results in a turn that it did not begin with a sealed thought. A turn is all
/// that it said since the user last said something of their own.
fn lacks_a_seal(request: &Request) -> bool {
    let is_results = |content: &[Block]| content.iter().all(|block| matches!(block, Block::Result { .. }));
    let mut turns = request.turns.iter().rev();
    let is_after_a_result = turns.next().is_some_and(|turn| {
        turn.role == Role::User && turn.content.iter().any(|block| matches!(block, Block::Result { .. }))
    });
    let begun = turns
        .take_while(|turn| turn.role == Role::Assistant || is_results(&turn.content))
        .filter(|turn| turn.role == Role::Assistant)
        .last();
    let is_sealed = |block: &Block| match block {
        Block::Thought { signature, .. } => signature.as_deref().is_some_and(may_be_anthropics),
        Block::SealedThought { data } => may_be_anthropics(data),
        _ => false,
    };
    is_after_a_result && begun.is_some_and(|turn| !turn.content.first().is_some_and(is_sealed))
}
