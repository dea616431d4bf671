use proptest::prelude::*;

use super::*;
use crate::guard::{conversation::Turn, session::Session};

fn called(id: u32) -> Conversation {
    Conversation {
        turns: vec![Turn {
            signature: 1,
            id,
            context: 0,
        }],
        ..Conversation::default()
    }
}

/// A bucket in which these sessions were used, a millisecond after the other; the first `blocked` of them in a loop.
fn bucket(places: &[Place], blocked: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, (now, index)) in places.iter().zip((1..).zip(0..)) {
        for id in 1..=if index < blocked { 12 } else { 1 } {
            bytes = observe(Some(&bytes), place, &called(id), &Rules::default(), now).0;
        }
    }
    bytes
}

/// Sessions of a key, all of which could be in one bucket.
fn places(key: &str, count: u64) -> Vec<Place> {
    (0..count).map(|session| Place::of(key, Some(session))).collect()
}

fn kept(bytes: &[u8], places: &[Place]) -> Vec<bool> {
    let mut bucket = Bucket::decode(bytes);
    places.iter().map(|place| bucket.find(place).is_some()).collect()
}

#[test]
fn memory_is_bounded() {
    assert_eq!(Session::MOST_BYTES, 378);
    assert_eq!(ENTRY_BYTES, 390);
    assert_eq!(BUCKET_BYTES, 1_562);
    assert_eq!(BUCKETS as usize * BUCKET_BYTES, 1_599_488);
    let mut bytes = Vec::new();
    for place in places("key", 9) {
        for id in 0..40 {
            bytes = observe(Some(&bytes), &place, &called(id), &Rules::default(), 1).0;
        }
    }
    assert_eq!(bytes.len(), BUCKET_BYTES);
}

#[test]
fn a_session_has_one_place_and_others_have_others() {
    assert_eq!(Place::of("key", Some(1)), Place::of("key", Some(1)));
    let all = [
        Place::of("key", None),
        Place::of("key", Some(0)),
        Place::of("key", Some(1)),
        Place::of("yek", None),
        Place::of("yek", Some(0)),
    ];
    for (index, place) in all.iter().enumerate() {
        assert!(!all[..index].contains(place));
        assert!(place.bucket() < BUCKETS);
    }
    assert_eq!(bucket_name(Place::of("key", None).bucket()).split('.').count(), 3);
    let named = Conversation {
        session: session_hash(b"body"),
        ..Conversation::default()
    };
    assert_eq!(session_of(Some(b"header"), &named), session_hash(b"header"));
    assert_eq!(session_of(Some(b" "), &named), session_hash(b"body"));
    assert_eq!(session_of(None, &Conversation::default()), None);
}

#[test]
fn what_is_unused_for_longest_makes_room() {
    let all = places("key", 6);
    assert_eq!(kept(&bucket(&all[..5], 0), &all[..5]), [false, true, true, true, true]);
    assert_eq!(
        kept(&bucket(&all[..5], 1), &all[..5]),
        [true, false, true, true, true],
        "a blocked one stays"
    );
    assert_eq!(
        kept(&bucket(&all[..5], 4), &all[..5]),
        [false, true, true, true, true],
        "unless all are"
    );
}

#[test]
fn a_key_that_names_many_sessions_replaces_its_own() {
    let others = places("others", 3);
    let all: Vec<Place> = others.iter().copied().chain(places("key", 50)).collect();
    assert_eq!(kept(&bucket(&all, 0), &others), [true; 3]);
    // What would start anew anyway is given up first, whosever it is.
    let place = Place::of("key", Some(99));
    let later = FORGOTTEN_AFTER_MS + 3;
    let bytes = bucket(&all[..4], 0);
    let bytes = observe(Some(&bytes), &place, &called(1), &Rules::default(), later).0;
    assert_eq!(kept(&bytes, &others), [false, true, true]);
}

#[test]
fn an_operator_releases_a_session_or_a_key() {
    let rules = Rules::default();
    let mine = Place::of("key", session_hash(b"a"));
    let blocked = bucket(&[mine, Place::of("key", None), Place::of("others", None)], 3);
    let step = |bytes: &[u8], place: &Place| observe(Some(bytes), place, &called(12), &rules, 5).1.step();
    let one = Release::of("key", Some(b"a"));
    assert_eq!(one.buckets(), mine.bucket()..mine.bucket() + 1);
    let (bytes, lifted) = one.apply(&blocked, 5).unwrap();
    assert_eq!(lifted, 1);
    assert_eq!(step(&bytes, &mine), None);
    assert_eq!(step(&bytes, &Place::of("key", None)), Some("block"));
    let all = Release::of("key", None);
    assert_eq!(all.buckets(), 0..BUCKETS);
    let (bytes, lifted) = all.apply(&blocked, 5).unwrap();
    assert_eq!(lifted, 2);
    assert_eq!(step(&bytes, &Place::of("key", None)), None);
    assert_eq!(step(&bytes, &Place::of("others", None)), Some("block"));
    assert_eq!(Release::of("nobody", None).apply(&blocked, 5), None);
    assert_eq!(Release::of("key", Some(b"b")).apply(&blocked, 5), None);
}

#[test]
fn what_is_no_longer_kept_is_not_settled() {
    let [one, other] = places("key", 2)[..] else { panic!() };
    let bytes = bucket(&[one], 0);
    assert_eq!(settle(None, &one, 1, true, 1, 1), None);
    assert_eq!(settle(Some(&bytes), &other, 1, true, 1, 1), None);
    assert_ne!(settle(Some(&bytes), &one, 1, true, 1, 1), Some(bytes));
}

proptest! {
    #[test]
    fn any_bytes_are_a_bucket(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut: prop::sample::Index, now: u64) {
        let good = bucket(&places("key", 4), 2);
        let mut odd = good.clone();
        odd.truncate(cut.index(good.len()));
        let place = Place::of("key", Some(1));
        for bytes in [bytes, [&[FORMAT, 1], &good[7..]].concat(), odd] {
            let decoded = Bucket::decode(&bytes);
            prop_assert_eq!(&Bucket::decode(&decoded.encode()), &decoded);
            let (new, _) = observe(Some(&bytes), &place, &called(1), &Rules::default(), now);
            prop_assert!(new.len() <= BUCKET_BYTES);
            prop_assert_eq!(kept(&new, &[place]), [true]);
        }
    }

    #[test]
    fn a_bucket_survives_its_bytes(sessions in prop::collection::vec((0u64..9, any::<u64>(), 0u32..20), 0..20)) {
        let mut bytes = Vec::new();
        for (session, now, id) in sessions {
            let place = Place::of("key", Some(session));
            bytes = observe(Some(&bytes), &place, &called(id), &Rules::default(), now).0;
            prop_assert_eq!(Bucket::decode(&bytes).encode(), bytes.clone());
            prop_assert!(bytes.len() <= BUCKET_BYTES);
        }
    }
}
