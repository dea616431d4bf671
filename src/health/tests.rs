//! What becomes of a provider, over any course of attempts, by one VM or by several at once.

use proptest::prelude::*;

use super::*;
use crate::limit::store::{Census, Clock, Memory, Owner, Store, Written};

const CELL: &str = "tollgate.health.a;0";

fn with<T>(store: &mut dyn Store, now: u64, call: impl FnOnce(&mut Books<'_>) -> T) -> T {
    let census = Census::default();
    let clock = Clock {
        steady: now,
        ..Clock::default()
    };
    call(&mut Books {
        store,
        clock,
        owner: Owner(1),
        census: &census,
    })
}

/// One provider, and what happens to it.
struct Course {
    store: Memory,
    rule: Rule,
    now: u64,
}

impl Course {
    fn new() -> Self {
        Self {
            store: Memory::default(),
            rule: Rule::default(),
            now: 1_000_000,
        }
    }

    fn later(&mut self, millis: u64) -> &mut Self {
        self.now += millis;
        self
    }

    /// An attempt that begins and ends now.
    fn note(&mut self, sign: Sign) -> Option<Reason> {
        let began = self.now;
        self.ended(sign, began, None)
    }

    fn ended(&mut self, sign: Sign, began: u64, trial: Option<Lease>) -> Option<Reason> {
        let outcome = Outcome { sign, began, trial };
        with(&mut self.store, self.now, |books| {
            note(CELL, &self.rule, outcome, books)
        })
        .unwrap()
    }

    fn claim(&mut self) -> Option<Lease> {
        with(&mut self.store, self.now, |books| claim(CELL, &self.rule, books)).unwrap()
    }

    fn stands(&mut self) -> Standing {
        with(&mut self.store, self.now, |books| standing(CELL, &self.rule, books))
    }

    fn fails(&mut self, times: usize) -> Option<Reason> {
        (0..times).fold(None, |_, _| self.later(1).note(Sign::Failed))
    }
}

#[test]
fn so_many_failures_in_a_row_take_it_out_and_a_success_resets() {
    let mut course = Course::new();
    assert_eq!(course.stands(), Standing::Fit);
    assert_eq!(course.fails(4), None);
    course.note(Sign::Served);
    assert_eq!(course.fails(4), None);
    assert_eq!(course.stands(), Standing::Fit);
    assert_eq!(course.fails(1), Some(Reason::Failed));
    let until = course.now + 10_000;
    assert_eq!(course.stands(), Standing::Resting { until });
    course.later(9_999);
    assert_eq!(course.stands(), Standing::Resting { until });
    assert_eq!(course.later(1).stands(), Standing::Trying);
    assert_eq!(course.later(900_000).stands(), Standing::Trying, "until somebody does");
}

#[test]
fn half_of_twenty_attempts_in_ten_seconds_take_it_out() {
    let mut course = Course::new();
    for n in 1..=20 {
        assert_eq!(course.stands(), Standing::Fit, "{n}");
        let rests = course.later(100).note(Sign::Failed);
        assert_eq!(
            rests.is_some(),
            n == 10,
            "the 19th attempt in the window is not enough: {n}"
        );
        if rests.is_some() {
            return;
        }
        course.later(100).note(Sign::Served);
        if n == 9 {
            course.later(100).note(Sign::Served);
        }
    }
}

#[test]
fn the_same_share_over_a_longer_time_does_not() {
    let mut course = Course::new();
    for _ in 0..100 {
        assert_eq!(course.later(1_200).note(Sign::Failed), None);
        course.later(1).note(Sign::Served);
    }
}

#[test]
fn it_rests_twice_as_long_each_time_it_fails_at_once_until_it_is_well() {
    let mut course = Course::new();
    course.fails(5);
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        let Standing::Resting { until } = course.stands() else {
            panic!("{seconds}")
        };
        assert_eq!(until - course.now, seconds * 1_000);
        course.now = until;
        let lease = course.claim();
        assert_eq!(course.later(5).ended(Sign::Failed, until, lease), Some(Reason::Failed));
    }
    course.later(300_000);
    let (lease, began) = (course.claim(), course.now);
    course.ended(Sign::Served, began, lease);
    assert_eq!(course.stands(), Standing::Recovering { share: 10 });
    assert_eq!(course.later(15_000).stands(), Standing::Recovering { share: 55 });
    // What is left of the trial, a stream that breaks off, says nothing of how it recovers.
    assert_eq!(course.ended(Sign::Failed, began - 1, None), None);
    assert_eq!(course.later(15_000).stands(), Standing::Fit);
    assert_eq!(course.fails(5), Some(Reason::Failed));
    let until = course.now + 10_000;
    assert_eq!(
        course.stands(),
        Standing::Resting { until },
        "the rests before are forgotten"
    );
}

