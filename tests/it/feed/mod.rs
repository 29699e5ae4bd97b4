//! A feed against venues over real sockets: what they send, and how they fail.

mod messages;
mod requests;
mod connections;
mod lists;
mod rotation;
mod stocks;

use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::time::{Duration, Instant};
use tickfan::{
    config,
    feed::{Feed, FeedMetrics, FeedState, FeedStatus, ListChange, Sink, Timing, Unheard},
    market::{Date, FeedSymbol, Field, Hours, Now, Part, Parts, Reason, Schedule, Symbol, UnixMicros, Update},
    venue::{self, Credentials, ListedSymbol, Options, StartServer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{Connection, PATIENCE, Venue, alpaca, sim, within};

const MESSAGE_BYTES_MAX: usize = 16_384;

/// Deadlines of a feed that no test has to wait for: those that a test is about are set there.
pub(crate) fn timing() -> Timing {
    let backoff = Duration::from_millis(20);
    Timing {
        between_connects: Some(Duration::ZERO),
        publish_every: Duration::from_millis(5),
        backoff_first: backoff,
        backoff_max: backoff,
        ..Timing::default()
    }
}

fn limits() -> config::Limits {
    config::Limits {
        streams: 1,
        streams_per_address: 0,
        connections: 1,
        connections_per_address: 1,
        head_timeout: Duration::from_secs(1),
        head_bytes: 1_024,
        write_timeout: Duration::from_secs(10),
        symbols_per_stream: 1,
        replay_bytes: 1024,
        venue_message_bytes: Some(MESSAGE_BYTES_MAX),
        ..config::Config::default().limits
    }
}

#[derive(Debug)]
enum Seen {
    Updates(Vec<Update>),
    Lost(Reason),
    Mute(Parts),
    Closed(bool),
    Refused(Vec<(FeedSymbol, Reason)>),
    Removed(FeedSymbol),
}

/// The sink of a connection, with the places of its symbols in the feed: updates are seen with these.
struct Collector(Vec<FeedSymbol>, mpsc::UnboundedSender<Seen>);

impl Collector {
    fn place(&self, symbol: FeedSymbol) -> FeedSymbol {
        self.0[symbol.index()]
    }

    fn see(&self, seen: Seen) {
        let _ = self.1.send(seen);
    }
}

impl Sink for Collector {
    type Target = FeedSymbol;

    fn add(&mut self, place: FeedSymbol, target: FeedSymbol, _: Now) {
        self.0.resize(self.0.len().max(place.index() + 1), FeedSymbol(u32::MAX));
        self.0[place.index()] = target;
    }

    fn remove(&mut self, place: FeedSymbol, _: Now) {
        self.see(Seen::Removed(self.place(place)));
    }

    fn updates(&mut self, updates: &[Update], _: Now) {
        let place = |update: &Update| Update { symbol: self.place(update.symbol), ..*update };
        self.see(Seen::Updates(updates.iter().map(place).collect()));
    }

    fn outage(&mut self, reason: Reason, _: Now) {
        self.see(Seen::Lost(reason));
    }

    fn start_over(&mut self, _: Now) {}

    fn mute(&mut self, parts: Parts, _: Now) {
        self.see(Seen::Mute(parts));
    }

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        let mut unheard = Unheard::default();
        unheard.add(&"MSFT".parse().unwrap());
        unheard
    }

    fn closed(&mut self, closed: bool, _: Now) {
        self.see(Seen::Closed(closed));
    }

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        let place = |(symbol, reason): &(FeedSymbol, Reason)| (self.place(*symbol), *reason);
        self.see(Seen::Refused(refused.iter().map(place).collect()));
    }
}

fn listed(symbols: &[&str]) -> Vec<ListedSymbol> {
    symbols.iter().map(|symbol| ListedSymbol::from(symbol.parse::<Symbol>().unwrap())).collect()
}

/// Symbols, by their places, that are refused for this reason.
fn refusals(symbols: impl IntoIterator<Item = u32>, reason: Reason) -> Vec<(FeedSymbol, Reason)> {
    symbols.into_iter().map(|symbol| (FeedSymbol(symbol), reason)).collect()
}

/// A feed that runs, and all that can be seen of it.
struct Rig {
    seen_rx: mpsc::UnboundedReceiver<Seen>,
    status: FeedStatus,
    changes_tx: mpsc::Sender<Vec<ListChange<FeedSymbol>>>,
    shutdown_tx: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
    metrics: PrometheusHandle,
}

