//! The list of all series, which all VMs share: what a new VM has to define, and what bounds their number.
//!
//! It is a number of entries and the entries by their numbers, and for each name a mark that it is there. The gauges of
//! limits and budgets, of which there are many for each key, have a bound of their own, so that they leave the counters
//! theirs.

use super::super::host;
use super::{SERIES, observe, survive};
use crate::limit::gauges;
use crate::metrics::{self, Kind, Metric};

const COUNT: &str = "tollgate.series";
/// How many of them are gauges of limits and budgets.
const GAUGES: &str = "tollgate.series.gauges";

/// How often a lost swap is tried again. Each loss means that another worker added a series meanwhile.
const TRIES: usize = 64;

/// Whether a name is on the list.
pub(super) fn has(name: &str) -> bool {
    host::shared(&mark(name)).is_some()
}

/// Puts a series on the list, if it is not there. `false`: the list is full. What has no labels always has a place, for
/// there are only as many as the catalogue has rows.
pub(super) fn enlist(metric: &Metric, name: &str, always: bool) -> bool {
    if has(name) {
        return true;
    }
    let of_a_subject = gauges::is_of_a_subject(name);
    let most = SERIES.with_borrow(|series| series.most);
    let used = || if of_a_subject { number(GAUGES).0 } else { bounded() };
    if !always && most.is_some_and(|most| used() >= most) {
        return false;
    }
    match host::set_shared(&mark(name), b"1", None) {
        Ok(true) => {}
        // Another worker is listing it.
        Ok(false) => return true,
        Err(error) => {
            log::warn!("a series could not be listed: status {}", error.status);
            return true;
        }
    }
    if of_a_subject {
        next(GAUGES);
    }
    if let Some(index) = next(COUNT) {
        let entry: Vec<u8> = [&[letter(metric.kind)], name.as_bytes()].concat();
        // Not counted, because counting lists a series.
        if let Err(error) = host::set_shared(&numbered(index), &entry, None) {
            log::warn!("a series could not be listed: status {}", error.status);
        }
        if metric != &metrics::SERIES && !of_a_subject {
            observe(&metrics::SERIES, &[], bounded());
        }
    }
    true
}

/// Sets gauges to 0 that no longer mean anything, by their names as the host keeps them.
pub(in super::super) fn silence(is_over: impl Fn(&str) -> bool) {
    for index in 0..length() {
        if let Some((kind, name)) = entry(index)
            && kind == Kind::Gauge
            && is_over(&name)
        {
            let zero = host::define_metric(kind, &name).and_then(|id| host::record_metric(id, 0));
            survive(zero);
        }
    }
}

/// How many entries there are.
pub(super) fn length() -> u64 {
    number(COUNT).0
}

/// How many of them the bound on series is about.
pub(super) fn bounded() -> u64 {
    length().saturating_sub(number(GAUGES).0)
}

/// An entry.
pub(super) fn entry(index: u64) -> Option<(Kind, String)> {
    let (entry, _) = host::shared(&numbered(index))?;
    let (kind, name) = entry.split_first()?;
    Some((of_letter(*kind), core::str::from_utf8(name).ok()?.to_owned()))
}

/// A kind, as it is kept.
pub(super) fn letter(kind: Kind) -> u8 {
    match kind {
        Kind::Counter => b'c',
        Kind::Gauge => b'g',
        Kind::Histogram => b'h',
    }
}

/// The kind that a letter stands for.
pub(super) fn of_letter(letter: u8) -> Kind {
    match letter {
        b'c' => Kind::Counter,
        b'g' => Kind::Gauge,
        _ => Kind::Histogram,
    }
}

/// Counts one more: the number before.
fn next(key: &str) -> Option<u64> {
    (0..TRIES).find_map(|_| {
        let (before, version) = number(key);
        let written = host::set_shared(key, &(before + 1).to_le_bytes(), version);
        matches!(written, Ok(true)).then_some(before)
    })
}

/// A number, and the version of it.
fn number(key: &str) -> (u64, Option<u32>) {
    match host::shared(key) {
        Some((bytes, version)) => (bytes.try_into().map(u64::from_le_bytes).unwrap_or(0), Some(version)),
        None => (0, None),
    }
}

fn mark(name: &str) -> String {
    [COUNT, ".", name].concat()
}

fn numbered(index: u64) -> String {
    format!("{COUNT}#{index}")
}
