//! The order guard: only newer moves a part of a quote.

use super::{Sequence, TradeKey, UnixMicros};

/// What keeps a quote from going back, beside the quote itself: per part the highest place in the venue's order that was
/// seen, and which trades are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    pub(super) trade: Guard,
    pub(super) quote: Guard,
    pub(super) stats: Guard,
    pub(super) status: Guard,
    /// What a correction would call the shown trade of the regular session.
    pub(super) shown: Option<TradeKey>,
    /// What a correction would call the shown trade outside it.
    pub(super) shown_ext: Option<TradeKey>,
}

/// The highest place that was seen of one part.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guard {
    id: Option<u64>,
    time: Option<UnixMicros>,
}

impl Guard {
    /// Whether an event at this place is newer than all before it; if so, that is the highest place now.
    ///
    /// Id and time are kept apart: one wild time or a restart of the venue's ids must not shut a part for ever.
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
    /// A new connection begins: a part that is ordered by ids alone starts anew, for its ids may too.
    pub(super) fn restart_ids(&mut self) {
        for guard in [&mut self.trade, &mut self.quote, &mut self.stats, &mut self.status] {
            if guard.time.is_none() {
                guard.id = None;
            }
        }
    }
}
