//! How a provider is spoken to about what a client asks.
//!
//! In: the endpoint a client calls, and a provider. Out: [`Speech`], or nothing where that provider cannot be asked such a
//! thing. It reads no body.

use crate::dialect::{Api, Dialect, converse, gemini};
use crate::embedding::{self, Kind};
use crate::endpoint::Endpoint;
use crate::provider::{Embeddings, Provider};

/// The API a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// In the client's own words: the original bytes go through.
    Same,
    /// Translated.
    Translated(Client, Api),
    /// About vectors, in another form than OpenAI's.
    Vectors(Embeddings),
}

impl Client {
    /// The API of an endpoint; `None` for those that hold no conversation.
    pub fn at(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::ChatCompletions => Some(Self::Chat),
            Endpoint::Responses => Some(Self::Responses),
            Endpoint::Messages => Some(Self::Messages),
            _ => None,
        }
    }

    /// The same API as a provider's.
    pub fn api(self) -> Api {
        match self {
            Self::Chat => Api::Chat,
            Self::Responses => Api::Responses,
            Self::Messages => Api::Messages,
        }
    }
}

impl Speech {
    /// How `provider` is spoken to about what a client asks at `endpoint`, in a client's `dialect` where the endpoint does
    /// not say which.
    pub fn to(provider: &Provider, endpoint: Endpoint, dialect: Dialect) -> Option<Self> {
        let Some(client) = Client::at(endpoint) else {
            let others = provider.facts.embeddings.filter(|form| *form != Embeddings::OpenAi);
            return match others {
                Some(form) if endpoint == Endpoint::Embeddings => Some(Self::Vectors(form)),
                _ => (provider.dialect == dialect).then_some(Self::Same),
            };
        };
        let api = spoken(provider, client);
        match api == client.api() {
            true => Some(Self::Same),
            false => Some(Self::Translated(client, api)),
        }
    }

    /// The path at which the provider is asked. `path`: the client's; `model`: the provider's name of it.
    pub fn path(self, provider: &Provider, path: &str, model: &str, stream: bool) -> String {
        let origin = &provider.endpoint;
        match self {
            Self::Same => origin.path(provider.dialect, path),
            Self::Translated(_, Api::Chat) => origin.path(Dialect::OpenAi, "/v1/chat/completions"),
            Self::Translated(_, Api::Responses) => origin.path(Dialect::OpenAi, "/v1/responses"),
            Self::Translated(_, Api::Messages) => origin.path(Dialect::Anthropic, "/v1/messages"),
            Self::Translated(_, Api::Gemini) => origin.path(provider.dialect, &gemini::path(model, stream)),
            Self::Translated(_, Api::Converse) => origin.path(provider.dialect, &converse::path(model, stream)),
            Self::Vectors(form) => match vectors_of(form, model) {
                Some(Kind::Cohere) => origin.without("/compatibility/v1", &embedding::path(Kind::Cohere, model)),
                Some(kind) => origin.path(Dialect::Gemini, &embedding::path(kind, model)),
                None => origin.path(provider.dialect, path),
            },
        }
    }

    /// The provider's API where the answer is a conversation's.
    pub fn api(self, endpoint: Endpoint) -> Option<Api> {
        match self {
            Self::Same => Client::at(endpoint).map(Client::api),
            Self::Translated(_, api) => Some(api),
            Self::Vectors(_) => None,
        }
    }
}

/// Whose form of vectors a provider's model has; `None` where that is not known.
pub fn vectors_of(form: Embeddings, model: &str) -> Option<Kind> {
    match form {
        Embeddings::OpenAi => None,
        Embeddings::Gemini => Some(Kind::Gemini),
        Embeddings::Cohere => Some(Kind::Cohere),
        Embeddings::Bedrock => Kind::of_bedrock(model),
    }
}

/// The API in which a provider is spoken to by a client of this one: the same where it has it.
fn spoken(provider: &Provider, client: Client) -> Api {
    match provider.dialect {
        Dialect::OpenAi if provider.facts.responses && (client == Client::Responses || provider.prefers_responses) => {
            Api::Responses
        }
        Dialect::OpenAi => Api::Chat,
        Dialect::Anthropic => Api::Messages,
        Dialect::Gemini => Api::Gemini,
        Dialect::Bedrock => Api::Converse,
    }
}
