//! All that is known of one subject's use, as one value of the store.
//!
//! In: bytes, or nothing. Out: a [`Cell`] to judge and to change, and its bytes. Its size is bounded: a [`Held`] for each
//! VM that has something set aside, two windows, and a ledger for each unit and period that budgets have had of late.
//!
//! A cell *is* its bytes, changed in place: most of what a request does to it is to add to a few numbers.

use super::bytes::{self, WORD, set_word, word};
use super::ledger::{self, Ledger};
use super::rule::{Budget, Period, Unit};
use super::store::{Census, Clock, Owner};
use super::window::{self, Window};

/// The form of the bytes. A value of another form is taken for none.
const FORM: u64 = 1;

/// The most ledgers a cell keeps: those in use, and some that configurations before had.
pub const MOST_LEDGERS: u64 = 24;

/// The most VMs that can have something set aside: more than any machine has cores.
const MOST_HELD: u64 = 4_096;

/// Places in a cell: its form, which rules send requests to cheaper models at present (a bit each), how many VMs have
/// something set aside, how many ledgers there are; then what is held, the two windows, the ledgers.
const EASED: usize = WORD;
const HELD: usize = 2 * WORD;
const LEDGERS: usize = 3 * WORD;
const FIRST_HELD: usize = 4 * WORD;

/// Bytes of what a VM has set aside: whose, requests present and running, nanodollars, tokens.
const HELD_SIZE: usize = 5 * WORD;

/// Bytes of a cell in which nothing is known.
const EMPTY: usize = FIRST_HELD + 2 * window::EMPTY;

/// The state of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    bytes: Vec<u8>,
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

impl Default for Cell {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(EMPTY + HELD_SIZE + 128);
        bytes.resize(EMPTY, 0);
        set_word(&mut bytes, 0, FORM);
        Self { bytes }
    }
}

impl Cell {
    /// Takes a cell; nonsense, and a form of other versions, is an empty one. What the dead had set aside is left out, but
    /// for the requests that they counted as present: those are somebody's to count out ([`Cell::bury`]).
    pub fn decode(bytes: Vec<u8>, census: &Census) -> Self {
        if !is_whole(&bytes) {
            return Self::default();
        }
        let mut cell = Self { bytes };
        let mut index = 0;
        while let Some(held) = cell.held(index) {
            if !census.is_dead(held.owner) {
                index += 1;
            } else if held.present > 0 {
                let present = Held {
                    owner: held.owner,
                    present: held.present,
                    ..Held::default()
                };
                cell.set_held(index, present);
                index += 1;
            } else {
                cell.remove_held(index);
            }
        }
        cell
    }

    /// The bytes of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of it, as they are.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Requests that are there.
    pub fn present(&self) -> u64 {
        self.set_aside().present
    }

    /// Forgets the dead: how many requests they still counted as present.
    pub fn bury(&mut self, census: &Census) -> u64 {
        let (mut index, mut present) = (0, 0u64);
        while let Some(held) = self.held(index) {
            if census.is_dead(held.owner) {
                present = present.saturating_add(held.present);
                self.remove_held(index);
            } else {
                index += 1;
            }
        }
        present
    }

    /// All that is set aside.
    pub fn set_aside(&self) -> Held {
        let all = (0..).map_while(|index| self.held(index));
        all.fold(Held::default(), |sum, held| Held {
            owner: Owner::default(),
            present: sum.present.saturating_add(held.present),
            running: sum.running.saturating_add(held.running),
            nanodollars: sum.nanodollars.saturating_add(held.nanodollars),
            tokens: sum.tokens.saturating_add(held.tokens),
        })
    }

    /// Changes what a VM has set aside. Its place is kept when nothing is left in it, because it soon will be needed again.
    pub fn hold<T>(&mut self, owner: Owner, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut all = (0..).map_while(|index| self.held(index));
        let known = all.position(|held| held.owner == owner);
        let mut held = known.and_then(|index| self.held(index)).unwrap_or(Held {
            owner,
            ..Held::default()
        });
        let result = change(&mut held);
        match known {
            Some(index) => self.set_held(index, held),
            None if held.is_empty() => {}
            None => self.push_held(held),
        }
        result
    }

    /// Which rules send requests to cheaper models at present, a bit each.
    pub fn eased(&self) -> u64 {
        word(&self.bytes, EASED)
    }

    /// Sets that.
    pub fn set_eased(&mut self, eased: u64) {
        set_word(&mut self.bytes, EASED, eased);
    }

