use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::caller::UnixSeconds;
use crate::limit::judge::Wait;
use crate::limit::rule::{Budget, Limit, Share, Span, Then};
use crate::limit::store::{Census, Clock, Store};
use proptest::prelude::*;

/// The workers' store. Before each write it lets others come in between, as threads do.
#[derive(Default)]
struct Shared {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    versions: u32,
    /// Whole requests of other workers, each to be played before the next write.
    between: VecDeque<Ask>,
    played: Vec<Grant>,
    world: Option<(Vec<Subject>, Census)>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    tokens: u64,
    nanodollars: u64,
}

impl Store for Shared {
    fn read(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    fn write(&mut self, key: &str, value: &[u8], version: Option<u32>) -> Written {
        if let Some(ask) = self.between.pop_front()
            && let Some((subjects, census)) = self.world.clone()
        {
            let clock = self.clock;
            let granted = request(self, &subjects, &census, clock, ask, Owner(2));
            self.played.extend(granted.ok());
        }
        if self.values.get(key).map(|(_, version)| *version) != version {
            return Written::Lost;
        }
        self.versions += 1;
        self.values.insert(key.to_owned(), (value.to_vec(), self.versions));
        Written::Done
    }
}

fn request(
    store: &mut Shared,
    subjects: &[Subject],
    census: &Census,
    clock: Clock,
    wanted: Ask,
    owner: Owner,
) -> Result<Grant, Denied> {
    let want = Want {
        tokens: wanted.tokens,
        most_tokens: wanted.tokens,
        most_nanodollars: wanted.nanodollars,
        unpriced: false,
        free: false,
    };
    let asking = Asking {
        shadow: false,
        clamped: false,
        clock,
    };
    let mut books = Books {
        store,
        clock,
        owner,
        census,
    };
    let mut asked = Vec::new();
    for subject in subjects {
        let one = ask(subject.clone(), &want, asking, &mut books);
        if let Some(obstacle) = one.verdict.obstacle {
            return Err(Denied::Rule(obstacle));
        }
        asked.push(one);
    }
    take(asked, &want, asking, &mut books, &mut Vec::new()).map(|(grant, _)| grant)
}

fn limit(most: u64) -> Option<Limit> {
    Some(Limit {
        most,
        raise: None,
        warn_at: Share::DEFAULT,
        then: Then::Block,
        shadow: false,
    })
}

fn budget(unit: Unit, most: u64, period: Period) -> Budget {
    Budget {
        unit,
        most,
        raise: None,
        period,
        warn_at: Share::DEFAULT,
        then: Then::Block,
        shadow: false,
    }
}

fn subject(scope: Scope, rules: Rules) -> Subject {
    Subject {
        scope,
        cell: format!("test.{}", scope.name()),
        rules: Arc::new(rules),
        provider: None,
    }
}

const DAY: Period = Period::Calendar {
    span: Span::Day,
    offset: 0,
};

fn at(milliseconds: u64) -> Clock {
    Clock {
        wall: UnixSeconds((milliseconds / 1_000) as i64),
        steady: milliseconds,
    }
}

fn census() -> Census {
    let mut census = Census::default();
    census.enter();
    census.enter();
    census
}

fn finish(store: &mut Shared, census: &Census, clock: Clock, grant: Grant, used: Use) {
    let mut books = Books {
        store,
        clock,
        owner: grant.owner(),
        census,
    };
    settle(grant, None, &mut books, |_| Some(used)).unwrap();
}

fn set_aside(store: &mut Shared, census: &Census, subjects: &[Subject]) -> Vec<Held> {
    let held = |subject: &Subject| {
        store
            .read(&subject.cell)
            .map(|(bytes, _)| Cell::decode(bytes, census).set_aside())
            .unwrap_or_default()
    };
    subjects.iter().map(held).collect()
}

#[test]
fn a_refusal_uses_nothing_up() {
    let census = census();
    let subjects = [
        subject(
            Scope::Team,
            Rules {
                rpm: limit(5),
                ..Rules::default()
            },
        ),
        subject(
            Scope::Key,
            Rules {
                rpm: limit(1),
                ..Rules::default()
            },
        ),
    ];
    let mut store = Shared::default();
    let wanted = Ask {
        tokens: 1,
        nanodollars: 1,
    };
    for _ in 0..20 {
        let _ = request(&mut store, &subjects, &census, at(1), wanted, Owner(1));
    }
    let team = store.read("test.team").unwrap().0;
    assert_eq!(Cell::decode(team, &census).requests().sum(Length::MINUTE, 2), 1);
}

#[test]
fn what_a_lost_race_took_is_given_back() {
    let census = census();
    let subjects = [
        subject(
            Scope::Team,
            Rules {
                rpm: limit(50),
                budgets: vec![budget(Unit::Nanodollars, 100, DAY)],
                ..Rules::default()
            },
        ),
        subject(
            Scope::Key,
            Rules {
                rpm: limit(1),
                ..Rules::default()
            },
        ),
    ];
    let wanted = Ask {
        tokens: 1,
        nanodollars: 10,
    };
    let mut store = Shared {
        world: Some((subjects.to_vec(), census.clone())),
        clock: at(1),
        ..Shared::default()
    };
    store.between.push_back(wanted);
    let refused = request(&mut store, &subjects, &census, at(1), wanted, Owner(1));
    assert!(matches!(refused, Err(Denied::Rule(obstacle)) if obstacle.rule.to_string() == "key.rpm"));
    assert_eq!(store.played.len(), 1);
    assert_eq!(set_aside(&mut store, &census, &subjects)[0].nanodollars, 10);
    let team = store.read("test.team").unwrap().0;
    assert_eq!(Cell::decode(team, &census).requests().sum(Length::MINUTE, 2), 1);
}

#[test]
fn an_expired_request_is_told_when_there_is_room() {
    let census = census();
    let subjects = [subject(
        Scope::Key,
        Rules {
            rpm: limit(1),
            ..Rules::default()
        },
    )];
    let wanted = Ask {
        tokens: 1,
        nanodollars: 0,
    };
    let mut store = Shared::default();
    let grant = request(&mut store, &subjects, &census, at(1_000), wanted, Owner(1)).unwrap();
    finish(&mut store, &census, at(2_000), grant, Use::default());
    let Err(Denied::Rule(obstacle)) = request(&mut store, &subjects, &census, at(31_000), wanted, Owner(1)) else {
        panic!("admitted twice");
    };
    assert_eq!(obstacle.wait, Wait::Milliseconds(30_000));
    assert!(request(&mut store, &subjects, &census, at(61_000), wanted, Owner(1)).is_ok());
}

#[test]
fn what_the_dead_had_set_aside_is_free_again() {
    let mut census = census();
    let subjects = [subject(
        Scope::Key,
        Rules {
            parallel: limit(1),
            budgets: vec![budget(Unit::Nanodollars, 10, DAY)],
            ..Rules::default()
        },
    )];
    let wanted = Ask {
        tokens: 1,
        nanodollars: 10,
    };
    let mut store = Shared::default();
    let lost = request(&mut store, &subjects, &census, at(1), wanted, Owner(1)).unwrap();
    assert!(request(&mut store, &subjects, &census, at(2), wanted, Owner(2)).is_err());
    census.bury(Owner(1));
    let granted = request(&mut store, &subjects, &census, at(3), wanted, Owner(2)).unwrap();
    // Should it not be dead after all, what it spent still counts, and nothing wraps.
    let spent = Use {
        tokens: 5,
        nanodollars: 4,
    };
    finish(&mut store, &census, at(4), lost, spent);
    assert_eq!(set_aside(&mut store, &census, &subjects)[0].nanodollars, 10);
    finish(&mut store, &census, at(5), granted, spent);
    assert_eq!(set_aside(&mut store, &census, &subjects)[0], Held::default());
}

#[test]
fn a_change_of_amount_keeps_what_was_spent() {
    let census = census();
    let rules = |most, period| {
        [subject(
            Scope::Key,
            Rules {
                budgets: vec![budget(Unit::Nanodollars, most, period)],
                ..Rules::default()
            },
        )]
    };
    let wanted = Ask {
        tokens: 1,
        nanodollars: 10,
    };
    let mut store = Shared::default();
    let grant = request(&mut store, &rules(10, DAY), &census, at(1), wanted, Owner(1)).unwrap();
    let spent = Use {
        tokens: 1,
        nanodollars: 10,
    };
    finish(&mut store, &census, at(2), grant, spent);
    assert!(request(&mut store, &rules(19, DAY), &census, at(3), wanted, Owner(1)).is_err());
    let granted = request(&mut store, &rules(20, DAY), &census, at(3), wanted, Owner(1));
    finish(&mut store, &census, at(4), granted.unwrap(), Use::default());
    let rolling = Period::Rolling { seconds: 3_600 };
    assert!(request(&mut store, &rules(10, rolling), &census, at(5), wanted, Owner(1)).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Request(Ask, Vec<Ask>),
    Finish(usize, u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let ask = (1u64..40, 1u64..40).prop_map(|(tokens, nanodollars)| Ask { tokens, nanodollars });
    prop_oneof![
        2 => prop_oneof![0u64..500, 1_000u64..70_000].prop_map(Step::Pass),
        5 => (ask.clone(), proptest::collection::vec(ask, 0..4)).prop_map(|(one, others)| Step::Request(one, others)),
        3 => (any::<usize>(), 0u64..=100).prop_map(|(which, percent)| Step::Finish(which, percent)),
    ]
}

proptest! {
    /// Whatever workers do between one another's reads and writes: no budget is overspent, no minute holds more than its
    /// limits, no more are under way than may be, and in the end nothing is set aside.
    #[test]
    fn limits_hold_under_any_interleaving(steps in proptest::collection::vec(any_step(), 1..80), rpm in 1u64..12, tpm in 40u64..200,
        parallel in 1u64..6, dollars in 40u64..300, team in 40u64..300) {
        let census = census();
        let subjects = [
            subject(Scope::Team, Rules { budgets: vec![budget(Unit::Nanodollars, team, Period::Rolling { seconds: 3_600 })], ..Rules::default() }),
            subject(Scope::Key, Rules { rpm: limit(rpm), tpm: limit(tpm), parallel: limit(parallel),
                budgets: vec![budget(Unit::Nanodollars, dollars, Period::Rolling { seconds: 100_000 }), budget(Unit::Tokens, 500, DAY)] }),
        ];
        let mut store = Shared { world: Some((subjects.to_vec(), census.clone())), ..Shared::default() };
        let mut now = 10_000;
        let mut open: Vec<Grant> = Vec::new();
        let mut begun: Vec<u64> = Vec::new();
        let (mut spent, mut spent_tokens) = (0, 0);
        let wanted = |grant: &Grant| {
            let key = grant.taken.iter().find(|taken| taken.subject.scope == Scope::Key).unwrap();
            Use { tokens: key.part.tokens, nanodollars: key.part.nanodollars }
        };
        for step in steps {
            store.clock = at(now);
            match step {
                Step::Pass(milliseconds) => now += milliseconds,
                Step::Request(one, others) => {
                    store.between = others.into();
                    let granted = request(&mut store, &subjects, &census, at(now), one, Owner(1)).ok();
                    store.between.clear();
                    let granted: Vec<Grant> = granted.into_iter().chain(std::mem::take(&mut store.played)).collect();
                    begun.extend(granted.iter().flat_map(|grant| grant.taken.iter().filter_map(|taken| taken.part.request_at)));
                    open.extend(granted);
                }
                Step::Finish(which, percent) if !open.is_empty() => {
                    let grant = open.remove(which % open.len());
                    let most = wanted(&grant);
                    let used = Use { tokens: most.tokens * percent / 100, nanodollars: most.nanodollars * percent / 100 };
                    spent += used.nanodollars;
                    spent_tokens += used.tokens;
                    finish(&mut store, &census, at(now), grant, used);
                }
                Step::Finish(..) => {}
            }
            let aside: u64 = open.iter().map(|grant| wanted(grant).nanodollars).sum();
            prop_assert!(spent + aside <= dollars.min(team), "{spent} spent, {aside} set aside");
            prop_assert!(spent_tokens + open.iter().map(|grant| wanted(grant).tokens).sum::<u64>() <= 500);
            prop_assert!(open.len() as u64 <= parallel);
            let held = set_aside(&mut store, &census, &subjects);
            prop_assert_eq!(held[1].nanodollars, aside);
            prop_assert_eq!(held[1].running, open.len() as u64);
        }
        for grant in open.drain(..) {
            finish(&mut store, &census, at(now), grant, Use::default());
        }
        for held in set_aside(&mut store, &census, &subjects) {
            prop_assert_eq!(held, Held::default());
        }
        for start in &begun {
            let in_a_minute = begun.iter().filter(|at| (*start..*start + 60_000).contains(at)).count() as u64;
            prop_assert!(in_a_minute <= rpm, "{in_a_minute} from {start}");
        }
    }
}
