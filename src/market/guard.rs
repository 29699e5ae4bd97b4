//! The order guard: only newer moves a part of a snapshot.

use super::{Sequence, TradeKey, UnixMicros};

/// What keeps a snapshot from moving back, kept beside it: the highest place in the venue's order of each part, and the
/// keys of the trades that the snapshot holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    pub(super) trade: Guard,
    pub(super) quote: Guard,
    pub(super) stats: Guard,
    pub(super) status: Guard,
    /// What a correction would call the last trade of the regular session.
    pub(super) trade_key: Option<TradeKey>,
    /// What a correction would call the last trade outside it.
    pub(super) ext_key: Option<TradeKey>,
}

/// The highest place in the venue's order that one part has reached.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guard {
    id: Option<u64>,
    time: Option<UnixMicros>,
}

impl Guard {
    /// Returns whether an event at this place is newer than all before it. If so, its place is the highest from now on.
    ///
    /// Id and time are kept apart: neither one wild time nor a restart of the venue's ids may shut a part for ever.
    pub(super) fn admits(&mut self, sequence: Sequence) -> bool {
        let newer_time = matches!((sequence.time, self.time), (Some(time), Some(highest)) if time > highest);
        let admitted = match (sequence.id, self.id) {
            _ if sequence.by_arrival => true,
            (Some(id), Some(highest)) => id > highest || newer_time,
            (Some(_), None) => true,
            (None, _) => !matches!((sequence.time, self.time), (Some(time), Some(highest)) if time < highest),
        };
        if admitted {
            self.id = sequence.id.or(self.id);
            self.time = self.time.max(sequence.time);
        }
        admitted
    }
}

impl Guards {
    /// Prepares for a new connection, whose ids may restart: a part that is ordered by ids alone forgets its highest.
    pub(super) fn restart_ids(&mut self) {
        for guard in [&mut self.trade, &mut self.quote, &mut self.stats, &mut self.status] {
            if guard.time.is_none() {
                guard.id = None;
            }
        }
    }
}
