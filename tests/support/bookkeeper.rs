//! A client that keeps books: it reads a stream on a thread of its own, checks the order of every symbol's ticks, and
//! keeps the newest of each. It can reconnect with the last id it saw, whatever happens to the gateway or to itself.

use super::{
    PATIENCE,
    reference::Fields,
    stream::{Tick, fields},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use socket2::SockRef;
use std::{
    collections::HashMap,
    fmt::Debug,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a read may block before the client looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The wait between attempts while the gateway is down: as a browser does, only sooner.
const RETRY_AFTER: Duration = Duration::from_millis(5);
/// An unsteady client drops its connection after fewer ticks than this.
const UNSTEADY_TICKS: u64 = 400;

/// What a test keeps of a symbol beyond its newest tick. Judges each tick that came in order.
pub trait Account: Debug + Default + Send + 'static {
    /// Enters a tick; an error says what is wrong with it.
    fn enter(&mut self, tick: &Tick) -> Result<(), String>;
}

impl Account for () {
    fn enter(&mut self, _: &Tick) -> Result<(), String> {
        Ok(())
    }
}

/// How a client reads.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Reads one connection to its end. A hole is counted: a client that falls behind has some.
    Stays,
    /// Reconnects with its last id. A hole within a connection is an error.
    Returns,
    /// The same, and drops its connection after a number of ticks that is random by this seed.
    Unsteady(u64),
}

/// The books of one symbol.
#[derive(Debug, Default)]
pub struct Entry<A> {
    /// The newest tick's fields.
    pub row: Fields,
    /// Its number.
    pub seq: u64,
    /// How many times a tick other than the next one came.
    pub holes: u64,
    pub account: A,
    /// The data of each number of this epoch: a repetition must be the same.
    received: HashMap<u64, String>,
}

/// Everything that a client knows. A new epoch starts over.
#[derive(Debug)]
pub struct Books<A> {
    pub epochs: Vec<String>,
    pub ticks: u64,
    pub connections: u64,
    /// By symbol.
    pub entries: HashMap<String, Entry<A>>,
    pub ended: bool,
    last_id: Option<String>,
    /// The first error.
    wrong: Option<String>,
}

impl<A> Default for Books<A> {
    fn default() -> Self {
        Self {
            epochs: Vec::new(),
            ticks: 0,
            connections: 0,
            entries: HashMap::new(),
            ended: false,
            last_id: None,
            wrong: None,
        }
    }
}

struct Shared<A> {
    books: Mutex<Books<A>>,
    changed: Condvar,
    stopping: AtomicBool,
}

impl<A> Shared<A> {
    /// The books. Where one of several threads that wait has failed, the others go on.
    fn books(&self) -> MutexGuard<'_, Books<A>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client, on a thread of its own.
pub struct Bookkeeper<A = ()> {
    shared: Arc<Shared<A>>,
    thread: Option<JoinHandle<()>>,
}

impl<A: Account> Bookkeeper<A> {
    pub fn start(address: SocketAddr, target: &str, manner: Manner) -> Self {
        let shared =
            Arc::new(Shared { books: Mutex::default(), changed: Condvar::new(), stopping: AtomicBool::new(false) });
        let random = match manner {
            Manner::Unsteady(seed) => Some(SmallRng::seed_from_u64(seed)),
            Manner::Stays | Manner::Returns => None,
        };
        let mut reader = Reader { address, target: target.to_owned(), shared: shared.clone(), manner, random };
        let thread = std::thread::spawn(move || reader.run());
        Self { shared, thread: Some(thread) }
    }

