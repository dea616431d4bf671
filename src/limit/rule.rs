//! The rules of one subject, compiled from the document: numbers that cannot be wrong.
//!
//! In: nothing. Out: [`Rules`]. Who the subject is, and what it has used, is known elsewhere.

use crate::caller::UnixSeconds;

/// What one subject (a key, a team, a model …) may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Requests in any 60 seconds.
    pub rpm: Option<Limit>,
    /// Tokens, input and output, in any 60 seconds.
    pub tpm: Option<Limit>,
    /// Requests under way at once.
    pub parallel: Option<Limit>,
    /// Budgets, in the document's order. Two with the same unit and period share what was spent.
    pub budgets: Vec<Budget>,
}

/// A rate limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The most, at least 1.
    pub most: u64,
    /// Another most for a time.
    pub raise: Option<Raise>,
    /// From which share of it on it counts as nearly used up.
    pub warn_at: Share,
    /// What follows. Never [`Then::Clamp`].
    pub then: Then,
    /// Whether it is only computed and counted, and refuses nothing.
    pub shadow: bool,
}

/// A budget: an amount for a period.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// What is counted.
    pub unit: Unit,
    /// The amount, in nanodollars or tokens; at least 1.
    pub most: u64,
    /// Another amount for a time.
    pub raise: Option<Raise>,
    /// When it begins afresh.
    pub period: Period,
    /// From which share of it on it counts as nearly spent.
    pub warn_at: Share,
    /// What follows.
    pub then: Then,
    /// Whether it is only computed and counted, and refuses nothing.
    pub shadow: bool,
}

/// A limit or budget that is higher (or lower) until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Raise {
    /// The value that applies instead, in the unit of what it raises.
    pub to: u64,
    /// The first moment at which it no longer applies.
    pub until: UnixSeconds,
}

/// What a budget is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Billionths of a dollar.
    Nanodollars,
    /// Tokens, input and output.
    Tokens,
}

/// How long a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// A piece of the calendar, begun afresh at its end.
    Calendar {
        /// Which piece.
        span: Span,
        /// The clock's distance from UTC, in seconds east; less than a day.
        offset: i32,
    },
    /// Always the last so many seconds, at least 60.
    Rolling {
        /// How many.
        seconds: u64,
    },
}

/// A piece of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Span {
    /// From minute 0 to minute 59.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday (ISO 8601).
    Week,
    /// From the first to the last day.
    Month,
}

/// A share of a whole, in thousandths: from 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(pub u16);

/// What follows when a limit or budget is nearly (`warn_at`) or wholly used up. Whatever it is, the warning comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Then {
    /// Requests that do not fit are refused.
    Block,
    /// From `warn_at` on requests go to the model's cheaper one; what does not fit even so is refused.
    Downgrade,
    /// A request's longest answer is cut down to what the rest buys; where it buys nothing, the request is refused.
    Clamp,
    /// Nothing but the warning.
    Warn,
}

impl Limit {
    /// The most at a moment.
    pub fn most_at(&self, now: UnixSeconds) -> u64 {
        at(self.most, self.raise, now)
    }
}

impl Budget {
    /// The amount at a moment.
    pub fn most_at(&self, now: UnixSeconds) -> u64 {
        at(self.most, self.raise, now)
    }
}

fn at(most: u64, raise: Option<Raise>, now: UnixSeconds) -> u64 {
    match raise {
        Some(raise) if now < raise.until => raise.to,
        _ => most,
    }
}

impl Rules {
    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rpm.is_none() && self.tpm.is_none() && self.parallel.is_none() && self.budgets.is_empty()
    }
}

impl Share {
    /// The share that applies where the document says none: 80 %.
    pub const DEFAULT: Self = Self(800);

    /// This share of a whole, rounded up.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0);
        u64::try_from(part.div_ceil(1000)).unwrap_or(u64::MAX)
    }
}

impl Then {
    /// The word in the document and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Downgrade => "downgrade",
            Self::Clamp => "clamp",
            Self::Warn => "warn",
        }
    }
}
