//! Opens the websocket to a venue: name look-up, race of its addresses, proxy, TLS, handshake, one redirect.
//!
//! The race is our own (`race`): tokio's `TcpStream::connect` tries addresses in turn, and hyper-util's `HttpConnector`
//! races one family against the other, but tries the addresses within a family in turn.

mod connect;
mod error;
mod look_up;
mod proxy;
mod race;
mod record;
mod retry_after;
mod target;
mod tls;

pub(super) use error::SocketError;
pub use look_up::LookUp;
pub(super) use target::without_query;

use crate::config::{self, Proxy};
use look_up::Resolver;
use record::{SharedRecord, Step};
use rustls::ClientConfig;
use std::sync::Arc;
use target::Target;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        Error,
        error::UrlError,
        http::{Response, StatusCode, header::LOCATION},
        protocol::WebSocketConfig,
    },
};

/// A websocket to a venue.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Filled with zeros before each read, so a larger one costs more than the reads that it saves.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Requests are a few KB and leave at once: only one at a time is ever in it.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Room for the longest request. A venue that does not read cannot make it grow.
const WRITE_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What the connections of a feed share to open their websockets.
#[derive(Debug, Clone)]
pub(super) struct Dialing {
    tls: Arc<ClientConfig>,
    proxy: Option<Arc<Proxy>>,
    resolver: Resolver,
}

impl Dialing {
    /// As the feed's configuration wants it.
    pub(super) fn new(config: &config::Feed) -> Self {
        let own_cas = config.ca_file.as_ref().map_or(&[][..], |file| &file.certificates);
        Self {
            tls: tls::client_config(own_cas),
            proxy: config.proxy.clone().map(Arc::new),
            resolver: Resolver::new(LookUp::default()),
        }
    }

    /// Without a proxy, for tests.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self::new(&config::Feed::new(crate::venue::DEFAULT, Vec::new()))
    }

    /// The same with another look-up of names.
    pub(super) fn with_look_up(self, look_up: LookUp) -> Self {
        Self { resolver: Resolver::new(look_up), ..self }
    }
}

/// Opens the websockets of one connection, one after the other. Its clones are the same dialer.
#[derive(Clone)]
pub(super) struct Dialer {
    dialing: Dialing,
    websocket: WebSocketConfig,
    record: SharedRecord,
}

impl Dialer {
    /// Messages, and frames, longer than `message_bytes_max` end a connection.
    pub(super) fn new(dialing: Dialing, message_bytes_max: usize) -> Self {
        let websocket = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        Self { dialing, websocket, record: SharedRecord::default() }
    }

    /// Opens a websocket; over TLS for `wss://`. The caller bounds the time.
    ///
    /// # Errors
    /// Why it did not open.
    ///
    /// # Cancel safety
    /// The attempt ends, and [`Dialer::waits_for`] and [`Dialer::tried`] report how far it came.
    pub(super) async fn open(&self, url: &str) -> Result<Socket, SocketError> {
        self.record.begin();
        let target = Target::parse(url).ok_or(Error::Url(UrlError::UnsupportedUrlScheme))?;
        let mut opened = self.open_at(&target).await;
        if let Some(location) = location(&opened) {
            let refused = |why| SocketError::Redirect { to: without_query(&location).to_owned(), why };
            let next = target.redirected(&location).map_err(|refusal| refused(refusal.0))?;
            opened = self.open_at(&next).await;
            if let Some(location) = self::location(&opened) {
                let to = without_query(&location).to_owned();
                return Err(SocketError::Redirect { to, why: "is the second redirect" });
            }
        }
        if opened.is_ok() {
            self.record.opened();
        }
        opened
    }

    async fn open_at(&self, target: &Target) -> Result<Socket, SocketError> {
        // Through a proxy, the race is that of its addresses; it looks the venue's name up itself.
        let proxy = self.dialing.proxy.as_deref();
        let (host, port) = proxy.map_or((&target.host, &target.port), |proxy| (&proxy.host, &proxy.port));
        let found = self.dialing.resolver.addresses(host, *port, &self.record).await;
        let found = found.map_err(|error| SocketError::LookUp { host: host.clone(), error })?;
        let tcp = connect::first_of(&found, &self.record).await;
        let mut tcp = tcp.ok_or_else(|| SocketError::Unreachable { host: host.clone() })?;
        if let Some(proxy) = proxy {
            let through = proxy::tunnel(&mut tcp, proxy, target, &self.record).await;
            through.map_err(|error| SocketError::Proxy { host: format!("{host}:{port}"), error })?;
        }
        self.record.step(Step::Handshake);
        let connector = Some(Connector::Rustls(self.dialing.tls.clone()));
        let (socket, _) = client_async_tls_with_config(&target.uri, tcp, Some(self.websocket), connector).await?;
        Ok(socket)
    }

    /// What the last attempt waits for, or has waited for when it was dropped.
    pub(super) fn waits_for(&self) -> String {
        self.record.waits_for()
    }

    /// The addresses that the last attempt tried, with what came of each.
    pub(super) fn tried(&self) -> String {
        self.record.tried()
    }
}

/// Where the answer to a handshake redirects to.
fn location(opened: &Result<Socket, SocketError>) -> Option<String> {
    let Err(SocketError::Websocket(Error::Http(answer))) = opened else { return None };
    is_redirect(answer).then(|| {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        location.unwrap_or_default().to_owned()
    })
}

fn is_redirect<T>(answer: &Response<T>) -> bool {
    matches!(
        answer.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::DisconnectReason;
    use std::io;
    use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};

    /// A venue that neither reads nor writes.
    struct Stuck;

    impl io::Read for Stuck {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    impl io::Write for Stuck {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rule_10_bytes_for_a_venue_that_does_not_read_are_kept_up_to_a_limit() {
        const MESSAGE_BYTES: usize = 1_000;
        let config = Dialer::new(Dialing::plain(), MESSAGE_BYTES).websocket;
        let mut socket = WebSocket::from_raw_socket(Stuck, Role::Client, Some(config));
        let mut kept = 0;
        let error = loop {
            match socket.write(Message::text("x".repeat(MESSAGE_BYTES))) {
                Ok(()) => kept += MESSAGE_BYTES,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => kept += MESSAGE_BYTES,
                Err(error) => break error,
            }
            assert!(kept <= WRITE_BUFFER_BYTES_MAX, "{kept} bytes wait for a venue that does not read");
        };
        assert_eq!(SocketError::from(error).reason(), DisconnectReason::Stuck);
        assert!(kept + 2 * MESSAGE_BYTES > WRITE_BUFFER_BYTES_MAX, "the limit leaves room for {kept} bytes only");
    }
}

#[cfg(test)]
mod address_tests;

#[cfg(test)]
mod proxy_tests;

#[cfg(test)]
mod redirect_tests;

#[cfg(test)]
mod tls_tests;

#[cfg(test)]
#[path = "conformance_tests.rs"]
mod conformance;
