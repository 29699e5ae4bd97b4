//! What all streams share: what they testify to, and what is counted.

use super::{Group, Reads};
use crate::{
    check::{Violations, Wanted, Witness},
    measure::{Ended, Histogram, StreamMeasures},
    wire::{Kind, Tick},
};
use std::time::Duration;

/// What a server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// tickfan's wire: all is checked.
    Tickfan,
    /// Any Server-Sent Events under a path: they are counted.
    Plain {
        /// The path and query that all streams ask for.
        path: String,
    },
}

/// What all streams share.
pub(super) struct Judge {
    pub(super) wire: Wire,
    /// The `host` header.
    pub(super) host: String,
    pub(super) witness: Witness,
    pub(super) violations: Violations,
    pub(super) measures: StreamMeasures,
    /// Of this second.
    pub(super) latency: Histogram,
    /// Of this second.
    pub(super) age: Histogram,
    /// All streams have had their first attempt: from now on, what is measured counts.
    pub(super) is_measuring: bool,
    /// How late a tick may be that others have replaced; `None` while the reading itself is late.
    pub(super) old_after: Option<Duration>,
    /// What the first server said that did not open a stream.
    pub(super) refusal: Option<String>,
    pub(super) last_tick: i64,
}

/// What the streams of a group have in common.
#[derive(Debug, Clone)]
pub(super) struct Kin {
    pub(super) query: String,
    pub(super) wanted: Wanted,
    pub(super) reads: Reads,
    /// The mean time that a stream stays.
    pub(super) stay: Option<Duration>,
}

impl Kin {
    pub(super) fn new(group: &Group) -> Self {
        Self {
            query: group.query.clone(),
            wanted: Wanted::of_query(&group.query),
            reads: group.reads,
            stay: (group.churn > 0.0).then(|| Duration::from_secs_f64(60.0 * 100.0 / group.churn)),
        }
    }
}

impl Judge {
    pub(super) fn new(wire: Wire, host: String, old_after: Option<Duration>) -> Self {
        Self {
            wire,
            host,
            witness: Witness::default(),
            violations: Violations::default(),
            measures: StreamMeasures::default(),
            latency: Histogram::default(),
            age: Histogram::default(),
            is_measuring: false,
            old_after,
            refusal: None,
            last_tick: 0,
        }
    }

    /// Measures a tick that was read at a time by a stream that opened at another.
    pub(super) fn measure(&mut self, tick: Tick, missed: u64, at: i64, opened: i64, reads_at_once: bool) {
        self.measures.ticks += 1;
        self.measures.holes += missed;
        self.last_tick = at;
        // What came to the gateway before is history to this stream, not news.
        if tick.recv < opened {
            return;
        }
        let age = at - tick.recv;
        if !reads_at_once {
            self.measures.slow_age.record(age);
            return;
        }
        self.age.record(age);
        if self.is_measuring {
            self.measures.ticks_measured += 1;
            self.measures.age.record(age);
        }
        let Some(trade_ts) = tick.trade_ts.filter(|_| tick.kind == Kind::Trade) else { return };
        self.measures.exact_times += u64::from(trade_ts % 1_000 != 0);
        self.latency.record(at - trade_ts);
        if self.is_measuring {
            self.measures.latency.record(at - trade_ts);
        }
    }

    /// A server did not open a stream.
    pub(super) fn refuse(&mut self, what: String) -> Ended {
        self.refusal.get_or_insert(what);
        Ended::NoStream
    }
}
