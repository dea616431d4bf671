//! Who uses Tollgate, as the operator writes it: teams, virtual keys and operators.
//!
//! In: their members. Out: the same, as they are written; what is written alike is shared. A key itself is never here, only
//! its hash.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Budgets, Entries, KeyLoopGuard, Limits, Mode};

/// One team. It groups keys in the metrics, and they share its limits and budgets.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Rate limits of its keys together.
    #[serde(default)]
    pub limits: Option<Arc<Limits>>,

    /// What its keys together may spend.
    #[serde(default)]
    pub budget: Option<Arc<Budgets>>,

    /// `shadow`: everything that concerns its keys is computed and reported, and nothing refuses or changes their requests.
    /// Default: `enforce`.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// One virtual key. Only its hash is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The name the key has in metrics and logs.
    pub name: String,

    /// SHA-256 of the whole key, in hexadecimal.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$")))]
    pub sha256: String,

    /// The name of a team in `teams`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,

    /// The models the key may use: names, aliases, or prefixes that end in `*`. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Arc<Vec<String>>>,

    /// Whether the key is refused. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,

    /// From when on the key is refused, in RFC 3339, for example `2027-01-01T00:00:00Z`. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,

    /// Its rate limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Arc<Limits>>,

    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Arc<Budgets>>,

    /// `shadow`: everything that concerns it is computed and reported, and nothing refuses or changes its requests.
    /// Default: `enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Further limits and budgets for each of some models: by name, alias, or prefix that ends in `*`. Of several that
    /// match a model, its name or alias comes first, then the longest prefix.
    #[serde(default, skip_serializing_if = "no_entries")]
    pub per_model: Arc<Entries<PerModel>>,

    /// For some models, by name or alias: the providers of its requests, in the order in which they are tried. They are some
    /// of those that the model has as targets.
    #[serde(default, skip_serializing_if = "no_targets")]
    pub targets: Arc<Entries<Vec<String>>>,

    /// Its loop guard, or `"off"`. Default: the document's `loop_guard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loop_guard: Option<KeyLoopGuard>,
}

/// An operator's key: no virtual key, as it may use no model. Only its hash is kept.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The name of whoever has it.
    pub name: String,

    /// SHA-256 of the whole key, in hexadecimal.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$")))]
    pub sha256: String,
}

/// A key's rules for some models.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PerModel {
    /// Rate limits of the key with one such model. Each model has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,

    /// What the key may spend on one such model. Each model has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budgets>,
}

fn no_entries(entries: &Arc<Entries<PerModel>>) -> bool {
    entries.is_empty()
}

fn no_targets(entries: &Arc<Entries<Vec<String>>>) -> bool {
    entries.is_empty()
}
