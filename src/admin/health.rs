//! Whether the gateway should get clients: a pure verdict on its current status.

use crate::feed::FeedState;
use std::{sync::Arc, time::Duration};

/// How long readiness waits for every feed's first verdict. After that the gateway gets clients, whose symbols are
/// `waiting`.
pub const FIRST_VERDICTS_MAX: Duration = Duration::from_secs(30);
/// The share of its streams, in percent, from which a gateway is not ready for more.
const STREAMS_FULL_PERCENT: usize = 95;

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
    /// Whether it is ending its streams.
    pub draining: bool,
    /// Its feeds.
    pub feeds: Vec<FeedHealth>,
    /// How many streams are open.
    pub streams: usize,
    /// The limit of open streams.
    pub streams_limit: usize,
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
        if self.uptime < FIRST_VERDICTS_MAX && self.feeds.iter().any(|feed| feed.state == FeedState::Connecting) {
            return Err(NotReady::Starting(self.names(FeedState::Connecting)));
        }
        if self.feeds.iter().all(|feed| feed.state == FeedState::Failed) {
            return Err(NotReady::Failed(self.names(FeedState::Failed)));
        }
        Ok(())
    }

    fn names(&self, state: FeedState) -> String {
        let names = self.feeds.iter().filter(|feed| feed.state == state).map(|feed| &*feed.feed);
        names.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FeedState::{Connecting as Pending, Failed, Live, Quiet};

    fn judge(uptime: u64, feeds: &[FeedState], draining: bool, streams: usize) -> Result<(), NotReady> {
        let feeds = feeds.iter().zip(["a", "b", "c"]);
        let feeds = feeds.map(|(&state, name)| FeedHealth { feed: name.into(), state }).collect();
        HealthInputs { uptime: Duration::from_secs(uptime), draining, feeds, streams, streams_limit: 1_000 }.judge()
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
    fn a_gateway_that_drains_or_is_nearly_full_is_not_ready() {
        assert_eq!(judge(60, &[Live], true, 0), Err(NotReady::Draining));
        assert_eq!(judge(60, &[Live], true, 1_000), Err(NotReady::Draining));
        assert_eq!(judge(60, &[Live], false, 949), Ok(()));
        for streams in [950, 1_000, 1_001] {
            assert_eq!(judge(60, &[Live], false, streams), Err(NotReady::Full { streams, limit: 1_000 }));
        }
    }
}
