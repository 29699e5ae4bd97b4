//! Days of the calendar, without a time zone.

use super::UnixMicros;
use std::{fmt, str::FromStr};

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i32,
}

/// Why a string is not a [`Date`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a date has the form YYYY-MM-DD, such as 2025-01-09")]
pub struct DateError;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The years that a date can have: four digits, not before 1970.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// The calendar repeats itself after 400 years, which have so many days.
const DAYS_PER_ERA: i32 = 146_097;
/// From 0000-03-01, where the eras begin, to 1970-01-01.
const DAYS_TO_1970: i32 = 719_468;

impl Date {
    /// The day, if the calendar has it: months and days count from 1, years from 1970 to 9999.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        if !YEARS.contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = Self::unchecked(year, month, day);
        // The 31st of a shorter month would be a day of the next one.
        (date.parts() == (year, month, day)).then_some(date)
    }

    /// The day with this number, counted from 1970-01-01.
    pub fn from_days(days: i32) -> Self {
        Self { days }
    }

    /// The day of a time, in UTC.
    pub fn of(moment: UnixMicros) -> Self {
        let days = moment.0.div_euclid(MICROS_PER_DAY);
        Self { days: i32::try_from(days).expect("an i64 of µs spans under 300,000 years") }
    }

    /// Its first microsecond, in UTC.
    pub fn midnight(self) -> UnixMicros {
        UnixMicros(i64::from(self.days).saturating_mul(MICROS_PER_DAY))
    }

    /// The day so many days later.
    pub fn plus(self, days: i32) -> Self {
        Self { days: self.days.saturating_add(days) }
    }

    /// Its day of the week.
    pub fn weekday(self) -> Weekday {
        use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
        // 1970-01-01 was a Thursday.
        [Thursday, Friday, Saturday, Sunday, Monday, Tuesday, Wednesday][self.days.rem_euclid(7) as usize]
    }

    /// Its year.
    pub fn year(self) -> i32 {
        self.parts().0
    }

    /// Years are counted from March, so that the day that a leap year adds is the last one (Howard Hinnant,
    /// "chrono-Compatible Low-Level Date Algorithms").
    pub(super) fn unchecked(year: i32, month: u32, day: u32) -> Self {
        let month = month as i32;
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self { days: era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970 }
    }

    /// Year, month and day: the inverse of [`Date::unchecked`].
    fn parts(self) -> (i32, u32, u32) {
        let days = i64::from(self.days) + i64::from(DAYS_TO_1970);
        let era = days.div_euclid(i64::from(DAYS_PER_ERA)) as i32;
        let day_of_era = days.rem_euclid(i64::from(DAYS_PER_ERA)) as i32;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month as u32, day as u32)
    }
}

pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let bytes = text.as_bytes();
        let is_separated = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        if !is_separated {
            return Err(DateError);
        }
        let year = digits(&bytes[..4])?;
        let month = digits(&bytes[5..7])?;
        let day = digits(&bytes[8..])?;
        Self::new(year as i32, month, day).ok_or(DateError)
    }
}

/// Up to four digits as a number.
fn digits(bytes: &[u8]) -> Result<u32, DateError> {
    if !bytes.iter().all(u8::is_ascii_digit) {
        return Err(DateError);
    }
    Ok(bytes.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_have_their_number_and_their_day_of_the_week() {
        for (text, days, weekday) in [
            ("1970-01-01", 0, Weekday::Thursday),
            ("2000-02-29", 11_016, Weekday::Tuesday),
            ("2024-12-31", 20_088, Weekday::Tuesday),
            ("2025-01-09", 20_097, Weekday::Thursday),
            ("9999-12-31", 2_932_896, Weekday::Friday),
        ] {
            let date: Date = text.parse().unwrap();
            assert_eq!((date, date.weekday()), (Date::from_days(days), weekday), "{text}");
        }
    }

    #[test]
    fn a_string_that_is_not_a_date_is_an_error() {
        for text in [
            "",
            "2025-1-9",
            "2025-02-29",
            "1900-01-01",
            "2025-13-01",
            "2025-00-10",
            "2025-04-31",
            "2025-01-00",
            "20250109",
            "2025/01/09",
            "2025-01-09T",
            "+025-01-09",
            "2025-01-+9",
            "１２-01-09",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_day_is_the_day_that_it_prints(days in 0_i32..=2_932_896, micros in 0_i64..MICROS_PER_DAY) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            prop_assert_eq!(Date::of(UnixMicros(date.midnight().0 + micros)), date);
            prop_assert!(date < date.plus(1) && date.to_string() < date.plus(1).to_string());
        }

        #[test]
        fn every_moment_has_its_day(micros in any::<i64>()) {
            let midnight = Date::of(UnixMicros(micros)).midnight().0;
            prop_assert!(midnight.saturating_sub(micros) <= 0 && micros.saturating_sub(midnight) < MICROS_PER_DAY);
        }
    }
}
