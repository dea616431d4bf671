//! The catalogue's series, as the host's metrics.
//!
//! Defining a metric costs up to 30 µs and a few bytes for ever, so each series is defined once per VM. A VM that takes
//! another's place must define again what its predecessor had, or the host forgets it: so the names are kept in a [`list`]
//! that all VMs share. What a VM that is on its way out records for the first time, it hands over ([`bequest`]), because
//! nobody else may have defined it when it goes.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{generation, host};
use crate::metrics::{self, Kind, Metric, OTHER, Sink};

mod bequest;
mod list;

pub(super) use bequest::adopt;
pub(super) use list::silence;

thread_local! {
    static SERIES: RefCell<Series> = RefCell::new(Series::default());
}

#[derive(Default)]
struct Series {
    known: HashTable<Known>,
    hasher: DefaultHashBuilder,
    /// The bound on the list; none before a configuration says one.
    most: Option<u64>,
    /// How much of the list this VM has defined.
    defined: u64,
}

struct Known {
    hash: u64,
    metric: &'static Metric,
    labels: Box<[Box<str>]>,
    id: u32,
    /// Recorded under `other` labels in place of its own.
    overflow: bool,
}

/// Where a series is.
enum Found {
    /// Defined here; `true`: in its place, the one that all share for which there is no place.
    Here(u32, bool),
    /// Nowhere yet, and not to be defined here, by a VM that is on its way out. Its name.
    Elsewhere(String),
    /// The host refused it.
    Nowhere,
}

/// Where records go.
pub(super) struct Host;

impl Sink for Host {
    fn observe(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        observe(metric, labels, value);
    }
}

/// Adds to a counter, records in a histogram, sets a gauge.
pub(super) fn observe(metric: &'static Metric, labels: &[&str], value: u64) {
    if metric.kind == Kind::Counter && value == 0 {
        return;
    }
    let (id, overflow) = match lookup(metric, labels) {
        Found::Here(id, overflow) => (id, overflow),
        Found::Elsewhere(name) => return bequest::leave(metric.kind, &name, bequest::Deed::Observe, value as i64),
        Found::Nowhere => return,
    };
    write(metric.kind, id, value);
    if overflow && metric != &metrics::SERIES_OVERFLOW {
        observe(&metrics::SERIES_OVERFLOW, &[], 1);
    }
}

fn write(kind: Kind, id: u32, value: u64) {
    // A metric that cannot be written has nowhere else to be counted.
    let _ = match kind {
        Kind::Counter => host::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
        Kind::Gauge | Kind::Histogram => host::record_metric(id, value),
    };
}

/// What became of a gauge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is set.
    AsItself,
    /// There are as many series as allowed. What many subjects would set to their own values in turn tells nothing.
    NotAtAll,
}

/// Sets a gauge of one subject among many.
pub(super) fn show(metric: &'static Metric, labels: &[&str], value: u64) -> Shown {
    if let Some((id, _)) = known(metric, labels) {
        write(metric.kind, id, value);
        return Shown::AsItself;
    }
    // Those for which there is no place are asked for again and again, and nothing is to be kept of them.
    let name = metrics::series_name(metric, labels);
    match list::enlist(metric, &name, false) {
        false => Shown::NotAtAll,
        true => match define(metric, labels, &name, false) {
            Found::Here(id, _) => {
                write(metric.kind, id, value);
                Shown::AsItself
            }
            Found::Elsewhere(_) | Found::Nowhere => Shown::NotAtAll,
        },
    }
}

/// Moves a gauge.
pub(super) fn step(metric: &'static Metric, labels: &[&str], by: i64) {
    match lookup(metric, labels) {
        Found::Here(id, _) => {
            let _ = host::increment_metric(id, by);
        }
        Found::Elsewhere(name) => bequest::leave(metric.kind, &name, bequest::Deed::Step, by),
        Found::Nowhere => {}
    }
}

/// Counts a call that the host refused, and goes on.
pub(super) fn survive(result: Result<(), host::Error>) {
    if let Err(error) = result {
        log::warn!("the host refused {} with status {}", error.call, error.status);
        observe(&metrics::INTERNAL_ERRORS, &[error.call], 1);
    }
}

/// Writes a value that all VMs share, unless somebody else was first: whether it was written.
pub(super) fn won(key: &str, value: &[u8], version: Option<u32>) -> bool {
    host::set_shared(key, value, version).unwrap_or_else(|error| {
        survive(Err(error));
        false
    })
}

/// Takes the configured bound, and defines again every series that any VM has had.
pub(super) fn configure(most: usize) {
    let first = SERIES.with_borrow_mut(|series| series.most.replace(most as u64).is_none());
    if first {
        keep_up(u64::MAX);
    }
    observe(&metrics::SERIES, &[], list::bounded());
}

/// Defines here what other VMs have put on the list since, so many at most: when those go, the host still knows it.
pub(super) fn keep_up(most: u64) {
    let (from, to) = (SERIES.with_borrow(|series| series.defined), list::length());
    let to = to.min(from.saturating_add(most));
    for index in from..to {
        if let Some((kind, name)) = list::entry(index) {
            survive(host::define_metric(kind, &name).map(drop));
        }
    }
    SERIES.with_borrow_mut(|series| series.defined = to);
}

fn known(metric: &'static Metric, labels: &[&str]) -> Option<(u32, bool)> {
    SERIES.with_borrow(|series| {
        let hash = series.hash(metric, labels);
        let known = series.known.find(hash, |known| known.is(metric, labels));
        known.map(|known| (known.id, known.overflow))
    })
}

fn lookup(metric: &'static Metric, labels: &[&str]) -> Found {
    if let Some((id, overflow)) = known(metric, labels) {
        return Found::Here(id, overflow);
    }
    let own = metrics::series_name(metric, labels);
    if !list::has(&own) && !generation::is_current() {
        return Found::Elsewhere(own);
    }
    match list::enlist(metric, &own, labels.is_empty()) {
        true => define(metric, labels, &own, false),
        false => {
            let shared = metrics::series_name(metric, &vec![OTHER; labels.len()]);
            define(metric, labels, &shared, true)
        }
    }
}

fn define(metric: &'static Metric, labels: &[&str], name: &str, overflow: bool) -> Found {
    let Ok(id) = host::define_metric(metric.kind, name) else {
        return Found::Nowhere;
    };
    SERIES.with_borrow_mut(|series| {
        let hash = series.hash(metric, labels);
        let labels = labels.iter().map(|label| (*label).into()).collect();
        let known = Known {
            hash,
            metric,
            labels,
            id,
            overflow,
        };
        series.known.insert_unique(hash, known, |known| known.hash);
    });
    Found::Here(id, overflow)
}

impl Series {
    fn hash(&self, metric: &'static Metric, labels: &[&str]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        core::ptr::from_ref(metric).hash(&mut hasher);
        for label in labels {
            label.hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Known {
    fn is(&self, metric: &'static Metric, labels: &[&str]) -> bool {
        core::ptr::eq(self.metric, metric)
            && self.labels.len() == labels.len()
            && self.labels.iter().zip(labels).all(|(own, other)| **own == **other)
    }
}
