use proptest::prelude::*;

use super::*;
use crate::hash;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

fn turn(signature: u64, id: u32) -> Turn {
    Turn {
        signature,
        id,
        context: 1,
    }
}

/// A conversation whose turns are these, the latest with this id and the ones before with those before.
fn turns(signatures: &[u64], latest_id: u32) -> Conversation {
    let first = latest_id + 1 - signatures.len() as u32;
    Conversation {
        turns: (first..)
            .zip(signatures)
            .map(|(id, signature)| turn(*signature, id))
            .collect(),
        turns_in_all: signatures.len() as u32,
        heard: 1,
        session: None,
        fingerprint: hash::both(u64::from(latest_id), 0),
    }
}

fn request(fingerprint: u64) -> Conversation {
    Conversation {
        fingerprint,
        ..Conversation::default()
    }
}

fn slow(wait_ms: u64) -> Finding {
    Finding::Slow {
        sign: Sign::ToolCalls,
        wait_ms,
    }
}

const WARN: Finding = Finding::Warn { sign: Sign::ToolCalls };

/// A session that has made the same call so often, a little more than the longest wait between any two.
fn looped(times: u32, now: &mut u64) -> Session {
    let mut session = Session::default();
    for id in 1..=times {
        *now += 61 * SECOND;
        let _ = session.observe(&turns(&[7], id), &Rules::default(), *now);
    }
    session
}

#[test]
fn a_repeated_call_is_warned_slowed_and_blocked() {
    let rules = Rules::default();
    let mut session = Session::default();
    let mut now = 5;
    let mut steps = Vec::new();
    for id in 1..=12 {
        now += 61 * SECOND;
        steps.push(session.observe(&turns(&[7], id), &rules, now));
    }
    let mut expected = vec![Finding::Pass; 4];
    expected.extend([WARN; 3]);
    expected.extend([2, 4, 8, 16].map(|seconds| slow(seconds * SECOND)));
    expected.push(Finding::Block {
        sign: Sign::ToolCalls,
        wait_ms: rules.block_ms,
    });
    assert_eq!(steps, expected);
    // All of the session is blocked, whatever it asks.
    let blocked = session.observe(&request(3), &rules, now + MINUTE);
    assert_eq!(blocked.refused_ms(), Some(rules.block_ms - MINUTE));
    assert_eq!(session.blocked_ms(now), Some((Sign::ToolCalls, rules.block_ms)));
    // Then it starts again as if warned.
    now += rules.block_ms;
    assert_eq!(session.blocked_ms(now), None);
    assert_eq!(session.observe(&turns(&[7], 12), &rules, now), WARN);
    assert_eq!(session.observe(&turns(&[7], 13), &rules, now), WARN);
    assert_eq!(session.observe(&turns(&[7], 14), &rules, now), WARN);
    assert_eq!(session.observe(&turns(&[7], 15), &rules, now), slow(2 * SECOND));
}

#[test]
fn who_waits_gets_in_and_who_does_not_waits_on() {
    let rules = Rules::default();
    let mut now = 0;
    let mut session = looped(8, &mut now);
    let same = turns(&[7], 8);
    assert_eq!(session.observe(&same, &rules, now + 500), slow(1_500));
    assert_eq!(session.observe(&same, &rules, now + 1_999), slow(1));
    assert_eq!(session.observe(&same, &rules, now + 2_000), WARN);
    assert_eq!(session.observe(&same, &rules, now + 2_000), WARN, "and may try again");
    assert_eq!(session.observe(&turns(&[7], 9), &rules, now + 3_000), slow(4_000));
}

#[test]
fn another_call_ends_it_at_once() {
    let rules = Rules::default();
    let mut now = 0;
    let mut session = looped(11, &mut now);
    assert_eq!(session.observe(&turns(&[7, 8], 12), &rules, now), Finding::Pass);
    assert_eq!(session.observe(&turns(&[7, 8, 7], 13), &rules, now), Finding::Pass);
    assert_eq!(session.runs, [0, 1, 1]);
}

#[test]
fn the_user_ends_it_by_saying_something_else() {
    let rules = Rules::default();
    let mut now = 0;
    let mut session = looped(11, &mut now);
    let told = Conversation {
        heard: 2,
        fingerprint: 99,
        ..turns(&[7], 11)
    };
    assert_eq!(session.observe(&told, &rules, now), Finding::Pass);
    assert_eq!(session.observe(&told, &rules, now), Finding::Pass, "sent again");
    let answered = Conversation {
        fingerprint: 100,
        ..told
    };
    assert_eq!(
        session.observe(&answered, &rules, now),
        Finding::Pass,
        "a little different"
    );
}

#[test]
fn what_has_no_part_in_the_loop_is_let_through() {
    let rules = Rules::default();
    let mut now = 0;
    let mut session = looped(8, &mut now);
    assert_eq!(session.observe(&request(9), &rules, now), Finding::Pass);
    assert_eq!(session.observe(&turns(&[7], 8), &rules, now), slow(2 * SECOND));
}

