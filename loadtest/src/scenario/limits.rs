//! The ranges of a load's numbers, in scenarios and in arguments. Beyond them a run would load nothing or never end.

use super::{
    units::Span,
    venue_setup::{LoadSetup, VenueSetup},
};
use crate::streams::{Group, Reads};
use std::{ops::RangeInclusive, time::Duration};

/// Updates per second, up to full batches without a pause.
const RATE: RangeInclusive<f64> = 0.001..=10_000_000.0;
/// A quarter of the names that there are.
const SYMBOLS: RangeInclusive<f64> = 1.0..=100_000.0;
/// More than a machine has ports and files for.
const STREAMS: RangeInclusive<f64> = 1.0..=1_000_000.0;
/// Percent per minute. At the maximum a stream stays for 6 ms.
const CHURN: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// Connects per second.
const CONNECT_RATE: RangeInclusive<f64> = 0.1..=1_000_000.0;
/// The multiple of a recording's speed, and of the rate during a burst.
const TIMES: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// The shortest time of a load.
const TIME_MIN: Span = Span(Duration::from_millis(1));

/// A number that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {is}: it must be {must}")]
pub struct OutOfRange {
    what: &'static str,
    is: String,
    must: String,
}

/// Checks a venue's settings.
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

/// Checks the groups of streams, which choose from this many symbols.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_streams(groups: &[Group], symbols: usize, connect_rate: Option<f64>) -> Result<(), OutOfRange> {
    let total: f64 = groups.iter().map(|group| f64::from(group.count)).sum();
    within("the number of all streams", total, STREAMS)?;
    if let Some(rate) = connect_rate {
        within("the rate of connections", rate, CONNECT_RATE)?;
    }
    for group in groups {
        within("the number of streams", f64::from(group.count), STREAMS)?;
        within("the number of symbols of a stream", group.symbols as f64, 1.0..=symbols as f64)?;
        if group.churn != 0.0 {
            within("churn", group.churn, CHURN)?;
        }
        if let Reads::BytesPerSecond(bytes) = group.reads {
            within("the number of bytes per second", f64::from(bytes), 1.0..=f64::from(u32::MAX))?;
        }
    }
    Ok(())
}

/// Checks the duration of a load.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_duration(duration: Span) -> Result<(), OutOfRange> {
    at_least("the duration", duration)
}

fn within(what: &'static str, is: f64, range: RangeInclusive<f64>) -> Result<(), OutOfRange> {
    if range.contains(&is) {
        return Ok(());
    }
    Err(OutOfRange { what, is: is.to_string(), must: format!("from {} to {}", range.start(), range.end()) })
}

fn at_least(what: &'static str, is: Span) -> Result<(), OutOfRange> {
    if is >= TIME_MIN {
        return Ok(());
    }
    Err(OutOfRange { what, is: is.to_string(), must: format!("{TIME_MIN} or longer") })
}
