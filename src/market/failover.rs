//! Which of the two feeds of a symbol is shown: its primary, or the standby.

use super::{Part, Parts, Reason, Snapshot, Source, State};
use std::time::{Duration, Instant};

/// When one source takes over from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverLimits {
    /// How old the last update of a source may be if it is to take over at once.
    pub age: Duration,
    /// For how long the preferred source has to be healthy before the symbol comes back to it, and for how long the
    /// primary must have been healthy to be shown although its last update is older than `age`.
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
    /// The other one is down, or some of its parts are stale, for this reason.
    Lost(Reason),
    /// It is the preferred one, and has been healthy for long enough.
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

/// Decides which source is shown.
///
/// A source is *down* while its symbol is waiting, stale or refused. One that is up may still *lack* parts, which are
/// stale while others flow. A source that is outside its hours is *closed*: it is neither left nor taken.
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
    state: Health,
    /// Since when it is in that state; a part that turns stale, or comes back, begins it again.
    since: Instant,
    /// When its last price came.
    heard: Option<Instant>,
    /// The parts that are known and not stale.
    live: Parts,
    /// Trade and quote, as far as they are stale. Statistics may come once a day.
    lacks: Parts,
    /// Why they are.
    why: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Up,
    /// Up, and trading is halted.
    Halted,
    Closed,
    Down(Reason),
}

impl Failover {
    /// Shows the primary, of which nothing is known yet.
    pub fn new(limits: FailoverLimits, now: Instant) -> Self {
        let waiting = Standing {
            state: Health::Down(Reason::NoData),
            since: now,
            heard: None,
            live: Parts::NONE,
            lacks: Parts::NONE,
            why: Reason::NoData,
        };
        Self { limits, preferred: Source::Primary, shown: Source::Primary, standings: [waiting; 2] }
    }

    /// Other limits count from now on.
    pub fn set_limits(&mut self, limits: FailoverLimits) {
        self.limits = limits;
    }

    /// The source that is shown.
    pub fn shown(&self) -> Source {
        self.shown
    }

    /// Notes what a source says of the symbol: all that it has said, merged. `is_heard`: a price has just come.
    pub fn on(&mut self, source: Source, snapshot: &Snapshot, is_heard: bool, now: Instant) -> Option<Switch> {
        self.standings[source as usize].on(snapshot, is_heard, now);
        self.due(now)
    }

    /// Some time has passed.
    pub fn due(&mut self, now: Instant) -> Option<Switch> {
        let [shown, other] = [self.of(self.shown), self.of(self.shown.other())];
        if matches!(other.state, Health::Closed | Health::Down(_)) {
            return None;
        }
        let is_fresh = self.is_fresh(other, now);
        let cause = match shown.state {
            Health::Closed => None,
            // Both sources begin, or open, at about the same time: which is first says nothing of the other.
            Health::Down(Reason::NoData | Reason::Opening) if now < shown.since + self.limits.age => None,
            Health::Down(reason) => {
                (is_fresh || self.is_settled(self.shown.other(), now)).then_some(Cause::Lost(reason))
            }
            Health::Up | Health::Halted => {
                // The other one has all that this one has or had.
                let wanted = shown.lacks.union(shown.live).without(Parts::from_iter([Part::Stats]));
                let is_better = !shown.lacks.is_empty() && wanted.without(other.live).is_empty();
                (is_fresh && is_better).then_some(Cause::Lost(shown.why))
            }
        };
        let comes_back = || (is_fresh && self.comes_back(shown, other, now)).then_some(Cause::Failback);
        cause.or_else(comes_back).map(|cause| self.switch(self.shown.other(), cause))
    }

    /// Whether the other source is the preferred one, has been healthy for long enough, and has all that is shown now.
    fn comes_back(&self, shown: &Standing, other: &Standing, now: Instant) -> bool {
        self.shown != self.preferred
            && other.state == Health::Up
            && now >= other.since + self.limits.failback_after
            && !other.lacks.intersects(shown.live)
    }

    fn is_fresh(&self, standing: &Standing, now: Instant) -> bool {
        standing.heard.is_some_and(|heard| now <= heard + self.limits.age)
    }

    /// Whether it is the primary, in one state for long. If that is up, its last price may be old: the silence of one
    /// symbol is not staleness, and with one feed that price would be shown as live.
    fn is_settled(&self, source: Source, now: Instant) -> bool {
        source == Source::Primary && now >= self.of(source).since + self.limits.failback_after
    }

    /// Prefers a source from now on, and shows it at once if it is up and its last price is young; the primary also if
    /// it has been up for long.
    pub fn prefer(&mut self, source: Source, now: Instant) -> Option<Switch> {
        self.preferred = source;
        let standing = self.of(source);
        let is_ready = (self.is_fresh(standing, now) || self.is_settled(source, now))
            && matches!(standing.state, Health::Up | Health::Halted);
        (self.shown != source && is_ready).then(|| self.switch(source, Cause::Preferred))
    }

    fn of(&self, source: Source) -> &Standing {
        &self.standings[source as usize]
    }

    fn switch(&mut self, to: Source, cause: Cause) -> Switch {
        self.shown = to;
        Switch { to, cause }
    }
}

impl Standing {
    fn on(&mut self, snapshot: &Snapshot, is_heard: bool, now: Instant) {
        if is_heard {
            self.heard = Some(now);
        }
        let stale = snapshot.stale();
        let prices = Parts::from_iter([Part::Trade, Part::Quote, Part::Stats]);
        self.live = snapshot.known().without(stale).without(Parts::STATUS);
        let lacks = stale.without(prices.without(Parts::from_iter([Part::Trade, Part::Quote])));
        let reason = snapshot.not_live_since().map_or(Reason::NoData, |(_, reason)| reason);
        let state = match snapshot.state() {
            State::Refused => Health::Down(reason),
            _ if snapshot.is_closed() => Health::Closed,
            State::Waiting | State::Stale => Health::Down(reason),
            // A status alone is not a price.
            _ if self.live.is_empty() => Health::Down(Reason::NoData),
            State::Halted => Health::Halted,
            State::Live | State::Closed => Health::Up,
        };
        let is_down = |state| matches!(state, Health::Down(_));
        let is_another = self.state != state && !(is_down(self.state) && is_down(state));
        if is_another || lacks != self.lacks {
            self.since = now;
        }
        match state {
            Health::Down(reason) => self.why = reason,
            // Others flow.
            _ if !lacks.without(self.lacks).is_empty() => self.why = Reason::Mute,
            _ => {}
        }
        (self.state, self.lacks) = (state, lacks);
    }
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;
