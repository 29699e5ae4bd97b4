//! A client's TLS session, in the caller's buffers: ten thousand of them would not need each its own. The only file
//! that names the library's connection.

use super::trust::H2;
use rustls::{
    ClientConfig, Error, ProtocolVersion,
    client::{ClientConnectionData, UnbufferedClientConnection},
    pki_types::ServerName,
    unbuffered::{ConnectionState, EncodeError, EncryptError, WriteTraffic},
};
use serde::Serialize;
use std::sync::Arc;

/// How much longer a record is than its content, at most.
const RECORD_OVERHEAD: usize = 256;

/// A client's session.
pub struct Session {
    connection: UnbufferedClientConnection,
    /// What was read and not used: the beginning of a record, or records of a handshake message that is not complete.
    /// The library wants to see it whenever it is called.
    rest: Vec<u8>,
    is_closed: bool,
}

/// What client and server have agreed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Negotiated {
    /// The version of TLS.
    pub version: &'static str,
    /// The cipher.
    pub cipher: String,
    /// The group of the key exchange.
    pub key_exchange: String,
}

impl std::fmt::Display for Negotiated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}", self.version, self.cipher, self.key_exchange)
    }
}

impl Session {
    pub(super) fn new(config: Arc<ClientConfig>, server: ServerName<'static>) -> Result<Self, Error> {
        Ok(Self { connection: UnbufferedClientConnection::new(config, server)?, rest: Vec::new(), is_closed: false })
    }

    /// What was read before and must stand before what is read next.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Reads the records of `input`, which begins with the rest, and changes it: what they say is appended to `plain`,
    /// and what must be sent to `out`. Without input, a new session says hello.
    ///
    /// # Errors
    /// The session cannot go on; `out` has the alert for the server.
    pub fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut used = 0;
        let opened = loop {
            let status = self.connection.process_tls_records(&mut input[used..]);
            let mut discard = status.discard;
            let goes_on = match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                    true
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(out, |room| data.encode(room).map_err(wanted_to_encode))?;
                    true
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    true
                }
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    self.is_closed = true;
                    false
                }
                // It waits for the server, or for us.
                Ok(_) => false,
                Err(error) => {
                    used += discard;
                    break Err(error);
                }
            };
            used += discard;
            if !goes_on {
                break Ok(());
            }
        };
        let rest = &mut input[used..];
        if opened.is_err()
            && let Ok(ConnectionState::EncodeTlsData(mut alert)) = self.connection.process_tls_records(rest).state
        {
            append(out, |room| alert.encode(room).map_err(wanted_to_encode))?;
        }
        self.rest.clear();
        self.rest.extend_from_slice(rest);
        opened
    }

    /// Appends records of `plain` to `out`.
    ///
    /// # Errors
    /// The session cannot write: the handshake is not over, or its keys are used up.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.write(out, |mut traffic, out| append(out, |room| traffic.encrypt(plain, room).map_err(wanted_to_encrypt)))
    }

    /// Appends the end of the session to `out`.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        // A session that cannot write ends without it.
        let _ = self.write(out, |mut traffic, out| {
            append(out, |room| traffic.queue_close_notify(room).map_err(wanted_to_encrypt))
        });
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(WriteTraffic<'_, ClientConnectionData>, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            match self.connection.process_tls_records(&mut self.rest).state? {
                ConnectionState::WriteTraffic(traffic) => return write(traffic, out),
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, |room| data.encode(room).map_err(wanted_to_encode))?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return Err(Error::HandshakeNotComplete),
            }
        }
    }

    /// Whether the server has said that it ends the session.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether the handshake goes on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the server has chosen HTTP/2.
    pub fn is_h2(&self) -> bool {
        self.connection.alpn_protocol() == Some(H2)
    }

    /// What client and server have agreed on.
    pub fn negotiated(&self) -> Negotiated {
        let debug = |value: Option<&dyn std::fmt::Debug>| value.map_or_else(String::new, |value| format!("{value:?}"));
        let suite = self.connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let group = self.connection.negotiated_key_exchange_group().map(|group| group.name());
        Negotiated {
            version: match self.connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
            cipher: debug(suite.as_ref().map(|suite| suite as &dyn std::fmt::Debug)),
            key_exchange: debug(group.as_ref().map(|group| group as &dyn std::fmt::Debug)),
        }
    }
}

/// How an attempt to write into a slice fails: with the size that it wants, or for good.
enum Wanted {
    Bytes(usize),
    Never(Error),
}

fn wanted_to_encode(error: EncodeError) -> Wanted {
    match error {
        EncodeError::InsufficientSize(size) => Wanted::Bytes(size.required_size),
        EncodeError::AlreadyEncoded => Wanted::Never(Error::General("it is written already".to_owned())),
    }
}

fn wanted_to_encrypt(error: EncryptError) -> Wanted {
    match error {
        EncryptError::InsufficientSize(size) => Wanted::Bytes(size.required_size),
        EncryptError::EncryptExhausted => Wanted::Never(Error::EncryptError),
    }
}

/// Lets the library write behind what `out` holds, with as much room as it wants.
fn append(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, Wanted>) -> Result<(), Error> {
    let begin = out.len();
    let mut room = RECORD_OVERHEAD;
    loop {
        out.resize(begin + room, 0);
        match write(&mut out[begin..]) {
            Ok(written) => {
                out.truncate(begin + written);
                return Ok(());
            }
            Err(Wanted::Bytes(size)) if size > room => room = size,
            Err(wanted) => {
                out.truncate(begin);
                return Err(match wanted {
                    Wanted::Never(error) => error,
                    Wanted::Bytes(_) => Error::EncryptError,
                });
            }
        }
    }
}
