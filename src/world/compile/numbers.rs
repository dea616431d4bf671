//! Amounts, shares and times as people write them, as the integers they mean.
//!
//! In: a written number or text. Out: an integer, exactly, or what is wrong with it. It knows no rule.

use super::{Findings, place::Place};
use crate::caller::{TimeError, UnixSeconds};
use crate::limit::rule::Share;

/// The largest amount of dollars: in nanodollars it leaves a 64-bit integer room to be added to.
pub(super) const MOST_DOLLARS: f64 = 1e9;

/// A number times ten to the power of `decimals`. `None` where it has more decimals, is negative, or too large.
///
/// The digits are those of the shortest decimal number that is read as this float, which are those that were written,
/// as long as they are no more than fifteen: 0.1 is a tenth, and not a little more.
pub(super) fn scaled(number: f64, decimals: usize) -> Option<u64> {
    let digits = number.to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let missing = decimals.checked_sub(fraction.len())?;
    let digits = whole.bytes().chain(fraction.bytes());
    digits
        .chain(std::iter::repeat_n(b'0', missing))
        .try_fold(0_u64, |value, digit| match digit {
            b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
            _ => None,
        })
}

/// Dollars in nanodollars; `least` is the smallest amount that makes sense, in dollars.
pub(super) fn nanodollars(place: Place<'_>, dollars: f64, least: f64, findings: &mut Findings) -> Option<u64> {
    if !(least..=MOST_DOLLARS).contains(&dollars) {
        let remedy = match least > 0.0 {
            true => format!("write more than 0 and at most {MOST_DOLLARS}, in dollars"),
            false => format!("write a number from 0 to {MOST_DOLLARS}, in dollars"),
        };
        findings.problem(place, format!("{dollars} is out of range"), remedy);
        return None;
    }
    let exact = scaled(dollars, 9);
    if exact.is_none() {
        findings.problem(
            place,
            format!("{dollars} has too many decimals"),
            "round it to 9 decimals",
        );
    }
    exact
}

/// A whole number within bounds.
pub(super) fn count(place: Place<'_>, value: u64, most: u64, findings: &mut Findings) -> Option<u64> {
    let fits = (1..=most).contains(&value);
    if !fits {
        let remedy = format!("write a whole number from 1 to {most}");
        findings.problem(place, format!("{value} is out of range"), remedy);
    }
    fits.then_some(value)
}

/// A share of a whole. It is written as a fraction of 1.
pub(super) fn share(place: Place<'_>, written: Option<f64>, findings: &mut Findings) -> Share {
    let Some(part) = written else {
        return Share::DEFAULT;
    };
    let thousandths = scaled(part, 3).and_then(|thousandths| u16::try_from(thousandths).ok());
    if let Some(thousandths) = thousandths.filter(|thousandths| (1..=1000).contains(thousandths)) {
        return Share(thousandths);
    }
    let (problem, remedy) = match part {
        0.001..=1.0 => ("has too many decimals", "round it to 3 decimals"),
        1.0..=100.0 => ("is out of range", "write a share from 0.001 to 1: 80 % is 0.8"),
        _ => ("is out of range", "write a share from 0.001 to 1"),
    };
    findings.problem(place, format!("{part} {problem}"), remedy);
    Share::DEFAULT
}

/// A length of time such as `24h`, in seconds, within bounds; `bounds` says them in words.
pub(super) fn seconds(
    place: Place<'_>,
    text: &str,
    (least, most, bounds): (u64, u64, &str),
    findings: &mut Findings,
) -> Option<u64> {
    let Some(seconds) = duration(text) else {
        findings.problem(
            place,
            format!("{text:?} is not a length of time"),
            "write a whole number and `s`, `m`, `h` or `d`, such as \"24h\"",
        );
        return None;
    };
    let fits = (least..=most).contains(&seconds);
    if !fits {
        findings.problem(place, format!("`{text}` is out of range"), format!("write {bounds}"));
    }
    fits.then_some(seconds)
}

