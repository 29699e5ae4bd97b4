//! The search for the highest rate, or the most streams, at which the thresholds still hold.

mod search;
mod scaled;
mod found;

pub use found::{Found, Probe};
pub use scaled::{Scaled, raised_limits, scaled};
pub use search::{Held, RUNS, Search, Step, Stopped};
