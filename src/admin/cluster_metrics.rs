//! The metrics of a cluster, which its tasks count in plain integers.

use crate::{
    cluster::{
        bus::LinkCounts,
        handle::{ClusterHandle, ClusterReport, ShardReport},
        message::DecodeError,
        report::{CHANGES, CUT_OFFS, WRITES},
    },
    telemetry::catalog,
};
use metrics::SharedString;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Publishes what the node knows of its cluster; appends to `rendered` what the recorder does not hold.
pub(super) fn publish(cluster: &ClusterHandle, rendered: &mut String) {
    let report = cluster.report();
    let alive = report.others.iter().filter(|other| other.is_alive()).count();
    catalog::CLUSTER_NODES.handle([]).set((alive + 1) as f64);
    for (connection, is_up) in report.connected {
        catalog::BUS_CONNECTED.handle([connection.label().into()]).set(f64::from(u8::from(is_up)));
    }
    catalog::CLUSTER_SHARES_NAME.handle([]).set(f64::from(u8::from(report.has_twin)));
    for (connection, LinkCounts { connects, overflows }) in report.counts.into_iter().flatten() {
        let connection = || SharedString::from(connection.label());
        catalog::BUS_RECONNECTS.handle([connection()]).absolute(connects.saturating_sub(1));
        catalog::BUS_OVERFLOWS.handle([connection()]).absolute(overflows);
    }
    for shard in &report.shards {
        publish_shard(shard);
        let differ = report.others.iter().filter(|other| other.differs_in(&shard.name, shard.facts.list)).count();
        catalog::CLUSTER_LISTS_DIFFER.handle([shard.name.as_str().to_owned().into()]).set(differ as f64);
    }
    publish_sums(&report);
    // The recorder would keep the series of a node that has ceased to own for ever.
    let clocks: Vec<_> = clocks(&report.shards).into_iter().map(|(node, seconds)| ([node], seconds)).collect();
    catalog::CLUSTER_CLOCK_OFFSET.render(&clocks, rendered);
    // The recorder's counters are whole numbers, and a suspension is often shorter than a second.
    let suspended = report.shards.iter().map(|shard| ([shard.name.as_str()], shard.facts.suspended.as_secs_f64()));
    catalog::CLUSTER_SUSPENDED.render(&suspended.collect::<Vec<_>>(), rendered);
    let delays: Vec<_> = report.shards.iter().map(|shard| ([shard.name.as_str()], &shard.facts.delay)).collect();
    catalog::BUS_DELAY.render(&delays, rendered);
}

fn publish_shard(ShardReport { name, facts, .. }: &ShardReport) {
    let shard = || SharedString::from(name.as_str().to_owned());
    let flag = |is_set: bool| f64::from(u8::from(is_set));
    catalog::CLUSTER_OWNED.handle([shard()]).set(flag(facts.owns));
    catalog::CLUSTER_SHARD_FRESH.handle([shard()]).set(flag(facts.fresh));
    catalog::CLUSTER_FEED_FAILS.handle([shard()]).set(flag(facts.feed_fails));
    catalog::CLUSTER_TERM.handle([shard()]).set(facts.token.map_or(0, |token| token.term) as f64);
    catalog::CLUSTER_LEASE_VALID.handle([shard()]).set(facts.valid_for.as_secs_f64());
    for (change, count) in CHANGES.into_iter().zip(facts.changes) {
        catalog::CLUSTER_OWNER_CHANGES.handle([shard(), change.into()]).absolute(count);
    }
    for (reason, count) in CUT_OFFS.into_iter().zip(facts.cut_offs) {
        catalog::CLUSTER_CUT_OFFS.handle([shard(), reason.into()]).absolute(count);
    }
}

/// By how much the clock of each owner is ahead, in seconds; of several shards of a node, the greatest difference.
fn clocks(shards: &[ShardReport]) -> BTreeMap<&str, f64> {
    let mut clocks = BTreeMap::new();
    for ShardReport { facts, .. } in shards {
        if let (Some(owner), Some(micros)) = (&facts.owner, facts.clock_ahead_micros) {
            let (seconds, of) = (micros as f64 / 1e6, clocks.entry(owner.as_str()).or_insert(0.0_f64));
            if seconds.abs() > of.abs() {
                *of = seconds;
            }
        }
    }
    clocks
}