impl Rig {
    fn start(venue: &str, url: Option<String>, symbols: &[&str], timing: Timing) -> Self {
        let config = config::Feed {
            url,
            options: Options::default().with("rate", 2_000.0),
            schedule: Schedule::always(),
            ..config::Feed::new(venue::find(venue).unwrap(), listed(symbols))
        };
        Self::run(&config, timing)
    }

    fn run(config: &config::Feed, timing: Timing) -> Self {
        Self::within(config, &limits(), timing)
    }

    fn within(config: &config::Feed, limits: &config::Limits, timing: Timing) -> Self {
        let feed = Feed::new(config, limits, Now::read()).unwrap().with_timing(timing);
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let handles = metrics::with_local_recorder(&recorder, || FeedMetrics::register("test"));
        let (seen_tx, seen_rx) = mpsc::unbounded_channel();
        let sinks = move || Collector(Vec::new(), seen_tx.clone());
        let targets = FeedSymbol::all(config.symbols.len()).collect();
        let (changes_tx, changes_rx) = mpsc::channel(16);
        let (shutdown_tx, shutdown_rx) = watch::channel(false);
        let status = feed.status();
        let task = tokio::spawn(feed.run(sinks, targets, changes_rx, handles, shutdown_rx));
        Self { seen_rx, status, changes_tx, shutdown_tx, task, metrics }
    }

    /// A feed of the simulator's protocol, for two symbols.
    async fn against(timing: Timing) -> (Self, Venue) {
        let venue = Venue::bind().await;
        (Self::start("sim", Some(venue.url.clone()), &["AAPL", "MSFT"], timing), venue)
    }

    /// The prices of the next trades, as many as these; nothing else may come between.
    async fn prices(&mut self, count: usize) -> Vec<String> {
        let mut prices = Vec::new();
        while prices.len() < count {
            match within("an update", self.seen_rx.recv()).await {
                Some(Seen::Updates(updates)) => prices.extend(updates.iter().filter_map(price)),
                Some(Seen::Refused(refused)) if refused.is_empty() => {}
                Some(Seen::Closed(false)) => {} // how the hours are at first
                other => panic!("{other:?} in place of an update"),
            }
        }
        prices
    }

    /// The next updates; what is said of the symbols' standing is skipped.
    async fn updates(&mut self) -> Vec<Update> {
        loop {
            match within("updates", self.seen_rx.recv()).await {
                Some(Seen::Updates(updates)) => return updates,
                Some(Seen::Refused(_) | Seen::Closed(_)) => {}
                lost => panic!("{lost:?}"),
            }
        }
    }

    /// The next refusals, empty ones too.
    async fn refused(&mut self) -> Vec<(FeedSymbol, Reason)> {
        loop {
            if let Seen::Refused(refused) = within("refusals", self.seen_rx.recv()).await.unwrap() {
                return refused;
            }
        }
    }

    async fn lost(&mut self) -> Reason {
        loop {
            if let Seen::Lost(reason) = within("the loss", self.seen_rx.recv()).await.unwrap() {
                return reason;
            }
        }
    }

    async fn reached(&mut self, state: FeedState) {
        assert!(within("the state", self.status.reached(state)).await);
    }

    /// Waits until a metric of the feed has a value.
    async fn counted(&self, series: &str, value: &str) {
        let line = format!("tickfan_feed_{series} {value}");
        let wait = async {
            while !self.metrics.render().lines().any(|rendered| rendered == line) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{line} is not in\n{}", self.metrics.render());
        }
    }

    async fn lost_by(&mut self, reason: &str) {
        let told = self.lost().await;
        let expected = match reason {
            "no_data" => Reason::Mute,
            "gap" => Reason::Gap,
            _ => Reason::ConnectionLost,
        };
        assert_eq!(told, expected);
        self.counted(&format!("disconnects_total{{feed=\"test\",reason=\"{reason}\"}}"), "1").await;
    }

    async fn dropped(&self, reason: &str, count: u64) {
        self.counted(&format!("decode_errors_total{{feed=\"test\",reason=\"{reason}\"}}"), &count.to_string()).await;
    }

    async fn stop(self) {
        self.shutdown_tx.send_replace(true);
        within("the end", self.task).await.unwrap().unwrap();
    }
}

fn price(update: &Update) -> Option<String> {
    match update.trade?.price {
        Field::Set(price) => Some(price.to_string()),
        _ => None,
    }
}

/// Accepts the next connection, and grants its request.
async fn grant(venue: &Venue) -> Connection {
    let mut connection = venue.accept().await;
    sim::grant(&mut connection, &["AAPL", "MSFT"]).await;
    connection
}

