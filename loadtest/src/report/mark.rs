//! What happened when in a run.

use serde::Serialize;

/// Something that went on for a while in a run. Times are seconds since the start, as in the timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    /// What it was.
    pub kind: MarkKind,
    /// When it began.
    pub from: f64,
    /// When it ended.
    pub to: f64,
    /// More of it.
    pub what: String,
}

/// What a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The load: from when all streams were open.
    Load,
    /// An outage of the venue.
    Outage,
    /// A burst of the venue.
    Burst,
    /// A stage of the venue's rate, or of a group's streams.
    Stage,
}
