//! What all workers of one proxy share: shared data, queues, statistics, the clock, the log.

mod shared_data;
mod stats;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) use self::shared_data::SharedData;
pub(crate) use self::stats::Stats;
pub use self::stats::{Kind, Series};
use crate::host::status::Status;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical.
    pub level: u32,
    /// The text, as the module gave it.
    pub text: String,
}

/// One proxy process. Cheap to clone: clones are the same process.
#[derive(Clone, Default)]
pub struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    shared_data: Mutex<SharedData>,
    stats: Mutex<Stats>,
    /// Nanoseconds since the epoch.
    now: Mutex<u64>,
    /// Nanoseconds of a clock that nobody sets.
    steady: Mutex<u64>,
    log: Mutex<Vec<Log>>,
    complaints: Mutex<Vec<String>>,
}

impl Process {
    /// A process that has just started, on 2026-09-01 at noon, UTC.
    pub fn start() -> Self {
        let process = Self::default();
        *locked(&process.0.now) = 1_788_264_000_000_000_000;
        *locked(&process.0.steady) = 86_400_000_000_000;
        process
    }

    /// Nanoseconds since the epoch, as the module sees them.
    pub fn now(&self) -> u64 {
        *locked(&self.0.now)
    }

    /// The clock that nobody sets: nanoseconds since some moment.
    pub(crate) fn steady(&self) -> u64 {
        *locked(&self.0.steady)
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let nanoseconds = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        for clock in [&self.0.now, &self.0.steady] {
            let mut now = locked(clock);
            *now = now.saturating_add(nanoseconds);
        }
    }

    /// Sets the wall clock back.
    pub fn turn_back(&self, by: Duration) {
        let nanoseconds = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let mut now = locked(&self.0.now);
        *now = now.saturating_sub(nanoseconds);
    }

    /// Every series that exists, sorted by name; histograms with the values recorded.
    pub fn series(&self) -> Vec<Series> {
        locked(&self.0.stats).series()
    }

    /// The sum over all series of that name which have all of these labels. For a histogram, how many values were recorded.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.matching(name, labels).iter().fold(0, |sum, series| {
            sum.wrapping_add(match series.kind {
                Kind::Histogram => series.samples.len() as u64,
                Kind::Counter | Kind::Gauge => series.value,
            })
        })
    }

    /// All values recorded by histograms of that name with all of these labels.
    pub fn samples(&self, name: &str, labels: &[(&str, &str)]) -> Vec<u64> {
        self.matching(name, labels)
            .into_iter()
            .flat_map(|series| series.samples)
            .collect()
    }

    /// Every log line so far.
    pub fn log(&self) -> Vec<Log> {
        locked(&self.0.log).clone()
    }

    /// The log as one text, for searching.
    pub fn log_text(&self) -> String {
        locked(&self.0.log)
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }

    /// What went wrong between module and host: refused calls, traps, traffic that real HTTP would not have carried.
    pub fn complaints(&self) -> Vec<String> {
        locked(&self.0.complaints).clone()
    }

    /// Takes the complaints away: for a test that provokes them.
    pub fn forgive(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.0.complaints))
    }

    pub(crate) fn complain(&self, what: String) {
        locked(&self.0.complaints).push(what);
    }

    /// Remembers the answer to a host call if Envoy would have refused it.
    pub(crate) fn note_call(&self, call: &str, status: Status) {
        let refused = match status {
            Status::BadArgument | Status::SerializationFailure | Status::ParseFailure | Status::InternalFailure => true,
            // Everywhere else "not there" and "someone was first" are answers one may expect.
            Status::NotFound => call.ends_with("_metric") || call.ends_with("_foreign_function"),
            Status::Ok | Status::Empty | Status::CasMismatch => false,
        };
        if refused {
            self.complain(format!("{call} was refused: {status:?}"));
        }
    }

    pub(crate) fn write_log(&self, level: u32, text: String) {
        locked(&self.0.log).push(Log { level, text });
    }

    pub(crate) fn shared_data(&self) -> MutexGuard<'_, SharedData> {
        locked(&self.0.shared_data)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        locked(&self.0.stats)
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> Vec<Series> {
        let mut series = self.series();
        series.retain(|series| {
            series.name == name && labels.iter().all(|(label, value)| series.label(label) == Some(*value))
        });
        series
    }
}

/// A test that panicked elsewhere while holding the lock has failed already.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
