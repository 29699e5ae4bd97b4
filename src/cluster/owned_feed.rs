//! The connection of a shard to its venue, as the task of the shard sees it.

use crate::{feed::FeedState, ingest::Outlet};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The connection of a shard to its venue. It runs only while the node owns the shard.
pub trait OwnedFeed: Send + 'static {
    /// Starts it, once one before has ended. Its ticks go through the outlet. The future is done once it has ended:
    /// with why, if it was not stopped.
    fn start(&mut self, outlet: Arc<dyn Outlet>) -> BoxFuture<'static, Option<String>>;

    /// Ends it, if it runs. Once the future is done, it makes no tick any more. The future need not be polled for that.
    fn stop(&mut self) -> BoxFuture<'static, ()>;

    /// How it is doing; its verdict is open while it does not run.
    fn state(&self) -> FeedState;
}