#[test]
fn a_failure_while_it_recovers_sends_it_back() {
    let mut course = Course::new();
    course.fails(5);
    course.later(10_000).note(Sign::Served);
    assert_eq!(course.later(29_000).note(Sign::Failed), Some(Reason::Failed));
    let until = course.now + 20_000;
    assert_eq!(course.stands(), Standing::Resting { until });
}

#[test]
fn requests_that_were_under_way_together_count_once() {
    let mut course = Course::new();
    let began = course.now;
    course.later(30_000);
    let rests: Vec<_> = (0..100).map(|_| course.ended(Sign::Failed, began, None)).collect();
    assert_eq!(rests.iter().flatten().count(), 1);
    let until = course.now + 10_000;
    assert_eq!(course.stands(), Standing::Resting { until });
    course.later(10_001);
    assert_eq!(course.ended(Sign::Failed, began, None), None, "nor against its trial");
    assert_eq!(course.stands(), Standing::Trying);
    assert_eq!(course.ended(Sign::Served, began, None), None);
    assert_eq!(course.stands(), Standing::Trying, "nor for it");
}

#[test]
fn a_429_rests_for_as_long_as_it_says_or_longer_each_time() {
    let mut course = Course::new();
    let limited = |seconds| Sign::Limited(Some(Duration::from_secs(seconds)));
    assert_eq!(course.note(limited(7)), Some(Reason::Limited));
    let until = course.now + 7_000;
    assert_eq!(course.stands(), Standing::Resting { until });
    // Asked all the same, it says it anew.
    course.later(1_000).note(limited(60));
    let until = course.now + 60_000;
    assert_eq!(course.stands(), Standing::Resting { until });
    course.later(60_000).note(limited(86_400));
    let until = course.now + 600_000;
    assert_eq!(course.stands(), Standing::Resting { until });
    course.later(600_000);
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(course.note(Sign::Limited(None)), Some(Reason::Limited));
        let until = course.now + seconds * 1_000;
        assert_eq!(course.stands(), Standing::Resting { until });
        course.now = until;
    }
    assert_eq!(course.note(Sign::Refused), Some(Reason::Refused));
    let until = course.now + 60_000;
    assert_eq!(course.stands(), Standing::Resting { until });
}

#[test]
fn one_at_a_time_may_try_it_and_a_lease_ends_by_itself() {
    let mut course = Course::new();
    assert_eq!(course.claim(), None, "it is fit");
    course.fails(5);
    assert_eq!(course.claim(), None, "it rests");
    course.later(10_000);
    let first = course.claim();
    assert!(first.is_some());
    assert_eq!(course.claim(), None);
    let until = course.now + rule::TRIAL;
    assert_eq!(course.stands(), Standing::Resting { until });
    course.ended(Sign::Nothing, course.now, None);
    assert_eq!(course.claim(), None, "another's end frees nothing");
    course.ended(Sign::Nothing, course.now, first);
    let second = course.claim();
    assert!(second.is_some() && second != first);
    course.later(rule::TRIAL);
    let third = course.claim();
    assert!(third.is_some(), "who had it may be dead");
    course.ended(Sign::Nothing, course.now, second);
    assert_eq!(course.claim(), None, "a lease that is over frees nothing");
}

#[test]
fn where_all_rest_whoever_serves_has_recovered() {
    let mut course = Course::new();
    course.fails(5);
    course.later(1_000);
    assert_eq!(course.note(Sign::Failed), None);
    course.note(Sign::Served);
    assert_eq!(course.stands(), Standing::Recovering { share: 10 });
}

#[test]
fn a_provider_that_serves_is_never_written() {
    struct Sealed;
    impl Store for Sealed {
        fn read(&mut self, _: &str) -> Option<(Vec<u8>, u32)> {
            None
        }
        fn write(&mut self, _: &str, _: &[u8], _: Option<u32>) -> Written {
            Written::Failed
        }
    }
    for sign in [Sign::Served, Sign::Nothing] {
        let outcome = Outcome {
            sign,
            began: 5,
            trial: None,
        };
        let rests = with(&mut Sealed, 9, |books| note(CELL, &Rule::default(), outcome, books));
        assert_eq!(rests, Ok(None));
    }
}

/// A store in which others come in between: before each write, with what they were told to do.
struct Between<'a> {
    store: &'a mut Memory,
    others: Vec<u64>,
    won: Vec<Lease>,
}

