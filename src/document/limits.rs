//! Rate limits as the operator writes them.
//!
//! In: a number, or an object with the number in it. Out: a [`Limit`] either way. Whether its numbers make sense is
//! [`crate::world`]'s question.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Rate limits. Each counts over the last 60 seconds or what is under way at the moment, across all workers.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests in any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<Limit>,

    /// Tokens, input and output, in any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<Limit>,

    /// Requests under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<Limit>,
}

/// A rate limit, however it was written.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// The most.
    pub limit: u64,
    /// From which share of it on it counts as nearly used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<f64>,
    /// What follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<LimitThen>,
    /// Whether it refuses anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Another limit for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raise: Option<LimitRaise>,
}

/// A rate limit with more to it than its number.
#[derive(Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct DetailedLimit {
    /// The most.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1)))]
    limit: u64,

    /// From which share of it on requests are marked as near the limit, from 0.001 to 1. Default: 0.8.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 0.001, max = 1)))]
    warn_at: Option<f64>,

    /// What follows. Default: `block`.
    #[serde(default)]
    then: Option<LimitThen>,

    /// `shadow`: it is computed and reported, and refuses nothing. Default: `enforce`.
    #[serde(default)]
    mode: Option<Mode>,

    /// Another limit for a time.
    #[serde(default)]
    raise: Option<LimitRaise>,
}

/// Another limit until a moment.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitRaise {
    /// The limit that applies instead.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1)))]
    pub to: u64,

    /// The moment at which it no longer applies, in RFC 3339, for example `2027-01-01T00:00:00Z`.
    pub until: String,
}

/// What follows when a rate limit is nearly or wholly used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LimitThen {
    /// What does not fit is refused.
    Block,
    /// From `warn_at` on, requests go to the model's `cheaper`; what does not fit even so is refused.
    Downgrade,
    /// Nothing but the warning.
    Warn,
}

/// What follows when a budget is nearly or wholly spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// What does not fit is refused.
    Block,
    /// From `warn_at` on, requests go to the model's `cheaper`; what does not fit even so is refused.
    Downgrade,
    /// Answers are cut down to what the rest buys; where it buys nothing, requests are refused.
    Clamp,
    /// Nothing but the warning.
    Warn,
}

/// Whether rules are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are kept.
    Enforce,
    /// They are computed and reported, and nothing is refused or changed on their account.
    Shadow,
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrObject;

        impl<'de> Visitor<'de> for NumberOrObject {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number above 0 or an object")
            }

            fn visit_u64<E: Error>(self, limit: u64) -> Result<Limit, E> {
                Ok(Limit {
                    limit,
                    warn_at: None,
                    then: None,
                    mode: None,
                    raise: None,
                })
            }

            fn visit_i64<E: Error>(self, limit: i64) -> Result<Limit, E> {
                match u64::try_from(limit) {
                    Ok(limit) => self.visit_u64(limit),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(limit), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Limit, A::Error> {
                let DetailedLimit {
                    limit,
                    warn_at,
                    then,
                    mode,
                    raise,
                } = DetailedLimit::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Limit {
                    limit,
                    warn_at,
                    then,
                    mode,
                    raise,
                })
            }
        }

        deserializer.deserialize_any(NumberOrObject)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A rate limit: the number alone, or an object with the number and what else there is to say.",
            "anyOf": [{"type": "integer", "minimum": 1}, generator.subschema_for::<DetailedLimit>()],
        })
    }
}
