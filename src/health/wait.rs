//! How long a provider that answers 429 wants to be left alone.
//!
//! In: the answer's headers and the time. Out: a length of time, or nothing where it does not say. It does not judge whether
//! that is too long: [`super::note`] does.
//!
//! Sources: RFC 9110, sections 10.2.3 (`retry-after`) and 5.6.7 (its date); the OpenAI and Anthropic SDKs (`retry-after-ms`,
//! and fractions of a second); the Azure SDK (`x-ms-retry-after-ms`); OpenAI, "Rate limits" (`x-ratelimit-reset-*`, such as
//! `6m0s`; Azure writes whole seconds there); Anthropic, "Rate limits" (`anthropic-ratelimit-*-reset`, RFC 3339).

use std::time::Duration;

use crate::caller::UnixSeconds;
use crate::headers::Headers;

/// A number of seconds larger than this is a moment or nonsense: ten days.
const LONGEST: f64 = 864_000.0;

/// What resets when, and what then is left until then: `retry-after` may be missing.
const RESETS: [(&str, &str); 6] = [
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    (
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-requests-remaining",
    ),
    (
        "anthropic-ratelimit-tokens-reset",
        "anthropic-ratelimit-tokens-remaining",
    ),
    (
        "anthropic-ratelimit-input-tokens-reset",
        "anthropic-ratelimit-input-tokens-remaining",
    ),
    (
        "anthropic-ratelimit-output-tokens-reset",
        "anthropic-ratelimit-output-tokens-remaining",
    ),
];

/// How long to wait, by what the answer says: first in so many words, then by when the quotas that are used up are there
/// again. Where none is said to be used up, the request was too large for what was left: then by the first that is.
pub fn retry_after(headers: &Headers, now: UnixSeconds) -> Option<Duration> {
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"];
    let millis = millis.iter().find_map(|name| number(headers.text(name)?.trim()));
    let said = millis.and_then(|millis| seconds(millis / 1_000.0)).or_else(|| {
        let text = headers.text("retry-after")?.trim();
        number(text).and_then(seconds).or_else(|| until(date(text)?, now))
    });
    said.or_else(|| {
        let resets = RESETS.iter().filter_map(|(reset, remaining)| {
            let wait = reset_in(headers.text(reset)?.trim(), now)?;
            let used_up = headers.text(remaining).is_some_and(|left| left.trim() == "0");
            Some((used_up, wait))
        });
        let resets: Vec<_> = resets.collect();
        let used_up = resets.iter().filter(|(used_up, _)| *used_up).map(|(_, wait)| *wait);
        used_up.max().or_else(|| resets.iter().map(|(_, wait)| *wait).min())
    })
}

/// A moment, a length of time with its units, or plain seconds.
fn reset_in(text: &str, now: UnixSeconds) -> Option<Duration> {
    match UnixSeconds::parse(text) {
        Ok(at) => until(at, now),
        Err(_) => number(text).and_then(seconds).or_else(|| length(text)),
    }
}

/// Numbers with their units, such as `1h2m3.5s` or `20ms`.
fn length(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at_checked(end)?;
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
        let (unit, of) = units.iter().find(|(unit, _)| after.starts_with(unit))?;
        sum += number(digits)? * of;
        rest = after.strip_prefix(unit)?;
    }
    (!text.is_empty()).then(|| seconds(sum)).flatten()
}

/// A date of HTTP in its one form that is still written, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<UnixSeconds> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    match parts.next() {
        None => UnixSeconds::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok(),
        Some(_) => None,
    }
}

/// From now until then; not at all, if that is past.
fn until(then: UnixSeconds, now: UnixSeconds) -> Option<Duration> {
    let wait = u64::try_from(then.0.saturating_sub(now.0)).unwrap_or(0);
    seconds(wait as f64)
}

fn seconds(seconds: f64) -> Option<Duration> {
    (0.0..=LONGEST)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// A decimal number and nothing else: no sign, no exponent, no `inf`.
fn number(text: &str) -> Option<f64> {
    let decimal =
        text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.starts_with(|c: char| c.is_ascii_digit());
    decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-25T05:00:00Z.
    const NOW: UnixSeconds = UnixSeconds(1_795_582_800);

    fn wait(pairs: &[(&str, &str)]) -> Option<u128> {
        retry_after(&Headers::from_pairs(pairs.iter().copied()), NOW).map(|wait| wait.as_millis())
    }

    #[test]
    fn it_is_now() {
        assert_eq!(NOW.to_string(), "2026-11-25T05:00:00Z");
    }

    #[test]
    fn a_wait_is_said_in_many_ways() {
        for (text, expected) in [
            ("20", Some(20_000)),
            ("1.5", Some(1_500)),
            (" 7 ", Some(7_000)),
            ("0", Some(0)),
            ("Wed, 25 Nov 2026 05:01:30 GMT", Some(90_000)),
            ("Wed, 25 Nov 2026 04:00:00 GMT", Some(0)),
            ("Wed, 25 Nov 2026 05:01:30", None),
            ("Wed, 31 Feb 2026 05:01:30 GMT", None),
            ("25 Nov 2026", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("inf", None),
            ("NaN", None),
            ("1795582860", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(&[("retry-after", text)]), expected, "{text}");
        }
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "9")]), Some(250));
        assert_eq!(wait(&[("x-ms-retry-after-ms", "1250.5")]), Some(1_250));
        assert_eq!(wait(&[("retry-after-ms", "x"), ("retry-after", "9")]), Some(9_000));
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn without_one_it_is_when_what_is_used_up_resets() {
        for (text, expected) in [
            ("6m0s", Some(360_000)),
            ("1s", Some(1_000)),
            ("20ms", Some(20)),
            ("1h2m3.5s", Some(3_723_500)),
            ("7.66s", Some(7_660)),
            ("1d2h", Some(93_600_000)),
            ("26", Some(26_000)),
            ("2026-11-25T05:00:45Z", Some(45_000)),
            ("6 minutes", None),
            ("m", None),
            ("1795582860000", None),
        ] {
            assert_eq!(wait(&[("x-ratelimit-reset-tokens", text)]), expected, "{text}");
        }
        let both = [
            ("x-ratelimit-reset-requests", "10s"),
            ("x-ratelimit-reset-tokens", "40s"),
        ];
        assert_eq!(wait(&both), Some(10_000), "nothing is said to be used up");
        let [requests, tokens] = both;
        assert_eq!(
            wait(&[requests, tokens, ("x-ratelimit-remaining-tokens", "0")]),
            Some(40_000)
        );
        assert_eq!(
            wait(&[
                ("anthropic-ratelimit-requests-reset", "2026-11-25T05:00:05Z"),
                ("anthropic-ratelimit-requests-remaining", "12"),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-25T05:00:30Z"),
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ]),
            Some(30_000)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_wait_or_none(text in ".{0,40}", reset in "[0-9msh.:TZ-]{0,24}", now: i64) {
            let headers = Headers::from_pairs([
                ("retry-after", &*text), ("x-ratelimit-reset-requests", &*reset), ("anthropic-ratelimit-tokens-reset", &*text),
            ]);
            let wait = retry_after(&headers, UnixSeconds(now));
            prop_assert!(wait.is_none_or(|wait| wait.as_secs_f64() <= LONGEST));
        }
    }
}
