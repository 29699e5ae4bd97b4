//! A TLS connection without a socket: bytes in, bytes out. The one file that names rustls' connection types.
//!
//! A session owns no buffer while its client says nothing: plaintext and ciphertext go through the caller's buffers.

use super::{TlsError, TlsVersion};
use rustls::{
    HandshakeKind, ProtocolVersion, ServerConfig, SupportedCipherSuite,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus},
};
use std::sync::Arc;

/// The most plaintext that a caller puts into one record: with what TLS adds, it stays below 16 KiB.
pub const RECORD_BYTES_MAX: usize = 16_000;
/// What [`Session::seal`] adds to a record at most, and a change of keys that goes out before it.
const OVERHEAD_BYTES: usize = 256;
/// The most bytes that a client may send before its handshake is done: a message of 64 KiB, the longest that rustls
/// takes, in records of its own, and what comes with the client's last flight.
const HANDSHAKE_BYTES_MAX: usize = 96 * 1024;
/// The most bytes of a record that is not complete, 16 KiB and what TLS adds. Once our flight is out, no message of a
/// client's handshake is as long.
const UNDECODED_BYTES_MAX: usize = 16 * 1024 + 2048 + 5;
/// How many records before the last of a TLS 1.2 session its keys count as worn: enough to end it in order.
const LAST_RECORDS: u64 = 1024;

/// A connection whose handshake is under way.
pub struct Handshake {
    connection: Connection,
    /// What the client sent behind its part of the handshake.
    plaintext: Vec<u8>,
    /// How many bytes came so far.
    received: usize,
    answer: Answer,
}

/// What the client has got from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Nothing,
    /// A HelloRetryRequest: another hello follows, and most of the work with it.
    Retry,
    /// Our flight: what follows is small.
    Flight,
}

/// What follows for a handshake.
pub enum Progress {
    /// It needs more input.
    Waiting(Handshake),
    /// It is done.
    Done(Handshaken),
}

/// The result of a handshake.
pub struct Handshaken {
    /// The session.
    pub session: Session,
    /// The version of TLS.
    pub version: TlsVersion,
    /// Whether the client took up an earlier session.
    pub is_resumed: bool,
    /// What the client sent behind its part of the handshake.
    pub plaintext: Vec<u8>,
}

impl Handshake {
    /// Begins a handshake with a client that has sent nothing yet.
    ///
    /// # Errors
    /// rustls cannot use the configuration.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        let tls = Box::new(UnbufferedServerConnection::new(config)?);
        let connection = Connection { tls, undecoded: Vec::new(), side: Side::Open };
        Ok(Self { connection, plaintext: Vec::new(), received: 0, answer: Answer::Nothing })
    }

    /// Takes what the client sent, and appends to `out` what must be sent to it, also in case of an error.
    ///
    /// # Errors
    /// The handshake failed.
    pub fn advance(mut self, received: &mut [u8], out: &mut Vec<u8>) -> Result<Progress, TlsError> {
        self.received = self.received.saturating_add(received.len());
        if self.received > HANDSHAKE_BYTES_MAX {
            return Err(TlsError::TooMuchInput);
        }
        let before = out.len();
        let reached = self.connection.receive(received, &mut self.plaintext, out)?;
        if out.len() > before {
            let is_retry = self.answer == Answer::Nothing
                && self.connection.tls.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
            self.answer = if is_retry { Answer::Retry } else { Answer::Flight };
        }
        if self.answer == Answer::Flight && self.connection.undecoded.len() > UNDECODED_BYTES_MAX {
            return Err(TlsError::TooMuchInput);
        }
        Ok(match reached {
            Reached::Handshake => Progress::Waiting(self),
            Reached::Traffic => Progress::Done(self.done()),
        })
    }

    /// Whether the client has to send a hello, its first or another.
    pub fn awaits_hello(&self) -> bool {
        self.answer != Answer::Flight
    }
}

impl Handshake {
    /// What the handshake led to.
    fn done(self) -> Handshaken {
        let tls = &self.connection.tls;
        Handshaken {
            version: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                _ => TlsVersion::Tls13, // the configuration has no others
            },
            is_resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            session: Session { records_left: records(tls), connection: self.connection },
            plaintext: self.plaintext,
        }
    }
}

/// How many records the connection's keys may encrypt until they are worn. TLS 1.3 changes them by itself.
fn records(connection: &UnbufferedServerConnection) -> u64 {
    match connection.negotiated_cipher_suite() {
        Some(SupportedCipherSuite::Tls12(suite)) => suite.common.confidentiality_limit.saturating_sub(LAST_RECORDS),
        _ => u64::MAX,
    }
}

/// A connection whose handshake is done.
pub struct Session {
    connection: Connection,
    records_left: u64,
}

/// What the client's input says of its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerSide {
    /// The client may still send.
    Open,
    /// The client sent `close_notify`: nothing comes after it.
    Closed,
}

