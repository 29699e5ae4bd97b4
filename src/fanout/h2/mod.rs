//! HTTP/2 connections in a worker: each carries many streams over one socket.
//!
//! A worker owns its connections as it owns its streams. The frames of all streams that one turn writes gather in the
//! connection's output, and leave as one record when the turn ends. A stream reaches its connection through a lock
//! without a rival: only its worker takes it.
//!
//! In reading order: an [`io`] carries bytes, a [`connection`] turns them into requests and takes answers, a [`stream`]
//! is the transport of one answer, and a [`table`] holds the connections of a worker. [`client`] and [`request`]
//! declare what a connection needs of its listener.

mod io;
mod socket;
mod client;
mod end;
mod rows;
mod output;
mod connection;
mod stream;
mod request;
mod table;

pub use client::{Activity, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Answer, UnreadAnswers};
pub use end::ConnectionEnd;
pub use io::H2Io;
pub use request::{H2Request, NewConnection, Refused, Requests};
pub use socket::H2Socket;
pub use stream::H2Stream;

pub(super) use connection::lock;
pub(super) use table::{ConnectionKey, ConnectionTable, key_of};
