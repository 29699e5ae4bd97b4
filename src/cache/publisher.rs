//! How what the venue and the feed say becomes ticks: on the node that has the connection.

use super::{
    have::Have,
    published::Published,
    state::{Inner, SymbolState},
    tap::{Tap, Tapped},
    tick::Tick,
};
use crate::{
    market::{Guards, Now, Part, Parts, Reason, Snapshot, Source, Update},
    wire::{Epoch, EventId},
};
use std::sync::{Arc, OnceLock};

/// A symbol's way to new ticks.
#[derive(Clone, Copy)]
pub struct Publisher<'a> {
    pub(super) state: &'a SymbolState,
    tap: Option<&'a dyn Tap>,
    pub(super) source: Source,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(state: &'a SymbolState, tap: Option<&'a dyn Tap>) -> Self {
        Self { state, tap, source: Source::Primary }
    }

    /// The same way for what this feed of the symbol says.
    pub fn of(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Merges an update that was received `now`. An update that changes anything becomes the symbol's next tick, if its
    /// feed is the one that is shown.
    pub fn publish(self, update: &Update, now: Now) -> Published {
        let mut inner = self.state.lock();
        if inner.sources.is_some() {
            return self.publish_as_source(&mut inner, update, now);
        }
        if self.source == Source::Standby {
            return Published::Unchanged; // it was taken away, and its connection does not know yet
        }
        let Inner { snapshot, guards, .. } = &mut *inner;
        let applied = snapshot.apply(update, guards, now);
        if !applied.changed.is_empty() {
            self.push(&mut inner, applied.changed, now)
        } else if applied.late.is_empty() {
            Published::Unchanged
        } else {
            Published::Late
        }
    }

    /// Makes all known parts but the status stale from `now` on: its connection has an outage.
    pub fn outage(self, reason: Reason, now: Now) -> Published {
        self.set(now, |snapshot, guards| snapshot.outage(reason, guards, now))
    }

    /// Prepares for data that are older than what came before.
    pub fn start_over(self, now: Now) -> Published {
        self.set(now, |snapshot, guards| snapshot.start_over(guards, now))
    }

    /// Makes these parts stale from `now` on, though the connection lives.
    pub fn mark_stale(self, parts: Parts, reason: Reason, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.mark_stale(parts, reason, now))
    }

    /// Closes the symbol as its feed's hours end, or opens it as they begin.
    pub fn set_closed(self, closed: bool, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_closed(closed, now))
    }

    /// Notes why the venue refuses the symbol; `None`: it does not.
    pub fn set_refused(self, refused: Option<Reason>, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_refused(refused, now))
    }

    pub(super) fn set(self, now: Now, set: impl FnOnce(&mut Snapshot, &mut Guards) -> Parts) -> Published {
        let mut inner = self.state.lock();
        if inner.sources.is_some() {
            return self.set_as_source(&mut inner, now, set);
        }
        if self.source == Source::Standby {
            return Published::Unchanged;
        }
        let Inner { snapshot, guards, .. } = &mut *inner;
        let changed = set(snapshot, guards);
        if changed.is_empty() { Published::Unchanged } else { self.push(&mut inner, changed, now) }
    }

    fn push(self, inner: &mut Inner, changed: Parts, now: Now) -> Published {
        self.push_kind(inner, changed, changed, now)
    }

    /// Adds a tick of the parts of `kind`, in which these parts have changed.
    pub(super) fn push_kind(self, inner: &mut Inner, kind: Parts, changed: Parts, now: Now) -> Published {
        // Drawn under the lock: within a symbol `n` rises with `seq`.
        let n = self.state.shard().next_n(now);
        if inner.cut_off.is_some() {
            return self.push_cut_off(inner, changed, n, now);
        }
        let before = *inner.ring.numbers();
        let mut seq = before.seq + 1;
        if inner.absent.is_some() {
            seq = next_seq(before.epoch, before.seq, inner.absent.take().as_deref());
        }
        let tick = Tick {
            snapshot: inner.snapshot,
            source: inner.source.clone(),
            version: before.version + 1,
            seq,
            id: EventId { epoch: before.epoch, n },
            generation: before.generation,
            kind,
            changed,
            prior: before.last_changes,
            published: now.instant,
            time: now.unix,
            frame: OnceLock::new(),
            patch: OnceLock::new(),
            compressed: OnceLock::new(),
        };
        if let Some(tap) = self.tap {
            self.state.tap(inner, tap, &tick);
        }
        self.state.push(inner, tick)
    }

    /// The node owns the shard, and is cut off from the others: the venue's last word is noted, and shown as stale.
    #[cold]
    fn push_cut_off(self, inner: &mut Inner, changed: Parts, n: u64, now: Now) -> Published {
        let known = inner.absent.take();
        let said = inner.said();
        let id = EventId { epoch: said.id.epoch, n };
        let tick =
            Arc::new(said.next(inner.snapshot, next_seq(said.id.epoch, said.seq, known.as_deref()), id, changed, now));
        if let Some(tap) = self.tap {
            self.state.tap(inner, tap, &tick);
        }
        self.state.say_cut_off(inner, tick, changed, now)
    }
}

