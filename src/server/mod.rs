//! HTTP as both listeners speak it: the clients' and the operators'.
//!
//! The accept loop is our own, for its limits. hyper reads requests and writes whole answers; warp's filters route, in
//! `router.rs` alone. A listener that has streams gives the server a [`Streams`]: a request for one leaves hyper with
//! its socket, and goes there. This module knows neither symbols nor feeds.
//!
//! In reading order: a [`listener`] is bound, the [`accept`] loop takes connections
//! into the [`waiting_room`] and gives them [`places`], a [`connection`] is served by
//! hyper until the [`handoff`], and the [`handler`] answers each request.

mod listener;
mod accept;
mod waiting_room;
mod places;
mod connection_table;
mod seats;
mod h2;
mod connection;
mod handoff;
mod handler;
mod declared;
mod router;
mod accept_encoding;
mod body;
mod awaited;
mod request;
mod answer;
mod response;
mod streams;
mod sign_on;
mod problem;
mod request_error;
mod requests;
mod hosts;
mod cors;
mod forwarded;
mod request_id;
mod client_io;
mod tls_io;
mod hello;
mod handshakes;
mod tls;
mod peer;
mod write_deadline;
mod shutdown;

pub use listener::BindError;

pub(crate) use accept_encoding::AcceptEncoding;
pub(crate) use answer::{Answer, Outcome};
#[cfg(test)]
pub(crate) use body::RequestBody;
pub(crate) use body::{BodyError, Discarded};
pub(crate) use cors::{is_listed, is_ours};
pub(crate) use h2::{AdoptH2, H2Client};
pub(crate) use handler::{Audience, RequestHandler};
pub(crate) use listener::{HttpServer, try_listen};
pub(crate) use peer::{Peer, Scheme};
pub(crate) use problem::{Problem, Quoted, Refused};
pub(crate) use request::{Parameter, Query, Request, Rights};
pub(crate) use request_error::RequestError;
pub(crate) use response::{Response, html, json};
pub(crate) use router::{Elsewhere, Router, Routes};
pub(crate) use seats::{Seat, Seats, Shortage};
pub(crate) use sign_on::{Asks, SignOn};
pub(crate) use streams::{NoStreams, OpenStreams, Streams};
pub(crate) use tls::TlsEntrance;
pub(crate) use tls_io::TlsIo;
