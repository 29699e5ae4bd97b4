//! The stages of a tick's path, fed with updates as a real session has them.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a module of each bench, which uses its part of it"
)]

pub mod http2;
#[path = "../../tests/support/recording.rs"]
pub mod recording;
pub mod shelf;
pub mod venues;

use bytes::Bytes;
use recording::Recording;
use std::{
    cell::Cell,
    collections::VecDeque,
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{Cache, Published, RingLimits, SymbolState, WorkerIndex, WorkerMask},
    fanout::{
        ClientSide, CloseMode, Command, NewStream, Options, ResponseHead, Taken, Transport, TransportError, Unlisted,
        Wait, Worker, WorkerInbox, WorkerLimits,
    },
    market::{Now, Origin, Parts, Symbol, Update},
    venue::{self, Batch, Credentials, ListedSymbol, Setup, Venue},
    wire::{Epoch, StreamName},
};

fn listed(symbols: [&str; 2]) -> [ListedSymbol; 2] {
    symbols.map(|symbol| symbol.parse::<Symbol>().unwrap().into())
}

/// Frames of a session, and Binance's side of the protocol that reads them.
pub struct Session {
    pub frames: Vec<String>,
    venue: Box<dyn Venue>,
    batch: Batch,
}

impl Session {
    pub fn new(recording: &Recording) -> Self {
        let symbols = listed(["BTC-USDT", "ETH-USDT"]);
        let setup = Setup { url: None, symbols: &symbols, credentials: None, playback: None };
        let venue = venue::new(venue::find("binance").unwrap(), &setup).unwrap();
        let frames = recording.frames.iter().map(|frame| frame.text.clone()).collect();
        Self { frames, venue, batch: Batch::default() }
    }

    /// A frame's updates.
    pub fn read(&mut self, frame: usize) -> &[Update] {
        self.batch.updates.clear();
        self.venue.read(self.frames[frame].as_bytes(), &mut self.batch).unwrap();
        &self.batch.updates
    }

    /// The updates of all frames.
    fn updates(&mut self) -> Vec<Update> {
        (0..self.frames.len()).flat_map(|frame| self.read(frame).to_vec()).collect()
    }
}

/// The updates of a session, again and again. Each is newer than all before it, whichever symbol it is given to: the
/// updates of a repeated session would otherwise be late, and change nothing.
pub struct Updates {
    updates: Vec<Update>,
    count: u64,
}

impl Updates {
    pub fn new(recording: &Recording) -> Self {
        Self { updates: Session::new(recording).updates(), count: 0 }
    }

    pub fn next(&mut self) -> Update {
        self.count += 1;
        newer(self.updates[self.count as usize % self.updates.len()], self.count)
    }
}

/// An update that is newer than all with a lower number.
pub fn newer(mut update: Update, number: u64) -> Update {
    let sequences =
        [update.trade.as_mut().map(|part| &mut part.sequence), update.quote.as_mut().map(|part| &mut part.sequence)];
    sequences.into_iter().flatten().for_each(|sequence| sequence.id = Some(number));
    update
}

/// A cache with this number of symbols.
pub fn cache(symbols: usize) -> (Cache, Vec<Arc<SymbolState>>) {
    let cache = Cache::new(Epoch::new(1 << 40), RingLimits { count: 1_024, age: Duration::from_secs(10) });
    let register = |index| {
        let symbol = format!("SYM{index}").parse().unwrap();
        cache.register(symbol, "bench".into(), Origin::Market, Now::read()).unwrap()
    };
    let states = (0..symbols).map(register).collect();
    (cache, states)
}

fn worker() -> WorkerIndex {
    WorkerIndex::new(0).unwrap()
}

/// From now on the symbols keep their ticks, as symbols that a worker wants do.
pub fn keep_ticks(states: &[Arc<SymbolState>]) {
    for state in states {
        state.join(WorkerMask::only(worker()), Parts::ALL, &mut VecDeque::new());
    }
}

