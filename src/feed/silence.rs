//! When a connection's silence is an outage, and when it is worth a new connection. Pure: the clock is passed in.
//!
//! A quiet market and a dead channel look alike. So symbols are stale after every long silence, while the connection
//! stays open for the next data and is replaced ever more rarely.

use crate::market::{Part, Parts};
use std::time::{Duration, Instant};

/// The longest silence before a mute connection is replaced: a venue that comes back sends on an open connection too.
const REPLACE_AFTER_MAX: Duration = Duration::from_secs(600);
/// Data must flow for so many times `mute_after` before the next silence counts as the first.
const FLOWS: u32 = 3;

/// How long silence is normal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without any data.
    pub(super) mute_after: Duration,
    /// Without one part of the data while another flows. `None` turns it off.
    pub(super) part_mute_after: Option<Duration>,
}

/// What a silence calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The symbols are stale from now on.
    Mute,
    /// Another connection may bring data.
    Replace,
}

/// The silence of one connection after another.
#[derive(Debug)]
pub(super) struct Silence {
    patience: Patience,
    /// Since when silence is an outage; `None` while it is normal.
    watched_since: Option<Instant>,
    /// The last data, or from when on data could come.
    quiet_since: Instant,
    /// Whether the silence has lasted for `mute_after`.
    is_mute: bool,
    /// The first data since the last silence.
    flowing_since: Option<Instant>,
    /// How often a connection was replaced since data last flowed for long.
    replaced: u32,
    parts: PartSilence,
}

impl Silence {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            watched_since: Some(now),
            quiet_since: now,
            is_mute: false,
            flowing_since: None,
            replaced: 0,
            parts: PartSilence::default(),
        }
    }

    /// How long silence is normal from now on.
    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// From now on silence is an outage, or, with `false`, normal.
    pub(super) fn watch(&mut self, watch: bool, now: Instant) {
        if watch == self.watched_since.is_some() {
            return;
        }
        self.watched_since = watch.then_some(now);
        self.restart(now);
        self.is_mute = false;
    }

    /// A connection is open. What was mute stays so until data come.
    pub(super) fn connected(&mut self, now: Instant) {
        self.restart(now);
    }

    /// All symbols are halted, so their silence says nothing: it counts from now on.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.restart(now);
        self.is_mute = false;
    }

    fn restart(&mut self, now: Instant) {
        self.quiet_since = now;
        self.flowing_since = None;
        self.parts.restart(now);
    }

    /// Data arrived.
    pub(super) fn data(&mut self, now: Instant) {
        self.quiet_since = now;
        if std::mem::take(&mut self.is_mute) {
            self.flowing_since = None;
        }
        let flowing_since = *self.flowing_since.get_or_insert(now);
        if now - flowing_since >= self.patience.mute_after.saturating_mul(FLOWS) {
            self.replaced = 0;
        }
    }

    /// Whether the silence has lasted for so long that the symbols are stale, on this connection or the last one.
    pub(super) fn is_mute(&self) -> bool {
        self.is_mute
    }

    /// Data with these parts arrived. Returns the parts that are silent from now on.
    pub(super) fn parts(&mut self, parts: Parts, now: Instant) -> Parts {
        match self.patience.part_mute_after {
            Some(after) if self.watched_since.is_some() => self.parts.heard(parts, after, now),
            _ => Parts::NONE,
        }
    }

    /// Whether it wants to know the parts of the data.
    pub(super) fn minds_parts(&self) -> bool {
        self.patience.part_mute_after.is_some()
    }

    /// The name of its state in the documentation.
    #[cfg(test)]
    pub(super) fn name(&self) -> &'static str {
        match (self.watched_since, self.is_mute) {
            (None, _) => "unwatched",
            (_, true) => "mute",
            (_, false) => "flowing",
        }
    }

    /// When the silence calls for something, while a connection is open.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let counted_since = self.quiet_since.max(self.watched_since?);
        Some(counted_since + if self.is_mute { self.replace_after() } else { self.patience.mute_after })
    }

    /// What the silence calls for by now: first that it is told, then that the connection is replaced.
    pub(super) fn due(&mut self, now: Instant) -> Option<Overdue> {
        if self.deadline()? > now {
            return None;
        }
        if !std::mem::replace(&mut self.is_mute, true) {
            return Some(Overdue::Mute);
        }
        self.replaced = self.replaced.saturating_add(1);
        Some(Overdue::Replace)
    }

    /// The silence after which the connection is replaced: it doubles with each replacement.
    fn replace_after(&self) -> Duration {
        let mute_after = self.patience.mute_after;
        let doubled = mute_after.saturating_mul(2_u32.saturating_pow(self.replaced));
        doubled.min(REPLACE_AFTER_MAX).max(mute_after)
    }
}

/// The parts of a connection's data that are silent while others flow.
#[derive(Debug, Default)]
struct PartSilence {
    /// When each part last arrived, or could have; `None` until the venue has ever sent it.
    last: [Option<Instant>; Part::ALL.len()],
    silent: Parts,
}

impl PartSilence {
    fn restart(&mut self, now: Instant) {
        self.last.iter_mut().flatten().for_each(|last| *last = now);
        self.silent = Parts::NONE;
    }

    /// The other parts are judged when one arrives: only then is it known that data flow.
    fn heard(&mut self, parts: Parts, after: Duration, now: Instant) -> Parts {
        let mut fell_silent = Parts::NONE;
        // A status comes when it changes, so its silence is normal, and it does not show that data flow.
        for part in [Part::Trade, Part::Quote, Part::Stats] {
            if parts.contains(part) {
                self.last[part as usize] = Some(now);
                self.silent.remove(part);
            }
        }
        let flows = [Part::Trade, Part::Quote, Part::Stats].into_iter().any(|part| parts.contains(part));
        for part in Part::ALL.into_iter().filter(|_| flows) {
            let is_overdue = self.last[part as usize].is_some_and(|last| last + after <= now);
            if is_overdue && !self.silent.contains(part) {
                self.silent.insert(part);
                fell_silent.insert(part);
            }
        }
        fell_silent
    }
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
