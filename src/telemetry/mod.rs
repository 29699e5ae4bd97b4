//! What operators see: metric names and handles, and logs.

mod cache;
mod histogram;
pub mod labels;
mod log_limit;
pub mod logs;
pub mod names;
mod processor_wait;
mod recorder;

pub use cache::CacheMetrics;
pub use histogram::{Histogram, SECONDS_BUCKETS, render_histogram};
pub use recorder::{Metrics, Source, install};

pub(crate) use log_limit::{LogLimit, SharedLogLimit};
