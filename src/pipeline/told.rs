//! What clients are told of limits: headers, and whose a limit is.
//!
//! In: what rules found. Out: header names and values, and words. The names are those that the official SDKs and their
//! users read.
//!
//! Sources: OpenAI documentation, "Rate limits", "Rate limits in headers"; Anthropic documentation, "Rate limits",
//! "Response headers".

use super::Arrival;
use crate::caller::UnixSeconds;
use crate::dialect::Dialect;
use crate::limit::judge::{Rate, Scope};
use crate::limit::store::Clock;
use crate::world::ModelId;

/// A header to set.
pub(super) type Header = (&'static str, String);

/// Headers of providers about the gateway's own limits with them. Where we tell ours, theirs would contradict.
pub(super) const RATE_HEADERS: &[&str] = &[
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

/// The tightest limits of requests and of tokens, as headers.
pub(super) fn rates(
    dialect: Dialect,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    admitted: bool,
    clock: Clock,
) -> Vec<Header> {
    let mut headers = Vec::new();
    let names = [
        (
            requests,
            [
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ],
            [
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ],
        ),
        (
            tokens,
            [
                "x-ratelimit-limit-tokens",
                "x-ratelimit-remaining-tokens",
                "x-ratelimit-reset-tokens",
            ],
            [
                "anthropic-ratelimit-tokens-limit",
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ],
        ),
    ];
    for (rate, openai, anthropic) in names {
        let Some(rate) = rate else { continue };
        let (remaining, reset) = rate.left(admitted);
        let [limit, left, again] = openai;
        headers.push((limit, rate.most.to_string()));
        headers.push((left, remaining.to_string()));
        headers.push((again, duration(reset)));
        if dialect == Dialect::Anthropic {
            let [limit, left, again] = anthropic;
            headers.push((limit, rate.most.to_string()));
            headers.push((left, remaining.to_string()));
            headers.push((again, later(clock.wall, reset).to_string()));
        }
    }
    headers
}

/// A duration as OpenAI writes it: `250ms`, `12s`, `1m30s`, `6m0s`, `1h0m0s`. A part of a second is rounded up once there
/// are whole ones.
fn duration(milliseconds: u64) -> String {
    if milliseconds < 1_000 {
        return format!("{milliseconds}ms");
    }
    let seconds = milliseconds.div_ceil(1_000);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn later(now: UnixSeconds, milliseconds: u64) -> UnixSeconds {
    let seconds = i64::try_from(milliseconds.div_ceil(1_000)).unwrap_or(i64::MAX);
    UnixSeconds(now.0.saturating_add(seconds))
}

/// Whose a limit is, in words for the caller: its own names, and no provider's.
pub(super) fn whose(arrival: &Arrival, model: Option<ModelId>, scope: Scope) -> String {
    let (key, team) = arrival.labels();
    let model = model.and_then(|id| arrival.world.model(id)).map(|model| &*model.name);
    match (scope, model) {
        (Scope::Key, _) => format!("key '{key}'"),
        (Scope::Team, _) => format!("team '{team}'"),
        (Scope::KeyModel, Some(model)) => format!("key '{key}' for model '{model}'"),
        (Scope::Model, Some(model)) => format!("model '{model}'"),
        (Scope::Provider, Some(model)) => format!("the provider of model '{model}'"),
        (Scope::Provider, None) => "the provider".to_owned(),
        (Scope::All | Scope::KeyModel | Scope::Model, _) => "this gateway".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (milliseconds, text) in [
            (0, "0ms"),
            (250, "250ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (60_000, "1m0s"),
            (90_000, "1m30s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn an_anthropic_client_is_told_in_its_own_headers_too() {
        let rate = Rate {
            most: 60,
            used: 10,
            adds: 1,
            reset: 5_000,
        };
        let clock = Clock {
            wall: UnixSeconds(0),
            steady: 0,
        };
        let openai = rates(Dialect::OpenAi, Some(rate), None, false, clock);
        assert_eq!(
            openai,
            [
                ("x-ratelimit-limit-requests", "60".to_owned()),
                ("x-ratelimit-remaining-requests", "50".to_owned()),
                ("x-ratelimit-reset-requests", "5s".to_owned()),
            ]
        );
        let anthropic = rates(Dialect::Anthropic, None, Some(rate), true, clock);
        assert!(anthropic.contains(&("anthropic-ratelimit-tokens-remaining", "49".to_owned())));
        assert!(anthropic.contains(&("anthropic-ratelimit-tokens-reset", "1970-01-01T00:01:00Z".to_owned())));
        for (name, _) in openai.iter().chain(&anthropic) {
            assert!(RATE_HEADERS.contains(name), "{name}");
        }
    }
}