#[test]
fn a_turn_is_counted_once() {
    let conversation = |turns: &[Turn]| Conversation {
        turns: turns.to_vec(),
        turns_in_all: turns.len() as u32,
        ..Conversation::default()
    };
    let new = |known: &[Turn], seen: &[Turn]| unseen(known, known.len() as u32, &conversation(seen)).len();
    let [a, b, c] = [turn(1, 1), turn(1, 2), turn(2, 3)];
    assert_eq!(new(&[], &[a, b]), 2);
    assert_eq!(new(&[a, b], &[a, b]), 0);
    assert_eq!(new(&[a, b], &[a, b, c]), 1);
    assert_eq!(new(&[a, b], &[b, c]), 1, "cut off");
    assert_eq!(new(&[a, b], &[c]), 1, "only the latest");
    assert_eq!(new(&[c, b], &[a, b, c]), 0, "of two conversations");
    let nameless = turn(1, 0);
    assert_eq!(new(&[nameless; 3], &[nameless; 3]), 0);
    assert_eq!(new(&[nameless; 3], &[nameless; 4]), 1);
    // A loop longer than what is looked at.
    let long = |in_all| Conversation {
        turns_in_all: in_all,
        ..conversation(&[nameless; TURNS])
    };
    assert_eq!(unseen(&[nameless; TURNS], 20, &long(20)).len(), 0);
    assert_eq!(unseen(&[nameless; TURNS], 20, &long(21)).len(), 1);
    assert_eq!(unseen(&[nameless; TURNS], 0, &long(u32::MAX)).len(), TURNS);
}

#[test]
fn only_answered_requests_are_repeated() {
    let rules = Rules::default();
    let mut session = Session::default();
    for _ in 0..50 {
        assert_eq!(session.observe(&request(5), &rules, 0), Finding::Pass);
        session.settled(5, false, 0, 0);
    }
    let mut steps = Vec::new();
    for n in 0..20 {
        let mut finding = session.observe(&request(5), &rules, n * MINUTE);
        steps.push(finding.step());
        if let Finding::Slow { wait_ms, .. } = finding {
            finding = session.observe(&request(5), &rules, n * MINUTE + wait_ms);
        }
        if finding.refused_ms().is_none() {
            session.settled(5, true, 0, n * MINUTE);
        }
    }
    assert_eq!(steps.iter().position(|step| *step == Some("warn")), Some(5));
    assert_eq!(steps.iter().position(|step| *step == Some("slow")), Some(9));
    assert_eq!(steps.iter().position(|step| *step == Some("block")), Some(19));
    assert!(session.release(20 * MINUTE));
    assert_eq!(session.observe(&request(5), &rules, 20 * MINUTE), Finding::Pass);
}

#[test]
fn a_release_lifts_and_counts_anew() {
    let rules = Rules::default();
    let mut now = 0;
    for times in [8, 12] {
        let mut session = looped(times, &mut now);
        assert!(session.release(now));
        assert!(!session.release(now));
        assert_eq!(session.observe(&turns(&[7], times), &rules, now), Finding::Pass);
        assert_eq!(session.observe(&turns(&[7], times + 1), &rules, now), Finding::Pass);
    }
}

#[test]
fn what_is_long_ago_is_forgotten() {
    let mut now = 0;
    let mut session = looped(11, &mut now);
    now += FORGOTTEN_AFTER_MS + 1;
    assert_eq!(session.observe(&turns(&[7], 12), &Rules::default(), now), Finding::Pass);
}

#[test]
fn a_step_that_is_never_taken_is_left_out() {
    let rules = Rules {
        tool_calls: Steps {
            warn: None,
            slow: None,
            block: Some(3),
        },
        block_ms: SECOND,
        ..Rules::default()
    };
    let mut session = Session::default();
    for id in 1..3 {
        assert_eq!(session.observe(&turns(&[7], id), &rules, 0), Finding::Pass);
    }
    assert_eq!(session.observe(&turns(&[7], 3), &rules, 0).step(), Some("block"));
    assert_eq!(session.observe(&turns(&[7], 3), &rules, SECOND), Finding::Pass);
    assert_eq!(session.runs[0], 0, "as if called once");
}

/// A session that has spent so much in each of ten minutes, by six answers.
fn spent(nanodollars: u64) -> (Session, u64) {
    let mut session = Session::default();
    for n in 0..60 {
        session.settled(n, true, nanodollars / 6, n * 10 * SECOND);
    }
    (session, 10 * MINUTE)
}

#[test]
fn spending_is_judged_by_its_own_past() {
    let rules = Rules::default();
    let dollar = 1_000_000_000;
    let judged = |past: u64, bills: &[u64]| {
        let (mut session, now) = spent(past);
        for bill in bills {
            session.settled(1, true, *bill, now);
        }
        session.observe(&request(2), &rules, now)
    };
    let velocity = |finding: Finding| finding.sign().map(|sign| (sign, finding.step().unwrap()));
    assert_eq!(
        velocity(judged(dollar / 10, &[dollar; 3])),
        Some((Sign::Velocity, "block"))
    );
    assert_eq!(
        velocity(judged(dollar / 4, &[dollar; 3])),
        Some((Sign::Velocity, "slow"))
    );
    assert_eq!(
        velocity(judged(dollar / 2, &[dollar; 3])),
        Some((Sign::Velocity, "warn"))
    );
    assert_eq!(judged(dollar, &[dollar; 3]), Finding::Pass);
    assert_eq!(
        judged(dollar / 1_000_000, &[dollar / 7; 3]),
        Finding::Pass,
        "too little to matter"
    );
    assert_eq!(judged(0, &[dollar; 3]), Finding::Pass, "no past");
}

