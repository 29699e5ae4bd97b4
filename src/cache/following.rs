//! How a symbol of a cluster's shard takes what its owner says, and what it shows while it is cut off from it.
//!
//! What the owner says and what is shown are two things. [`Inner::said`] is the owner's last tick, and the snapshot and
//! the guards go with it; so does what an owner's own feed publishes. While the symbol is cut off, the ring has ticks
//! of this node's own: what was said, made stale. Each time the numbers of what is shown begin, so does the ring.

use super::{
    cut_off::CutOff,
    have::Have,
    published::Published,
    state::{Inner, SymbolState},
    tap::{Tap, Tapped},
    tick::Tick,
};
use crate::{
    market::{Guards, Now, Part, Parts, Reason, Snapshot, State},
    wire::{Epoch, EventId},
};
use std::sync::Arc;

/// The numbers of a tick of the shard's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnersTick {
    /// The owner's epoch.
    pub epoch: Epoch,
    /// Its number among the symbol's ticks; 0 for a symbol that has not had one.
    pub seq: u64,
    /// Its number among the shard's ticks; 0 for `seq` 0.
    pub n: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// The `seq` before this one that last changed each part, by [`Part`]; `None` of a tick that stands on the one
    /// before it.
    pub prior: Option<[u64; Part::ALL.len()]>,
}

/// How a tick is numbered beside the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// It is the next.
    GoOn,
    /// Ticks between the two are lost.
    Jump,
    /// Its numbers begin with it, in this generation.
    Begin { generation: u32 },
}

impl SymbolState {
    /// The newest tick that the symbol has from its shard's owner, which may be this node; `None` before the first, and
    /// while the owner does not have the symbol.
    pub fn have(&self) -> Option<Have> {
        let inner = self.lock();
        if inner.absent.is_some() {
            return None;
        }
        let said = inner.said();
        let is_of_owner = said.seq > 0 || self.shard().owner_epoch() == Some(said.id.epoch);
        is_of_owner.then_some(Have { epoch: said.id.epoch, seq: said.seq })
    }

    /// Takes a tick of the shard's owner. `merge` merges its parts: all parts, unless it is the one after the tick that
    /// the symbol [has](Self::have). The ring goes on then, and starts over else.
    pub fn follow(&self, tick: &OwnersTick, now: Now, merge: impl FnOnce(&mut Snapshot, &mut Guards)) -> Published {
        let mut inner = self.lock();
        let said = inner.said().clone();
        let is_of_epoch = said.id.epoch == tick.epoch;
        inner.absent = None;
        if is_of_epoch && tick.seq <= said.seq {
            return Published::Late;
        }
        if !is_of_epoch {
            self.shard().follow(tick.epoch);
        }
        self.shard().raise_n(tick.n);
        let is_next = is_of_epoch && tick.seq == said.seq + 1;
        let changed = match tick.prior {
            _ if is_next => tick.changed,
            Some(prior) if is_of_epoch => {
                tick.changed.union(Part::ALL.into_iter().filter(|&part| prior[part as usize] > said.seq).collect())
            }
            _ => Parts::ALL,
        };
        let Inner { snapshot, guards, changed_at, .. } = &mut *inner;
        merge(snapshot, guards);
        if let Some(prior) = tick.prior {
            *changed_at = prior;
        }
        inner.note_changed(tick.changed, tick.seq);
        let id = EventId { epoch: tick.epoch, n: tick.n };
        let tick = said.next(inner.snapshot, tick.seq, id, tick.changed, now);
        if inner.cut_off.is_some() {
            return self.say_cut_off(&mut inner, Arc::new(tick), changed, now);
        }
        let numbers = match (is_next, is_of_epoch) {
            (true, _) => Numbers::GoOn,
            (false, true) => Numbers::Jump,
            (false, false) => Numbers::Begin { generation: self.shard().generation() },
        };
        self.add(&mut inner, tick, changed, numbers)
    }

    /// The shard's owner does not have the symbol: it waits for data. Numbers of the owner's epoch are not this node's
    /// to draw, so the symbol's begin again with 0, and its streams are greeted again.
    pub fn absent(&self, now: Now) -> Published {
        let mut inner = self.lock();
        let said = inner.said().clone();
        let epoch = self.shard().owner_epoch().unwrap_or(said.id.epoch);
        let is_of_epoch = said.id.epoch == epoch;
        let known = Have { epoch: said.id.epoch, seq: said.seq };
        let known = inner.absent.as_deref().filter(|known| known.epoch == epoch).copied().unwrap_or(known);
        inner.absent = Some(Box::new(known));
        let is_waiting = said.snapshot.state() == State::Waiting && said.snapshot.recv.is_none();
        if is_of_epoch && is_waiting && said.seq == 0 {
            return Published::Unchanged;
        }
        inner.snapshot = Snapshot::waiting(inner.snapshot.origin, now.unix);
        inner.guards = Guards::default();
        inner.changed_at = [0; Part::ALL.len()];
        let tick = said.next(inner.snapshot, 0, EventId { epoch, n: 0 }, Parts::STATUS, now);
        if inner.cut_off.is_some() {
            return self.say_cut_off(&mut inner, Arc::new(tick), Parts::ALL, now);
        }
        let generation = if is_of_epoch { self.shard().shared().next_generation() } else { self.shard().generation() };
        self.add(&mut inner, tick, Parts::ALL, Numbers::Begin { generation })
    }

