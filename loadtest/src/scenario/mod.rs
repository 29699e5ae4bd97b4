//! Scenarios: TOML files that define a load and the thresholds of its results.

mod units;
mod outage;
mod venue_setup;
mod cluster;
mod definition;
mod limits;
mod measures;
mod thresholds;
mod shipped;

pub use cluster::ClusterSetup;
pub use definition::Scenario;
pub use limits::{OutOfRange, StreamsError, check_cluster, check_duration, check_streams, check_venue};
pub use measures::{Bound, MEASURES, Measure, Unit};
pub use outage::{Outage, OutageKind};
pub use shipped::{LoadError, SHIPPED, load};
pub use thresholds::{Crossed, Threshold, ThresholdError};
pub use units::Span;
pub use venue_setup::{LoadSetup, VenueProtocol, VenueSetup, symbol_names};
