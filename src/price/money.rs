//! Money: whole nanodollars on the way out, whole picodollars inside a rate.
//!
//! In: numbers of picodollars. Out: [`Nanodollars`]. It knows no token and no price. Integers are the point: a counter fed
//! with floats drifts, and two sums in a different order disagree; these do not.

use std::fmt;

/// Picodollars in a nanodollar.
const PICO_PER_NANO: u128 = 1_000;
/// Nanodollars in a dollar.
const NANO_PER_DOLLAR: u64 = 1_000_000_000;

/// An amount of money in billionths of a dollar: what one reply cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanodollars(pub u64);

impl Nanodollars {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Rounds an exact sum half up to whole nanodollars. The only place where money is rounded. What is more than fits
    /// (18 billion dollars) is the most that does.
    pub fn from_picodollars(picodollars: u128) -> Self {
        let nano = picodollars.saturating_add(PICO_PER_NANO / 2) / PICO_PER_NANO;
        Self(u64::try_from(nano).unwrap_or(u64::MAX))
    }
}

/// In dollars with all nine decimals, as `$0.123456789`.
impl fmt::Display for Nanodollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:09}", self.0 / NANO_PER_DOLLAR, self.0 % NANO_PER_DOLLAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_shows_all_nine_decimals() {
        assert_eq!(Nanodollars(0).to_string(), "$0.000000000");
        assert_eq!(Nanodollars(123_456_789).to_string(), "$0.123456789");
        assert_eq!(Nanodollars(12_000_000_001).to_string(), "$12.000000001");
        assert_eq!(Nanodollars(u64::MAX).to_string(), "$18446744073.709551615");
    }

    #[test]
    fn half_a_nanodollar_is_rounded_up_and_less_is_not() {
        assert_eq!(Nanodollars::from_picodollars(499), Nanodollars(0));
        assert_eq!(Nanodollars::from_picodollars(500), Nanodollars(1));
        assert_eq!(Nanodollars::from_picodollars(1_499), Nanodollars(1));
        assert_eq!(Nanodollars::from_picodollars(1_500), Nanodollars(2));
    }

    #[test]
    fn more_than_fits_is_the_most_that_does() {
        assert_eq!(Nanodollars::from_picodollars(u128::MAX), Nanodollars(u64::MAX));
    }
}
