//! The loop guard as the operator writes it.
//!
//! In: an object, of which every member may be left out; a key may also say `"off"`. Out: what is written, and nothing of
//! what is inherited: that is [`crate::world`]'s part, as is whether the numbers rise.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Mode;

/// When an agent that goes round in circles is warned, slowed down and stopped. What is left out is as in the document's
/// own `loop_guard`, or else the default.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoopGuard {
    /// The request header that names the agent's session. Default: `x-session-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = r"^[0-9A-Za-z!#$%&'*+.^_`|~-]+$"))
    )]
    pub session_header: Option<String>,

    /// `shadow`: it is computed and reported, and refuses nothing. Default: `enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// How often in a row the same tool call, with the same arguments, or the same pair of calls taking turns. Default:
    /// warn at 5, slow down at 8, block at 12.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Steps"))]
    pub tool_calls: Option<Steps>,

    /// How often in a row the same request, byte for byte. Default: warn at 6, slow down at 10, block at 20.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Steps"))]
    pub requests: Option<Steps>,

    /// How many times the session's own past rate of spending. Default: warn at 5, slow down at 10, block at 20.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Steps"))]
    pub velocity: Option<Steps>,

    /// Below this rate, in dollars a minute, spending is never too fast. Default: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 0, max = 1000000000)))]
    pub velocity_floor_usd_per_minute: Option<f64>,

    /// How long a block lasts, from a second to 30 days: a whole number and `s`, `m`, `h` or `d`. Default: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub block_for: Option<String>,
}

/// From which number on each step is taken. `null`: never. They rise: `warn`, `slow`, `block`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// Say so, in a header and a metric.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(with = "Option<u64>", range(min = 1, max = 1000000))
    )]
    pub warn: Option<Option<u64>>,

    /// Refuse for a while, longer each time.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(with = "Option<u64>", range(min = 1, max = 1000000))
    )]
    pub slow: Option<Option<u64>>,

    /// Refuse for the whole of `block_for`.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(with = "Option<u64>", range(min = 1, max = 1000000))
    )]
    pub block: Option<Option<u64>>,
}

/// A key's own word on the loop guard.
#[derive(Clone, Debug)]
pub enum KeyLoopGuard {
    /// It has none, whatever the document says for all.
    Off,
    /// It has this one.
    On(Box<LoopGuard>),
}

/// A member that is there, so that `null` is not taken for one that is not.
fn written<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for KeyLoopGuard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffOrObject;

        impl<'de> Visitor<'de> for OffOrObject {
            type Value = KeyLoopGuard;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\" or an object")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KeyLoopGuard, E> {
                match text {
                    "off" => Ok(KeyLoopGuard::Off),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyLoopGuard, A::Error> {
                let guard = LoopGuard::deserialize(MapAccessDeserializer::new(map))?;
                Ok(KeyLoopGuard::On(Box::new(guard)))
            }
        }

        deserializer.deserialize_any(OffOrObject)
    }
}

impl Serialize for KeyLoopGuard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::On(guard) => guard.serialize(serializer),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for KeyLoopGuard {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyLoopGuard".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The loop guard of one key, or \"off\".",
            "anyOf": [{"const": "off"}, generator.subschema_for::<LoopGuard>()],
        })
    }
}