    /// Waits until its books satisfy a condition.
    pub fn wait(&self, patience: Duration, what: &str, will_do: impl Fn(&Books<A>) -> bool) {
        let deadline = Instant::now() + patience;
        let mut books = self.shared.books();
        loop {
            assert_eq!(books.wrong, None);
            if will_do(&books) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let is_hopeless = books.ended || left.is_zero();
            assert!(!is_hopeless, "after {patience:?} (ended: {}) it is not so that {what}: {:#?}", books.ended, {
                books.entries.iter().map(|(symbol, entry)| (symbol, &entry.row, &entry.account)).collect::<Vec<_>>()
            });
            books = self.shared.changed.wait_timeout(books, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn read<T>(&self, look: impl FnOnce(&Books<A>) -> T) -> T {
        let books = self.shared.books();
        assert_eq!(books.wrong, None);
        look(&books)
    }

    /// Stops it, and checks its books a last time.
    pub fn stop(mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.read(|_| ());
    }

    /// Waits until the gateway has ended its stream, and checks its books a last time.
    pub fn end(self) {
        self.wait(PATIENCE, "the stream ended", |books| books.ended);
        self.stop();
    }
}

struct Reader<A> {
    address: SocketAddr,
    target: String,
    shared: Arc<Shared<A>>,
    manner: Manner,
    random: Option<SmallRng>,
}

impl<A: Account> Reader<A> {
    fn run(&mut self) {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            let ended = self.connection();
            if matches!(self.manner, Manner::Stays) {
                let mut books = self.shared.books();
                books.ended = true;
                if let Err(error) = ended {
                    books.say(format!("the connection broke: {error}"));
                }
                self.shared.changed.notify_all();
                return;
            }
            if ended.is_err() {
                std::thread::sleep(RETRY_AFTER);
            }
        }
    }

    /// Reads one connection to its end.
    fn connection(&mut self) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        let last_id = self.shared.books().last_id.clone();
        let header = last_id.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        write!(socket, "GET {} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n", self.target)?;
        if self.random.is_some() {
            // The connection ends with a reset, like that of a killed client.
            SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        }
        let mut left = self.random.as_mut().map(|random| random.random_range(1..UNSTEADY_TICKS));
        let mut lines = BufReader::new(socket);
        let mut block = String::new();
        // The last number of each symbol in this connection.
        let mut met: HashMap<String, u64> = HashMap::new();
        let mut is_head = true;
        while !self.shared.stopping.load(Ordering::Relaxed) {
            match lines.read_line(&mut block) {
                Ok(0) => return Ok(()),
                Ok(_) if is_head && block.ends_with("\r\n\r\n") => {
                    self.shared.books().open(&block);
                    is_head = false;
                    block.clear();
                }
                Ok(_) if !is_head && block.ends_with("\n\n") => {
                    let is_goodbye = self.shared.books().take(&block, &mut met, self.manner);
                    self.shared.changed.notify_all();
                    block.clear();
                    left = left.map(|left| left - 1);
                    if is_goodbye || left == Some(0) {
                        return Ok(());
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<A: Account> Books<A> {
    fn open(&mut self, head: &str) {
        self.connections += 1;
        if !head.starts_with("HTTP/1.1 200 OK\r\n") || !head.contains("\r\ncontent-type: text/event-stream\r\n") {
            self.say(format!("not a stream: {head}"));
        }
    }

    /// Enters a block; returns whether it is the goodbye that a client that stays may get.
    fn take(&mut self, block: &str, met: &mut HashMap<String, u64>, manner: Manner) -> bool {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let Some(data) = field("data") else {
            self.say(format!("no data in {block:?}"));
            return false;
        };
        match field("event") {
            Some("hello") => self.hello(data),
            Some("heartbeat") => {}
            Some("bye") if matches!(manner, Manner::Stays) => return true,
            Some(other) => self.say(format!("an unexpected event {other}")),
            None => {
                let tick = Tick { id: field("id").map(str::to_owned), fields: fields(data) };
                if let Err(wrong) = self.tick(&tick, data, met, manner) {
                    self.say(format!("{wrong}: {:?}", tick.fields));
                }
            }
        }
        false
    }

    fn hello(&mut self, data: &str) {
        let hello: serde_json::Value = serde_json::from_str(data).unwrap();
        let epoch = hello["epoch"].as_str().unwrap();
        if self.epochs.last().is_none_or(|last| last != epoch) {
            if self.epochs.iter().any(|old| old == epoch) {
                self.say(format!("epoch {epoch} comes again"));
            }
            self.epochs.push(epoch.to_owned());
            self.entries.clear();
        }
    }

    fn tick(&mut self, tick: &Tick, data: &str, met: &mut HashMap<String, u64>, manner: Manner) -> Result<(), String> {
        let symbol = tick.text("symbol").to_owned();
        let seq = tick.number("seq");
        let Some(epoch) = self.epochs.last() else { return Err("a tick before the first hello".to_owned()) };
        match &tick.id {
            Some(id) if !id.starts_with(epoch) => return Err(format!("{id} is not of epoch {epoch}")),
            Some(id) => self.last_id = Some(id.clone()),
            None if seq == 0 => {}
            None => return Err(format!("{symbol} {seq} has no id")),
        }
        let entry = self.entries.entry(symbol.clone()).or_default();
        // A symbol's first tick of a connection may come after a hole. Before its first update it may repeat its state.
        if let Some(before) = met.insert(symbol.clone(), seq)
            && (before, seq) != (0, 0)
        {
            if seq <= before {
                return Err(format!("{symbol} went back from {before} to {seq}"));
            }
            if seq > before + 1 {
                if !matches!(manner, Manner::Stays) {
                    return Err(format!("{symbol} went from {before} to {seq} in one connection"));
                }
                entry.holes += u64::from(before > 0);
            }
        }
        if seq <= entry.seq && seq > 0 {
            // A replay after a reconnect.
            return match entry.received.get(&seq) {
                Some(received) if received != data => Err(format!("{symbol} {seq} was {received}, is {data}")),
                _ => Ok(()),
            };
        }
        entry.seq = seq;
        entry.received.insert(seq, data.to_owned());
        entry.row.clone_from(&tick.fields);
        self.ticks += 1;
        entry.account.enter(tick).map_err(|wrong| format!("{wrong}, after {:?}", entry.account))
    }

    fn say(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }
}

/// What the books say of these blocks, read in one connection and then in a second one.
fn error_of(manner: Manner, first: &[&str], second: &[&str]) -> Option<String> {
    let mut books = Books::<()>::default();
    for blocks in [first, second] {
        let mut met = HashMap::new();
        books.hello(r#"{"epoch":"e"}"#);
        for block in blocks {
            books.take(block, &mut met, manner);
        }
    }
    books.wrong
}

#[test]
fn the_books_find_a_tick_that_is_lost_repeated_or_changed() {
    let [one, two, three] =
        [1, 2, 3].map(|seq| format!("id: e-{seq}\ndata: {{\"symbol\":\"AAPL\",\"seq\":{seq},\"price\":{seq}.5}}\n\n"));
    let changed = two.replace("2.5", "2.50");
    assert_eq!(error_of(Manner::Returns, &[&one, &two], &[&two, &three]), None);
    assert_eq!(error_of(Manner::Stays, &[&one, &three], &[]), None, "a hole is counted");
    for (first, second) in [
        (vec![&one, &three], vec![]),
        (vec![&one, &two, &two], vec![]),
        (vec![&two, &one], vec![]),
        (vec![&one, &two], vec![&changed]),
    ] {
        let [first, second] = [first, second].map(|blocks| blocks.into_iter().map(String::as_str).collect::<Vec<_>>());
        assert!(error_of(Manner::Returns, &first, &second).is_some(), "{first:?} {second:?}");
    }
    assert!(error_of(Manner::Returns, &[&one.replace("e-", "f-")], &[]).is_some(), "another epoch");
}
