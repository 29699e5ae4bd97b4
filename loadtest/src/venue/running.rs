//! A running venue.

use super::{
    batch::Batch,
    command::{Behaviour, Command, ConnectionCommand, Door, Flow},
    connection::{Acceptor, listen},
    generator::{Generator, unix_micros},
    history::History,
    load::Load,
    market::{Market, Newest},
    setup::Setup,
    shared::{Counts, Sent, Shared},
};
use crate::measure::Lateness;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};
use tokio::{
    runtime,
    sync::{broadcast, watch},
};

/// How many batches a connection may lag behind before it loses some: at least half a second of them.
const BACKLOG: usize = 2_048;

/// A running venue. Dropping it resets its connections and frees its port.
pub struct Venue {
    address: SocketAddr,
    load: Load,
    shared: Arc<Shared>,
    behaviour: watch::Sender<Behaviour>,
    commands: broadcast::Sender<ConnectionCommand>,
    threads: Vec<JoinHandle<()>>,
}

impl Venue {
    /// Binds the port and starts the threads. Trading starts with the first subscription.
    ///
    /// # Errors
    /// The port cannot be bound, or the system cannot start a thread.
    pub fn start(setup: &Setup) -> io::Result<Self> {
        let listener = listen(setup.listen)?;
        let address = listener.local_addr()?;
        let is_walk = !matches!(setup.load, Load::Recording { .. });
        let history = is_walk.then(|| Arc::new(History::new(setup.protocol, &setup.symbols)));
        let shared = Arc::new(Shared {
            protocol: setup.protocol,
            market: Mutex::new(Market::new(setup, history.clone())),
            history,
            counts: Counts::default(),
            load_begun: OnceLock::new(),
            due_since: OnceLock::new(),
            stopping: AtomicBool::new(false),
        });
        let (behaviour, behaviour_rx) = watch::channel(Behaviour { door: Door::Open, flow: Flow::Steady });
        let (commands, _) = broadcast::channel(BACKLOG);
        let acceptor =
            Acceptor { address, shared: shared.clone(), behaviour: behaviour_rx, commands: commands.downgrade() };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || runtime.block_on(acceptor.serve(listener));
        let generator = Generator::new(shared.clone(), setup, commands.clone());
        let mut venue = Self { address, load: setup.load.clone(), shared, behaviour, commands, threads: Vec::new() };
        // One at a time: if the second thread cannot start, dropping the venue ends the first.
        venue.threads.push(thread::Builder::new().name("venue".into()).spawn(serve)?);
        venue.threads.push(thread::Builder::new().name("venue-market".into()).spawn(move || generator.run())?);
        Ok(venue)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for feeds.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Gives it a command, which takes effect after the batches that were sent before it.
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
            Command::Break => self.command_connections(ConnectionCommand::Break),
            Command::Lose => self.command_connections(ConnectionCommand::Lose),
            Command::Send(bad) => self.command_connections(ConnectionCommand::Bad(bad)),
        }
    }

    fn command_connections(&self, command: ConnectionCommand) {
        // It fails while there is not a single connection.
        let _ = self.commands.send(command);
    }

    /// Ends the load with one more trade and quote of each subscribed symbol, so that the newest state is well defined.
    pub fn finish(&self) {
        self.send_now(Market::close_of_business);
    }

    /// Sends a trade and a quote of each subscribed symbol, so that each has data however late its first update is due.
    pub fn send_one_of_each(&self) {
        self.send_now(Market::one_of_each);
    }

    fn send_now(&self, make: fn(&mut Market, u64) -> Batch) {
        let mut market = self.shared.market();
        let batch = make(&mut market, unix_micros());
        self.shared.counts.updates.fetch_add(batch.len() as u64, Ordering::Relaxed);
        // Sent under the market's lock, so that the generator cannot send a newer batch first.
        self.command_connections(ConnectionCommand::Send(Arc::new(batch)));
    }

    /// The load begins: what changes over time begins now.
    pub fn begin_load(&self) {
        self.shared.counts.late().begin_load(unix_micros().cast_signed());
        self.shared.load_begun.get_or_init(Instant::now);
    }

    /// The load ended at this time, in µs since 1970.
    pub fn end_load(&self, at: i64) {
        self.shared.counts.late().end_load(at);
    }

    /// Since when updates are due; `None` before the first subscription.
    pub fn due_since(&self) -> Option<Instant> {
        self.shared.due_since.get().copied()
    }

    /// What it sends, and when.
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// How late its connections began to write its updates.
    pub fn late(&self) -> Lateness {
        self.shared.counts.late().clone()
    }

    /// The newest state that it sent of a symbol; `None` if it does not trade the symbol. Parts that it never sent are
    /// empty.
    pub fn newest(&self, symbol: &str) -> Option<Newest> {
        self.shared.market().newest(symbol)
    }

    /// Its recent trades and quotes, unless it plays a recording.
    pub fn history(&self) -> Option<Arc<History>> {
        self.shared.history.clone()
    }

    /// How many symbols have a subscriber.
    pub fn wanted(&self) -> usize {
        self.shared.market().wanted()
    }

    /// Its counts so far.
    pub fn sent(&self) -> Sent {
        self.shared.counts.read()
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.command_connections(ConnectionCommand::Break);
        // The acceptor ends when the sender of its behaviour is dropped.
        self.behaviour = watch::channel(Behaviour { door: Door::Shut, flow: Flow::Steady }).0;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
