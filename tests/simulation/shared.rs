//! A scripted HTTP/2 connection below several streams: how many bytes its socket takes, and a client that opens
//! windows, resets streams and leaves as the test says.

use crate::{
    client::{Client, Scripted, Seen},
    h2_peer::H2Peer,
};
use bytes::Bytes;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tickfan::{
    fanout::{
        Activity, ClientSide, CloseMode, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Io, H2Request,
        H2Stream, NewConnection, Received, Refused, Requests, ResponseHead, Stall, Taken, Transport, TransportError,
    },
    h2::Limits,
    tls::RECORD_BYTES_MAX,
};

/// The most bytes that a connection has for a socket that takes none: a record.
const HELD_MAX: usize = 16 * 1024;

/// Both ends of a connection.
pub(crate) struct Connection {
    pub(crate) worker: usize,
    pipe: Arc<Mutex<Pipe>>,
    /// The requests that have no stream yet.
    asked: Arc<Mutex<Vec<H2Request>>>,
    pub(crate) peer: H2Peer,
    /// Its gateway was not told yet that there is input.
    pub(crate) has_input: bool,
    /// Its clients' streams, by number.
    pub(crate) clients: BTreeMap<u32, Rc<RefCell<Client>>>,
}

/// What is between the two ends.
#[derive(Default)]
struct Pipe {
    token: Option<u64>,
    /// Bytes that the socket takes before it is full.
    room: usize,
    /// What it did not take of the last record.
    held: Vec<u8>,
    to_client: Vec<u8>,
    to_gateway: Vec<u8>,
    /// The records that were sent.
    records: usize,
    left: bool,
    has_finished: bool,
    is_aborted: bool,
}

impl Pipe {
    fn take_held(&mut self) -> bool {
        let taken = self.held.len().min(self.room);
        self.room -= taken;
        let taken: Vec<u8> = self.held.drain(..taken).collect();
        self.to_client.extend(taken);
        self.held.is_empty()
    }

