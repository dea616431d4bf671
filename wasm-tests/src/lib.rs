//! The built module under a host that behaves as Envoy does.
//!
//! [`Gateway`] is what most tests need: a process with one worker, both roles configured, providers that answer from a
//! script. A test sends a [`Request`], and asserts on the [`Outcome`]: what the client received, what each provider
//! received, what the metrics say. It never asserts which host calls were made.
//!
//! | layer | what it is |
//! |---|---|
//! | [`Process`] | what all workers share: shared data, statistics, the clock, the log |
//! | [`Worker`] | one VM, as one of Envoy's threads has it, with the root contexts of both roles |
//! | [`Exchange`] | one request through filter, router, provider filter and back, one network event at a time |
//!
//! The host repeats what Envoy 1.40 was seen to do, and is strict where Envoy is: it answers `BadArgument` where Envoy
//! does, and remembers every refused call and everything that real traffic would have suffered from (a body that
//! contradicts its `content-length`, a header changed after it had left). [`Gateway`] fails the test at its end
//! if there was any, so no test has to ask.
//!
//! What it deliberately does not know: HTTP framing, TLS, time-outs, flow control, callouts. Real Envoy tests those.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "whatever goes wrong in here fails the test, with a message"
)]

mod exchange;
mod gateway;
mod headers;
mod host;
mod process;
mod request;
mod upstream;
mod vm;
mod worker;

pub use exchange::{Attempt, End, Exchange, Outcome};
pub use gateway::Gateway;
pub use headers::Headers;
pub use host::status::Status;
pub use process::{Kind, Log, Process, Series};
pub use request::Request;
pub use upstream::Reply;
pub use vm::{MODULE_VARIABLE, exports, imports, module_path, offered_imports};
pub use worker::{ProviderEnds, Role, Worker};