#[test]
fn one_at_a_time_gets_in_while_spending_is_too_fast() {
    let rules = Rules::default();
    let (mut session, now) = spent(250_000_000);
    for _ in 0..3 {
        session.settled(1, true, 1_000_000_000, now);
    }
    let mut at = |after| session.observe(&request(2), &rules, now + after).refused_ms();
    assert_eq!(at(0), Some(2_000));
    assert_eq!(at(1_000), Some(1_000));
    assert_eq!(at(2_000), None);
    assert_eq!(at(2_001), Some(4_000));
    assert_eq!(at(6_001), None);
    assert_eq!(at(6_002), Some(8_000));
    assert_eq!(at(3 * MINUTE), None);
    assert_eq!(at(3 * MINUTE + 1), None, "it is over");
    let (mut session, now) = spent(100_000_000);
    for _ in 0..3 {
        session.settled(1, true, 1_000_000_000, now);
    }
    assert_eq!(
        session.observe(&request(2), &rules, now).refused_ms(),
        Some(rules.block_ms)
    );
    assert!(session.release(now));
    assert_eq!(session.observe(&request(2), &rules, now), Finding::Pass);
}

#[test]
fn a_past_is_not_raised_by_what_runs_away_from_it() {
    let (mut session, now) = spent(100_000_000);
    for minute in 0..4 {
        for second in 0..6 {
            session.settled(1, true, 1_000_000_000, now + minute * MINUTE + second * 10 * SECOND);
        }
    }
    let finding = session.observe(&request(2), &Rules::default(), now + 4 * MINUTE);
    assert_eq!(finding.step(), Some("block"));
}

fn any_step() -> impl Strategy<Value = Steps> {
    let step = || prop::option::of(prop_oneof![0u32..6, any::<u32>()]);
    (step(), step(), step()).prop_map(|(warn, slow, block)| Steps { warn, slow, block })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let block = prop_oneof![0u64..100_000, any::<u64>()];
    (any_step(), any_step(), any_step(), 0u64..1_000, block).prop_map(
        |(tool_calls, requests, velocity, velocity_floor, block_ms)| Rules {
            tool_calls,
            requests,
            velocity,
            velocity_floor,
            block_ms,
            ..Rules::default()
        },
    )
}

fn any_conversation() -> impl Strategy<Value = Conversation> {
    let turns = prop::collection::vec((0u64..3, 0u32..5, 0u32..3), 0..=TURNS);
    (turns, any::<u32>(), 0u32..3).prop_map(|(turns, turns_in_all, heard)| Conversation {
        turns: turns
            .into_iter()
            .map(|(signature, id, context)| Turn { signature, id, context })
            .collect(),
        turns_in_all,
        heard,
        session: None,
        fingerprint: 0,
    })
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..2_000_000, 1 => any::<u64>()]
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_a_session_stays_small_and_survives_its_bytes(
        rules in any_rules(),
        conversations in prop::collection::vec(any_conversation(), 3),
        events in prop::collection::vec((0usize..3, any_time(), any::<u64>(), 0u8..8), 0..60),
    ) {
        let mut session = Session::default();
        for (index, now, cost, what) in events {
            let conversation = Conversation {
                fingerprint: index as u64 + 1,
                ..conversations[index].clone()
            };
            match what {
                0 => drop(session.release(now)),
                1..4 => session.settled(conversation.fingerprint, what > 1, cost, now),
                _ => {
                    let finding = session.observe(&conversation, &rules, now);
                    prop_assert_ne!(finding.refused_ms(), Some(0));
                    if let Finding::Slow { wait_ms, sign: sign @ (Sign::ToolCalls | Sign::Requests) } = finding {
                        let waited = now.checked_add(wait_ms);
                        let later = waited.map(|now| session.clone().observe(&conversation, &rules, now));
                        let again = later.is_some_and(|later| later.sign() == Some(sign) && later.refused_ms().is_some());
                        prop_assert!(!again, "who waits gets in");
                    }
                }
            }
            prop_assert!(session.turns.len() <= TURNS);
            let mut bytes = Vec::new();
            session.encode(&mut bytes);
            prop_assert!(bytes.len() <= Session::MOST_BYTES);
            let mut reader = Reader(&bytes);
            prop_assert_eq!(Session::decode(&mut reader), Some(session.clone()));
            prop_assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_decoded(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        if let Some(mut session) = Session::decode(&mut Reader(&bytes)) {
            let _ = session.observe(&turns(&[1, 1, 1], 3), &Rules::default(), 7);
            session.settled(1, true, u64::MAX, u64::MAX);
        }
    }
}
