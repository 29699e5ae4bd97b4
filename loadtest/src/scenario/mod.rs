//! Scenarios: TOML files that define a load and the thresholds of its results.

mod suggest;
mod units;
mod stage;
mod outage;
mod venue_setup;
mod cluster;
mod definition;
mod limits;
mod measures;
mod thresholds;
mod measurable;
mod judged;
mod shipped;
mod keys;
mod printed;

pub use cluster::ClusterSetup;
pub use definition::Scenario;
pub use judged::{Judged, Verdict};
pub use limits::{OutOfRange, StreamsError, check_cluster, check_duration, check_length, check_streams, check_venue};
pub use measurable::{NeverMeasured, check_measurable};
pub use measures::{Bound, MEASURES, Measure, TIMES, Times, Unit};
pub use outage::{Outage, OutageKind};
pub use printed::{Comments, printed};
pub use shipped::{LoadError, SHIPPED, load, read};
pub use stage::Stage;
pub(crate) use suggest::did_you_mean;
pub(crate) use thresholds::shown;
pub use thresholds::{Threshold, ThresholdError};
pub use units::Span;
pub use venue_setup::{LoadSetup, VenueProtocol, VenueSetup, symbol_names};
