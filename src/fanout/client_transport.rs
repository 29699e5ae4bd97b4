//! The transports of real clients, as one type: what a gateway's workers write to.

use super::{
    h2::H2Stream,
    response_head::ResponseHead,
    socket::Socket,
    tls_socket::TlsSocket,
    transport::{ClientSide, CloseMode, Protocol, Stall, Taken, Transport, TransportError},
};
use bytes::Bytes;
use std::{io, net::SocketAddr, time::Instant};

/// A client's end of a stream, by what carries it.
pub enum ClientTransport {
    /// Plain HTTP/1.1.
    Plain(Socket),
    /// HTTP/1.1 over TLS. Boxed, so that a plain stream pays nothing for it.
    Tls(Box<TlsSocket>),
    /// One of many over an HTTP/2 connection.
    H2(H2Stream),
}

/// Calls a method of whichever transport it is.
macro_rules! each {
    ($transport:expr, $inner:ident => $call:expr) => {
        match $transport {
            ClientTransport::Plain($inner) => $call,
            ClientTransport::Tls($inner) => $call,
            ClientTransport::H2($inner) => $call,
        }
    };
}

impl Transport for ClientTransport {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        each!(self, transport => transport.attach(key))
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        each!(self, transport => transport.start(head, hello))
    }

    fn try_write(&mut self, blocks: &[&Bytes], now: Instant) -> io::Result<Taken> {
        each!(self, transport => transport.try_write(blocks, now))
    }

    fn holds_bytes(&self) -> bool {
        each!(self, transport => transport.holds_bytes())
    }

    fn flush(&mut self) -> io::Result<bool> {
        each!(self, transport => transport.flush())
    }

    fn is_worn(&self) -> bool {
        each!(self, transport => transport.is_worn())
    }

    fn drain_input(&mut self, now: Instant) -> Result<ClientSide, TransportError> {
        each!(self, transport => transport.drain_input(now))
    }

    fn close(&mut self, mode: CloseMode) {
        each!(self, transport => transport.close(mode));
    }

    fn connection(&self) -> Option<u64> {
        each!(self, transport => transport.connection())
    }

    fn stalled(&mut self, now: Instant) -> Stall {
        each!(self, transport => transport.stalled(now))
    }

    fn protocol(&self) -> Protocol {
        each!(self, transport => transport.protocol())
    }

    fn peer(&self) -> Option<SocketAddr> {
        each!(self, transport => transport.peer())
    }
}
