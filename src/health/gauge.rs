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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::headers::Headers;
    use crate::health::{Outcome, Sign, note};
    use crate::limit::store::{Census, Clock, Memory, Owner};
    use crate::metrics::Metric;

    #[derive(Default)]
    struct Shown(Vec<String>);

    impl Show for Shown {
        fn set(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
            assert_eq!(metric.labels.len(), labels.len());
            let series = metrics::series_name(metric, labels);
            assert!(is_of_a_provider(&series));
            self.0.push(format!("{} {} {value}", metric.name, labels.join(" ")));
        }

        fn down(&mut self, _: &'static Metric, _: &[&str], _: u64) {}
    }

    #[test]
    fn every_provider_is_shown_and_of_its_quotas_what_it_reported() {
        let text = r#"{"providers": {
            "a": {"dialect": "openai", "endpoint": "http://127.0.0.1:1"}, "b": {"dialect": "openai", "endpoint": "http://127.0.0.1:2"}
        }}"#;
        let world = World::compile(&Document::parse(text).unwrap(), &|_| None).unwrap();
        let (mut store, census, mut shown) = (Memory::default(), Census::default(), Shown::default());
        let mut books = Books {
            store: &mut store,
            clock: Clock::default(),
            owner: Owner(1),
            census: &census,
        };
        let outcome = Outcome {
            sign: Sign::Refused,
            began: 0,
            trial: None,
        };
        note(&cell_name("a", 0), &world.providers[0].health, outcome, &mut books).unwrap();
        let headers = Headers::from_pairs([
            ("x-ratelimit-limit-tokens", "100"),
            ("x-ratelimit-remaining-requests", "7"),
        ]);
        quota::note(&quota::cell_name("b", 0), &quota::quota(&headers), &mut books).unwrap();
        show(&world, &mut books, &mut shown);
        assert_eq!(
            shown.0,
            [
                "tollgate_provider_health_percent a 0 0",
                "tollgate_provider_health_percent b 0 100",
                "tollgate_provider_quota_remaining b 0 requests 7",
                "tollgate_provider_quota b 0 tokens 100",
            ]
        );
        assert!(!is_of_a_provider("tollgate_limit.scope=.=key;.;"));
    }
}
