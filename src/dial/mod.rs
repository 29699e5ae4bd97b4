//! Opens TCP connections to other hosts: name look-up, race of a name's addresses, proxy; and whom TLS trusts there.
//! Feeds open websockets over them. The issuer's keys, and the snapshots of venues, are fetched over them
//! ([`Dialer::get`]).
//!
//! The race is our own (`race`): tokio's `TcpStream::connect` tries addresses in turn, and hyper-util's `HttpConnector`
//! races one family against the other, but tries the addresses within a family in turn.

mod connect;
mod error;
mod get;
mod look_up;
mod proxy;
mod race;
mod record;
mod tls;

pub use error::DialError;
pub use get::{Get, GetError, request, shown};
pub use look_up::LookUp;
pub use proxy::ProxyError;
pub use tls::explain;

use crate::config::Proxy;
use look_up::Resolver;
use record::{SharedRecord, Step};
use rustls::{ClientConfig, pki_types::CertificateDer};
use std::sync::Arc;
use tokio::net::TcpStream;

/// What several connections share.
#[derive(Debug, Clone)]
pub struct Dialing {
    tls: Arc<ClientConfig>,
    proxy: Option<Arc<Proxy>>,
    resolver: Resolver,
}

impl Dialing {
    /// Trusts the public CAs, and `own_cas`. A proxy leads to every host.
    pub fn new(own_cas: &[CertificateDer<'static>], proxy: Option<Proxy>) -> Self {
        Self {
            tls: tls::client_config(own_cas),
            proxy: proxy.map(Arc::new),
            resolver: Resolver::new(LookUp::default()),
        }
    }

    /// The same through a proxy, for tests.
    #[cfg(test)]
    pub(crate) fn with_proxy(self, proxy: Proxy) -> Self {
        Self { proxy: Some(Arc::new(proxy)), ..self }
    }

    /// The same with another look-up of names.
    pub fn with_look_up(self, look_up: LookUp) -> Self {
        Self { resolver: Resolver::new(look_up), ..self }
    }
}

/// Opens connections, one after the other. Its clones are the same dialer.
#[derive(Debug, Clone)]
pub struct Dialer {
    dialing: Dialing,
    record: SharedRecord,
}

impl Dialer {
    /// One that has not tried an address yet.
    pub fn new(dialing: Dialing) -> Self {
        Self { dialing, record: SharedRecord::default() }
    }

    /// A new attempt begins. Unless [`Self::opened`] was called since the last one, all of its addresses have failed,
    /// and are tried last.
    pub fn begin(&self) {
        self.record.begin();
    }

    /// Connects to the host, an IPv6 address without brackets. The caller bounds the time.
    ///
    /// # Errors
    /// [`DialError`].
    ///
    /// # Cancel safety
    /// The attempt ends, and [`Self::waits_for`] and [`Self::tried`] report how far it came.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        // Through a proxy, the race is that of its addresses; it looks the host's name up itself.
        let proxy = self.dialing.proxy.as_deref();
        let (first, first_port) = proxy.map_or((host, port), |proxy| (proxy.host.as_str(), proxy.port));
        let found = self.dialing.resolver.addresses(first, first_port, &self.record).await;
        let found = found.map_err(|error| DialError::LookUp { host: first.to_owned(), error })?;
        let tcp = connect::first_of(&found, &self.record).await;
        let mut tcp = tcp.ok_or_else(|| DialError::Unreachable { host: first.to_owned() })?;
        if let Some(proxy) = proxy {
            let through = proxy::tunnel(&mut tcp, proxy, (host, port), &self.record).await;
            through.map_err(|error| DialError::Proxy { host: format!("{first}:{first_port}"), error })?;
        }
        self.record.step(Step::Handshake);
        Ok(tcp)
    }

    /// Whom TLS over these connections trusts.
    pub fn tls(&self) -> Arc<ClientConfig> {
        self.dialing.tls.clone()
    }

    /// The attempt has succeeded, with all that its owner does over the connection.
    pub fn opened(&self) {
        self.record.opened();
    }

    /// What the last attempt waits for, or has waited for when it was dropped.
    pub fn waits_for(&self) -> String {
        self.record.waits_for()
    }

    /// The addresses that the last attempt tried, with what came of each.
    pub fn tried(&self) -> String {
        self.record.tried()
    }
}
