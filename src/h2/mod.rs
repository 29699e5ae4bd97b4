//! The server's side of HTTP/2 (RFC 9113) without I/O and without a clock: bytes in, events and bytes out.
//!
//! [`Connection`] is the whole interface. Its owner feeds it what the socket brought, appends answers and DATA frames
//! to one buffer, and sends that buffer. It never waits and never allocates for a DATA frame.
//!
//! A mistake that concerns one stream ends that stream with RST_STREAM. A mistake that concerns the connection, and
//! each limit that a client reaches, ends the connection with GOAWAY. Server push, priorities and extended CONNECT are
//! not supported.

mod connection;
mod error;
mod event;
mod flow;
mod frame;
mod guard;
mod head;
mod hpack;
mod last_found;
mod receive;
mod requests;
mod state;
mod stream;

pub use connection::Connection;
pub use error::{ConnectionError, ErrorCode, Reason};
pub use event::{Event, LastStream, Limits, RequestBody, Room, StreamId};
pub use last_found::LastFound;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod body_tests;
#[cfg(test)]
mod flood_tests;
#[cfg(test)]
mod head_tests;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod window_tests;
