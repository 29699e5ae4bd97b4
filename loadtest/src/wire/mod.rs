//! Parsers for what a socket delivers: an HTTP head, Server-Sent Events, ticks. Pure, and independent of the gateway's
//! code.

mod block;
mod dcz;
mod head;
mod tick;

pub use block::{Block, BlockError, split_blocks};
pub use dcz::{DczError, Decoder, Frames};
pub use head::{HEAD_BYTES_MAX, Head, HeadError};
pub use tick::{Hello, Kind, ListChange, Numbers, State, Tick, TickError, Values, peek, plain_digits};
