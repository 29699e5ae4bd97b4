//! How a symbol with two feeds is published.
//!
//! The two are never mixed: each has a snapshot and guards of its own, since the ids and times of two venues do not
//! compare. What is shown is the snapshot of one of them, with the symbol's own count of trades.

use super::{
    published::Published,
    publisher::Publisher,
    sources::{FailoverCounts, HasStandby, Own, Sources},
    state::{Inner, SymbolState},
    tick::Tick,
};
use crate::market::{
    Applied, Failover, FailoverLimits, Guards, Now, Origin, Part, Parts, Snapshot, Source, Switch, Update,
};
use std::sync::{Arc, OnceLock};

impl SymbolState {
    /// Gives the symbol a second feed, which has not spoken yet.
    ///
    /// # Errors
    /// [`HasStandby`]: it has one already.
    pub fn add_standby(
        &self,
        feed: Arc<str>,
        origin: Origin,
        limits: FailoverLimits,
        counts: Arc<FailoverCounts>,
        now: Now,
    ) -> Result<(), HasStandby> {
        let mut inner = self.lock();
        if inner.sources.is_some() {
            return Err(HasStandby);
        }
        let primary = Own { snapshot: inner.snapshot, guards: inner.guards };
        let waiting = Snapshot { source: Source::Standby, ..Snapshot::waiting(origin, now.unix) };
        let standby = Own { snapshot: waiting, guards: Guards::default() };
        let mut failover = Failover::new(limits, now.instant);
        failover.prefer(counts.preferred(), now.instant);
        // It may be stale already: then the standby takes over as soon as it speaks.
        failover.on(Source::Primary, &primary.snapshot, false, now.instant);
        let names = [self.feed(), feed];
        inner.sources = Some(Box::new(Sources { own: [primary, standby], names, failover, counts }));
        inner.name(self.feed());
        Ok(())
    }

    /// Gives its failover other limits, if it has two feeds. They count from its next update, or look at the clock.
    pub fn set_failover_limits(&self, limits: FailoverLimits) {
        if let Some(sources) = &mut self.lock().sources {
            sources.failover.set_limits(limits);
        }
    }

    /// What it shares with the other symbols of its two feeds, if it has two.
    pub fn failover_counts(&self) -> Option<Arc<FailoverCounts>> {
        self.lock().sources.as_ref().map(|sources| sources.counts.clone())
    }

    /// Takes the second feed away, which says nothing more: what the first one says is shown.
    pub fn remove_standby(&self, now: Now) -> Published {
        let mut inner = self.lock();
        let Some(sources) = inner.sources.take() else { return Published::Unchanged };
        let is_shown = sources.failover.shown() == Source::Primary;
        let Own { snapshot, guards } = &sources.own[Source::Primary as usize];
        inner.snapshot = Snapshot { trades: inner.snapshot.trades, ..*snapshot };
        inner.guards = *guards;
        inner.source = None;
        if is_shown {
            return Published::Unchanged;
        }
        self.through(None).push_kind(&mut inner, Parts::STATUS, Parts::ALL, now)
    }

    /// Names the feed that says what this state shows from now on, in the tick that it begins with too: of a delayed
    /// state whose live one has two feeds.
    pub fn name_source(&self) {
        self.lock().name(self.feed());
    }

    /// Whether it has two feeds.
    pub fn has_standby(&self) -> bool {
        self.lock().sources.is_some()
    }

    /// What one of its feeds says. Of a symbol with one feed that is what is shown.
    pub fn said_by(&self, source: Source) -> Snapshot {
        let inner = self.lock();
        match &inner.sources {
            Some(sources) => sources.of(source).snapshot,
            None => inner.ring.newest().snapshot,
        }
    }
}

impl Inner {
    /// Names the feed that is shown, also in the tick before the first one.
    fn name(&mut self, feed: Arc<str>) {
        let newest = self.ring.newest();
        if newest.version == 0 {
            let first = Tick {
                snapshot: newest.snapshot,
                source: Some(feed.clone()),
                version: newest.version,
                seq: newest.seq,
                id: newest.id,
                generation: newest.generation,
                kind: newest.kind,
                changed: newest.changed,
                prior: newest.prior,
                published: newest.published,
                time: newest.time,
                frame: OnceLock::new(),
                patch: OnceLock::new(),
                compressed: OnceLock::new(),
            };
            self.ring.keep_only(first);
        }
        self.source = Some(feed);
    }
}

