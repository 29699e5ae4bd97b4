//! All observations of a run, from which its summary follows.

use super::{checkpoint::Checkpoint, setup::Run};
use crate::{
    measure::{Counters, Second, Usage},
    report::{ClusterSummary, Sample},
    streams::Outcome,
    venue::Command,
};
use std::{collections::HashMap, time::Instant};

/// All observations of a run.
pub(super) struct Observed<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) is_stopped: bool,
    /// How far the clock was set within the run, in µs.
    pub(super) clock_step: i64,
    /// The commands that the venue got in its outages, and when.
    pub(super) commands: Vec<(Instant, Command)>,
    /// From the end of the load to the last tick, in µs; `None` if there was no end to them.
    pub(super) recovery: Option<u64>,
    pub(super) began: i64,
    pub(super) begun: Instant,
    /// What the gateway had used before the first stream.
    pub(super) before: Option<Usage>,
    pub(super) start: Checkpoint,
    pub(super) end: Checkpoint,
    pub(super) cluster: Option<ClusterSummary>,
    pub(super) outcome: Outcome,
    pub(super) samples: Vec<Sample>,
    /// The gateway's counters before and after the run.
    pub(super) counters: Option<(Counters, Counters)>,
    /// The ticks that each stream missed by the gateway's own count, by the gateway's name for the stream.
    pub(super) missed: Option<HashMap<String, u64>>,
}

impl Observed<'_> {
    /// Whether most of a second was within the load.
    pub(super) fn is_of_load(&self, second: &Second) -> bool {
        let since_begin = |at: Instant| at.saturating_duration_since(self.begun).as_secs_f64();
        let middle = second.at - second.length / 2.0;
        middle >= since_begin(self.start.at) && middle <= since_begin(self.end.at)
    }

    /// The length of the measured time in seconds.
    pub(super) fn seconds(&self) -> f64 {
        (self.end.at - self.start.at).as_secs_f64()
    }
}
