//! How much in the last so many milliseconds.
//!
//! In: amounts and the times of a steady clock at which they were admitted. Out: their sum over a span that ends now, and
//! when there will be room again. What was admitted is gathered in slots of a sixtieth of the span, and a slot is
//! forgotten only once its *last* amount is older than the span. So the sum is never less than what was really admitted
//! in the span, and counts an amount for a sixtieth of the span too long at most; and however much is admitted, there are
//! no more than [`SLOTS`] slots. It knows no limit.
//!
//! Times may come out of order, as they do from several threads: one that is earlier than the latest known counts as that.

use super::bytes;

/// The most slots there can be: sixty whole ones, and one cut by each end of the span.
pub const SLOTS: usize = 62;

/// Slots in a span.
const PER_SPAN: u64 = 60;

/// Amounts by the time at which they were admitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The latest time that was ever told.
    latest: u64,
    /// Oldest first.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    /// When the last of it was admitted, in milliseconds.
    last: u64,
    amount: u64,
}

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

impl Window {
    /// Forgets what is older than the span, and says what time it is: now, or the latest time known.
    fn settle(&mut self, length: Length, now: u64) -> u64 {
        let now = self.latest.max(now);
        self.latest = now;
        let gone = self
            .slots
            .iter()
            .take_while(|slot| slot.last.saturating_add(length.0) <= now)
            .count();
        self.slots.drain(..gone);
        now
    }

    /// The sum over the span that ends `now`.
    pub fn sum(&mut self, length: Length, now: u64) -> u64 {
        self.settle(length, now);
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(slot.amount))
    }

    /// Admits an amount. The time it is counted at, by which it can be taken back.
    pub fn add(&mut self, length: Length, now: u64, amount: u64) -> u64 {
        let now = self.settle(length, now);
        match self.slots.last_mut() {
            _ if amount == 0 => {}
            Some(slot) if length.slot(slot.last) == length.slot(now) => {
                slot.last = now;
                slot.amount = slot.amount.saturating_add(amount);
            }
            _ => self.slots.push(Slot { last: now, amount }),
        }
        now
    }

    /// Takes back part of what was admitted at that time; no more than is still known of it.
    pub fn take_back(&mut self, length: Length, at: u64, amount: u64) {
        let slot = length.slot(at);
        if let Some(index) = self.slots.iter().position(|known| length.slot(known.last) == slot)
            && let Some(known) = self.slots.get_mut(index)
        {
            known.amount = known.amount.saturating_sub(amount);
            if known.amount == 0 {
                self.slots.remove(index);
            }
        }
    }

    /// How many milliseconds from `now` until the sum is `most` or less, should nothing be admitted meanwhile.
    pub fn until_at_most(&mut self, length: Length, now: u64, most: u64) -> u64 {
        let now = self.settle(length, now);
        let mut sum = self.sum(length, now);
        for slot in &self.slots {
            if sum <= most {
                break;
            }
            sum = sum.saturating_sub(slot.amount);
            if sum <= most {
                return slot.last.saturating_add(length.0).saturating_sub(now);
            }
        }
        0
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        bytes::put(out, self.slots.len() as u64);
        bytes::put(out, self.latest);
        // From the latest to the oldest, as distances, which are short.
        let mut after = self.latest;
        for slot in self.slots.iter().rev() {
            bytes::put(out, after.saturating_sub(slot.last));
            bytes::put(out, slot.amount);
            after = slot.last;
        }
    }

    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let count = bytes::take_count(bytes)?;
        if count > SLOTS {
            return None;
        }
        let latest = bytes::take(bytes)?;
        // Room for one more, which is what usually happens next.
        let mut slots = Vec::with_capacity(count + 1);
        let mut after = latest;
        for _ in 0..count {
            after = after.checked_sub(bytes::take(bytes)?)?;
            let amount = bytes::take(bytes)?;
            slots.push(Slot { last: after, amount });
        }
        slots.reverse();
        Some(Self { latest, slots })
    }
}

#[cfg(test)]
mod tests;
