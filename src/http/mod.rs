//! HTTP for clients: routes, answers, and the hand-over of streams to the engine.
//!
//! warp's filters route; hyper speaks HTTP; the accept loop is our own, for its limits. A request that asks for a
//! stream takes its socket out of hyper, and the engine writes all of its answer.

mod accept;
mod stream_params;
mod cors;
mod forwarded;
mod handler;
mod handoff;
mod host;
mod openapi;
mod page;
mod problem;
mod request_id;
mod quotes;
mod routes;
mod shutdown;
mod stream_head;
mod stream_request;
mod write_deadline;

pub use accept::{BindError, OpenStream};
pub use openapi::OPENAPI;

pub(crate) use accept::{Acceptor, Serving, listen};
pub(crate) use cors::Cors;
pub(crate) use handler::{RequestHandler, problem_lines};
pub(crate) use handoff::Connections;
pub(crate) use host::Hosts;
pub(crate) use quotes::{json, limit};
pub(crate) use routes::{Route, Routes, into_routes};
pub(crate) use shutdown::ShutdownSignal;
pub(crate) use stream_request::Query;

use crate::{
    cache::Cache,
    config,
    limits::{Addresses, Connection, Permits},
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::sync::watch;

/// What the server stands on.
#[derive(Clone)]
pub struct Services {
    /// Where symbols and quotes are read.
    pub cache: Arc<Cache>,
    /// Where accepted streams go.
    pub open_stream: OpenStream,
    /// Who decides whether there is room.
    pub permits: Permits,
    /// Set while the gateway ends its streams: new ones are answered with `bye`.
    pub draining: Arc<AtomicBool>,
}

/// The clients' listener, bound.
pub struct Server(Acceptor<Connection>, SocketAddr);

impl Server {
    /// Binds the listener; connections wait in the kernel until it [runs](Self::run). It needs no runtime.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub fn bind(server: &config::Server, limits: &config::Limits, services: Services) -> Result<Self, BindError> {
        let listener = listen(server.listen, limits.write_timeout)?;
        let address = listener.local_addr().map_err(|source| BindError { address: server.listen, source })?;
        accept::register_counts();
        if limits.streams_per_address > 0 && address.ip().is_loopback() && server.trusted_proxies.is_empty() {
            tracing::warn!(
                streams_per_address = limits.streams_per_address,
                "all clients of a loopback listener have one address: list the proxy before it in trusted_proxies"
            );
        }
        let streams = handler::Streams {
            gate: services.permits.streams,
            addresses: Addresses::new(limits.streams_per_address),
            draining: services.draining,
            epoch: services.cache.epoch(),
            heartbeat: server.heartbeat,
            replay_bytes: limits.replay_bytes,
            refusals: handler::Refusals::new(),
        };
        let handler = RequestHandler {
            routes: routes::client_routes(services.cache, limits.symbols_per_stream),
            hosts: Hosts::new(&server.hosts),
            cors: Cors::new(&server.cors_origins),
            trusted_proxies: server.trusted_proxies.clone(),
            streams: Some(streams),
            problems: problem_lines(),
        };
        let connections = Connections {
            handler: Arc::new(handler),
            head_timeout: limits.head_timeout,
            head_bytes: limits.head_bytes,
            write_timeout: limits.write_timeout,
        };
        let acceptor = Acceptor {
            listener,
            gate: services.permits.connections,
            serving: Serving::new(connections, services.open_stream),
        };
        Ok(Self(acceptor, address))
    }

    /// Where it listens: the port is known also where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.1
    }

    /// Serves until `shutdown` is true or its sender is gone, then ends what is open: within two seconds all is closed
    /// but the streams, which are the engine's.
    ///
    /// # Errors
    /// What the system says where the listener cannot be watched.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        self.0.run(ShutdownSignal::new(shutdown)).await
    }
}
