//! What the operator writes: one JSON document.
//!
//! In: the document's text. Out: a [`Document`], which has the right shape and nothing more, or every [`Problem`] of
//! its shape. Whether its names refer to something, and what they mean together, is [`crate::world`]'s question.
//!
//! Unknown fields are refused: a misspelt limit that is silently ignored is a limit that does not exist.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::price::PriceSpec;

mod budget;
mod entries;
mod keys;
mod limits;
mod loop_guard;
mod provider;
mod repeated;
mod routing;
mod shape;
pub mod spelling;

pub use budget::{Budget, BudgetRaise, Budgets, Span};
pub use entries::Entries;
pub use keys::{Key, Operator, PerModel, Team};
pub use limits::{Limit, LimitRaise, LimitThen, Limits, Mode, Then};
pub use loop_guard::{KeyLoopGuard, LoopGuard, Steps};
pub use provider::{Credential, Facts, HealthCheck, Provider, TranslateTo, Untranslatable};
pub use routing::{Failover, Health, Order};

/// Tollgate's configuration: providers, models, keys and prices.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[cfg_attr(not(target_arch = "wasm32"), schemars(title = "Tollgate"))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Where this document's JSON Schema is, for editors. Tollgate ignores it.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,

    /// The address and port clients connect to.
    #[serde(default = "default_listen")]
    pub listen: String,

    /// The address and port of Envoy's admin interface, which also serves the metrics at `/stats/prometheus`. Whoever
    /// reaches it can read Envoy's configuration: keep it on a private address.
    #[serde(default = "default_admin")]
    pub admin: String,

    /// Whether the host lets the module hold a request's headers until its body has been read, which routing by model
    /// needs. Set it to false where it cannot (Istio's WasmPlugin): Tollgate then authenticates and meters, and the mesh
    /// routes.
    #[serde(default = "yes")]
    pub hold_headers: bool,

    /// The largest request body accepted, in bytes. Larger ones are answered with 413.
    #[serde(default = "default_max_body_bytes")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1024, max = 1073741824)))]
    pub max_body_bytes: u64,

    /// The most metric series the module creates. Envoy never forgets a series; further ones are counted together as
    /// `other`. The gauges of limits and budgets have as many places besides; further ones are not shown.
    #[serde(default = "default_max_series")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 100, max = 1000000)))]
    pub max_series: u64,

    /// The provider of requests that name no model (files, batches and the like). Without it, or where it speaks another
    /// dialect than the client, they go to the only provider of the client's dialect; if there are several, they are
    /// refused.
    #[serde(default)]
    pub default_provider: Option<String>,

    /// The providers, by name: lower-case letters, digits, `.`, `_` and `-`.
    pub providers: Entries<Provider>,

    /// The models clients may ask for, by the name they use. A name that ends in `*` stands for every name that begins so
    /// and belongs to no other model; of several, the longest counts.
    #[serde(default)]
    pub models: Entries<Model>,

    /// The teams keys belong to, by name.
    #[serde(default, deserialize_with = "repeated::teams")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Entries<Team>"))]
    pub teams: Entries<Team>,

    /// The virtual keys. `tollgate key new` mints one.
    #[serde(default, deserialize_with = "repeated::keys")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Vec<Key>"))]
    pub keys: Vec<Key>,

    /// Prices that are not in the bundled list, or differ from it. `tollgate prices` shows the bundled ones.
    #[serde(default)]
    pub prices: Vec<PriceSpec>,

    /// Rate limits of all requests together.
    #[serde(default)]
    pub limits: Option<Limits>,

    /// What all requests together may spend.
    #[serde(default)]
    pub budget: Option<Budgets>,

    /// `shadow`: every limit, every budget and every loop guard is computed and reported, and none of them refuses or
    /// changes anything. Default: `enforce`.
    #[serde(default)]
    pub mode: Option<Mode>,

    /// The loop guard of every key that does not say otherwise. Default: none.
    #[serde(default)]
    pub loop_guard: Option<LoopGuard>,

    /// When a request that failed at one target is tried at the next. Default: up to three attempts.
    #[serde(default)]
    pub failover: Option<Failover>,

    /// When a provider that fails is left alone.
    #[serde(default)]
    pub health: Option<Health>,

    /// Who may see what all keys use and have left, and lift blocks of the loop guard. `tollgate key new` mints their keys,
    /// too.
    #[serde(default)]
    pub operators: Vec<Operator>,

    /// SHA-256 of the text this was read from.
    #[serde(skip)]
    pub digest: [u8; 32],
}

