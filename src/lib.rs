//! Tollgate: an LLM gateway inside Envoy.

pub mod price;
pub mod usage;
pub mod ask;
pub mod dialect;
pub mod endpoint;
pub mod estimate;
pub mod meter;
pub mod caller;
pub mod document;
pub mod provider;
pub mod world;
