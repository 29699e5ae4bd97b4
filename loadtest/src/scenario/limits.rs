//! The ranges of a load's numbers, in scenarios and in arguments. Beyond them a run would load nothing or never end.

use super::{
    cluster::ClusterSetup,
    definition::Scenario,
    stage::Stage,
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
/// Stages of a load, and of a group.
const STAGES: RangeInclusive<f64> = 1.0..=100.0;
/// Groups, each of which has histograms of its own: some MB.
const GROUPS: RangeInclusive<f64> = 1.0..=64.0;
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
    /// Its name is not its own, or cannot stand in a threshold.
    #[error("group `{0}`: the name of a group is its own, and neither empty nor with [ or ]: thresholds name it")]
    Name(String),
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
    /// A stage ends between two numbers of streams.
    #[error("group `{0}`: a stage ends at a whole number of streams")]
    PartOfAStream(String),
    /// It rides beside another group and has stages.
    #[error("group `{0}` rides beside another, so it has no stages of its own")]
    BesideStages(String),
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
            at_least("the time of a burst", *lasts)?;
            if lasts > every {
                let must = format!("at most {every}, the time between bursts");
                return Err(OutOfRange { what: "the time of a burst", is: lasts.to_string(), must });
            }
            Ok(())
        }
        LoadSetup::Stages(stages) => check_stages("the rate of a stage", stages, *RATE.end()),
        LoadSetup::Recording { speed, .. } => speed.map_or(Ok(()), |speed| within("speed", speed, TIMES)),
    }
}

/// Checks the groups of streams, which choose from this many symbols.
///
/// # Errors
/// [`StreamsError`].
pub fn check_streams(groups: &[Group], symbols: usize, connect_rate: Option<f64>) -> Result<(), StreamsError> {
    let total: f64 = groups.iter().map(|group| f64::from(group.count)).sum();
    within("the number of groups", groups.len() as f64, GROUPS)?;
    within("the number of all streams", total, STREAMS)?;
    if let Some(rate) = connect_rate {
        within("the rate of connections", rate, CONNECT_RATE)?;
    }
    for (place, group) in groups.iter().enumerate() {
        let is_taken = groups[..place].iter().any(|other| other.name == group.name);
        if is_taken || group.name.trim().is_empty() || group.name.contains(['[', ']']) {
            return Err(StreamsError::Name(group.name.clone()));
        }
        within("the number of streams", f64::from(group.count), STREAMS)?;
        within("the number of symbols of a stream", group.symbols as f64, 1.0..=symbols as f64)?;
        if group.churn != 0.0 {
            within("churn", group.churn, CHURN)?;
        }
        if let Reads::BytesPerSecond(bytes) = group.reads {
            within("the number of bytes per second", f64::from(bytes), 1.0..=f64::from(u32::MAX))?;
        }
        check_stages_of(group)?;
        check_protocol(group)?;
        check_beside(group, groups)?;
    }
    Ok(())
}

fn check_stages(what: &'static str, stages: &[Stage], max: f64) -> Result<(), OutOfRange> {
    within("the number of stages", stages.len() as f64, STAGES)?;
    stages.iter().try_for_each(|stage| within(what, stage.to, 0.0..=max))
}

/// Checks the stages of a group's streams.
fn check_stages_of(group: &Group) -> Result<(), StreamsError> {
    if group.stages.is_empty() {
        return Ok(());
    }
    check_stages("the number of streams of a stage", &group.stages, f64::from(group.count))?;
    if group.stages.iter().any(|stage| stage.to.fract() != 0.0) {
        return Err(StreamsError::PartOfAStream(group.name.clone()));
    }
    // Its streams would go with connections that are another group's.
    if group.beside.is_some() {
        return Err(StreamsError::BesideStages(group.name.clone()));
    }
    Ok(())
}

/// Checks that the load lasts as long as its stages, its ramp and its outages.
///
/// # Errors
/// [`OutOfRange`].
pub fn check_length(scenario: &Scenario) -> Result<(), OutOfRange> {
    let of_groups = scenario.groups.iter().map(|group| Stage::length(&group.stages));
    let of_venue = match &scenario.venue.load {
        LoadSetup::Stages(stages) => Stage::length(stages),
        LoadSetup::Ramp { over, .. } => over.0,
        _ => Duration::ZERO,
    };
    let of_outages = scenario.outages.iter().map(|outage| outage.at.0.saturating_add(outage.lasts.0));
    let stages = Span(of_groups.fold(of_venue, Duration::max));
    let outages = Span(of_outages.fold(Duration::ZERO, Duration::max));
    let (longest, what) = if outages > stages {
        (outages, "its last outage ends then")
    } else {
        (stages, "its stages or its ramp last so long")
    };
    if longest <= scenario.duration {
        return Ok(());
    }
    let must = format!("{longest} or longer, since {what}");
    Err(OutOfRange { what: "the duration", is: scenario.duration.to_string(), must })
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
