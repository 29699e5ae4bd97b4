//! What operators see: the catalog of metrics, their handles, and logs.

mod cache;
mod client_name;
pub mod catalog;
mod histogram;
pub mod labels;
mod log_filter;
mod log_limit;
mod log_queue;
pub mod logs;
mod metric;
mod processor_wait;
mod recorder;

pub use cache::CacheMetrics;
pub use client_name::{CLIENT_ID_CHARACTERS_MAX, ClientName};
pub use histogram::{Histogram, SECONDS_BUCKETS};
pub use log_filter::{LOG_ENTRIES_MAX, LogFilter, LogFilterError};
pub use logs::LogHandle;
pub use metric::{Counter, Gauge, Kind, Label, Metric, Samples};
pub use recorder::{Metrics, install};

pub(crate) use log_limit::{LogLimit, SharedLogLimit};
