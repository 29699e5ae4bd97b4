//! How a symbol with two feeds is published.
//!
//! The two are never mixed: each has a snapshot and guards of its own, since the ids and times of two venues do not
//! compare. What is shown is the snapshot of one of them, with the symbol's own count of trades.

use super::{
    published::Published,
    publisher::Publisher,
    sources::{FailoverCounts, HasStandby, Own, Sources, Standby},
    state::{Inner, SymbolState},
};
use crate::market::{Applied, Failover, FailoverLimits, Guards, Now, Origin, Parts, Snapshot, Source, Switch, Update};
use std::sync::Arc;

impl SymbolState {
    /// Gives the symbol a second feed, before either speaks.
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
        self.name_standby(feed)?;
        let mut inner = self.lock();
        let primary = Own { snapshot: inner.snapshot, guards: inner.guards };
        let waiting = Snapshot { source: Source::Standby, ..Snapshot::waiting(origin, now.unix) };
        let standby = Own { snapshot: waiting, guards: Guards::default() };
        let failover = Failover::new(limits, now.instant);
        inner.sources = Some(Box::new(Sources { own: [primary, standby], failover, counts }));
        Ok(())
    }

    /// Names the second feed of a symbol that is shown as another state of it: the delayed one of a live one.
    ///
    /// # Errors
    /// [`HasStandby`]: it has one already.
    pub fn name_standby(&self, feed: Arc<str>) -> Result<(), HasStandby> {
        self.standby.set(Standby { feed }).map_err(|_| HasStandby)
    }

    /// Whether it has two feeds.
    pub fn has_standby(&self) -> bool {
        self.standby.get().is_some()
    }

    /// What one of its feeds says. Of a symbol with one feed that is what is shown.
    pub fn said_by(&self, source: Source) -> Snapshot {
        let inner = self.lock();
        match &inner.sources {
            Some(sources) => sources.of(source).snapshot,
            None => inner.ring.newest().snapshot,
        }
    }

    /// The name of the feed that says this, where the symbol has two.
    pub(super) fn source_of(&self, snapshot: &Snapshot) -> Option<&str> {
        let standby = self.standby.get()?;
        Some(match snapshot.source {
            Source::Primary => self.feed_name(),
            Source::Standby => &standby.feed,
        })
    }
}

impl Publisher<'_> {
    #[cold]
    pub(super) fn publish_as_source(self, inner: &mut Inner, update: &Update, now: Now) -> Published {
        self.change(inner, now, |own| {
            let applied = own.snapshot.apply(update, &mut own.guards, now);
            let is_price = update.trade.is_some() || update.quote.is_some() || update.stats.is_some();
            let is_new = !applied.changed.is_empty() || applied.late.is_empty();
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
        self.decide(now, |failover| failover.due(now.instant))
    }

    /// Prefers this feed of the symbol from now on, and shows it at once if it is up.
    pub fn prefer(self, now: Now) -> Published {
        self.decide(now, |failover| failover.prefer(self.source, now.instant))
    }

    fn decide(self, now: Now, decide: impl FnOnce(&mut Failover) -> Option<Switch>) -> Published {
        let mut inner = self.state.lock();
        let Some(sources) = &mut inner.sources else { return Published::Unchanged };
        match decide(&mut sources.failover) {
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
        let Inner { sources: Some(sources), snapshot, guards, .. } = inner else { return };
        let own = sources.of(source);
        let total = snapshot.trades + trades;
        *snapshot = Snapshot { trades: total, ..own.snapshot };
        *guards = own.guards;
    }
}

#[cfg(test)]
#[path = "two_feeds_tests.rs"]
mod tests;
