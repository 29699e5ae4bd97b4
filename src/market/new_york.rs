//! The calendar of the exchanges in New York: holidays, half days and the clock, all by rule, without a time zone
//! database.
//!
//! The rules are those of NYSE Rule 7.2 and of its published holiday calendars, for the years since 2007, when the
//! current daylight saving rule began. A closing that no rule covers, such as a day of mourning, is configured.

use super::{Date, UnixMicros, date::Weekday};

/// What kind of day it is for the exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// No trading: a weekend or a holiday.
    Closed,
    /// Trading ends early, at 13:00.
    Half,
    /// A whole day.
    Full,
}

/// Juneteenth has been a holiday of the exchanges since then.
const JUNETEENTH_SINCE: i32 = 2022;

pub(super) fn day(date: Date) -> Day {
    if is_weekend(date) || is_holiday(date) {
        Day::Closed
    } else if is_half(date) {
        Day::Half
    } else {
        Day::Full
    }
}

/// The time at which clocks in New York show so many minutes after midnight.
///
/// Clocks change on Sundays at two in the morning, so no time of a trading day is skipped or comes twice.
pub(super) fn moment(date: Date, minute: u32) -> UnixMicros {
    let year = date.year();
    let summer = nth(year, 3, Weekday::Sunday, 2)..nth(year, 11, Weekday::Sunday, 1);
    let minutes_behind = if summer.contains(&date) { 4 * 60 } else { 5 * 60 };
    UnixMicros(date.midnight().0 + (i64::from(minute) + minutes_behind) * 60_000_000)
}

/// The date in New York, for a time at which its exchanges may trade. It counts by winter time, so it is wrong for an
/// hour around midnight in summer.
pub(super) fn date(moment: UnixMicros) -> Date {
    Date::of(UnixMicros(moment.0.saturating_sub(5 * 60 * 60_000_000)))
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn is_holiday(date: Date) -> bool {
    let year = date.year();
    let fixed = |month: u32, day: u32| observed(Date::unchecked(year, month, day));
    // A New Year on a Saturday is not observed on the Friday before, the last day of the old accounting year.
    let new_year = Date::unchecked(year, 1, 1);
    let new_year = if new_year.weekday() == Weekday::Saturday { new_year } else { observed(new_year) };
    let holidays = [
        new_year,
        nth(year, 1, Weekday::Monday, 3),
        nth(year, 2, Weekday::Monday, 3),
        easter(year).plus(-2),
        memorial_day(year),
        fixed(7, 4),
        nth(year, 9, Weekday::Monday, 1),
        thanksgiving(year),
        fixed(12, 25),
    ];
    holidays.contains(&date) || (year >= JUNETEENTH_SINCE && date == fixed(6, 19))
}

/// The day before Independence Day, the day after Thanksgiving, and Christmas Eve, if they are trading days.
fn is_half(date: Date) -> bool {
    let year = date.year();
    [Date::unchecked(year, 7, 3), thanksgiving(year).plus(1), Date::unchecked(year, 12, 24)].contains(&date)
}

/// The day on which a holiday is observed: for a Saturday the Friday before, for a Sunday the Monday after.
fn observed(holiday: Date) -> Date {
    match holiday.weekday() {
        Weekday::Saturday => holiday.plus(-1),
        Weekday::Sunday => holiday.plus(1),
        _ => holiday,
    }
}

/// The first, second, ... of a weekday in a month.
fn nth(year: i32, month: u32, weekday: Weekday, nth: i32) -> Date {
    let mut date = Date::unchecked(year, month, 1);
    while date.weekday() != weekday {
        date = date.plus(1);
    }
    date.plus((nth - 1) * 7)
}

fn memorial_day(year: i32) -> Date {
    let fourth = nth(year, 5, Weekday::Monday, 4);
    let fifth = fourth.plus(7);
    if fifth < Date::unchecked(year, 6, 1) { fifth } else { fourth }
}

fn thanksgiving(year: i32) -> Date {
    nth(year, 11, Weekday::Thursday, 4)
}

/// Easter Sunday of the Gregorian calendar, by the "anonymous" computus (Nature, 1876; Meeus, Astronomical Algorithms,
/// ch. 8).
fn easter(year: i32) -> Date {
    let golden = year % 19;
    let century = year / 100;
    let of_century = year % 100;
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - correction + 15) % 30;
    let to_sunday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * to_sunday) / 451;
    let from_march = epact + to_sunday - 7 * late + 114;
    Date::unchecked(year, (from_march / 31) as u32, (from_march % 31 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NYSE's published holiday calendars, 2019 to 2028: closed days, then days that end at 13:00.
    const PUBLISHED: [(i32, &str, &str); 10] = [
        (2019, "01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25", "07-03 11-29 12-24"),
        (2020, "01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25", "11-27 12-24"),
        (2021, "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24", "11-26"),
        (2022, "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26", "11-25"),
        (2023, "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24"),
        (2024, "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25", "07-03 11-29 12-24"),
        (2025, "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25", "07-03 11-28 12-24"),
        (2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25", "11-27 12-24"),
        (2027, "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24", "11-26"),
        (2028, "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24"),
    ];

    #[test]
    fn the_rules_are_the_published_calendars_of_ten_years() {
        for (year, closed, half) in PUBLISHED {
            let days = (0..366).map(|day| Date::unchecked(year, 1, 1).plus(day)).filter(|day| day.year() == year);
            let of_kind = |kind: Day| {
                let days = days.clone().filter(|&date| !is_weekend(date) && day(date) == kind);
                days.map(|date| date.to_string()[5..].to_owned()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!((of_kind(Day::Closed).as_str(), of_kind(Day::Half).as_str()), (closed, half), "{year}");
        }
    }

    #[test]
    fn easter_is_on_its_sunday() {
        for (year, date) in [(1999, "1999-04-04"), (2000, "2000-04-23"), (2008, "2008-03-23"), (2038, "2038-04-25")] {
            assert_eq!(easter(year).to_string(), date);
        }
    }

    #[test]
    fn clocks_go_forward_in_march_and_back_in_november() {
        for (date, minute, utc) in [
            ("2024-03-08", 240, 1_709_888_400),
            ("2024-03-11", 240, 1_710_144_000),
            ("2024-11-01", 1_200, 1_730_505_600),
            ("2024-11-04", 1_200, 1_730_768_400),
            ("2026-03-09", 570, 1_773_063_000),
            ("2026-11-02", 570, 1_793_629_800),
        ] {
            assert_eq!(moment(date.parse().unwrap(), minute), UnixMicros(utc * 1_000_000), "{date}");
        }
    }
}
