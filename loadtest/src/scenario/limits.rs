//! The ranges of a load's numbers, in scenarios and in arguments. Beyond them a run would load nothing or never end.

use super::{
    cluster::ClusterSetup,
    units::Span,
    venue_setup::{LoadSetup, VenueSetup},
};
use crate::streams::{Group, Protocol, Reads};
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

/// Gateways of a cluster: more than a machine can start.
const NODES: RangeInclusive<f64> = 2.0..=16.0;
/// Restarts of gateways: a day of them.
const RESTARTS: RangeInclusive<f64> = 0.0..=10_000.0;
/// Sizes of a cluster of brokers.
const BROKERS: [usize; 2] = [1, 3];

/// As many streams as a server allows on a connection at most.
const STREAMS_PER_CONNECTION: RangeInclusive<f64> = 1.0..=1_000.0;

/// A number that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {is}: it must be {must}")]
pub struct OutOfRange {
    what: &'static str,
    is: String,
    must: String,
}

/// Why groups of streams cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamsError {
    /// A number is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// It needs HTTP/2.
    #[error("group `{group}`: {key} needs protocol = \"h2\"")]
    NeedsH2 {
        /// The group.
        group: String,
        /// The key.
        key: &'static str,
    },
    /// Its windows are impossible.
    #[error(
        "group `{0}`: a stream's window must be from 1 to 2147483647 bytes, a connection's from 65535, with which it begins"
    )]
    Windows(String),
    /// It cannot ride on another group's connections.
    #[error(
        "group `{group}`: `{beside}` must be an earlier group of HTTP/2 that rides beside none itself, with as many connections \
         as this one fills"
    )]
    Beside {
        /// The group.
        group: String,
        /// The group that it names.
        beside: String,
    },
    /// It reads slowly from another group's connections.
    #[error(
        "group `{0}` rides beside another, so how fast it reads is the other's; it may be blocked, or read at once"
    )]
    BesideReads(String),
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
/// [`StreamsError`].
pub fn check_streams(groups: &[Group], symbols: usize, connect_rate: Option<f64>) -> Result<(), StreamsError> {
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
        check_protocol(group)?;
        check_beside(group, groups)?;
    }
    Ok(())
}

fn check_protocol(group: &Group) -> Result<(), StreamsError> {
    within("the number of streams per connection", group.streams_per_connection as f64, STREAMS_PER_CONNECTION)?;
    if !group.windows.are_possible() {
        return Err(StreamsError::Windows(group.name.clone()));
    }
    let needs_h2 = [
        ("streams_per_connection", group.streams_per_connection > 1),
        ("beside", group.beside.is_some()),
        ("reads = { blocked_after = … }", matches!(group.reads, Reads::BlockedAfter(_))),
    ];
    match needs_h2.into_iter().find(|(_, is_set)| *is_set && group.protocol != Protocol::Http2) {
        Some((key, _)) => Err(StreamsError::NeedsH2 { group: group.name.clone(), key }),
        None => Ok(()),
    }
}

fn check_beside(group: &Group, groups: &[Group]) -> Result<(), StreamsError> {
    let Some(beside) = &group.beside else { return Ok(()) };
    let connections = |group: &Group| group.count.div_ceil(group.streams_per_connection as u32);
    let earlier = groups.iter().take_while(|other| other.name != group.name).find(|other| other.name == *beside);
    let fits = |other: &&Group| {
        other.protocol == Protocol::Http2 && other.beside.is_none() && connections(other) >= connections(group)
    };
    if earlier.filter(fits).is_none() {
        return Err(StreamsError::Beside { group: group.name.clone(), beside: beside.clone() });
    }
    match group.reads {
        Reads::AtOnce | Reads::BlockedAfter(_) => Ok(()),
        Reads::BytesPerSecond(_) | Reads::Never => Err(StreamsError::BesideReads(group.name.clone())),
    }
}

/// Checks the size of a cluster.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_cluster(cluster: ClusterSetup) -> Result<(), OutOfRange> {
    within("the number of gateways", cluster.nodes as f64, NODES)?;
    within("the number of restarts", f64::from(cluster.restarts), RESTARTS)?;
    if BROKERS.contains(&cluster.brokers) {
        return Ok(());
    }
    let must = "1, or 3 of which any one may fail".to_owned();
    Err(OutOfRange { what: "the number of brokers", is: cluster.brokers.to_string(), must })
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
