//! Which Envoy the configuration is for: what older ones do not know yet.
//!
//! Source: Envoy's version history (`changelogs/1.36.0.yaml`, `1.37.0.yaml`, `1.39.0.yaml`).

use std::fmt;
use std::str::FromStr;

/// A minor version of Envoy 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u8);

impl Version {
    /// The newest there is, and the one that everything is tried with.
    pub const NEWEST: Self = Self(40);

    /// The oldest that lets the module hold headers (`allow_on_headers_stop_iteration`).
    pub const OLDEST: Self = Self(35);

    /// Whether each attempt can go to a cluster chosen for it (`refresh_cluster_on_retry`). If not, a cluster made of
    /// several has to be there for each order of providers.
    pub fn chooses_for_each_attempt(self) -> bool {
        self >= Self(39)
    }

    /// Whether it can be told which headers to sign (`match_included_headers`). If not, it signs nearly all of them.
    pub fn signs_what_it_is_told(self) -> bool {
        self >= Self(37)
    }

    /// Whether a route can say how much of a body is kept (`request_body_buffer_limit`). If not, it is as much as of a
    /// connection.
    pub fn keeps_long_bodies(self) -> bool {
        self >= Self(36)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minor = text.strip_prefix("1.").and_then(|minor| minor.parse().ok()).map(Self);
        minor
            .filter(|version| (Self::OLDEST..=Self::NEWEST).contains(version))
            .ok_or_else(|| format!("write a version from {} to {}", Self::OLDEST, Self::NEWEST))
    }
}