/// One model, and the providers that serve it.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Where requests for this model go: the first target of the order, and when it fails the next ones.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(length(min = 1)))]
    pub targets: Vec<Target>,

    /// In which order its targets are tried. Default: `priority`, as they are written.
    #[serde(default)]
    pub order: Order,

    /// Whether a session keeps to one target, whose prompt cache then knows it. With `fastest` it does as long as that target
    /// is not much slower than the fastest. Default: false.
    #[serde(default)]
    pub sticky: bool,

    /// When a request for it that failed at one target is tried at the next. What is left out is as in the document's own
    /// `failover`.
    #[serde(default)]
    pub failover: Option<Failover>,

    /// Further names clients may use for this model.
    #[serde(default)]
    pub aliases: Vec<String>,

    /// Rate limits of all requests for it together.
    #[serde(default)]
    pub limits: Option<Limits>,

    /// What all requests for it together may spend.
    #[serde(default)]
    pub budget: Option<Budgets>,

    /// The name or alias of the model that takes its place where a limit or budget says `"then": "downgrade"`.
    #[serde(default)]
    pub cheaper: Option<String>,

    /// How many tokens an answer has at most where the request does not say. Where a budget binds, the request is then made to
    /// say so, because what it may use up is reckoned with it.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1)))]
    pub max_output_tokens: Option<u64>,
}

/// One provider's offer of a model.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name of a provider in `providers`.
    pub provider: String,

    /// What this provider calls the model. Default: the model's own name. Where that ends in `*`, so may this: what the
    /// client wrote in its place is put here, too.
    #[serde(default)]
    pub model: Option<String>,

    /// With `"order": "weighted"`: how often it is the first, in relation to the others' weights. 0: only when the others
    /// failed. Default: 1.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(max = 1000000)))]
    pub weight: Option<u64>,

    /// The most tokens, input and output, that it takes. Default: not known, and any request may go there.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1)))]
    pub context: Option<u64>,
}

/// Something wrong with the document: it cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `models.gpt-4o.targets[1].provider`. Empty for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Something that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, as in [`Problem::path`].
    pub path: String,
    /// What will happen.
    pub warning: String,
    /// What to do about it.
    pub remedy: String,
}

impl Document {
    /// Reads the document's text. On failure, every problem of shape that can be told apart, at least one.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        Self::parse_known(text, || Sha256::digest(text.as_bytes()).into())
    }

    /// As [`Document::parse`], where somebody may know the text's SHA-256: to compute it takes longer than all the rest.
    pub fn parse_known(text: &str, digest: impl FnOnce() -> [u8; 32]) -> Result<Self, Vec<Problem>> {
        let mut document: Self = serde_json::from_str(text).map_err(|error| shape::problems(text, error))?;
        document.digest = digest();
        Ok(document)
    }

    /// The document's JSON Schema, as text that ends with a line break.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn schema_text() -> String {
        format!("{:#}\n", schemars::schema_for!(Self).as_value())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        finding(f, &self.path, &self.problem, &self.remedy)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        finding(f, &self.path, &self.warning, &self.remedy)
    }
}

/// The path of an object's member: `models.gpt-4o`, or `models["gpt-4.1"]` where a dot would mislead.
pub fn member(parent: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'$'));
    match (plain, parent.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{parent}.{name}"),
        (false, _) => format!("{parent}[{}]", serde_json::Value::from(name)),
    }
}

fn finding(f: &mut fmt::Formatter<'_>, path: &str, what: &str, remedy: &str) -> fmt::Result {
    if !path.is_empty() {
        write!(f, "{path}: ")?;
    }
    write!(f, "{what}\n  remedy: {remedy}")
}

fn default_listen() -> String {
    "127.0.0.1:4000".to_owned()
}

fn default_admin() -> String {
    "127.0.0.1:9901".to_owned()
}

fn yes() -> bool {
    true
}

fn default_max_body_bytes() -> u64 {
    32 << 20
}

fn default_max_series() -> u64 {
    10_000
}
