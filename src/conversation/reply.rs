//! What a model answers, whole or as it comes.
//!
//! In: nothing. Out: [`Reply`] and [`Event`]. It knows no dialect.

use super::refusal::Refusal;
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The provider's id of it; empty where it has none.
    pub id: String,
    /// The model the provider says it used; empty where it does not.
    pub model: String,
    /// What was generated, in order.
    pub output: Vec<Output>,
    /// Why it ends. `None`: the provider did not say.
    pub stop: Option<Stop>,
    /// What it used.
    pub usage: Option<Usage>,
    /// The class of service the provider says it gave.
    pub tier: Option<String>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Text.
    Text(String),
    /// What it thought.
    Thought {
        /// The text; empty where it is not shown.
        text: String,
        /// The provider's seal on it.
        signature: Option<String>,
    },
    /// The same, encrypted by the provider.
    SealedThought(String),
    /// A call of a tool.
    Call {
        /// By which its result is to name it; never empty.
        id: String,
        /// The tool.
        name: String,
        /// The text of a JSON object.
        arguments: String,
        /// What the provider wants to see again with it.
        signature: Option<String>,
    },
    /// The model declines, in words.
    Declined(String),
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is complete.
    End,
    /// It has as many tokens as it may.
    Length,
    /// The model waits for its tools.
    Calls,
    /// At one of the request's stop texts; which one, where the provider tells.
    Sequence(Option<String>),
    /// A content filter stopped it.
    Filtered,
    /// The model declined.
    Declined,
    /// The context window is full.
    ContextFull,
}

/// A step of an answer as it comes. In order: one [`Event::Begin`], any number of content, then [`Event::Stop`] and
/// [`Event::Usage`] (either may be missing or come again: the last counts), then [`Event::End`]; or [`Event::Failed`] at
/// any point, after which nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer begins.
    Begin {
        /// The provider's id of it; empty where it has none.
        id: String,
        /// The model the provider says it used; empty where it does not.
        model: String,
    },
    /// More text.
    Text(String),
    /// More of what it thinks.
    Thought(String),
    /// The seal on what it thought just now.
    Signature(String),
    /// A thought, encrypted by the provider, whole.
    SealedThought(String),
    /// A call begins.
    Call {
        /// By which its result is to name it; never empty.
        id: String,
        /// The tool.
        name: String,
        /// What the provider wants to see again with it.
        signature: Option<String>,
    },
    /// More of the arguments of the call that began last: pieces of the text of a JSON object.
    Arguments(String),
    /// More of the words in which the model declines.
    Declined(String),
    /// Why it ends.
    Stop(Stop),
    /// What it has used so far, in all; the last one counts.
    Usage(Usage),
    /// The class of service.
    Tier(String),
    /// It is complete.
    End,
    /// The provider broke off with an error.
    Failed(Refusal),
}
