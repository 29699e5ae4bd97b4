//! A new list of symbols, or new parts, for an open stream.

use super::{Cursors, END, Look, Slot, UNMARKED};
use crate::{
    cache::{SymbolId, SymbolState},
    fanout::{
        options::Options,
        stream_key::StreamKey,
        symbols::{Subscriber, Symbols},
    },
    market::Now,
};
use std::{collections::HashMap, mem, sync::Arc, time::Instant};

/// A subscriber of another stream that has a new place in its symbol's list.
pub(in crate::fanout) struct Moved {
    pub(in crate::fanout) subscriber: Subscriber,
    pub(in crate::fanout) place: u32,
}

/// A slot that was removed and of whose removal the client does not know yet.
pub(in crate::fanout) struct Removed {
    pub(in crate::fanout) slot: Slot,
    /// Held, so that no other symbol has its id.
    _state: Arc<SymbolState>,
}

/// The stream whose list changes, and the options that it has from now on.
#[derive(Clone, Copy)]
pub(in crate::fanout) struct Relisted<'a> {
    pub(in crate::fanout) stream: StreamKey,
    pub(in crate::fanout) options: &'a Options,
    /// The generation of its last `hello`.
    pub(in crate::fanout) generation: u32,
    /// The options that it had until now.
    pub(in crate::fanout) before: &'a Options,
    /// When it was opened.
    pub(in crate::fanout) opened: Instant,
}

impl Cursors {
    /// Takes over a list of symbols. A symbol that was listed before goes on where it stands. A new one starts before
    /// its newest tick; if it is among `removed`, it goes on where it stood, as its client knows of no removal. A
    /// symbol that is not listed any longer is unsubscribed, and joins `removed` if its client knows of it.
    ///
    /// Returns the subscribers of other streams that have moved meanwhile.
    pub(in crate::fanout) fn relist(
        &mut self,
        symbols: &mut Symbols,
        list: &[Arc<SymbolState>],
        stream: Relisted<'_>,
        removed: &mut Vec<Removed>,
        now: Now,
    ) -> Vec<Moved> {
        let last = self.slots[self.last as usize].symbol;
        let mut known: HashMap<SymbolId, Removed> =
            mem::take(removed).into_iter().map(|removed| (removed.slot.symbol, removed)).collect();
        known.values_mut().for_each(|removed| removed.slot.options_changed(stream));
        let mut before: HashMap<SymbolId, Slot> =
            mem::take(&mut self.slots).into_iter().map(|slot| (slot.symbol, slot)).collect();
        let mut slots = Vec::with_capacity(list.len());
        for (place, state) in (0..).zip(list) {
            let subscriber = Subscriber::new(stream.stream, place, stream.options);
            if let Some(mut slot) = before.remove(&state.id()) {
                symbols.resubscribe(slot.symbol, slot.subscriber, subscriber, now);
                slot.link = UNMARKED;
                slot.options_changed(stream);
                slots.push(slot);
                continue;
            }
            let joined = symbols.subscribe(state, subscriber, stream.generation, now);
            slots.push(match known.remove(&state.id()) {
                Some(Removed { mut slot, .. }) => {
                    symbols.read_from(slot.symbol, slot.cursor.next, stream.opened, now);
                    slot.subscriber = joined.subscriber;
                    slot
                }
                None => Slot { is_new: true, ..Slot::new(state.id(), joined.subscriber, joined.cursor) },
            });
        }
        removed.extend(known.into_values());
        let mut moved = Vec::new();
        for mut slot in before.into_values() {
            let place = slot.subscriber;
            let state = symbols.get(slot.symbol).state.clone();
            let subscriber = symbols.unsubscribe(slot.symbol, place, now);
            moved.extend(subscriber.map(|subscriber| Moved { subscriber, place }));
            if !slot.is_new {
                slot.link = UNMARKED;
                slot.options_changed(stream);
                removed.push(Removed { slot, _state: state });
            }
        }
        self.last = slots.iter().position(|slot| slot.symbol == last).unwrap_or(slots.len() - 1) as u32;
        self.slots = slots.into_boxed_slice();
        self.look_at_all();
        moved
    }

    /// Takes over new options for the symbols that it has.
    pub(in crate::fanout) fn reoption(
        &mut self,
        symbols: &mut Symbols,
        stream: Relisted<'_>,
        removed: &mut [Removed],
        now: Now,
    ) {
        removed.iter_mut().for_each(|removed| removed.slot.options_changed(stream));
        for (place, slot) in (0..).zip(&mut self.slots) {
            let subscriber = Subscriber::new(stream.stream, place, stream.options);
            symbols.resubscribe(slot.symbol, slot.subscriber, subscriber, now);
            slot.link = UNMARKED;
            slot.options_changed(stream);
        }
        self.look_at_all();
    }

    /// The client is told which symbols it has.
    pub(in crate::fanout) fn told(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.is_new = false);
    }

    /// No mark stands any longer: the next write looks at all slots, one that goes on after the transport was full in
    /// its own order.
    pub(in crate::fanout) fn look_at_all(&mut self) {
        self.marked = END;
        if self.look == Look::Marked {
            self.look = Look::All;
        }
    }
}

impl Slot {
    /// The stream's options change. What the old ones have left out is still theirs.
    fn options_changed(&mut self, stream: Relisted<'_>) {
        self.left_out |= stream.before.leave_out() && stream.before != stream.options;
    }
}
