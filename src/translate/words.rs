//! A request in one provider's words, if it has words for all that matters.
//!
//! In: who is asked and how, and the client's body. Out: [`Written`], or the fault that says what cannot be said. Whether what
//! cannot be said stands in the way is the operator's rule for the provider, applied here.

use std::borrow::Cow;

use super::{Speech, Written, request};
use crate::dialect::{ChatFacts, To};
use crate::fault::Fault;
use crate::provider::{MaxTokens, Provider};

/// Whom a request is put into words for.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    /// Who is asked.
    pub provider: &'a Provider,
    /// How.
    pub speech: Speech,
    /// What it calls the model.
    pub model: Cow<'a, str>,
    /// How many tokens the longest answer has where the request does not say.
    pub longest: Option<u64>,
    /// What the longest answer is cut down to, if it is.
    pub most: Option<u64>,
}

impl Words<'_> {
    /// The body in the provider's words.
    ///
    /// # Errors
    ///
    /// [`Fault::Unreadable`] where the body is no request of the client's API, [`Fault::Untranslatable`] where something that
    /// matters would be lost and the operator has not said that it may be.
    pub fn say(&self, body: &[u8]) -> Result<Written, Fault> {
        let Speech::Translated(client, api) = self.speech else {
            return Err(Fault::Internal);
        };
        let facts = self.provider.facts;
        let to = To {
            model: &self.model,
            longest: self.longest,
            chat: ChatFacts {
                max_completion_tokens: facts.max_tokens == MaxTokens::MaxCompletionTokens,
                stream_options: facts.stream_options,
                developer_role: facts.developer_role,
                json_schema: facts.json_schema,
                reasoning_effort: true,
                reasoning_content: false,
            },
        };
        let written = request(client, api, body, &to, self.most).map_err(Fault::Unreadable)?;
        let lost: Vec<String> = written.losses.meanings().map(|loss| loss.member.to_string()).collect();
        match lost.is_empty() || self.provider.drops {
            true => Ok(written),
            false => Err(Fault::Untranslatable(lost)),
        }
    }
}
