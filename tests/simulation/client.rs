//! A scripted client: how many bytes it takes, and what it saw.

use crate::world::Terms;
use bytes::Bytes;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    io::{self, Read as _},
    rc::Rc,
    sync::Arc,
    time::Instant,
};
use tickfan::{
    fanout::{ClientSide, CloseMode, Options, Ready, ResponseHead, Resume, Taken, Transport, TransportError},
    wire::Dictionary,
};

/// The most bytes that one write may offer beside the tail of the block before.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// The most bytes that a transport holds until it is flushed.
const HELD_MAX: usize = 4 * 1024;

/// Readiness that a worker has not been given yet.
pub(crate) type Events = Rc<RefCell<Vec<Ready>>>;

/// A client, and all that it saw.
pub(crate) struct Client {
    pub(crate) worker: usize,
    /// 0 until its worker has taken it over.
    pub(crate) key: u64,
    /// Its worker has not yet taken it over.
    pub(crate) is_new: bool,
    /// Bytes that it takes before it is full.
    pub(crate) room: usize,
    /// Its transport holds bytes until it is flushed, and frames no more than [`HELD_MAX`] of them.
    pub(crate) holds: bool,
    /// Bytes that its transport holds.
    pub(crate) held: usize,
    pub(crate) full: bool,
    pub(crate) left: bool,
    /// It sends nothing more. It may still read.
    pub(crate) half_closed: bool,
    /// It sends nothing more, and answers the next bytes with a reset.
    pub(crate) gone: bool,
    /// How often it was sent a heartbeat.
    pub(crate) heartbeats: usize,
    pub(crate) closed: Option<CloseMode>,
    /// How often it was sent a goodbye.
    pub(crate) goodbyes: usize,
    /// The reason that its goodbye gave.
    pub(crate) bye: Option<String>,
    /// Its transport must end soon: its keys are worn out.
    pub(crate) is_worn: bool,
    /// What its worker has agreed to.
    pub(crate) terms: Terms,
    /// Writes with ticks.
    pub(crate) writes: usize,
    /// Blocks that were begun, and moments at which the transport became full, since they were looked at last.
    pub(crate) log: Vec<Seen>,
    /// The number of its stream, if it shares a connection with others; otherwise 0.
    pub(crate) stream: u32,
    /// What its stream is compressed with, if it is.
    pub(crate) dictionary: Option<Arc<Dictionary>>,
    /// What its transport took, if it shares a connection.
    pub(crate) taken: Vec<u8>,
    /// How many of these bytes have arrived.
    pub(crate) checked: usize,
    /// Since when its transport took nothing, if it shares a connection and was full.
    pub(crate) stuck_since: Option<Instant>,
    /// The tail that must come first in the next write.
    cut: Option<Bytes>,
    /// Where it stands in each symbol of the list that it knows.
    pub(crate) symbols: HashMap<usize, Progress>,
    /// The list that a change has brought, while none of its event is written.
    pub(crate) changed: Option<ChangedList>,
    /// How many events of changes it saw.
    pub(crate) events_seen: usize,
    pub(crate) options: Options,
    pub(crate) resume: Option<Resume>,
    /// When its own rate last let it be written ticks.
    pub(crate) paced_at: Option<Instant>,
    /// The highest `n` that it saw: where it would resume.
    pub(crate) last_n: u64,
    events: Events,
}

pub(crate) enum Seen {
    /// A write began; whether with the tail of a block that was cut.
    Write {
        with_tail: bool,
    },
    Block(Bytes),
    Full,
}

/// A list that a client was not told of yet.
pub(crate) struct ChangedList {
    /// Its symbols, each with the newest tick when it was added.
    pub(crate) symbols: BTreeMap<usize, u64>,
    /// The JSON of its event.
    pub(crate) json: Bytes,
}

/// Where a client stands in one symbol.
#[derive(Default)]
pub(crate) struct Progress {
    /// Every `seq` that was begun, in order.
    pub(crate) seqs: Vec<u64>,
    pub(crate) last: Option<u64>,
    pub(crate) full_since_last: bool,
    /// Options that it no longer has may have left out ticks since the last.
    pub(crate) left_out: bool,
    /// The newest tick when it joined: it must get that one or a newer one, whatever parts it wants.
    pub(crate) at_join: u64,
    /// The newest tick, by what was published.
    pub(crate) published: u64,
    /// The frame of what its client shows: a whole tick, or what patches have made of one.
    pub(crate) row: Bytes,
    /// Frames of other symbols that went out while this one was lacking.
    pub(crate) waited: usize,
    pub(crate) longest_wait: usize,
}

