//! Whether this VM is the one that new streams get, or on its way out.
//!
//! Envoy starts new VMs where the module or its environment has changed, and lets the old ones finish their streams. All
//! VMs of one generation have the same environment and version of the module; the mark of the latest is in shared data, and
//! a VM of another is not current.

use std::cell::Cell;

use super::host;
use crate::hash;

const KEY: &str = "tollgate.generation";

/// How often a lost swap is tried again.
const TRIES: usize = 64;

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// This VM is configured, and is current from now on.
pub(super) fn begin() {
    let mut told = env!("CARGO_PKG_VERSION").to_owned();
    let mut variables: Vec<_> = std::env::vars_os().collect();
    variables.sort();
    for (name, value) in variables {
        // Hashed and nothing else: among them are credentials.
        told.push_str(&format!("\n{name:?}={value:?}"));
    }
    let mark = hash::of(told.as_bytes());
    OWN.set(mark);
    for _ in 0..TRIES {
        let (before, version) = match host::shared(KEY) {
            Some((before, version)) => (before, Some(version)),
            None => (Vec::new(), None),
        };
        if before == mark.to_le_bytes() || !matches!(host::set_shared(KEY, &mark.to_le_bytes(), version), Ok(false)) {
            return;
        }
    }
}

/// The mark of this VM's generation.
pub(super) fn own() -> u64 {
    OWN.get()
}

/// Whether this VM is of the latest generation.
pub(super) fn is_current() -> bool {
    host::shared(KEY).is_none_or(|(mark, _)| mark == OWN.get().to_le_bytes())
}
