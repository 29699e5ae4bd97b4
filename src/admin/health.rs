//! Whether the gateway should get clients: a pure verdict on its current status.

use crate::{
    cluster::{handle::ClusterHealth, names::ShardName},
    feed::FeedState,
    issuer::KeysStatus,
};
use std::{sync::Arc, time::Duration};

/// How long readiness waits for every feed's first verdict. After that the gateway gets clients, whose symbols are
/// `waiting`.
pub const FIRST_VERDICTS_MAX: Duration = Duration::from_secs(30);
/// The share of its streams, in percent, from which a gateway is not ready for more.
const STREAMS_FULL_PERCENT: usize = 95;
/// A node of a cluster whose brokers are all out of reach for so long is not ready: others may still see them.
const BROKERS_DOWN_MAX: Duration = Duration::from_secs(10);

/// A feed and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHealth {
    /// The feed's name.
    pub feed: Arc<str>,
    /// Its state; `Connecting` until its first verdict.
    pub state: FeedState,
}

/// What readiness depends on.
#[derive(Debug, Clone)]
pub struct HealthInputs {
    /// How long it has been running.
    pub uptime: Duration,
    /// Whether it was ready before. Then no feed that a reload starts, and no connection that a stream's symbol takes,
    /// makes it less so before it has failed.
    pub was_ready: bool,
    /// Whether it is ending its streams.
    pub draining: bool,
    /// Its feeds.
    pub feeds: Vec<FeedHealth>,
    /// How many streams are open.
    pub streams: usize,
    /// The limit of open streams.
    pub streams_limit: usize,
    /// The keys without which no client can sign on, where each must and none were there since the start.
    pub keys_awaited: Option<KeysStatus>,
    /// Where the gateway is a node of a cluster.
    pub cluster: Option<NodeHealth>,
}

/// What the readiness of a node of a cluster depends on.
#[derive(Debug, Clone)]
pub struct NodeHealth {
    /// How the cluster is, as the node sees it.
    pub cluster: ClusterHealth,
    /// How old ticks may be for a client to resume at them.
    pub ring_age: Duration,
}

/// Why a gateway is not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It ends its streams and stops.
    #[error("draining: the gateway ends its streams and stops")]
    Draining,
    /// Nearly all of its streams are open.
    #[error("{streams} of {limit} streams are open: send clients elsewhere, or raise [limits] streams")]
    Full {
        /// How many are open.
        streams: usize,
        /// The limit.
        limit: usize,
    },
    /// Each client must sign on, and none can: the issuer's keys were never there. Keys that are lost later do not
    /// count: the other gateways have then lost theirs too. A browser that is told `busy` comes back by itself, while
    /// the error of a load balancer without gateways ends its stream for good.
    #[error("no keys: clients cannot sign on before the issuer's keys are there, from {place}{}", because(.failure))]
    NoKeys {
        /// Where they come from.
        place: String,
        /// Why the last fetch failed, if it did.
        failure: Option<String>,
    },
    /// It has just started, and lacks the state of some shards.
    #[error("waiting for the state of: {}", names(.0))]
    Unsynced(Vec<ShardName>),
    /// It has just got the state of all shards: a client that comes from another node could not resume here.
    #[error("not long enough in the cluster: its rings are {has:.1?} old, and have to reach back {needs:.1?}")]
    YoungRings {
        /// How long it has had the state of all shards.
        has: Duration,
        /// How long it must have had it.
        needs: Duration,
    },
    /// All brokers are out of reach.
    #[error("cut off from all brokers for {} s", .0.as_secs())]
    NoBrokers(Duration),
    /// It has just started, and some feeds have no verdict yet.
    #[error("waiting for a first verdict of: {0}")]
    Starting(String),
    /// Every feed has failed.
    #[error("every feed has failed: {0}")]
    Failed(String),
}

