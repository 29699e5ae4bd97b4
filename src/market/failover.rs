//! Which of the two feeds of a symbol is shown: its primary, or the standby.

use super::{Parts, Reason, Snapshot, Source, State};
use std::time::{Duration, Instant};

/// When one source takes over from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverLimits {
    /// How old the last update of a source may be if it is to take over at once.
    pub age: Duration,
    /// For how long the preferred source has to be well before the symbol comes back to it.
    pub failback_after: Duration,
}

/// A source takes over from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// It is shown from now on.
    pub to: Source,
    /// Why.
    pub cause: Cause,
}

/// Why a source takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The other one is not well, for this reason.
    Lost(Reason),
    /// It is the preferred one, and has been well for long enough.
    Failback,
    /// An operator prefers it.
    Preferred,
}

impl Cause {
    /// The names of all that can happen: the reasons of a symbol that is waiting, stale or refused, and the two others.
    pub const NAMES: [&'static str; 14] = [
        Reason::NoData.name(),
        Reason::ConnectionLost.name(),
        Reason::Mute.name(),
        Reason::Gap.name(),
        Reason::Restart.name(),
        Reason::Opening.name(),
        Reason::Reconnect.name(),
        Reason::Ended.name(),
        Reason::Unauthorized.name(),
        Reason::NotEntitled.name(),
        Reason::SymbolLimit.name(),
        Reason::NotGranted.name(),
        "failback",
        "preferred",
    ];

    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost(reason) => reason.name(),
            Self::Failback => "failback",
            Self::Preferred => "preferred",
        }
    }
}

/// What one source says of the symbol, after it has said something new.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// All that it has said, merged.
    pub snapshot: &'a Snapshot,
    /// The parts that have turned stale just now.
    pub newly_stale: Parts,
    /// Whether an update has come: not one that is late, and not a change that the gateway made.
    pub is_heard: bool,
}

/// Decides which source is shown. A source is well while its symbol is neither stale nor refused nor waiting, and none
/// of its parts is mute.
#[derive(Debug, Clone)]
pub struct Failover {
    limits: FailoverLimits,
    /// The source to come back to.
    preferred: Source,
    shown: Source,
    /// In the order of [`Source::ALL`].
    standings: [Standing; 2],
}

/// How a source is doing.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Since then it is well, or, with a reason, not.
    since: Instant,
    ill: Option<Reason>,
    /// When its last update came.
    heard: Option<Instant>,
    /// The parts that have stopped while others flow.
    mute: Parts,
}

impl Failover {
    /// Shows the primary, of which nothing is known yet.
    pub fn new(limits: FailoverLimits, now: Instant) -> Self {
        let waiting = Standing { since: now, ill: Some(Reason::NoData), heard: None, mute: Parts::NONE };
        Self { limits, preferred: Source::Primary, shown: Source::Primary, standings: [waiting; 2] }
    }

    /// The source that is shown.
    pub fn shown(&self) -> Source {
        self.shown
    }

    /// The source that it comes back to.
    pub fn preferred(&self) -> Source {
        self.preferred
    }

    /// Notes what a source says of the symbol.
    pub fn on(&mut self, source: Source, said: Said<'_>, now: Instant) -> Option<Switch> {
        self.standings[source as usize].on(said, now);
        self.decide(said.is_heard.then_some(source), now)
    }

    /// Some time has passed.
    pub fn due(&mut self, now: Instant) -> Option<Switch> {
        self.decide(None, now)
    }

    /// Prefers a source from now on, and shows it at once if it is well.
    pub fn prefer(&mut self, source: Source) -> Option<Switch> {
        self.preferred = source;
        (self.shown != source && self.of(source).ill.is_none()).then(|| self.switch(source, Cause::Preferred))
    }

    fn of(&self, source: Source) -> &Standing {
        &self.standings[source as usize]
    }

    /// `heard` is the source whose update has just come.
    fn decide(&mut self, heard: Option<Source>, now: Instant) -> Option<Switch> {
        let preferred = self.of(self.preferred);
        let is_back = preferred.ill.is_none() && now >= preferred.since + self.limits.failback_after;
        if self.shown != self.preferred && is_back {
            return Some(self.switch(self.preferred, Cause::Failback));
        }
        let shown = self.of(self.shown);
        let reason = shown.ill?;
        // Both sources begin, or open, at about the same time: which is first says nothing of the other.
        if matches!(reason, Reason::NoData | Reason::Opening) && now < shown.since + self.limits.age {
            return None;
        }
        let to = self.shown.other();
        let other = self.of(to);
        let is_fresh = heard == Some(to) || other.heard.is_some_and(|heard| now <= heard + self.limits.age);
        (other.ill.is_none() && is_fresh).then(|| self.switch(to, Cause::Lost(reason)))
    }

    fn switch(&mut self, to: Source, cause: Cause) -> Switch {
        self.shown = to;
        Switch { to, cause }
    }
}

impl Standing {
    fn on(&mut self, Said { snapshot, newly_stale, is_heard }: Said<'_>, now: Instant) {
        if is_heard {
            self.heard = Some(now);
        }
        let state = snapshot.state();
        let is_out = matches!(state, State::Stale | State::Refused | State::Waiting);
        // A part that was mute in an outage need not be so after it.
        let mute = if is_out { Parts::NONE } else { self.mute.union(newly_stale) };
        self.mute = mute.without(mute.without(snapshot.stale()));
        let ill = match snapshot.not_live_since() {
            Some((_, reason)) if is_out => Some(reason),
            _ => (!self.mute.is_empty()).then_some(Reason::Mute),
        };
        if self.ill.is_some() != ill.is_some() {
            self.since = now;
        }
        self.ill = ill;
    }
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;
