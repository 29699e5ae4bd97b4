//! The key of a stream within its worker.

slotmap::new_key_type! {
    /// A stream within its worker. A key is never used again for another stream.
    pub(super) struct StreamKey;
}
