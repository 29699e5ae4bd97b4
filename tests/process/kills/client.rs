//! A client that comes back whatever happens, with the last id it saw, and keeps books of what it was told.

use crate::support::stream::fields;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use socket2::SockRef;
use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The fields that only the venue's updates change, by name, as texts.
pub(super) type Row = BTreeMap<String, String>;

/// What it knows; a new epoch starts over.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) epochs: Vec<String>,
    pub(super) ticks: u64,
    pub(super) connections: u64,
    /// By symbol.
    pub(super) rows: HashMap<String, Row>,
    /// The last number of each symbol in this epoch.
    seqs: HashMap<String, u64>,
    /// The data of each number of this epoch: told again, it must be the same.
    told: HashMap<(String, u64), String>,
    last_id: Option<String>,
    /// What was wrong first.
    wrong: Option<String>,
}

struct Shared {
    books: Mutex<Books>,
    changed: Condvar,
    stopping: AtomicBool,
}

/// A client on a thread of its own.
pub(super) struct Client {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// It drops its connection, in the middle of whatever comes, after as many ticks as chance says, if it is unsteady.
    pub(super) fn start(address: SocketAddr, symbols: &str, unsteady: Option<u64>) -> Self {
        let (books, changed, stopping) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { books, changed, stopping });
        let mut reader = Reader {
            address,
            target: format!("/v1/stream?symbols={symbols}"),
            shared: shared.clone(),
            random: unsteady.map(SmallRng::seed_from_u64),
        };
        let thread = std::thread::spawn(move || {
            while !reader.shared.stopping.load(Ordering::Relaxed) {
                // Refused while the gateway is down: it tries again, as a browser does, only sooner.
                if reader.connection().is_err() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Waits until its books are as they should be.
    pub(super) fn wait(&self, patience: Duration, what: &str, will_do: impl Fn(&Books) -> bool) {
        let deadline = Instant::now() + patience;
        let mut books = self.shared.books.lock().unwrap();
        loop {
            assert_eq!(books.wrong, None);
            if will_do(&books) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it was never so that {what}: {:#?} at {:?}", books.rows, books.seqs);
            books = self.shared.changed.wait_timeout(books, left).unwrap().0;
        }
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        let books = self.shared.books.lock().unwrap();
        assert_eq!(books.wrong, None);
        look(&books)
    }

    pub(super) fn stop(mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        assert_eq!(self.shared.books.lock().unwrap().wrong, None);
    }
}

struct Reader {
    address: SocketAddr,
    target: String,
    shared: Arc<Shared>,
    random: Option<SmallRng>,
}

impl Reader {
    /// One connection, to its end.
    fn connection(&mut self) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let last_id = self.shared.books.lock().unwrap().last_id.clone();
        let header = last_id.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        write!(socket, "GET {} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n", self.target)?;
        if self.random.is_some() {
            // It goes as one that was killed goes.
            SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        }
        let mut left = self.random.as_mut().map(|random| random.random_range(1..400_u64));
        let mut lines = BufReader::new(socket);
        let mut block = String::new();
        // In this connection a symbol's first tick may come after a hole, no later one may.
        let mut met: HashMap<String, u64> = HashMap::new();
        let mut is_head = true;
        while !self.shared.stopping.load(Ordering::Relaxed) {
            match lines.read_line(&mut block) {
                Ok(0) => return Ok(()),
                Ok(_) if !is_head && block.ends_with("\n\n") => {
                    self.shared.books.lock().unwrap().take(&block, &mut met);
                    self.shared.changed.notify_all();
                    block.clear();
                    left = left.map(|left| left - 1);
                    if left == Some(0) {
                        return Ok(());
                    }
                }
                Ok(_) if is_head && block.ends_with("\r\n\r\n") => {
                    self.shared.books.lock().unwrap().connections += 1;
                    is_head = false;
                    block.clear();
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Books {
    fn take(&mut self, block: &str, met: &mut HashMap<String, u64>) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let Some(data) = field("data") else { return self.say(format!("no data in {block:?}")) };
        match field("event") {
            Some("hello") => self.hello(data),
            Some("heartbeat") => {}
            Some(other) => self.say(format!("nobody said that {other} comes")),
            None => self.tick(field("id"), data, met),
        }
    }

    fn hello(&mut self, data: &str) {
        let hello: serde_json::Value = serde_json::from_str(data).unwrap();
        let epoch = hello["epoch"].as_str().unwrap();
        if self.epochs.last().is_none_or(|last| last != epoch) {
            if self.epochs.iter().any(|old| old == epoch) {
                self.say(format!("epoch {epoch} comes again"));
            }
            self.epochs.push(epoch.to_owned());
            self.seqs.clear();
            self.told.clear();
            self.rows.clear();
        }
    }

    fn tick(&mut self, id: Option<&str>, data: &str, met: &mut HashMap<String, u64>) {
        let row = fields(data);
        let symbol = row["symbol"].trim_matches('"').to_owned();
        let seq: u64 = row["seq"].parse().unwrap();
        let epoch = self.epochs.last().map_or("", |epoch| epoch.as_str());
        match id {
            Some(id) if !id.starts_with(epoch) => return self.say(format!("{id} is not of epoch {epoch}")),
            Some(id) => self.last_id = Some(id.to_owned()),
            None if seq == 0 => {}
            None => return self.say(format!("{symbol} {seq} has no id")),
        }
        if let Some(before) = met.insert(symbol.clone(), seq)
            && seq != before + 1
            && (before, seq) != (0, 0)
        {
            return self.say(format!("{symbol} went from {before} to {seq} in one connection"));
        }
        let known = self.seqs.entry(symbol.clone()).or_default();
        if seq <= *known && seq > 0 {
            // Told again after coming back: it must be what it was.
            match self.told.get(&(symbol.clone(), seq)) {
                Some(told) if told != data => {
                    let told = told.clone();
                    self.say(format!("{symbol} {seq} was {told}, is {data}"));
                }
                _ => {}
            }
            return;
        }
        *known = seq;
        self.told.insert((symbol.clone(), seq), data.to_owned());
        self.ticks += 1;
        self.rows.insert(symbol, row.into_iter().collect());
    }

    fn say(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }
}
