//! Why a connection did not open.

use super::proxy::ProxyError;
use std::{fmt, io};

/// Why a connection did not open.
#[derive(Debug)]
pub enum DialError {
    /// The name of a host could not be looked up.
    LookUp {
        /// The host.
        host: String,
        /// The system's reason.
        error: io::Error,
    },
    /// None of the addresses accepts a connection.
    Unreachable {
        /// The host.
        host: String,
    },
    /// The proxy does not lead to the host.
    Proxy {
        /// The proxy, with its port.
        host: String,
        /// What it says.
        error: ProxyError,
    },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp { host, error } => write!(f, "the look-up of {host} failed: {error}"),
            Self::Unreachable { host } => write!(f, "no address of {host} accepts a connection"),
            Self::Proxy { host, error } => write!(f, "the proxy {host} fails: {error}"),
        }
    }
}

impl std::error::Error for DialError {}
