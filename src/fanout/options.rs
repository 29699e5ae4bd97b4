//! The options that a client gives beside its symbols.

use crate::market::{Part, Parts};
use std::time::Duration;

/// A stream's options, and what its client's rights make of them. Kept small: each stream has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The parts whose change makes a symbol due, the status always among them.
    parts: Parts,
    /// The shortest time between two writes that the client has chosen, in µs; 0: none.
    own_micros: u32,
    /// The shortest that its rights allow, in µs; 0: any.
    allowed_micros: u32,
    /// How long the stream is silent before it gets a `heartbeat`, in µs.
    heartbeat_micros: u32,
    /// Whether a tick may come as a patch.
    patches: bool,
    /// Whether its body is compressed.
    compresses: bool,
}

impl Options {
    /// All parts, without a limit of the rate.
    pub fn new(heartbeat: Duration) -> Self {
        Self {
            parts: Parts::ALL,
            own_micros: 0,
            allowed_micros: 0,
            heartbeat_micros: micros(heartbeat),
            patches: false,
            compresses: false,
        }
    }

    /// Whether a tick may come as a patch on the one before it.
    #[must_use]
    pub fn with_patches(self, patches: bool) -> Self {
        Self { patches, ..self }
    }

    /// Whether the body is compressed, by the dictionary of the process.
    #[must_use]
    pub(super) fn with_compression(self, compresses: bool) -> Self {
        Self { compresses, ..self }
    }

    /// Limits them to these parts, and the status.
    #[must_use]
    pub fn on(self, parts: Parts) -> Self {
        Self { parts: parts.iter().chain([Part::Status]).collect(), ..self }
    }

    /// Limits them to one write in this time, by the client's choice; `None` takes the choice back.
    #[must_use]
    pub fn every(self, interval: impl Into<Option<Duration>>) -> Self {
        Self { own_micros: interval.into().map_or(0, micros), ..self }
    }

    /// Limits them to one write in this time, whatever the client chooses; `None`: its rights set no limit.
    #[must_use]
    pub fn allowed_every(self, interval: Option<Duration>) -> Self {
        Self { allowed_micros: interval.map_or(0, micros), ..self }
    }

    /// The shortest time between two writes, each of which carries the newest of each changed symbol.
    pub fn interval(&self) -> Option<Duration> {
        let longest = self.own_micros.max(self.allowed_micros);
        (longest > 0).then(|| Duration::from_micros(longest.into()))
    }

    /// The part of the interval that the client's rights ask for.
    pub(super) fn interval_of_rights(&self) -> Duration {
        Duration::from_micros(self.allowed_micros.into())
    }

    /// How long the stream is silent before it gets a `heartbeat`.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_micros(self.heartbeat_micros.into())
    }

    /// The parts whose change makes a symbol due.
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// Whether a tick may come as a patch.
    pub fn patches(&self) -> bool {
        self.patches
    }

    /// Whether the body is compressed.
    pub(super) fn compresses(&self) -> bool {
        self.compresses
    }

    /// Whether the stream gets fewer ticks than one without options.
    pub fn leave_out(&self) -> bool {
        self.parts != Parts::ALL || self.interval().is_some()
    }
}

/// At most an hour and some: no option takes longer.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
