//! The gauges of limits, budgets and providers: refreshed by one VM, whether there is traffic or not.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashSet;

use super::series::{self, Shown};
use super::{host, vms};
use crate::health;
use crate::limit::gauges::{self, Round, Show};
use crate::limit::store::Unwritable;
use crate::metrics::{self, Metric};
use crate::world::World;

/// Keys looked at in a tick. The VM that does it is usually on Envoy's main thread; should it be a worker, its requests
/// wait for no more than this.
const KEYS: usize = 2_000;

thread_local! {
    static REFRESH: RefCell<Refresh> = RefCell::new(Refresh::default());
}

#[derive(Default)]
struct Refresh {
    /// The configuration that the round is for.
    hash: String,
    round: Round,
    /// When it was last gone on with.
    last: u64,
    /// Gauges for which there was no place in this round.
    omitted: u64,
    /// Series set in this round, until what is left of earlier configurations has been set to 0.
    shown: Option<HashSet<String>>,
}

impl Show for Refresh {
    fn set(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        let shown = series::show(metric, labels, value);
        match (shown, &mut self.shown) {
            (Shown::NotAtAll, _) => self.omitted += 1,
            (Shown::AsItself, Some(all)) => {
                all.insert(metrics::series_name(metric, labels));
            }
            (Shown::AsItself, None) => {}
        }
    }

    fn down(&mut self, metric: &'static Metric, labels: &[&str], by: u64) {
        series::step(metric, labels, i64::try_from(by).unwrap_or(i64::MAX).saturating_neg());
    }
}

/// Goes on with the round, once a second, however many root contexts of this VM tick.
pub(super) fn refresh(world: &Rc<World>) {
    REFRESH.with_borrow_mut(|refresh| {
        let now = host::steady();
        if now.saturating_sub(refresh.last) < vms::APART_MS {
            return;
        }
        if refresh.hash != world.hash {
            *refresh = Refresh {
                hash: world.hash.clone(),
                shown: Some(HashSet::new()),
                ..Refresh::default()
            };
        }
        refresh.last = now;
        let mut round = refresh.round;
        let over = vms::with_books(host::now(), |books| {
            health::gauge::show(world, books, refresh);
            round.go_on(world, books, KEYS, refresh)
        });
        refresh.round = round;
        match over {
            Ok(true) => {
                series::observe(&metrics::GAUGES_OMITTED, &[], std::mem::take(&mut refresh.omitted));
                if let Some(shown) = refresh.shown.take() {
                    series::silence(|name| {
                        let refreshed = gauges::is_of_a_subject(name) || health::gauge::is_of_a_provider(name);
                        refreshed && !shown.contains(name)
                    });
                }
            }
            Ok(false) => {}
            Err(Unwritable) => series::observe(&metrics::INTERNAL_ERRORS, &["shared_data_contended"], 1),
        }
    });
}
