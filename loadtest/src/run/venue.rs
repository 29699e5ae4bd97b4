//! Starts a scenario's venue.

use crate::{
    scenario::{LoadSetup, VenueProtocol, VenueSetup, symbol_names},
    venue::{Load, Protocol, Recording, RecordingError, Setup, Venue},
};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A recording cannot be read.
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

/// Starts a scenario's venue; returns it and its symbols.
///
/// # Errors
/// The port cannot be bound, or a recording cannot be read.
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
        LoadSetup::Stages(stages) => {
            Load::Stages { stages: stages.iter().map(|stage| (stage.to, stage.over.0)).collect() }
        }
        LoadSetup::Recording { path, speed, looped } => {
            Load::Recording { recording: Arc::new(read(path)?), speed: *speed, looped: *looped }
        }
    };
    let setup = Setup {
        protocol,
        listen,
        symbols: symbols.clone(),
        load,
        seed: setup.seed,
        batch_interval: setup.batch_interval.0,
        ids_after: 0,
    };
    let venue = Venue::start(&setup)
        .map_err(|error| io::Error::new(error.kind(), format!("the venue cannot listen on {listen}: {error}")))?;
    Ok((venue, symbols))
}

fn read(path: &Path) -> Result<Recording, RecordingUnreadable> {
    Recording::read(path).map_err(|source| RecordingUnreadable { path: path.to_owned(), source })
}
