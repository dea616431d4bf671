//! Tollgate: an LLM gateway inside Envoy.

pub mod price;
pub mod usage;
pub mod ask;
pub mod json;
pub mod dialect;
pub mod endpoint;
pub mod estimate;
pub mod framing;
pub mod meter;
pub mod caller;
pub mod document;
pub mod provider;
#[cfg(not(target_arch = "wasm32"))]
pub mod envoy;
pub mod world;
pub mod fault;
pub mod handoff;
pub mod headers;
pub mod metrics;
pub mod pipeline;
pub mod record;
pub mod route;

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod shell;
