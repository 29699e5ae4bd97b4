//! Names that come and go through a feed on demand, over sockets.

use crate::support::{
    Client, PATIENCE,
    process::Process,
    stream::{Stream, Tick},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{Connection, Line, Venue, binance, line, serve};

/// The venue's limit: so many messages of a connection in a second.
const MESSAGES_PER_SECOND: usize = 5;
/// The streams of a batch, each from an address of its own.
const BATCH: usize = 10;
const STEADY: &str = "STEADY-USDT";
/// By how much memory may grow from the second third of the names to the last one, in percent. In the first minutes
/// each of the allocator's arenas, one for each thread, still grows to the most that it ever needs at a time.
const GROWTH_MAX: f64 = 1.0;
/// At least one name of so many that come and go reaches the venue, on a machine that is busy with other tests and on
/// one that is idle: others are dropped before the feed may ask.
const OTHERS_SHARE: usize = 10;
const OTHERS_SHARE_IDLE: usize = 3;

struct Size {
    /// `on_demand_symbols`.
    limit: usize,
    /// Names that come and go.
    names: usize,
}

/// A connection of the feed: when the venue accepted it, and when each of its messages came.
struct Messages {
    accepted: Instant,
    times: Vec<Instant>,
}

/// What the venue has seen.
#[derive(Default)]
struct Seen {
    messages: Mutex<Vec<Messages>>,
    lines: Mutex<Vec<Line>>,
    subscriptions: AtomicUsize,
    unsubscriptions: AtomicUsize,
}

impl Seen {
    /// The most messages of one connection within a second.
    fn most_in_a_second(&self) -> usize {
        let second = Duration::from_secs(1);
        let most = |Messages { times, .. }: &Messages| {
            let from = |first: usize| times[first..].iter().take_while(|at| **at - times[first] < second).count();
            (0..times.len()).map(from).max().unwrap_or(0)
        };
        self.messages.lock().unwrap().iter().map(most).max().unwrap_or(0)
    }

    /// By how many messages a connection was ahead of the venue's pace since it was accepted. A venue that is late
    /// makes that fewer, so it is judged on a busy machine too.
    fn most_ahead(&self) -> f64 {
        let ahead = |Messages { accepted, times }: &Messages| {
            let of_pace = |at: &Instant| (*at - *accepted).as_secs_f64() * MESSAGES_PER_SECOND as f64;
            times.iter().zip(1..).map(|(at, count)| f64::from(count) - of_pace(at)).fold(0.0, f64::max)
        };
        self.messages.lock().unwrap().iter().map(ahead).fold(0.0, f64::max)
    }

    /// How many streams of the venue open connections have at this moment.
    fn subscribed(&self) -> usize {
        let ask = |line: &Line| {
            let (count_tx, count_rx) = mpsc::channel();
            line.act(move |dialect| {
                let _ = count_tx.send(dialect.subscribed().len());
                Vec::new()
            });
            count_rx
        };
        let asked: Vec<_> = self.lines.lock().unwrap().iter().map(ask).collect();
        // An error: the feed has left that connection.
        asked.iter().map(|count_rx| count_rx.recv().unwrap_or(0)).sum()
    }

    /// The next trade of the symbol that always has a stream.
    fn trade(&self, number: u64) {
        for line in &*self.lines.lock().unwrap() {
            line.act(move |dialect| {
                let has_it = dialect.subscribed().iter().any(|name| name == "STEADYUSDT");
                let trade = has_it.then(|| dialect.trade("STEADYUSDT", number, "1.5", "2"));
                trade.into_iter().map(Message::text).collect()
            });
        }
    }
}

/// A venue that grants all that it is asked for, for as long as the runtime lives.
fn start_venue(runtime: &tokio::runtime::Runtime) -> (String, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let venue = runtime.block_on(Venue::bind());
    let url = venue.url.clone();
    let of_venue = seen.clone();
    runtime.spawn(async move {
        loop {
            let tcp = venue.next_tcp().await;
            let accepted = Instant::now();
            let (line, acts) = line();
            of_venue.lines.lock().unwrap().push(line);
            let place = {
                let mut messages = of_venue.messages.lock().unwrap();
                messages.push(Messages { accepted, times: Vec::new() });
                messages.len() - 1
            };
            let seen = of_venue.clone();
            let see = move |request: &str| {
                seen.messages.lock().unwrap()[place].times.push(Instant::now());
                let request: Value = serde_json::from_str(request).unwrap();
                let count = match request["method"].as_str() {
                    Some("SUBSCRIBE") => &seen.subscriptions,
                    Some("UNSUBSCRIBE") => &seen.unsubscriptions,
                    _ => return,
                };
                count.fetch_add(request["params"].as_array().unwrap().len() / 3, Ordering::Relaxed);
            };
            // A connection whose last symbol is dropped at once is left within its handshake: that ends its task alone.
            tokio::spawn(async move {
                let connection = Connection::accept(tcp).await;
                serve(connection, (binance::MANNER.new)(&[]), acts, see).await;
            });
        }
    });
    (url, seen)
}

/// How many symbols the feed has at this moment; the metric is up to a second old.
fn subscribed(gateway: &Process) -> usize {
    let all = Client::connect(gateway.admin).get("/debug/feeds").json();
    all["feeds"][0]["on_demand"]["symbols"].as_u64().unwrap() as usize
}

/// A stream of these names from this address.
fn open(gateway: &Process, from: &str, symbols: &[String]) -> Client {
    let mut client = Client::connect(gateway.address);
    let head = format!("host: localhost\r\nx-forwarded-for: {from}\r\n\r\n");
    client.send(format!("GET /v1/stream?symbols={} HTTP/1.1\r\n{head}", symbols.join(",")));
    client
}

/// Waits until each of the stream's names has said something. Returns how many were refused because of a limit, and how
/// many were not.
fn told(client: &mut Client, count: usize) -> (usize, usize) {
    let text = client.until(|text| reasons(text).len() >= count || text.contains("event: bye"));
    let reasons = reasons(&text);
    let refused = reasons.values().filter(|reason| **reason == "limit").count();
    (refused, reasons.len() - refused)
}

/// The symbols of these events, with the reason of the last tick of each.
fn reasons(text: &str) -> BTreeMap<&str, &str> {
    let field = |block: &'_ str, name: &str| {
        let from = block.find(&format!("\"{name}\":\""))? + name.len() + 4;
        Some(from..from + block[from..].find('"')?)
    };
    // The last one may be half of one.
    let (whole, _) = text.rsplit_once("\n\n").unwrap_or_default();
    let ticks = whole.split("\n\n").filter(|block| block.contains("\"seq\":"));
    ticks.filter_map(|tick| Some((&tick[field(tick, "symbol")?], &tick[field(tick, "reason")?]))).collect()
}

