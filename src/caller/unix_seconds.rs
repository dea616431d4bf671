//! Points in time, to the second.
//!
//! In: RFC 3339 (section 5.6): `2027-01-01T00:00:00Z`, `2027-01-01 01:00:00.5+01:00`. Out: seconds since 1970-01-01 UTC.
//! Fractions are dropped, and a leap second (`:60`) is the second after it. Dates alone, and times without an offset, are
//! refused: they mean different moments to different readers.

use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub i64);

/// Why a text is not a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// It does not have the form `YYYY-MM-DDThh:mm:ss` and an offset.
    Form,
    /// It has the form except for the offset (`Z` or `+01:00`).
    Offset,
    /// A month, day, hour, minute or second that does not exist.
    Range,
}

impl UnixSeconds {
    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let mut rest = Digits(text.as_bytes());
        let (year, month, day) = (rest.number(4)?, rest.after(b"-", 2)?, rest.after(b"-", 2)?);
        let (hour, minute, second) = (rest.after(b"Tt ", 2)?, rest.after(b":", 2)?, rest.after(b":", 2)?);
        rest.fraction()?;
        let offset = match rest.0 {
            [b'Z' | b'z'] => 0,
            [] => return Err(TimeError::Offset),
            [sign @ (b'+' | b'-'), ..] => {
                let (hours, minutes) = (rest.after(b"+-", 2)?, rest.after(b":", 2)?);
                if !rest.0.is_empty() {
                    return Err(TimeError::Form);
                }
                if hours > 23 || minutes > 59 {
                    return Err(TimeError::Range);
                }
                let seconds = hours * 3600 + minutes * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return Err(TimeError::Form),
        };
        let exists = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        if !exists {
            return Err(TimeError::Range);
        }
        Ok(Self(
            days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset,
        ))
    }
}

impl UnixSeconds {
    /// The month that a day lies in: its first day, and the first day after it, all in days since 1970-01-01.
    pub(crate) fn month_of_day(day: i64) -> (i64, i64) {
        let (year, month, of_month) = civil(day);
        let begins = day - (of_month - 1);
        (begins, begins + days_in(year, month))
    }
}

impl fmt::Display for UnixSeconds {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

struct Digits<'t>(&'t [u8]);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Result<i64, TimeError> {
        let (number, rest) = self.0.split_at_checked(digits).ok_or(TimeError::Form)?;
        self.0 = rest;
        number.iter().try_fold(0, |n, b| match b.is_ascii_digit() {
            true => Ok(n * 10 + i64::from(b - b'0')),
            false => Err(TimeError::Form),
        })
    }

    fn after(&mut self, separators: &[u8], digits: usize) -> Result<i64, TimeError> {
        match self.0.split_first() {
            Some((first, rest)) if separators.contains(first) => self.0 = rest,
            _ => return Err(TimeError::Form),
        }
        self.number(digits)
    }

    fn fraction(&mut self) -> Result<(), TimeError> {
        let Some(rest) = self.0.strip_prefix(b".") else {
            return Ok(());
        };
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (_, after) = rest
            .split_at_checked(digits)
            .filter(|_| digits > 0)
            .ok_or(TimeError::Form)?;
        self.0 = after;
        Ok(())
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March so that the leap day
/// is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_TO_EPOCH
}

/// The inverse of [`days_from_epoch`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    (era * 400 + year, month, day)
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3339_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59z", -1),
            ("1985-04-12T23:20:50.52Z", 482_196_050),
            ("1996-12-19T16:39:57-08:00", 851_042_397),
            ("1990-12-31T23:59:60Z", 662_688_000),
            ("1990-12-31T15:59:60-08:00", 662_688_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_173),
            ("2000-02-29t00:00:00Z", 951_782_400),
            ("2027-01-01 00:00:00Z", 1_798_761_600),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
        ] {
            assert_eq!(UnixSeconds::parse(text), Ok(UnixSeconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_does_not_exist_or_is_ambiguous_is_refused() {
        for (text, error) in [
            ("", TimeError::Form),
            ("2027-01-01", TimeError::Form),
            ("2027-01-01T00:00:00", TimeError::Offset),
            ("2027-01-01T00:00:00.", TimeError::Form),
            ("2027-01-01T00:00:00+0100", TimeError::Form),
            ("2027-01-01T00:00:00+24:00", TimeError::Range),
            ("2027-01-01T00:00:00Z ", TimeError::Form),
            ("2027-1-1T00:00:00Z", TimeError::Form),
            ("2027-02-29T00:00:00Z", TimeError::Range),
            ("1900-02-29T00:00:00Z", TimeError::Range),
            ("2027-13-01T00:00:00Z", TimeError::Range),
            ("2027-01-01T24:00:00Z", TimeError::Range),
            ("2027-04-31T00:00:00Z", TimeError::Range),
            ("+027-01-01T00:00:00Z", TimeError::Form),
            ("２０２７-01-01T00:00:00Z", TimeError::Form),
        ] {
            assert_eq!(UnixSeconds::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_writing_and_reading() {
        let mut expected = -135_140 * 86_400; // 1600-01-01
        for day in 0..146_097 * 2 {
            let time = UnixSeconds(expected);
            assert_eq!(UnixSeconds::parse(&time.to_string()), Ok(time), "day {day}");
            expected += 86_400;
        }
    }
}
