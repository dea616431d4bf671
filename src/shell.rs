//! The host: Envoy, through proxy-wasm.
//!
//! In: the host's callbacks. Out: the pipeline's decisions, applied. The shell decides nothing: each callback reads what
//! the pipeline needs, calls it, and does as it says. It is compiled for WASI alone, so that no core module can reach
//! the host.
//!
//! One module plays two roles, told apart by the plugin's root id: [`gateway`] is the listener's filter, [`provider`]
//! the filter of every provider's cluster, once per attempt. Within a worker both live in one VM and share its
//! [`exchanges`].

mod exchanges;
mod gateway;
mod gauges;
mod generation;
mod host;
mod provider;
mod reply;
mod root;
mod series;
mod vms;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
