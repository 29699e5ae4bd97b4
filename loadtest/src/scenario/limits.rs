//! How much can be asked for, by a scenario and by arguments alike: what lies beyond would load nothing, or never end.

use super::{LoadSetup, Span, VenueSetup};
use crate::streams::{Group, Reads};
use std::{ops::RangeInclusive, time::Duration};

/// Updates a second: full batches, one after another, are so many.
const RATE: RangeInclusive<f64> = 0.001..=10_000_000.0;
/// There are names for four times as many.
const SYMBOLS: RangeInclusive<f64> = 1.0..=100_000.0;
/// More than any machine has ports and files for.
const STREAMS: RangeInclusive<f64> = 1.0..=1_000_000.0;
/// Percent a minute; at the most each stream stays for 6 ms.
const CHURN: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// Connections a second.
const CONNECT_RATE: RangeInclusive<f64> = 0.1..=1_000_000.0;
/// How many times its own speed a recording is played, and its rate a burst is.
const TIMES: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// The shortest time that anything is measured in.
const TIME_MIN: Span = Span(Duration::from_millis(1));

/// What is asked for, and cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {is}: it must be {must}")]
pub struct OutOfRange {
    what: &'static str,
    is: String,
    must: String,
}

/// Checks what a venue is to do.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_venue(venue: &VenueSetup) -> Result<(), OutOfRange> {
    within("the number of symbols", venue.symbols as f64, SYMBOLS)?;
    match &venue.load {
        LoadSetup::Steady { rate } => within("rate", *rate, RATE),
        LoadSetup::Ramp { from, to, over } => {
            within("from", *from, 0.0..=*RATE.end())?;
            within("the rate of a ramp", *to, RATE)?;
            at_least("the time of a ramp", *over)
        }
        LoadSetup::Bursts { rate, factor, every, lasts } => {
            within("rate", *rate, RATE)?;
            within("factor", *factor, TIMES)?;
            within("the rate of a burst", rate * factor, RATE)?;
            at_least("the time between bursts", *every)?;
            at_least("the time of a burst", *lasts)
        }
        LoadSetup::Recording { speed, .. } => speed.map_or(Ok(()), |speed| within("speed", speed, TIMES)),
    }
}

/// Checks what streams are to do, of which each chooses from so many symbols.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_streams(groups: &[Group], among: usize, connect_rate: Option<f64>) -> Result<(), OutOfRange> {
    let all: f64 = groups.iter().map(|group| f64::from(group.count)).sum();
    within("the number of all streams", all, STREAMS)?;
    if let Some(rate) = connect_rate {
        within("the rate of connections", rate, CONNECT_RATE)?;
    }
    for group in groups {
        within("the number of streams", f64::from(group.count), STREAMS)?;
        within("the number of symbols of a stream", group.symbols as f64, 1.0..=among as f64)?;
        if group.churn != 0.0 {
            within("churn", group.churn, CHURN)?;
        }
        if let Reads::BytesPerSecond(bytes) = group.reads {
            within("the number of bytes a second", f64::from(bytes), 1.0..=f64::from(u32::MAX))?;
        }
    }
    Ok(())
}

/// Checks how long a load is to last.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_duration(duration: Span) -> Result<(), OutOfRange> {
    at_least("the duration", duration)
}

fn within(what: &'static str, is: f64, range: RangeInclusive<f64>) -> Result<(), OutOfRange> {
    let must = || format!("from {} to {}", range.start(), range.end());
    if range.contains(&is) { Ok(()) } else { Err(OutOfRange { what, is: is.to_string(), must: must() }) }
}

fn at_least(what: &'static str, is: Span) -> Result<(), OutOfRange> {
    let must = || format!("{TIME_MIN} or longer");
    if is >= TIME_MIN { Ok(()) } else { Err(OutOfRange { what, is: is.to_string(), must: must() }) }
}
