//! What is asked of a provider to find out whether it is there.

use std::time::Duration;

use super::super::numbers;
use super::super::place::Place;
use super::Findings;
use crate::document;
use crate::provider::HealthCheck;

const TO_AN_HOUR: (u64, u64, &str) = (1, 3_600, "from \"1s\" to \"1h\"");

/// The check of the provider at `path`, if it has one that can be made.
pub(super) fn compile(
    path: &str,
    written: Option<&document::HealthCheck>,
    findings: &mut Findings,
) -> Option<HealthCheck> {
    let written = written?;
    let provider = Place::At(path);
    let place = provider.member("health_check");
    let sendable = written.path.starts_with('/')
        && written
            .path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\'));
    if !sendable {
        findings.problem(
            place.member("path"),
            "it is not a path that can be asked for",
            "begin it with `/`, such as \"/health\", and leave out host and spaces",
        );
    }
    let interval = written
        .interval
        .as_deref()
        .map(|interval| numbers::seconds(place.member("interval"), interval, TO_AN_HOUR, findings));
    let interval = match interval {
        Some(seconds) => Duration::from_secs(seconds?),
        None => HealthCheck::INTERVAL,
    };
    sendable.then(|| HealthCheck {
        path: written.path.as_str().into(),
        interval,
    })
}
