//! How hard a model is to think, in the words of its maker.
//!
//! In: a request and its model. Out: what goes into `additionalModelRequestFields` and `outputConfig.effort`, never such
//! that the request is refused for it; what cannot be had is a hint lost by name.
//!
//! - Claude is asked in Anthropic's words (`dialect::claude`).
//! - Nova 2 takes an effort, of which `high` goes with no other limit; gpt-oss takes `reasoning_effort`.
//!
//! Source: Nova's user guide, "Extended thinking".

use super::body::NovaReasoning;
use super::model::Model;
use crate::conversation::{Effort, Losses, Reasoning, Request};
use crate::dialect::claude::thinking::Thinking as Claudes;

/// The greatest budget that an effort stands for; one beyond it is asked for as a high effort, where efforts are taken.
const MOST: u64 = 32_000;

/// What is said on thinking.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thinking {
    /// Claude's; of it, the effort goes into `outputConfig`.
    pub(super) claude: Claudes,
    /// Nova's.
    pub(super) nova: Option<NovaReasoning>,
    /// gpt-oss's.
    pub(super) reasoning_effort: Option<&'static str>,
}

/// What to say of a request, whose answer may have `longest` tokens.
pub(super) fn thinking(request: &Request, model: Model, longest: Option<u64>, losses: &mut Losses) -> Thinking {
    let wish = request.reasoning.unwrap_or_default();
    let is_asked = wish.effort.is_some_and(|effort| effort != Effort::Off)
        || wish.effort.is_none() && (wish.budget.is_some() || wish.shown == Some(true));
    let mut thinking = Thinking::default();
    match model {
        Model::Claude(model) => {
            let wish = (is_asked || wish.effort == Some(Effort::Off)).then_some(Reasoning {
                effort: wish
                    .effort
                    .or(wish.budget.filter(|budget| *budget > MOST).map(|_| Effort::High)),
                ..wish
            });
            thinking.claude = Claudes::of(request, wish, model, longest, losses);
        }
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
