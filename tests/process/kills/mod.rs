//! Kills gateway, venue and clients at random moments and restarts them. Each time every client ends on the venue's
//! newest state, without a hole in any connection, and takes no old number for a new one.
//!
//! `TEST_KILLS=200 cargo test --test process kills` kills as often.

mod venue;

use crate::support::{
    bookkeeper::{Bookkeeper, Books, Manner},
    process::Process,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use venue::{SYMBOLS, Truth, VenueProcess};

const KILLS: usize = 20;
const SEED: u64 = 9;
/// A feed's wait after several failures may be long; nothing else here is.
const PATIENCE: Duration = Duration::from_secs(60);

/// The main function of the venue's process, which the test below starts. Without the variable that holds its address
/// it returns at once.
#[test]
fn is_the_venue() {
    venue::run();
}

struct World {
    venue: Option<VenueProcess>,
    gateway: Option<Process>,
    clients: Vec<Bookkeeper>,
    config: String,
}

impl World {
    fn start() -> Self {
        let venue = VenueProcess::start("127.0.0.1:0".parse().unwrap());
        let config = format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"ws://{}\"\nsymbols = [\"BTC-USDT\", \"ETH-USDT\", \"SOL-USDT\"]\n\
             [fanout]\nmax_lag = \"10s\"\nring = 20000\nring_age = \"60s\"\n[limits]\nreplay_bytes = \"16MiB\"\n",
            venue.address
        );
        let gateway = Process::start("kills", &config);
        // The first three stay connected; the others disconnect at random and return.
        let client = |index: usize| {
            let manner = if index < 3 { Manner::Returns } else { Manner::Unsteady(index as u64) };
            let target = format!("/v1/stream?symbols={}", symbols_of(index).join(","));
            Bookkeeper::start(gateway.address, &target, manner)
        };
        let clients = (0..9).map(client).collect();
        Self { venue: Some(venue), gateway: Some(gateway), clients, config }
    }

    /// Waits until the first client has read this many more ticks.
    fn go_on(&self, ticks: u64) {
        let seen = self.clients[0].read(|books| books.ticks);
        self.clients[0].wait(PATIENCE, "it goes on", |books| books.ticks >= seen + ticks);
    }

    fn kill_gateway(&mut self) {
        let gateway = self.gateway.take().unwrap();
        let address = gateway.address;
        let epochs = self.clients[0].read(|books| books.epochs.len());
        gateway.kill();
        self.gateway = Some(Process::start_on("kills", &self.config, address));
        for client in &self.clients {
            client.wait(PATIENCE, "a new epoch begins", |books| books.epochs.len() > epochs);
        }
    }

    fn kill_venue(&mut self) {
        let venue = self.venue.take().unwrap();
        let address = venue.address;
        venue.kill();
        for (index, client) in self.clients.iter().enumerate() {
            client.wait(PATIENCE, "all is stale", |books| {
                symbols_of(index)
                    .iter()
                    .all(|&name| books.entries.get(name).is_some_and(|entry| entry.row["state"] == "\"stale\""))
            });
        }
        // The new venue counts its trades and quotes from 1 again.
        self.venue = Some(VenueProcess::start(address));
    }

    /// Kills clients while the gateway writes to them.
    fn kill_clients(&self, ticks: u64) {
        let gateway = self.gateway.as_ref().unwrap();
        let mut crowd: Vec<Child> = (0..5).map(|_| curl(gateway)).collect();
        gateway.metric_when("tickfan_streams", "", |streams| streams > 5);
        self.go_on(ticks);
        for child in &mut crowd {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits until all clients have the venue's newest state.
    fn comes_to_rest(&mut self) {
        for (index, client) in self.clients.iter().enumerate() {
            client.wait(PATIENCE, "all is live again", |books| {
                symbols_of(index).iter().all(|name| is_whole(books, name))
            });
        }
        let venue = self.venue.as_mut().unwrap();
        let truth = venue.pause();
        for (index, client) in self.clients.iter().enumerate() {
            client.wait(PATIENCE, &format!("it shows {truth:#?}"), |books| shows(books, &truth, symbols_of(index)));
        }
        venue.go_on();
    }
}

/// The first six clients watch all symbols, the others one each.
fn symbols_of(client: usize) -> &'static [&'static str] {
    if client < 6 { &SYMBOLS } else { &SYMBOLS[client % 3..=client % 3] }
}

/// Live, with a trade and a quote, and nothing in it is from before an outage.
fn is_whole(books: &Books<()>, symbol: &str) -> bool {
    books.entries.get(symbol).is_some_and(|entry| {
        let row = &entry.row;
        let has = |name| row.contains_key(name);
        row["state"] == "\"live\"" && has("price") && has("bid") && !has("stale")
    })
}

fn shows(books: &Books<()>, truth: &Truth, symbols: &[&str]) -> bool {
    symbols.iter().all(|&symbol| {
        let Some(entry) = books.entries.get(symbol) else { return false };
        truth[symbol].iter().all(|(name, value)| entry.row.get(name) == Some(value))
    })
}

fn curl(gateway: &Process) -> Child {
    let url = format!("http://{}/v1/stream?symbols={}", gateway.address, SYMBOLS.join(","));
    Command::new("curl").args(["--silent", "--no-buffer", &url]).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn every_client_ends_on_the_newest_state_whichever_process_is_killed() {
    let kills = std::env::var("TEST_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut world = World::start();
    world.comes_to_rest();
    for kill in 0..kills {
        // Between nothing and half a second of ticks.
        world.go_on(random.random_range(1..500));
        match kill % 3 {
            0 => world.kill_gateway(),
            1 => world.kill_venue(),
            _ => world.kill_clients(random.random_range(1..200)),
        }
        world.comes_to_rest();
    }
    let gateway = world.gateway.as_ref().unwrap();
    assert_eq!(gateway.metric("tickfan_stream_ticks_missed_total", ""), 0, "who keeps up misses nothing");
    for client in world.clients {
        client.stop();
    }
    // Killed clients leave no stream behind.
    gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
}
