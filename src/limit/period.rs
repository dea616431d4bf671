//! Hours, days, weeks and months of the calendar, at a distance from UTC.
//!
//! In: a moment. Out: when the piece of the calendar it lies in begins and ends. It keeps nothing.

use super::rule::Span;
use crate::caller::UnixSeconds;

const DAY: i64 = 86_400;

impl Span {
    /// The first second of the piece that `now` lies in, and the first second after it.
    pub fn around(self, now: UnixSeconds, offset: i32) -> (UnixSeconds, UnixSeconds) {
        let offset = i64::from(offset);
        let local = now.0.saturating_add(offset);
        let day = local.div_euclid(DAY);
        let (begins, ends) = match self {
            Self::Hour => {
                let hour = local.div_euclid(3_600);
                (hour * 3_600, (hour + 1) * 3_600)
            }
            Self::Day => (day * DAY, (day + 1) * DAY),
            Self::Week => {
                // 1970-01-01 was a Thursday, three days after a Monday.
                let monday = day - (day + 3).rem_euclid(7);
                (monday * DAY, (monday + 7) * DAY)
            }
            Self::Month => {
                let (begins, ends) = UnixSeconds::month_of_day(day);
                (begins * DAY, ends * DAY)
            }
        };
        (UnixSeconds(begins - offset), UnixSeconds(ends - offset))
    }

    /// The word in the document, in metrics and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn around(span: Span, now: &str, offset: i32) -> (String, String) {
        let (begins, ends) = span.around(UnixSeconds::parse(now).unwrap(), offset);
        (begins.to_string(), ends.to_string())
    }

    #[test]
    fn a_piece_of_the_calendar_is_the_one_people_mean() {
        for (span, now, offset, begins, ends) in [
            (
                Span::Hour,
                "2026-11-25T02:17:49Z",
                0,
                "2026-11-25T02:00:00Z",
                "2026-11-25T03:00:00Z",
            ),
            (
                Span::Hour,
                "2026-11-25T02:17:49Z",
                1_800,
                "2026-11-25T01:30:00Z",
                "2026-11-25T02:30:00Z",
            ),
            (
                Span::Day,
                "2026-11-25T00:00:00Z",
                0,
                "2026-11-25T00:00:00Z",
                "2026-11-26T00:00:00Z",
            ),
            (
                Span::Day,
                "2026-11-25T23:30:00Z",
                3_600,
                "2026-11-25T23:00:00Z",
                "2026-11-26T23:00:00Z",
            ),
            (
                Span::Week,
                "2026-11-25T02:17:49Z",
                0,
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                Span::Week,
                "2026-11-23T00:00:00Z",
                0,
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                Span::Week,
                "2026-11-22T23:59:59Z",
                0,
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
            (
                Span::Month,
                "2026-11-25T02:17:49Z",
                0,
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                Span::Month,
                "2026-12-31T23:59:59Z",
                0,
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                Span::Month,
                "2028-02-29T12:00:00Z",
                0,
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                Span::Month,
                "2026-12-31T23:30:00Z",
                3_600,
                "2026-12-31T23:00:00Z",
                "2027-01-31T23:00:00Z",
            ),
            (
                Span::Month,
                "2026-12-01T00:30:00Z",
                -3_600,
                "2026-11-01T01:00:00Z",
                "2026-12-01T01:00:00Z",
            ),
        ] {
            assert_eq!(
                around(span, now, offset),
                (begins.to_owned(), ends.to_owned()),
                "{span:?} {now} {offset}"
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_follow_one_another_without_a_gap(now in -5_000_000_000i64..20_000_000_000, offset in -86_399i32..86_400,
            span in prop_oneof![Just(Span::Hour), Just(Span::Day), Just(Span::Week), Just(Span::Month)]) {
            let (begins, ends) = span.around(UnixSeconds(now), offset);
            prop_assert!(begins.0 <= now && now < ends.0);
            prop_assert_eq!(span.around(begins, offset), (begins, ends));
            prop_assert_eq!(span.around(UnixSeconds(ends.0 - 1), offset), (begins, ends));
            prop_assert_eq!(span.around(ends, offset).0, ends);
        }
    }
}