async fn send_trade(connection: &mut Connection, price: u32) {
    connection.send(&sim::trade(price)).await;
}

#[tokio::test]
async fn updates_arrive_in_order_and_many_at_once() {
    let (mut rig, venue) = Rig::against(timing()).await;
    assert_eq!(rig.status.state(), FeedState::Connecting);
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    for price in 1..=1_000 {
        peer.socket.feed(Message::text(sim::trade(price))).await.unwrap();
    }
    peer.socket.flush().await.unwrap();
    let mut prices = Vec::new();
    let mut calls = 0;
    while prices.len() < 1_000 {
        let updates = rig.updates().await;
        assert!(updates.len() <= 64 && updates.iter().all(|update| update.symbol == FeedSymbol(1)));
        prices.extend(updates.iter().filter_map(price));
        calls += 1;
    }
    assert!(calls < 1_000, "a burst is handed on in batches");
    assert_eq!(prices, (1..=1_000).map(|price| price.to_string()).collect::<Vec<_>>());
    rig.counted("messages_total{feed=\"test\",kind=\"trade\"}", "1000").await;
    rig.stop().await;
}

#[tokio::test]
async fn binance_is_asked_for_its_streams_and_read() {
    let venue = Venue::bind().await;
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &["BTC-USDT"], timing());
    let mut peer = venue.accept().await;
    assert_eq!(
        peer.text().await,
        r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","btcusdt@ticker"]}"#
    );
    peer.send(r#"{"result":null,"id":1}"#).await;
    rig.reached(FeedState::Live).await;
    peer.send(r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343000,"s":"BTCUSDT","t":1,"p":"61837.63000000","q":"0.02","T":1723161255342000,"m":true,"M":true}}"#).await;
    assert_eq!(rig.prices(1).await, ["61837.63"]);
    rig.stop().await;
}

#[tokio::test]
async fn the_built_in_simulator_fills_every_field() {
    let mut rig = Rig::start("sim", None, &["AAPL", "BTC-USDT"], timing());
    let mut trades = 0;
    let mut quotes = 0;
    let mut stats = 0;
    while trades < 200 || quotes < 200 || stats < 5 {
        for update in rig.updates().await {
            trades += usize::from(update.trade.is_some_and(|trade| matches!(trade.size, Field::Set(_))));
            quotes += usize::from(update.quote.is_some_and(|quote| matches!(quote.ask_size, Field::Set(_))));
            stats += usize::from(update.stats.is_some_and(|stats| matches!(stats.prev_close, Field::Set(_))));
        }
    }
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_the_simulator_has_a_limit_of_connections_and_refuses_what_is_no_request() {
    let spec = venue::find("sim").unwrap();
    let Some(StartServer::Simulator(start)) = spec.local_server else { panic!("no simulator") };
    let server = start(&Options::default(), venue::Script::default()).unwrap();
    let task = tokio::spawn(server.serve);
    let mut held = Vec::new();
    for _ in 0..spec.connections_max {
        held.push(tokio_tungstenite::connect_async(&server.url).await.unwrap().0);
    }
    assert!(tokio_tungstenite::connect_async(&server.url).await.is_err(), "one too many");
    let bad_name = r#"{"op":"subscribe","id":5,"symbols":["a\r\nb"]}"#;
    for request in ["hello", bad_name, r#"{"op":"x","id":5,"symbols":[]}"#] {
        held[0].send(Message::text(request)).await.unwrap();
        let answer = within("an answer", held[0].next()).await.unwrap().unwrap();
        assert!(answer.to_text().unwrap().contains(r#""op":"refuse""#), "{answer}");
    }
    task.abort();
    assert!(matches!(within("the end", held[1].next()).await, None | Some(Err(_))), "its connections end with it");
}

#[tokio::test]
async fn a_symbol_that_a_live_connection_never_brings_data_of_is_told_to_operators_until_the_connection_is_lost() {
    let (rig, venue) = Rig::against(Timing { unheard_after: Duration::from_millis(40), ..timing() }).await;
    let mut connection = venue.accept().await;
    sim::grant(&mut connection, &["AAPL", "MSFT"]).await;
    let told = async |count: usize| {
        while rig.status.unheard() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("it is told", told(1)).await;
    assert_eq!(rig.status.report().unheard.examples, ["MSFT".parse().unwrap()]);
    drop(connection);
    within("it is told no longer", told(0)).await;
    rig.stop().await;
}
