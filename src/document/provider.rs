//! A provider, as the operator writes it.
//!
//! In: an object. Out: what is written there. What a kind of provider adds to it is the catalogue's
//! ([`crate::provider::catalogue`]), and put together they are in [`crate::world`].

use serde::Deserialize;

use super::{Budgets, Entries, Health, Limits};
use crate::dialect::Dialect;
use crate::provider::{Auth, Embeddings, MaxTokens};

/// One provider: of a kind that Tollgate knows, or an endpoint that speaks a dialect.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its kind: one of those that `tollgate providers` lists. Default: its own name, if that is one of them. What the kind
    /// says of endpoint, dialect, authentication and facts holds where this document says nothing else.
    #[serde(default)]
    pub kind: Option<String>,

    /// The API it speaks. Default: its kind's; without a kind it must be written.
    #[serde(default)]
    pub dialect: Option<Dialect>,

    /// The base URL its SDK would be given, for example `https://api.openai.com/v1` or `https://api.anthropic.com`. Default:
    /// its kind's; without a kind it must be written.
    #[serde(default)]
    pub endpoint: Option<String>,

    /// What its kind leaves open in the endpoint, for example `{"region": "us-east-1"}`.
    #[serde(default)]
    pub settings: Entries<String>,

    /// How it is shown who asks. Default: as its kind wants it, else as its dialect has it. `envoy`: Envoy's own configuration
    /// adds the credential.
    #[serde(default)]
    pub auth: Option<Auth>,

    /// Where its API key comes from. Without it, requests go to the provider without credentials.
    #[serde(default)]
    pub credential: Option<Credential>,

    /// Several API keys in place of the one in `credential`. They take turns when the provider refuses one for its rate limit.
    #[serde(default)]
    pub credentials: Vec<Credential>,

    /// The `api-version` that is added to the query of every request, as Azure has it. Default: its kind's.
    #[serde(default)]
    pub api_version: Option<String>,

    /// Where it differs from others of its kind or dialect. Requests that are put into another dialect depend on it.
    #[serde(default)]
    pub facts: Option<Facts>,

    /// What becomes of something in a request that the provider's API has no words for, where a request is put into another
    /// dialect: `refuse` the request (or go to the next target) and say what it is, or `drop` and count it. What makes no
    /// difference to the answer is dropped and counted either way. Default: `refuse`.
    #[serde(default)]
    pub untranslatable: Option<Untranslatable>,

    /// The API of OpenAI's in which requests of other dialects are put to it: `chat` or `responses`. Default: `chat`.
    #[serde(default)]
    pub translate_to: Option<TranslateTo>,

    /// The provider's name in the price list. Default: what the endpoint's host says, else its kind's, else this provider's
    /// own name.
    #[serde(default)]
    pub priced_as: Option<String>,

    /// Rate limits of its credential: of all requests sent to it together.
    #[serde(default)]
    pub limits: Option<Limits>,

    /// What all requests sent to it together may spend.
    #[serde(default)]
    pub budget: Option<Budgets>,

    /// When it is left alone because it fails. What is left out is as in the document's own `health`.
    #[serde(default)]
    pub health: Option<Health>,

    /// A request that Envoy itself makes again and again to find out whether the provider is there. Public providers have
    /// nothing for that; a server of your own has, such as vLLM's `/health`. Default: none.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
}

/// A question whose answer says whether a provider is there: a status from 200 to 299.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The path that is asked for, with the endpoint's host and without a credential, for example `/health`. The endpoint's
    /// own path does not stand before it.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^/")))]
    pub path: String,

    /// How long after one answer it is asked again, from a second to an hour: a whole number and `s`, `m` or `h`. Default:
    /// `10s`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub interval: Option<String>,
}

/// What becomes of what a provider's API has no words for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Untranslatable {
    /// The request is refused by that name, or goes to the next target.
    #[default]
    Refuse,
    /// It is left out, and counted.
    Drop,
}

/// An API of OpenAI's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TranslateTo {
    /// Chat completions.
    #[default]
    Chat,
    /// Responses.
    Responses,
}

/// A reference to a provider's API key: either `env` or `file`. The key itself is never part of the document.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The name of the environment variable that holds the API key.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")))]
    pub env: Option<String>,

    /// The absolute path of a file that holds the API key or token, and that something may renew at any time: Envoy watches it.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^/")))]
    pub file: Option<String>,
}

/// Where a provider differs from others of its kind or dialect. What is not written is as the kind has it, or as most have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Whether it serves OpenAI's `/responses` itself. If not, such requests are put into chat completions.
    #[serde(default)]
    pub responses: Option<bool>,

    /// Whose form its embeddings have.
    #[serde(default)]
    pub embeddings: Option<Embeddings>,

    /// What it calls the most tokens of a chat completion.
    #[serde(default)]
    pub max_tokens: Option<MaxTokens>,

    /// Whether it understands `stream_options`. If not, usage is not asked for in streams.
    #[serde(default)]
    pub stream_options: Option<bool>,

    /// Whether it knows the role `developer`. If not, `system` is said.
    #[serde(default)]
    pub developer_role: Option<bool>,

    /// Whether it takes a JSON schema as `response_format`. If not, any JSON object is the most that can be asked.
    #[serde(default)]
    pub json_schema: Option<bool>,

    /// Whether it takes back what the model thought, as `reasoning_content` of the assistant's messages. If not, it is left
    /// out.
    #[serde(default)]
    pub reasoning_content: Option<bool>,
}

impl Provider {
    /// Its references to API keys, in order, with where each is written below the provider: `credential`, `credentials[0]`.
    pub fn references(&self) -> impl Iterator<Item = (String, &Credential)> {
        let one = self
            .credential
            .iter()
            .map(|credential| ("credential".to_owned(), credential));
        let several = self.credentials.iter().enumerate();
        one.chain(several.map(|(index, credential)| (format!("credentials[{index}]"), credential)))
    }
}
