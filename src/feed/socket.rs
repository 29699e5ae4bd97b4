//! The websocket to a venue: how it is opened, and what its errors mean.

use super::DisconnectReason;
use crate::market::Reason;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        Error,
        error::{CapacityError, ProtocolError},
        http::{StatusCode, header::RETRY_AFTER},
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

/// Opens websockets.
#[derive(Clone)]
pub(super) struct Dialer {
    connector: Connector,
    websocket: WebSocketConfig,
}

impl Dialer {
    /// Messages, and frames, longer than `message_bytes_max` end a connection.
    pub(super) fn new(message_bytes_max: usize) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // The provider is named here: the process may have none that is its default.
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let websocket = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        Self { connector: Connector::Rustls(Arc::new(tls)), websocket }
    }

    /// Opens a websocket; over TLS for `wss://`.
    ///
    /// # Errors
    /// Why it did not open.
    pub(super) async fn open(&self, url: &str) -> Result<Socket, Error> {
        let disable_nagle = true;
        let connector = Some(self.connector.clone());
        let (socket, _) = connect_async_tls_with_config(url, Some(self.websocket), disable_nagle, connector).await?;
        Ok(socket)
    }
}

/// The reason that is counted for an error.
pub(super) fn disconnect_reason(error: &Error) -> DisconnectReason {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => DisconnectReason::Closed,
        Error::Io(cause) if cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => DisconnectReason::Tls,
        Error::Io(_) | Error::Url(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            DisconnectReason::Io
        }
        Error::Tls(_) => DisconnectReason::Tls,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => DisconnectReason::Oversize,
        Error::Http(_) if denied(error).is_some() => DisconnectReason::Denied,
        Error::Http(_) => DisconnectReason::Http,
        Error::WriteBufferFull(_) => DisconnectReason::Stuck,
        Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt | Error::HttpFormat(_) => {
            DisconnectReason::Protocol
        }
    }
}

/// Why the venue denies access, if its answer to the handshake says so.
pub(super) fn denied(error: &Error) -> Option<Reason> {
    let Error::Http(response) = error else { return None };
    match response.status() {
        StatusCode::UNAUTHORIZED => Some(Reason::Unauthorized),
        StatusCode::FORBIDDEN => Some(Reason::NotEntitled),
        _ => None,
    }
}

/// The wait that a refused handshake asks for. A date in place of seconds is ignored.
pub(super) fn retry_after(error: &Error) -> Option<Duration> {
    let Error::Http(response) = error else { return None };
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tokio_tungstenite::tungstenite::{Message, WebSocket, http::Response, protocol::Role};

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
        let config = Dialer::new(MESSAGE_BYTES).websocket;
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
        assert_eq!(disconnect_reason(&error), DisconnectReason::Stuck);
        assert!(kept + 2 * MESSAGE_BYTES > WRITE_BUFFER_BYTES_MAX, "the limit leaves room for {kept} bytes only");
    }

    fn refused(status: u16, retry_after: Option<&str>) -> Error {
        let mut response = Response::builder().status(status);
        if let Some(value) = retry_after {
            response = response.header(RETRY_AFTER, value);
        }
        Error::Http(Box::new(response.body(None).unwrap()))
    }

    #[test]
    fn rule_9_each_error_has_its_reason() {
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, reason) in [
            (Error::ConnectionClosed, DisconnectReason::Closed),
            (Error::Io(io::ErrorKind::ConnectionRefused.into()), DisconnectReason::Io),
            (Error::Io(io::Error::new(io::ErrorKind::InvalidData, untrusted)), DisconnectReason::Tls),
            (Error::Protocol(ProtocolError::ResetWithoutClosingHandshake), DisconnectReason::Io),
            (Error::Protocol(ProtocolError::NonZeroReservedBits), DisconnectReason::Protocol),
            (Error::Capacity(CapacityError::MessageTooLong { size: 2, max_size: 1 }), DisconnectReason::Oversize),
            (Error::Capacity(CapacityError::TooManyHeaders), DisconnectReason::Protocol),
            (Error::WriteBufferFull(Box::new(Message::text(""))), DisconnectReason::Stuck),
            (Error::Utf8(String::new()), DisconnectReason::Protocol),
            (refused(503, None), DisconnectReason::Http),
            (refused(401, None), DisconnectReason::Denied),
            (refused(403, None), DisconnectReason::Denied),
        ] {
            assert_eq!(disconnect_reason(&error), reason, "{error}");
        }
    }

    #[test]
    fn a_refusal_may_say_for_how_long() {
        for (value, seconds) in
            [(Some("120"), Some(120)), (Some(" 5 "), Some(5)), (Some("soon"), None), (Some("-1"), None), (None, None)]
        {
            assert_eq!(retry_after(&refused(429, value)), seconds.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&Error::ConnectionClosed), None);
    }
}

#[cfg(test)]
#[path = "conformance_tests.rs"]
mod conformance;
