//! The settings of all streams of a run.

use super::{header::Header, plan::Group, server_wire::Wire};
use crate::{measure::Asked, tls::ClientTls, venue::History};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// The settings of all streams of a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server's address, or those of several servers that are the same to clients: a connection that comes back
    /// goes to the next of them.
    pub targets: Vec<SocketAddr>,
    /// The `host` header.
    pub host: String,
    /// How they speak TLS; `None`: they do not.
    pub tls: Option<ClientTls>,
    /// Headers of each request.
    pub headers: Vec<Header>,
    /// The server's wire.
    pub wire: Wire,
    /// All symbols that streams may subscribe to, the most popular first.
    pub symbols: Vec<String>,
    /// The groups of streams.
    pub groups: Vec<Group>,
    /// Connects per second; `None`: all at once.
    pub connect_rate: Option<f64>,
    /// How long a server may take to open a stream.
    pub answer_max: Duration,
    /// How late a stream may read a tick that other streams have replaced.
    pub old_after: Duration,
    /// The percentiles that are reported beside the usual ones.
    pub percentiles: Asked,
    /// The seed of the choice of symbols and of the times at which streams leave.
    pub seed: u64,
    /// The venue's recent trades and quotes, if the server has never read another venue.
    pub history: Option<Arc<History>>,
}

impl Setup {
    /// The default: longer than a kernel tries again to connect, and than any user waits.
    pub const ANSWER_MAX: Duration = Duration::from_secs(30);
}
