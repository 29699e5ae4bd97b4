//! Opens one stream before all others, so that a wrong address is reported once and in words.

use super::{control::Progress, event_loop::EventLoop, plan::Group, setup::Setup};
use crate::measure::Ended;
use mio::Events;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// How long the server may take to open the stream.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server does not open a stream.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The connection failed.
    #[error("no server at {address}: {what}; is the gateway running, and on this port?")]
    NoServer {
        /// The server's address.
        address: SocketAddr,
        /// Why there is none.
        what: String,
    },
    /// The TLS handshake failed, or the server does not speak the protocol.
    #[error("https://{host} cannot be loaded: {what}")]
    Handshake {
        /// The server's host and port.
        host: String,
        /// Why not.
        what: String,
    },
    /// The answer is not an event stream.
    #[error("{scheme}://{address}{path} is not a stream: {what}")]
    NotAStream {
        /// `http` or `https`.
        scheme: &'static str,
        /// The server's address.
        address: SocketAddr,
        /// The requested path.
        path: String,
        /// Why it is not a stream.
        what: String,
    },
    /// The system refuses something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Requests one stream of the first group and symbol, and disconnects after its head.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(setup: &Setup) -> Result<(), ProbeError> {
    let first = setup.groups.first().cloned().unwrap_or_default();
    let one = Setup {
        groups: vec![Group { protocol: first.protocol, windows: first.windows, ..Group::default() }],
        symbols: setup.symbols.first().cloned().into_iter().collect(),
        connect_rate: None,
        history: None,
        ..setup.clone()
    };
    let (_commands, receiver) = mpsc::channel();
    let mut event_loop = EventLoop::new(&one, Instant::now(), Arc::new(Progress::default()), receiver)?;
    let mut events = Events::with_capacity(16);
    let deadline = Instant::now() + TIMEOUT;
    while event_loop.tried == 0 && Instant::now() < deadline {
        event_loop.turn(&mut events)?;
    }
    if event_loop.observer.measures.opened > 0 {
        return Ok(());
    }
    let ended = event_loop.observer.measures.ended.first().and_then(|ended| ended.keys().next().copied());
    let what = event_loop.observer.refusal;
    let address = setup.targets[0];
    Err(match ended {
        Some(Ended::Handshake) => ProbeError::Handshake { host: setup.host.clone(), what: what.unwrap_or_default() },
        None | Some(Ended::Refused) => {
            let what = what.unwrap_or_else(|| format!("it does not answer within {} s", TIMEOUT.as_secs()));
            ProbeError::NoServer { address, what }
        }
        Some(_) => {
            let path = setup.wire.path(&[setup.symbols.first().map_or("", String::as_str)]);
            let scheme = if setup.tls.is_some() { "https" } else { "http" };
            let what = what.unwrap_or_else(|| "the connection ended within the head of the answer".to_owned());
            ProbeError::NotAStream { scheme, address, path, what }
        }
    })
}
