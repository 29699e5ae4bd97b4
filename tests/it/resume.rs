//! Clients that are cut at random bytes and come back with the last id they saw.

use crate::support::{
    Client, PATIENCE,
    running::{Running, binance, config},
    stream::fields,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
use tickfan_loadtest::venue::{Load, Protocol, Setup, Venue};

const CUTS: usize = 1_000;
const SYMBOLS: [&str; 3] = ["BTC-USDT", "ETH-USDT", "SOL-USDT"];
/// Updates per second that gateway, venue and clients of all these tests can handle in time, even in a debug build.
const RATE: f64 = 500.0;
/// About as many bytes as come in 30 ms.
const BYTES_MAX: usize = 6_000;

/// Where each symbol stands, by its number.
type Seqs = HashMap<String, u64>;

/// What a connection brought until it was cut.
#[derive(Default)]
struct Visit {
    has_head: bool,
    epoch: String,
    ticks: Vec<(String, u64)>,
    last_id: Option<String>,
}

fn start() -> (Venue, Running) {
    let venue = Venue::start(&Setup::new(Protocol::Binance, &SYMBOLS, Load::Steady { rate: RATE })).unwrap();
    let mut config = config(vec![binance("resume", &venue.url(), &SYMBOLS)]);
    // Deep enough that a client that returns finds every missed tick.
    config.fanout.ring = 20_000;
    config.fanout.ring_age = Duration::from_secs(60);
    config.fanout.max_lag = Duration::from_secs(10);
    config.limits.replay_bytes = 16 << 20;
    let gateway = Running::start(&config);
    let deadline = Instant::now() + PATIENCE;
    while newest(gateway.address).values().any(|&seq| seq == 0) {
        assert!(Instant::now() < deadline, "the venue sends nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    (venue, gateway)
}

fn newest(address: SocketAddr) -> Seqs {
    let answer = Client::connect(address).get(&format!("/v1/quotes?symbols={}", SYMBOLS.join(",")));
    let quotes = answer.json()["quotes"].as_array().unwrap().clone();
    quotes.iter().map(|quote| (quote["symbol"].as_str().unwrap().to_owned(), quote["seq"].as_u64().unwrap())).collect()
}

/// Connects with an id, in the header or in the query, and reads until it has so many bytes and `is_enough`.
fn visit(address: SocketAddr, target: &str, header: &str, bytes: usize, is_enough: impl Fn(&Visit) -> bool) -> Visit {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {target} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n").unwrap();
    let mut seen = Visit::default();
    let mut left = bytes;
    let mut rest = Vec::new();
    let mut chunk = vec![0; 65_536];
    while left > 0 || !is_enough(&seen) {
        let most = if left == 0 { chunk.len() } else { left.min(chunk.len()) };
        match socket.read(&mut chunk[..most]) {
            Ok(0) => panic!("the gateway ended the stream: {}", String::from_utf8_lossy(&rest)),
            Ok(count) => {
                left = left.saturating_sub(count);
                rest.extend_from_slice(&chunk[..count]);
                seen.take(&mut rest);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&rest)),
        }
    }
    seen
}

impl Visit {
    /// Takes the complete blocks, each once: a client that reads too slowly does not keep up.
    fn take(&mut self, rest: &mut Vec<u8>) {
        if !self.has_head {
            let Some(head) = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return };
            rest.drain(..head + 4);
            self.has_head = true;
        }
        let Some(end) = rest.windows(2).rposition(|bytes| bytes == b"\n\n") else { return };
        let blocks: Vec<u8> = rest.drain(..end + 2).collect();
        String::from_utf8(blocks).unwrap().split("\n\n").for_each(|block| self.block(block));
    }

    fn block(&mut self, block: &str) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        match (field("event"), field("data")) {
            (None, Some(data)) => {
                let tick = fields(data);
                self.ticks.push((tick["symbol"].trim_matches('"').to_owned(), tick["seq"].parse().unwrap()));
                self.last_id = field("id").map(str::to_owned).or(self.last_id.take());
            }
            (Some("hello"), Some(data)) => self.epoch = fields(data)["epoch"].trim_matches('"').to_owned(),
            _ => {}
        }
    }
}

/// Whether the newest of each of these symbols, as it was before the visit, has come.
fn brings(visit: &Visit, symbols: &[&str], before: &Seqs) -> bool {
    symbols.iter().all(|&symbol| visit.ticks.iter().any(|(name, seq)| name == symbol && *seq >= before[symbol]))
}

