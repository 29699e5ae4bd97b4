//! What a client asks for, and what arrives.

use super::ErrorCode;
use crate::wire::Head;
use std::ops::Range;

/// The longest header block of a response, over all its frames.
pub(super) const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// A request without a body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The host and port.
    pub authority: &'a str,
    /// The path and query.
    pub path: &'a str,
    /// Further fields, with names in lower case.
    pub fields: &'a [(&'a str, &'a str)],
}

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The head of a stream's response.
    Head {
        /// The stream.
        stream: u32,
        /// The head.
        head: Head,
    },
    /// Data of a stream.
    Data {
        /// The stream.
        stream: u32,
        /// Where they are in the received bytes.
        bytes: Range<usize>,
    },
    /// The server has ended a stream.
    End {
        /// The stream.
        stream: u32,
    },
    /// The server has reset a stream.
    Reset {
        /// The stream.
        stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// The server ends the connection: it does not answer streams above `last`, and requests need a new connection.
    GoAway {
        /// The last stream that it answers.
        last: u32,
        /// Why.
        code: ErrorCode,
    },
}

/// What the server does against the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// A frame is longer than allowed, or its length is not one that its kind has.
    #[error("the server sends a frame of a wrong length")]
    FrameSize,
    /// A frame comes where it may not.
    #[error("the server sends a frame out of place")]
    Order,
    /// A header block cannot be read.
    #[error("the server sends a header block that cannot be read")]
    Block,
    /// A header block is too long.
    #[error("the server sends a header block of more than {BLOCK_BYTES_MAX} bytes")]
    LongBlock,
    /// The server sends more than a window allows.
    #[error("the server sends more than the window allows")]
    Window,
}
