//! A cluster whose parts a test can break.

use super::{
    PATIENCE, bound,
    broker::PASSWORD,
    brokers::{BROKERS, Brokers},
    client::Client,
    link::Link,
    runs_all,
    support::{self, process::Process},
    venue::{self, DEAD_AFTER, RATE, Venue},
    watch::{Ledger, Seen, Skipped, Watch},
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::block_in_place;

/// The longest that anything may be shown as live after the venue has sent it. By the clocks of gateway and client it
/// is 2 s; the rest is for a machine on which the client reads late, and on a busy one a little more.
const AGE_MAX: Duration = Duration::from_millis(2_500);
const AGE_BUSY: Duration = Duration::from_millis(500);
/// An owner that cannot renew its lease shows nothing as live after so long: its hold, and a look at the clock.
pub(crate) const HOLD_MAX: Duration = Duration::from_secs(9);
/// A follower that does not hear its owner shows nothing as live after so long.
pub(crate) const SILENT_MAX: Duration = Duration::from_millis(2_500);
const NODES: usize = 3;
const SHARD: &str = "crypto.0";

/// A gateway, its lines to the brokers, and its clients.
pub(crate) struct Node {
    pub(crate) name: String,
    row: &'static str,
    pub(crate) config: String,
    pub(crate) links: Vec<Link>,
    /// `None` once it was killed or stopped.
    process: Option<Process>,
    pub(crate) address: SocketAddr,
    pub(crate) clients: Vec<Client>,
}

pub(crate) struct World {
    row: &'static str,
    pub(crate) brokers: Brokers,
    pub(crate) venue: Venue,
    pub(crate) nodes: Vec<Node>,
    /// Clients that go from node to node.
    pub(crate) guests: Vec<Client>,
    /// What gateways that have stopped had logged of the shard.
    last_words: Vec<String>,
    /// The venue may refuse a connection.
    may_be_refused: bool,
    pub(crate) ledger: Arc<Ledger>,
}

impl World {
    /// Starts brokers, gateways and clients, and waits until all is live and ready for a fault.
    pub(crate) async fn start(row: &'static str, tool: &Path) -> Self {
        Self::start_with(row, tool, |_| (0..BROKERS).collect()).await
    }

    /// The same, where each gateway knows only some brokers.
    pub(crate) async fn start_with(row: &'static str, tool: &Path, brokers_of: fn(usize) -> Vec<usize>) -> Self {
        Self::start_beside(row, tool, brokers_of, DEAD_AFTER).await
    }

    /// The same, beside a venue that drops a mute connection after so long. If that is longer than a lease, it may
    /// refuse the heir's.
    pub(crate) async fn start_beside(
        row: &'static str,
        tool: &Path,
        brokers_of: fn(usize) -> Vec<usize>,
        dead_after: Duration,
    ) -> Self {
        let brokers = Brokers::start(tool).await;
        let venue = Venue::start(dead_after).await;
        let age_max = if runs_all() { AGE_MAX } else { AGE_MAX + AGE_BUSY };
        let ledger = Arc::new(Ledger::new(venue.market.clone(), age_max));
        let may_be_refused = dead_after > DEAD_AFTER;
        let (nodes, guests, last_words) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { row, brokers, venue, nodes, guests, last_words, may_be_refused, ledger };
        for place in 0..NODES {
            let config = world.config();
            world.add(&format!("gw-{}", place + 1), &brokers_of(place), &config).await;
        }
        for place in 0..NODES {
            world.open_clients(place).await;
        }
        world.all_live_after(0).await;
        world.synced();
        world.brokers.assert_use_links();
        world
    }

    /// The configuration of a gateway, without its brokers.
    pub(crate) fn config(&self) -> String {
        format!(
            "[fanout]\nmax_lag = \"10s\"\nring = 20000\nring_age = \"60s\"\n[limits]\nreplay_bytes = \"16MiB\"\n\
             [[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = {:?}\n",
            self.venue.url,
            venue::symbols()
        )
    }

    /// Starts a gateway that knows these brokers.
    pub(crate) async fn add(&mut self, name: &str, brokers: &[usize], config: &str) {
        let mut links = Vec::new();
        for &place in brokers {
            links.push(Link::to(self.brokers.port(place)).await);
        }
        let servers: Vec<String> = links.iter().map(|link| format!("nats://127.0.0.1:{}", link.port)).collect();
        let cluster = "user_env = \"OUTAGE_USER\"\npassword_env = \"OUTAGE_PASSWORD\"\n";
        let config = format!("[cluster]\nname = \"prod\"\nservers = {servers:?}\n{cluster}{config}");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut node =
            Node { name: name.to_owned(), row: self.row, config, links, process: None, address, clients: Vec::new() };
        node.start();
        self.nodes.push(node);
    }

    /// Opens two clients at a gateway: of all symbols, and of some.
    pub(crate) async fn open_clients(&mut self, place: usize) {
        let symbols = venue::symbols();
        for (count, symbols) in [&symbols[..], &symbols[..3]].into_iter().enumerate() {
            let node = &mut self.nodes[place];
            let name = format!("{}/{count}", node.name);
            node.clients.push(Client::open(name, node.address, symbols, self.ledger.clone()).await);
        }
    }

    /// All clients.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.nodes.iter().flat_map(|node| &node.clients).chain(&self.guests)
    }

    /// Waits until all clients show all symbols live with numbers above this one.
    pub(crate) async fn all_live_after(&self, number: u64) {
        for client in self.clients() {
            client.until("all is live", |watch| watch.is_live_after(number)).await;
        }
    }

    /// The same of the clients of all but these gateways.
    pub(crate) async fn others_live_after(&self, but: &[usize], number: u64) {
        for (_, node) in self.nodes.iter().enumerate().filter(|(place, _)| !but.contains(place)) {
            for client in &node.clients {
                client.until("all is live", |watch| watch.is_live_after(number)).await;
            }
        }
    }

    /// Waits until the clients of these gateways show nothing as live.
    pub(crate) async fn all_stale(&self, places: &[usize]) {
        for client in places.iter().flat_map(|&place| &self.nodes[place].clients) {
            client.until("nothing is live", Watch::is_stale).await;
        }
    }

    /// The same, within this time from the fault on.
    pub(crate) async fn all_stale_within(&self, places: &[usize], fault: Instant, documented: Duration) {
        self.all_stale(places).await;
        let took = fault.elapsed();
        println!("measured: {}: nothing is live on {places:?} after {took:.1?}", self.row);
        assert!(took <= bound(documented), "live for {took:?}: {}", self.transitions());
    }

    /// From now on no client may see anything as live, or again all that is young.
    pub(crate) fn forbid_live(&self, forbids: bool) {
        self.clients().for_each(|client| client.see(|watch| watch.forbid_live(forbids)));
    }

    /// Waits until all clients have seen what the venue sends in so many seconds more.
    pub(crate) async fn goes_on(&self, seconds: u64) {
        self.all_live_after(self.venue.market.newest() + seconds * RATE).await;
    }

    /// The place of the owner.
    pub(crate) fn owner(&self) -> usize {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            pause();
            let owns: Vec<usize> = self.running().filter(|&place| self.shard(place)["owns"] == true).collect();
            if let [owner] = owns[..] {
                return owner;
            }
        }
        panic!("it is not so that one node owns the shard: {}", self.transitions());
    }

    /// The places of all but the owner.
    pub(crate) fn followers(&self) -> Vec<usize> {
        let owner = self.owner();
        self.running().filter(|place| *place != owner).collect()
    }

    /// The owner, and the shard's epoch.
    pub(crate) fn reign(&self) -> (usize, String) {
        let owner = self.owner();
        (owner, self.shard(owner)["epoch"].as_str().unwrap().to_owned())
    }

    /// How many ticks the gateways have lost.
    pub(crate) fn lost(&self) -> u64 {
        let of = |place: usize| {
            let process = self.nodes[place].process.as_ref().unwrap();
            block_in_place(|| process.metric("tickfan_bus_ticks_lost_total", ""))
        };
        self.running().map(of).sum()
    }

    /// Whether one of a gateway's connections is to this broker.
    pub(crate) fn is_at(&self, place: usize, broker: usize) -> bool {
        let links = self.debug(place)["links"].as_object().unwrap().clone();
        links.values().any(|link| link["broker"]["name"] == format!("n{}", broker + 1))
    }

    /// Waits until all know that all others could take over.
    pub(crate) fn synced(&self) {
        let until = Instant::now() + PATIENCE;
        let all = self.running().count() - 1;
        let knows = |place: usize| {
            let debug = self.debug(place);
            let others = debug["others"].as_array().unwrap();
            others.iter().filter(|other| other["synced"] == serde_json::json!([SHARD])).count() == all
        };
        while !self.running().all(knows) {
            assert!(Instant::now() < until, "the nodes do not know each other: {}", self.transitions());
            pause();
        }
    }

    /// Waits until the brokers are as before a fault: all serve, and the owner's lease is renewed.
    pub(crate) fn brokers_serve(&self) {
        self.brokers.all_serve();
        self.until_debug("the lease is renewed", |world| {
            world.running().any(|place| world.shard(place)["lease_left_ms"].as_u64().is_some_and(|left| left > 7_000))
        });
    }

    /// A fault begins: what is measured starts over. Returns the newest number.
    pub(crate) fn fault(&self) -> u64 {
        self.clients().for_each(|client| client.see(Watch::reset));
        self.venue.market.newest()
    }

    /// Kills a gateway. Its clients have gone too.
    pub(crate) fn kill(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.process.take().unwrap().kill();
        node.clients.clear();
    }

    /// Sends SIGTERM to a gateway, and lets its clients go.
    pub(crate) fn send_away(&mut self, place: usize) {
        self.signal(place, Signal::TERM);
        self.nodes[place].clients.clear();
    }

    /// Whether a gateway that was told to stop has ended.
    pub(crate) fn has_ended(&mut self, place: usize) -> bool {
        self.nodes[place].process.take_if(|process| process.has_ended()).is_some()
    }

    /// Tells the owner to give its shard to the next best.
    pub(crate) fn give_away(&self) {
        let answer = self.give("");
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// The owner refuses to give its shard to this gateway; returns what it says.
    pub(crate) fn is_not_given_to(&self, place: usize) -> Value {
        let answer = self.give(&format!("?to={}", self.nodes[place].name));
        assert_eq!(answer.status, 409, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn give(&self, query: &str) -> support::Answer {
        let admin = self.nodes[self.owner()].process.as_ref().unwrap().admin;
        let target = format!("/debug/cluster/{SHARD}/give{query}");
        block_in_place(|| support::Client::connect(admin).request("POST", &target, "content-length: 0\r\n"))
    }

    /// Waits until the gateways say this of themselves.
    pub(crate) fn until_debug(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < until, "it does not come that {what}: {}", self.transitions());
            pause();
        }
    }

    /// Waits for the end of a gateway that was told to stop.
    pub(crate) fn stop(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let process = node.process.take().unwrap();
        let log = block_in_place(|| process.drained_log());
        self.last_words.extend(log.into_iter().filter(|line| line.contains("shard")));
        node.clients.clear();
    }

    /// Pauses a gateway.
    pub(crate) fn pause(&self, place: usize) {
        self.signal(place, Signal::STOP);
        let now = Instant::now();
        self.nodes[place].clients.iter().for_each(|client| client.see(|watch| watch.begin_pause(now)));
    }

    /// A gateway that was paused runs again.
    pub(crate) fn go_on(&self, place: usize) {
        let now = Instant::now();
        self.nodes[place].clients.iter().for_each(|client| client.see(|watch| watch.end_pause(now)));
        self.signal(place, Signal::CONT);
    }

    pub(crate) fn signal(&self, place: usize, signal: Signal) {
        self.nodes[place].process.as_ref().unwrap().signal(signal);
    }

    /// Cuts or heals all lines of a gateway to the brokers.
    pub(crate) fn cut_off(&self, place: usize, is_cut: bool) {
        for link in &self.nodes[place].links {
            if is_cut { link.cut() } else { link.heal() }
        }
    }

    /// The places of the gateways that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.process.is_some()).map(|(place, _)| place)
    }

    /// `/debug/cluster` of a gateway.
    pub(crate) fn debug(&self, place: usize) -> Value {
        let admin = self.nodes[place].process.as_ref().unwrap().admin;
        block_in_place(|| support::Client::connect(admin).get("/debug/cluster").json())
    }

    pub(crate) fn shard(&self, place: usize) -> Value {
        self.debug(place)["shards"][0].clone()
    }

    /// The last transitions of all gateways, for a failure's message.
    pub(crate) fn transitions(&self) -> String {
        let of = |place: usize| {
            let transitions = self.debug(place)["transitions"].as_array().unwrap().clone();
            let line = |of: &Value| format!("  {} {} {} {}\n", of["at"], of["to"], of["cause"], of["epoch"]);
            format!("{}\n{}", self.nodes[place].name, transitions.iter().map(line).collect::<String>())
        };
        self.running().map(of).chain([self.last_words.join("\n")]).collect()
    }

    /// The longest silence that clients of all but these gateways have seen since the fault.
    pub(crate) fn silent(&self, but: &[usize]) -> Duration {
        let nodes = self.nodes.iter().enumerate().filter(|(place, _)| !but.contains(place)).map(|(_, node)| node);
        let clients = nodes.flat_map(|node| &node.clients).chain(&self.guests);
        clients.map(|client| client.see(|watch| watch.silent)).max().unwrap()
    }

    /// Checks that no stream was greeted again since the fault, and that none skipped a tick.
    pub(crate) fn assert_same_epoch(&self) {
        for client in self.clients() {
            let (hellos, holes) = client.see(|watch| (watch.hellos.len(), watch.holes));
            assert_eq!((hellos, holes), (0, 0), "{}: {}", client.name, self.transitions());
        }
    }

    /// Ends the test: checks all that must hold after every fault, and prints what was measured.
    pub(crate) fn check(&self, silent_max: Duration) {
        self.check_others(&[], silent_max);
    }

    /// The same, where clients of these gateways may have been silent for longer.
    pub(crate) fn check_others(&self, but: &[usize], silent_max: Duration) {
        let now = Instant::now();
        self.clients().for_each(|client| client.see(|watch| watch.look(now)));
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), self.transitions());
        for client in self.clients() {
            client.see(|watch| {
                assert!(watch.ended.is_none(), "{} ended", client.name);
                assert_eq!(watch.not_resumed, 0, "{} misses ticks after a resume", client.name);
            });
        }
        self.check_holes();
        let silent = self.silent(but);
        let oldest = self.clients().map(|client| client.see(|watch| watch.oldest)).max().unwrap();
        let market = &self.venue.market;
        println!(
            "measured: {}: silent for {silent:.1?}, at most {oldest:.1?} old as live; {} connections, {} refused; \
             {} ticks, {} messages fenced",
            self.row,
            market.accepted(),
            market.refused(),
            self.ledger.ticks(),
            self.fenced(),
        );
        assert!(silent <= silent_max, "silent for {silent:?}: {}", self.transitions());
        assert!(self.may_be_refused || market.refused() == 0, "two connections to the venue: {}", self.transitions());
        // They read the lease each second, and not without a leader.
        self.until_debug("all name the same owner", |world| {
            let owners: Vec<Value> = world.running().map(|place| world.shard(place)["owner"].clone()).collect();
            owners.iter().all(|owner| owner.is_string() && *owner == owners[0])
        });
        self.owner();
    }

    /// How many messages of former owners the gateways have dropped.
    pub(crate) fn fenced(&self) -> u64 {
        let of = |place: usize| {
            let process = self.nodes[place].process.as_ref().unwrap();
            block_in_place(|| process.metric("tickfan_bus_dropped_total", "fenced"))
        };
        self.running().map(of).sum()
    }

    /// What a gateway lost, none of its streams was sent, and it counts those ticks. What only some of its streams
    /// skipped, they have missed by themselves, which it counts for each of them.
    fn check_holes(&self) {
        for place in self.running() {
            let node = &self.nodes[place];
            let process = node.process.as_ref().unwrap();
            let lost = block_in_place(|| process.metric("tickfan_bus_ticks_lost_total", ""));
            let missed = block_in_place(|| process.metric("tickfan_stream_ticks_missed_total", ""));
            let seen: Vec<_> = node.clients.iter().map(|client| client.see(|watch| watch.seen.clone())).collect();
            let Skipped { by_all, by_some } = Seen::compare(&seen);
            let by_streams = by_some + by_all.saturating_sub(lost);
            assert!(
                by_streams <= missed,
                "{}: no stream was sent {by_all} ticks, of which it lost {lost}; some were not sent {by_some}, and it counts \
                 {missed} that streams missed",
                node.name
            );
        }
    }
}

impl Node {
    /// Starts its process, again on the same address.
    pub(crate) fn start(&mut self) {
        let variables = [
            ("TICKFAN_LOG", "info"),
            ("TICKFAN_CLUSTER_NODE", &self.name),
            ("TICKFAN_SERVER_DRAIN", "1s"),
            ("OUTAGE_USER", "tickfan"),
            ("OUTAGE_PASSWORD", PASSWORD),
        ];
        let file = format!("{}-{}", self.row.replace(' ', "-"), self.name);
        let process = block_in_place(|| Process::start_on_with(&file, &self.config, self.address, &variables));
        self.address = process.address;
        self.process = Some(process);
    }
}

/// Between two looks at what does not tell of its changes.
pub(crate) fn pause() {
    block_in_place(|| std::thread::sleep(Duration::from_millis(20)));
}
