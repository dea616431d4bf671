//! How much in the last so many milliseconds.
//!
//! In: amounts and the times of a steady clock at which they were admitted. Out: their sum over a span that ends now, and
//! when there will be room again. What was admitted is gathered in slots of a sixtieth of the span, and a slot is
//! forgotten only once its *last* amount is older than the span. So the sum is never less than what was really admitted
//! in the span, and counts an amount for a sixtieth of the span too long at most; and however much is admitted, there are
//! no more than [`SLOTS`] slots. It knows no limit.
//!
//! Times may come out of order, as they do from several threads: one that is earlier than the latest known counts as that.
//!
//! A window is changed where it is kept, inside the bytes of a cell: a request looks at its oldest slot and at its latest, and
//! to make something of the others would cost more than the request's whole admission.

use super::bytes::{self, WORD, set_word, word};

/// The most slots there can be: sixty whole ones, and one cut by each end of the span.
pub const SLOTS: usize = 62;

/// Slots in a span.
const PER_SPAN: u64 = 60;

/// Bytes of a window without slots.
pub(super) const EMPTY: usize = 3 * WORD;
/// Bytes of a slot: when the last of it was admitted, in milliseconds, and how much.
const SLOT: usize = 2 * WORD;

/// Places in a window: the latest time that was ever told, the sum of all slots, their number, and the slots, oldest first.
const LATEST: usize = 0;
const SUM: usize = WORD;
const COUNT: usize = 2 * WORD;
const FIRST: usize = EMPTY;

/// The length of a window, in milliseconds; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(u64);

impl Length {
    /// Sixty seconds.
    pub const MINUTE: Self = Self(60_000);

    /// So many seconds, at least one.
    pub fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000).max(1_000))
    }

    /// The length.
    pub fn milliseconds(self) -> u64 {
        self.0
    }

    fn slot(self, at: u64) -> u64 {
        at / (self.0 / PER_SPAN).max(1)
    }
}

/// Amounts by the time at which they were admitted.
#[derive(Debug)]
pub struct Window<'a> {
    bytes: &'a mut Vec<u8>,
    /// Where it begins.
    at: usize,
}

impl<'a> Window<'a> {
    /// The window that begins there. Its bytes must have been found whole ([`size`]).
    pub(super) fn at(bytes: &'a mut Vec<u8>, at: usize) -> Self {
        Self { bytes, at }
    }

    fn get(&self, place: usize) -> u64 {
        word(self.bytes, self.at + place)
    }

    fn set(&mut self, place: usize, number: u64) {
        set_word(self.bytes, self.at + place, number);
    }

    fn count(&self) -> usize {
        self.get(COUNT) as usize
    }

    /// Forgets what is older than the span, and says what time it is: now, or the latest time known.
    fn settle(&mut self, length: Length, now: u64) -> u64 {
        let now = self.get(LATEST).max(now);
        self.set(LATEST, now);
        let (count, mut gone, mut sum) = (self.count(), 0, self.get(SUM));
        while gone < count && self.get(FIRST + gone * SLOT).saturating_add(length.0) <= now {
            sum = sum.saturating_sub(self.get(FIRST + gone * SLOT + WORD));
            gone += 1;
        }
        if gone > 0 {
            bytes::remove(self.bytes, self.at + FIRST, gone * SLOT);
            self.set(COUNT, (count - gone) as u64);
            self.set(SUM, sum);
        }
        now
    }

    /// The sum over the span that ends `now`.
    pub fn sum(&mut self, length: Length, now: u64) -> u64 {
        self.settle(length, now);
        self.get(SUM)
    }

    /// Admits an amount. The time it is counted at, by which it can be taken back.
    pub fn add(&mut self, length: Length, now: u64, amount: u64) -> u64 {
        let now = self.settle(length, now);
        if amount == 0 {
            return now;
        }
        let (count, sum) = (self.count(), self.get(SUM));
        // What does not fit the sum is not there, so that the sum is always that of the slots.
        let amount = amount.min(u64::MAX - sum);
        self.set(SUM, sum + amount);
        let latest = FIRST + count.saturating_sub(1) * SLOT;
        if count > 0 && length.slot(self.get(latest)) == length.slot(now) {
            self.set(latest, now);
            self.set(latest + WORD, self.get(latest + WORD).saturating_add(amount));
        } else {
            let mut slot = [0; SLOT];
            set_word(&mut slot, 0, now);
            set_word(&mut slot, WORD, amount);
            bytes::insert(self.bytes, self.at + FIRST + count * SLOT, &slot);
            self.set(COUNT, count as u64 + 1);
        }
        now
    }

    /// Takes back part of what was admitted at that time; no more than is still known of it.
    pub fn take_back(&mut self, length: Length, at: u64, amount: u64) {
        let (wanted, count) = (length.slot(at), self.count());
        // It is among the latest, usually.
        let found = (0..count)
            .rev()
            .find(|index| length.slot(self.get(FIRST + index * SLOT)) == wanted);
        if let Some(index) = found {
            let place = FIRST + index * SLOT;
            let there = self.get(place + WORD);
            let back = amount.min(there);
            self.set(SUM, self.get(SUM).saturating_sub(back));
            if back == there {
                bytes::remove(self.bytes, self.at + place, SLOT);
                self.set(COUNT, count as u64 - 1);
            } else {
                self.set(place + WORD, there - back);
            }
        }
    }

    /// How many milliseconds from `now` until the sum is `most` or less, should nothing be admitted meanwhile.
    pub fn until_at_most(&mut self, length: Length, now: u64, most: u64) -> u64 {
        let now = self.settle(length, now);
        let (count, mut sum) = (self.count(), self.get(SUM));
        if sum <= most {
            return 0;
        }
        let until = |last: u64| last.saturating_add(length.0).saturating_sub(now);
        if most == 0 {
            return until(self.get(FIRST + count.saturating_sub(1) * SLOT));
        }
        for index in 0..count {
            sum = sum.saturating_sub(self.get(FIRST + index * SLOT + WORD));
            if sum <= most {
                return until(self.get(FIRST + index * SLOT));
            }
        }
        0
    }
}

/// How many bytes the window has that begins there; `None` if it is not whole.
pub(super) fn size(bytes: &[u8], at: usize) -> Option<usize> {
    let count = usize::try_from(word(bytes, at.checked_add(COUNT)?)).ok()?;
    let size = EMPTY + count.checked_mul(SLOT).filter(|_| count <= SLOTS)?;
    (at.checked_add(size)? <= bytes.len()).then_some(size)
}

#[cfg(test)]
mod tests;
