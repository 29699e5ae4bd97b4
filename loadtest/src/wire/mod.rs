//! What comes out of a socket, read on our own: an HTTP head, blocks of Server-Sent Events, ticks. Pure.

mod block;
mod head;
mod tick;

pub use block::{Block, BlockError, split_blocks};
pub use head::{HEAD_BYTES_MAX, Head, HeadError};
pub use tick::{Hello, Kind, Numbers, State, Tick, TickError, Values, peek, plain_digits};
