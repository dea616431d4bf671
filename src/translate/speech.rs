//! How a provider is spoken to about what a client asks.
//!
//! In: the endpoint a client calls, and a provider. Out: [`Speech`], or nothing where that provider cannot be asked such a
//! thing. It reads no body.

use crate::dialect::{Api, Dialect};
use crate::endpoint::Endpoint;
use crate::provider::Provider;

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
            return (provider.dialect == dialect).then_some(Self::Same);
        };
        let api = spoken(provider, client);
        match api == client.api() {
            true => Some(Self::Same),
            false => Some(Self::Translated(client, api)),
        }
    }

    /// The provider's API where the answer is a conversation's.
    pub fn api(self, endpoint: Endpoint) -> Option<Api> {
        match self {
            Self::Same => Client::at(endpoint).map(Client::api),
            Self::Translated(_, api) => Some(api),
        }
    }
}

/// The API in which a provider is spoken to by a client of this one: the same where it has it.
fn spoken(provider: &Provider, client: Client) -> Api {
    match provider.dialect {
        Dialect::OpenAi if client == Client::Responses => Api::Responses,
        Dialect::OpenAi => Api::Chat,
        Dialect::Anthropic => Api::Messages,
    }
}
