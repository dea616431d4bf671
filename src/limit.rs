//! What may be used how fast, and what of it is left: rate limits and budgets that hold over all workers.
//!
//! In: the rules of the document, what a request may use at most, the time, and a [`store::Store`] that all workers share. Out:
//! an [`admit::Grant`], for which everything has been set aside at once, or the limit that stands in the way and when it will
//! not; and once the request is over, what it really used takes the place of what was set aside. It knows no headers, no
//! bodies and no host.
//!
//! # The shape
//!
//! A *subject* is whatever has rules: a key, a team, a key with a model, a model, a provider, everything together. All
//! that is known of a subject's use is one [`cell::Cell`], one value of the store, so that all of its limits are judged
//! and changed by one compare-and-swap. A request first reads the cells of its subjects and asks every rule; only if none
//! refuses does it write them, one after the other, and where another worker was faster it asks that one again. Should it
//! then be refused, what was written before is taken back. So a refusal uses nothing up, and whatever the interleaving,
//! what is set aside and used together never exceeds a limit.
//!
//! - [`rule`]: what the operator wrote, compiled.
//! - [`window`]: how much in the last so many seconds. It never forgets early.
//! - [`period`]: hours, days, weeks and months of the calendar; [`ledger`]: what was spent in one.
//! - [`cell`]: the state of one subject, as bytes.
//! - [`habit`]: how long answers usually are, for requests that do not say.
//! - [`store`]: the compare-and-swap, and which VMs are alive.
//! - [`judge`]: one subject's rules, asked about one request.
//! - [`standing`]: how each rule of a subject stands, for gauges and for whoever asks.
//! - [`gauges`]: the same of everything, for metrics.
//! - [`vitals`]: how a dead VM is told from a living one.
//! - [`admit`]: asking all of a request's subjects, setting aside, settling.
//!
//! # Crashes
//!
//! What is set aside for requests under way is kept by the VM that serves them ([`store::Owner`]). A VM that has stopped
//! beating is dead, and with it everything it had set aside is free again.

pub mod admit;
mod bytes;
pub mod cell;
pub mod gauges;
pub mod habit;
pub mod judge;
pub mod ledger;
pub mod period;
pub mod rule;
pub mod standing;
pub mod store;
pub mod vitals;
pub mod window;
