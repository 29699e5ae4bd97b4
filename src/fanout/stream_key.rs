//! The key of a stream within its worker, and its address within the gateway.

use crate::cache::WorkerIndex;

slotmap::new_key_type! {
    /// A stream within its worker. A key is never used again for another stream.
    pub(super) struct StreamKey;
}

/// Where a stream is: in no other place, and after it no other stream is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamAddress {
    /// Its worker.
    pub worker: WorkerIndex,
    /// Its key there.
    pub key: u64,
}
