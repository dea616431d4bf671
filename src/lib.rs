//! Tollgate: an LLM gateway inside Envoy.

pub mod price;
pub mod usage;
