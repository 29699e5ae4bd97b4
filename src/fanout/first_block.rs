//! The first block of a stream's body, and the `hello` that it repeats.

use super::stream_key::StreamAddress;
use crate::wire::StreamName;
use bytes::Bytes;
use std::{ops::RangeInclusive, sync::Arc};

/// How long a client waits before it reconnects, in ms: spread, so that a lost gateway's clients do not return at once.
pub const RETRY_MILLIS: RangeInclusive<u64> = 1_500..=4_000;

/// The first block of a stream's body, ahead of all frames. It is made by the worker, since it may name the stream's
/// address.
pub trait FirstBlock: Send {
    /// The block of the stream at `address`.
    fn block(self: Box<Self>, address: StreamAddress) -> Bytes;

    /// What names streams to their clients, for a later `hello`. All streams of a process have the same.
    fn names(&self) -> Option<Arc<dyn ControlNames>> {
        None
    }
}

/// Names streams to their clients.
pub trait ControlNames: Send + Sync {
    /// The name by which a stream is changed, of characters that JSON does not escape.
    fn name(&self, stream: StreamName, address: StreamAddress) -> String;
}

impl FirstBlock for Bytes {
    fn block(self: Box<Self>, _: StreamAddress) -> Bytes {
        *self
    }
}
