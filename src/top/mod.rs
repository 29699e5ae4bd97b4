//! Commands that ask a gateway's admin listener. `tickfan top` polls it each second and shows what the gateway does, in
//! a terminal; `tickfan health` asks once whether it is ready.
//!
//! It knows only what `/metrics` and `/debug` say, so it works from another machine too.

mod arrange;
mod cells;
mod client;
mod cluster;
mod controls;
mod health;
mod sample;
mod screen;
mod view;

pub use health::{HealthError, health};
pub use screen::run;

use client::get;
use sample::{Metrics, Sample};
use serde_json::Value;
use std::{io, net::SocketAddr};

/// Why `tickfan top` cannot show anything.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The gateway does not answer as an admin listener does.
    #[error("cannot poll {address}: {source}; pass the address of the admin listener with --admin")]
    Poll {
        /// The address that was polled.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// Standard output is not a terminal.
    #[error("standard output is not a terminal; `tickfan top --once` prints a single sample as plain text")]
    NoTerminal,
    /// Drawing in the terminal failed.
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

/// Polls everything that a view shows, with so many entries of each list.
fn poll(address: SocketAddr, listed: usize) -> Result<Sample, TopError> {
    Ok(Sample {
        metrics: Metrics::parse(&get_text(address, "/metrics")?),
        feeds: get_json(address, &format!("/debug/feeds?limit={listed}"))?,
        streams: get_json(address, &format!("/debug/streams?limit={listed}"))?,
        symbols: get_json(address, &format!("/debug/symbols?limit={listed}"))?,
        cluster: get_json(address, "/debug/cluster")?,
    })
}

fn get_text(address: SocketAddr, path: &str) -> Result<String, TopError> {
    get(address, path).map_err(|source| TopError::Poll { address, source })
}

fn get_json(address: SocketAddr, path: &str) -> Result<Value, TopError> {
    let body = get_text(address, path)?;
    serde_json::from_str(&body).map_err(|error| TopError::Poll { address, source: error.into() })
}
