//! What others may know of a feed at any moment.

use tokio::sync::watch;

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// The first attempt is still under way: there is no verdict yet.
    Connecting,
    /// Connected, and the venue has granted what was asked for. A planned change of connection leaves it so.
    Live,
    /// The same outside the feed's hours, when nothing is expected to come.
    Quiet,
    /// The last attempt or connection failed; the next one will come.
    Failed,
}

impl FeedState {
    /// Of a feed that the venue has granted what it asked for.
    pub(super) fn granted(closed: bool) -> Self {
        if closed { Self::Quiet } else { Self::Live }
    }

    /// The feed's hours have ended, or begun; returns whether that changes anything.
    pub(super) fn set_closed(&mut self, closed: bool) -> bool {
        let before = *self;
        if matches!(before, Self::Live | Self::Quiet) {
            *self = Self::granted(closed);
        }
        *self != before
    }
}

/// A handle to a feed's state, for any number of readers.
#[derive(Debug, Clone)]
pub struct FeedStatus(watch::Receiver<FeedState>);

impl FeedStatus {
    /// A status that is still [`FeedState::Connecting`], and what sets it.
    pub fn new() -> (watch::Sender<FeedState>, Self) {
        let (state_tx, state_rx) = watch::channel(FeedState::Connecting);
        (state_tx, Self(state_rx))
    }

    /// The state right now.
    pub fn state(&self) -> FeedState {
        *self.0.borrow()
    }

    /// Waits until the state is this one; at once if it is. Returns false where the feed has ended without it.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn reached(&mut self, state: FeedState) -> bool {
        self.0.wait_for(|current| *current == state).await.is_ok()
    }
}