impl Client {
    pub(crate) fn new(
        worker: usize,
        room: usize,
        options: Options,
        resume: Option<Resume>,
        terms: Terms,
        events: Events,
    ) -> Self {
        Self {
            worker,
            key: 0,
            is_new: true,
            room,
            holds: false,
            held: 0,
            full: false,
            left: false,
            half_closed: false,
            gone: false,
            heartbeats: 0,
            closed: None,
            goodbyes: 0,
            bye: None,
            is_worn: false,
            terms,
            writes: 0,
            log: Vec::new(),
            stream: 0,
            dictionary: None,
            taken: Vec::new(),
            checked: 0,
            stuck_since: None,
            cut: None,
            symbols: HashMap::new(),
            changed: None,
            events_seen: 0,
            options,
            resume,
            paced_at: None,
            last_n: 0,
            events,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none() && !self.left
    }

    /// Its transport was offered blocks, and took so many bytes of them.
    pub(crate) fn offered(&mut self, blocks: &[&Bytes], taken: usize) {
        let with_tail = self.cut.is_some();
        self.log.push(Seen::Write { with_tail });
        let mut begun = false;
        if let Some(tail) = self.cut.take() {
            assert_eq!(*blocks[0], tail, "what was begun goes on where it was cut");
            begun = true;
        }
        let offered: usize = blocks.iter().map(|block| block.len()).sum();
        let begun_at = usize::from(with_tail);
        let plain: Vec<Bytes> = blocks[begun_at..].iter().map(|block| self.plain(block)).collect();
        self.writes += usize::from(plain.iter().any(|block| block.starts_with(b"id: ") || is_patch(block)));
        let lists = plain.iter().zip(&blocks[begun_at..]).filter(|(plain, _)| is_list(plain));
        let event: usize = lists.map(|(_, block)| block.len()).sum();
        assert!(offered <= blocks[0].len() + event + WRITE_BYTES_MAX, "rule 10: {offered} bytes in one write");
        let mut left = taken;
        for (place, block) in blocks.iter().enumerate() {
            if left == 0 {
                if begun {
                    self.cut = Some((*block).clone());
                }
                break;
            }
            if !begun {
                self.log.push(Seen::Block(plain[place - begun_at].clone()));
            }
            begun = false;
            if left < block.len() {
                self.cut = Some(block.slice(left..));
            }
            left -= left.min(block.len());
        }
    }

    /// What a block says, without its encoding.
    fn plain(&self, block: &Bytes) -> Bytes {
        let Some(dictionary) = &self.dictionary else { return block.clone() };
        let decoder = zstd::stream::read::Decoder::with_dictionary(&block[..], dictionary.content());
        let mut plain = Vec::new();
        decoder.unwrap().read_to_end(&mut plain).expect("each block is whole frames");
        plain.into()
    }

    /// The client reads: there is room again.
    pub(crate) fn give_room(&mut self, bytes: usize) {
        self.room = self.room.saturating_add(bytes);
        if self.full && self.held <= self.room {
            self.report_room();
        }
    }

    fn report_room(&mut self) {
        self.full = false;
        self.events.borrow_mut().push(Ready { key: self.key, readable: false, writable: true });
    }

    /// Whether the last tick was cut, so that the client never saw it.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    pub(crate) fn leave(&mut self) {
        self.left = true;
        self.events.borrow_mut().push(Ready { key: self.key, readable: true, writable: true });
    }

    /// It closes its sending side; with `gone` its whole connection, which looks the same until it is written to.
    pub(crate) fn half_close(&mut self, gone: bool) {
        self.half_closed = true;
        self.gone = gone;
        self.events.borrow_mut().push(Ready { key: self.key, readable: true, writable: false });
    }

    pub(crate) fn lacks(&self) -> usize {
        self.symbols.values().filter(|progress| progress.last != Some(progress.published)).count()
    }

    pub(crate) fn longest_wait(&self) -> usize {
        self.symbols.values().map(|progress| progress.longest_wait).max().unwrap_or(0)
    }
}

/// Whether a block is the event of a change.
pub(crate) fn is_list(block: &[u8]) -> bool {
    block.starts_with(b"event: symbols\n")
}

/// Whether a block is a tick as a patch.
pub(crate) fn is_patch(block: &[u8]) -> bool {
    block.starts_with(b"event: patch\n")
}

/// The client's end that a worker holds.
pub(crate) struct Scripted(pub(crate) Rc<RefCell<Client>>);

impl Transport for Scripted {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.0.borrow_mut().key = key;
        Ok(())
    }

    fn start(&mut self, _: &ResponseHead, hello: Bytes) -> Bytes {
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let mut client = self.0.borrow_mut();
        assert!(!client.full, "rule 4: a full transport is left alone until it has room");
        assert!(client.closed.is_none(), "nothing is written after the end");
        assert!(blocks.iter().all(|block| !block.is_empty()), "an empty block is not offered");
        if client.left {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if client.gone {
            client.leave(); // the bytes are taken, and a reset comes back
        }
        let offered: usize = blocks.iter().map(|block| block.len()).sum();
        let taken = if client.holds { offered.min(HELD_MAX - client.held) } else { offered.min(client.room) };
        client.offered(blocks, taken);
        if client.holds {
            client.held += taken;
        } else {
            client.room -= taken;
        }
        // A transport that holds more than there is room for is full, though it took all that was offered.
        if taken < offered || client.held > client.room {
            client.full = true;
            client.log.push(Seen::Full);
            if client.holds && client.held <= client.room {
                client.report_room();
            }
        }
        Ok(Taken { bytes: taken, full: taken < offered || client.full })
    }

    fn holds_bytes(&self) -> bool {
        self.0.borrow().held > 0
    }

    fn flush(&mut self) -> io::Result<bool> {
        let mut client = self.0.borrow_mut();
        if client.left {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = client.held.min(client.room);
        client.held -= sent;
        client.room -= sent;
        if client.held > 0 && !client.full {
            client.full = true;
            client.log.push(Seen::Full);
        }
        Ok(client.held == 0)
    }

    fn is_worn(&self) -> bool {
        self.0.borrow().is_worn
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        match &*self.0.borrow() {
            client if client.left => Err(TransportError::Left),
            client if client.half_closed => Ok(ClientSide::HalfClosed),
            _ => Ok(ClientSide::Open),
        }
    }

    fn close(&mut self, mode: CloseMode) {
        let mut client = self.0.borrow_mut();
        assert!(mode == CloseMode::Abort || client.held == 0, "what was taken goes out before the end");
        client.closed = Some(mode);
    }
}
