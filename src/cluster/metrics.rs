//! The metrics of the bus and of leases. Tasks count with them.

use super::{
    bus::{Connection, Sent},
    follower::Counts,
    lease::WriteAnswer,
    message::DecodeError,
};
use crate::telemetry::{
    cluster_catalog as catalog,
    labels::{Counters, Label as _, labels},
};
use metrics::{Counter, Gauge, Histogram};
use std::time::Duration;

labels! {
    /// Why a message was dropped.
    pub enum Dropped {
        /// Its owner has been replaced.
        Fenced = "fenced",
        /// It came again.
        Duplicate = "duplicate",
        /// A tick of a symbol that this node does not have.
        Unknown = "unknown",
        /// [`DecodeError::Magic`]
        Magic = "magic",
        /// [`DecodeError::Crc`]
        Crc = "crc",
        /// [`DecodeError::Version`]
        Version = "version",
        /// [`DecodeError::Length`]
        Length = "length",
        /// [`DecodeError::Index`]
        Index = "index",
        /// [`DecodeError::Value`]
        Value = "value",
        /// Messages came faster than they were read.
        Overflow = "overflow",
        /// The connection was down, or had no room.
        Unsent = "unsent",
    }
}

labels! {
    /// What filled a hole in the batches.
    enum Repair {
        History = "history",
        Snapshot = "snapshot",
    }
}

labels! {
    enum LeaseWrite {
        Written = "written",
        Conflict = "conflict",
        Unknown = "unknown",
    }
}

/// Handles to the metrics, of all shards of a node together.
pub struct BusMetrics {
    connected: [Gauge; Connection::ALL.len()],
    reconnects: [Counter; Connection::ALL.len()],
    sent: Flow,
    received: Flow,
    dropped: Counters<Dropped>,
    gaps: Counters<Repair>,
    lost: Counter,
    delay: Histogram,
    lease_writes: Counters<LeaseWrite>,
}

/// One direction.
struct Flow {
    batches: Counter,
    ticks: Counter,
    bytes: Counter,
}

impl Flow {
    fn register(direction: &'static str) -> Self {
        Self {
            batches: catalog::BUS_BATCHES.handle([direction.into()]),
            ticks: catalog::BUS_TICKS.handle([direction.into()]),
            bytes: catalog::BUS_BYTES.handle([direction.into()]),
        }
    }
}

impl BusMetrics {
    /// Registers them with the installed recorder. Both connections count as down.
    pub fn register() -> Self {
        let metrics = Self {
            connected: Connection::ALL.map(|connection| catalog::BUS_CONNECTED.handle([connection.label().into()])),
            reconnects: Connection::ALL.map(|connection| catalog::BUS_RECONNECTS.handle([connection.label().into()])),
            sent: Flow::register("sent"),
            received: Flow::register("received"),
            dropped: Counters::register(|reason| catalog::BUS_DROPPED.handle([reason.into()])),
            gaps: Counters::register(|repair| catalog::BUS_GAPS.handle([repair.into()])),
            lost: catalog::BUS_TICKS_LOST.handle([]),
            delay: catalog::BUS_DELAY.handle([]),
            lease_writes: Counters::register(|result| catalog::CLUSTER_LEASE_WRITES.handle([result.into()])),
        };
        metrics.connected.iter().for_each(|gauge| gauge.set(0.0));
        metrics
    }

    /// A connection is up or down. `is_again`: it was up before, and comes back.
    pub fn connected(&self, connection: Connection, is_up: bool, is_again: bool) {
        self.connected[connection as usize].set(if is_up { 1.0 } else { 0.0 });
        if is_up && is_again {
            self.reconnects[connection as usize].increment(1);
        }
    }

    /// An owner has published a batch of so many ticks and bytes.
    pub fn published(&self, ticks: u64, bytes: u64, sent: Sent) {
        match sent {
            Sent::Sent => {
                self.sent.batches.increment(1);
                self.sent.ticks.increment(ticks);
                self.sent.bytes.increment(bytes);
            }
            Sent::Dropped => self.dropped.count(Dropped::Unsent),
        }
    }

    /// A message of so many bytes has come.
    pub fn came(&self, bytes: u64) {
        self.received.bytes.increment(bytes);
    }

    /// A batch took so long from its sealing to its arrival.
    pub fn took(&self, delay: Duration) {
        self.delay.record(delay.as_secs_f64());
    }

