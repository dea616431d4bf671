//! Budgets as the operator writes them.
//!
//! In: one object, or an array of them. Out: [`Budgets`], which remember which of the two it was, so that a path leads to
//! what is written. Whether the members go together is [`crate::world`]'s question.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Mode, Then};

/// The budgets of one subject.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Budgets {
    /// A single one, written without an array.
    One(Box<Budget>),
    /// An array of them.
    Several(Vec<Budget>),
}

/// An amount for a period: exactly one of `usd` and `tokens`, and exactly one of `per` and `over`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The amount in dollars, with up to nine decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 0.000000001, max = 1000000000)))]
    pub usd: Option<f64>,

    /// The amount in tokens, input and output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1, max = 1000000000000000u64)))]
    pub tokens: Option<u64>,

    /// The piece of the calendar it is for. What is left at its end is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Span>,

    /// How far it looks back from any moment, from a minute to 400 days: a whole number and `s`, `m`, `h` or `d`, for
    /// example `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[0-9]+[smhd]$")))]
    pub over: Option<String>,

    /// With `per`: the offset from UTC of the clock that the calendar is read by, for example `+02:00`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = r"^[+-][0-9]{2}:[0-9]{2}$")))]
    pub utc_offset: Option<String>,

    /// From which share of it on requests are marked as near its end, from 0.001 to 1. Default: 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 0.001, max = 1)))]
    pub warn_at: Option<f64>,

    /// What follows. Default: `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,

    /// `shadow`: it is computed and reported, and refuses or changes nothing. Default: `enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Another amount for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<BudgetRaise>,
}

/// Another amount until a moment.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetRaise {
    /// The amount that applies instead, in dollars or tokens as the budget is.
    pub to: f64,

    /// The moment at which it no longer applies, in RFC 3339, for example `2027-01-01T00:00:00Z`.
    pub until: String,
}

/// A piece of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// From minute 0 to minute 59.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first to the last day.
    Month,
}

impl Budgets {
    /// Each of them, and which element of the array it is, if there is one.
    pub fn each(&self) -> impl ExactSizeIterator<Item = (Option<usize>, &Budget)> {
        let (array, budgets) = match self {
            Self::One(budget) => (false, std::slice::from_ref(&**budget)),
            Self::Several(budgets) => (true, budgets.as_slice()),
        };
        let each = budgets.iter().enumerate();
        each.map(move |(index, budget)| (array.then_some(index), budget))
    }
}

impl<'de> Deserialize<'de> for Budgets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectOrArray;

        impl<'de> Visitor<'de> for ObjectOrArray {
            type Value = Budgets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Budgets, A::Error> {
                let budget = Budget::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Budgets::One(Box::new(budget)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Budgets, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Budgets::Several)
            }
        }

        deserializer.deserialize_any(ObjectOrArray)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Budgets {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Budgets".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let budget = generator.subschema_for::<Budget>();
        schemars::json_schema!({
            "description": "One budget, or an array of several. A request must fit into all of them.",
            "anyOf": [budget, {"type": "array", "items": budget}],
        })
    }
}
