//! What VMs on their way out have observed of series that nobody had yet, for others to record.
//!
//! The host forgets a series with the last VM that has defined it. A stream that outlives its VM's time (because the module
//! or its environment was replaced) ends in a VM that goes with it; were its cost a new series, it would be lost in that
//! moment. So it is written down in shared data, and the next VM that ticks and is current records it.

use super::super::host;
use super::{list, observe, write};
use crate::metrics::{self, CATALOGUE, Kind, OTHER};

const KEY: &str = "tollgate.bequests";

/// What stands before all entries: the host does not tell an empty value, and what version it has, from none.
const NONE_LEFT: &[u8] = b"-";

/// More is never kept. Between two ticks a few dozen requests end for the first time with a new series.
const MOST_BYTES: usize = 256 << 10;

/// How often a lost swap is tried again.
const TRIES: usize = 64;

/// What is to be done with a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Add it to a counter, record it in a histogram, set a gauge to it.
    Observe,
    /// Move a gauge by it.
    Step,
}

/// Leaves an observation to others.
pub(super) fn leave(kind: Kind, name: &str, deed: Deed, value: i64) {
    let deed = match deed {
        Deed::Observe => b'o',
        Deed::Step => b's',
    };
    let Ok(length) = u16::try_from(name.len()) else {
        return;
    };
    let mut entry = vec![list::letter(kind), deed];
    entry.extend(value.to_le_bytes());
    entry.extend(length.to_le_bytes());
    entry.extend(name.as_bytes());
    for _ in 0..TRIES {
        let (before, version) = match host::shared(KEY) {
            Some((before, version)) => (before, Some(version)),
            None => (NONE_LEFT.to_vec(), None),
        };
        if before.len() + entry.len() > MOST_BYTES {
            break;
        }
        match host::set_shared(KEY, &[before.as_slice(), &entry].concat(), version) {
            Ok(true) => return,
            Ok(false) => {}
            Err(_) => break,
        }
    }
    log::warn!("an observation of {name} found no heir");
}

/// Records what was left. Only for a VM that is current.
pub(in super::super) fn adopt() {
    let Some((left, version)) = host::shared(KEY) else {
        return;
    };
    let mut rest = left.strip_prefix(NONE_LEFT).unwrap_or_default();
    if rest.is_empty() || !matches!(host::set_shared(KEY, NONE_LEFT, Some(version)), Ok(true)) {
        return;
    }
    while let Some((kind, deed, value, name)) = take(&mut rest) {
        record(kind, deed, value, name);
    }
}

fn take<'b>(rest: &mut &'b [u8]) -> Option<(Kind, Deed, i64, &'b str)> {
    let (&[kind, deed], after) = rest.split_first_chunk::<2>()?;
    let (value, after) = after.split_first_chunk::<8>()?;
    let (length, after) = after.split_first_chunk::<2>()?;
    let (name, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    *rest = after;
    let deed = match deed {
        b's' => Deed::Step,
        _ => Deed::Observe,
    };
    Some((
        list::of_letter(kind),
        deed,
        i64::from_le_bytes(*value),
        core::str::from_utf8(name).ok()?,
    ))
}

fn record(kind: Kind, deed: Deed, value: i64, name: &str) {
    let family = name.split('.').next().unwrap_or_default();
    let Some(metric) = CATALOGUE.iter().find(|metric| metric.name == family) else {
        return;
    };
    let shared = metrics::series_name(metric, &vec![OTHER; metric.labels.len()]);
    let fits = list::enlist(metric, name, metric.labels.is_empty());
    if let Ok(id) = host::define_metric(kind, if fits { name } else { &shared }) {
        match deed {
            Deed::Observe => write(kind, id, value as u64),
            Deed::Step => {
                let _ = host::increment_metric(id, value);
            }
        }
    }
    if !fits {
        observe(&metrics::SERIES_OVERFLOW, &[], 1);
    }
}
