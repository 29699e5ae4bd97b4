//! What clients without credentials may read.

use crate::cache::SymbolState;

/// What clients without credentials may read, which may become less while their streams are open.
pub trait OpenRights: Send + Sync {
    /// Whether they may read the ticks of a state.
    fn allow(&self, state: &SymbolState) -> bool;
}
