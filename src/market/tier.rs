//! Whether prices are live or late.

use super::names::names;

/// Whether the prices of a symbol are live, or shown some time after. A symbol may have both, each with its own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// As they come.
    Live,
    /// Some time after.
    Delayed,
}

names! {
    Tier {
        Live = "live",
        Delayed = "delayed",
    }
}
