//! Tollgate: an LLM gateway inside Envoy.
//!
//! One proxy-wasm module, `tollgate.wasm`, reads OpenAI- and Anthropic-style traffic on its way through the proxy. It
//! decides who may call what, sends the request to a provider with the provider's own credential, reads the usage in
//! the answer, prices it, and turns every request into metrics on Envoy's own `/stats/prometheus`. There is no database
//! and no extra hop.
//!
//! # From above
//!
//! ```text
//!            ┌──────────────────────────── Envoy worker ────────────────────────────┐
//!  client ──►│ listener ─► gateway role ─► router ─► provider role ─► cluster        │──► provider
//!            │             who, may they,            this provider's words;          │
//!            │             where to; records         reads the answer                │
//!            │                     └───── one VM, one exchange ─────┘                │
//!            └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The **gateway role** is the listener's filter. It holds a request's headers until its body is there, decides the order
//! of providers, publishes the first as a property and has Envoy choose the route by it. The **provider role** is the
//! filter of every provider's cluster and runs once per *attempt*: it names the next provider, in case this one fails,
//! and puts path, host, credential and body into this provider's words, always from the client's original. Envoy's own
//! retry moves from one to the next. Where there is a next one, the head of an answer is held in the provider role until it is
//! known to be one; if it is not, a mark in it has Envoy try again. A host that cannot hold headers (Istio's `WasmPlugin`) gets the gateway role alone,
//! with `hold_headers: false`: the request goes where its host says, and the gateway role reads the answer itself.
//!
//! # Reading order
//!
//! 1. [`pipeline`]: the life of a request, in states that own what is known by then. Start here.
//! 2. What it reads: [`headers`], [`endpoint`], [`caller`], [`ask`] (a request's body), [`meter`] (an answer, as it passes),
//!    on [`framing`] and [`json`], with [`dialect`] for what the numbers mean and [`estimate`] for what was not reported.
//!    Where client and provider speak different dialects, [`translate`] puts one into the other's words, by
//!    way of a [`conversation`]; [`embedding`] does the same for texts that are made into vectors.
//! 3. What it may do: [`limit`] (rate limits and budgets, set aside before and settled after) and [`guard`] (agents that run
//!    in a loop, on [`hash`]). Both are arithmetic on bytes of a store that all workers share.
//! 4. What it is judged by: [`document`] (what the operator writes), compiled to a [`world`] that cannot be wrong;
//!    [`provider`], [`route`], [`price`]. How providers fare meanwhile: [`health`] and [`pace`], kept as limits are.
//! 5. What comes out: [`fault`] (a refusal, in the client's dialect), [`record`] and [`metrics`] (the catalogue),
//!    [`usage`], and [`handoff`], the one value that crosses between the roles.
//! 6. `shell` (WASI only): the host's callbacks, applied. `envoy` and `src/bin` (native only): the configuration of Envoy
//!    and the `tollgate` command.
//!
//! # What holds everywhere
//!
//! - **The core is pure.** Bytes, headers and `now` go in, values come out. `proxy-wasm` is a dependency on WASI alone,
//!   so a core module that reached for the host would not compile; the clock is banned by clippy.
//! - **One record per request**, however it ends: refused, answered, cut by either side. It is made when the host logs
//!   the stream, and nowhere else.
//! - **What is set aside is settled**, on every way out; and what a VM had set aside that died is free again, because each
//!   VM gives a sign of life. No limit is exceeded by a race: each subject's state is one value, changed by
//!   compare-and-swap over all workers.
//! - **Nothing traps.** A trap takes down every stream of a worker. Panicking calls are denied by lints, the host is called
//!   in a way that survives a refusal, and what should not happen is counted in `tollgate_internal_errors_total`.
//! - **Every buffer is bounded**: bodies by `max_body_bytes`, events by constants in [`meter`], usage objects by one in
//!   [`json::passing`], held and translated answers by those in [`pipeline`] and [`translate`], series by `max_series`.
//! - **Same dialect, same bytes.** Of a request only `model`, `stream_options.include_usage` and the longest answer are edited, in
//!   place; of an answer only the usage event that the client did not ask for is withheld. A conversation that has been with
//!   providers of several dialects is the exception: what one of them sealed is not shown to another.
//! - **Nothing is lost in silence.** What a provider's dialect has no words for keeps a request from it, by name, or is counted.
//! - **Each provider sees its own credential** and nothing of the client's identity, whatever earlier attempts have set.
//! - **Nothing is tried again** once anything of an answer has passed on to the client.
//! - **No prompt, answer or credential** is in a log, metric, property or error. A virtual key is a name and a hash.
//! - **No label is chosen by a client.** Series are made of names in the document.
//! - **Money is integers**: picodollars per token, nanodollars per answer, rounded once.
//!
//! What is deliberately absent: a database, a cache of answers, any state that outlives the process. A budget begins afresh
//! when Envoy is started anew.

#![deny(clippy::disallowed_methods)]

pub mod ask;
pub mod caller;
pub mod conversation;
pub mod dialect;
pub mod document;
pub mod embedding;
pub mod endpoint;
#[cfg(not(target_arch = "wasm32"))]
pub mod envoy;
pub mod estimate;
pub mod fault;
pub mod framing;
pub mod guard;
pub mod handoff;
pub mod hash;
pub mod headers;
pub mod health;
pub mod json;
pub mod limit;
pub mod meter;
pub mod metrics;
pub mod pace;
pub mod pipeline;
pub mod price;
pub mod provider;
pub mod record;
pub mod route;
pub mod translate;
pub mod usage;
pub mod world;

#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod shell;
