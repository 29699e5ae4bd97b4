//! The client's side of HTTP/2: pure, without I/O and without a clock.
//!
//! The load tester has a framing of its own because it shares the machine with the server under load. A stream of
//! events needs few frames: a client of the `h2` crate wakes a task and copies into buffers of its own for each of
//! them, and takes some 20 KiB a connection. Header tables are announced empty, so that heads need no state.

mod client;
mod event;
mod frame;
mod hpack;
mod huffman;
mod window;

pub use client::Client;
pub use event::{ConnectionError, Event, Request};
pub use frame::ErrorCode;
pub use window::{Updates, Windows};