    fn check(&self) -> io::Result<()> {
        if self.left { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

struct ScriptedIo(Arc<Mutex<Pipe>>);

impl ScriptedIo {
    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap()
    }
}

impl H2Io for ScriptedIo {
    fn attach(&mut self, token: u64) -> io::Result<()> {
        self.lock().token = Some(token);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut pipe = self.lock();
        pipe.check()?;
        assert!((1..=RECORD_BYTES_MAX).contains(&bytes.len()), "rule 10: a record of {} bytes", bytes.len());
        assert!(pipe.held.is_empty(), "rule 4: a full socket is left alone until it has room");
        assert!(!pipe.has_finished && !pipe.is_aborted, "nothing is sent after the end");
        pipe.records += 1;
        pipe.held = bytes.to_vec();
        assert!(pipe.held.len() <= HELD_MAX);
        Ok(pipe.take_held())
    }

    fn flush(&mut self) -> io::Result<bool> {
        let mut pipe = self.lock();
        pipe.check()?;
        Ok(pipe.take_held())
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError> {
        let mut pipe = self.lock();
        if pipe.left {
            return Ok(Received::End);
        }
        let count = pipe.to_gateway.len().min(1_000); // in the middle of a frame
        bytes.extend(pipe.to_gateway.drain(..count));
        Ok(if count == 0 { Received::Nothing } else { Received::Bytes(count) })
    }

    fn finish(&mut self) -> io::Result<bool> {
        let mut pipe = self.lock();
        pipe.check()?;
        pipe.has_finished = pipe.take_held();
        Ok(pipe.has_finished)
    }

    fn abort(&mut self) {
        let mut pipe = self.lock();
        pipe.is_aborted = true;
        pipe.held.clear();
    }
}

struct Listener(Arc<Mutex<Vec<H2Request>>>);

impl Requests for Listener {
    fn take(&self, request: H2Request) -> Result<(), Refused> {
        self.0.lock().unwrap().push(request);
        Ok(())
    }
}

impl ConnectionPermits for Listener {
    fn request(&self, _: std::net::IpAddr) -> Option<Box<dyn Send>> {
        Some(Box::new(()))
    }

    fn permit(&self, _: std::net::IpAddr) -> Option<Box<dyn ConnectionPermit>> {
        Some(Box::new(NoPermit))
    }
}

struct NoPermit;

impl ConnectionPermit for NoPermit {
    fn held_by(&mut self, _: ConnectionAddress) {}

    fn becomes(&mut self, _: Activity) {}
}

impl Connection {
    /// A connection to a worker, whose socket takes so many bytes.
    pub(crate) fn new(worker: usize, room: usize, settings: &[(u16, u32)]) -> (Self, NewConnection) {
        let pipe = Arc::new(Mutex::new(Pipe { room, ..Pipe::default() }));
        let asked = Arc::<Mutex<Vec<H2Request>>>::default();
        let new = NewConnection {
            io: Box::new(ScriptedIo(pipe.clone())),
            input: Vec::new(),
            peer: ([127, 0, 0, 1], 1).into(),
            limits: Limits { streams: 100, head_bytes: 16 * 1024, body_bytes: 16 * 1024, reader_check: true },
            head_timeout: Duration::from_secs(3_600),
            write_timeout: Duration::from_secs(10),
            permit: Box::new(NoPermit),
            requests: Arc::new(Listener(asked.clone())),
        };
        (Self { worker, pipe, asked, peer: H2Peer::new(settings), has_input: false, clients: BTreeMap::new() }, new)
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap()
    }

    /// Its token, once its worker has taken it over.
    pub(crate) fn token(&self) -> Option<u64> {
        self.pipe().token
    }

    /// Sends what the client has to send, and takes what has come; returns whether the gateway has to be told of input.
    pub(crate) fn exchange(&mut self) -> bool {
        let received = std::mem::take(&mut self.pipe().to_client);
        self.peer.receive(&received);
        let sent = std::mem::take(&mut self.peer.out);
        let mut pipe = self.pipe.lock().unwrap();
        self.has_input |= !sent.is_empty();
        pipe.to_gateway.extend(sent);
        self.has_input
    }

    /// The socket takes more; returns whether the gateway waits for that.
    pub(crate) fn give_room(&self, bytes: usize) -> bool {
        let mut pipe = self.pipe();
        let was_full = !pipe.held.is_empty();
        pipe.room = pipe.room.saturating_add(bytes);
        was_full
    }

    /// All streams are read from now on, and may be sent more.
    pub(crate) fn read_all(&mut self) {
        self.peer.unread.clear();
        if self.is_over() {
            return;
        }
        let streams: Vec<u32> = self.peer.streams.keys().copied().collect();
        for stream in streams {
            self.peer.read(stream);
        }
        self.peer.settings(&[(crate::h2_peer::INITIAL_WINDOW_SIZE, 1 << 20)]);
        self.peer.window_update(0, 1 << 20);
    }

    /// How many records were sent since the last call.
    pub(crate) fn records(&self) -> usize {
        std::mem::take(&mut self.pipe().records)
    }

    pub(crate) fn leave(&self) {
        self.pipe().left = true;
    }

    /// Whether the gateway or the client has ended it.
    pub(crate) fn is_over(&self) -> bool {
        let pipe = self.pipe();
        pipe.left || pipe.has_finished || pipe.is_aborted || !self.peer.go_aways.is_empty()
    }

    /// Opens a stream for a client.
    pub(crate) fn ask(&mut self, client: Rc<RefCell<Client>>) {
        let stream = self.peer.get(&format!("/{}", self.clients.len()));
        client.borrow_mut().stream = stream;
        self.clients.insert(stream, client);
    }

    /// The requests that came, with their clients. One that was reset at once does not come.
    pub(crate) fn take_asked(&self) -> Vec<(H2Stream, Rc<RefCell<Client>>)> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let with_client = |request: H2Request| {
            let place = request.head.uri.path()[1..].parse().unwrap();
            (request.stream, self.clients.values().nth(place).unwrap().clone())
        };
        asked.into_iter().map(with_client).collect()
    }

    /// What the client got is what the streams took, in order; `whole`: all of it.
    pub(crate) fn check(&self, whole: bool) {
        for (stream, client) in &self.clients {
            let mut client = client.borrow_mut();
            let got = self.peer.streams.get(stream).map_or(&[][..], |stream| &stream.body);
            assert!(got.len() <= client.taken.len(), "stream {stream} got more than it was sent");
            let news = client.checked..got.len();
            assert_eq!(client.taken[news.clone()], got[news], "stream {stream} got something else than it was sent");
            assert!(!whole || client.left || client.taken.len() == got.len(), "stream {stream} did not get all of it");
            client.checked = got.len();
        }
    }
}

/// A client's stream over a connection, as its worker holds it.
pub(crate) struct Shared {
    pub(crate) client: Rc<RefCell<Client>>,
    pub(crate) stream: H2Stream,
}

/// The transport of a simulated client.
pub(crate) enum Line {
    Alone(Scripted),
    Shared(Shared),
}

/// Calls a method of whichever transport it is.
macro_rules! each {
    ($line:expr, $inner:ident => $call:expr) => {
        match $line {
            Line::Alone($inner) => $call,
            Line::Shared(Shared { stream: $inner, .. }) => $call,
        }
    };
}

impl Transport for Line {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        if let Self::Shared(shared) = self {
            shared.client.borrow_mut().key = key;
        }
        each!(self, transport => transport.attach(key))
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        each!(self, transport => transport.start(head, hello))
    }

    fn try_write(&mut self, blocks: &[&Bytes], now: Instant) -> io::Result<Taken> {
        match self {
            Self::Alone(alone) => alone.try_write(blocks, now),
            Self::Shared(shared) => shared.try_write(blocks, now),
        }
    }

    fn holds_bytes(&self) -> bool {
        each!(self, transport => transport.holds_bytes())
    }

    fn flush(&mut self) -> io::Result<bool> {
        let has_room = each!(self, transport => transport.flush())?;
        if let Self::Shared(shared) = self
            && has_room
        {
            shared.client.borrow_mut().full = false;
        }
        Ok(has_room)
    }

    fn is_worn(&self) -> bool {
        each!(self, transport => transport.is_worn())
    }

    fn drain_input(&mut self, now: Instant) -> Result<ClientSide, TransportError> {
        each!(self, transport => transport.drain_input(now))
    }

    fn close(&mut self, mode: CloseMode) {
        if let Self::Shared(shared) = self {
            shared.client.borrow_mut().closed.get_or_insert(mode);
        }
        each!(self, transport => transport.close(mode));
    }

    fn connection(&self) -> Option<u64> {
        each!(self, transport => transport.connection())
    }

    fn stalled(&mut self, now: Instant) -> Stall {
        each!(self, transport => transport.stalled(now))
    }
}

impl Shared {
    fn try_write(&mut self, blocks: &[&Bytes], now: Instant) -> io::Result<Taken> {
        let mut client = self.client.borrow_mut();
        assert!(!client.full, "rule 4: a full transport is left alone until it has room");
        assert!(client.closed.is_none(), "nothing is written after the end");
        let taken = self.stream.try_write(blocks, now)?;
        client.offered(blocks, taken.bytes);
        let bytes = blocks.iter().flat_map(|block| block.iter());
        client.taken.extend(bytes.take(taken.bytes));
        client.stuck_since = client.stuck_since.filter(|_| taken.bytes == 0);
        if taken.full {
            client.full = true;
            client.stuck_since.get_or_insert(now);
            client.log.push(Seen::Full);
        }
        Ok(taken)
    }
}
