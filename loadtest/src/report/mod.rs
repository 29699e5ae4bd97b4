//! The results of a run: as JSON, for a terminal, and as an HTML page.

mod provenance;
mod checks;
mod escaped;
mod page;
mod plot;
mod plots;
mod mark;
mod junit;
mod summary;
mod text;
mod units;

pub use checks::{Check, Outcome};
pub use junit::{Case, CaseResult, junit};
pub use mark::{Mark, MarkKind};
pub use page::page;
pub use provenance::{Program, Provenance, Whole};
pub use summary::{
    BusSummary, ClocksSummary, ClusterSummary, ConnectionsSummary, FloorSummary, GatewaySummary, GeneratorSummary,
    GroupSummary, NodeSummary, Sample, StreamsSummary, Summary, VenueSummary, ViolationsSummary,
};
pub use text::text;
pub use units::{number, size, time};
