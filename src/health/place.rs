//! A provider with one credential and one model: two cells, because failures are of the whole provider, and rate limits are
//! of each model by itself.
//!
//! In: the same as for one cell. Out: the same, of both together. Who is told to wait for one model may go on with the
//! others. What a provider does not answer, or answers with an error of its own, and whether it takes a credential, says
//! something of all its models.
//!
//! Sources: OpenAI, "Rate limits" (for each organization, project and model, some families of models sharing one);
//! Anthropic, "Rate limits" (for each organization and class of models).

use super::rule::Rule;
use super::{Lease, Outcome, Reason, Sign, Standing};
use crate::limit::store::{Books, Unwritable};

/// The cells of one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    provider: String,
    model: String,
}

/// Leave to try one of them, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    provider: Option<Lease>,
    model: Option<Lease>,
}

impl Place {
    /// The cells of a provider's credential of this index, with what the provider calls a model as the document has it
    /// ([`Target::model`](crate::world::Target::model)): a name that a client chose must not become a key of the store, from
    /// which nothing is ever deleted. Empty where no model is named.
    pub fn new(provider: &str, credential: usize, model: &str) -> Self {
        let whole = super::cell_name(provider, credential);
        Self {
            model: [&*whole, ";", model].concat(),
            provider: whole,
        }
    }

    /// How it stands: the worse of the two.
    pub fn standing(&self, rule: &Rule, books: &mut Books<'_>) -> Standing {
        let provider = super::standing(&self.provider, rule, books);
        provider.or_worse(super::standing(&self.model, rule, books))
    }

    /// Leave to try it, where it stands at [`Standing::Trying`]. `None`: it does not, or somebody else was first.
    pub fn claim(&self, rule: &Rule, books: &mut Books<'_>) -> Result<Option<Trial>, Unwritable> {
        // `None`: another tries it, or it rests.
        let mut lease = |cell: &str| match super::standing(cell, rule, books) {
            Standing::Fit | Standing::Recovering { .. } => Ok(Some(None)),
            Standing::Trying => super::claim(cell, rule, books).map(|lease| lease.map(Some)),
            Standing::Resting { .. } => Ok(None),
        };
        let Some(provider) = lease(&self.provider)? else {
            return Ok(None);
        };
        let Some(model) = lease(&self.model)? else {
            let given = Trial { provider, model: None };
            let now = books.clock.steady;
            return self.note(rule, Sign::Nothing, now, Some(given), books).map(|_| None);
        };
        let trial = Trial { provider, model };
        Ok((trial != Trial::default()).then_some(trial))
    }

    /// Takes down what became of an attempt that began at `began`. If it rests from now on, why.
    pub fn note(
        &self,
        rule: &Rule,
        sign: Sign,
        began: u64,
        trial: Option<Trial>,
        books: &mut Books<'_>,
    ) -> Result<Option<Reason>, Unwritable> {
        let trial = trial.unwrap_or_default();
        // A provider that says when to come again is there.
        let (of_provider, of_model) = match sign {
            Sign::Limited(_) => (Sign::Served, sign),
            Sign::Failed | Sign::Refused => (sign, Sign::Nothing),
            Sign::Served | Sign::Nothing => (sign, sign),
        };
        let outcome = |sign, trial| Outcome { sign, began, trial };
        let provider = super::note(&self.provider, rule, outcome(of_provider, trial.provider), books)?;
        let model = super::note(&self.model, rule, outcome(of_model, trial.model), books)?;
        Ok(provider.or(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::store::{Census, Clock, Memory, Owner};
    use std::time::Duration;

    struct Together {
        store: Memory,
        now: u64,
    }

    impl Together {
        fn with<T>(&mut self, call: impl FnOnce(&mut Books<'_>) -> T) -> T {
            let census = Census::default();
            call(&mut Books {
                store: &mut self.store,
                clock: Clock {
                    steady: self.now,
                    ..Clock::default()
                },
                owner: Owner(1),
                census: &census,
            })
        }

        fn stands(&mut self, place: &Place) -> Standing {
            self.with(|books| place.standing(&Rule::default(), books))
        }

        fn claim(&mut self, place: &Place) -> Option<Trial> {
            self.with(|books| place.claim(&Rule::default(), books)).unwrap()
        }

        fn note(&mut self, place: &Place, sign: Sign, trial: Option<Trial>) -> Option<Reason> {
            let began = self.now;
            self.with(|books| place.note(&Rule::default(), sign, began, trial, books))
                .unwrap()
        }
    }

    fn begin() -> (Together, Place, Place) {
        let together = Together {
            store: Memory::default(),
            now: 1_000_000,
        };
        (together, Place::new("a", 0, "large"), Place::new("a", 0, "small"))
    }

    #[test]
    fn a_429_is_of_one_model_and_a_failure_of_all() {
        let (mut course, large, small) = begin();
        let limited = Sign::Limited(Some(Duration::from_secs(5)));
        assert_eq!(course.note(&large, limited, None), Some(Reason::Limited));
        assert_eq!(course.stands(&large), Standing::Resting { until: 1_005_000 });
        assert_eq!(course.stands(&small), Standing::Fit);
        for _ in 0..5 {
            course.note(&small, Sign::Failed, None);
        }
        assert_eq!(course.stands(&small), Standing::Resting { until: 1_010_000 });
        assert_eq!(
            course.stands(&large),
            Standing::Resting { until: 1_010_000 },
            "the later of the two"
        );
    }

    #[test]
    fn whoever_tries_both_has_leave_for_both_or_none() {
        let (mut course, large, small) = begin();
        course.note(&large, Sign::Limited(None), None);
        for _ in 0..5 {
            course.note(&small, Sign::Failed, None);
        }
        course.now += 20_000;
        assert_eq!(course.stands(&large), Standing::Trying);
        let trial = course.claim(&large);
        assert!(trial.is_some_and(|trial| trial.provider.is_some() && trial.model.is_some()));
        assert_eq!((course.claim(&large), course.claim(&small)), (None, None));
        // Its client went away: another may try.
        course.note(&large, Sign::Nothing, trial);
        let trial = course.claim(&small);
        assert!(trial.is_some_and(|trial| trial.provider.is_some() && trial.model.is_none()));
        assert_eq!(course.claim(&large), None);
        course.note(&small, Sign::Served, trial);
        assert_eq!(course.stands(&small), Standing::Recovering { share: 10 });
        assert_eq!(course.stands(&large), Standing::Trying, "what is still to be tried");
        let trial = course.claim(&large);
        assert!(trial.is_some_and(|trial| trial.provider.is_none() && trial.model.is_some()));
        course.note(&large, Sign::Served, trial);
        assert_eq!(course.stands(&large), Standing::Recovering { share: 10 });
        course.now += 30_000;
        assert_eq!(
            (course.stands(&large), course.stands(&small)),
            (Standing::Fit, Standing::Fit)
        );
        assert_eq!(course.claim(&large), None, "there is nothing to try");
    }

    #[test]
    fn a_provider_that_limits_is_there() {
        let (mut course, large, small) = begin();
        for _ in 0..5 {
            course.note(&large, Sign::Failed, None);
        }
        course.now += 10_000;
        let trial = course.claim(&large);
        assert_eq!(course.note(&large, Sign::Limited(None), trial), Some(Reason::Limited));
        assert_eq!(course.stands(&small), Standing::Recovering { share: 10 });
    }
}