/// The number of the tick after an owner's newest. `known` is what is known of a symbol that the owner before did not
/// have: the epoch may go on, and in it that number is taken.
#[cold]
fn next_seq(epoch: Epoch, seq: u64, known: Option<&Have>) -> u64 {
    known.filter(|known| known.epoch == epoch).map_or(seq, |known| known.seq.max(seq)) + 1
}

impl SymbolState {
    /// Its way to new ticks, each of which `tap` is given: that of the node that owns its shard in a cluster.
    pub fn through<'a>(&'a self, tap: Option<&'a dyn Tap>) -> Publisher<'a> {
        Publisher::new(self, tap)
    }

    /// As [`Publisher::publish`], without a tap.
    pub fn publish(&self, update: &Update, now: Now) -> Published {
        self.through(None).publish(update, now)
    }

    /// As [`Publisher::outage`], without a tap.
    pub fn outage(&self, reason: Reason, now: Now) -> Published {
        self.through(None).outage(reason, now)
    }

    /// As [`Publisher::start_over`], without a tap.
    pub fn start_over(&self, now: Now) -> Published {
        self.through(None).start_over(now)
    }

    /// As [`Publisher::mark_stale`], without a tap.
    pub fn mark_stale(&self, parts: Parts, reason: Reason, now: Now) -> Published {
        self.through(None).mark_stale(parts, reason, now)
    }

    /// As [`Publisher::set_closed`], without a tap.
    pub fn set_closed(&self, closed: bool, now: Now) -> Published {
        self.through(None).set_closed(closed, now)
    }

    /// As [`Publisher::set_refused`], without a tap.
    pub fn set_refused(&self, refused: Option<Reason>, now: Now) -> Published {
        self.through(None).set_refused(refused, now)
    }

    /// Shows a live tick of the symbol in this delayed state of it, some time after its parts `changed`. `is_heard`
    /// says whether data have come since the snapshot that was shown before: then this is when they were received, for
    /// a client of this state. The venue's times stay. Where the live state has passed to its other feed, that is a
    /// change of the status, as it was there.
    pub fn show(&self, live: &Tick, changed: Parts, is_heard: bool, now: Now) -> Published {
        let mut inner = self.lock();
        inner.source.clone_from(&live.source);
        let live = &live.snapshot;
        let Snapshot { recv, origin, source, .. } = inner.snapshot;
        let is_switch = source != live.source;
        inner.snapshot = *live;
        inner.snapshot.recv = if is_heard && !is_switch { Some(now.unix) } else { recv };
        inner.snapshot.origin = origin;
        match changed {
            Parts::NONE => Published::Unchanged,
            _ if is_switch => self.through(None).push_kind(&mut inner, Parts::STATUS, Parts::ALL, now),
            _ => self.through(None).push(&mut inner, changed, now),
        }
    }

    /// Gives a tap what comes after [`Inner::said`].
    pub(super) fn tap(&self, inner: &mut Inner, tap: &dyn Tap, tick: &Tick) {
        let said = inner.said().clone();
        tap.tick(&Tapped {
            index: self.place(),
            name: self.symbol(),
            seq: tick.seq,
            n: tick.id.n,
            changed: tick.kind,
            prior: inner.changed_at,
            before: &said.snapshot,
            snapshot: &tick.snapshot,
            guards: &inner.guards,
        });
        inner.note_changed(tick.kind, tick.seq);
    }
}

impl Inner {
    /// The newest tick of the shard's owner, which is shown unless the symbol is cut off.
    pub(super) fn said(&self) -> &Arc<Tick> {
        self.cut_off.as_ref().map_or_else(|| self.ring.newest(), |cut_off| &cut_off.said)
    }

    /// Notes which parts a tick of the owner has changed.
    pub(super) fn note_changed(&mut self, parts: Parts, seq: u64) {
        for part in parts.iter() {
            self.changed_at[part as usize] = seq;
        }
    }
}

impl Tick {
    /// The version that last changed each part.
    pub(super) fn last_changes(&self) -> [u64; Part::ALL.len()] {
        Part::ALL.map(|part| self.changed_at(part))
    }

    /// A tick with these numbers, in place of the next version.
    pub(super) fn next(&self, snapshot: Snapshot, seq: u64, id: EventId, kind: Parts, now: Now) -> Self {
        Self {
            snapshot,
            source: self.source.clone(),
            version: self.version + 1,
            seq,
            id,
            generation: self.generation,
            kind,
            changed: kind,
            prior: self.last_changes(),
            published: now.instant,
            time: now.unix,
            frame: OnceLock::new(),
            patch: OnceLock::new(),
            compressed: OnceLock::new(),
        }
    }
}
