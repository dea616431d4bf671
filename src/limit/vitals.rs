//! Which VMs live: each gives a sign of life once a second, and the others watch.
//!
//! In: the census as it stands in the store, and a tick of one's own. Out: the census as it is to be. A VM is taken for dead
//! once its signs have stood still for [`PATIENCE`] of the watcher's own ticks: a watcher that was itself stopped for a
//! while has not ticked, and draws no conclusion.

use super::store::{Census, Living, Owner};

/// Ticks without a sign of life.
pub const PATIENCE: u32 = 20;

/// What one VM knows of the others.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    owner: Owner,
    beats: u64,
    still: u32,
}

impl Watch {
    /// A tick: gives a sign of life for `own` (a new one, if it was taken for dead) with the mark of its generation, and buries those that have stood still
    /// for too long. The owner under which this VM goes on, and who was buried.
    pub fn tick(&mut self, own: Owner, mark: u64, census: &mut Census) -> (Owner, Vec<Owner>) {
        let own = match census.beat(own, mark) {
            true => own,
            false => {
                let own = census.enter();
                census.beat(own, mark);
                own
            }
        };
        let mut dead = Vec::new();
        let mut seen = Vec::with_capacity(census.living().len());
        for &Living { owner, beats, .. } in census.living() {
            let before = self.seen.iter().find(|seen| seen.owner == owner);
            let still = match before {
                Some(before) if before.beats == beats && owner != own => before.still.saturating_add(1),
                _ => 0,
            };
            if still >= PATIENCE {
                dead.push(owner);
            } else {
                seen.push(Seen { owner, beats, still });
            }
        }
        for owner in &dead {
            census.bury(*owner);
        }
        self.seen = seen;
        (own, dead)
    }
}

/// Ticks without a sign of life after which a VM no longer leads, although it may live.
const LEADS: u32 = 3;

impl Watch {
    /// The one of a generation that does what only one has to do: the oldest that gives signs of life. Envoy's main thread
    /// is configured first, so it is usually there, and no worker is kept from its requests. For a moment two may hold
    /// themselves for it, and what they do must bear that.
    pub fn leader(&self, census: &Census, mark: u64) -> Option<Owner> {
        let leads = |living: &&Living| {
            let seen = self.seen.iter().find(|seen| seen.owner == living.owner);
            living.beats > 0 && living.mark == mark && seen.is_none_or(|seen| seen.still < LEADS)
        };
        census.living().iter().find(leads).map(|living| living.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_still_for_long_is_dead_and_whoever_beats_is_not() {
        let mut census = Census::default();
        let (one, two, three) = (census.enter(), census.enter(), census.enter());
        let mut watch = Watch::default();
        let mut buried = Vec::new();
        for _ in 0..=PATIENCE {
            census.beat(two, 7);
            let (own, dead) = watch.tick(one, 7, &mut census);
            assert_eq!(own, one);
            buried.extend(dead);
        }
        assert_eq!(buried, [three]);
        assert!(census.is_dead(three) && !census.is_dead(two) && !census.is_dead(one));
    }

    #[test]
    fn the_oldest_that_gives_signs_of_life_leads() {
        let mut census = Census::default();
        let (one, two) = (census.enter(), census.enter());
        let mut watch = Watch::default();
        census.beat(one, 7);
        watch.tick(two, 7, &mut census);
        assert_eq!(watch.leader(&census, 7), Some(one));
        for _ in 0..LEADS {
            watch.tick(two, 7, &mut census);
        }
        assert_eq!(
            watch.leader(&census, 7),
            Some(two),
            "long before the other is taken for dead"
        );
        census.beat(one, 7);
        watch.tick(two, 7, &mut census);
        assert_eq!(watch.leader(&census, 7), Some(one));
        assert_eq!(watch.leader(&census, 8), None, "another generation has its own");
    }

    #[test]
    fn whoever_was_taken_for_dead_comes_back_as_another() {
        let mut census = Census::default();
        let own = census.enter();
        census.bury(own);
        let (again, _) = Watch::default().tick(own, 7, &mut census);
        assert_ne!(own, again);
        assert!(census.is_dead(own) && !census.is_dead(again));
    }

    #[test]
    fn a_watcher_that_did_not_tick_draws_no_conclusion() {
        let mut census = Census::default();
        let (one, two) = (census.enter(), census.enter());
        let mut watch = Watch::default();
        for _ in 0..PATIENCE - 1 {
            assert!(watch.tick(one, 7, &mut census).1.is_empty());
        }
        census.beat(two, 7);
        assert!(
            watch.tick(one, 7, &mut census).1.is_empty(),
            "a sign in the last moment"
        );
        for _ in 0..PATIENCE - 1 {
            assert!(watch.tick(one, 7, &mut census).1.is_empty());
        }
    }
}
