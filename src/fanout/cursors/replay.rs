//! Replay: the ticks that a resuming client gets before the newest ones.

use super::{Cursors, Slot};
use crate::{
    cache::Tick,
    fanout::{
        options::Options,
        resume::Resume,
        symbols::{Subscribed, Symbols},
    },
    market::Now,
};
use std::{collections::BinaryHeap, sync::Arc};

/// The most ticks that a replay looks at of parts that the stream does not want: they cost no bytes.
const REPLAY_UNWANTED_MAX: usize = 4_096;

impl Cursors {
    /// Moves the cursors of a new stream back over the ticks that its client has missed: of all symbols together, the
    /// newest that fit its bytes.
    ///
    /// The symbols' ticks are merged from their newest ends, so that only replayed ticks are looked at.
    pub(in crate::fanout) fn replay(&mut self, symbols: &mut Symbols, options: &Options, resume: Resume, now: Now) {
        let mut newest_first = BinaryHeap::new();
        for slot in 0..self.slots.len() {
            newest_first.extend(self.replayed(slot, symbols, resume, now).map(|tick| (tick.id.n, slot)));
        }
        let mut bytes_left = resume.bytes;
        let mut unwanted_left = REPLAY_UNWANTED_MAX;
        while let Some((_, slot)) = newest_first.pop() {
            let Some(tick) = self.replayed(slot, symbols, resume, now).cloned() else { continue };
            if tick.changed.intersects(options.parts()) {
                let bytes = self.replayed_bytes(slot, symbols, &tick, options);
                // Where one tick does not fit, no older one may come, of any symbol.
                let Some(left) = bytes_left.checked_sub(bytes) else { return };
                bytes_left = left;
            } else {
                let Some(left) = unwanted_left.checked_sub(1) else { return };
                unwanted_left = left;
            }
            self.slots[slot].cursor.next = tick.version;
            newest_first.extend(self.replayed(slot, symbols, resume, now).map(|tick| (tick.id.n, slot)));
        }
    }

    /// The bytes that a replayed tick adds to the stream. Of a row of patches only the first tick comes whole: a tick
    /// before the row adds the patch that the one behind it becomes.
    fn replayed_bytes(&self, slot: usize, symbols: &Symbols, tick: &Tick, options: &Options) -> usize {
        let Slot { cursor, symbol, .. } = &self.slots[slot];
        let Subscribed { state, recent, .. } = symbols.get(*symbol);
        let is_sent = |next: &&Arc<Tick>| next.changed.intersects(options.parts()) || next.version == cursor.initial;
        match recent.get(cursor.next).filter(is_sent).filter(|next| options.patches() && next.follows(tick)) {
            Some(next) => state.patch(next, tick).len(),
            None => state.frame(tick).len(),
        }
    }

    /// The tick before a slot's cursor, if its client has missed it.
    fn replayed<'a>(&self, slot: usize, symbols: &'a mut Symbols, resume: Resume, now: Now) -> Option<&'a Arc<Tick>> {
        let slot = &self.slots[slot];
        let Subscribed { state, recent, .. } = symbols.find(slot.symbol)?;
        recent.replayed(state, slot.cursor.next, resume.after, now.instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, RingLimits, WorkerIndex, WorkerMask},
        fanout::{
            recent_ticks::{OLDER_AT_A_TIME, RecentLimits},
            stream_key::StreamKey,
            symbols::Subscriber,
        },
        market::{Origin, Part, Parts, TradeUpdate, Update},
        wire::Epoch,
    };
    use std::{collections::VecDeque, time::Duration};

    fn worker(index: usize) -> WorkerMask {
        WorkerMask::only(WorkerIndex::new(index).unwrap())
    }

    /// How many ticks a worker holds of 100 symbols with 200 trades each once a stream has resumed before them all.
    fn looked_at(parts: Parts, bytes: usize) -> usize {
        const SYMBOLS: usize = 100;
        let now = Now::read();
        let age = Duration::from_secs(10);
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 256, age });
        let options = Options::new(age).on(parts);
        let mut symbols = Symbols::new(worker(0), RecentLimits { max_lag: age, count: 256 }, false);
        let trade = Update { trade: Some(TradeUpdate::default()), ..Update::default() };
        let mut slots = Vec::new();
        let mut ids = Vec::new();
        for slot in 0..SYMBOLS {
            let state = cache.register(format!("S{slot}").parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
            state.join(worker(1), Parts::ALL, &mut VecDeque::new()); // another worker keeps the ring full
            (0..200).for_each(|_| _ = state.publish(&trade, now));
            ids.push(state.id());
            let subscriber = Subscriber::new(StreamKey::default(), slot as u32, &options);
            slots.push(Slot::new(state.id(), 0, symbols.subscribe(&state, subscriber, 0, now).cursor));
        }
        Cursors::new(slots.into()).replay(&mut symbols, &options, Resume { after: 0, bytes }, now);
        ids.into_iter().map(|id| symbols.get(id).recent.len()).sum()
    }

    #[test]
    fn rule_10_a_replay_looks_at_few_ticks_whatever_rings_hold_and_parts_are_wanted() {
        let at_least = 100 * (1 + OLDER_AT_A_TIME);
        assert_eq!(looked_at(Parts::ALL, 0), at_least);
        for (parts, bytes, more) in [
            (Parts::ALL, 64 * 1024, 64 * 1024 / 100),
            (Parts::from_iter([Part::Stats, Part::Status]), 64 * 1024, REPLAY_UNWANTED_MAX),
        ] {
            let looked_at = looked_at(parts, bytes);
            assert!((at_least..=at_least + more + OLDER_AT_A_TIME).contains(&looked_at), "{looked_at} ticks");
        }
    }
}