impl HealthInputs {
    /// Judges whether clients should be sent here.
    ///
    /// # Errors
    /// The first reason why not, in the order of [`NotReady`].
    pub fn judge(&self) -> Result<(), NotReady> {
        if self.draining {
            return Err(NotReady::Draining);
        }
        if self.streams * 100 >= self.streams_limit * STREAMS_FULL_PERCENT {
            return Err(NotReady::Full { streams: self.streams, limit: self.streams_limit });
        }
        if let Some(keys) = &self.keys_awaited {
            return Err(NotReady::NoKeys { place: keys.source.clone(), failure: keys.failure.clone() });
        }
        if let Some(node) = &self.cluster {
            self.judge_node(node)?;
        }
        let is_starting = !self.was_ready && self.uptime < FIRST_VERDICTS_MAX;
        if is_starting && self.feeds.iter().any(|feed| feed.state == FeedState::Connecting) {
            return Err(NotReady::Starting(self.names(FeedState::Connecting)));
        }
        if self.feeds.iter().all(|feed| feed.state == FeedState::Failed) {
            return Err(NotReady::Failed(self.names(FeedState::Failed)));
        }
        Ok(())
    }

    /// Judges a node of a cluster. A stale shard does not count: the other nodes would be as stale.
    fn judge_node(&self, NodeHealth { cluster, ring_age }: &NodeHealth) -> Result<(), NotReady> {
        if let Some(down) = cluster.down_for.filter(|down| *down >= BROKERS_DOWN_MAX) {
            return Err(NotReady::NoBrokers(down));
        }
        match cluster.synced_for {
            None if self.uptime < FIRST_VERDICTS_MAX => Err(NotReady::Unsynced(cluster.unsynced.clone())),
            Some(has) if has < *ring_age => Err(NotReady::YoungRings { has, needs: *ring_age }),
            _ => Ok(()),
        }
    }

    fn names(&self, state: FeedState) -> String {
        let names = self.feeds.iter().filter(|feed| feed.state == state).map(|feed| &*feed.feed);
        names.collect::<Vec<_>>().join(", ")
    }
}

fn names(shards: &[ShardName]) -> String {
    shards.iter().map(ShardName::as_str).collect::<Vec<_>>().join(", ")
}

