//! Opens the websocket to a venue: over a connection of `crate::dial`, TLS, handshake, one redirect.

mod error;
mod retry_after;
mod target;

pub(super) use error::SocketError;
pub(super) use retry_after::retry_after;
pub(super) use target::without_query;

use crate::{
    config,
    dial::{self, Dialing},
};
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
pub(super) fn dialing(config: &config::Feed) -> Dialing {
    let own_cas = config.ca_file.as_ref().map_or(&[][..], |file| &file.certificates);
    Dialing::new(own_cas, config.proxy.clone())
}

/// Without a proxy, for tests.
#[cfg(test)]
pub(super) fn plain() -> Dialing {
    dialing(&config::Feed::new(crate::venue::DEFAULT, Vec::new()))
}

/// Opens the websockets of one connection, one after the other. Its clones are the same dialer.
#[derive(Clone)]
pub(super) struct Dialer {
    dialer: dial::Dialer,
    websocket: WebSocketConfig,
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
        Self { dialer: dial::Dialer::new(dialing), websocket }
    }

    /// The longest message of the websockets that it opens from now on.
    pub(super) fn set_message_bytes_max(&mut self, message_bytes_max: usize) {
        let websocket = self.websocket;
        self.websocket = websocket.max_message_size(Some(message_bytes_max)).max_frame_size(Some(message_bytes_max));
    }

    /// Opens a websocket; over TLS for `wss://`. The caller bounds the time.
    ///
    /// # Errors
    /// Why it did not open.
    ///
    /// # Cancel safety
    /// The attempt ends, and [`Dialer::waits_for`] and [`Dialer::tried`] report how far it came.
    pub(super) async fn open(&self, url: &str) -> Result<Socket, SocketError> {
        self.dialer.begin();
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
            self.dialer.opened();
        }
        opened
    }

    async fn open_at(&self, target: &Target) -> Result<Socket, SocketError> {
        let tcp = self.dialer.connect(&target.host, target.port).await?;
        let connector = Some(Connector::Rustls(self.dialer.tls()));
        let (socket, _) = client_async_tls_with_config(&target.uri, tcp, Some(self.websocket), connector).await?;
        Ok(socket)
    }

    /// What the last attempt waits for, or has waited for when it was dropped.
    pub(super) fn waits_for(&self) -> String {
        self.dialer.waits_for()
    }

    /// The addresses that the last attempt tried, with what came of each.
    pub(super) fn tried(&self) -> String {
        self.dialer.tried()
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
        let config = Dialer::new(plain(), MESSAGE_BYTES).websocket;
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