/// Alpaca's side, and a frame as it sends them.
pub mod alpaca {
    use super::*;

    pub const UPDATES: usize = 3;
    pub const FRAME: &str = concat!(
        r#"[{"T":"q","S":"AAPL","bx":"V","bp":182.31,"bs":300,"ax":"V","ap":182.35,"as":200,"c":["R"],"z":"C","t":"2024-08-08T14:31:07.208123999Z"},"#,
        r#"{"T":"t","S":"AAPL","i":52983525029461,"x":"V","p":182.34,"s":100,"c":["@"],"z":"C","t":"2024-08-08T14:31:07.208391741Z"},"#,
        r#"{"T":"q","S":"MSFT","bx":"V","bp":402.17,"bs":100,"ax":"V","ap":402.24,"as":400,"c":["R"],"z":"C","t":"2024-08-08T14:31:07.209001Z"}]"#,
    );

    pub fn venue() -> Box<dyn Venue> {
        let symbols = listed(["AAPL", "MSFT"]);
        let credentials = Credentials::new("key", "secret");
        let setup = Setup { url: None, symbols: &symbols, credentials: Some(&credentials), playback: None };
        venue::new(venue::find("alpaca").unwrap(), &setup).unwrap()
    }
}

/// Takes all bytes that it is offered.
pub struct Sink(Rc<Cell<usize>>);

impl Transport for Sink {
    fn start(&mut self, _: &ResponseHead, hello: Bytes) -> Bytes {
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let bytes = blocks.iter().map(|block| block.len()).sum();
        self.0.set(self.0.get() + bytes);
        Ok(Taken { bytes, full: false })
    }

    fn attach(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        Ok(ClientSide::Open)
    }

    fn close(&mut self, _: CloseMode) {}
}

/// One worker with streams that all want the same symbols and keep up.
pub struct Fanout {
    pub states: Vec<Arc<SymbolState>>,
    /// How many bytes the streams have taken.
    pub bytes: Rc<Cell<usize>>,
    worker: Worker<Sink>,
    inbox: Arc<WorkerInbox<Sink>>,
    now: Now,
    _cache: Cache,
}

impl Fanout {
    pub fn new(symbols: usize, streams: usize) -> Self {
        let (cache, states) = cache(symbols);
        let now = Now::read();
        #[expect(clippy::arc_with_non_send_sync, reason = "one thread")]
        let inbox = Arc::new(WorkerInbox::default());
        let limits = WorkerLimits {
            max_lag: Duration::from_millis(250),
            ring: 1_024,
            stall_timeout: Duration::from_secs(30),
            flush_interval: None,
            compress_min_streams: 8,
        };
        let bytes = Rc::new(Cell::new(0));
        for index in 0..streams {
            let stream = NewStream {
                name: StreamName::new(index as u64),
                client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
                head: ResponseHead::default(),
                hello: Box::new(Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n")),
                symbols: states.clone().into(),
                unlisted: Unlisted::default(),
                options: Options::new(Duration::from_secs(15)),
                dictionary: None,
                resume: None,
                generation: 0,
                has_rights: false,
                until: None,
                permit: Box::new(()),
            };
            let _ = inbox.send(Command::Open(Sink(bytes.clone()), stream));
        }
        let worker = Worker::new(worker(), inbox.clone(), limits, 1);
        let mut fanout = Self { states, bytes, worker, inbox, now, _cache: cache };
        fanout.turns();
        fanout
    }

    /// Publishes updates of a symbol, and lets the worker deliver them to all.
    pub fn ticks(&mut self, symbol: usize, updates: &[Update]) {
        let state = &self.states[symbol];
        for update in updates {
            if let Published::Tick { interest } = state.publish(update, self.now)
                && !state.marks().set(interest).is_empty()
            {
                let _ = self.inbox.announce(&mut vec![state.clone()]);
            }
        }
        self.turns();
    }

    /// Takes turns until the worker is idle.
    fn turns(&mut self) {
        while self.worker.turn(self.now, &[]) == Wait::No {}
    }
}