/// The end of a sentence, with the reason if there is one.
fn because(reason: &Option<String>) -> String {
    reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use FeedState::{Connecting as Pending, Failed, Live, Quiet};

    fn judge(uptime: u64, feeds: &[FeedState], draining: bool, streams: usize) -> Result<(), NotReady> {
        let feeds = feeds.iter().zip(["a", "b", "c"]);
        let feeds = feeds.map(|(&state, name)| FeedHealth { feed: name.into(), state }).collect();
        inputs(uptime, feeds, draining, streams).judge()
    }

    fn inputs(uptime: u64, feeds: Vec<FeedHealth>, draining: bool, streams: usize) -> HealthInputs {
        let uptime = Duration::from_secs(uptime);
        HealthInputs {
            uptime,
            was_ready: false,
            draining,
            feeds,
            streams,
            streams_limit: 1_000,
            keys_awaited: None,
            cluster: None,
        }
    }

    #[test]
    fn a_gateway_whose_clients_cannot_sign_on_yet_is_not_ready_and_says_why() {
        let feeds = vec![FeedHealth { feed: "a".into(), state: Pending }];
        let status = |failure: Option<&str>| KeysStatus {
            source: "https://login.example/keys".into(),
            failure: failure.map(str::to_owned),
            ..KeysStatus::default()
        };
        let waiting =
            |failure| HealthInputs { keys_awaited: Some(status(failure)), ..inputs(0, feeds.clone(), false, 0) };
        let reason = |inputs: HealthInputs| inputs.judge().unwrap_err().to_string();
        let no_keys =
            "no keys: clients cannot sign on before the issuer's keys are there, from https://login.example/keys";
        assert_eq!(reason(waiting(None)), no_keys);
        assert_eq!(reason(waiting(Some("it hangs"))), format!("{no_keys}: it hangs"));
        assert!(reason(HealthInputs { draining: true, ..waiting(None) }).starts_with("draining"));
        assert!(reason(HealthInputs { streams: 1_000, ..waiting(None) }).starts_with("1000 of 1000"));
        assert!(reason(HealthInputs { keys_awaited: None, ..waiting(None) }).starts_with("waiting for"));
    }

    #[test]
    fn it_is_ready_once_every_feed_has_a_verdict_and_one_has_not_failed() {
        let starting = |names: &str| Err(NotReady::Starting(names.into()));
        let failed = |names: &str| Err(NotReady::Failed(names.into()));
        for (uptime, feeds, outcome) in [
            (0, &[Pending][..], starting("a")),
            (29, &[Live, Pending, Pending], starting("b, c")),
            (29, &[Failed, Pending], starting("b")),
            (30, &[Live, Pending], Ok(())),
            (30, &[Pending], Ok(())),
            (30, &[Failed, Failed], failed("a, b")),
            (0, &[Live], Ok(())),
            (0, &[Quiet], Ok(())),
            (0, &[Quiet, Failed], Ok(())),
            (0, &[Failed, Live, Failed], Ok(())),
            (0, &[Failed], failed("a")),
            (0, &[], failed("")),
        ] {
            assert_eq!(judge(uptime, feeds, false, 0), outcome, "{uptime} s, {feeds:?}");
        }
    }

    #[test]
    fn a_gateway_that_was_ready_does_not_wait_for_the_feeds_of_a_reload() {
        let feeds = |states: &[FeedState]| -> Vec<FeedHealth> {
            states.iter().map(|&state| FeedHealth { feed: "a".into(), state }).collect()
        };
        for (states, is_ready) in [(&[Pending][..], true), (&[Live, Pending], true), (&[Failed], false), (&[], false)] {
            let inputs = HealthInputs { was_ready: true, ..inputs(0, feeds(states), false, 0) };
            assert_eq!(inputs.judge().is_ok(), is_ready, "{states:?}");
        }
    }

    #[test]
    fn a_gateway_that_drains_or_is_nearly_full_is_not_ready() {
        assert_eq!(judge(60, &[Live], true, 0), Err(NotReady::Draining));
        assert_eq!(judge(60, &[Live], true, 1_000), Err(NotReady::Draining));
        assert_eq!(judge(60, &[Live], false, 949), Ok(()));
        for streams in [950, 1_000, 1_001] {
            assert_eq!(judge(60, &[Live], false, streams), Err(NotReady::Full { streams, limit: 1_000 }));
        }
    }

    #[test]
    fn a_node_of_a_cluster_waits_for_the_state_of_its_shards_and_for_rings_and_needs_a_broker() {
        let shard: ShardName = "crypto.0".parse().unwrap();
        let seconds = Duration::from_secs;
        let node = |uptime, synced: Option<u64>, down: Option<u64>| {
            let unsynced = if synced.is_none() { vec![shard.clone()] } else { Vec::new() };
            let cluster = ClusterHealth { unsynced, synced_for: synced.map(seconds), down_for: down.map(seconds) };
            let cluster = Some(NodeHealth { cluster, ring_age: seconds(10) });
            HealthInputs { cluster, ..inputs(uptime, vec![FeedHealth { feed: "a".into(), state: Live }], false, 0) }
                .judge()
        };
        assert_eq!(node(29, None, None), Err(NotReady::Unsynced(vec![shard.clone()])));
        assert_eq!(node(30, None, None), Ok(()), "it does not wait for an owner for ever");
        assert_eq!(node(60, Some(9), None), Err(NotReady::YoungRings { has: seconds(9), needs: seconds(10) }));
        assert_eq!(node(60, Some(10), Some(9)), Ok(()));
        assert_eq!(node(60, Some(10), Some(10)), Err(NotReady::NoBrokers(seconds(10))));
        let young = node(60, Some(9), None).unwrap_err().to_string();
        assert_eq!(young, "not long enough in the cluster: its rings are 9.0s old, and have to reach back 10.0s");
    }
}