impl Store for Between<'_> {
    fn read(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.store.read(key)
    }

    fn write(&mut self, key: &str, value: &[u8], version: Option<u32>) -> Written {
        if let Some(now) = self.others.pop() {
            let lease = with(self.store, now, |books| claim(key, &Rule::default(), books)).unwrap();
            self.won.extend(lease);
        }
        self.store.write(key, value, version)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    /// Of several VMs that claim at once.
    Claim(usize),
    /// The oldest attempt of a kind ends.
    Ends(Sign, bool),
}

fn sign() -> impl Strategy<Value = Sign> {
    prop_oneof![
        3 => Just(Sign::Served),
        4 => Just(Sign::Failed),
        1 => prop::option::of((0..2_000_u64).prop_map(Duration::from_secs)).prop_map(Sign::Limited),
        1 => Just(Sign::Refused),
        2 => Just(Sign::Nothing),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_000_u64).prop_map(Step::Wait),
        (1..4_usize).prop_map(Step::Claim),
        (sign(), any::<bool>()).prop_map(|(sign, trial)| Step::Ends(sign, trial)),
    ]
}

proptest! {
    #[test]
    fn there_is_never_more_than_one_trial(steps in prop::collection::vec(step(), 0..80)) {
        let mut course = Course::new();
        // Leases in force, and until when.
        let mut leases: Vec<(Lease, u64, u64)> = Vec::new();
        for step in steps {
            leases.retain(|(_, _, until)| course.now < *until);
            match step {
                Step::Wait(millis) => {
                    course.later(millis);
                }
                Step::Claim(vms) => {
                    let now = course.now;
                    let mut between = Between { store: &mut course.store, others: vec![now; vms - 1], won: Vec::new() };
                    let own = with(&mut between, now, |books| claim(CELL, &Rule::default(), books)).unwrap();
                    let won: Vec<_> = between.won.into_iter().chain(own).collect();
                    leases.extend(won.into_iter().map(|lease| (lease, now, now + rule::TRIAL)));
                }
                Step::Ends(sign, trial) => {
                    let ended = (trial && !leases.is_empty()).then(|| leases.remove(0));
                    let began = ended.map_or(course.now, |(_, began, _)| began);
                    course.ended(sign, began, ended.map(|(lease, ..)| lease));
                    if sign != Sign::Nothing {
                        // It is judged: nobody tries it any more.
                        leases.clear();
                    }
                }
            }
            prop_assert!(leases.len() <= 1, "{leases:?}");
        }
    }

    #[test]
    fn it_is_always_back_in_the_end_when_it_serves_again(steps in prop::collection::vec(step(), 0..80)) {
        let mut course = Course::new();
        for step in steps {
            match step {
                Step::Wait(millis) => { course.later(millis); }
                Step::Claim(_) => { course.claim(); }
                Step::Ends(sign, _) => { course.note(sign); }
            }
        }
        let mut waited = 0;
        while course.stands() != Standing::Fit {
            if let Standing::Trying = course.stands() {
                let (lease, began) = (course.claim(), course.now);
                prop_assert!(lease.is_some());
                course.later(7).ended(Sign::Served, began, lease);
            }
            course.later(500);
            waited += 507;
            prop_assert!(waited < 700_000, "{:?}", course.stands());
        }
    }

    #[test]
    fn what_clients_do_wrong_never_takes_it_out(times in prop::collection::vec(0..3_000_u64, 0..200), served: bool) {
        let mut course = Course::new();
        for millis in times {
            course.later(millis);
            prop_assert_eq!(course.note(if served { Sign::Served } else { Sign::Nothing }), None);
            prop_assert_eq!(course.stands(), Standing::Fit);
        }
    }

    #[test]
    fn any_bytes_are_a_provider(
        bytes in prop::collection::vec(any::<u8>(), 0..200), words in prop::collection::vec(any::<u64>(), 19), whole: bool,
        phase in 0..4_u64, now: u64, began: u64, sign in sign(),
    ) {
        let words = [1, phase].into_iter().chain(words.into_iter().skip(1)).flat_map(u64::to_le_bytes);
        let bytes = if whole { words.collect() } else { bytes };
        let mut course = Course::new();
        course.now = now;
        course.store.write(CELL, &bytes, None);
        course.stands();
        course.claim();
        course.ended(sign, began, None);
        let stands = course.stands();
        if let Standing::Resting { until } = stands {
            prop_assert!(until <= now.saturating_add(86_400_000 + 60_000), "{:?}", stands);
        }
        let (written, _) = course.store.read(CELL).unwrap();
        let cell = Cell::decode(&written, now);
        prop_assert_eq!(Cell::decode(&cell.encode(), now), cell);
    }
}
