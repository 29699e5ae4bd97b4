//! The floor: a bare loop that sends ready bytes to the same streams, with nothing that a gateway does around it.

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

/// As many connections may wait as the gateway lets wait.
const BACKLOG: i32 = 4_096;
/// How long a client may take to send its request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// How often the loop looks whether it is to stop while it waits for clients.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// What waits for a client at most: some seconds of a busy list.
const PENDING_MAX: usize = 1024 * 1024;
/// What is known of a quote beside the trade: so that a frame is as long as a gateway's.
const QUOTE: &str = "\"bid\":182.33,\"bid_size\":300,\"ask\":182.35,\"ask_size\":200";

/// What the loop is to do.
#[derive(Debug, Clone)]
pub struct FloorSetup {
    /// How many streams it waits for before it begins.
    pub streams: usize,
    /// The symbols: which is next is drawn, as a venue draws it.
    pub symbols: Vec<String>,
    /// Decides which symbol is next.
    pub seed: u64,
    /// Ticks a second, of all symbols together.
    pub rate: f64,
    /// How long ticks are gathered before they are sent together.
    pub flush_interval: Duration,
}

/// The running loop.
#[derive(Debug)]
pub struct Floor {
    /// Where clients connect.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<FloorSummary>>,
}

impl Floor {
    /// The rate of a scenario that it can do.
    ///
    /// # Errors
    /// What the scenario asks for that a bare loop does not do: to compare with it would be no comparison.
    pub fn rate(scenario: &Scenario) -> Result<f64, String> {
        let LoadSetup::Steady { rate } = scenario.venue.load else {
            return Err("its load is not steady, and the bare loop has no other".to_owned());
        };
        if !scenario.outages.is_empty() {
            return Err("it has outages, and the bare loop has no venue to lose".to_owned());
        }
        for Group { name, churn, query, reads, .. } in &scenario.groups {
            if *churn > 0.0 {
                return Err(format!("group `{name}` leaves and comes back, and the bare loop lets each in once"));
            }
            if !query.is_empty() {
                return Err(format!("group `{name}` asks for {query}, and the bare loop sends all to all"));
            }
            if *reads != Reads::AtOnce {
                return Err(format!("group `{name}` is slow, and the bare loop leaves nothing out"));
            }
        }
        Ok(rate)
    }

    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// The system refuses the port or the thread.
    pub fn start(setup: FloorSetup) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.set_tcp_nodelay(true)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let body = move || {
            let mut sending = BareLoop::new(&setup);
            sending.accept_all(&listener, &told)?;
            sending.send_all(&told)
        };
        let thread = std::thread::Builder::new().name("floor".to_owned()).spawn(body)?;
        Ok(Self { address, stop, thread })
    }

    /// Ends it; returns what it did.
    ///
    /// # Errors
    /// What the system said where it could not go on.
    pub fn finish(self) -> io::Result<FloorSummary> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the floor's thread has died")))
    }
}

struct Client {
    socket: TcpStream,
    /// What it is sent in this round.
    pending: Vec<u8>,
    is_gone: bool,
}

struct BareLoop<'a> {
    setup: &'a FloorSetup,
    places: HashMap<&'a str, usize>,
    clients: Vec<Client>,
    /// The clients of each symbol.
    lists: Vec<Vec<usize>>,
    /// The last `seq` of each symbol.
    seqs: Vec<u64>,
    told: FloorSummary,
}

impl<'a> BareLoop<'a> {
    fn new(setup: &'a FloorSetup) -> Self {
        let places = setup.symbols.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let (lists, seqs) = (vec![Vec::new(); setup.symbols.len()], vec![0; setup.symbols.len()]);
        Self { setup, places, clients: Vec::new(), lists, seqs, told: FloorSummary::default() }
    }

    fn accept_all(&mut self, listener: &TcpListener, stop: &AtomicBool) -> io::Result<()> {
        while self.clients.len() < self.setup.streams && !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((socket, _)) => self.accept(socket)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK_INTERVAL),
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
        let known: Vec<&str> = query.split(',').filter(|name| self.places.contains_key(name)).collect();
        let listed = known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let hello = format!("event: hello\ndata: {{\"epoch\":\"floor\",\"symbols\":[{listed}],\"unknown\":[]}}\n\n");
        socket.write_all(format!("{head}{hello}").as_bytes())?;
        socket.set_nonblocking(true)?;
        for name in known {
            self.lists[self.places[name]].push(self.clients.len());
        }
        self.clients.push(Client { socket, pending: Vec::new(), is_gone: false });
        Ok(())
    }

    fn send_all(mut self, stop: &AtomicBool) -> io::Result<FloorSummary> {
        let (thread, begun) = (Process::own_thread(), Instant::now());
        let (start_micros, cpu) = (unix_micros(), thread.usage()?.cpu);
        let mut random = SmallRng::seed_from_u64(self.setup.seed);
        let (mut count, mut frame, mut touched) = (0_u64, String::new(), Vec::new());
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
                for &client in &self.lists[symbol] {
                    let Client { pending, is_gone, .. } = &mut self.clients[client];
                    if *is_gone {
                        continue;
                    }
                    if pending.is_empty() {
                        touched.push(client);
                    }
                    pending.extend_from_slice(frame.as_bytes());
                    self.told.ticks += 1;
                }
            }
            touched.retain(|&client| self.clients[client].send(&mut self.told));
        }
        let cpu = thread.usage()?.cpu.saturating_sub(cpu);
        self.told.cpu_micros_per_tick = micros_per(cpu, self.told.ticks);
        Ok(self.told)
    }
}

impl Client {
    /// Sends what is pending; returns whether some is left for the next round. A client that is far behind is given up: the
    /// floor leaves nothing out.
    fn send(&mut self, told: &mut FloorSummary) -> bool {
        match self.socket.write(&self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.is_gone = true,
        }
        if self.pending.len() > PENDING_MAX {
            self.is_gone = true;
            told.cut += 1;
        }
        if self.is_gone {
            self.pending.clear();
        }
        !self.pending.is_empty()
    }
}

/// The `count`-th tick of all, a symbol's `seq`-th.
fn write_frame(frame: &mut String, symbol: &str, seq: u64, count: u64, trade_ts: i64) {
    let recv = unix_micros();
    frame.clear();
    // Writing to a text cannot fail.
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
    fn what_a_bare_loop_cannot_do_is_refused() {
        let rate = |name| Floor::rate(&load(name).unwrap().0);
        assert_eq!(rate("watchlists"), Ok(400.0));
        for (name, told) in [
            ("opening-bell", "not steady"),
            ("smoke", "outages"),
            ("churn", "group `pages` leaves and comes back"),
            ("stalled", "group `stalled` is slow"),
        ] {
            let error = rate(name).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        let mut options = load("watchlists").unwrap().0;
        options.groups[0].query = "max_rate=4".to_owned();
        assert!(rate("watchlists").is_ok() && Floor::rate(&options).unwrap_err().contains("max_rate=4"));
    }
}
