//! Why a fetch gave no keys.

use super::outcome::Outcome;
use crate::{
    auth::{KeyFault, KeySetError},
    dial::DialError,
};
use std::io;

/// Why a fetch gave no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    File(io::Error),
    /// The connection did not open.
    #[error(transparent)]
    Dial(Box<DialError>),
    /// The handshake failed.
    #[error("{0}")]
    Tls(String),
    /// A step took too long.
    #[error("it takes too long: {0}")]
    Timeout(String),
    /// The answer cannot be used.
    #[error("{0}")]
    Http(String),
    /// The answer is not 200.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The answer leads elsewhere.
    #[error("the server redirects to {to}, which is not followed; if it is right, set it as `keys`")]
    Redirect {
        /// Its target, escaped and truncated, without its query.
        to: String,
    },
    /// Longer than so many bytes, which a JWK set, or a file with a secret, may have.
    #[error("it is longer than {} KiB", .0 >> 10)]
    TooLong(usize),
    /// Not a JWK set that can be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// Not a secret that can be used.
    #[error(transparent)]
    Secret(#[from] KeyFault),
}

impl FetchError {
    /// What it is counted as.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::File(_) => Outcome::File,
            Self::Dial(error) => match **error {
                DialError::LookUp { .. } => Outcome::LookUp,
                DialError::Unreachable { .. } => Outcome::Unreachable,
                DialError::Proxy { .. } => Outcome::Proxy,
            },
            Self::Tls(_) => Outcome::Tls,
            Self::Timeout(_) => Outcome::Timeout,
            Self::Http(_) => Outcome::Http,
            Self::Status(_) => Outcome::Status,
            Self::Redirect { .. } => Outcome::Redirect,
            Self::TooLong(_) => Outcome::TooLong,
            Self::Keys(_) | Self::Secret(_) => Outcome::Unreadable,
        }
    }
}
