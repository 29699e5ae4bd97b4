//! A client's socket as a transport.

use super::{
    http1::http1_first_block,
    input::Input,
    response_head::ResponseHead,
    tcp::{Received, Tcp},
    transport::{ClientSide, CloseMode, Taken, Transport, TransportError},
};
use bytes::Bytes;
use mio::Registry;
use smallvec::SmallVec;
use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// The most bytes of one send, so that the kernel looks at its limits again. Blocks are large enough that these are
/// fewer than the 1,024 blocks which one send takes.
const SEND_BYTES_MAX: usize = 16 * 1024;

/// A plain TCP connection, watched by a worker's poll.
pub struct Socket {
    tcp: Tcp,
    registry: Arc<Registry>,
    input: Input,
}

impl Socket {
    /// Takes over a connected socket, which the poll of `registry` is to watch.
    ///
    /// # Errors
    /// The system refuses one of the options that bound what a slow client costs.
    pub fn new(stream: std::net::TcpStream, registry: Arc<Registry>, user_timeout: Duration) -> io::Result<Self> {
        Ok(Self { tcp: Tcp::new(stream, user_timeout)?, registry, input: Input::default() })
    }
}

impl Transport for Socket {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.tcp.attach(&self.registry, key)
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
            let sent = self.tcp.send(&slices)?;
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
            match self.tcp.read(&mut dropped)? {
                Received::Bytes(bytes) if self.input.is_too_much(bytes, now) => {
                    return Err(TransportError::TooMuchInput);
                }
                Received::Bytes(_) => {}
                Received::Nothing => return Ok(ClientSide::Open),
                Received::End => return Ok(ClientSide::HalfClosed),
            }
        }
    }

    fn close(&mut self, mode: CloseMode) {
        match mode {
            CloseMode::Finish => self.tcp.finish(),
            CloseMode::Abort => self.tcp.abort(),
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.tcp.peer()
    }
}
