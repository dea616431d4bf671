//! The built module, in whole exchanges under a host that behaves as Envoy does. Each test says what the client, a
//! provider or the operator sees.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "whatever is not as it should be fails the test"
)]

#[path = "module/abi.rs"]
mod abi;
#[path = "module/configure.rs"]
mod configure;
#[path = "module/cost.rs"]
mod cost;
#[path = "module/departures.rs"]
mod departures;
#[path = "module/exchange.rs"]
mod exchange;
#[path = "module/failover.rs"]
mod failover;
#[path = "module/fixture.rs"]
mod fixture;
#[path = "module/observability.rs"]
mod observability;
#[path = "module/refusals.rs"]
mod refusals;
#[path = "module/unheld.rs"]
mod unheld;
#[path = "module/workers.rs"]
mod workers;
