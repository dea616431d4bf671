//! What a provider says is left of the limits it has for a credential.
//!
//! In: the headers of an answer. Out: the quotas it names ([`Quota`]), and one cell for each provider and credential in which
//! the last report is kept, for metrics. Nothing is decided by it: what is left counts all models together at one provider
//! and each by itself at another.
//!
//! Sources: OpenAI, "Rate limits", "Rate limits in headers"; Anthropic, "Rate limits", "Response headers". Azure writes -1
//! where it does not say.

use crate::headers::Headers;
use crate::limit::store::{Books, Unwritable};

/// What quotas are of, as labels of metrics; the order of [`Quota::all`].
pub const KINDS: [&str; 4] = ["requests", "tokens", "input_tokens", "output_tokens"];

/// The form of the bytes. A value of another form is taken for none.
const FORM: u64 = 1;

/// How often a report is written, in milliseconds: nobody reads it more often.
const EVERY: u64 = 1_000;

/// The headers of each kind at providers that follow OpenAI, and at Anthropic: limit, remaining.
const HEADERS: [[Option<(&str, &str)>; 2]; 4] = [
    [
        Some(("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests")),
        Some((
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
        )),
    ],
    [
        Some(("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens")),
        Some((
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
        )),
    ],
    [
        None,
        Some((
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
        )),
    ],
    [
        None,
        Some((
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
        )),
    ],
];

/// What an answer says of its provider's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Of each of [`KINDS`].
    pub all: [Left; 4],
}

/// One limit, and what is left of it, in requests or tokens; `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The most in the provider's own period.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
}

impl Quota {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads what the headers of an answer say.
pub fn quota(headers: &Headers) -> Quota {
    // Most providers say nothing, and every answer is looked at.
    let says = |name: &[u8]| name.starts_with(b"x-ratelimit-") || name.starts_with(b"anthropic-ratelimit-");
    if !headers.iter().any(|(name, _)| says(name)) {
        return Quota::default();
    }
    let number = |name: &str| headers.text(name)?.trim().parse::<u64>().ok();
    let all = HEADERS.map(|places| {
        let found = places.into_iter().flatten().map(|(limit, remaining)| Left {
            limit: number(limit),
            remaining: number(remaining),
        });
        found
            .into_iter()
            .find(|left| *left != Left::default())
            .unwrap_or_default()
    });
    Quota { all }
}

/// Where the last report of a provider's credential is kept. No name has a semicolon.
pub fn cell_name(provider: &str, credential: usize) -> String {
    ["tollgate.quota.", provider, ";", &credential.to_string()].concat()
}

/// The last report, and when it came, in milliseconds of the steady clock; `None`: none yet.
pub fn read(cell: &str, books: &mut Books<'_>) -> Option<(Quota, u64)> {
    books.store.read(cell).and_then(|(bytes, _)| decode(&bytes))
}

/// Keeps a report, unless it says nothing or another has just been kept.
pub fn note(cell: &str, quota: &Quota, books: &mut Books<'_>) -> Result<(), Unwritable> {
    if quota.is_empty() {
        return Ok(());
    }
    books.update(cell, |bytes, books| {
        let now = books.clock.steady;
        let fresh = decode(&bytes).is_some_and(|(_, at)| at <= now && now - at < EVERY);
        ((!fresh).then(|| encode(quota, now)), ())
    })
}

fn encode(quota: &Quota, now: u64) -> Vec<u8> {
    // One more than it is, so that 0 is none.
    let word = |number: Option<u64>| number.map_or(0, |number| number.saturating_add(1));
    let all = quota
        .all
        .iter()
        .flat_map(|left| [word(left.limit), word(left.remaining)]);
    [FORM, now].into_iter().chain(all).flat_map(u64::to_le_bytes).collect()
}

fn decode(bytes: &[u8]) -> Option<(Quota, u64)> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: &[[u8; 8]; 10] = words.try_into().ok()?;
    let [form, at, a, b, c, d, e, f, g, h] = words.map(u64::from_le_bytes);
    let left = |limit: u64, remaining: u64| Left {
        limit: limit.checked_sub(1),
        remaining: remaining.checked_sub(1),
    };
    let all = [left(a, b), left(c, d), left(e, f), left(g, h)];
    (form == FORM && rest.is_empty()).then_some((Quota { all }, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::store::{Census, Clock, Memory, Owner};
    use proptest::prelude::*;

    #[test]
    fn each_provider_says_it_in_its_own_headers() {
        let openai = quota(&Headers::from_pairs([
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "159976"),
        ]));
        let left = |limit, remaining| Left { limit, remaining };
        let none = Left::default();
        assert_eq!(
            openai.all,
            [left(Some(5000), Some(4999)), left(None, Some(159_976)), none, none]
        );
        let anthropic = quota(&Headers::from_pairs([
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-limit", "40000"),
            ("anthropic-ratelimit-output-tokens-remaining", "8000"),
        ]));
        assert_eq!(
            anthropic.all,
            [
                left(Some(50), Some(0)),
                none,
                left(Some(40_000), None),
                left(None, Some(8_000))
            ]
        );
        assert!(quota(&Headers::default()).is_empty());
    }

    #[test]
    fn a_report_is_kept_once_a_second() {
        let (mut store, census) = (Memory::default(), Census::default());
        let mut at = |steady, requests| {
            let mut books = Books {
                store: &mut store,
                clock: Clock {
                    steady,
                    ..Clock::default()
                },
                owner: Owner(1),
                census: &census,
            };
            let mut quota = Quota::default();
            quota.all[0].remaining = requests;
            note("a", &quota, &mut books).unwrap();
            read("a", &mut books).and_then(|(quota, at)| Some((quota.all[0].remaining?, at)))
        };
        assert_eq!(at(10, None), None);
        assert_eq!(at(10, Some(9)), Some((9, 10)));
        assert_eq!(at(1_009, Some(8)), Some((9, 10)));
        assert_eq!(at(1_010, Some(7)), Some((7, 1_010)));
        assert_eq!(at(900_000, None), Some((7, 1_010)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_none(bytes in prop::collection::vec(any::<u8>(), 0..120), form: bool) {
            let mut bytes = bytes;
            if form {
                bytes.splice(..bytes.len().min(8), FORM.to_le_bytes());
            }
            if let Some((quota, at)) = decode(&bytes) {
                let _ = encode(&quota, at);
            }
        }
    }
}
