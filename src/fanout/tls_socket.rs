//! A client's TLS connection as a transport of one stream.

use super::{
    http1::http1_first_block,
    input::Input,
    response_head::ResponseHead,
    sealed_socket::SealedSocket,
    tcp::Received,
    transport::{ClientSide, CloseMode, Protocol, Taken, Transport, TransportError},
};
use crate::tls::{PeerSide, RECORD_BYTES_MAX};
use bytes::Bytes;
use mio::Registry;
use std::{cell::RefCell, io, net::SocketAddr, sync::Arc, time::Instant};

/// A TLS connection that carries one stream in HTTP/1.1, watched by a worker's poll.
pub struct TlsSocket {
    socket: SealedSocket,
    registry: Arc<Registry>,
    input: Input,
}

thread_local! {
    /// The plaintext of all connections of a thread, so that an idle connection owns no buffer.
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl TlsSocket {
    /// Takes over a connection, which the poll of `registry` is to watch.
    pub fn new(socket: SealedSocket, registry: Arc<Registry>) -> Self {
        Self { socket, registry, input: Input::default() }
    }
}

/// Moves the beginning of `blocks`, of which the first has lost `cut` bytes, to a record.
fn fill(record: &mut Vec<u8>, blocks: &mut &[&Bytes], cut: &mut usize) {
    record.clear();
    while let [block, others @ ..] = *blocks
        && record.len() < RECORD_BYTES_MAX
    {
        let rest = &block[*cut..];
        let fits = rest.len().min(RECORD_BYTES_MAX - record.len());
        record.extend_from_slice(&rest[..fits]);
        *cut += fits;
        if *cut == block.len() {
            *blocks = others;
            *cut = 0;
        }
    }
}

impl Transport for TlsSocket {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.socket.attach(&self.registry, key)
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        http1_first_block(head, &hello)
    }

    fn try_write(&mut self, mut blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let mut taken = Taken { bytes: 0, full: !self.socket.flush()? };
        let mut cut = 0;
        PLAIN.with_borrow_mut(|record| {
            while !blocks.is_empty() && !taken.full {
                fill(record, &mut blocks, &mut cut);
                taken.full = !self.socket.send(record)?;
                taken.bytes += record.len();
            }
            Ok(taken)
        })
    }

    // What it holds waits for the kernel's report of room, so a flush at the end of a turn would be in vain.

    fn flush(&mut self) -> io::Result<bool> {
        self.socket.flush()
    }

    fn is_worn(&self) -> bool {
        self.socket.is_worn()
    }

    fn drain_input(&mut self, now: Instant) -> Result<ClientSide, TransportError> {
        PLAIN.with_borrow_mut(|dropped| {
            while self.socket.peer_side() == PeerSide::Open {
                dropped.clear();
                match self.socket.receive(dropped)? {
                    Received::Bytes(bytes) if self.input.is_too_much(bytes, now) => {
                        return Err(TransportError::TooMuchInput);
                    }
                    Received::Bytes(_) => {}
                    Received::Nothing => return Ok(ClientSide::Open),
                    Received::End => break,
                }
            }
            Err(TransportError::Left)
        })
    }

    fn close(&mut self, mode: CloseMode) {
        match mode {
            CloseMode::Finish => self.socket.finish(),
            CloseMode::Abort => self.socket.abort(),
        }
    }

    fn protocol(&self) -> Protocol {
        Protocol::Tls
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer()
    }
}