    /// Adds what a follower has counted since the counts before.
    pub fn followed(&self, before: &Counts, now: &Counts) {
        let since = |field: fn(&Counts) -> u64| field(now).saturating_sub(field(before));
        self.received.batches.increment(since(|counts| counts.batches));
        self.received.ticks.increment(since(|counts| counts.ticks));
        self.lost.increment(since(|counts| counts.lost));
        self.gaps.add(Repair::History, since(|counts| counts.filled));
        self.gaps.add(Repair::Snapshot, since(|counts| counts.replaced));
        self.dropped.add(Dropped::Fenced, since(|counts| counts.fenced));
        self.dropped.add(Dropped::Duplicate, since(|counts| counts.duplicates));
        self.dropped.add(Dropped::Unknown, since(|counts| counts.unknown));
        for error in DecodeError::ALL {
            self.dropped.add(unread(error), now.dropped(error).saturating_sub(before.dropped(error)));
        }
    }

    /// So many messages were dropped for this reason.
    pub fn dropped(&self, reason: Dropped, count: u64) {
        self.dropped.add(reason, count);
    }

    /// A lease's write was answered, or not.
    pub fn wrote(&self, answer: WriteAnswer) {
        self.lease_writes.count(match answer {
            WriteAnswer::Written(_) => LeaseWrite::Written,
            WriteAnswer::Conflict => LeaseWrite::Conflict,
            WriteAnswer::Unknown => LeaseWrite::Unknown,
        });
    }
}

fn unread(error: DecodeError) -> Dropped {
    match error {
        DecodeError::Magic => Dropped::Magic,
        DecodeError::Crc => Dropped::Crc,
        DecodeError::Version => Dropped::Version,
        DecodeError::Length => Dropped::Length,
        DecodeError::Index => Dropped::Index,
        DecodeError::Value => Dropped::Value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Label;
    use metrics_exporter_prometheus::PrometheusBuilder;

    /// The lines of the metrics that are not zero, without the prefix.
    fn counted(count: impl FnOnce(&BusMetrics)) -> Vec<String> {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = metrics::with_local_recorder(&recorder, BusMetrics::register);
        count(&metrics);
        let text = recorder.handle().render();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0") && !line.is_empty());
        let mut lines: Vec<String> = lines.map(|line| line.trim_start_matches("tickfan_").to_owned()).collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_labels_are_those_of_the_catalog() {
        let values = |metric: &crate::telemetry::Metric| metric.labels[0].values.to_vec();
        let metric = |name: &str| {
            let mut metrics = catalog::SECTIONS.iter().flat_map(|(_, metrics)| *metrics);
            values(metrics.find(|metric| metric.name == name).unwrap())
        };
        fn all<L: Label>() -> Vec<&'static str> {
            L::ALL.iter().map(|label| label.label()).collect()
        }
        assert_eq!(all::<Dropped>(), metric("tickfan_bus_dropped_total"));
        assert_eq!(all::<Repair>(), metric("tickfan_bus_gaps_total"));
        assert_eq!(all::<LeaseWrite>(), metric("tickfan_cluster_lease_writes_total"));
        assert_eq!(Connection::ALL.map(Connection::label).to_vec(), metric("tickfan_bus_connected"));
        assert!(DecodeError::ALL.iter().all(|error| unread(*error).label() == error.name()));
    }

    #[test]
    fn a_followers_counts_are_added_once() {
        let before = Counts { batches: 5, ticks: 50, fenced: 1, lost: 2, ..Counts::default() };
        let now = Counts { batches: 7, ticks: 53, fenced: 1, lost: 2, filled: 4, replaced: 1, ..Counts::default() };
        let lines = counted(|metrics| {
            metrics.followed(&before, &now);
            metrics.followed(&now, &now);
        });
        let expected = [
            "bus_batches_total{direction=\"received\"} 2",
            "bus_gaps_total{repair=\"history\"} 4",
            "bus_gaps_total{repair=\"snapshot\"} 1",
            "bus_ticks_total{direction=\"received\"} 3",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn connections_messages_and_writes_are_counted() {
        let lines = counted(|metrics| {
            metrics.connected(Connection::Control, true, false);
            metrics.connected(Connection::Live, true, true);
            metrics.published(3, 200, Sent::Sent);
            metrics.published(1, 90, Sent::Dropped);
            metrics.came(70);
            metrics.dropped(Dropped::Overflow, 6);
            metrics.wrote(WriteAnswer::Written(9));
            metrics.wrote(WriteAnswer::Unknown);
        });
        let expected = [
            "bus_batches_total{direction=\"sent\"} 1",
            "bus_bytes_total{direction=\"received\"} 70",
            "bus_bytes_total{direction=\"sent\"} 200",
            "bus_connected{connection=\"control\"} 1",
            "bus_connected{connection=\"live\"} 1",
            "bus_dropped_total{reason=\"overflow\"} 6",
            "bus_dropped_total{reason=\"unsent\"} 1",
            "bus_reconnects_total{connection=\"live\"} 1",
            "bus_ticks_total{direction=\"sent\"} 3",
            "cluster_lease_writes_total{result=\"unknown\"} 1",
            "cluster_lease_writes_total{result=\"written\"} 1",
        ];
        assert_eq!(lines, expected);
    }
}
