//! How fast a session spends, and how fast it used to.
//!
//! In: what each answer cost, and the time. Out: a [`Finding`] when it is many times the session's own past. Minutes are
//! those of the clock. The current and the last one are what is judged; the past is the mean of the minutes before in
//! which anything was spent, the latest weighing most, so that a pause is no slow past.

use super::{Finding, Sign, bytes::Reader, growing_wait_ms, rule::Rules};

const MINUTE_MS: u64 = 60_000;

/// Nothing is judged by a shorter past, in minutes with spending.
const SHORTEST_PAST: u8 = 5;

/// Nothing is judged by fewer answers in the current and the last minute: one dear request is not a rate.
const FEWEST_BILLS: u8 = 3;

/// The weight of the latest minute of the past is one in so many, once there are as many. It follows a context that grows
/// by a fifth each minute closely enough to stay within a third of it.
const MEMORY: u8 = 8;

/// A minute counts for at most so many times the past, which a runaway therefore raises only slowly.
const MOST_TIMES: u64 = 4;

/// A session's spending, in nanodollars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Velocity {
    /// The current minute.
    minute: u32,
    spent: u64,
    bills: u8,
    /// What was spent in the minute before.
    spent_before: u64,
    bills_before: u8,
    /// The mean of a minute of the past, and of how many it is.
    past: u64,
    past_minutes: u8,
    /// How many waits it was told to keep, and when the last is over; 0 when it has been kept.
    waits: u8,
    wait_until: u64,
}

impl Velocity {
    /// The bytes that [`Velocity::encode`] adds.
    pub(super) const BYTES: usize = 4 + 8 + 1 + 8 + 1 + 8 + 1 + 1 + 8;

    /// Moves on to the minute of `now_ms`; one that is over already changes nothing.
    fn advance(&mut self, now_ms: u64) {
        let minute = u32::try_from(now_ms / MINUTE_MS).unwrap_or(u32::MAX);
        let steps = minute.saturating_sub(self.minute);
        if steps == 0 {
            return;
        }
        self.minute = minute;
        self.remember(self.spent_before);
        let spent = std::mem::take(&mut self.spent);
        let bills = std::mem::take(&mut self.bills);
        if steps == 1 {
            (self.spent_before, self.bills_before) = (spent, bills);
        } else {
            self.remember(spent);
            (self.spent_before, self.bills_before) = (0, 0);
        }
    }

    /// Adds a minute to the past.
    fn remember(&mut self, spent: u64) {
        if spent == 0 {
            return;
        }
        let counted = match self.past_minutes >= SHORTEST_PAST {
            true => spent.min(self.past.saturating_mul(MOST_TIMES)),
            false => spent,
        };
        self.past_minutes = self.past_minutes.saturating_add(1);
        let weight = u128::from(self.past_minutes.min(MEMORY));
        let sum = u128::from(self.past) * (weight - 1) + u128::from(counted);
        // A mean is no larger than the largest.
        self.past = u64::try_from(sum / weight).unwrap_or(u64::MAX).max(1);
    }

    /// An answer cost this much.
    pub(super) fn spend(&mut self, nanodollars: u64, now_ms: u64) {
        self.advance(now_ms);
        if nanodollars > 0 {
            self.spent = self.spent.saturating_add(nanodollars);
            self.bills = self.bills.saturating_add(1);
        }
    }

    /// How many times its own past the session spends now.
    fn times(&self, floor: u64, now_ms: u64) -> u64 {
        if self.past_minutes < SHORTEST_PAST || self.bills.saturating_add(self.bills_before) < FEWEST_BILLS {
            return 0;
        }
        let begun = u64::from(self.minute) * MINUTE_MS;
        let left = MINUTE_MS.saturating_sub(now_ms.saturating_sub(begun));
        // The last 60 seconds, if the minute before was spent evenly.
        let before = u128::from(self.spent_before) * u128::from(left) / u128::from(MINUTE_MS);
        let rate = u128::from(self.spent) + before;
        if rate < u128::from(floor) {
            return 0;
        }
        u64::try_from(rate / u128::from(self.past.max(1))).unwrap_or(u64::MAX)
    }

    /// Judges a request.
    pub(super) fn judge(&mut self, rules: &Rules, now_ms: u64) -> Finding {
        let sign = Sign::Velocity;
        self.advance(now_ms);
        let times = self.times(rules.velocity_floor, now_ms);
        let reaches = |step: Option<u32>| step.is_some_and(|step| times >= u64::from(step.max(2)));
        if reaches(rules.velocity.block) {
            return Finding::Block { sign, wait_ms: 0 };
        }
        if !reaches(rules.velocity.slow) {
            (self.waits, self.wait_until) = (0, 0);
        } else {
            if self.wait_until == 0 {
                self.wait_until = now_ms.saturating_add(growing_wait_ms(u32::from(self.waits)));
                self.waits = self.waits.saturating_add(1);
            }
            let wait_ms = self.wait_until.saturating_sub(now_ms);
            if wait_ms > 0 {
                return Finding::Slow { sign, wait_ms };
            }
            // The wait was kept: this one gets in, the next has to wait again.
            self.wait_until = 0;
        }
        match reaches(rules.velocity.warn) {
            true => Finding::Warn { sign },
            false => Finding::Pass,
        }
    }

    /// Whether a wait is going on.
    pub(super) fn waits(&self, now_ms: u64) -> bool {
        self.wait_until > now_ms
    }

    /// Forgets what was spent just now; the past stays.
    pub(super) fn forgive(&mut self) {
        (self.spent, self.spent_before) = (0, 0);
        (self.bills, self.bills_before) = (0, 0);
        (self.waits, self.wait_until) = (0, 0);
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.minute.to_le_bytes());
        out.extend(self.spent.to_le_bytes());
        out.push(self.bills);
        out.extend(self.spent_before.to_le_bytes());
        out.push(self.bills_before);
        out.extend(self.past.to_le_bytes());
        out.push(self.past_minutes);
        out.push(self.waits);
        out.extend(self.wait_until.to_le_bytes());
    }

    pub(super) fn decode(bytes: &mut Reader) -> Option<Self> {
        Some(Self {
            minute: bytes.u32()?,
            spent: bytes.u64()?,
            bills: bytes.u8()?,
            spent_before: bytes.u64()?,
            bills_before: bytes.u8()?,
            past: bytes.u64()?,
            past_minutes: bytes.u8()?,
            waits: bytes.u8()?,
            wait_until: bytes.u64()?,
        })
    }
}
