//! The clients' HTTP: streams, quotes, symbols, the page for people and the document for machines.
//!
//! It says what is asked for and answers it. How HTTP is spoken is the `server`'s.

mod routes;
mod error;
mod selection;
mod stream_request;
mod stream_params;
mod streams;
mod services;
mod stream_head;
mod rejections;
mod quotes;
mod symbols;
mod openapi;
mod page;

pub use crate::server::BindError;
pub use openapi::OPENAPI;
pub use services::{Services, StreamSink};

use crate::{
    config::Live,
    limits::{Connection, Permits},
    server::{Audience, HttpServer, RequestHandler},
};
use routes::Context;
use std::{io, net::SocketAddr};
use streams::ClientStreams;
use tokio::{net::TcpStream, sync::watch};

/// The clients' listener, bound.
pub struct Server(HttpServer<Connection, ClientStreams<TcpStream>>);

impl Server {
    /// Binds the listener; connections wait in the kernel until it [runs](Self::run). It needs no runtime.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub fn bind(live: &Live, services: Services) -> Result<Self, BindError> {
        let config = live.current();
        let server = &config.server;
        let streams = ClientStreams::new(live.clone(), &services);
        let routes = routes::routes(Context {
            cache: services.cache,
            live: live.clone(),
            large: services.permits.large_answers.clone(),
        });
        let handler = RequestHandler::new(Audience::Clients, live.clone(), routes, streams);
        let Permits { connections, waiting, .. } = services.permits;
        let bound = HttpServer::bind(server.listen, live.clone(), connections, waiting, handler)?;
        let one_address_for_all = bound.local_addr().ip().is_loopback() && server.trusted_proxies.is_empty();
        if config.limits.streams_per_address > 0 && one_address_for_all {
            tracing::warn!(
                streams_per_address = config.limits.streams_per_address,
                "all clients of a loopback listener have one address: list the proxy before it in trusted_proxies"
            );
        }
        Ok(Self(bound))
    }

    /// Where it listens. Port 0 in the configuration has become the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Serves until `shutdown` is true or its sender is dropped, then ends the open connections: within two seconds all
    /// are closed, except the streams, which are the workers'.
    ///
    /// # Errors
    /// The system's, where the listener cannot be watched.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        self.0.run(shutdown).await
    }
}
