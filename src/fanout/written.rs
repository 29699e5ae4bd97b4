//! The result of a stream's write.

use super::missed::Missed;
use std::time::Duration;

/// The result of a stream's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) missed: Missed,
    /// How long the stream waited for its first tick, if this write brought it.
    pub(super) first_tick: Option<Duration>,
    /// Whether there is more, which this write had no room for.
    pub(super) more: bool,
    /// Nothing was written: a `hello` has to come before the ticks.
    pub(super) starts_over: bool,
}
