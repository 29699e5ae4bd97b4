//! `/debug/cluster`: the nodes and the shards of the cluster, as this node sees them.

use super::sources::DebugSources;
use crate::{
    cluster::{
        bus::LinkCounts,
        follower::State,
        handle::{ClusterReport, NodeSeen, ShardReport},
        message::DecodeError,
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
    let ClusterReport { cluster, node, instance, connected, counts, streams, has_twin, others, shards, transitions } =
        handle.report();
    let owned = shards.iter().filter(|shard| shard.facts.owns).count();
    let connected = connected.map(|(connection, up)| (connection.label().to_owned(), Value::from(up)));
    let links = counts.map(|counts| counts.map(|(connection, counts)| (connection.label().to_owned(), link(counts))));
    json!({
        "now": Now::read().unix.0,
        "cluster": cluster,
        "node": {
            "name": node.as_str(),
            "instance": instance.bits(),
            "owned": owned,
            "streams": streams,
            "shares_name": has_twin,
        },
        "links": Value::Object(links.into_iter().flatten().collect()),
        "connected": Value::Object(connected.into_iter().collect()),
        "others": others.iter().map(other).collect::<Vec<_>>(),
        "shards": shards.iter().map(shard).collect::<Vec<_>>(),
        "transitions": transitions.iter().map(transition).collect::<Vec<_>>(),
    })
}

fn link(LinkCounts { connects, overflows }: LinkCounts) -> Value {
    json!({"connects": connects, "overflows": overflows})
}

fn other(other: &NodeSeen) -> Value {
    let NodeSeen { report, age } = other;
    json!({
        "name": report.node.as_str(),
        "instance": report.instance.bits(),
        "reported_ms_ago": millis(*age),
        "owned": report.owned,
        "streams": report.streams,
        "drains": report.drains,
        "synced": report.synced.iter().map(|shard| shard.as_str()).collect::<Vec<_>>(),
    })
}

fn shard(shard: &ShardReport) -> Value {
    let ShardReport { name, facts, traffic } = shard;
    let counts = &facts.counts;
    let dropped = DecodeError::ALL.into_iter().map(|error| (error.name().to_owned(), counts.dropped(error)));
    json!({
        "shard": name.as_str(),
        "owner": facts.owner.as_ref().map(|owner| owner.as_str()),
        "owns": facts.owns,
        "publishes": facts.publishes,
        "state": facts.state,
        "follower": facts.follower.map(State::name),
        "fresh": facts.fresh,
        "synced": facts.synced,
        "term": facts.token.map(|token| token.term),
        "epoch": facts.token.map(|token| token.epoch.to_string()),
        "revision": facts.revision,
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
        "gaps": {"filled": counts.filled, "replaced": counts.replaced, "ticks_lost": counts.lost},
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
