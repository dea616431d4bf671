//! Statistics, as all VMs of the process share them.
//!
//! A name carries its labels the way Envoy's tag regexes take them out again: `name.label=.=value;.;label2=.=v;.;`.

use std::collections::BTreeMap;

use crate::host::status::Status;

/// What a series counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down; below zero it wraps, as Envoy's does.
    Gauge,
    /// Remembers each value.
    Histogram,
}

impl Kind {
    pub(crate) fn from_abi(kind: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram]
            .into_iter()
            .nth(kind as usize)
    }
}

/// One series: a metric with one set of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The Prometheus name.
    pub name: String,
    /// Labels in the order of the encoded name.
    pub labels: Vec<(String, String)>,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Of a counter or gauge.
    pub value: u64,
    /// Of a histogram.
    pub samples: Vec<u64>,
    /// The name as the module defined it.
    pub encoded: String,
}

impl Series {
    /// The value of one label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }

    fn new(kind: Kind, encoded: &str) -> Self {
        let (name, rest) = encoded.split_once('.').unwrap_or((encoded, ""));
        let labels = rest.split_terminator(";.;").filter_map(|part| part.split_once("=.="));
        Self {
            name: name.to_owned(),
            labels: labels
                .map(|(label, value)| (label.to_owned(), value.to_owned()))
                .collect(),
            kind,
            value: 0,
            samples: Vec::new(),
            encoded: encoded.to_owned(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Stats(BTreeMap<(String, Kind), Series>);

impl Stats {
    pub(crate) fn define(&mut self, kind: Kind, encoded: &str) {
        self.0
            .entry((encoded.to_owned(), kind))
            .or_insert_with(|| Series::new(kind, encoded));
    }

    pub(crate) fn increment(&mut self, kind: Kind, encoded: &str, by: i64) -> Status {
        let Some(series) = self.0.get_mut(&(encoded.to_owned(), kind)) else {
            return Status::NotFound;
        };
        match kind {
            Kind::Counter if by <= 0 => return Status::BadArgument,
            Kind::Histogram => return Status::BadArgument,
            Kind::Counter | Kind::Gauge => series.value = series.value.wrapping_add_signed(by),
        }
        Status::Ok
    }

    pub(crate) fn record(&mut self, kind: Kind, encoded: &str, value: u64) -> Status {
        let Some(series) = self.0.get_mut(&(encoded.to_owned(), kind)) else {
            return Status::NotFound;
        };
        match kind {
            Kind::Counter => series.value = series.value.wrapping_add(value),
            Kind::Gauge => series.value = value,
            Kind::Histogram => series.samples.push(value),
        }
        Status::Ok
    }

    pub(crate) fn value(&self, kind: Kind, encoded: &str) -> Result<u64, Status> {
        match kind {
            Kind::Histogram => Err(Status::BadArgument),
            Kind::Counter | Kind::Gauge => self
                .0
                .get(&(encoded.to_owned(), kind))
                .map(|series| series.value)
                .ok_or(Status::NotFound),
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(Kind, &str) -> bool) {
        self.0.retain(|(name, kind), _| keep(*kind, name));
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        self.0.values().cloned().collect()
    }
}
