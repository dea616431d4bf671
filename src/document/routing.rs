//! Where requests go and what becomes of those that fail, as the operator writes it: the order of a model's targets, when
//! the next is tried, and when a provider is left alone.
//!
//! In: objects of which every member may be left out. Out: the same, as they are written. What is inherited from whom, and
//! whether the lengths of time make sense, is [`crate::world`]'s question.

use serde::Deserialize;

/// In which order a model's targets are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they are written.
    #[default]
    Priority,
    /// By lot, each as often as its `weight` says.
    Weighted,
    /// The one with the lowest price first; those without a price last.
    Cheapest,
    /// The one that answers soonest first, as measured of late; those not measured are tried now and then.
    Fastest,
}

/// When the next target is tried, and for how long. What is left out of a model's own is as in the document's, or else the
/// default.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// How many attempts a request has at most, the first included, from 1 to 10. Default: 3.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1, max = 10)))]
    pub attempts: Option<u64>,

    /// How long an attempt at a stream waits for its first event, from a second to an hour: a whole number and `s`, `m` or
    /// `h`. Default: `2m`: a model that thinks may say nothing for long.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub first_token_timeout: Option<String>,

    /// How long an attempt waits for an answer that comes in one piece, from a second to a day. Default: `5m`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub answer_timeout: Option<String>,

    /// For how long after the request came another attempt may begin, from a second to a day. Default: `10m`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub total: Option<String>,

    /// Whether an answer that the provider's content filter withheld goes to the next target. Default: false.
    #[serde(default)]
    pub content_filter: Option<bool>,
}

/// When a provider that fails is left alone, and for how long. What is left out of a provider's own is as in the document's,
/// or else the default.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How many failures in a row take a provider out, from 1 to 1000. Default: 5. Half of at least 20 attempts within 10
    /// seconds do so as well.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1, max = 1000)))]
    pub failures: Option<u64>,

    /// How long it rests at first, from a second to an hour: a whole number and `s`, `m` or `h`. Twice as long each time it
    /// fails again at once. Default: `10s`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub rest: Option<String>,

    /// How long it rests at most, from a second to a day. Default: `5m`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub rest_at_most: Option<String>,

    /// How long after its rest it takes to get all of its requests again, from a second to an hour. Default: `30s`.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub recovery: Option<String>,
}
