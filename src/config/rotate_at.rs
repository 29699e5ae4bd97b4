//! `rotate_at` of `[[feed]]`: the time of day at which its connections are replaced.

use super::{
    Feed,
    error::{Wrong, shown},
    value::text,
};
use crate::{
    market::UnixMicros,
    venue::{self, Setup},
};
use std::{fmt, str::FromStr, time::Duration};
use toml::de::DeTable;

const DAY_MINUTES: u32 = 24 * 60;
const MINUTE_MICROS: i64 = 60_000_000;
/// A connection that is younger is not replaced: its turn is the next day's.
const YOUNG: Duration = Duration::from_secs(600);

/// A minute of each day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyMinute(u32);

impl DailyMinute {
    /// How long it is from `now` until the minute begins, on the next day where it would be soon.
    pub fn wait(self, now: UnixMicros) -> Duration {
        let day = i64::from(DAY_MINUTES) * MINUTE_MICROS;
        let micros = (i64::from(self.0) * MINUTE_MICROS - now.0).rem_euclid(day);
        let wait = Duration::from_micros(micros.unsigned_abs());
        if wait < YOUNG { wait + Duration::from_micros(day.unsigned_abs()) } else { wait }
    }
}

impl fmt::Display for DailyMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02} UTC", self.0 / 60, self.0 % 60)
    }
}

/// Two digits each.
impl FromStr for DailyMinute {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (hour, minute) = text.strip_suffix(" UTC").and_then(|time| time.split_once(':')).ok_or(())?;
        let number = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { digits.parse::<u32>().map_err(|_| ()) } else { Err(()) }
        };
        match (number(hour)?, number(minute)?) {
            (hour @ 0..24, minute @ 0..60) => Ok(Self(hour * 60 + minute)),
            _ => Err(()),
        }
    }
}

/// Reads the time, if the file sets one.
pub(super) fn read(fields: &DeTable<'_>) -> Result<Option<DailyMinute>, Wrong> {
    let Some(value) = fields.get("rotate_at") else { return Ok(None) };
    let time = text("rotate_at", value, "05:00 UTC")?;
    time.parse().map(Some).map_err(|()| {
        Wrong::new(format!("`{}` is not a time of day", shown(time)))
            .help("write a time from 00:00 to 23:59, such as \"05:00 UTC\"")
            .at(value.span())
    })
}

/// Checks that the feed's venue ends connections: others are never replaced as planned.
pub(super) fn check(feed: &Feed, fields: &DeTable<'_>) -> Result<(), Wrong> {
    let (Some(value), Some(range)) = (fields.get("rotate_at"), feed.connections().next()) else { return Ok(()) };
    let setup = Setup {
        url: feed.url.as_deref(),
        symbols: &feed.symbols[range],
        credentials: feed.credentials.as_ref(),
        playback: feed.playback.as_ref(),
    };
    // Other mistakes of the settings are told elsewhere.
    if venue::new(feed.venue, &setup).map_or(true, |venue| venue.rules().lifetime.is_some()) {
        return Ok(());
    }
    let venue = feed.venue.name;
    Err(Wrong::new(format!("{venue} does not end connections after a time"))
        .help("remove `rotate_at`: connections are replaced only where the venue ends them")
        .at(value.span()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_two_numbers_in_utc() {
        for text in ["00:00 UTC", "05:00 UTC", "23:59 UTC"] {
            assert_eq!(text.parse::<DailyMinute>().unwrap().to_string(), text);
        }
        for text in
            ["", "5:00 UTC", "05:00", "05:00UTC", "24:00 UTC", "05:60 UTC", "+5:00 UTC", "05:00 utc", "05:00:00 UTC"]
        {
            assert_eq!(text.parse::<DailyMinute>(), Err(()), "{text}");
        }
    }

    #[test]
    fn the_wait_ends_at_the_minute_and_is_never_short() {
        let at = "05:00 UTC".parse::<DailyMinute>().unwrap();
        // 2024-08-08T00:00:00Z.
        let minute = |minute: i64| UnixMicros(1_723_075_200_000_000 + minute * MINUTE_MICROS);
        for (now, minutes) in [
            (minute(0), 300),
            (minute(290), 10),
            (minute(291), 9 + 24 * 60),
            (minute(300), 24 * 60),
            (minute(301), 24 * 60 - 1),
            (minute(-60), 360),
        ] {
            assert_eq!(at.wait(now), Duration::from_secs(60 * minutes), "{now:?}");
        }
    }
}
