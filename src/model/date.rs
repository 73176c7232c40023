//! True dates of maps, and the time between two of them.

use chrono::{Datelike, NaiveDate};

use super::epoch::Epoch;

/// A true date, as precise as somebody told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapDate {
    /// A year and no more.
    Year(Epoch),
    /// A month or a day: its middle, in half days since the beginning of the year 1.
    Middle(i64),
}

/// The time between two maps.
///
/// # Unit
/// Thousandths of half a day, of which a Gregorian year of 365.2425 days has 730 485, so that whole years and whole days are
/// both whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

/// Half a day.
const HALF_DAY: i64 = 1000;

/// A mean Gregorian year.
const YEAR: i64 = 730_485;

impl MapDate {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; `None` where the text is none of these, or no day of the calendar.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number =
            |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        let mut parts = text.split('-');
        let year = parts.next().filter(|part| is_number(part, 4))?.parse().ok()?;
        let mut next = || match parts.next() {
            None => Some(None),
            Some(part) => is_number(part, 2).then(|| part.parse::<u32>().ok()),
        };
        let (month, day) = (next()?, next()?);
        if year == 0 || parts.next().is_some() {
            return None;
        }
        let Some(month) = month else { return Some(Self::Year(year)) };
        let first = NaiveDate::from_ymd_opt(year, month, day.unwrap_or(1))?;
        let last = match day {
            Some(_) => first.succ_opt()?,
            None if month == 12 => NaiveDate::from_ymd_opt(year + 1, 1, 1)?,
            None => NaiveDate::from_ymd_opt(year, month + 1, 1)?,
        };
        Some(Self::Middle(middle(first, last)))
    }

    /// The middle of what it names, in half days since the beginning of the year 1.
    fn middle(self) -> i64 {
        match self {
            Self::Year(year) => {
                let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
                middle(first(year), first(year + 1))
            }
            Self::Middle(half_days) => half_days,
        }
    }
}

/// The middle between the beginnings of two days.
fn middle(first: NaiveDate, next: NaiveDate) -> i64 {
    i64::from(first.num_days_from_ce()) + i64::from(next.num_days_from_ce()) - 2
}

impl Span {
    /// The time from one map to another: between two dates that are years alone, the difference of the years; else the
    /// time between the middles of what the dates name.
    pub fn between(from: MapDate, to: MapDate) -> Self {
        match (from, to) {
            (MapDate::Year(from), MapDate::Year(to)) => Self((i64::from(to) - i64::from(from)) * YEAR),
            _ => Self((to.middle() - from.middle()) * HALF_DAY),
        }
    }

    /// Whether the second map is later than the first, so that a rate per year makes sense.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Its length in years.
    pub fn years(self) -> f64 {
        // Whole years are exact: both numbers are integers, and so is what comes out.
        self.0 as f64 / YEAR as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn years(from: &str, to: &str) -> f64 {
        Span::between(MapDate::parse(from).unwrap(), MapDate::parse(to).unwrap()).years()
    }

    #[test]
    fn years_alone_differ_by_whole_years_whatever_leap_days_lie_between() {
        assert_eq!(years("2010", "2015"), 5.0);
        assert_eq!(years("2011", "2016"), 5.0);
        assert_eq!(years("1999", "2000"), 1.0);
        assert_eq!(years("2015", "2010"), -5.0);
        assert_eq!(years("2010", "2010"), 0.0);
    }

    #[test]
    fn finer_dates_are_their_middles() {
        let near =
            |found: f64, days: f64| assert!((found - days / 365.2425).abs() < 1e-12, "{found}, {days} days");
        // 15 July to 15 July: 1826 days with the leap day of 2012.
        near(years("2010-07-15", "2015-07-15"), 1826.0);
        // The middle of July is 31 / 2 days after its beginning, the middle of a year of 365 days 182.5 days after its own;
        // July begins 181 days after the year.
        near(years("2010", "2010-07"), 181.0 + 15.5 - 182.5);
        // Noon of a day, against the middle of a month of 28 days that begins 31 days after the year.
        near(years("2011-02", "2011-02-15"), 31.0 + 14.5 - (31.0 + 14.0));
        // The middle of a leap year is 183 days after its beginning, noon of New Year's Day half a day.
        near(years("2012-01-01", "2012"), 183.0 - 0.5);
        near(years("2011-12", "2012-01"), 31.0);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "201",
            "20100",
            "2010-",
            "2010-7",
            "2010-13",
            "2010-00",
            "2011-02-29",
            "2010-07-15-1",
            "2010/07",
            "0000",
            "2010-2012",
            "-2010",
            "+201",
            "2010-07-",
            "2010-07-32",
        ] {
            assert_eq!(MapDate::parse(text), None, "{text}");
        }
        assert!(MapDate::parse("2012-02-29").is_some() && MapDate::parse("9999-12-31").is_some());
        assert!(MapDate::parse("9999-12").is_some() && MapDate::parse("9999").is_some());
    }

    #[test]
    fn spans_are_ordered_by_length_whatever_they_were_made_from() {
        let span = |from, to| Span::between(MapDate::parse(from).unwrap(), MapDate::parse(to).unwrap());
        // Five years hold 1826.2 days on average; from 2010 to 2015 there is one leap day.
        assert!(span("2010-01", "2015-01") < span("2010", "2015"));
        assert!(span("2010", "2014") < span("2010-07-01", "2015-01-01"));
    }
}