impl Publisher<'_> {
    #[cold]
    pub(super) fn publish_as_source(self, inner: &mut Inner, update: &Update, now: Now) -> Published {
        self.change(inner, now, |own| {
            let applied = own.snapshot.apply(update, &mut own.guards, now);
            let is_price = update.trade.is_some() || update.quote.is_some() || update.stats.is_some();
            let is_new = if update.is_snapshot {
                // What it confirms may be hours old.
                !applied.changed.without(Parts::from_iter([Part::Status])).is_empty()
            } else {
                !applied.changed.is_empty() || applied.late.is_empty()
            };
            (applied, is_price && is_new)
        })
    }

    pub(super) fn set_as_source(
        self,
        inner: &mut Inner,
        now: Now,
        set: impl FnOnce(&mut Snapshot, &mut Guards) -> Parts,
    ) -> Published {
        self.change(inner, now, |own| {
            let changed = set(&mut own.snapshot, &mut own.guards);
            (Applied { changed, ..Applied::default() }, false)
        })
    }

    /// Some time has passed: a source may have been healthy for long enough. Nothing for a symbol with one feed.
    pub fn due(self, now: Now) -> Published {
        self.decide(now, |sources| sources.failover.due(now.instant))
    }

    /// Prefers this feed of the symbol from now on, and shows it at once if it is up.
    pub fn prefer(self, now: Now) -> Published {
        self.decide(now, |sources| {
            sources.counts.prefer(self.source);
            sources.failover.prefer(self.source, now.instant)
        })
    }

    fn decide(self, now: Now, decide: impl FnOnce(&mut Sources) -> Option<Switch>) -> Published {
        let mut inner = self.state.lock();
        let Some(sources) = &mut inner.sources else { return Published::Unchanged };
        match decide(sources) {
            Some(switch) => self.show(&mut inner, switch, 0, now),
            None => Published::Unchanged,
        }
    }

    /// Changes what this feed says. If it is shown, or is from now on, that makes a tick.
    fn change(self, inner: &mut Inner, now: Now, change: impl FnOnce(&mut Own) -> (Applied, bool)) -> Published {
        let Some(sources) = &mut inner.sources else { return Published::Unchanged };
        let own = &mut sources.own[self.source as usize];
        let trades = own.snapshot.trades;
        let (Applied { changed, late }, is_heard) = change(own);
        let trades = own.snapshot.trades - trades;
        if let Some(switch) = sources.failover.on(self.source, &own.snapshot, is_heard, now.instant) {
            let seen = if switch.to == self.source { trades } else { 0 };
            return self.show(inner, switch, seen, now);
        }
        if changed.is_empty() {
            return if late.is_empty() { Published::Unchanged } else { Published::Late };
        }
        if self.source != sources.failover.shown() {
            return Published::Hidden;
        }
        self.take(inner, self.source, trades);
        self.push_kind(inner, changed, changed, now)
    }

    /// Shows another source. For clients it is a change of the status, and all parts may be others.
    #[cold]
    fn show(self, inner: &mut Inner, switch: Switch, trades: u64, now: Now) -> Published {
        if let Some(sources) = &inner.sources {
            sources.counts.count(switch);
        }
        self.take(inner, switch.to, trades);
        self.push_kind(inner, Parts::STATUS, Parts::ALL, now)
    }

    /// Takes over what a source says, and counts its new trades.
    fn take(self, inner: &mut Inner, source: Source, trades: u64) {
        let Inner { sources: Some(sources), source: shown, snapshot, guards, .. } = inner else { return };
        let own = sources.of(source);
        *shown = Some(sources.names[source as usize].clone());
        let total = snapshot.trades + trades;
        *snapshot = Snapshot { trades: total, ..own.snapshot };
        *guards = own.guards;
    }
}

#[cfg(test)]
#[path = "two_feeds_tests.rs"]
mod tests;
