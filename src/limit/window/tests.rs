use super::*;
use proptest::prelude::*;

const MINUTE: Length = Length::MINUTE;

/// The bytes of a window of its own.
fn own() -> Vec<u8> {
    vec![0; EMPTY]
}

/// What is in a window: times and amounts.
fn slots(window: &Window<'_>) -> Vec<(u64, u64)> {
    let slot = |index| {
        (
            window.get(FIRST + index * SLOT),
            window.get(FIRST + index * SLOT + WORD),
        )
    };
    (0..window.count()).map(slot).collect()
}

#[test]
fn an_amount_counts_for_the_whole_span_and_no_longer() {
    let mut bytes = own();
    let mut window = Window::at(&mut bytes, 0);
    window.add(MINUTE, 1_000, 3);
    assert_eq!(window.sum(MINUTE, 60_999), 3);
    assert_eq!(window.sum(MINUTE, 61_000), 0);
}

#[test]
fn what_shares_a_slot_goes_with_its_last() {
    let mut bytes = own();
    let mut window = Window::at(&mut bytes, 0);
    window.add(MINUTE, 1_000, 1);
    window.add(MINUTE, 1_900, 1);
    assert_eq!(window.until_at_most(MINUTE, 2_000, 1), 59_900);
    assert_eq!(window.sum(MINUTE, 61_899), 2);
    assert_eq!(window.sum(MINUTE, 61_900), 0);
}

#[test]
fn what_is_taken_back_no_longer_counts() {
    let mut bytes = own();
    let mut window = Window::at(&mut bytes, 0);
    let at = window.add(MINUTE, 1_000, 5);
    window.add(MINUTE, 9_000, 2);
    window.take_back(MINUTE, at, 4);
    assert_eq!(window.sum(MINUTE, 10_000), 3);
    window.take_back(MINUTE, at, 100);
    assert_eq!(window.sum(MINUTE, 10_000), 2, "never more than was there");
    window.take_back(MINUTE, 500_000, 1);
    assert_eq!(window.sum(MINUTE, 10_000), 2);
}

#[test]
fn a_clock_that_goes_back_gives_nothing_back() {
    let mut bytes = own();
    let mut window = Window::at(&mut bytes, 0);
    window.add(MINUTE, 100_000, 1);
    assert_eq!(window.add(MINUTE, 20_000, 1), 100_000);
    assert_eq!(window.sum(MINUTE, 0), 2);
    assert_eq!(window.sum(MINUTE, 159_999), 2);
    assert_eq!(window.sum(MINUTE, 160_000), 0);
}

#[test]
fn there_is_room_when_it_was_said_there_would_be() {
    let mut bytes = own();
    let mut window = Window::at(&mut bytes, 0);
    for second in 0..10 {
        window.add(MINUTE, second * 1_000, 1);
    }
    assert_eq!(window.until_at_most(MINUTE, 9_500, 10), 0);
    assert_eq!(window.until_at_most(MINUTE, 9_500, 9), 50_500);
    assert_eq!(window.until_at_most(MINUTE, 9_500, 0), 59_500);
}

#[derive(Clone, Debug)]
struct Step {
    /// Milliseconds after the step before; negative where a clock is read late.
    after: i64,
    amount: u64,
    back: Option<u64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop_oneof![0i64..30, 0i64..3_000, -500i64..0, 50_000i64..70_000],
        1u64..9,
        proptest::option::weighted(0.2, 1u64..9),
    );
    proptest::collection::vec(
        step.prop_map(|(after, amount, back)| Step { after, amount, back }),
        1..300,
    )
}

proptest! {
    /// Every amount is remembered exactly beside the window, and the window never knows less than that.
    #[test]
    fn no_span_holds_more_than_the_limit(steps in steps(), most in 1u64..60, length in prop_oneof![Just(MINUTE), Just(Length(5_000)), Just(Length::seconds(3_600))]) {
        let (mut bytes, mut now, mut latest) = (own(), 1_000_000u64, 0u64);
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for Step { after, amount, back } in steps {
            let mut window = Window::at(&mut bytes, 0);
            now = now.saturating_add_signed(after);
            latest = latest.max(now);
            let used = window.sum(length, now);
            let exact: u64 = admitted.iter().filter(|(at, _)| at + length.0 > latest).map(|(_, amount)| amount).sum();
            prop_assert!(used >= exact, "{used} known, {exact} admitted");
            if used + amount <= most {
                let at = window.add(length, now, amount);
                admitted.push((at, amount));
                if let Some(back) = back {
                    let back = back.min(amount);
                    window.take_back(length, at, back);
                    admitted.last_mut().unwrap().1 -= back;
                }
            } else {
                let wait = window.until_at_most(length, now, most.saturating_sub(amount));
                if amount <= most {
                    prop_assert!(wait > 0);
                    prop_assert!(Window::at(&mut window.bytes.clone(), 0).sum(length, latest + wait) + amount <= most, "whoever waits gets in");
                }
            }
            let known = slots(&window);
            prop_assert!(known.len() <= SLOTS);
            prop_assert_eq!(window.get(SUM), known.iter().map(|(_, amount)| amount).sum::<u64>());
            prop_assert_eq!(size(&bytes, 0), Some(bytes.len()));
        }
        for (start, _) in &admitted {
            let sum: u64 = admitted.iter().filter(|(at, _)| (*start..*start + length.0).contains(at)).map(|(_, amount)| amount).sum();
            prop_assert!(sum <= most, "{sum} from {start}");
        }
    }

    #[test]
    fn any_bytes_are_a_window_or_none(mut bytes: Vec<u8>) {
        if size(&bytes, 0).is_some() {
            let mut window = Window::at(&mut bytes, 0);
            window.sum(MINUTE, 1);
            window.add(MINUTE, u64::MAX, u64::MAX);
            window.until_at_most(MINUTE, 0, 0);
        }
    }
}
