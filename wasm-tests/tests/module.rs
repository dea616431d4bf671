//! The built module, in whole exchanges under a host that behaves as Envoy does. Each test says what the client, a
//! provider or the operator sees.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "whatever is not as it should be fails the test"
)]

#[path = "module/abi.rs"]
mod abi;
#[path = "module/budgets.rs"]
mod budgets;
#[path = "module/cheaper.rs"]
mod cheaper;
#[path = "module/clamp.rs"]
mod clamp;
#[path = "module/configure.rs"]
mod configure;
#[path = "module/cost.rs"]
mod cost;
#[path = "module/crash.rs"]
mod crash;
#[path = "module/credentials.rs"]
mod credentials;
#[path = "module/departures.rs"]
mod departures;
#[path = "module/exchange.rs"]
mod exchange;
#[path = "module/failover.rs"]
mod failover;
#[path = "module/fixture.rs"]
mod fixture;
#[path = "module/gauges.rs"]
mod gauges;
#[path = "module/health.rs"]
mod health;
#[path = "module/limits.rs"]
mod limits;
#[path = "module/loop_guard.rs"]
mod loop_guard;
#[path = "module/moving_on.rs"]
mod moving_on;
#[path = "module/observability.rs"]
mod observability;
#[path = "module/refusals.rs"]
mod refusals;
#[path = "module/set_aside.rs"]
mod set_aside;
#[path = "module/status.rs"]
mod status;
#[path = "module/told.rs"]
mod told;
#[path = "module/translation.rs"]
mod translation;
#[path = "module/unheld.rs"]
mod unheld;
#[path = "module/workers.rs"]
mod workers;
