//! The workers over real sockets: what a slow, a stalled, a talkative and a leaving client cost, and how streams end.

mod h2;
mod pipe;
mod pipes;
mod tls;

use crate::support::kernel::sockets;
use bytes::Bytes;
use socket2::{Domain, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{Cache, Published, RingLimits, SymbolState},
    config,
    fanout::{
        Announcer, ClientTransport, CloseReason, Counts, NewStream, Options, ResponseHead, Transport, Unlisted,
        WORKERS_MAX, WorkerPool, WorkerThreads, worker_count,
    },
    market::{Decimal, Field, Now, Origin, TradeUpdate, Update},
    wire::{Epoch, StreamName},
};

/// Far beyond what any of these tests needs: a hang ends as a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// For what must not happen within a test: heartbeats and stalls that would hide what it looks for.
const HOURS: Duration = Duration::from_secs(10 * 3_600);

/// A worker pool, and one symbol that streams can carry.
struct Gateway<T> {
    pool: Arc<WorkerPool<T>>,
    workers: WorkerThreads,
    announcer: Announcer<T>,
    state: Arc<SymbolState>,
    price: i64,
}

/// A gateway whose streams are sockets.
type Sockets = Gateway<ClientTransport>;

/// Reports that it is dropped, as a permit is when its stream ends.
struct Permit(mpsc::Sender<()>);

impl tickfan::fanout::StreamPermit for Permit {
    fn resize(&mut self, _: usize) -> bool {
        true
    }

    fn keep(&mut self, _: Box<dyn Send>) {}
}

impl Drop for Permit {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl<T: Transport + Send + 'static> Gateway<T> {
    fn start(stall_timeout: Duration) -> Self {
        Self::with(stall_timeout, None)
    }

    fn with(stall_timeout: Duration, flush_interval: Option<Duration>) -> Self {
        let fanout = config::Fanout {
            compress_min_streams: 8,
            workers: 1,
            flush_interval,
            max_lag: Duration::from_millis(250),
            ring: 1024,
            ring_age: Duration::from_secs(10),
            stall_timeout,
        };
        let (pool, workers) = WorkerPool::start(&fanout).unwrap();
        let cache = Cache::new(Epoch::new(1 << 20), RingLimits { count: fanout.ring, age: fanout.ring_age });
        let state = cache.register("AAPL".parse().unwrap(), "test".into(), Origin::Market, Now::read()).unwrap();
        let announcer = Announcer::new(pool.clone());
        Self { pool, workers, announcer, state, price: 0 }
    }

    /// A stream of the symbol, and a channel that reports its end.
    fn new_stream(&self, heartbeat: Duration) -> (NewStream, mpsc::Receiver<()>) {
        let (ended_tx, ended_rx) = mpsc::channel();
        let stream = NewStream {
            name: StreamName::new(0),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: ResponseHead::default(),
            hello: Box::new(Bytes::from_static(b"HELLO\n\n")),
            symbols: Box::new([self.state.clone()]),
            unlisted: Unlisted::default(),
            options: Options::new(heartbeat),
            dictionary: None,
            resume: None,
            generation: 0,
            has_rights: false,
            until: None,
            permit: Box::new(Permit(ended_tx)),
        };
        (stream, ended_rx)
    }

    /// Publishes a trade at the next price, which is its number.
    fn publish(&mut self) {
        self.price += 1;
        let trade = TradeUpdate { price: Field::Set(Decimal::new(self.price, 0).unwrap()), ..TradeUpdate::default() };
        let update = Update { trade: Some(trade), ..Update::default() };
        if let Published::Tick { interest } = self.state.publish(&update, Now::read()) {
            self.announcer.add(&self.state, interest);
        }
        self.announcer.flush();
    }

    /// Drains the workers; returns their counts.
    fn end(self) -> Counts {
        self.pool.drain(Duration::ZERO);
        self.workers.join().unwrap();
        self.pool.counts()
    }
}

impl Gateway<ClientTransport> {
    /// A client with a stream of the symbol, and a channel that reports the stream's end.
    fn client(&self, receive_buffer: Option<usize>, heartbeat: Duration) -> (TcpStream, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = connected(&listener, receive_buffer);
        let (stream, ended) = self.new_stream(heartbeat);
        self.pool.open(listener.accept().unwrap().0, stream).unwrap();
        (client, ended)
    }
}

/// A client's end of a connection.
fn connected(listener: &TcpListener, receive_buffer: Option<usize>) -> TcpStream {
    let client = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(bytes) = receive_buffer {
        client.set_recv_buffer_size(bytes).unwrap(); // before it connects: later the window is open already
    }
    client.connect(&listener.local_addr().unwrap().into()).unwrap();
    let client = TcpStream::from(client);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Reads up to the frame of a price; returns everything up to it.
fn read_until(client: &mut impl Read, price: i64) -> String {
    read_until_string(client, &format!("\"price\":{price},"))
}

fn read_until_string(client: &mut impl Read, wanted: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !(text.contains(wanted) && text.ends_with("\n\n")) {
        let bytes = client.read(&mut buffer).unwrap();
        assert!(bytes > 0, "the stream ended before {wanted}: {text}");
        text.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap());
    }
    text
}

