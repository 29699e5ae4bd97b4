//! What operators see: metric names and handles, and logs.

mod cache;
mod histogram;
pub mod logs;
pub mod names;

pub use cache::CacheMetrics;
pub use histogram::{Histogram, SECONDS_BUCKETS};
