//! The workers' counts as metrics.

use super::{close_reason::CloseReason, counts::Counts};
use crate::telemetry::catalog;
use metrics::{Counter, Gauge};

/// Handles of all metrics that the workers count in plain integers.
pub struct StreamMetrics {
    streams: Gauge,
    stalled: Gauge,
    connections: Gauge,
    held: Gauge,
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
        catalog::H2_CONNECTIONS_CLOSED.register_all();
        Self {
            streams: catalog::STREAMS.handle([]),
            stalled: catalog::STREAMS_STALLED.handle([]),
            connections: catalog::H2_CONNECTIONS.handle([]),
            held: catalog::STREAMS_HELD.handle([]),
            opened: catalog::STREAMS_OPENED.handle([]),
            closed: CloseReason::ALL.map(|reason| catalog::STREAMS_CLOSED.handle([reason.name().into()])),
            ticks: catalog::STREAM_TICKS_SENT.handle([]),
            missed: ["lag", "options", "ring"].map(|cause| catalog::STREAM_TICKS_MISSED.handle([cause.into()])),
            bytes: catalog::STREAM_SENT_BYTES.handle([]),
            writes: catalog::STREAM_WRITES.handle([]),
        }
    }

    /// Sets them to the workers' counts, and appends the histograms, which have no handles, to `out`.
    pub fn publish(&self, counts: &Counts, out: &mut String) {
        self.streams.set(counts.streams as f64);
        self.stalled.set(counts.full as f64);
        self.connections.set(counts.connections as f64);
        self.held.set(counts.held as f64);
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
        let delivery = [(["free"], &counts.delivery), (["full"], &counts.delivery_when_full)];
        catalog::TICK_DELIVERY.render(&delivery, out);
        catalog::STREAM_FIRST_TICK.render(&[([], &counts.first_tick)], out);
        catalog::WORKER_TURN.render(&[([], &counts.turns)], out);
    }
}
