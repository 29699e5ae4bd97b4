//! The floor: a bare loop that sends prepared bytes to the same streams, without the work of a gateway.

use crate::{
    measure::{Process, micros_per, unix_micros},
    report::FloorSummary,
    scenario::{LoadSetup, Scenario},
    streams::{Group, Reads},
};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use socket2::{Domain, Socket, Type};
use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The backlog of the listener, as large as the gateway's.
const BACKLOG: i32 = 4_096;
/// How long a client may take to send its request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// How often the loop checks for its stop while it waits for clients.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The most bytes that wait for a client: some seconds of a busy watchlist.
const PENDING_MAX: usize = 1024 * 1024;
/// The quote in each frame, which makes frames as long as the gateway's.
const QUOTE: &str = "\"bid\":182.33,\"bid_size\":300,\"ask\":182.35,\"ask_size\":200";

/// The settings of the bare loop.
#[derive(Debug, Clone)]
pub struct FloorSetup {
    /// The number of streams that it waits for before it starts to send.
    pub streams: usize,
    /// The symbols. Each tick is of a random one, as the venue's are.
    pub symbols: Vec<String>,
    /// The seed of that choice.
    pub seed: u64,
    /// Ticks per second of all symbols together.
    pub rate: f64,
    /// How long ticks are collected before they are sent together.
    pub flush_interval: Duration,
}

/// The running bare loop.
#[derive(Debug)]
pub struct Floor {
    /// The address for clients.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<FloorSummary>>,
}

impl Floor {
    /// The rate of a scenario that the bare loop can run.
    ///
    /// # Errors
    /// The feature of the scenario that the bare loop does not have, so that the two could not be compared.
    pub fn rate(scenario: &Scenario) -> Result<f64, String> {
        let LoadSetup::Steady { rate } = scenario.venue.load else {
            return Err("its load is not steady, and the bare loop sends only at a steady rate".to_owned());
        };
        if scenario.cluster.is_some() {
            return Err("it has a cluster, and the bare loop is a single server".to_owned());
        }
        if !scenario.outages.is_empty() {
            return Err("it has outages, and the bare loop has no venue".to_owned());
        }
        for Group { name, churn, query, reads, stages, .. } in &scenario.groups {
            if !stages.is_empty() {
                return Err(format!(
                    "group `{name}` comes and goes in stages, and the bare loop accepts each stream once"
                ));
            }
            if *churn > 0.0 {
                return Err(format!(
                    "group `{name}` leaves and comes back, and the bare loop accepts each stream once"
                ));
            }
            if !query.is_empty() {
                return Err(format!("group `{name}` asks for {query}, and the bare loop has no options"));
            }
            if *reads != Reads::AtOnce {
                return Err(format!("group `{name}` reads slowly, and the bare loop does not conflate"));
            }
        }
        Ok(rate)
    }

    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// The port cannot be bound, or the system cannot start a thread.
    pub fn start(setup: FloorSetup) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.set_tcp_nodelay(true)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let body = move || {
            let mut bare_loop = BareLoop::new(&setup);
            bare_loop.accept_all(&listener, &stopped)?;
            bare_loop.send_all(&stopped)
        };
        let thread = std::thread::Builder::new().name("floor".to_owned()).spawn(body)?;
        Ok(Self { address, stop, thread })
    }

    /// Ends it and returns its results.
    ///
    /// # Errors
    /// The error that ended it early.
    pub fn finish(self) -> io::Result<FloorSummary> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the floor's thread has panicked")))
    }
}

struct Client {
    socket: TcpStream,
    /// The bytes that wait to be sent.
    pending: Vec<u8>,
    is_dropped: bool,
}

struct BareLoop<'a> {
    setup: &'a FloorSetup,
    indices: HashMap<&'a str, usize>,
    clients: Vec<Client>,
    /// The clients of each symbol.
    clients_of: Vec<Vec<usize>>,
    /// The last `seq` of each symbol.
    seqs: Vec<u64>,
    summary: FloorSummary,
}

impl<'a> BareLoop<'a> {
    fn new(setup: &'a FloorSetup) -> Self {
        Self {
            setup,
            indices: setup.symbols.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect(),
            clients: Vec::new(),
            clients_of: vec![Vec::new(); setup.symbols.len()],
            seqs: vec![0; setup.symbols.len()],
            summary: FloorSummary::default(),
        }
    }

