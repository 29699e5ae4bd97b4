//! The state of a feed, which follows from those of its connections.

use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// The first attempt is still under way: the verdict is open.
    Connecting,
    /// Connected, and the venue has granted what was asked for. A planned change of connection leaves it so.
    Live,
    /// The same, but no data have come for `mute_after`: its symbols are stale.
    Mute,
    /// Connected outside the feed's hours, when nothing is expected to come.
    Quiet,
    /// The last attempt or connection failed; the next one will come.
    Failed,
}

impl FeedState {
    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Mute => "mute",
            Self::Quiet => "quiet",
            Self::Failed => "failed",
        }
    }

    /// Whether the venue has granted what was asked for.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Live | Self::Mute | Self::Quiet)
    }

    /// Of a connection that is up.
    pub(super) fn granted(closed: bool) -> Self {
        if closed { Self::Quiet } else { Self::Live }
    }
}

/// The states of a feed's connections, and the feed's state, which follows from them.
#[derive(Debug)]
pub(super) struct Board {
    /// A std mutex: states change rarely.
    states: Mutex<Box<[FeedState]>>,
    state_tx: watch::Sender<FeedState>,
}

impl Board {
    /// So many connections that are still [`FeedState::Connecting`].
    pub(super) fn new(connections: usize) -> (Self, watch::Receiver<FeedState>) {
        let (state_tx, state_rx) = watch::channel(FeedState::Connecting);
        let states = Mutex::new(vec![FeedState::Connecting; connections].into());
        (Self { states, state_tx }, state_rx)
    }

    /// A connection has this state from now on.
    pub(super) fn set(&self, place: usize, state: FeedState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states[place] = state;
        // Under the lock, so that the older of two changes cannot come last.
        self.state_tx.send_replace(worst(&states));
    }

    /// The states of the connections.
    pub(super) fn states(&self) -> Box<[FeedState]> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The state of a feed with several connections is that of its worst.
pub(super) fn worst(states: &[FeedState]) -> FeedState {
    let order = [FeedState::Failed, FeedState::Connecting, FeedState::Mute, FeedState::Quiet];
    order.into_iter().find(|state| states.contains(state)).unwrap_or(FeedState::Live)
}
