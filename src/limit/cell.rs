//! All that is known of one subject's use, as one value of the store.
//!
//! In: bytes, or nothing. Out: a [`Cell`] to judge and to change, and its bytes. Its size is bounded: a [`Held`] for each
//! VM that has something set aside, two windows, and a [`Ledger`] for each unit and period that budgets have had of late.

use super::bytes;
use super::ledger::Ledger;
use super::rule::{Period, Unit};
use super::store::{Census, Owner};
use super::window::Window;

/// The form of the bytes. A value of another form is taken for none.
const FORM: u64 = 1;

/// The most ledgers a cell keeps: those in use, and some that configurations before had.
pub const MOST_LEDGERS: usize = 24;

/// The state of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What each VM has set aside.
    pub held: Vec<Held>,
    /// Requests admitted in the last minute.
    pub requests: Window,
    /// Tokens admitted in the last minute.
    pub tokens: Window,
    /// Which rules send requests to cheaper models at present, a bit each.
    pub eased: u64,
    /// What was spent, by unit and period; the one begun last is last.
    ledgers: Vec<Ledger>,
}

/// What one VM has set aside for requests under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub owner: Owner,
    /// Requests that are there: recognised and not over, whether admitted or not.
    pub present: u64,
    /// Requests that were admitted and hold one of the subject's parallel places.
    pub running: u64,
    /// Set aside, in nanodollars.
    pub nanodollars: u64,
    /// Set aside, in tokens.
    pub tokens: u64,
}

impl Cell {
    /// Reads a cell; nonsense, and a form of other versions, is an empty one. What the dead had set aside is left out,
    /// but for the requests that they counted as present: those are somebody's to count out ([`Cell::bury`]).
    pub fn decode(bytes: &[u8], census: &Census) -> Self {
        let mut cell = Self::read(bytes).unwrap_or_default();
        cell.held.retain_mut(|held| {
            if census.is_dead(held.owner) {
                *held = Held {
                    owner: held.owner,
                    present: held.present,
                    ..Held::default()
                };
            }
            !held.is_empty()
        });
        cell
    }

    /// Forgets the dead: how many requests they still counted as present.
    pub fn bury(&mut self, census: &Census) -> u64 {
        let (dead, living): (Vec<Held>, Vec<Held>) = self.held.iter().partition(|held| census.is_dead(held.owner));
        self.held = living;
        sum(&dead).present
    }

    /// All that is set aside.
    pub fn set_aside(&self) -> Held {
        sum(&self.held)
    }

    /// Requests that are there.
    pub fn present(&self) -> u64 {
        self.set_aside().present
    }

    /// Changes what a VM has set aside.
    pub fn hold<T>(&mut self, owner: Owner, change: impl FnOnce(&mut Held) -> T) -> T {
        if let Some(index) = self.held.iter().position(|held| held.owner == owner)
            && let Some(held) = self.held.get_mut(index)
        {
            let result = change(held);
            if held.is_empty() {
                self.held.remove(index);
            }
            return result;
        }
        let mut held = Held {
            owner,
            ..Held::default()
        };
        let result = change(&mut held);
        if !held.is_empty() {
            self.held.push(held);
        }
        result
    }

    /// The ledger of a unit and period, if it was ever begun.
    pub fn ledger(&mut self, unit: Unit, period: Period) -> Option<&mut Ledger> {
        self.ledgers.iter_mut().find(|ledger| ledger.is_of(unit, period))
    }

    /// Begins a ledger, if there is none of that unit and period. Says of which period the unit's ledgers were before, if
    /// that was another: what was spent then does not count for this one.
    pub fn begin_ledger(&mut self, unit: Unit, period: Period) -> Option<Period> {
        if self.ledger(unit, period).is_some() {
            return None;
        }
        let before = self.ledgers.iter().rev().find(|ledger| ledger.unit() == unit);
        let before = before.map(Ledger::period);
        if self.ledgers.len() >= MOST_LEDGERS {
            self.ledgers.remove(0);
        }
        self.ledgers.push(Ledger::new(unit, period));
        before
    }

    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        bytes::put(&mut out, FORM);
        bytes::put(&mut out, self.eased);
        bytes::put(&mut out, self.held.len() as u64);
        for held in &self.held {
            bytes::put(&mut out, u64::from(held.owner.0));
            for number in [held.present, held.running, held.nanodollars, held.tokens] {
                bytes::put(&mut out, number);
            }
        }
        self.requests.encode(&mut out);
        self.tokens.encode(&mut out);
        bytes::put(&mut out, self.ledgers.len() as u64);
        for ledger in &self.ledgers {
            ledger.encode(&mut out);
        }
        out
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        if bytes::take(bytes)? != FORM {
            return None;
        }
        let eased = bytes::take(bytes)?;
        let count = bytes::take_count(bytes)?;
        let mut held = Vec::with_capacity(count);
        for _ in 0..count {
            held.push(Held {
                owner: Owner(u32::try_from(bytes::take(bytes)?).ok()?),
                present: bytes::take(bytes)?,
                running: bytes::take(bytes)?,
                nanodollars: bytes::take(bytes)?,
                tokens: bytes::take(bytes)?,
            });
        }
        let requests = Window::decode(bytes)?;
        let tokens = Window::decode(bytes)?;
        let count = bytes::take_count(bytes).filter(|count| *count <= MOST_LEDGERS)?;
        let mut ledgers = Vec::with_capacity(count);
        for _ in 0..count {
            ledgers.push(Ledger::decode(bytes)?);
        }
        Some(Self {
            held,
            requests,
            tokens,
            eased,
            ledgers,
        })
    }
}

impl Held {
    /// What is set aside of a unit.
    pub fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Nanodollars => self.nanodollars,
            Unit::Tokens => self.tokens,
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            owner: _,
            present,
            running,
            nanodollars,
            tokens,
        } = *self;
        present == 0 && running == 0 && nanodollars == 0 && tokens == 0
    }
}

fn sum(all: &[Held]) -> Held {
    all.iter().fold(Held::default(), |sum, held| Held {
        owner: Owner::default(),
        present: sum.present.saturating_add(held.present),
        running: sum.running.saturating_add(held.running),
        nanodollars: sum.nanodollars.saturating_add(held.nanodollars),
        tokens: sum.tokens.saturating_add(held.tokens),
    })
}

#[cfg(test)]
mod tests;