#[test]
fn rule_3_cut_at_a_thousand_random_bytes_the_newest_of_each_symbol_always_arrives() {
    let (_venue, gateway) = start();
    let mut random = SmallRng::seed_from_u64(11);
    let target = format!("/v1/stream?symbols={}", SYMBOLS.join(","));
    let mut last_id = None;
    for cut in 0..CUTS {
        let before = newest(gateway.address);
        let (target, header) = match &last_id {
            Some(id) if cut % 2 == 0 => (format!("{target}&last_event_id={id}"), String::new()),
            Some(id) => (target.clone(), format!("last-event-id: {id}\r\n")),
            None => (target.clone(), String::new()),
        };
        // Most cuts come before the newest tick has arrived: then only the received ticks are checked.
        let bytes = random.random_range(1..BYTES_MAX);
        let is_patient = random.random_bool(0.5);
        let seen =
            visit(gateway.address, &target, &header, bytes, |seen| !is_patient || brings(seen, &SYMBOLS, &before));
        let mut seqs = Seqs::new();
        for (symbol, seq) in &seen.ticks {
            let last = seqs.insert(symbol.clone(), *seq);
            // A stream of several symbols may have a hole in the replay, if it did not fit, but not in the ticks after
            // it.
            let follows = last.is_none_or(|last| last + 1 == *seq || last < *seq && *seq <= before[symbol] + 1);
            assert!(follows, "{symbol}: {last:?}, then {seq}, {} before, in {target} {header}", before[symbol]);
        }
        last_id = seen.last_id.or(last_id);
    }
    gateway.stop().unwrap();
}

#[test]
fn a_stream_of_one_symbol_gets_all_that_it_missed() {
    let (_venue, gateway) = start();
    let mut random = SmallRng::seed_from_u64(12);
    let mut last: Option<(String, u64)> = None;
    for _ in 0..CUTS / 4 {
        let header = last.as_ref().map_or_else(String::new, |(id, _)| format!("last-event-id: {id}\r\n"));
        let bytes = random.random_range(1..BYTES_MAX);
        let seen = visit(gateway.address, "/v1/stream/BTC-USDT", &header, bytes, |_| true);
        let seqs: Vec<u64> = seen.ticks.iter().map(|(_, seq)| *seq).collect();
        let Some(&newest) = seqs.last() else { continue };
        if let Some((_, known)) = last {
            // A tick that the client has may come again, as its symbol's newest.
            let new: Vec<u64> = seqs.iter().copied().filter(|&seq| seq > known).collect();
            assert_eq!(new, (known + 1..known + 1 + new.len() as u64).collect::<Vec<_>>(), "after {known}");
        }
        let known = last.map_or(0, |(_, known)| known);
        last = seen.last_id.map(|id| (id, newest.max(known)));
    }
    gateway.stop().unwrap();
}

#[test]
fn an_id_that_is_none_brings_a_snapshot() {
    let (_venue, gateway) = start();
    let target = format!("/v1/stream?symbols={}", SYMBOLS.join(","));
    let before = newest(gateway.address);
    let first = visit(gateway.address, &target, "", 1, |seen| brings(seen, &SYMBOLS, &before));
    let epoch = first.epoch;
    let huge = format!("{epoch}-{}", u64::MAX);
    let long = "9".repeat(4_000);
    let ids = ["", "-", "nonsense", "zzzzzzzzz-5", &huge, &format!("{epoch}-99999999999999999999999"), &long, &epoch];
    let odd = [format!("{epoch}--1"), format!("{epoch}-1-2"), format!("{epoch}- 5"), format!("{epoch}-0x10")];
    for id in ids.into_iter().chain(odd.iter().map(String::as_str)) {
        let before = newest(gateway.address);
        let seen = visit(gateway.address, &target, &format!("last-event-id: {id}\r\n"), 1, |seen| {
            brings(seen, &SYMBOLS, &before)
        });
        let mut firsts = Seqs::new();
        for (symbol, seq) in seen.ticks {
            firsts.entry(symbol).or_insert(seq);
        }
        assert!(firsts.iter().all(|(symbol, seq)| *seq >= before[symbol]), "{id}: {firsts:?}, was {before:?}");
    }
    gateway.stop().unwrap();
}
