//! A client's TCP connection under a TLS session: records out, plaintext in.

use super::{
    tcp::{Received, Tcp},
    transport::TransportError,
};
use crate::tls::{PeerSide, Session, TlsError};
use mio::Registry;
use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How many bytes one read takes.
const READ_BYTES: usize = 4 * 1024;

/// A TCP connection with a TLS session.
pub struct SealedSocket {
    tcp: Tcp,
    session: Session,
    /// Sealed bytes that the kernel did not take: the rest of a record, and an alert. They can no longer be replaced.
    held: Vec<u8>,
    /// Our side ends once all is sent.
    is_finishing: bool,
}

thread_local! {
    /// The records of all connections of a thread are made here, so that an idle connection owns no buffer.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl SealedSocket {
    /// Takes over a connection whose handshake is done. `unsent` must go out before all else.
    ///
    /// # Errors
    /// The system refuses one of the options that bound what a slow client costs.
    pub fn new(stream: TcpStream, session: Session, unsent: Vec<u8>, user_timeout: Duration) -> io::Result<Self> {
        Ok(Self { tcp: Tcp::new(stream, user_timeout)?, session, held: unsent, is_finishing: false })
    }

    /// Makes a poll watch it.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn attach(&mut self, registry: &Registry, key: u64) -> io::Result<()> {
        self.tcp.attach(registry, key)
    }

    /// Sends a record of at most [`RECORD_BYTES_MAX`](crate::tls::RECORD_BYTES_MAX) bytes; `false`: a part of it is
    /// held, and the socket is full. The caller flushes before it sends more, so no more than a record is held.
    ///
    /// # Errors
    /// The client is gone, or the session has ended.
    pub fn send(&mut self, plain: &[u8]) -> io::Result<bool> {
        SEALED.with_borrow_mut(|sealed| {
            sealed.clear();
            let is_sealed = self.session.seal(plain, sealed);
            let is_out = self.send_sealed(sealed)?; // keys that are exhausted leave an alert
            is_sealed.map_err(io::Error::other)?;
            Ok(is_out)
        })
    }

    /// Sends sealed bytes behind what is held. That goes first: the kernel reports room once, and a report that came
    /// before these bytes is over. Nothing follows the end of our side.
    fn send_sealed(&mut self, sealed: &[u8]) -> io::Result<bool> {
        if self.is_finishing {
            return self.flush();
        }
        let sent = if self.flush()? { self.tcp.send(&[IoSlice::new(sealed)])? } else { 0 };
        self.held.extend_from_slice(&sealed[sent..]);
        Ok(self.held.is_empty())
    }

    /// Whether sealed bytes wait for a flush.
    pub fn holds_bytes(&self) -> bool {
        !self.held.is_empty()
    }

    /// Sends what is held; `false`: some of it still is, and the socket is full.
    ///
    /// # Errors
    /// The client is gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        if self.held.is_empty() {
            return Ok(true);
        }
        let sent = self.tcp.send(&[IoSlice::new(&self.held)])?;
        self.held.drain(..sent);
        if !self.held.is_empty() {
            return Ok(false);
        }
        self.held = Vec::new(); // an idle connection owns no buffer
        if self.is_finishing {
            self.tcp.finish();
        }
        Ok(true)
    }

    /// Reads once, and decrypts what came behind `plain`. It returns how many bytes came from the network, where the
    /// client has not ended its side. What TLS must answer is sent, or held.
    ///
    /// # Errors
    /// The client is gone, or broke TLS.
    pub fn receive(&mut self, plain: &mut Vec<u8>) -> Result<Received, TransportError> {
        let mut received = [0; READ_BYTES];
        let bytes = match self.tcp.read(&mut received)? {
            Received::Bytes(bytes) => bytes,
            other => return Ok(other),
        };
        let side = SEALED.with_borrow_mut(|sealed| {
            sealed.clear();
            let side = self.session.open(&mut received[..bytes], plain, sealed);
            if !sealed.is_empty() {
                self.send_sealed(sealed)?;
            }
            Ok::<_, TransportError>(side?)
        })?;
        Ok(match side {
            PeerSide::Open => Received::Bytes(bytes),
            PeerSide::Closed => Received::End,
        })
    }

    /// What the client's input so far says of its side.
    pub fn peer_side(&self) -> PeerSide {
        self.session.peer_side()
    }

    /// Whether the session must end soon: its keys cannot be changed, and serve few records more.
    pub fn is_worn(&self) -> bool {
        self.session.is_worn()
    }

    /// Ends our side: a `close_notify`, then the end of the connection's half, behind all that is held.
    pub fn finish(&mut self) {
        if !self.is_finishing {
            self.is_finishing = true;
            self.session.close_notify(&mut self.held);
        }
        // An error means that the client is gone: there is nothing left to end.
        let _ = self.flush();
    }

    /// Makes the close reset the connection.
    pub fn abort(&self) {
        self.tcp.abort();
    }

    /// The other end of the connection.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.tcp.peer()
    }
}

impl From<TlsError> for TransportError {
    fn from(error: TlsError) -> Self {
        match error {
            // By it the client ends the connection.
            TlsError::Alert(_) => Self::Left,
            TlsError::TooMuchInput => Self::TooMuchInput,
            error => Self::Broken(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{RECORD_BYTES_MAX, testing::Pair};
    use rustix::event::{PollFd, PollFlags, poll};
    use rustls::version::TLS13;
    use std::{io::Read as _, net::TcpListener};

    /// Both ends of a connection, and the gateway's socket a second time.
    fn connected() -> (TcpStream, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = listener.accept().unwrap().0;
        (ours.try_clone().unwrap(), ours, theirs)
    }

    /// The kernel reports room once: what came too late for the report must not wait for another.
    #[test]
    fn bytes_that_are_held_leave_with_an_alert_that_comes_later() {
        let (_client, session) = Pair::of(&TLS13).connect();
        let (watched, ours, mut theirs) = connected();
        let mut socket = SealedSocket::new(ours, session, Vec::new(), Duration::from_secs(60)).unwrap();
        while socket.send(&[b'x'; RECORD_BYTES_MAX]).unwrap() {}
        assert!(socket.holds_bytes());
        let mut taken = vec![0; 1 << 20];
        loop {
            let mut fds = [PollFd::new(&watched, PollFlags::OUT), PollFd::new(&theirs, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            if fds[0].revents().contains(PollFlags::OUT) {
                break;
            }
            assert!(theirs.read(&mut taken).unwrap() > 0);
        }
        let held = socket.held.len();
        socket.send_sealed(b"an alert").unwrap();
        assert!(socket.held.len() < held, "{} bytes are held still", socket.held.len());
    }
}
