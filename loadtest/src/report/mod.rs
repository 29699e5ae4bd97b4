//! The results of a run: as JSON, for a terminal, and as an HTML page.

mod provenance;
mod checks;
mod escaped;
mod page;
mod plot;
mod plots;
mod mark;
mod junit;
mod cluster_summary;
mod summary;
mod text;
mod units;
mod unit_names;

pub use checks::{Check, Outcome};
pub use cluster_summary::{BusSummary, ClusterSummary, DelaySummary, NodeSummary};
pub use junit::{Case, CaseResult, junit};
pub use mark::{Mark, MarkKind};
pub use page::page;
pub use provenance::{Program, Provenance, Whole};
pub use summary::{
    ClocksSummary, ConnectionsSummary, FloorSummary, GatewaySummary, GeneratorSummary, GroupSummary, Sample,
    StreamsSummary, Summary, VenueSummary, ViolationsSummary,
};
pub use text::text;
pub use unit_names::Units;
pub use units::{number, size, time};