/// A symbol that always has a stream: nothing that other clients do may take it away. A stream of these tests lasts for
/// minutes at most, so one follows on another.
fn follow(gateway: SocketAddr, ends: &AtomicBool) -> usize {
    let open = || Stream::open(gateway, &format!("/v1/stream/{STEADY}"));
    let (mut stream, mut opened, mut live) = (open(), Instant::now(), 0);
    stream.named("hello");
    while !ends.load(Ordering::Relaxed) {
        if opened.elapsed() > Duration::from_secs(60) {
            let mut next = open();
            next.named("hello");
            // The one before goes only now, so the symbol has a stream all the time.
            (stream, opened) = (next, Instant::now());
        }
        let tick: Tick = stream.tick();
        match tick.text("state") {
            "live" => live += 1,
            state => assert!(live == 0 && state == "waiting", "{tick:?}"),
        }
    }
    live
}

/// Resident bytes over time.
#[derive(Default)]
struct Memory(Vec<(Duration, u64)>);

impl Memory {
    fn look(&mut self, gateway: &Process, begun: Instant) {
        self.0.push((begun.elapsed(), gateway.resident()));
    }

    /// The median of the samples between these times.
    fn median(&self, from: Duration, to: Duration) -> u64 {
        let within = self.0.iter().filter(|(at, _)| (from..=to).contains(at));
        let mut bytes: Vec<u64> = within.map(|(_, bytes)| *bytes).collect();
        bytes.sort_unstable();
        bytes.get(bytes.len() / 2).copied().unwrap_or(0)
    }
}

