//! A client's socket as a transport.

use super::{
    http1::http1_first_block,
    response_head::ResponseHead,
    transport::{ClientSide, CloseMode, Taken, Transport, TransportError},
};
use bytes::Bytes;
use mio::{Interest, Registry, Token, net::TcpStream};
use rustix::{
    io::{Errno, retry_on_intr},
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use smallvec::SmallVec;
use socket2::SockRef;
use std::{
    io::{self, ErrorKind, IoSlice, Read},
    net::{Shutdown, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// The most bytes of one send, so that the kernel looks at its limits again. Blocks are large enough that these are
/// fewer than the 1,024 blocks which one send takes.
const SEND_BYTES_MAX: usize = 16 * 1024;
/// Unsent bytes from which the kernel takes no more. It is checked only where a new buffer begins: hence `MSG_EOR` on
/// every send, which ends the buffer. Without it small sends join the unsent tail and the limit does not hold.
const UNSENT_BYTES_MAX: u32 = 1024;
/// Bytes that the kernel holds for the client in all, sent and not acknowledged ones with them; the kernel doubles it
/// for its own use, and counts some 900 bytes for each small send. With less, healthy clients far away would coalesce.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// The most bytes that a client may send behind its request within [`INPUT_SPAN`]. It has nothing to say, but some
/// clients send keep-alive bytes for as long as the stream lives.
const INPUT_BYTES_MAX: usize = 16 * 1024;
const INPUT_SPAN: Duration = Duration::from_secs(60);

/// A plain TCP connection, watched by a worker's poll.
pub struct Socket {
    stream: TcpStream,
    registry: Arc<Registry>,
    input: Input,
}

/// How much a client has sent lately.
#[derive(Default)]
struct Input {
    bytes: usize,
    /// When the current span began, if anything came at all.
    since: Option<Instant>,
}

impl Input {
    /// Counts bytes that the client sent; returns whether they are too many.
    fn is_too_much(&mut self, bytes: usize, now: Instant) -> bool {
        let since = self.since.filter(|&since| now.saturating_duration_since(since) < INPUT_SPAN);
        self.bytes = bytes + since.map_or(0, |_| self.bytes);
        self.since = since.or(Some(now));
        self.bytes > INPUT_BYTES_MAX
    }
}

impl Socket {
    /// Takes over a connected socket, which the poll of `registry` is to watch.
    ///
    /// # Errors
    /// The system refuses one of the options that bound what a slow client costs.
    pub fn new(stream: std::net::TcpStream, registry: Arc<Registry>, user_timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_tcp_user_timeout(Some(user_timeout))?;
        Ok(Self { stream: TcpStream::from_std(stream), registry, input: Input::default() })
    }
}

impl Transport for Socket {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        // A key is 64 bits, as a token is on every platform that this runs on.
        let token = Token(usize::try_from(key).map_err(io::Error::other)?);
        self.registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        http1_first_block(head, &hello)
    }

    fn try_write(&mut self, mut blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let mut taken = Taken::default();
        let mut slices = SmallVec::<[IoSlice<'_>; 5]>::new();
        while !blocks.is_empty() {
            slices.clear();
            let mut offered = 0;
            while let [block, others @ ..] = blocks
                && (offered == 0 || offered + block.len() <= SEND_BYTES_MAX)
            {
                slices.push(IoSlice::new(block));
                offered += block.len();
                blocks = others;
            }
            let sent = send(&self.stream, &slices)?;
            taken.bytes += sent;
            if sent < offered {
                taken.full = true; // the kernel has noted that there was no room, and will report when there is
                break;
            }
        }
        Ok(taken)
    }

    fn drain_input(&mut self, now: Instant) -> Result<ClientSide, TransportError> {
        let mut dropped = [0; 2048];
        loop {
            match self.stream.read(&mut dropped) {
                // Behind a FIN every read ends here, even after a reset: that stands only in the socket's error.
                Ok(0) => {
                    return self.stream.take_error()?.map_or(Ok(ClientSide::HalfClosed), |error| Err(error.into()));
                }
                Ok(bytes) if self.input.is_too_much(bytes, now) => return Err(TransportError::TooMuchInput),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ClientSide::Open),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn close(&mut self, mode: CloseMode) {
        // A socket whose connection is gone refuses both: there is nothing left to end.
        let _ = match mode {
            CloseMode::Finish => self.stream.shutdown(Shutdown::Write),
            // Zero linger: the kernel drops what the client never took and resets the connection. It keeps no orphan.
            CloseMode::Abort => SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)),
        };
    }

    fn peer(&self) -> Option<SocketAddr> {
        // The kernel knows it: no stream spends memory on what only operators ask for.
        self.stream.peer_addr().ok()
    }
}

/// Sends what the kernel takes without waiting; returns how many bytes that was.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::EOR | SendFlags::NOSIGNAL;
    match retry_on_intr(|| sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)) {
        Err(Errno::AGAIN) => Ok(0),
        sent => Ok(sent?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_a_client_may_send_a_little_for_ever_but_not_much_at_once() {
        let start = Instant::now();
        let mut input = Input::default();
        let mut at = |seconds, bytes| input.is_too_much(bytes, start + Duration::from_secs(seconds));
        assert!((0..100_000).all(|second| !at(second, 200)), "200 bytes a second, for a day");
        assert!(!at(200_000, INPUT_BYTES_MAX));
        assert!(at(200_059, 1));
        assert!(!at(200_060, INPUT_BYTES_MAX));
        assert!(at(200_060, 1));
    }
}