impl Session {
    /// The application protocol that both sides agreed on, if the client offered any.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.tls.alpn_protocol()
    }

    /// Appends a record with `plain` to `out`, behind what TLS itself has to say first. `plain` has at most
    /// [`RECORD_BYTES_MAX`] bytes, else it takes several records.
    ///
    /// # Errors
    /// The keys are exhausted: then `out` has gained a `close_notify`. Or the session has failed before.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.records_left = self.records_left.saturating_sub(1);
        self.connection.seal(plain, out)
    }

    /// Decrypts what the client sent and appends it to `plain`; appends to `out` what must be sent at once, also in
    /// case of an error. `received` is used as scratch space. The session keeps a record that is not complete.
    ///
    /// # Errors
    /// The client broke TLS, sent an alert, or a record that is too long. The session has ended.
    pub fn open(&mut self, received: &mut [u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<PeerSide, TlsError> {
        self.connection.receive(received, plain, out)?;
        if self.connection.undecoded.len() > UNDECODED_BYTES_MAX {
            return Err(TlsError::TooMuchInput);
        }
        Ok(self.peer_side())
    }

    /// What the client's input so far says of its side.
    pub fn peer_side(&self) -> PeerSide {
        if self.connection.side == Side::Open { PeerSide::Open } else { PeerSide::Closed }
    }

    /// Whether the session must end soon: its keys cannot be changed, and serve few records more.
    pub fn is_worn(&self) -> bool {
        self.records_left == 0
    }

    /// Appends the alert that ends our side. Nothing may be sealed after it.
    pub fn close_notify(&mut self, out: &mut Vec<u8>) {
        self.connection.close_notify(out);
    }
}

/// rustls' connection, with the input that it could not use yet.
struct Connection {
    tls: Box<UnbufferedServerConnection>,
    /// The beginning of a record. rustls remembers places in it, so every call must pass it.
    undecoded: Vec<u8>,
    side: Side,
}

/// What became of the client's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The client may still send.
    Open,
    /// The client sent `close_notify`.
    Closed,
    /// TLS ended with an error, in either direction.
    Failed,
}

/// How far the input led.
enum Reached {
    /// The handshake needs more.
    Handshake,
    /// The handshake is done, and all whole records are decrypted.
    Traffic,
}

impl Connection {
    /// Takes input; appends what it says to `plain`, and what must be sent to `out`.
    fn receive(&mut self, received: &mut [u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<Reached, TlsError> {
        match self.side {
            Side::Open => {}
            Side::Closed => return Ok(Reached::Traffic), // what comes behind a `close_notify` does not count
            Side::Failed => return Err(TlsError::Closed),
        }
        if self.undecoded.is_empty() {
            let (used, reached) = self.process(received, plain, out);
            if self.side == Side::Open {
                self.undecoded = received[used..].to_vec();
            }
            return reached;
        }
        let mut input = std::mem::take(&mut self.undecoded);
        input.extend_from_slice(received);
        let (used, reached) = self.process(&mut input, plain, out);
        input.drain(..used);
        if self.side == Side::Open && !input.is_empty() {
            self.undecoded = input; // else its memory is given back
        }
        reached
    }

    /// Processes all whole records of `input`; returns how many bytes are used up.
    fn process(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> (usize, Result<Reached, TlsError>) {
        let mut used = 0;
        let reached = loop {
            let UnbufferedStatus { discard, state, .. } = self.tls.process_tls_records(&mut input[used..]);
            used += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                used += record.discard;
                                plain.extend_from_slice(record.payload);
                            }
                            Err(error) => return (used, Err(error.into())),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                // TLS 1.2 may write before the client's last flight has come, if it resumes a session.
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => {
                    break Ok(if self.tls.is_handshaking() { Reached::Handshake } else { Reached::Traffic });
                }
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    self.side = Side::Closed;
                    break Ok(Reached::Traffic);
                }
                // Data before the end of the handshake, which the configuration does not offer.
                Ok(_) => break Err(TlsError::TooMuchInput),
                Err(error) => break Err(error.into()),
            }
        };
        if reached.is_err() {
            self.encode_pending(&mut input[used..], out);
        }
        (used, reached)
    }

    /// Appends the alert of an error. After an error rustls must not look at its input again.
    fn encode_pending(&mut self, rest: &mut [u8], out: &mut Vec<u8>) {
        self.side = Side::Failed;
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) = self.tls.process_tls_records(rest).state
        {
            encode(data, out);
        }
    }

    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        if self.side == Side::Failed {
            return Err(TlsError::Closed);
        }
        let mut room = plain.len() + OVERHEAD_BYTES;
        loop {
            match self.tls.process_tls_records(&mut self.undecoded).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let start = out.len();
                    out.resize(start + room, 0);
                    match traffic.encrypt(plain, &mut out[start..]) {
                        Ok(written) => {
                            out.truncate(start + written);
                            return Ok(());
                        }
                        Err(EncryptError::InsufficientSize(size)) => {
                            out.truncate(start);
                            room = size.required_size;
                        }
                        Err(EncryptError::EncryptExhausted) => {
                            out.truncate(start);
                            break;
                        }
                    }
                }
                ConnectionState::EncodeTlsData(data) => encode(data, out),
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return Err(TlsError::Closed),
            }
        }
        let mut undecoded = std::mem::take(&mut self.undecoded);
        self.encode_pending(&mut undecoded, out);
        Err(TlsError::KeysExhausted)
    }

    fn close_notify(&mut self, out: &mut Vec<u8>) {
        while self.side != Side::Failed
            && let Ok(state) = self.tls.process_tls_records(&mut self.undecoded).state
        {
            match state {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let start = out.len();
                    out.resize(start + OVERHEAD_BYTES, 0);
                    // Without room the alert waits in rustls, and the next pass appends it.
                    if let Ok(written) = traffic.queue_close_notify(&mut out[start..]) {
                        out.truncate(start + written);
                        return;
                    }
                    out.truncate(start);
                }
                ConnectionState::EncodeTlsData(data) => encode(data, out),
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return,
            }
        }
    }
}

/// Appends a record that rustls has made.
fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) {
    let start = out.len();
    // Asked without room, rustls tells how long the record is.
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
