//! What others may know of a feed at any moment.

use tokio::sync::watch;

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// The first attempt is still under way: there is no verdict yet.
    Connecting,
    /// Connected, and the venue has granted what was asked for. A planned change of connection leaves it so.
    Live,
    /// The last attempt or connection failed; the next one will come.
    Failed,
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
