//! Which JSON Schemas can be enforced.
//!
//! In: a schema. Out: whether it is of the kind that `output_config.format` and strict tools take; others are refused
//! there with an error, so they are told to the model in words instead. It changes no schema.
//!
//! Source: Anthropic's page "Structured outputs", "JSON Schema limitations", and what the SDK strips
//! (`lib/_parse/_transform.py`).

use serde_json::Value;
use serde_json::value::RawValue;

/// What grammars cannot enforce.
const REFUSED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "not",
    "oneOf",
    "prefixItems",
    "contains",
];

/// Whether it can be enforced as it stands.
pub(in crate::dialect) fn enforceable(schema: &RawValue) -> bool {
    // Too deep for the parser is too deep for a grammar, too.
    serde_json::from_str(schema.get()).is_ok_and(|schema: Value| node(&schema, ""))
}

/// `within`: the reference by which the surrounding definition is named; a schema must not contain itself.
fn node(schema: &Value, within: &str) -> bool {
    let Value::Object(members) = schema else {
        return false;
    };
    if REFUSED.iter().any(|name| members.contains_key(*name)) {
        return false;
    }
    let objects = members.get("type").is_some_and(|kind| kind == "object") || members.contains_key("properties");
    if objects && members.get("additionalProperties") != Some(&Value::Bool(false)) {
        return false;
    }
    members.iter().all(|(name, value)| match (&**name, value) {
        ("$ref", Value::String(target)) => target.starts_with("#/") && target != within,
        ("$ref", _) => false,
        ("minItems", value) => value.as_u64().is_some_and(|least| least <= 1),
        ("properties", Value::Object(parts)) => parts.values().all(|part| node(part, within)),
        ("$defs" | "definitions", Value::Object(parts)) => parts
            .iter()
            .all(|(part, value)| node(value, &format!("#/{name}/{part}"))),
        ("anyOf" | "allOf", Value::Array(parts)) => parts.iter().all(|part| node(part, within)),
        ("items", part) => node(part, within),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(schema: &str) -> bool {
        enforceable(serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn closed_objects_without_ranges_can_be_enforced() {
        assert!(fits(
            r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"anyOf":[{"type":"null"},
            {"$ref":"#/$defs/c"}]},"minItems":1}},"required":["a"],"additionalProperties":false,"$defs":{"c":{"enum":[1]}}}"##
        ));
        for not in [
            r#"{"type":"object","properties":{}}"#,
            r#"{"type":"object","properties":{"a":{"type":"object"}},"additionalProperties":false}"#,
            r#"{"type":"integer","minimum":1}"#,
            r##"{"$ref":"#"}"##,
            r##"{"$defs":{"c":{"type":"array","items":{"$ref":"#/$defs/c"}}},"$ref":"#/$defs/c"}"##,
            r#"{"type":"array","items":{"type":"string"},"minItems":2}"#,
            "true",
        ] {
            assert!(!fits(not), "{not}");
        }
    }
}
