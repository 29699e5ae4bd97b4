//! A venue over a real websocket, which does as it is told: it trades at a rate or plays a recording, and breaks, mutes, drips
//! or sends nonsense on command.
//!
//! ```text
//! market ─► generator ─► connections ─► feeds
//!  truth     thread       tokio task
//! ```
//! The generator's schedule is open-loop: an update's venue time is when it was due, not when it was sent, so that whatever
//! comes late is seen late. Only what somebody has subscribed to is generated, so the market's newest state is what was sent.

mod alpaca;
mod binance;
mod connection;
mod drip_socket;
mod generator;
mod history;
mod load;
mod market;
mod protocol;
mod recording;

pub use history::{History, Part};
pub use load::Load;
pub use market::Newest;
pub use protocol::Protocol;
pub use recording::{Change, Recorded, Recording, RecordingError};

use connection::{Acceptor, ConnectionCommand};
use generator::Generator;
use market::Market;
use protocol::Batch;
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    runtime,
    sync::{broadcast, watch},
};

/// Batches that a connection may be behind before it loses some: at least half a second of them.
const BACKLOG: usize = 2_048;

/// What a venue is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The canonical names of what it trades: `BTC-USDT`, `AAPL`. Its own names follow from them.
    pub symbols: Vec<String>,
    /// What it sends, and when.
    pub load: Load,
    /// Of its random walk.
    pub seed: u64,
    /// Between two batches at least: what is due meanwhile goes together.
    pub batch_interval: Duration,
    /// The number before its first trade's and first quote's: what a venue that restarted begins with.
    pub ids_after: u64,
}

impl Setup {
    /// So that a high rate costs no wake per update.
    pub const BATCH_INTERVAL: Duration = Duration::from_micros(200);

    /// A venue on a free port of loopback that trades these symbols.
    pub fn new(protocol: Protocol, symbols: &[&str], load: Load) -> Self {
        let symbols = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { protocol, listen, symbols, load, seed: 1, batch_interval: Self::BATCH_INTERVAL, ids_after: 0 }
    }
}

/// Whom a venue lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Nobody: the port is closed.
    Shut,
    /// Nobody: the handshake is answered 403.
    Forbidden,
    /// Nobody: the key is refused. Where the protocol knows no keys, the handshake is answered 401.
    KeyRefused,
    /// Everybody, but of the symbols only the first, the third and so on are granted.
    Half,
}

/// How data flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// As they come.
    Steady,
    /// Not at all; pings are answered.
    Mute,
    /// Not at all: the socket stays open, and nothing is read or written any more.
    HalfOpen,
    /// Each byte in a segment of its own.
    Drip,
    /// Each message twice.
    Repeat,
    /// The messages of a batch backwards.
    Reorder,
}

/// A message that no venue should send, or bytes that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A text message of 300 KiB.
    Oversize,
    /// A binary message of bytes that mean nothing.
    Binary,
    /// Well-formed, of a kind that nobody knows.
    Unknown,
    /// JSON that ends in the middle.
    Truncated,
    /// A trade whose price is an object.
    WrongType,
    /// Bytes that are no frame of a websocket.
    NotAFrame,
    /// A frame that ends with the connection before its own end.
    CutFrame,
}

/// What a venue can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Whom to let in from now on. [`Door::Shut`] leaves open connections alone.
    Door(Door),
    /// How data are to flow from now on, on open connections too.
    Flow(Flow),
    /// Sets its clock off by so many µs.
    Clock(i64),
    /// Resets all connections.
    Break,
    /// Sends this once on each connection.
    Send(Bad),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Door(Door::Open) => f.write_str("the door is open"),
            Self::Door(Door::Shut) => f.write_str("the door is shut"),
            Self::Flow(Flow::Mute) => f.write_str("mute"),
            Self::Flow(Flow::Steady) => f.write_str("no longer mute"),
            Self::Break => f.write_str("all connections are reset"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// How a venue behaves for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Behaviour {
    door: Door,
    flow: Flow,
}

/// What a venue has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Updates that were generated, and handed to whatever connections want them.
    pub updates: u64,
    /// Of them, those that were written to a connection, which its client may not have read yet: the kernel's buffers hold a
    /// few MB. One that several connections want counts for each.
    pub taken: u64,
    /// Updates that were due while nobody wanted any.
    pub unwanted: u64,
    /// Batches of updates that a connection lost because it was too far behind. They are counted when it next has room: of a
    /// client that never reads again only `taken` tells.
    pub lost: u64,
    /// The most that an update was generated after it was due.
    pub latest: Duration,
    /// Connections that subscribed to something, ever.
    pub subscriptions: u64,
}

#[derive(Debug, Default)]
struct Counts {
    updates: AtomicU64,
    taken: AtomicU64,
    unwanted: AtomicU64,
    lost: AtomicU64,
    latest_micros: AtomicU64,
    subscriptions: AtomicU64,
}

