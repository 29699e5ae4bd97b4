//! One connection: its socket, its TLS session, and what it carries.

use super::plan::Protocol;
use crate::{
    h2,
    tls::{Negotiated, Session},
};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read as _, Write as _};

/// The most bytes that wait for the server to read. Requests are some hundred bytes, answers to frames are less.
const UNSENT_MAX: usize = 1024 * 1024;

/// One connection, which is opened again and again.
#[derive(Default)]
pub(super) struct Connection {
    /// The group whose settings it has.
    pub(super) group: usize,
    /// The number of its target.
    pub(super) target: usize,
    /// The streams that use it.
    pub(super) streams: Vec<u32>,
    pub(super) state: State,
    /// Counts its sockets: a task that was scheduled for an earlier one is ignored.
    pub(super) generation: u32,
    /// How many targets were not there since one of its streams was open.
    pub(super) absent: usize,
    /// When it began to connect, in µs since 1970.
    pub(super) begun: i64,
    /// How many of its streams are being opened.
    pub(super) opening: usize,
    /// Whether a timer reads it, at a slow reader's rate.
    pub(super) is_timed: bool,
    pub(super) socket: Option<TcpStream>,
    pub(super) tls: Option<Box<Session>>,
    pub(super) h2: Option<Box<H2>>,
    unsent: Vec<u8>,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// There is none.
    #[default]
    Away,
    /// It is being established.
    Connecting,
    /// TLS shakes hands.
    Handshaking,
    /// It takes requests.
    Ready,
}

/// What a connection of HTTP/2 has beside its socket.
pub(super) struct H2 {
    pub(super) client: h2::Client,
    /// The streams that are open, by their ids on this connection; sorted.
    pub(super) live: Vec<(u32, u32)>,
    /// The server takes no more requests.
    pub(super) is_going_away: bool,
}

/// The buffers that all connections share.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) input: Box<[u8]>,
    /// What has been decrypted.
    pub(super) plain: Vec<u8>,
    /// What is to be sent.
    pub(super) out: Vec<u8>,
    pub(super) events: Vec<h2::Event>,
}

/// What a read has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrived {
    /// How many bytes of the input, or all of `plain` if there is TLS.
    pub(super) bytes: usize,
    /// Whether there may be more.
    pub(super) is_full: bool,
    /// Whether the server has ended the connection behind them.
    pub(super) is_end: bool,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    Socket,
    Tls(rustls::Error),
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

impl Connection {
    /// One that is not open, with the settings of a group.
    pub(super) fn of(group: usize) -> Self {
        Self { group, ..Self::default() }
    }

    /// Begins to connect.
    pub(super) fn begin(&mut self, socket: TcpStream, now: i64) {
        self.socket = Some(socket);
        self.state = State::Connecting;
        self.begun = now;
    }

    /// Closes the connection. `says_so`: with TLS, the server learns that nothing was cut off.
    pub(super) fn close(&mut self, says_so: bool) {
        if says_so && let Some(tls) = &mut self.tls {
            tls.close(&mut self.unsent);
            let _ = self.flush();
        }
        *self = Self {
            group: self.group,
            streams: std::mem::take(&mut self.streams),
            generation: self.generation + 1,
            absent: self.absent,
            opening: self.opening,
            ..Self::default()
        };
    }

    /// Begins TLS.
    pub(super) fn shake_hands(&mut self, session: Session) -> Result<(), Failure> {
        self.state = State::Handshaking;
        self.tls.insert(Box::new(session)).open(&mut [], &mut Vec::new(), &mut self.unsent)?;
        self.flush()
    }

    /// Reads once, at most so many bytes: into the input, and with TLS from there into `plain`. `None`: there is
    /// nothing to read.
    pub(super) fn read(&mut self, buffers: &mut Buffers, bytes_max: usize) -> Result<Option<Arrived>, Failure> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        let begin = self.tls.as_ref().map_or(0, |tls| tls.rest().len());
        let room = buffers.input.len().min(begin.saturating_add(bytes_max));
        let count = match socket.read(&mut buffers.input[begin..room]) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            Err(_) => return Err(Failure::Socket),
        };
        let mut arrived = Arrived { bytes: count, is_full: begin + count == room, is_end: count == 0 };
        if let Some(tls) = &mut self.tls {
            buffers.plain.clear();
            buffers.input[..begin].copy_from_slice(tls.rest());
            let input = &mut buffers.input[..begin + count];
            if let Err(error) = tls.open(input, &mut buffers.plain, &mut self.unsent) {
                // With the alert for the server.
                let _ = self.flush();
                return Err(error.into());
            }
            arrived.is_end |= tls.is_closed();
            self.flush()?;
        }
        Ok(Some(arrived))
    }

    /// Sends what is to be sent, or keeps what the socket does not take yet.
    pub(super) fn send(&mut self, plain: &[u8]) -> Result<(), Failure> {
        match &mut self.tls {
            Some(tls) => tls.seal(plain, &mut self.unsent)?,
            None => self.unsent.extend_from_slice(plain),
        }
        self.flush()
    }

    /// Sends what the socket did not take.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(count) if count > 0 => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.unsent.len() <= UNSENT_MAX => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return Err(Failure::Socket),
            }
        }
        self.unsent = Vec::new(); // thousands of connections seldom send
        Ok(())
    }

    /// Whether it is established; an error if it cannot be.
    pub(super) fn is_established(&self) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(false) };
        match socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(error),
            Ok(None) => Ok(socket.peer_addr().is_ok()),
        }
    }

    /// What it speaks.
    pub(super) fn negotiated(&self, protocol: Protocol) -> (Protocol, Option<Negotiated>) {
        (protocol, self.tls.as_ref().map(|tls| tls.negotiated()))
    }
}

impl H2 {
    /// The stream with an id on this connection.
    pub(super) fn stream(&self, id: u32) -> Option<u32> {
        let found = self.live.binary_search_by_key(&id, |(live, _)| *live).ok()?;
        Some(self.live[found].1)
    }

    /// The id of a stream.
    pub(super) fn id(&self, stream: u32) -> Option<u32> {
        self.live.iter().find(|(_, live)| *live == stream).map(|(id, _)| *id)
    }
}