    /// The symbol is cut off from its owner, for a reason of [`State::Stale`]: it is stale from now on, in the epoch of
    /// [`Shard::cut_off`](super::Shard::cut_off).
    pub fn show_cut_off(&self, reason: Reason, now: Now) -> Published {
        let mut inner = self.lock();
        let generation = self.shard().generation();
        if inner.cut_off.is_some() && inner.ring.newest().generation >= generation {
            return Published::Unchanged;
        }
        let said = inner.said().clone();
        let seq = u64::from(said.seq > 0);
        let mut tick = said.next(inner.snapshot, seq, said.id, Parts::STATUS, now);
        let cut_off = CutOff { said, reason, since: now };
        cut_off.make_stale(&mut tick.snapshot);
        inner.cut_off = Some(Box::new(cut_off));
        self.add(&mut inner, tick, Parts::ALL, Numbers::Begin { generation })
    }

    /// Ends the cut-off: the symbol is as its owner says, under its owner's numbers.
    pub fn restore(&self, now: Now) -> Published {
        let mut inner = self.lock();
        let generation = self.shard().generation();
        if inner.cut_off.is_none() && inner.ring.newest().generation >= generation {
            return Published::Unchanged;
        }
        let said = inner.said().clone();
        inner.cut_off = None;
        let mut id = said.id;
        if said.seq == 0 {
            id.epoch = self.shard().epoch();
        }
        let tick = said.next(said.snapshot, said.seq, id, said.kind, now);
        self.add(&mut inner, tick, Parts::ALL, Numbers::Begin { generation })
    }

    /// This node owns the shard, in the epoch of [`Shard::begin`](super::Shard::begin), which is a new one: the symbol
    /// goes on behind the last tick that is known of the owner before. It is stale, for this reason, until an update
    /// renews it. `tap` is given the symbol even if it waits.
    pub fn open(&self, reason: Reason, now: Now, tap: Option<&dyn Tap>) -> Published {
        let mut inner = self.lock();
        let said = inner.said().clone();
        let Inner { snapshot, guards, .. } = &mut *inner;
        let changed = snapshot.outage(reason, guards, now).union(Parts::STATUS);
        let (seq, n) = if said.seq == 0 { (0, 0) } else { (said.seq + 1, self.shard().next_n(now)) };
        let id = EventId { epoch: self.shard().epoch(), n };
        let tick = said.next(inner.snapshot, seq, id, changed, now);
        inner.absent = None;
        if let Some(tap) = tap {
            self.tap(&mut inner, tap, &tick);
        } else {
            inner.note_changed(changed, seq);
        }
        inner.cut_off = None;
        self.add(&mut inner, tick, Parts::ALL, Numbers::Begin { generation: self.shard().generation() })
    }

    /// Gives a tap the newest tick that the symbol has from its shard's owner, which this node is.
    pub fn read(&self, tap: &dyn Tap) {
        let inner = self.lock();
        let said = inner.said();
        let before = said.seq.saturating_sub(1);
        tap.tick(&Tapped {
            index: self.place(),
            name: self.symbol(),
            seq: said.seq,
            n: said.id.n,
            changed: said.kind,
            prior: inner.changed_at.map(|seq| seq.min(before)),
            before: &said.snapshot,
            snapshot: &said.snapshot,
            guards: &inner.guards,
        });
    }

    /// Notes a tick of the owner, and shows it as stale under the numbers of the cut-off.
    pub(super) fn say_cut_off(&self, inner: &mut Inner, said: Arc<Tick>, changed: Parts, now: Now) -> Published {
        let newest = inner.ring.newest();
        let has_ticked = said.seq > 0 || newest.seq > 0;
        let mut tick = newest.next(said.snapshot, newest.seq + 1, said.id, said.kind, now);
        if let Some(cut_off) = &mut inner.cut_off {
            cut_off.make_stale(&mut tick.snapshot);
            cut_off.said = said;
        }
        if !has_ticked {
            return Published::Unchanged; // it waits, as before
        }
        self.add(inner, tick, changed, Numbers::GoOn)
    }

    /// Adds a tick whose own numbers are set, with those by which this node counts.
    fn add(&self, inner: &mut Inner, tick: Tick, changed: Parts, numbers: Numbers) -> Published {
        let newest = inner.ring.newest();
        let generation = match numbers {
            Numbers::Begin { generation } => generation,
            Numbers::GoOn | Numbers::Jump => newest.generation,
        };
        let version = newest.version + 1;
        let tick = Tick { version, generation, changed, prior: newest.last_changes(), ..tick };
        if numbers == Numbers::GoOn {
            return self.push(inner, tick);
        }
        inner.ring.keep_only(tick);
        Published::Tick { interest: inner.interest.in_parts(changed) }
    }
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
