//! `tickfan top`: what a gateway does right now, asked of its admin listener each second and shown in a terminal.
//!
//! It knows nothing of the gateway's inside but what `/metrics` and `/debug` say, so that it works from another machine too.

mod client;
mod look;
mod screen;
mod view;

pub use screen::run;

use client::get;
use look::Look;
use std::{io, net::SocketAddr};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The gateway does not answer.
    #[error("{address} does not answer: {source}; give the admin listener's address with --admin")]
    Ask {
        /// Who was asked.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// There is no terminal to draw in.
    #[error("standard output is no terminal: `tickfan top --once` prints one look as plain text")]
    NoTerminal,
    /// The terminal cannot be drawn in.
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

/// Asks for all that one look shows.
fn ask(address: SocketAddr) -> Result<Look, TopError> {
    let text = |path: &str| get(address, path).map_err(|source| TopError::Ask { address, source });
    let json = |path: &str| {
        serde_json::from_str(&text(path)?).map_err(|error| TopError::Ask { address, source: error.into() })
    };
    Ok(Look {
        metrics: look::Metrics::parse(&text("/metrics")?),
        feeds: json("/debug/feeds?limit=8")?,
        streams: json("/debug/streams?limit=10")?,
        symbols: json("/debug/symbols?limit=10")?,
    })
}
