//! The results of a run: as JSON, for a terminal, and as an HTML page.

mod provenance;
mod checks;
mod page;
mod plot;
mod summary;
mod text;
mod units;

pub use checks::{Check, Outcome};
pub use page::page;
pub use provenance::{Program, Provenance};
pub use summary::{
    BusSummary, ClusterSummary, ConnectionsSummary, FloorSummary, GatewaySummary, GeneratorSummary, GroupSummary,
    NodeSummary, Sample, StreamsSummary, Summary, VenueSummary, ViolationsSummary,
};
pub use text::text;
pub use units::{number, size, time};
