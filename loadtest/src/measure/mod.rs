//! Measurements: histograms of times, a timeline by seconds, processor time and memory of processes.

mod gateway;
mod percentiles;
mod histogram;
mod lateness;
mod host;
mod process;
mod spread;
mod streams;

pub use gateway::{Admin, AdminError, Build, Counters, Transition};
pub use histogram::Histogram;
pub use host::Host;
pub use lateness::Lateness;
pub use percentiles::{ASKED_MAX, Asked, BEYOND_MIN, Percent, Percentiles, TooManyPercentiles};
pub use process::{Machine, Process, Usage, micros_per};
pub use spread::{Ages, spread};
pub use streams::{Ended, GroupMeasures, Second, StreamMeasures, StreamTotals};

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in µs since 1970.
pub fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
