//! The mock venue as a run uses it.

use crate::{
    check::VenueState,
    scenario::{LoadSetup, Outage, OutageKind, VenueProtocol, VenueSetup, symbol_names},
    venue::{Command, Door, Flow, Load, Protocol, Recording, RecordingError, Setup, Venue},
    wire::Values,
};
use std::{
    collections::VecDeque,
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
        VenueProtocol::Binance => Protocol::Binance,
        VenueProtocol::Alpaca => Protocol::Alpaca,
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
    let wanted = Setup {
        protocol,
        listen,
        symbols: symbols.clone(),
        load,
        seed: setup.seed,
        batch_interval: setup.batch_interval.0,
        ids_after: 0,
    };
    let bound = Venue::start(&wanted);
    let venue = bound.map_err(|error| io::Error::new(error.kind(), format!("no venue at {listen}: {error}")))?;
    Ok((venue, symbols))
}

fn read(path: &Path) -> Result<Recording, RecordingUnreadable> {
    Recording::read(path).map_err(|source| RecordingUnreadable { path: path.to_owned(), source })
}

/// The last state of each symbol as the venue sent it.
pub(super) fn venue_state(venue: &Venue, symbols: &[String]) -> VenueState {
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

/// What is done to a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The venue is told something.
    Command(Command),
    /// By now nothing may be shown as live.
    NothingIsLive,
}

/// The steps of all outages, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(VecDeque<(Duration, Step)>);

impl Steps {
    /// What makes these outages.
    pub fn of(outages: &[Outage]) -> Self {
        let mut steps: Vec<_> = outages.iter().flat_map(of_outage).collect();
        steps.sort_by_key(|(at, _)| *at);
        Self(steps.into())
    }

    /// When the next is due, since the load began.
    pub fn next(&self) -> Option<Duration> {
        self.0.front().map(|(at, _)| *at)
    }

    /// Takes the next one, if it is due.
    pub fn take(&mut self, elapsed: Duration) -> Option<Step> {
        self.next().filter(|at| *at <= elapsed)?;
        self.0.pop_front().map(|(_, step)| step)
    }
}

fn of_outage(outage: &Outage) -> Vec<(Duration, Step)> {
    let (begin, end) = match outage.kind {
        OutageKind::Break => (vec![Command::Door(Door::Shut), Command::Break], Command::Door(Door::Open)),
        OutageKind::Mute => (vec![Command::Flow(Flow::Mute)], Command::Flow(Flow::Steady)),
    };
    let at = outage.at.0;
    let begin = begin.into_iter().map(|command| (at, Step::Command(command)));
    let known = outage.is_known_by().map(|at| (at, Step::NothingIsLive));
    begin.chain(known).chain([(at + outage.lasts.0, Step::Command(end))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_outages_come_in_order_and_when_they_are_due() {
        let mut steps = Steps::of(&["mute:5s:4s", "break:1s:0s"].map(|text| text.parse().unwrap()));
        let mut taken = Vec::new();
        for second in 0..10 {
            while let Some(step) = steps.take(Duration::from_secs(second)) {
                taken.push((second, step));
            }
        }
        let tell = Step::Command;
        let expected = [
            (1, tell(Command::Door(Door::Shut))),
            (1, tell(Command::Break)),
            (1, tell(Command::Door(Door::Open))),
            (5, tell(Command::Flow(Flow::Mute))),
            (7, Step::NothingIsLive),
            (9, tell(Command::Flow(Flow::Steady))),
        ];
        assert_eq!((taken.as_slice(), steps.next()), (expected.as_slice(), None));
    }
}