fn duration(text: &str) -> Option<u64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // A number that no integer holds is out of any range.
    decimal.then(|| digits.parse().unwrap_or(u64::MAX).saturating_mul(unit))
}

/// An offset from UTC such as `+02:00`, in seconds east.
pub(super) fn offset(place: Place<'_>, text: &str, findings: &mut Findings) -> Option<i32> {
    let seconds = match *text.as_bytes() {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(u8::is_ascii_digit) => {
            let number = |tens: u8, ones: u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
            let (hours, minutes) = (number(h1, h2), number(m1, m2));
            let seconds = hours * 3600 + minutes * 60;
            let exists = minutes < 60 && hours < 24;
            exists.then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => {
            findings.problem(
                place,
                format!("{text:?} is not an offset from UTC"),
                "write hours and minutes with their sign, such as \"+02:00\"",
            );
            return None;
        }
    };
    // From the Line Islands to Baker Island.
    let inhabited = seconds.filter(|seconds| (-12 * 3600..=14 * 3600).contains(seconds));
    if inhabited.is_none() {
        let remedy = "write an offset from -12:00 to +14:00";
        findings.problem(place, format!("no clock is at `{text}`"), remedy);
    }
    inhabited
}

/// A moment.
pub(super) fn time(place: Place<'_>, text: &str, findings: &mut Findings) -> Option<UnixSeconds> {
    let (problem, remedy) = match UnixSeconds::parse(text) {
        Ok(time) => return Some(time),
        Err(TimeError::Form) => ("is not a time", "write RFC 3339, such as 2027-01-01T00:00:00Z"),
        Err(TimeError::Offset) => ("says no time zone", "add Z for UTC, or an offset such as +01:00"),
        Err(TimeError::Range) => ("does not exist", "correct the date or the time of day"),
    };
    findings.problem(place, format!("`{text}` {problem}"), remedy);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_scaled_exactly() {
        for (number, decimals, expected) in [
            (0.1, 9, Some(100_000_000)),
            (0.3, 9, Some(300_000_000)),
            (1.1, 9, Some(1_100_000_000)),
            (50.0, 9, Some(50_000_000_000)),
            (123_456.789_012_345, 9, Some(123_456_789_012_345)),
            (0.000_000_001, 9, Some(1)),
            (0.000_000_000_1, 9, None),
            (1e9, 9, Some(1_000_000_000_000_000_000)),
            (1e10, 9, Some(10_000_000_000_000_000_000)),
            (1e11, 9, None),
            (f64::MAX, 9, None),
            (f64::MIN_POSITIVE, 9, None),
            (f64::NAN, 9, None),
            (f64::INFINITY, 9, None),
            (-1.0, 9, None),
            (0.8, 3, Some(800)),
            (0.29, 3, Some(290)),
            (0.0005, 3, None),
            (7.0, 0, Some(7)),
            (7.5, 0, None),
        ] {
            assert_eq!(scaled(number, decimals), expected, "{number} {decimals}");
        }
    }

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("24h", Some(86_400)),
            ("400d", Some(34_560_000)),
            ("99999999999999999999d", Some(u64::MAX)),
            ("", None),
            ("h", None),
            ("24", None),
            ("24 h", None),
            ("-1h", None),
            ("+1h", None),
            ("1.5h", None),
            ("1w", None),
            ("1é", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn an_offset_is_one_that_some_clock_has() {
        for (text, expected) in [
            ("+00:00", Some(0)),
            ("+02:00", Some(7200)),
            ("-09:30", Some(-34_200)),
            ("+14:00", Some(50_400)),
            ("-12:00", Some(-43_200)),
            ("+14:01", None),
            ("-12:30", None),
            ("+02:60", None),
            ("+24:00", None),
            ("02:00", None),
            ("+2:00", None),
            ("+0200", None),
            ("Z", None),
            ("", None),
        ] {
            let mut findings = Findings::default();
            assert_eq!(offset(Place::At("here"), text, &mut findings), expected, "{text}");
            assert_eq!(findings.problems.len(), usize::from(expected.is_none()), "{text}");
        }
    }
}
