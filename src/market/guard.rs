//! The order guard: only newer moves a part of a snapshot.

use super::{Now, Overlap, Sequence, TradeKey, UnixMicros};
use std::time::{Duration, Instant};

/// So many rising low ids prove that the venue numbers a part afresh.
const LOW_IDS_MAX: u32 = 32;
/// Fewer prove it where they go on for so long: of a quiet symbol 32 would take minutes.
const LOW_IDS_MIN: u32 = 3;
const LOW_FOR: Duration = Duration::from_secs(10);

/// What keeps a snapshot from moving back, kept beside it: the highest place in the venue's order of each part, and the
/// keys of the trades that the snapshot holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    pub(crate) trade: Guard,
    pub(crate) quote: Guard,
    pub(crate) stats: Guard,
    pub(crate) status: Guard,
    /// What a correction would call the last trade of the regular session.
    pub(crate) trade_key: Option<TradeKey>,
    /// What a correction would call the last trade outside it.
    pub(crate) ext_key: Option<TradeKey>,
}

/// The highest place in the venue's order that one part has reached.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guard {
    pub(crate) id: Option<u64>,
    pub(crate) time: Option<UnixMicros>,
    /// Low ids since the highest one.
    low: Option<LowRun>,
    /// Whether the successor of two connections has brought an event of the highest time.
    is_of_successor: bool,
}

/// Rising ids far below the highest: either late, or of an engine of the venue that has restarted.
#[derive(Debug, Clone, Copy)]
struct LowRun {
    last: u64,
    count: u32,
    since: Instant,
}

/// What a place in the venue's order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Newer than all before it.
    Newer,
    /// Not newer.
    Late,
    /// Not newer, and the venue seems to number the part afresh: what it says of the part cannot be shown yet.
    Restarting,
}

impl Guard {
    /// A guard that has reached this id and this time, without a suspicion that the venue's ids have restarted.
    pub(crate) fn at(id: Option<u64>, time: Option<UnixMicros>) -> Self {
        Self { id, time, low: None, is_of_successor: false }
    }

    /// Whether any event has had a place.
    pub(super) fn is_reached(&self) -> bool {
        self.id.is_some() || self.time.is_some()
    }

    /// Judges an event at this place. If it is newer, its place is the highest from now on.
    ///
    /// Id and time are kept apart: neither one wild time nor a restart of the venue's ids may shut a part for ever.
    pub(super) fn judge(&mut self, sequence: Sequence, overlap: Overlap, now: Now) -> Judgement {
        let is_newer = match (sequence.id, self.id) {
            _ if sequence.by_arrival => true,
            (Some(id), Some(highest)) => id > highest || self.is_newer_time(sequence.time),
            (Some(_), None) => true,
            (None, _) => !self.is_older_time(sequence.time) && !self.is_repeated(sequence.time, overlap),
        };
        if !is_newer && !self.has_restarted(sequence, now.instant) {
            let seems_restarted = self.low.is_some_and(|run| run.count > 1);
            return if seems_restarted { Judgement::Restarting } else { Judgement::Late };
        }
        let is_of_this_time = self.time >= sequence.time && self.is_of_successor;
        self.is_of_successor = overlap == Overlap::Successor || is_of_this_time;
        self.id = sequence.id.or(self.id);
        self.time = self.time.max(sequence.time);
        self.low = None;
        Judgement::Newer
    }

    /// Whether the predecessor of two connections brings an event of the time of one that its successor has brought.
    fn is_repeated(&self, time: Option<UnixMicros>, overlap: Overlap) -> bool {
        overlap == Overlap::Predecessor && self.is_of_successor && time.is_some() && time == self.time
    }

    fn is_newer_time(&self, time: Option<UnixMicros>) -> bool {
        matches!((time, self.time), (Some(time), Some(highest)) if time > highest)
    }

    fn is_older_time(&self, time: Option<UnixMicros>) -> bool {
        matches!((time, self.time), (Some(time), Some(highest)) if time < highest)
    }

    /// Counts a low id. Returns whether the run proves that the venue's engine has restarted. An id that is late
    /// within the run says nothing; one at or below half of the run's last begins it again, as a second restart would.
    fn has_restarted(&mut self, sequence: Sequence, now: Instant) -> bool {
        let (Some(id), Some(highest)) = (sequence.id, self.id) else { return false };
        if id > highest / 2 || self.is_older_time(sequence.time) {
            return false;
        }
        let (run, rises) = match self.low {
            Some(run) if id > run.last => (LowRun { last: id, count: run.count + 1, ..run }, true),
            Some(run) if id > run.last / 2 => (run, false),
            _ => (LowRun { last: id, count: 1, since: now }, true),
        };
        self.low = Some(run);
        let is_long = run.count >= LOW_IDS_MIN && now.saturating_duration_since(run.since) >= LOW_FOR;
        rises && (run.count >= LOW_IDS_MAX || is_long)
    }
}

impl Guards {
    /// Prepares for a new connection, whose ids may restart: a part that is ordered by ids alone forgets its highest.
    pub(super) fn restart_ids(&mut self) {
        for guard in [&mut self.trade, &mut self.quote, &mut self.stats, &mut self.status] {
            guard.low = None;
            if guard.time.is_none() {
                guard.id = None;
            }
        }
    }
}
