//! The settings of a venue.

use super::{load::Load, protocol::Protocol};
use std::{net::SocketAddr, time::Duration};

/// The settings of a venue.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its protocol.
    pub protocol: Protocol,
    /// The address to listen on; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The canonical names of its symbols, such as `BTC-USDT` or `AAPL`. The venue's own names are derived from them.
    pub symbols: Vec<String>,
    /// The updates that it sends, and when.
    pub load: Load,
    /// The seed of its random walk.
    pub seed: u64,
    /// The shortest time between two batches. Updates that are due in between go out together.
    pub batch_interval: Duration,
    /// The id before its first trade and first quote: where the ids of a restarted venue begin.
    pub ids_after: u64,
}

impl Setup {
    /// The default, which spares a high rate a wake-up per update.
    pub const BATCH_INTERVAL: Duration = Duration::from_micros(200);

    /// A venue of these symbols on a free port of loopback.
    pub fn new(protocol: Protocol, symbols: &[&str], load: Load) -> Self {
        Self {
            protocol,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            symbols: symbols.iter().map(|&symbol| symbol.to_owned()).collect(),
            load,
            seed: 1,
            batch_interval: Self::BATCH_INTERVAL,
            ids_after: 0,
        }
    }
}