/// What the venue's threads share.
struct Shared {
    protocol: Protocol,
    market: Mutex<Market>,
    /// `None` where a recording is played, whose sizes are no ordinals.
    history: Option<Arc<History>>,
    counts: Counts,
    stopping: AtomicBool,
}

impl Shared {
    fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running venue; dropping it resets its connections and frees its port.
pub struct Venue {
    address: SocketAddr,
    shared: Arc<Shared>,
    behaviour: watch::Sender<Behaviour>,
    commands: broadcast::Sender<ConnectionCommand>,
    threads: Vec<JoinHandle<()>>,
}

impl Venue {
    /// Binds its port and starts its threads. It begins to trade when somebody subscribes.
    ///
    /// # Errors
    /// The port cannot be had, or the system refuses a thread.
    pub fn start(setup: &Setup) -> io::Result<Self> {
        let listener = connection::listen(setup.listen)?;
        let address = listener.local_addr()?;
        let is_walk = !matches!(setup.load, Load::Recording { .. });
        let history = is_walk.then(|| Arc::new(History::new(setup.protocol, &setup.symbols)));
        let market = Market::new(setup, history.clone());
        let shared = Arc::new(Shared {
            protocol: setup.protocol,
            market: Mutex::new(market),
            history,
            counts: Counts::default(),
            stopping: AtomicBool::new(false),
        });
        let (behaviour, behaviour_rx) = watch::channel(Behaviour { door: Door::Open, flow: Flow::Steady });
        let (commands, _) = broadcast::channel(BACKLOG);
        let doors =
            Acceptor { address, shared: shared.clone(), behaviour: behaviour_rx, commands: commands.downgrade() };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || runtime.block_on(doors.serve(listener));
        let generator = Generator::new(shared.clone(), setup, commands.clone());
        let mut venue = Self { address, shared, behaviour, commands, threads: Vec::new() };
        // One by one: if the second cannot be had, dropping the venue ends the first.
        venue.threads.push(thread::Builder::new().name("venue".into()).spawn(serve)?);
        venue.threads.push(thread::Builder::new().name("venue-market".into()).spawn(move || generator.run())?);
        Ok(venue)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a feed connects to.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Tells it to do something; it is done as soon as what was sent before has left.
    pub fn command(&self, command: Command) {
        match command {
            Command::Door(door) => {
                self.behaviour.send_modify(|behaviour| behaviour.door = door);
            }
            Command::Flow(flow) => {
                self.shared.market().paused = matches!(flow, Flow::Mute | Flow::HalfOpen);
                self.behaviour.send_modify(|behaviour| behaviour.flow = flow);
            }
            Command::Clock(offset) => self.shared.market().clock_offset = offset,
            Command::Break => self.order(ConnectionCommand::Break),
            Command::Send(bad) => self.order(ConnectionCommand::Bad(bad)),
        }
    }

    /// Without a connection nobody is there to carry it out.
    fn order(&self, order: ConnectionCommand) {
        let _ = self.commands.send(order);
    }

    /// Ends the load with one more trade and quote of each symbol that somebody wants, so that what is newest is well known.
    pub fn finish(&self) {
        self.send_now(Market::close_of_business);
    }

    /// Sends a trade and a quote of each symbol that somebody wants: so none is without data that happens to trade late.
    pub fn send_one_of_each(&self) {
        self.send_now(Market::one_of_each);
    }

    fn send_now(&self, what: fn(&mut Market, u64) -> Batch) {
        let mut market = self.shared.market();
        let batch = what(&mut market, generator::unix_micros());
        self.shared.counts.updates.fetch_add(batch.len() as u64, Ordering::Relaxed);
        // Under the market's lock: nothing of the generator can come in between.
        self.order(ConnectionCommand::Send(Arc::new(batch)));
    }

    /// What was sent of a symbol last; `None` if it is not traded here. Parts of which nothing was sent are empty.
    pub fn newest(&self, symbol: &str) -> Option<Newest> {
        self.shared.market().newest(symbol)
    }

    /// What it sent lately, unless it plays a recording.
    pub fn history(&self) -> Option<Arc<History>> {
        self.shared.history.clone()
    }

    /// How many symbols somebody is subscribed to just now.
    pub fn wanted(&self) -> usize {
        self.shared.market().wanted()
    }

    /// What it has done so far.
    pub fn sent(&self) -> Sent {
        let counts = &self.shared.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // Before what it is a part of.
        let taken = read(&counts.taken);
        Sent {
            updates: read(&counts.updates),
            taken,
            unwanted: read(&counts.unwanted),
            lost: read(&counts.lost),
            latest: Duration::from_micros(read(&counts.latest_micros)),
            subscriptions: read(&counts.subscriptions),
        }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.order(ConnectionCommand::Break);
        // The doors close when nobody can tell them anything any more.
        self.behaviour = watch::channel(Behaviour { door: Door::Shut, flow: Flow::Steady }).0;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