    fn accept_all(&mut self, listener: &TcpListener, stop: &AtomicBool) -> io::Result<()> {
        while self.clients.len() < self.setup.streams && !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((socket, _)) => self.accept(socket)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(POLL_INTERVAL),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn accept(&mut self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(REQUEST_MAX))?;
        let mut request = [0; 16 * 1024];
        let length = socket.read(&mut request)?;
        let request = String::from_utf8_lossy(&request[..length]);
        let query = request.split("symbols=").nth(1).and_then(|rest| rest.split([' ', '&']).next()).unwrap_or_default();
        let known: Vec<&str> = query.split(',').filter(|name| self.indices.contains_key(name)).collect();
        let listed = known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let hello = format!("event: hello\ndata: {{\"epoch\":\"floor\",\"symbols\":[{listed}],\"unknown\":[]}}\n\n");
        socket.write_all(format!("{head}{hello}").as_bytes())?;
        socket.set_nonblocking(true)?;
        for name in known {
            self.clients_of[self.indices[name]].push(self.clients.len());
        }
        self.clients.push(Client { socket, pending: Vec::new(), is_dropped: false });
        Ok(())
    }

    fn send_all(mut self, stop: &AtomicBool) -> io::Result<FloorSummary> {
        let thread = Process::own_thread();
        let begun = Instant::now();
        let start_micros = unix_micros();
        let cpu_before = thread.usage()?.cpu;
        let mut random = SmallRng::seed_from_u64(self.setup.seed);
        let mut count = 0_u64;
        let mut frame = String::new();
        let mut with_pending = Vec::new();
        let mut sent_at = Duration::ZERO;
        let due = |count: u64| Duration::from_secs_f64(count as f64 / self.setup.rate);
        while !stop.load(Ordering::Relaxed) {
            let next = due(count + 1).max(sent_at + self.setup.flush_interval);
            std::thread::sleep(next.saturating_sub(begun.elapsed()));
            let now = begun.elapsed();
            sent_at = now;
            while due(count + 1) <= now {
                count += 1;
                let trade_ts = start_micros + i64::try_from(due(count).as_micros()).unwrap_or(i64::MAX);
                let symbol = random.random_range(0..self.setup.symbols.len());
                self.seqs[symbol] += 1;
                let seq = self.seqs[symbol];
                write_frame(&mut frame, &self.setup.symbols[symbol], seq, count, trade_ts);
                for &client in &self.clients_of[symbol] {
                    let Client { pending, is_dropped, .. } = &mut self.clients[client];
                    if *is_dropped {
                        continue;
                    }
                    if pending.is_empty() {
                        with_pending.push(client);
                    }
                    pending.extend_from_slice(frame.as_bytes());
                    self.summary.ticks += 1;
                }
            }
            with_pending.retain(|&client| self.clients[client].send(&mut self.summary));
        }
        let cpu = thread.usage()?.cpu.saturating_sub(cpu_before);
        self.summary.cpu_micros_per_tick = micros_per(cpu, self.summary.ticks);
        Ok(self.summary)
    }
}

impl Client {
    /// Sends the pending bytes; returns whether some of them are left for the next round. A client that is too far
    /// behind is dropped, since the floor does not conflate.
    fn send(&mut self, summary: &mut FloorSummary) -> bool {
        match self.socket.write(&self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.is_dropped = true,
        }
        if self.pending.len() > PENDING_MAX {
            self.is_dropped = true;
            summary.cut += 1;
        }
        if self.is_dropped {
            self.pending.clear();
        }
        !self.pending.is_empty()
    }
}

/// Writes the `count`-th tick of all, the `seq`-th of its symbol.
fn write_frame(frame: &mut String, symbol: &str, seq: u64, count: u64, trade_ts: i64) {
    let recv = unix_micros();
    frame.clear();
    // Writing to a string cannot fail.
    let _ = write!(
        frame,
        "id: floor-{count}\ndata: {{\"symbol\":\"{symbol}\",\"seq\":{seq},\"kind\":\"trade\",\"state\":\"live\",\"recv\":{recv},\
         \"price\":182.34,\"size\":100,\"side\":\"buy\",\"trade_ts\":{trade_ts},\"trades\":{seq},{QUOTE},\"quote_ts\":{recv}}}\n\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    #[test]
    fn scenarios_that_the_bare_loop_cannot_run_are_refused() {
        let rate = |name| Floor::rate(&load(name).unwrap().0);
        assert_eq!(rate("watchlists"), Ok(400.0));
        for (name, expected) in [
            ("opening-bell", "not steady"),
            ("smoke", "outages"),
            ("cluster", "a cluster"),
            ("churn", "group `pages` leaves and comes back"),
            ("stalled", "group `stalled` reads slowly"),
        ] {
            let error = rate(name).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let mut options = load("watchlists").unwrap().0;
        options.groups[0].query = "max_rate=4".to_owned();
        assert!(rate("watchlists").is_ok() && Floor::rate(&options).unwrap_err().contains("max_rate=4"));
    }
}
