//! The catalogue's series, as the host's metrics.
//!
//! Defining a metric costs up to 30 µs and a few bytes for ever, so each series is defined once per VM. A VM that takes
//! another's place must define again what its predecessor had, or the host forgets it: so the names are kept in shared
//! data, as a numbered list. The list is also what bounds the number of series, over all workers.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::host;
use crate::metrics::{self, Kind, Metric, OTHER, Sink};

const COUNT: &str = "tollgate.series";

/// How often a lost swap is tried again. Each loss means that another worker added a series meanwhile.
const TRIES: usize = 64;

thread_local! {
    static SERIES: RefCell<Series> = RefCell::new(Series::default());
}

#[derive(Default)]
struct Series {
    known: HashTable<Known>,
    hasher: DefaultHashBuilder,
    /// The bound on the list; none before a configuration says one.
    most: Option<u64>,
}

struct Known {
    hash: u64,
    metric: &'static Metric,
    labels: Box<[Box<str>]>,
    id: u32,
    /// Recorded under `other` labels in place of its own.
    overflow: bool,
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
    let Some((id, overflow)) = lookup(metric, labels) else {
        return;
    };
    // A metric that cannot be written has nowhere else to be counted.
    let _ = match metric.kind {
        Kind::Counter => host::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
        Kind::Gauge | Kind::Histogram => host::record_metric(id, value),
    };
    if overflow && metric != &metrics::SERIES_OVERFLOW {
        observe(&metrics::SERIES_OVERFLOW, &[], 1);
    }
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
    match lookup(metric, labels) {
        Some((id, false)) => {
            // A metric that cannot be written has nowhere else to be counted.
            let _ = host::record_metric(id, value);
            Shown::AsItself
        }
        Some((_, true)) | None => {
            observe(&metrics::SERIES_OVERFLOW, &[], 1);
            Shown::NotAtAll
        }
    }
}

/// Sets gauges to 0 that no longer mean anything, by their names as the host keeps them.
pub(super) fn silence(is_over: impl Fn(&str) -> bool) {
    for index in 0..count().0 {
        if let Some((kind, name)) = listed(index)
            && kind == Kind::Gauge
            && is_over(&name)
        {
            let zero = host::define_metric(kind, &name).and_then(|id| host::record_metric(id, 0));
            survive(zero);
        }
    }
}

/// Moves a gauge.
pub(super) fn step(metric: &'static Metric, labels: &[&str], by: i64) {
    if let Some((id, _)) = lookup(metric, labels) {
        let _ = host::increment_metric(id, by);
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
        for index in 0..count().0 {
            if let Some((kind, name)) = listed(index) {
                survive(host::define_metric(kind, &name).map(drop));
            }
        }
    }
    observe(&metrics::SERIES, &[], count().0);
}

fn lookup(metric: &'static Metric, labels: &[&str]) -> Option<(u32, bool)> {
    let found = SERIES.with_borrow(|series| {
        let hash = series.hash(metric, labels);
        let known = series.known.find(hash, |known| known.is(metric, labels));
        known.map(|known| (known.id, known.overflow))
    });
    found.or_else(|| define(metric, labels))
}

fn define(metric: &'static Metric, labels: &[&str]) -> Option<(u32, bool)> {
    let own = metrics::series_name(metric, labels);
    let fits = enlist(metric, &own, labels.is_empty());
    let name = match fits {
        true => own,
        false => metrics::series_name(metric, &vec![OTHER; labels.len()]),
    };
    let id = host::define_metric(metric.kind, &name).ok()?;
    SERIES.with_borrow_mut(|series| {
        let hash = series.hash(metric, labels);
        let labels = labels.iter().map(|label| (*label).into()).collect();
        let known = Known {
            hash,
            metric,
            labels,
            id,
            overflow: !fits,
        };
        series.known.insert_unique(hash, known, |known| known.hash);
    });
    Some((id, !fits))
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

/// Puts a series on the list that all VMs share, if it is not there. `false`: the list is full. What has no labels
/// always has a place, for there are only as many as the catalogue has rows.
fn enlist(metric: &Metric, name: &str, always: bool) -> bool {
    let listed = format!("{COUNT}.{name}");
    if host::shared(&listed).is_some() {
        return true;
    }
    let most = SERIES.with_borrow(|series| series.most);
    if !always && most.is_some_and(|most| count().0 >= most) {
        return false;
    }
    match host::set_shared(&listed, b"1", None) {
        Ok(true) => {}
        // Another worker is listing it.
        Ok(false) => return true,
        Err(error) => {
            log::warn!("a series could not be listed: status {}", error.status);
            return true;
        }
    }
    let kind = match metric.kind {
        Kind::Counter => b'c',
        Kind::Gauge => b'g',
        Kind::Histogram => b'h',
    };
    for _ in 0..TRIES {
        let (index, version) = count();
        if let Ok(true) = host::set_shared(COUNT, &(index + 1).to_le_bytes(), version) {
            let entry: Vec<u8> = [&[kind], name.as_bytes()].concat();
            // Not counted, because counting lists a series.
            if let Err(error) = host::set_shared(&numbered(index), &entry, None) {
                log::warn!("a series could not be listed: status {}", error.status);
            }
            if metric != &metrics::SERIES {
                observe(&metrics::SERIES, &[], index + 1);
            }
            break;
        }
    }
    true
}

/// How many series are listed, and the version of that number.
fn count() -> (u64, Option<u32>) {
    match host::shared(COUNT) {
        Some((bytes, version)) => (bytes.try_into().map(u64::from_le_bytes).unwrap_or(0), Some(version)),
        None => (0, None),
    }
}

/// A series of the list.
fn listed(index: u64) -> Option<(Kind, String)> {
    let (entry, _) = host::shared(&numbered(index))?;
    let (kind, name) = entry.split_first()?;
    let kind = match kind {
        b'c' => Kind::Counter,
        b'g' => Kind::Gauge,
        _ => Kind::Histogram,
    };
    Some((kind, core::str::from_utf8(name).ok()?.to_owned()))
}

fn numbered(index: u64) -> String {
    format!("{COUNT}#{index}")
}
