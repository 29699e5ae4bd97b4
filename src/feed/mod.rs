//! Feeds: one connection to a venue each, kept up for ever.

mod backoff;
mod session;
mod timing;

pub use crate::telemetry::feed::Loss;
pub use timing::Timing;

use crate::market::{Now, Update};

/// Where a feed's updates go. It never waits: nothing behind it can slow the reading of a venue.
pub trait Sink: Send {
    /// Takes the updates of all messages that were ready, in the venue's order, received `now`.
    fn updates(&mut self, updates: &[Update], now: Now);

    /// Takes note that the connection is lost: all of the feed's symbols are stale until their own next updates.
    fn connection_lost(&mut self, now: Now);
}