/// The sums over all shards.
fn publish_sums(report: &ClusterReport) {
    let facts = |count: fn(&ShardReport) -> u64| report.shards.iter().map(count).sum::<u64>();
    let traffic = |counter: fn(&ShardReport) -> &AtomicU64| -> u64 {
        report.shards.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
    };
    let both = [
        ("sent", traffic(|shard| &shard.traffic.sent.messages), traffic(|shard| &shard.traffic.sent.bytes)),
        ("received", traffic(|shard| &shard.traffic.received.messages), traffic(|shard| &shard.traffic.received.bytes)),
    ];
    for (direction, messages, bytes) in both {
        catalog::BUS_BATCHES.handle([direction.into()]).absolute(messages);
        catalog::BUS_BYTES.handle([direction.into()]).absolute(bytes);
    }
    catalog::BUS_TICKS.handle(["sent".into()]).absolute(traffic(|shard| &shard.traffic.sent.ticks));
    catalog::BUS_TICKS.handle(["received".into()]).absolute(facts(|shard| shard.facts.counts.ticks));
    for (place, result) in WRITES.into_iter().enumerate() {
        let count = report.shards.iter().map(|shard| shard.traffic.lease_writes[place].load(Ordering::Relaxed)).sum();
        catalog::CLUSTER_LEASE_WRITES.handle([result.into()]).absolute(count);
    }
    let dropped = [
        ("fenced", facts(|shard| shard.facts.counts.fenced)),
        ("duplicate", facts(|shard| shard.facts.counts.duplicates)),
        ("unknown", facts(|shard| shard.facts.counts.unknown)),
        ("not_sent", traffic(|shard| &shard.traffic.refused)),
    ];
    for (reason, count) in dropped {
        catalog::BUS_DROPPED.handle([reason.into()]).absolute(count);
    }
    for error in DecodeError::ALL {
        let mut count: u64 = report.shards.iter().map(|shard| shard.facts.counts.dropped(error)).sum();
        if error == DecodeError::Version {
            count += report.other_version + traffic(|shard| &shard.traffic.other_version);
        }
        catalog::BUS_DROPPED.handle([error.name().into()]).absolute(count);
    }
    catalog::BUS_GAPS.handle(["history".into()]).absolute(facts(|shard| shard.facts.counts.filled));
    catalog::BUS_GAPS.handle(["snapshot".into()]).absolute(facts(|shard| shard.facts.counts.replaced));
    catalog::BUS_GAPS.handle(["failed".into()]).absolute(facts(|shard| shard.facts.counts.unjoined));
    catalog::BUS_TICKS_LOST.handle([]).absolute(facts(|shard| shard.facts.counts.lost));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::report::ShardFacts;

    fn shard(name: &str, owner: Option<&str>, clock_ahead_micros: Option<i64>) -> ShardReport {
        let facts = ShardFacts {
            owner: owner.map(|owner| owner.parse().unwrap()),
            clock_ahead_micros,
            ..ShardFacts::default()
        };
        ShardReport { name: name.parse().unwrap(), facts, traffic: Default::default() }
    }

    #[test]
    fn the_clock_of_an_owner_has_one_series_for_as_long_as_it_owns() {
        let mut shards = [
            shard("v.0", Some("gw-2"), Some(1_000)),
            shard("w.0", Some("gw-2"), Some(-300_000)),
            shard("x.0", Some("gw-3"), Some(0)),
            shard("y.0", None, Some(7)),
            shard("z.0", Some("gw-4"), None),
        ];
        assert_eq!(clocks(&shards), [("gw-2", -0.3), ("gw-3", 0.0)].into());
        shards[0].facts.owner = Some("gw-3".parse().unwrap());
        shards[1].facts.owner = Some("gw-3".parse().unwrap());
        assert_eq!(clocks(&shards), [("gw-3", -0.3)].into());
    }
}
