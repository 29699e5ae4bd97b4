//! The other end of a connection.

use std::net::IpAddr;

/// The other end of a connection: the client, or the proxy before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: IpAddr,
    /// What it speaks.
    pub(crate) scheme: Scheme,
}

/// What requests on a connection are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}
