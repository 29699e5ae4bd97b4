//! `/debug/cluster`: the nodes and the shards of the cluster, as this node sees them.

use super::sources::DebugSources;
use crate::{
    cluster::{
        bus::{Broker, LinkCounts},
        follower::State,
        handle::{ClusterReport, ShardReport},
        members::Presence,
        message::{DecodeError, READS},
        names::ShardName,
        node_seen::NodeSeen,
        report::{CHANGES, CUT_OFFS, Transition, Volume},
    },
    feed::FeedState,
    market::Now,
};
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;

/// The cluster; `null` for a gateway that is alone.
pub(in crate::admin) fn cluster(sources: &DebugSources) -> Value {
    let Some(handle) = &sources.cluster else { return json!({"now": Now::read().unix.0, "cluster": null}) };
    let ClusterReport {
        cluster,
        node,
        instance,
        connected,
        counts,
        brokers,
        streams,
        has_twin,
        others,
        shards,
        transitions,
        other_version,
    } = handle.report();
    let reaches_brokers = handle.reaches_brokers();
    let owned = shards.iter().filter(|shard| shard.facts.owns).count();
    let connected = connected.map(|(connection, up)| (connection.label().to_owned(), Value::from(up)));
    let links = counts.into_iter().flatten().zip(brokers);
    let links = links.map(|((connection, counts), broker)| (connection.label().to_owned(), link(counts, broker)));
    json!({
        "now": Now::read().unix.0,
        "cluster": cluster,
        "node": {
            "name": node.as_str(),
            "instance": instance.bits(),
            "owned": owned,
            "streams": streams,
            "shares_name": has_twin,
            "reads": READS,
            "other_version": other_version,
        },
        "links": Value::Object(links.collect()),
        "connected": Value::Object(connected.into_iter().collect()),
        "others": others.iter().map(|seen| other(seen, &shards)).collect::<Vec<_>>(),
        "shards": shards.iter().map(|of| shard(of, reaches_brokers)).collect::<Vec<_>>(),
        "transitions": transitions.iter().map(transition).collect::<Vec<_>>(),
    })
}

fn link(LinkCounts { connects, overflows }: LinkCounts, broker: Option<Broker>) -> Value {
    let broker =
        broker.map(|Broker { name, address, version }| json!({"name": name, "address": address, "version": version}));
    json!({"connects": connects, "overflows": overflows, "broker": broker})
}

fn other(other: &NodeSeen, shards: &[ShardReport]) -> Value {
    let NodeSeen { report, age, is } = other;
    let differ = shards.iter().filter(|shard| other.differs_in(&shard.name, shard.facts.list));
    let names =
        |names: &mut dyn Iterator<Item = &ShardName>| names.map(|name| name.as_str().into()).collect::<Vec<Value>>();
    let is = match is {
        Presence::Alive => "alive",
        Presence::Stopped => "stopped",
        Presence::Lost => "lost",
    };
    json!({
        "is": is,
        "name": report.node.as_str(),
        "instance": report.instance.bits(),
        "reported_ms_ago": millis(*age),
        "owned": report.owned,
        "streams": report.streams,
        "drains": report.drains,
        "reads": report.reads,
        "synced": names(&mut report.synced.iter()),
        "feed_fails": names(&mut report.failed.iter()),
        "other_symbols": names(&mut differ.map(|shard| &shard.name)),
    })
}

fn shard(shard: &ShardReport, reaches_brokers: bool) -> Value {
    let ShardReport { name, facts, traffic } = shard;
    // Without the brokers another node may have taken the shard.
    let owner = facts.owner.as_ref().filter(|_| facts.publishes || reaches_brokers);
    let counts = &facts.counts;
    let dropped = DecodeError::ALL.into_iter().map(|error| {
        // What other nodes ask and want has no reason but this one.
        let is_version = error == DecodeError::Version;
        let others = if is_version { traffic.other_version.load(Ordering::Relaxed) } else { 0 };
        (error.name().to_owned(), counts.dropped(error) + others)
    });
    json!({
        "shard": name.as_str(),
        "owner": owner.map(|owner| owner.as_str()),
        "owns": facts.owns,
        "publishes": facts.publishes,
        "state": facts.state,
        "follower": facts.follower.map(State::name),
        "fresh": facts.fresh,
        "synced": facts.synced,
        "term": facts.token.map(|token| token.term),
        "epoch": facts.token.map(|token| token.epoch.to_string()),
        "revision": facts.revision,
        "rank": facts.rank,
        "symbols": facts.list.count(),
        "feed_fails": facts.feed_fails,
        "lease_left_ms": facts.owns.then(|| millis(facts.valid_for)),
        "batch": facts.batch,
        "feed": facts.feed.map(FeedState::name),
        "wanted_elsewhere": facts.wanted,
        "suspended_ms": millis(facts.suspended),
        "owner_changes": named(CHANGES, facts.changes),
        "cut_offs": named(CUT_OFFS, facts.cut_offs),
        "sent": volume(&traffic.sent),
        "received": volume(&traffic.received),
        "not_sent": traffic.refused.load(Ordering::Relaxed),
        "applied": {"batches": counts.batches, "ticks": counts.ticks},
        "gaps": {
            "filled": counts.filled,
            "replaced": counts.replaced,
            "failed": counts.unjoined,
            "ticks_lost": counts.lost,
        },
        "dropped": {
            "fenced": counts.fenced,
            "duplicate": counts.duplicates,
            "unknown": counts.unknown,
            "unreadable": counted(dropped),
        },
    })
}

fn transition(transition: &Transition) -> Value {
    let Transition { at, shard, to, cause, token, revision, .. } = transition;
    json!({
        "at": at.0,
        "shard": shard.as_str(),
        "to": to,
        "cause": cause,
        "term": token.map(|token| token.term),
        "epoch": token.map(|token| token.epoch.to_string()),
        "revision": revision,
    })
}

fn volume(volume: &Volume) -> Value {
    let [messages, bytes, ticks] =
        [&volume.messages, &volume.bytes, &volume.ticks].map(|count| count.load(Ordering::Relaxed));
    json!({"messages": messages, "bytes": bytes, "ticks": ticks})
}

fn named<const N: usize>(names: [&str; N], counts: [u64; N]) -> Value {
    counted(names.into_iter().map(str::to_owned).zip(counts))
}

/// The counts by name, without zeros.
fn counted(counts: impl Iterator<Item = (String, u64)>) -> Value {
    Value::Object(
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| (name, count.into())).collect::<Map<_, _>>(),
    )
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
