//! The options that a client gives beside its symbols.

use crate::market::{Part, Parts};
use std::time::Duration;

/// A stream's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The parts whose change makes a symbol due, the status always among them.
    parts: Parts,
    /// The shortest time between two writes, each of which carries the newest of each changed symbol.
    pub interval: Option<Duration>,
    /// How long the stream is silent before it gets a `heartbeat`.
    pub heartbeat: Duration,
}

impl Options {
    /// All parts, without a limit of the rate.
    pub fn new(heartbeat: Duration) -> Self {
        Self { parts: Parts::ALL, interval: None, heartbeat }
    }

    /// Limits them to these parts, and the status.
    #[must_use]
    pub fn on(self, parts: Parts) -> Self {
        Self { parts: parts.iter().chain([Part::Status]).collect(), ..self }
    }

    /// Limits them to one write in this time.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// The parts whose change makes a symbol due.
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// Whether the stream gets fewer ticks than one without options.
    pub(super) fn leave_out(&self) -> bool {
        self.parts != Parts::ALL || self.interval.is_some()
    }
}
