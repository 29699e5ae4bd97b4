//! The clients' HTTP: streams, quotes, symbols, the page for people and the document for machines.
//!
//! It says what is asked for and answers it. How HTTP is spoken is the `server`'s.

mod routes;
mod error;
mod rights;
mod selection;
mod stream_request;
mod stream_params;
mod control;
mod compression;
mod streams;
mod change_rates;
mod change_request;
mod changes;
mod services;
mod stream_head;
mod h2;
mod rejections;
mod quotes;
mod symbols;
mod history;
mod sessions;
mod openapi;
mod page;

pub use crate::server::BindError;
pub use openapi::OPENAPI;
pub use services::{Services, StreamSink, TlsServices};

use crate::{
    access,
    config::{self, Live},
    limits::{Connection, Permits},
    server::{AdoptH2, Audience, HttpServer, RequestHandler, SignOn, TlsEntrance},
};
use changes::Changes;
use control::ControlKey;
use h2::H2Clients;
use routes::Context;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};
use streams::ClientStreams;
use tokio::sync::watch;

/// The clients' listeners, bound.
pub struct Server {
    server: HttpServer<Connection, ClientStreams>,
    live: Live,
    draining: Arc<AtomicBool>,
    tls: Option<BoundTls>,
    sign_on: Option<Arc<access::SignOn>>,
}

/// The listener for https, bound.
struct BoundTls {
    address: SocketAddr,
    settings: config::Tls,
    services: TlsServices,
}

impl Server {
    /// Binds the listeners; connections wait in the kernel until it [runs](Self::run). It needs no runtime.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub fn bind(live: &Live, services: Services) -> Result<Self, BindError> {
        let config = live.current();
        let server = &config.server;
        let key = ControlKey::random();
        let streams = ClientStreams::new(live.clone(), &services, key.clone());
        let sign_on = services.keys.map(|keys| Arc::new(access::SignOn::new(keys)));
        let routes = routes::routes(Context {
            cache: services.cache,
            on_demand: services.on_demand,
            history: services.history,
            live: live.clone(),
            changes: Changes::new(key, services.streams.clone(), live.clone()),
            large: services.permits.large_answers.clone(),
            sign_on: sign_on.clone(),
        });
        let verifier = sign_on.clone().map(|sign_on| sign_on as Arc<dyn SignOn>);
        let handler = RequestHandler::new(Audience::Clients, live.clone(), routes, streams).with_sign_on(verifier);
        let Permits { connections, waiting, .. } = services.permits;
        let mut bound = HttpServer::bind(server.listen, live.clone(), connections, waiting, handler)?;
        let one_address_for_all = bound.local_addr().ip().is_loopback() && server.trusted_proxies.is_empty();
        if config.limits.streams_per_address > 0 && one_address_for_all {
            tracing::warn!(
                streams_per_address = config.limits.streams_per_address,
                "all clients of a loopback listener have one address: list the proxy before it in trusted_proxies"
            );
        }
        let mut tls = None;
        if let (Some(settings), Some(services)) = (config.tls.clone(), services.tls) {
            let address = bound.bind_tls(settings.listen)?;
            tls = Some(BoundTls { address, settings, services });
        }
        Ok(Self { server: bound, live: live.clone(), draining: services.draining, tls, sign_on })
    }

    /// What verifies the credentials of clients, where they sign on.
    pub(crate) fn sign_on(&self) -> Option<Arc<access::SignOn>> {
        self.sign_on.clone()
    }

    /// Where it listens. Port 0 in the configuration has become the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Where it listens for TLS, if it does.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        Some(self.tls.as_ref()?.address)
    }

    /// Serves until `shutdown` is true or its sender is dropped, then ends the open connections: within two seconds all
    /// are closed, except the streams, which are the workers'.
    ///
    /// # Errors
    /// The system's, where a listener cannot be watched.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        let tls = self.tls.map(|BoundTls { settings, services, .. }| {
            let http2 = services.http2.map(|workers| {
                let clients = H2Clients::new(self.server.handler(), workers, self.server.seats(), self.live);
                clients as Arc<dyn AdoptH2>
            });
            TlsEntrance::new(settings, services.config, http2, self.draining)
        });
        self.server.run(tls, shutdown).await
    }
}
