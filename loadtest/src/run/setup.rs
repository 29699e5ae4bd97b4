//! A run: what it loads, for how long, and under which thresholds.

use super::{cluster::Cluster, stop::Stop};
use crate::{
    measure::{Admin, AdminError, Process},
    scenario::{Outage, Threshold},
    streams::{Progress, Setup},
    venue::Venue,
};
use std::{io, time::Duration};

/// The server under load, as far as it can be measured.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Its process, if it runs on this machine.
    pub process: Option<Process>,
    /// Its admin listener.
    pub admin: Option<Admin>,
}

/// One run.
pub struct Run<'a> {
    /// Its name in the report.
    pub name: &'a str,
    /// Its purpose, in a line.
    pub about: &'a str,
    /// The streams.
    pub streams: Setup,
    /// How long the load lasts once all streams are open.
    pub duration: Duration,
    /// The outages of the venue during the load.
    pub outages: &'a [Outage],
    /// The server under load.
    pub server: Server,
    /// The cluster under load, whose gateways are restarted meanwhile; then the server is not measured by itself.
    pub cluster: Option<&'a Cluster>,
    /// The venue behind the server, if this process runs it.
    pub venue: Option<&'a Venue>,
    /// The thresholds.
    pub thresholds: &'a [Threshold],
    /// Ends the load early.
    pub stop: Stop,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunProgress<'a> {
    /// What the run is doing.
    pub phase: &'static str,
    /// How much of the load's time has passed, from 0 to 1.
    pub share: f64,
    /// The progress of the streams.
    pub streams: &'a Progress,
}

/// Why a run has no results.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refuses something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The admin listener does not answer.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// No stream opened.
    #[error("no stream opened: {0}")]
    NoStream(String),
}
