//! The metrics of a cluster. A single gateway does not have them, so they stand apart from its [catalog](super::catalog).

use super::{
    catalog::{catalog, kind},
    metric::{Counter, Gauge, Kind, Label, Metric, Samples},
};
use metrics::Unit;

catalog! {
    "Clusters" {
        BUS_CONNECTED: Gauge "tickfan_bus_connected" Count [connection in ["live", "control"]],
            "1 while this connection to a broker is up, otherwise 0.",
            details "`live` carries ticks; `control` carries leases, asks and what nodes say of themselves.";
        BUS_RECONNECTS: Counter "tickfan_bus_reconnects_total" Count [connection in ["live", "control"]],
            "Connections to a broker that were made again, by connection.";
        BUS_BATCHES: Counter "tickfan_bus_batches_total" Count [direction in ["sent", "received"]],
            "Batches of ticks, by direction.",
            details "`received` counts those that were applied.",
            excludes "beats, and the parts of snapshots";
        BUS_TICKS: Counter "tickfan_bus_ticks_total" Count [direction in ["sent", "received"]],
            "Ticks in batches and snapshots, by direction.",
            details "`received` counts those that were new.";
        BUS_BYTES: Counter "tickfan_bus_bytes_total" Bytes [direction in ["sent", "received"]],
            "Bytes of messages, by direction.",
            excludes "what the protocol of the brokers adds";
        BUS_DROPPED: Counter "tickfan_bus_dropped_total" Count [reason in [
            "fenced", "duplicate", "unknown", "magic", "crc", "version", "length", "index", "value", "overflow", "unsent"]],
            "Messages that were dropped, by reason.",
            details "`fenced`: of an owner that has been replaced. `duplicate`: a batch that came again. `unknown`: ticks of symbols that this node does not have. `overflow`: they came faster than they were read. `unsent`: the connection was down, or had no room. The others cannot be read; `version` is of a newer node.";
        BUS_GAPS: Counter "tickfan_bus_gaps_total" Count [repair in ["history", "snapshot"]],
            "Holes in a shard's batches, by what filled them.",
            details "With `history` no tick is lost.";
        BUS_TICKS_LOST: Counter "tickfan_bus_ticks_lost_total" Count [],
            "Ticks of other nodes' shards that never came.",
            details "Clients of this node have missed them; each has the newest.";
        BUS_DELAY: Samples "tickfan_bus_delay_seconds" Seconds [],
            "From the sealing of a batch by its owner to its arrival.",
            details "Clocks need not agree: the least delay that was possible counts as zero.";
        CLUSTER_LEASE_WRITES: Counter "tickfan_cluster_lease_writes_total" Count [result in ["written", "conflict", "unknown"]],
            "Writes of leases, by result.",
            details "`unknown`: without an answer in time.";
    }
}
