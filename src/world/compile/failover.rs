//! When the next target is tried, and when a provider is left alone: what is written, over what it inherits.
//!
//! In: the document's or one subject's `failover` or `health`, and the settings it stands over. Out: settings with every
//! number in place. Both are small, so each subject has its own.

use std::time::Duration;

use super::{Findings, numbers, place::Place};
use crate::document;
use crate::health::rule::Rule;
use crate::world::Failover;

/// The most attempts of a request.
const MOST_ATTEMPTS: u64 = 10;

/// The most failures in a row.
const MOST_FAILURES: u64 = 1_000;

const TO_AN_HOUR: (u64, u64, &str) = (1, 3_600, "from \"1s\" to \"1h\"");
const TO_A_DAY: (u64, u64, &str) = (1, 86_400, "from \"1s\" to \"1d\"");

/// The failover of what is at `place`, over what it inherits.
pub(super) fn failover(
    place: Place<'_>,
    written: Option<&document::Failover>,
    inherited: Failover,
    findings: &mut Findings,
) -> Failover {
    let Some(written) = written else { return inherited };
    let place = place.member("failover");
    let attempts = written.attempts.and_then(|attempts| {
        let attempts = numbers::count(place.member("attempts"), attempts, MOST_ATTEMPTS, findings)?;
        usize::try_from(attempts).ok()
    });
    let mut span = |name, text: &Option<String>, bounds, otherwise| {
        let text = text.as_deref();
        let seconds = text.and_then(|text| numbers::seconds(place.member(name), text, bounds, findings));
        seconds.map_or(otherwise, Duration::from_secs)
    };
    let first_token_timeout = span(
        "first_token_timeout",
        &written.first_token_timeout,
        TO_AN_HOUR,
        inherited.first_token_timeout,
    );
    let answer_timeout = span(
        "answer_timeout",
        &written.answer_timeout,
        TO_A_DAY,
        inherited.answer_timeout,
    );
    let total = span("total", &written.total, TO_A_DAY, inherited.total);
    let failover = Failover {
        attempts: attempts.unwrap_or(inherited.attempts),
        first_token_timeout,
        answer_timeout,
        total,
        content_filter: written.content_filter.unwrap_or(inherited.content_filter),
    };
    if failover.attempts > 1 && failover.total < failover.first_token_timeout {
        findings.warning(
            place,
            "`total` is shorter than `first_token_timeout`: after an attempt that times out there is no other",
            "make `total` longer, or `first_token_timeout` shorter",
        );
    }
    failover
}

/// The health rule of what is at `place`, over what it inherits.
pub(super) fn health(
    place: Place<'_>,
    written: Option<&document::Health>,
    inherited: Rule,
    findings: &mut Findings,
) -> Rule {
    let Some(written) = written else { return inherited };
    let place = place.member("health");
    let failures = written
        .failures
        .and_then(|failures| numbers::count(place.member("failures"), failures, MOST_FAILURES, findings));
    let mut span = |name, text: &Option<String>, bounds, otherwise| {
        let text = text.as_deref();
        let seconds = text.and_then(|text| numbers::seconds(place.member(name), text, bounds, findings));
        seconds.map_or(otherwise, Duration::from_secs)
    };
    let rest = span("rest", &written.rest, TO_AN_HOUR, inherited.rest);
    let rest_at_most = span("rest_at_most", &written.rest_at_most, TO_A_DAY, inherited.rest_at_most);
    let recovery = span("recovery", &written.recovery, TO_AN_HOUR, inherited.recovery);
    if rest_at_most < rest {
        let problem = format!(
            "the longest rest is {} s, and the first is {} s",
            rest_at_most.as_secs(),
            rest.as_secs()
        );
        findings.problem(place, problem, "make `rest_at_most` at least as long as `rest`");
    }
    Rule {
        failures: failures.unwrap_or(inherited.failures),
        rest,
        rest_at_most: rest_at_most.max(rest),
        recovery,
    }
}
