//! The stages of a load: ramp, hold, ramp down.

use super::units::Span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A stage: a rate, or a number of streams, changes linearly to a value. It begins at the value of the stage before
/// it, the first at 0; a stage to the value that is there already holds it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The value at its end.
    pub to: f64,
    /// How long it takes; `"0s"` is a step.
    pub over: Span,
}

impl Stage {
    /// How long stages take, one after the other.
    pub fn length(stages: &[Self]) -> Duration {
        stages.iter().map(|stage| stage.over.0).sum()
    }
}
