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
    /// Nothing is expected to come: it is connected outside the feed's hours, or its list is empty, which takes no
    /// connection.
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
    states: Mutex<Box<[Option<FeedState>]>>,
    state_tx: watch::Sender<FeedState>,
}

impl Board {
    /// So many connections that are still [`FeedState::Connecting`], and room for so many in all.
    pub(super) fn new(connections: usize, room: usize) -> (Self, watch::Receiver<FeedState>) {
        let mut states = vec![None; room.max(connections)];
        states[..connections].fill(Some(FeedState::Connecting));
        let (state_tx, state_rx) = watch::channel(worst(states.iter().flatten().copied()));
        (Self { states: Mutex::new(states.into()), state_tx }, state_rx)
    }

    /// A connection has this state from now on; `None`: there is none.
    pub(super) fn set(&self, place: usize, state: Option<FeedState>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states[place] = state;
        // Under the lock, so that the older of two changes cannot come last.
        self.state_tx.send_replace(worst(states.iter().flatten().copied()));
    }

    /// The states of the connections.
    pub(super) fn states(&self) -> Box<[Option<FeedState>]> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The state of a feed with several connections is that of its worst. Without symbols it has none, and waits.
pub(super) fn worst(states: impl IntoIterator<Item = FeedState>) -> FeedState {
    let order = [FeedState::Failed, FeedState::Connecting, FeedState::Mute, FeedState::Quiet, FeedState::Live];
    let rank = |state: &FeedState| order.iter().position(|other| other == state);
    states.into_iter().min_by_key(rank).unwrap_or(FeedState::Quiet)
}
