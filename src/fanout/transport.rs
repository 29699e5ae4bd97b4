//! The place where a stream's bytes go: all that a worker knows of a client.

use super::response_head::ResponseHead;
use bytes::Bytes;
use std::{io, net::SocketAddr, time::Instant};

/// A client's end of a stream. No method blocks.
///
/// A transport reports that it has room, or input, by a [`Ready`], in one of three ways:
///
/// - **By the worker's poll**, if it owns its descriptor. Its token there is the stream's key.
/// - **Through its connection**, if it is one of several streams of an HTTP/2 connection. The connection owns the
///   descriptor and has a token of its own; the worker asks it what became of its streams.
/// - **By [`WorkerHandle::ready`](super::WorkerHandle::ready)**, if something outside of the worker waits for it.
pub trait Transport {
    /// Reports readiness of this transport to its worker under `key` from now on.
    ///
    /// # Errors
    /// The system cannot watch it.
    fn attach(&mut self, key: u64) -> io::Result<()>;

    /// Starts the response; returns the first block to write. HTTP/1.1 puts the encoded head in front of `hello`, with
    /// the fields of its own. A transport that frames heads apart from bodies holds the head back for its first write,
    /// and returns `hello` as it is.
    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes;

    /// Offers blocks in order. The stream keeps the tail of a block that was cut and offers it before all else; every
    /// block not yet begun may be replaced. Full: the worker writes nothing more until one [`Ready`] reports room. A
    /// transport that did not take all is full. It holds at most 16 KiB above its socket.
    ///
    /// # Errors
    /// The client is gone. Full is not an error.
    fn try_write(&mut self, blocks: &[&Bytes], now: Instant) -> io::Result<Taken>;

    /// Whether bytes that [`Transport::try_write`] took still wait in the transport for a [`Transport::flush`].
    fn holds_bytes(&self) -> bool {
        false
    }

    /// Sends the bytes that the transport holds; `false`: it still holds some, and is full. The worker calls it when a
    /// full transport reports room, and at the end of a turn where the transport holds bytes. Flushed bytes do not
    /// restart the stall timeout, which counts from the last byte that [`Transport::try_write`] took.
    ///
    /// # Errors
    /// The client is gone. Full is not an error.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether the transport must end soon, though its client reads on. The worker says goodbye then.
    fn is_worn(&self) -> bool {
        false
    }

    /// Reads and drops what the client sent. It reports [`ClientSide::HalfClosed`] for as long as it cannot tell
    /// whether a client that sends nothing more still reads. A transport whose client always announces its end does
    /// not report it: over TLS both `close_notify` and an end of the socket without it are [`TransportError::Left`].
    ///
    /// # Errors
    /// [`TransportError`]: the client left, or it sent too much.
    fn drain_input(&mut self, now: Instant) -> Result<ClientSide, TransportError>;

    /// Ends the response. After [`CloseMode::Finish`] the worker still drains input until the client closes its side.
    fn close(&mut self, mode: CloseMode);

    /// The connection that carries this transport and others, as its worker knows it. The worker settles it at the end
    /// of a turn in which one of them was written or closed.
    fn connection(&self) -> Option<u64> {
        None
    }

    /// Says why it has taken no byte for the stall timeout.
    fn stalled(&mut self, _now: Instant) -> Stall {
        Stall::Client
    }

    /// The other end of the connection, the client or the proxy before it, where the transport knows it.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// The protocol that carries it.
    fn protocol(&self) -> Protocol {
        Protocol::Http1
    }
}

/// A protocol that carries streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 over TCP.
    Http1,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    Http2,
}

impl Protocol {
    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "h1",
            Self::Tls => "tls",
            Self::Http2 => "h2",
        }
    }
}

/// Why a transport has taken no byte for the stall timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The client takes nothing: the stream ends.
    Client,
    /// The client keeps its window closed, or no longer moves it: the stream ends.
    Window,
    /// Another stream has used up what they share: this one has its time again, and the other one, by its key, ends
    /// unless it has ended already.
    Neighbour(Option<u64>),
}

/// What a transport's input says of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientSide {
    /// The client may still send.
    Open,
    /// The client has closed its sending side. It may still read, or it may be gone: only a write can tell.
    HalfClosed,
}

/// The result of a transport's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// How many bytes the transport took.
    pub bytes: usize,
    /// Whether the transport is full. It may be full although it took all that was offered.
    pub full: bool,
}

/// How a transport ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseMode {
    /// All bytes that the transport took are sent first.
    Finish,
    /// All bytes are thrown away, those in the kernel too.
    Abort,
}

/// Something happened to a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The key that the transport is attached under.
    pub key: u64,
    /// There may be input, or the client left.
    pub readable: bool,
    /// There may be room.
    pub writable: bool,
}

/// Why a client can no longer be written to.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The client closed the connection.
    #[error("the client left")]
    Left,
    /// The client took no byte for the stall timeout.
    #[error("the client took nothing")]
    Stalled,
    /// The client sent more behind its request than a stream's client has to say.
    #[error("the client sent too much")]
    TooMuchInput,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}
