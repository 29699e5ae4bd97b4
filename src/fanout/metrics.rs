//! The workers' counts as metrics.

use super::{close_reason::CloseReason, counts::Counts};
use crate::telemetry::{names, render_histogram as render};
use metrics::{Counter, Gauge, counter, gauge};

/// Handles of all metrics that the workers count in plain integers.
pub struct StreamMetrics {
    streams: Gauge,
    stalled: Gauge,
    opened: Counter,
    closed: [Counter; CloseReason::ALL.len()],
    ticks: Counter,
    missed: [Counter; 3],
    bytes: Counter,
    writes: Counter,
}

impl StreamMetrics {
    /// Registers them with the installed recorder.
    pub fn register() -> Self {
        Self {
            streams: gauge!(names::STREAMS),
            stalled: gauge!(names::STREAMS_STALLED),
            opened: counter!(names::STREAMS_OPENED),
            closed: CloseReason::ALL.map(|reason| counter!(names::STREAMS_CLOSED, "reason" => reason.name())),
            ticks: counter!(names::STREAM_TICKS_SENT),
            missed: ["lag", "options", "ring"].map(|cause| counter!(names::STREAM_TICKS_MISSED, "cause" => cause)),
            bytes: counter!(names::STREAM_SENT_BYTES),
            writes: counter!(names::STREAM_WRITES),
        }
    }

    /// Sets them to the workers' counts, and appends the histograms, which have no handles, to `out`.
    pub fn publish(&self, counts: &Counts, out: &mut String) {
        self.streams.set(counts.streams as f64);
        self.stalled.set(counts.full as f64);
        self.opened.absolute(counts.opened);
        for (counter, count) in self.closed.iter().zip(counts.closed) {
            counter.absolute(count);
        }
        self.ticks.absolute(counts.ticks);
        let missed = [counts.missed.lag, counts.missed.options, counts.missed.ring];
        for (counter, count) in self.missed.iter().zip(missed) {
            counter.absolute(count);
        }
        self.bytes.absolute(counts.bytes);
        self.writes.absolute(counts.writes);
        let delivery = [("transport=\"free\"", &counts.delivery), ("transport=\"full\"", &counts.delivery_when_full)];
        render(names::TICK_DELIVERY, names::TICK_DELIVERY_HELP, &delivery, out);
        render(names::STREAM_FIRST_TICK, names::STREAM_FIRST_TICK_HELP, &[("", &counts.first_tick)], out);
        render(names::WORKER_TURN, names::WORKER_TURN_HELP, &[("", &counts.turns)], out);
    }
}
