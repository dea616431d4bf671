//! How all providers stand and what they say is left of their limits, as gauges.
//!
//! In: the world and the books. Out: observations of gauges, for each provider and credential. It reads and changes nothing.

use super::{cell_name, quota, standing};
use crate::limit::gauges::Show;
use crate::limit::store::Books;
use crate::metrics;
use crate::world::World;

/// Shows how each provider stands with each of its credentials. A quota is shown as it was last reported, once it was.
pub fn show(world: &World, books: &mut Books<'_>, show: &mut impl Show) {
    for provider in &world.providers {
        for index in 0..provider.credential_count() {
            let credential = index.to_string();
            let labels = [&*provider.name, &*credential];
            let standing = standing(&cell_name(&provider.name, index), &provider.health, books);
            show.set(&metrics::PROVIDER_HEALTH, &labels, u64::from(standing.percent()));
            let Some((report, _)) = quota::read(&quota::cell_name(&provider.name, index), books) else {
                continue;
            };
            for (kind, left) in quota::KINDS.into_iter().zip(report.all) {
                let labels = [&*provider.name, &*credential, kind];
                if let Some(limit) = left.limit {
                    show.set(&metrics::PROVIDER_QUOTA, &labels, limit);
                }
                if let Some(remaining) = left.remaining {
                    show.set(&metrics::PROVIDER_QUOTA_REMAINING, &labels, remaining);
                }
            }
        }
    }
}

/// Whether a series is one of these, by its name as the host keeps it: once the provider is gone, it has to read 0.
pub fn is_of_a_provider(series: &str) -> bool {
    let family = series.split('.').next().unwrap_or_default();
    let families = [
        &metrics::PROVIDER_HEALTH,
        &metrics::PROVIDER_QUOTA,
        &metrics::PROVIDER_QUOTA_REMAINING,
    ];
    families.iter().any(|metric| metric.name == family)
}