fn closed(counts: &Counts, reason: CloseReason) -> u64 {
    counts.closed[reason as usize]
}

#[test]
fn a_client_that_keeps_up_gets_head_newest_and_every_tick() {
    let mut gateway = Sockets::start(PATIENCE);
    gateway.publish();
    let (mut client, _ended) = gateway.client(None, PATIENCE);
    let first = read_until(&mut client, 1);
    assert!(first.starts_with("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nHELLO\n\nid: "), "{first}");
    for batch in 0..20 {
        for _ in 0..10 {
            gateway.publish();
        }
        let text = read_until(&mut client, batch * 10 + 11);
        assert_eq!(text.matches("data: {\"symbol\"").count(), 10, "{text}");
    }
    drop(client);
    assert_eq!(gateway.end().missed.total(), 0);
}

#[test]
fn ticks_wait_for_the_next_round_where_an_interval_is_set() {
    const INTERVAL: Duration = Duration::from_millis(100);
    const TICKS: i64 = 40;
    let mut gateway = Sockets::with(PATIENCE, Some(INTERVAL));
    let begun = Instant::now();
    let (mut client, _ended) = gateway.client(None, PATIENCE);
    read_until_string(&mut client, "waiting");
    for _ in 0..TICKS {
        gateway.publish();
        thread::yield_now();
    }
    read_until(&mut client, TICKS);
    let writes = u128::from(gateway.end().writes);
    // One more for the goodbye, which may go out at the end of its round.
    let rounds = begun.elapsed().as_millis() / INTERVAL.as_millis() + 2;
    assert!(writes <= rounds, "{writes} writes in {rounds} rounds");
}

#[test]
fn rule_4_a_slow_clients_backlog_stays_small_enough_to_coalesce() {
    let mut gateway = Sockets::start(PATIENCE);
    let (mut slow, _slow_ended) = gateway.client(Some(4096), PATIENCE);
    let (mut fast, _fast_ended) = gateway.client(None, PATIENCE);
    for client in [&mut slow, &mut fast] {
        read_until_string(client, "\"state\":\"waiting\"");
    }
    for price in 1..=20_000 {
        gateway.publish();
        if price % 100 == 0 {
            let frames = read_until(&mut fast, price).matches("data: {\"symbol\"").count();
            assert_eq!(frames, 100, "a client that keeps up is not disturbed");
        }
    }
    let backlog = read_until(&mut slow, 20_000);
    // The client's own receive buffer and its kernel's slack are in it too.
    assert!(backlog.len() < 48 * 1024, "{} bytes of old prices stood in the kernel", backlog.len());
    let frames = backlog.matches("data: {\"symbol\"").count() as u64;
    drop((slow, fast));
    let counts = gateway.end();
    assert_eq!(counts.missed.lag, 20_000 - frames, "what the slow client did not see is counted");
    assert_eq!((counts.missed.ring, counts.missed.options), (0, 0), "the fast one missed nothing");
}

