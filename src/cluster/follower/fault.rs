//! Known bugs, for the simulation that has to find them.

/// A known bug, for the simulation that has to find it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedFault {
    /// A lower token counts.
    TakesLowerTokens,
    /// The first message of an owner counts as if it had come at once.
    AgesWithoutBacklog,
    /// A symbol takes each tick, whatever it has.
    MergesWithoutSeq,
    /// A snapshot counts without the batches of its ticks.
    TakesSnapshotsAlone,
}
