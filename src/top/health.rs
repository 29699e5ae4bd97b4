//! `tickfan health`: whether a gateway is ready for clients, as its `/readyz` says, or whether it answers at all.

use super::client::{Response, request};
use std::{io, net::SocketAddr};

/// Why a gateway is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// It does not answer as an admin listener does.
    #[error("cannot ask {address}: {source}; pass the address of the admin listener with --admin")]
    Ask {
        /// The address that was asked.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// It says why it is not ready.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Asks a gateway whether clients may be sent to it, or with `live` only whether it answers, and returns its answer.
///
/// # Errors
/// [`HealthError`].
pub fn health(address: SocketAddr, live: bool) -> Result<String, HealthError> {
    let path = if live { "/livez" } else { "/readyz" };
    let Response { status, body } = request(address, path).map_err(|source| HealthError::Ask { address, source })?;
    // For a terminal, and for the log of a supervisor.
    let body: String = body.chars().filter(|character| !character.is_control()).collect();
    if status == 200 { Ok(body) } else { Err(HealthError::NotReady(body)) }
}
