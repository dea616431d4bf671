//! Tollgate: an LLM gateway inside Envoy.

pub mod usage;