/// Two hundred names through a limit of eighty, and nightly `TEST_DEMAND_NAMES` through one of a thousand: then memory
/// and each second of the venue's pace are judged, on a machine that is idle.
#[test]
fn names_that_come_and_go_leave_nothing_behind_and_take_nothing_away() {
    let names = std::env::var("TEST_DEMAND_NAMES");
    let is_nightly = names.is_ok();
    let size = match names {
        Ok(names) => Size { limit: 1_000, names: names.parse().unwrap() },
        Err(_) => Size { limit: 80, names: 200 },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (url, seen) = start_venue(&runtime);
    let config = format!(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nnew_symbols_per_address = 10000\n\
         [[feed]]\nname = \"any\"\nvenue = \"binance\"\nurl = \"{url}\"\non_demand = true\nlinger = \"1s\"\n\
         on_demand_symbols = {}\n",
        size.limit
    );
    let gateway = Process::start("demand", &config);
    let address = gateway.address;
    let [ends, venue_ends] = [(); 2].map(|()| AtomicBool::new(false));
    let (mut granted, mut refused, mut batches) = (0, 0, 0);
    let mut memory = Memory::default();
    let begun = Instant::now();
    thread::scope(|scope| {
        let [ending, venue_ending] = [Ends(&ends), Ends(&venue_ends)];
        let steady = scope.spawn(|| follow(address, &ends));
        let trades = scope.spawn(|| {
            for number in 1.. {
                if venue_ends.load(Ordering::Relaxed) {
                    break;
                }
                seen.trade(number);
                thread::sleep(Duration::from_millis(100));
            }
        });
        // One address asks for twice what it may have, and keeps what it gets.
        let greedy: Vec<String> = (0..size.limit / 4 * 2).map(|number| format!("GREEDY{number}-USDT")).collect();
        let mut greedy: Vec<_> =
            greedy.chunks(size.limit / 4).map(|part| (open(&gateway, "192.0.2.1", part), part.len())).collect();
        let got: Vec<_> = greedy.iter_mut().map(|(client, count)| told(client, *count)).collect();
        assert_eq!(got.iter().map(|(_, granted)| granted).sum::<usize>(), size.limit / 4, "{got:?}");
        let of_stream = size.limit / 4 / BATCH;
        while granted < size.names {
            let mut clients: Vec<_> = (0..BATCH)
                .map(|place| {
                    let own: Vec<_> =
                        (0..of_stream).map(|number| format!("B{batches}P{place}N{number}-USDT")).collect();
                    open(&gateway, &format!("10.{}.{}.{place}", batches / 256 % 256, batches % 256), &own)
                })
                .collect();
            for client in &mut clients {
                let (limit, waits) = told(client, of_stream);
                assert_eq!(limit + waits, of_stream, "each name is told");
                (granted, refused) = (granted + waits, refused + limit);
            }
            drop(clients);
            batches += 1;
            memory.look(&gateway, begun);
            // What lingers must leave room for the next batch.
            let deadline = Instant::now() + PATIENCE;
            while subscribed(&gateway) > size.limit * 7 / 10 {
                assert!(Instant::now() < deadline, "{} symbols linger", subscribed(&gateway));
                thread::sleep(Duration::from_millis(20));
            }
        }
        drop(ending);
        let live = steady.join().unwrap();
        drop(venue_ending);
        trades.join().unwrap();
        assert!(live > batches / 2, "{live} ticks of {STEADY} in {batches} batches");
        drop(greedy);
    });
    let took = begun.elapsed();
    let [at_venue, left] = [&seen.subscriptions, &seen.unsubscriptions].map(|count| count.load(Ordering::Relaxed));
    let (most, ahead) = (seen.most_in_a_second(), seen.most_ahead());
    let (minute, third) = (Duration::from_secs(60), took / 3);
    let [first, second, last] = [(minute, minute * 3 / 2), (third, third * 2), (third * 2, took)];
    let [first, second, last] = [first, second, last].map(|(from, to)| memory.median(from, to));
    for number in 1..=took.as_secs() as u32 / 60 {
        eprintln!("{} bytes in minute {number}", memory.median(minute * (number - 1), minute * number));
    }
    eprintln!(
        "{granted} names in {took:?}, {at_venue} of them at the venue and {left} left, {refused} refused; at most {most} \
         messages in a second, {ahead:.1} ahead of the pace; {first} bytes after the first minute, {second} and {last} in \
         the second and the last third"
    );
    // The greedy address was refused half of its names; all others found room.
    assert_eq!(refused, 0, "{batches} batches");
    let others = at_venue.saturating_sub(size.limit / 4 + 1);
    let share = if is_nightly { OTHERS_SHARE_IDLE } else { OTHERS_SHARE };
    assert!(others >= granted / share, "{others} of {granted} names that come and go are asked for");
    assert!(left > 0, "a name that goes is given back to a venue whose connection stays");
    assert!(ahead <= MESSAGES_PER_SECOND as f64, "{ahead:.1} messages ahead of the venue's pace");
    if is_nightly {
        assert!(most <= MESSAGES_PER_SECOND, "{most} messages in a second");
        assert!(third >= minute, "{took:?}: memory is judged after the first minute");
        let growth = 100.0 * (last as f64 / second as f64 - 1.0);
        assert!(growth < GROWTH_MAX, "memory grew by {growth:.2} %: {:?}", memory.0);
    }
    gateway.metric_when("tickfan_demand_symbols", "feed=\"any\"", |count| count == 0);
    let deadline = Instant::now() + PATIENCE;
    while seen.subscribed() > 0 {
        assert!(Instant::now() < deadline, "{} streams of the venue are left", seen.subscribed());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the threads of a test, also where it fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
