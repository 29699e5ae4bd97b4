//! History for charts: for each symbol that streams want or wanted, a trail of what they were shown in the last
//! minutes.
//!
//! Time is cut into spans of equal length, by the clock that never steps. A trail has at most one point in each span:
//! the last tick that a look at the symbol found in it. Nothing is summed; a span in which nothing changed has none.
//!
//! [`Trails`] decide, and are told the time. [`History`] shares them between the task that observes the cache and the
//! requests of clients. Feeds and workers do not know of it: it reads each symbol's newest tick, as a client would.

mod point;
mod rank;
mod trail;
mod excerpt;
mod trails;
mod shared;
#[cfg(test)]
mod eviction_tests;
#[cfg(test)]
mod tests;

pub use excerpt::Excerpt;
pub use point::Point;
pub use shared::History;
pub use trail::{POINT_BYTES, TRAIL_BYTES};
pub use trails::{HistoryUsage, SLOT_BYTES, Trails};
