//! The mock venue as a run uses it.

use crate::{
    check::Truth,
    scenario::{LoadSetup, Outage, Speaks, VenueSetup, symbol_names},
    venue::{Command, Door, Load, Protocol, Recording, RecordingError, Setup, Venue},
    wire::Values,
};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A recording that cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct RecordingUnreadable {
    path: PathBuf,
    source: RecordingError,
}

impl From<RecordingUnreadable> for io::Error {
    fn from(error: RecordingUnreadable) -> Self {
        Self::other(error)
    }
}

/// Starts a scenario's venue; returns it with the symbols that it trades.
///
/// # Errors
/// The port cannot be had, or a recording cannot be read.
pub fn start_venue(setup: &VenueSetup, listen: SocketAddr) -> io::Result<(Venue, Vec<String>)> {
    let symbols = symbol_names(setup.symbols, setup.protocol);
    let protocol = match setup.protocol {
        Speaks::Binance => Protocol::Binance,
        Speaks::Alpaca => Protocol::Alpaca,
    };
    let load = match &setup.load {
        LoadSetup::Steady { rate } => Load::Steady { rate: *rate },
        LoadSetup::Ramp { from, to, over } => Load::Ramp { from: *from, to: *to, over: over.0 },
        LoadSetup::Bursts { rate, factor, every, lasts } => {
            Load::Bursts { rate: *rate, factor: *factor, every: every.0, lasts: lasts.0 }
        }
        LoadSetup::Recording { path, speed, looped } => {
            Load::Recording { recording: Arc::new(read(path)?), speed: *speed, looped: *looped }
        }
    };
    let wanted = Setup { protocol, listen, symbols: symbols.clone(), load, seed: setup.seed, ids_after: 0 };
    Ok((Venue::start(&wanted)?, symbols))
}

fn read(path: &Path) -> Result<Recording, RecordingUnreadable> {
    Recording::read(path).map_err(|source| RecordingUnreadable { path: path.to_owned(), source })
}

/// The last state of each symbol as the venue sent it.
pub(super) fn truth(venue: &Venue, symbols: &[String]) -> Truth {
    let values = |symbol: &String| {
        let newest = venue.newest(symbol)?;
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let values = Values {
            trade_ts: i64::try_from(newest.trade_ts).ok().filter(|_| newest.trades > 0),
            price: known(newest.price),
            size: known(newest.size),
            bid: known(newest.bid),
            bid_size: known(newest.bid_size),
            ask: known(newest.ask),
            ask_size: known(newest.ask_size),
        };
        Some((symbol.clone(), values))
    };
    symbols.iter().filter_map(values).collect()
}

/// What is done at a moment of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Since the load began.
    pub(super) at: Duration,
    pub(super) what: What,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The venue is told something.
    Tell(Command),
    /// By now nothing may be shown as live.
    NothingIsLive,
}

/// The steps of all outages, in order. Halfway through each, nothing may be shown as live.
pub(super) fn steps(outages: &[Outage]) -> Vec<Step> {
    let of_outage = |outage: &Outage| {
        let (at, lasts) = (outage.at.0, outage.lasts.0);
        [
            Step { at, what: What::Tell(Command::Door(Door::Shut)) },
            Step { at, what: What::Tell(Command::Break) },
            Step { at: at + lasts / 2, what: What::NothingIsLive },
            Step { at: at + lasts, what: What::Tell(Command::Door(Door::Open)) },
        ]
    };
    let mut steps: Vec<Step> = outages.iter().flat_map(of_outage).collect();
    steps.sort_by_key(|step| step.at);
    steps
}