    /// Requests admitted in the last minute.
    pub fn requests(&mut self) -> Window<'_> {
        let at = self.requests_at();
        Window::at(&mut self.bytes, at)
    }

    /// Tokens admitted in the last minute.
    pub fn tokens(&mut self) -> Window<'_> {
        let at = self.tokens_at();
        Window::at(&mut self.bytes, at)
    }

    /// The ledger of a unit and period, if it was ever begun.
    pub fn ledger(&mut self, unit: Unit, period: Period) -> Option<Ledger<'_>> {
        let at = self.find_ledger(unit, period)?;
        Some(Ledger::at(&mut self.bytes, at, period))
    }

    /// Begins a ledger, if there is none of that unit and period. Says of which period the unit's ledger was before, if
    /// that was another: what was spent then does not count for this one.
    ///
    /// Where there is no more room, the oldest makes it that none of `budgets` is for.
    pub fn begin_ledger(&mut self, unit: Unit, period: Period, budgets: &[Budget]) -> Option<Period> {
        if self.find_ledger(unit, period).is_some() {
            return None;
        }
        let of_unit = |at| ledger::of_kind(word(&self.bytes, at)).filter(|(known, _)| *known == unit);
        let before = self.ledgers().filter_map(of_unit).last().map(|(_, period)| period);
        let is_used = |at: &usize| {
            let kind = word(&self.bytes, *at);
            budgets
                .iter()
                .any(|budget| ledger::kind(budget.unit, budget.period) == kind)
        };
        let oldest = self.ledgers().find(|at| !is_used(at));
        if word(&self.bytes, LEDGERS) >= MOST_LEDGERS
            && let Some(oldest) = oldest
            && let Some(size) = ledger::size(&self.bytes, oldest)
        {
            bytes::remove(&mut self.bytes, oldest, size);
            self.count(LEDGERS, -1);
        }
        self.bytes.extend_from_slice(&ledger::empty(unit, period));
        self.count(LEDGERS, 1);
        before
    }

    /// Spends of a budget, one of `budgets`.
    pub fn spend(&mut self, budget: &Budget, budgets: &[Budget], clock: Clock, amount: u64) {
        let (unit, period) = (budget.unit, budget.period);
        let at = match self.find_ledger(unit, period) {
            Some(at) => Some(at),
            None => {
                self.begin_ledger(unit, period, budgets);
                self.find_ledger(unit, period)
            }
        };
        if let Some(at) = at {
            Ledger::at(&mut self.bytes, at, period).add(clock, amount);
        }
    }

    fn find_ledger(&self, unit: Unit, period: Period) -> Option<usize> {
        let wanted = ledger::kind(unit, period);
        self.ledgers().find(|at| word(&self.bytes, *at) == wanted)
    }

    /// Where each ledger begins.
    fn ledgers(&self) -> impl Iterator<Item = usize> + '_ {
        let mut at = self.after_window(self.tokens_at());
        (0..word(&self.bytes, LEDGERS)).map_while(move |_| {
            let here = at;
            at += ledger::size(&self.bytes, here)?;
            Some(here)
        })
    }

    fn requests_at(&self) -> usize {
        FIRST_HELD + word(&self.bytes, HELD) as usize * HELD_SIZE
    }

    fn tokens_at(&self) -> usize {
        self.after_window(self.requests_at())
    }

    fn after_window(&self, at: usize) -> usize {
        at + window::size(&self.bytes, at).unwrap_or(window::EMPTY)
    }

    fn held(&self, index: usize) -> Option<Held> {
        if index as u64 >= word(&self.bytes, HELD) {
            return None;
        }
        let at = FIRST_HELD + index * HELD_SIZE;
        let number = |place: usize| word(&self.bytes, at + place * WORD);
        Some(Held {
            owner: Owner(number(0) as u32),
            present: number(1),
            running: number(2),
            nanodollars: number(3),
            tokens: number(4),
        })
    }

    fn set_held(&mut self, index: usize, held: Held) {
        let at = FIRST_HELD + index * HELD_SIZE;
        let numbers = [
            u64::from(held.owner.0),
            held.present,
            held.running,
            held.nanodollars,
            held.tokens,
        ];
        for (place, number) in numbers.into_iter().enumerate() {
            set_word(&mut self.bytes, at + place * WORD, number);
        }
    }

    fn push_held(&mut self, held: Held) {
        let count = word(&self.bytes, HELD);
        if count >= MOST_HELD {
            return;
        }
        let end = self.requests_at();
        bytes::insert(&mut self.bytes, end, &[0; HELD_SIZE]);
        self.count(HELD, 1);
        self.set_held(count as usize, held);
    }

    fn remove_held(&mut self, index: usize) {
        bytes::remove(&mut self.bytes, FIRST_HELD + index * HELD_SIZE, HELD_SIZE);
        self.count(HELD, -1);
    }

    fn count(&mut self, place: usize, by: i64) {
        let count = word(&self.bytes, place).saturating_add_signed(by);
        set_word(&mut self.bytes, place, count);
    }
}

/// Whether these are the bytes of a cell, every part of it where it has to be.
fn is_whole(bytes: &[u8]) -> bool {
    let end = || {
        let held = word(bytes, HELD);
        let ledgers = word(bytes, LEDGERS);
        if bytes.len() < EMPTY || word(bytes, 0) != FORM || held > MOST_HELD || ledgers > MOST_LEDGERS {
            return None;
        }
        let mut at = FIRST_HELD + held as usize * HELD_SIZE;
        at += window::size(bytes, at)?;
        at += window::size(bytes, at)?;
        for _ in 0..ledgers {
            at += ledger::size(bytes, at)?;
        }
        Some(at)
    };
    end() == Some(bytes.len())
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

#[cfg(test)]
mod tests;
