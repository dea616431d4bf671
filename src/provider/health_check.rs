//! How Envoy finds out whether a provider is there.
//!
//! In and out: what the operator wrote. It asks nothing: Envoy does.

use std::time::Duration;

/// A request whose answer says whether a provider is there: a status from 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path that is asked for, from the host's root.
    pub path: Box<str>,
    /// How long after one answer it is asked again.
    pub interval: Duration,
}

impl HealthCheck {
    /// How long after one answer it is asked again where nobody says.
    pub const INTERVAL: Duration = Duration::from_secs(10);
}
