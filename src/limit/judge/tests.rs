use super::*;
use crate::caller::UnixSeconds;
use crate::limit::rule::{Raise, Span};

const CLOCK: Clock = Clock {
    wall: UnixSeconds(1_000),
    steady: 1_000_000,
};
const HOUR: Period = Period::Calendar {
    span: Span::Hour,
    offset: 0,
};
const ASKING: Asking = Asking {
    shadow: false,
    clamped: false,
    clock: CLOCK,
};

fn limit(most: u64, then: Then) -> Option<Limit> {
    Some(Limit {
        most,
        raise: None,
        warn_at: Share::DEFAULT,
        then,
        shadow: false,
    })
}

fn budget(most: u64, then: Then) -> Budget {
    Budget {
        unit: Unit::Nanodollars,
        most,
        raise: None,
        period: HOUR,
        warn_at: Share::DEFAULT,
        then,
        shadow: false,
    }
}

fn used(requests: u64, spent: u64) -> Cell {
    let mut cell = Cell::default();
    cell.requests().add(Length::MINUTE, CLOCK.steady - 10_000, requests);
    cell.begin_ledger(Unit::Nanodollars, HOUR, &[]);
    cell.ledger(Unit::Nanodollars, HOUR).unwrap().add(CLOCK, spent);
    cell
}

fn names(rules: &[RuleName]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

fn costs(nanodollars: u64) -> Want {
    Want {
        most_nanodollars: nanodollars,
        ..Want::default()
    }
}

#[test]
fn a_rule_warns_before_it_refuses() {
    let rules = Rules {
        rpm: limit(10, Then::Block),
        ..Rules::default()
    };
    for (requests, near, refused) in [(7, false, false), (8, true, false), (9, true, false), (10, true, true)] {
        let verdict = judge(Scope::Key, &mut used(requests, 0), &rules, &Want::default(), ASKING);
        assert_eq!(!verdict.near.is_empty(), near, "{requests}");
        assert_eq!(verdict.obstacle.is_some(), refused, "{requests}");
        assert_eq!(verdict.requests.unwrap().left(false).0, 10 - requests);
    }
}

#[test]
fn of_several_obstacles_the_longest_is_told() {
    let rules = Rules {
        rpm: limit(1, Then::Block),
        budgets: vec![budget(10, Then::Block)],
        ..Rules::default()
    };
    let verdict = judge(Scope::Key, &mut used(1, 10), &rules, &costs(1), ASKING);
    let obstacle = verdict.obstacle.unwrap();
    assert_eq!(obstacle.rule.to_string(), "key.budget.hour");
    assert_eq!(obstacle.wait, Wait::Milliseconds(2_600_000));
    let too_large = judge(Scope::Key, &mut used(1, 0), &rules, &costs(11), ASKING);
    assert_eq!(too_large.obstacle.unwrap().wait, Wait::Never);
}

#[test]
fn what_is_only_set_aside_comes_back_at_no_known_time() {
    let rules = Rules {
        budgets: vec![budget(10, Then::Block)],
        ..Rules::default()
    };
    let mut cell = used(0, 3);
    cell.hold(super::super::store::Owner(1), |held| held.nanodollars = 6);
    let verdict = judge(Scope::Key, &mut cell, &rules, &costs(5), ASKING);
    assert_eq!(verdict.obstacle.unwrap().wait, Wait::Unknown);
}

#[test]
fn a_soft_budget_warns_and_a_hard_one_beside_it_blocks() {
    let rules = Rules {
        budgets: vec![budget(10, Then::Warn), budget(20, Then::Block)],
        ..Rules::default()
    };
    let verdict = judge(Scope::Team, &mut used(0, 12), &rules, &costs(5), ASKING);
    assert!(verdict.obstacle.is_none());
    assert_eq!(names(&verdict.near), ["team.budget.hour"]);
    let verdict = judge(Scope::Team, &mut used(0, 16), &rules, &costs(5), ASKING);
    assert_eq!(verdict.obstacle.unwrap().most, 20);
}

#[test]
fn what_has_no_price_is_refused_once_the_budget_is_spent() {
    let rules = Rules {
        budgets: vec![budget(10, Then::Block)],
        ..Rules::default()
    };
    let unpriced = Want {
        unpriced: true,
        ..Want::default()
    };
    assert!(
        judge(Scope::Key, &mut used(0, 9), &rules, &unpriced, ASKING)
            .obstacle
            .is_none()
    );
    let obstacle = judge(Scope::Key, &mut used(0, 10), &rules, &unpriced, ASKING).obstacle;
    assert_eq!(obstacle.unwrap().wait, Wait::Milliseconds(2_600_000));
    assert!(
        judge(Scope::Key, &mut used(0, 10), &rules, &Want::default(), ASKING)
            .obstacle
            .is_none(),
        "what is free may go on"
    );
}

#[test]
fn a_downgrade_ends_well_below_where_it_began() {
    let rules = Rules {
        rpm: limit(100, Then::Downgrade),
        ..Rules::default()
    };
    let mut eased = 0;
    for (requests, downgrades) in [
        (79, false),
        (80, true),
        (79, true),
        (72, true),
        (71, false),
        (79, false),
        (80, true),
    ] {
        let mut cell = used(requests, 0);
        cell.set_eased(eased);
        let verdict = judge(Scope::KeyModel, &mut cell, &rules, &Want::default(), ASKING);
        assert_eq!(!verdict.downgrade.is_empty(), downgrades, "{requests}");
        eased = verdict.eased;
    }
}

#[test]
fn a_clamp_tells_what_is_left_once() {
    let rules = Rules {
        budgets: vec![budget(100, Then::Clamp)],
        ..Rules::default()
    };
    let verdict = judge(Scope::Key, &mut used(0, 70), &rules, &costs(50), ASKING);
    assert_eq!(verdict.clamp[0].rest, 30);
    let clamped = Asking {
        clamped: true,
        ..ASKING
    };
    assert!(
        judge(Scope::Key, &mut used(0, 70), &rules, &costs(30), clamped)
            .obstacle
            .is_none()
    );
    let still = judge(Scope::Key, &mut used(0, 70), &rules, &costs(31), clamped);
    assert!(still.clamp.is_empty() && still.obstacle.is_some());
}

#[test]
fn in_shadow_nothing_is_refused_and_everything_noted() {
    let rules = Rules {
        rpm: limit(1, Then::Block),
        parallel: limit(1, Then::Downgrade),
        budgets: vec![budget(10, Then::Clamp)],
        ..Rules::default()
    };
    let mut cell = used(1, 10);
    cell.hold(super::super::store::Owner(1), |held| held.running = 1);
    let asking = Asking { shadow: true, ..ASKING };
    let verdict = judge(Scope::Key, &mut cell, &rules, &costs(1), asking);
    assert!(verdict.obstacle.is_none() && verdict.clamp.is_empty() && verdict.downgrade.is_empty());
    assert_eq!(
        names(&verdict.would_deny),
        ["key.rpm", "key.parallel", "key.budget.hour"]
    );
}

#[test]
fn a_raise_ends_when_it_is_over() {
    let mut raised = budget(10, Then::Block);
    raised.raise = Some(Raise {
        to: 100,
        until: UnixSeconds(2_000),
    });
    assert_eq!(raised.most_at(UnixSeconds(1_999)), 100);
    assert_eq!(raised.most_at(UnixSeconds(2_000)), 10);
}
