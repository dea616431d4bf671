//! A request in one provider's words, if it has words for all that matters.
//!
//! In: who is asked and how, and the client's body. Out: [`Written`], or the fault that says what cannot be said. Whether what
//! cannot be said stands in the way is the operator's rule for the provider, applied here.

use std::borrow::Cow;

use super::speech::vectors_of;
use super::{Speech, Written, request, vectors};
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
        let written = match self.speech {
            Speech::Same => return Err(Fault::Internal),
            Speech::Translated(client, api) => request(client, api, body, &self.to(), self.most),
            Speech::Vectors(form) => match vectors_of(form, &self.model) {
                Some(kind) => vectors::request(kind, body, &self.model),
                None => return Err(Fault::ProviderNone),
            },
        };
        let written = written.map_err(|unreadable| Fault::Unreadable(Box::new(unreadable)))?;
        let lost: Vec<String> = written.losses.meanings().map(|loss| loss.member.to_string()).collect();
        // With texts left out, the vectors that come back are not those that were asked for.
        let drops = match self.speech {
            Speech::Vectors(_) => false,
            // In the client's own words again, because not all of them are for this provider.
            Speech::Translated(client, api) if client.api() == api => true,
            Speech::Translated(..) | Speech::Same => self.provider.drops,
        };
        match lost.is_empty() || drops {
            true => Ok(written),
            false => Err(Fault::Untranslatable(lost)),
        }
    }

    fn to(&self) -> To<'_> {
        let facts = self.provider.facts;
        To {
            model: &self.model,
            longest: self.longest,
            chat: ChatFacts {
                max_completion_tokens: facts.max_tokens == MaxTokens::MaxCompletionTokens,
                stream_options: facts.stream_options,
                developer_role: facts.developer_role,
                json_schema: facts.json_schema,
                reasoning_effort: true,
                reasoning_content: facts.reasoning_content,
            },
        }
    }
}
