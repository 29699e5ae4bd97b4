//! The book of a shard: the states of its symbols in the node's cache, whether the node follows or owns.

use super::{
    batch::NewTick,
    follower::{Book, CutOff, Have, Place, Step},
    message::Tick,
};
use crate::{
    cache::{self, OwnersTick, Published, SymbolState, Tap, Tapped},
    fanout::Announcer,
    market::{Now, Reason},
    wire::Epoch,
};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

/// The states of a shard's symbols. A symbol's place is its place in the owner's table, too, while the node owns it.
pub struct CacheBook {
    shard: Arc<cache::Shard>,
    symbols: Arc<[Arc<SymbolState>]>,
    places: HashMap<Box<str>, Place>,
    announcer: Announcer,
    /// What the time is for everything that is published until the next [`CacheBook::begin`].
    now: Now,
}

impl CacheBook {
    /// The symbols of a shard, in the order in which they were registered with it.
    pub fn new(
        shard: Arc<cache::Shard>,
        symbols: impl IntoIterator<Item = Arc<SymbolState>>,
        announcer: Announcer,
        now: Now,
    ) -> Self {
        let symbols: Arc<[_]> = symbols.into_iter().collect();
        let names = symbols.iter().map(|state| Box::from(state.symbol().as_str()));
        let places = names.zip((0..).map(Place)).collect();
        Self { shard, symbols, places, announcer, now }
    }

    /// The states, by their places.
    pub(super) fn symbols(&self) -> &Arc<[Arc<SymbolState>]> {
        &self.symbols
    }

    /// From now on [`CacheBook::take_want_changes`] has what has changed, and `wake` is called.
    pub(super) fn keep_want_changes(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.shard.wants().keep(wake);
    }

    /// The places of the symbols that streams of this node have begun or ceased to want.
    pub(super) fn take_want_changes(&self) -> Vec<u32> {
        self.shard.wants().take()
    }

    /// What comes next happens now.
    pub(super) fn begin(&mut self, now: Now) {
        self.now = now;
    }

    /// Announces what has changed to the workers.
    pub(super) fn flush(&mut self) {
        self.announcer.flush();
    }

    /// Learns of epochs that the shard had.
    pub(super) fn remember(&self, former: &[Epoch]) {
        self.shard.remember(former);
    }

    /// The node owns the shard in a new epoch. Each symbol gets its first tick in it: stale, since no connection is
    /// there yet.
    pub(super) fn open(&mut self, epoch: Epoch, tap: &mut dyn FnMut(&NewTick<'_>)) {
        self.shard.begin(epoch);
        let tap = Tapping(RefCell::new(tap));
        self.each(|state, now| state.open(Reason::Reconnect, now, Some(&tap)));
    }

    /// The node owns the shard, and the epoch goes on.
    pub(super) fn go_on(&mut self, epoch: Epoch) {
        if self.shard.is_cut_off() {
            self.shard.restore(epoch);
            self.each(SymbolState::restore);
        }
    }

    /// The connection to the venue is closed for the next owner: all symbols are stale.
    pub(super) fn close(&mut self, tap: &dyn Tap) {
        self.each(|state, now| state.through(Some(tap)).outage(Reason::Reconnect, now));
    }

    fn each(&mut self, change: impl Fn(&SymbolState, Now) -> Published) {
        for state in self.symbols.iter() {
            if let Published::Tick { interest } = change(state, self.now) {
                self.announcer.add(state, interest);
            }
        }
    }
}

impl Book for CacheBook {
    fn len(&self) -> u32 {
        u32::try_from(self.symbols.len()).expect("a cache holds fewer symbols than a u32 counts")
    }

    fn find(&self, name: &str) -> Option<Place> {
        self.places.get(name).copied()
    }

    fn have(&self, place: Place) -> Option<Have> {
        self.symbols[place.0 as usize].have().map(|have| Have { epoch: have.epoch, seq: have.seq })
    }

    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, _: Step) {
        let state = &self.symbols[place.0 as usize];
        let prior = tick.full.map(|full| full.prior);
        let numbers = OwnersTick { epoch, seq: tick.seq, n: tick.n, changed: tick.changed, prior };
        let merge = |snapshot: &mut _, guards: &mut _| tick.merge_into(snapshot, guards);
        if let Published::Tick { interest } = state.follow(&numbers, self.now, merge) {
            self.announcer.add(state, interest);
        }
    }

    fn absent(&mut self, place: Place) {
        let state = &self.symbols[place.0 as usize];
        if let Published::Tick { interest } = state.absent(self.now) {
            self.announcer.add(state, interest);
        }
    }

    fn cut_off(&mut self, _: CutOff) {
        self.shard.cut_off(Epoch::new(rand::random()));
        self.each(|state, now| state.show_cut_off(Reason::NoOwner, now));
    }

    fn restore(&mut self) {
        // Without one, none of the owner's symbols is here.
        if let Some(epoch) = self.shard.owner_epoch() {
            self.shard.restore(epoch);
            self.each(SymbolState::restore);
        }
    }
}

/// Passes the cache's ticks on.
pub(super) struct Tapping<F>(pub(super) RefCell<F>);

impl<F: FnMut(&NewTick<'_>)> Tap for Tapping<F> {
    fn tick(&self, tick: &Tapped<'_>) {
        (self.0.borrow_mut())(&new_tick(tick));
    }
}

/// A tick of the cache, for a batch.
pub(super) fn new_tick<'a>(tick: &Tapped<'a>) -> NewTick<'a> {
    let Tapped { index, name, seq, n, changed, prior, before, snapshot, guards } = *tick;
    NewTick { index, name, seq, n, changed, prior, before, snapshot, guards }
}