#[test]
fn rule_5_a_stalled_stream_is_aborted_and_leaves_nothing_in_the_kernel() {
    let mut gateway = Sockets::start(Duration::from_millis(300));
    let (mut client, ended) = gateway.client(Some(4096), PATIENCE);
    let ours = client.peer_addr().unwrap();
    let theirs = client.local_addr().unwrap();
    let started = Instant::now();
    while ended.try_recv().is_err() {
        gateway.publish();
        assert!(started.elapsed() < PATIENCE, "it is never closed");
        std::thread::yield_now();
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(sockets(ours, theirs), [""; 0], "an orphan of it is left");
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let counts = gateway.end();
    assert_eq!(closed(&counts, CloseReason::Stalled) + closed(&counts, CloseReason::Timeout), 1);
    assert_eq!(counts.full, 0);
}

/// Nothing is published and no heartbeat is due: only the end of the client's input can tell.
#[test]
fn a_thousand_clients_that_leave_are_all_noticed_at_once_however_they_leave() {
    let gateway = Sockets::start(HOURS);
    let ways: [fn(TcpStream); 5] = [
        |client| drop(client), // unread bytes make this a reset
        |mut client| {
            read_until_string(&mut client, "waiting");
            drop(client);
        },
        |client| client.shutdown(Shutdown::Both).unwrap(),
        |mut client| {
            read_until_string(&mut client, "waiting");
            client.shutdown(Shutdown::Write).unwrap();
            read_until_string(&mut client, "event: heartbeat");
            drop(client); // behind its FIN a client that has read everything sends nothing more
        },
        |client| socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap(),
    ];
    let mut last = 0;
    for _ in 0..10 {
        let clients: Vec<_> = (0..100).map(|_| gateway.client(None, HOURS)).collect();
        let mut ends = Vec::new();
        for ((client, ended), leave) in clients.into_iter().zip(ways.into_iter().cycle()) {
            leave(client);
            ends.push(ended);
        }
        // Behind a heartbeat that a half-closed client has read, its end shows with the next bytes only.
        for (index, ended) in ends.iter().enumerate().filter(|(index, _)| index % ways.len() != 3) {
            assert!(
                ended.recv_timeout(PATIENCE).is_ok(),
                "the stream of a client that left in way {} goes on",
                index % ways.len()
            );
        }
        last += ends.len();
    }
    assert_eq!(last, 1_000);
    let mut gateway = gateway;
    gateway.publish(); // what half-closed clients that are gone answer with a reset
    gateway.publish();
    assert_eq!(closed(&gateway.end(), CloseReason::Left), 1_000);
}

#[test]
fn a_half_closed_client_gets_one_heartbeat_at_once_and_reads_on() {
    let mut gateway = Sockets::start(HOURS);
    let (mut client, ended) = gateway.client(None, HOURS);
    read_until_string(&mut client, "waiting");
    client.shutdown(Shutdown::Write).unwrap();
    let heartbeat = read_until_string(&mut client, "event: heartbeat");
    assert_eq!(heartbeat.matches("event: ").count(), 1, "{heartbeat}");
    for price in 1..=100 {
        gateway.publish();
        let text = read_until(&mut client, price);
        assert!(!text.contains("heartbeat"), "{text}");
    }
    assert!(ended.try_recv().is_err(), "the stream goes on");
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(client.read(&mut [0; 8]).is_err(), "nothing more comes");
    let turns = gateway.pool.counts().turns.count();
    assert!(turns < 2_000, "the end of a client's input kept the worker busy: {turns} turns");
    gateway.pool.drain(Duration::ZERO);
    let bye = read_until_string(&mut client, "event: bye");
    assert!(bye.ends_with("{\"reason\":\"shutdown\"}\n\n"), "{bye}");
    ended.recv_timeout(PATIENCE).unwrap();
    gateway.workers.join().unwrap();
    assert_eq!(closed(&gateway.pool.counts(), CloseReason::Shutdown), 1);
}

#[test]
fn rule_10_what_a_client_sends_behind_its_request_is_dropped_up_to_a_limit() {
    let mut gateway = Sockets::start(PATIENCE);
    let (mut client, ended) = gateway.client(None, PATIENCE);
    client.write_all(&[b'x'; 16 * 1024]).unwrap();
    gateway.publish();
    read_until(&mut client, 1);
    assert!(ended.try_recv().is_err(), "up to the limit it is only dropped");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed(&gateway.end(), CloseReason::Input), 1);
}

#[test]
fn rule_10_there_are_no_more_workers_than_a_symbol_has_marks_for() {
    let workers = |workers| worker_count(&config::Fanout { workers, ..config::Config::default().fanout });
    assert_eq!([1, WORKERS_MAX, WORKERS_MAX + 1, 1_000].map(workers), [1, 64, 64, 64]);
    assert!((1..=WORKERS_MAX).contains(&workers(0)), "one per core");
}

#[test]
fn silence_is_filled_with_heartbeats() {
    let gateway = Sockets::start(PATIENCE);
    let (mut client, _ended) = gateway.client(None, Duration::from_millis(20));
    let text = read_until_string(&mut client, "event: heartbeat");
    assert!(text.contains("event: heartbeat\ndata: {\"now\":1"), "{text}");
}

#[test]
fn rule_12_a_stream_that_was_admitted_just_before_the_drain_gets_a_goodbye_from_a_worker_that_has_ended() {
    let gateway = Sockets::start(HOURS);
    let (stream, ended) = gateway.new_stream(HOURS);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let Gateway { pool, workers, .. } = gateway;
    pool.drain(Duration::ZERO);
    workers.join().unwrap();
    pool.open(listener.accept().unwrap().0, stream).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\n\r\nretry: "), "{answer}");
    assert!(answer.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{answer}");
    ended.recv_timeout(PATIENCE).expect("the permit is given back");
    pool.drain(Duration::ZERO);
    assert!(pool.slowest(1, Instant::now()).0.recv().is_err(), "no worker is left to answer");
}

#[test]
fn rule_12_a_draining_gateway_gives_each_stream_its_own_retry_and_waits_for_the_clients_to_leave() {
    let gateway = Sockets::start(PATIENCE);
    let clients: Vec<_> = (0..50).map(|_| gateway.client(None, PATIENCE)).collect();
    let readers: Vec<_> = clients
        .into_iter()
        .map(|(mut client, ended)| {
            std::thread::spawn(move || {
                let mut text = String::new();
                client.read_to_string(&mut text).unwrap();
                drop(client);
                ended.recv_timeout(PATIENCE).unwrap();
                text
            })
        })
        .collect();
    gateway.pool.drain(Duration::from_millis(50));
    let goodbyes: Vec<String> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    for text in &goodbyes {
        let bye = text.rsplit("\n\n").nth(1).unwrap();
        assert!(bye.starts_with("retry: ") && bye.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}"), "{text}");
    }
    let retries: std::collections::BTreeSet<_> =
        goodbyes.iter().filter_map(|text| text.rsplit("retry: ").next()).collect();
    assert!(retries.len() > 10, "their return is spread");
    gateway.workers.join().unwrap();
    assert_eq!(closed(&gateway.pool.counts(), CloseReason::Shutdown), 50);
}
