//! The times of frames: they follow from a frame's number, so that a test can tell old from new.

/// 2024-08-08T13:54:15Z, in µs since 1970: within the regular session of US stocks, with hours to come.
const START: u64 = 1_723_125_255_000_000;

/// The time of the frame with this number, in µs since 1970: a millisecond after that of the one before.
#[must_use]
pub fn time_of(number: u64) -> u64 {
    START + number * 1_000
}

/// A time in µs since 1970 as RFC 3339 has it, in UTC: `2024-08-08T13:54:15.000001Z`.
#[must_use]
pub fn rfc3339(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let [hour, minute, second] = [seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", micros % 1_000_000)
}

/// The year, month and day of a day since 1970, counted from March in eras of 400 years, as leap days end a year there.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let day_of_era = days % ERA;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (days / ERA * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (micros, written) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (time_of(1), "2024-08-08T13:54:15.001000Z"),
            (1_709_251_199_000_007, "2024-02-29T23:59:59.000007Z"),
            (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(micros), written);
        }
    }
}
