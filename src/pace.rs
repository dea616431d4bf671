//! How fast providers are: the time to the first token of streams and to whole answers, as a mean that forgets.
//!
//! In: a sample of one answer. Out: what to expect of the next ([`Pace::expected`]), unless what is known is old. There is one
//! cell for each provider and its name of a model, shared by all workers. It does not know who is asked:
//! [`crate::route`] does.
//!
//! Each sample moves the mean an eighth of the way. Samples of many workers come in as they come; one that is lost because
//! the host refuses to write is the caller's to count.

use crate::limit::store::{Books, Unwritable};

/// After how many milliseconds without a sample nothing is known any more.
pub const STALE: u64 = 60_000;

/// The form of the bytes. A value of another form is taken for none.
const FORM: u64 = 1;

/// How far the clocks of two readers may be apart, in milliseconds.
const SLACK: u64 = 60_000;

/// A sample's part of the mean.
const PART: u64 = 8;

/// The most that is taken for a time, in microseconds: a day.
const LONGEST: u64 = 86_400_000_000;

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first token of a stream.
    FirstToken,
    /// An answer in one piece.
    Answer,
}

/// How fast a provider is with one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    first_token: Option<Mean>,
    answer: Option<Mean>,
}

/// A mean, and when it last was added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mean {
    /// In microseconds.
    micros: u64,
    /// In milliseconds of the steady clock.
    at: u64,
}

impl Pace {
    /// How long to expect to wait, in microseconds; `None`: no sample, or none in the last [`STALE`] milliseconds. `now` is in
    /// milliseconds of [`Clock::steady`](crate::limit::store::Clock::steady).
    pub fn expected(&self, kind: Kind, now: u64) -> Option<u64> {
        let mean = match kind {
            Kind::FirstToken => self.first_token,
            Kind::Answer => self.answer,
        };
        mean.filter(|mean| now.saturating_sub(mean.at) <= STALE)
            .map(|mean| mean.micros)
    }

    /// The same with one more sample, in microseconds.
    fn learn(self, kind: Kind, micros: u64, now: u64) -> Self {
        let micros = micros.min(LONGEST);
        let mean = match self.expected(kind, now) {
            Some(before) if micros >= before => before + (micros - before).div_ceil(PART),
            Some(before) => before - (before - micros).div_ceil(PART),
            // What is old says nothing of how it is now.
            None => micros,
        };
        let mean = Some(Mean { micros: mean, at: now });
        match kind {
            Kind::FirstToken => Self {
                first_token: mean,
                ..self
            },
            Kind::Answer => Self { answer: mean, ..self },
        }
    }

    /// Reads it; nonsense, and the form of another version, is one of which nothing is known.
    fn decode(bytes: &[u8], now: u64) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let Ok::<&[[u8; 8]; 5], _>(words) = words.try_into() else {
            return Self::default();
        };
        let [form, token, token_at, answer, answer_at] = words.map(u64::from_le_bytes);
        if form != FORM || !rest.is_empty() {
            return Self::default();
        }
        // One more than it is, so that 0 is none.
        let mean = |micros: u64, at: u64| {
            let micros = micros.checked_sub(1).filter(|micros| *micros <= LONGEST)?;
            (at <= now.saturating_add(SLACK)).then_some(Mean { micros, at })
        };
        Self {
            first_token: mean(token, token_at),
            answer: mean(answer, answer_at),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let words = |mean: Option<Mean>| mean.map_or([0, 0], |mean| [mean.micros + 1, mean.at]);
        let all = [FORM]
            .into_iter()
            .chain(words(self.first_token))
            .chain(words(self.answer));
        all.flat_map(u64::to_le_bytes).collect()
    }
}

/// Where it is known how fast a provider is with what it calls a model, as the document has it
/// ([`Target::model`](crate::world::Target::model)): a name that a client chose must not become a key of the store, from which
/// nothing is ever deleted. No name of a provider has a semicolon.
pub fn cell_name(provider: &str, model: &str) -> String {
    ["tollgate.pace.", provider, ";", model].concat()
}

/// How fast it is.
pub fn read(cell: &str, books: &mut Books<'_>) -> Pace {
    match books.store.read(cell) {
        Some((bytes, _)) => Pace::decode(&bytes, books.clock.steady),
        None => Pace::default(),
    }
}

/// Adds a sample, in microseconds.
pub fn learn(cell: &str, kind: Kind, micros: u64, books: &mut Books<'_>) -> Result<(), Unwritable> {
    books.update(cell, |bytes, books| {
        let now = books.clock.steady;
        let pace = Pace::decode(&bytes, now).learn(kind, micros, now);
        (Some(pace.encode()), ())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::store::{Census, Clock, Memory, Owner};
    use proptest::prelude::*;

    #[test]
    fn a_mean_follows_its_samples_and_is_forgotten() {
        let mut store = Memory::default();
        let census = Census::default();
        let mut at = |steady, sample: Option<u64>| {
            let mut books = Books {
                store: &mut store,
                clock: Clock {
                    steady,
                    ..Clock::default()
                },
                owner: Owner(1),
                census: &census,
            };
            if let Some(sample) = sample {
                learn("a", Kind::FirstToken, sample, &mut books).unwrap();
            }
            let pace = read("a", &mut books);
            assert_eq!(pace.expected(Kind::Answer, steady), None);
            pace.expected(Kind::FirstToken, steady)
        };
        assert_eq!(at(5, None), None);
        assert_eq!(at(10, Some(800)), Some(800));
        assert_eq!(at(20, Some(1_600)), Some(900));
        assert_eq!(at(30, Some(100)), Some(800));
        assert_eq!(at(30 + STALE, None), Some(800));
        assert_eq!(at(31 + STALE, None), None);
        assert_eq!(at(31 + STALE, Some(7)), Some(7), "what is old is left behind");
        assert_eq!(
            at(32 + STALE, Some(u64::MAX)).map(|mean| mean < u64::MAX / 8),
            Some(true)
        );
    }

    proptest! {
        #[test]
        fn a_mean_comes_to_what_samples_agree_on(first: u64, then in 0..LONGEST) {
            let pace = Pace::default().learn(Kind::Answer, first, 1);
            let pace = (0..400).fold(pace, |pace, n| pace.learn(Kind::Answer, then, n));
            prop_assert_eq!(pace.expected(Kind::Answer, 400), Some(then));
            prop_assert_eq!(Pace::decode(&pace.encode(), 400), pace);
        }

        #[test]
        fn any_bytes_are_a_pace(bytes: Vec<u8>, micros: u64, now: u64) {
            let _ = Pace::decode(&bytes, now).learn(Kind::FirstToken, micros, now).encode();
        }

        #[test]
        fn any_numbers_are_a_pace(words in prop::collection::vec(any::<u64>(), 4), micros: u64, now: u64) {
            let bytes: Vec<u8> = [FORM].into_iter().chain(words).flat_map(u64::to_le_bytes).collect();
            let pace = Pace::decode(&bytes, now);
            prop_assert!(pace.expected(Kind::Answer, now).is_none_or(|micros| micros <= LONGEST));
            let _ = pace.learn(Kind::FirstToken, micros, now).encode();
        }
    }
}
