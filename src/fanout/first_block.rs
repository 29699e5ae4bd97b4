//! The first block of a stream's body.

use super::stream_key::StreamAddress;
use bytes::Bytes;

/// The first block of a stream's body, ahead of all frames. It is made by the worker, since it may name the stream's
/// address.
pub trait FirstBlock: Send {
    /// The block of the stream at `address`.
    fn block(self: Box<Self>, address: StreamAddress) -> Bytes;
}

impl FirstBlock for Bytes {
    fn block(self: Box<Self>, _: StreamAddress) -> Bytes {
        *self
    }
}
