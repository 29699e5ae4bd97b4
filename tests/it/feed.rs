//! A feed against venues over real sockets: what they send, and how they fail.

use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::time::{Duration, Instant};
use tickfan::{
    config,
    feed::{Feed, FeedMetrics, FeedState, FeedStatus, Sink, Timing, Unheard},
    market::{Date, FeedSymbol, Field, Hours, Now, Parts, Reason, Schedule, Symbol, UnixMicros, Update},
    venue::{self, Credentials, ListedSymbol, Options, StartServer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{Connection, PATIENCE, Venue, alpaca, sim, within};

const MESSAGE_BYTES_MAX: usize = 4_096;

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
}

/// The sink of a connection, with the place of its first symbol in the feed: updates are seen with the feed's places.
struct Collector(usize, mpsc::UnboundedSender<Seen>);

impl Collector {
    fn place(&self, symbol: FeedSymbol) -> FeedSymbol {
        FeedSymbol(symbol.0 + self.0 as u32)
    }

    fn see(&self, seen: Seen) {
        let _ = self.1.send(seen);
    }
}

impl Sink for Collector {
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

    fn unheard(&self, _: UnixMicros) -> Unheard {
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
        let sinks = config.connections().map(|range| Collector(range.start, seen_tx.clone())).collect();
        let (shutdown_tx, shutdown_rx) = watch::channel(false);
        let status = feed.status();
        let task = tokio::spawn(feed.run(sinks, handles, shutdown_rx));
        Self { seen_rx, status, shutdown_tx, task, metrics }
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
            "closing" => Reason::Reconnect,
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
async fn rule_7_a_cut_connection_is_reported_at_once_and_reopened() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    assert_eq!(rig.prices(1).await, ["1"]);
    drop(peer);
    rig.lost_by("io").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(1).await, ["2"]);
    rig.reached(FeedState::Live).await;
    rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
    rig.stop().await;
}

#[tokio::test]
async fn an_outage_is_one_gap_however_many_attempts_it_takes() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    drop(peer);
    for _ in 0..3 {
        drop(venue.accept().await);
    }
    let _peer = grant(&venue).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"io\"}", "4").await;
    rig.reached(FeedState::Live).await;
    rig.counted("gaps_total{feed=\"test\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_closes_or_announces_it_is_left_for_a_new_connection() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    peer.send(r#"{"op":"closing"}"#).await;
    rig.lost_by("closing").await;
    assert_eq!(rig.status.state(), FeedState::Live, "a planned change is not a failure");
    let mut peer = grant(&venue).await;
    peer.socket.close(None).await.unwrap();
    rig.lost_by("closed").await;
    rig.reached(FeedState::Failed).await;
    let _peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_9_bad_bytes_are_dropped_and_counted_and_the_connection_stays() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    peer.send("{\"type\":").await;
    peer.socket.send(Message::binary(vec![0, 159, 146, 150, 255])).await.unwrap();
    peer.send("[]").await;
    peer.send(r#"{"type":"trade","symbol":"IBM","price":1}"#).await;
    peer.send(&sim::trade(2).replace("\"size\":1", "\"size\":1e99")).await;
    peer.send(&"[".repeat(MESSAGE_BYTES_MAX)).await;
    send_trade(&mut peer, 3).await;
    assert_eq!(rig.prices(3).await, ["1", "2", "3"]);
    for (reason, count) in [("json", 3), ("shape", 1), ("unknown_symbol", 1), ("range", 1)] {
        rig.dropped(reason, count).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_a_message_over_the_limit_ends_the_connection_and_the_feed_goes_on() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    // The feed may hang up before all of it is written.
    let _ = peer.socket.send(Message::text("x".repeat(MESSAGE_BYTES_MAX + 1))).await;
    rig.lost_by("oversize").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(1).await, ["2"]);
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_the_longest_message_is_what_the_venue_needs_unless_the_configuration_says_otherwise() {
    let spec = venue::find("sim").unwrap();
    let need = spec.message_bytes_max(&listed(&["AAPL", "MSFT"]));
    for (limit, bytes, fits) in
        [(None, need, true), (None, need + 1, false), (Some(2 * need), 2 * need, true), (Some(4_096), 4_097, false)]
    {
        let venue = Venue::bind().await;
        let limits = config::Limits { venue_message_bytes: limit, ..limits() };
        let config =
            config::Feed { url: Some(venue.url.clone()), ..config::Feed::new(spec, listed(&["AAPL", "MSFT"])) };
        let rig = Rig::within(&config, &limits, timing());
        let mut peer = grant(&venue).await;
        // The feed may close the connection while the rest of the message is still on its way.
        let _ = peer.socket.send(Message::text("x".repeat(bytes))).await;
        if fits {
            rig.dropped("json", 1).await;
        } else {
            rig.counted("disconnects_total{feed=\"test\",reason=\"oversize\"}", "1").await;
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn rule_10_a_message_over_the_limit_in_fragments_is_no_way_around() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = grant(&venue).await.socket.into_inner();
    // Unmasked, as a venue sends: a text frame that is not the last, then continuations for ever.
    let mut fragment = vec![0x01, 126, 4, 0];
    fragment.resize(4 + 1_024, b'x');
    let flood = async {
        while stream.write_all(&fragment).await.is_ok() {
            fragment[0] = 0x00;
        }
    };
    tokio::select! {
        () = flood => {}
        _ = rig.lost() => {}
    }
    rig.counted("disconnects_total{feed=\"test\",reason=\"oversize\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_9_broken_frames_are_a_counted_reason_too() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = grant(&venue).await.socket.into_inner();
    stream.write_all(&[0xff; 64]).await.unwrap();
    rig.lost_by("protocol").await;
    let mut stream = grant(&venue).await.socket.into_inner();
    stream.write_all(&[0x81, 2, 0xc3, 0x28]).await.unwrap();
    rig.lost().await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"protocol\"}", "2").await;
    send_trade(&mut grant(&venue).await, 1).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_refuses_is_asked_again_after_a_wait() {
    let (mut rig, venue) = Rig::against(timing()).await;
    for _ in 0..2 {
        let mut peer = venue.accept().await;
        sim::refuse(&mut peer).await;
        assert_eq!(rig.refused().await, refusals(0..2, Reason::NotGranted));
        rig.lost().await;
        rig.reached(FeedState::Failed).await;
    }
    rig.counted("disconnects_total{feed=\"test\",reason=\"refused\"}", "2").await;
    let _peer = grant(&venue).await;
    assert_eq!(rig.refused().await, []);
    rig.reached(FeedState::Live).await;
    rig.counted("gaps_total{feed=\"test\"}", "0").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_request_that_is_refused_for_one_symbol_refuses_no_others() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..150).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &names, timing());
    let mut peer = venue.accept().await;
    // The batches of 100 and 50; a refused one comes again in halves.
    let mut open = 2;
    while open > 0 {
        let request = peer.text().await;
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        let streams = request["params"].as_array().unwrap();
        let id = &request["id"];
        open -= 1;
        if streams.contains(&"c120usdt@trade".into()) {
            peer.send(&format!(r#"{{"code":2,"msg":"Invalid request","id":{id}}}"#)).await;
            open += if streams.len() > 3 { 2 } else { 0 };
        } else {
            peer.send(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
        }
    }
    assert_eq!(rig.refused().await, refusals(120..121, Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_a_failure_without_a_loss_of_data() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = venue.tcp().await;
    let mut head = [0; 1_024];
    assert!(stream.read(&mut head).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"http\"}", "1").await;
    send_trade(&mut grant(&venue).await, 1).await;
    assert_eq!(rig.prices(1).await, ["1"], "nothing was lost before");
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_handshake_that_is_refused_refuses_every_symbol_until_one_is_not() {
    for (status, reason) in [("401 Unauthorized", Reason::Unauthorized), ("403 Forbidden", Reason::NotEntitled)] {
        let (mut rig, venue) = Rig::against(Timing { denied: Duration::from_millis(40), ..timing() }).await;
        let mut stream = venue.tcp().await;
        assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(rig.refused().await, refusals(0..2, reason));
        rig.reached(FeedState::Failed).await;
        rig.counted("disconnects_total{feed=\"test\",reason=\"denied\"}", "1").await;
        let mut peer = grant(&venue).await;
        assert_eq!(rig.refused().await, []);
        send_trade(&mut peer, 1).await;
        assert_eq!(rig.prices(1).await, ["1"], "nothing was lost before");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_handshake_without_an_answer_is_given_up() {
    let (mut rig, venue) = Rig::against(Timing { connect: Duration::from_millis(50), ..timing() }).await;
    let _held = venue.tcp().await;
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"connect_timeout\"}", "1").await;
    rig.counted("connects_total{feed=\"test\",result=\"failed\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_speaks_no_tls_where_it_should_is_a_reason_of_its_own() {
    let venue = Venue::bind().await;
    let url = venue.url.replace("ws://", "wss://");
    let mut rig = Rig::start("sim", Some(url), &["AAPL"], timing());
    let mut stream = venue.tcp().await;
    let mut hello = [0; 64];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(hello[0], 22, "a TLS handshake");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"tls\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_port_without_a_listener_is_retried() {
    let url = Venue::bind().await.url;
    let mut rig = Rig::start("sim", Some(url), &["AAPL"], timing());
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"io\"}", "2").await;
    rig.counted("up{feed=\"test\"}", "0").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_request_without_an_answer_is_a_loss() {
    let (mut rig, venue) = Rig::against(Timing { acknowledgement: Duration::from_millis(50), ..timing() }).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    send_trade(&mut peer, 1).await;
    rig.lost_by("unacknowledged").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_half_open_connection_is_left_after_its_deadline() {
    let ping_after = Duration::from_millis(30);
    let pong = Duration::from_millis(60);
    let (mut rig, venue) = Rig::against(Timing { ping_after, pong, ..timing() }).await;
    // It is never polled again, so that it answers no ping; the kernel still acknowledges all.
    let _mute = grant(&venue).await;
    rig.lost_by("no_pong").await;
    rig.stop().await;
}

#[tokio::test]
async fn the_venues_own_ping_is_sent_and_its_answer_is_no_error() {
    let (mut rig, venue) = Rig::against(Timing { venue_ping: Some(Duration::from_millis(20)), ..timing() }).await;
    let mut peer = grant(&venue).await;
    for _ in 0..3 {
        assert_eq!(peer.text().await, "ping");
        peer.send("pong").await;
    }
    // Three answers, and that of the subscription.
    rig.counted("messages_total{feed=\"test\",kind=\"control\"}", "4").await;
    rig.dropped("json", 0).await;
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_venue_whose_heartbeats_stop_is_left_although_it_answers_pings() {
    let ping_after = Duration::from_millis(10);
    let venue_heartbeat = Some(Duration::from_millis(100));
    let (mut rig, venue) = Rig::against(Timing { ping_after, venue_heartbeat, ..timing() }).await;
    let mut peer = grant(&venue).await;
    peer.send(r#"{"op":"heartbeat","sent":0}"#).await;
    // Reading answers the websocket pings.
    let reader = tokio::spawn(async move { while peer.socket.next().await.is_some_and(|frame| frame.is_ok()) {} });
    rig.lost_by("no_heartbeat").await;
    within("the connection ends", reader).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_gap_makes_every_symbol_stale_and_brings_a_new_connection() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    peer.send(r#"{"op":"heartbeat","sent":1}"#).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(2).await, ["1", "2"]);
    peer.send(r#"{"op":"heartbeat","sent":3}"#).await;
    rig.lost_by("gap").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 3).await;
    assert_eq!(rig.prices(1).await, ["3"]);
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_venue_that_answers_for_each_symbol_refuses_one_and_grants_the_others() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"refuse","id":1,"symbol":"AAPL"}"#).await;
    send_trade(&mut peer, 1).await;
    assert_eq!(rig.prices(1).await, ["1"]);
    assert_eq!(rig.status.state(), FeedState::Connecting, "not before all is answered");
    let troubles = rig.status.report().troubles;
    let [refusal] = troubles.as_slice() else { panic!("{troubles:?}") };
    assert!(refusal.what == "a symbol was refused" && refusal.text.contains("AAPL"), "{refusal:?}");
    peer.send(r#"{"op":"ack","id":1,"symbol":"MSFT"}"#).await;
    assert_eq!(rig.refused().await, refusals([0], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_refused_for_one_symbol_is_asked_for_again_in_halves() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":1}"#).await;
    assert_eq!(peer.text().await, r#"{"id":2,"op":"subscribe","symbols":["AAPL"]}"#);
    assert_eq!(peer.text().await, r#"{"id":3,"op":"subscribe","symbols":["MSFT"]}"#);
    peer.send(r#"{"op":"ack","id":3}"#).await;
    peer.send(r#"{"op":"split","id":2}"#).await;
    assert_eq!(rig.refused().await, refusals([0], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_batch_of_bad_symbols_alone_is_refused_as_a_whole_however_often_it_was_halved() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":1}"#).await;
    peer.text().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":2}"#).await;
    peer.send(r#"{"op":"split","id":3}"#).await;
    assert_eq!(rig.refused().await, refusals([0, 1], Reason::NotGranted));
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"refused\"}", "1").await;
    rig.stop().await;
}

/// Accepts a connection of a Binance feed with 600 symbols, and grants its requests. Each connection has 300.
async fn grant_streams(venue: &Venue) -> (Connection, String) {
    let mut peer = venue.accept().await;
    let first = peer.text().await;
    for id in 1..=3 {
        if id > 1 {
            peer.text().await;
        }
        peer.send(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
    }
    (peer, first)
}

#[test]
fn a_feed_that_needs_more_connections_than_it_may_open_is_an_error() {
    let names: Vec<String> = (0..342).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let feed = config::Feed::new(venue::find("binance").unwrap(), listed(&names));
    assert!(Feed::new(&feed, &limits(), Now::read()).is_ok());
    let one = config::Feed { connections_max: 1, ..feed };
    let error = Feed::new(&one, &limits(), Now::read()).unwrap_err();
    assert_eq!(error.to_string(), "342 symbols need 2 connections to binance, and the feed may open 1");
}

#[tokio::test]
async fn the_connections_of_a_feed_are_opened_at_the_pace_of_the_venue() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..600).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = Rig::start("binance", Some(venue.url.clone()), &names, Timing { between_connects: None, ..timing() });
    let _one = venue.accept().await;
    let started = Instant::now();
    let _two = venue.accept().await;
    let between = venue::find("binance").unwrap().between_connects;
    assert!(started.elapsed() > between / 2, "{:?}", started.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_feed_with_several_connections_loses_only_the_symbols_of_the_one_that_is_lost() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..600).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &names, timing());
    let one = grant_streams(&venue).await;
    let two = grant_streams(&venue).await;
    let (low, high) = if one.1.contains("c0usdt@trade") { (one.0, two.0) } else { (two.0, one.0) };
    rig.reached(FeedState::Live).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    let report = rig.status.report();
    assert_eq!((report.connections, report.connections_up), (2, 2));

    drop(low);
    rig.lost_by("io").await;
    rig.counted("up{feed=\"test\"}", "0").await;
    rig.reached(FeedState::Failed).await;
    assert_eq!(rig.status.verdict(), FeedState::Live, "it serves the symbols of the other one");
    let mut high = high;
    high.send(r#"{"stream":"c599usdt@trade","data":{"e":"trade","s":"C599USDT","t":1,"p":"7","q":"1","T":1723161255342000,"m":true}}"#).await;
    let updates = rig.updates().await;
    assert_eq!(updates.iter().map(|update| update.symbol).collect::<Vec<_>>(), [FeedSymbol(599)]);

    let (_low, first) = grant_streams(&venue).await;
    assert!(first.contains("c0usdt@trade"), "the other connection has its symbols still");
    rig.reached(FeedState::Live).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    rig.counted("gaps_total{feed=\"test\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn pings_are_answered_on_both_sides() {
    let (mut rig, venue) = Rig::against(Timing { ping_after: Duration::from_millis(20), ..timing() }).await;
    let mut peer = grant(&venue).await;
    peer.socket.send(Message::Ping("mark".into())).await.unwrap();
    let mut pongs = 0;
    let mut pings = 0;
    while pongs < 1 || pings < 3 {
        match within("a frame", peer.socket.next()).await.unwrap().unwrap() {
            Message::Pong(mark) => {
                assert_eq!(&mark[..], b"mark");
                pongs += 1;
            }
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_feed_that_is_stopped_takes_leave_of_its_venue() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.shutdown_tx.send_replace(true);
    assert!(matches!(within("a close", peer.socket.next()).await, Some(Ok(Message::Close(_)))));
    drop(peer);
    within("the end", rig.task).await.unwrap().unwrap();
    while let Some(seen) = rig.seen_rx.recv().await {
        assert!(
            matches!(seen, Seen::Refused(refused) if refused.is_empty()),
            "the end of the gateway is not an outage"
        );
    }
}

#[tokio::test]
async fn a_feed_that_is_connecting_stops_at_once() {
    let (rig, venue) = Rig::against(timing()).await;
    let _held = venue.tcp().await;
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

/// A feed of Alpaca's protocol, for two stocks, that trades at all hours.
fn stocks(venue: &Venue) -> config::Feed {
    config::Feed {
        name: "test".to_owned(),
        url: Some(venue.url.clone()),
        schedule: Schedule::always(),
        credentials: Some(Credentials::new(alpaca::KEY, alpaca::SECRET)),
        ..config::Feed::new(venue::find("alpaca").unwrap(), listed(&["AAPL", "IBM"]))
    }
}

/// Accepts a feed of Alpaca's protocol, up to its login.
async fn log_in(venue: &Venue) -> Connection {
    let mut connection = venue.accept().await;
    alpaca::log_in(&mut connection).await;
    connection
}

/// Accepts a feed of Alpaca's protocol, and grants these of its two symbols.
async fn subscribe(venue: &Venue, granted: &[&str]) -> Connection {
    let mut connection = venue.accept().await;
    alpaca::grant(&mut connection, &["AAPL", "IBM"], granted).await;
    connection
}

const STOCK_TRADE: &str =
    r#"[{"T":"t","S":"AAPL","i":1,"x":"V","p":171.24,"s":100,"c":["@"],"z":"C","t":"2024-03-28T16:59:00.114612043Z"}]"#;

#[tokio::test]
async fn rule_7_a_refused_key_refuses_every_symbol_until_it_is_taken() {
    let venue = Venue::bind().await;
    let denied = Duration::from_millis(40);
    let mut rig = Rig::run(&stocks(&venue), Timing { denied, ..timing() });
    let mut peer = log_in(&venue).await;
    peer.send(r#"[{"T":"error","code":402,"msg":"auth failed"}]"#).await;
    assert_eq!(rig.refused().await, refusals(0..2, Reason::Unauthorized));
    rig.lost_by("denied").await;
    rig.reached(FeedState::Failed).await;
    let mut peer = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Live).await;
    assert_eq!(rig.refused().await, []);
    peer.send(STOCK_TRADE).await;
    assert_eq!(rig.prices(1).await, ["171.24"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_partly_acknowledged_request_is_sent_again() {
    let venue = Venue::bind().await;
    let mut rig = Rig::run(&stocks(&venue), timing());
    let mut peer = subscribe(&venue, &["AAPL"]).await;
    assert_eq!(peer.text().await, r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#);
    assert_eq!(rig.status.state(), FeedState::Connecting, "not before all is answered");
    alpaca::acknowledge(&mut peer, &["AAPL"]).await;
    assert_eq!(peer.text().await, r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#);
    alpaca::acknowledge(&mut peer, &["AAPL"]).await;
    alpaca::grant_extras(&mut peer, &["AAPL"]).await;
    assert_eq!(rig.refused().await, refusals([1], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    peer.send(STOCK_TRADE).await;
    peer.send(&STOCK_TRADE.replace("\"@\"", "\"I\"")).await;
    assert_eq!(rig.prices(1).await, ["171.24"]);
    rig.counted("messages_total{feed=\"test\",kind=\"ineligible\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_holds_on_to_an_old_session_is_left_alone_for_a_while() {
    let venue = Venue::bind().await;
    let mut rig = Rig::run(&stocks(&venue), timing());
    let mut peer = log_in(&venue).await;
    peer.send(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#).await;
    rig.lost_by("failed").await;
    let again = tokio::time::timeout(Duration::from_millis(200), venue.tcp()).await;
    assert!(again.is_err(), "ten times the longest wait of other failures");
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_mute_venue_is_told_apart_from_a_lost_connection() {
    let venue = Venue::bind().await;
    let config = config::Feed { mute_after: Some(Duration::from_millis(400)), ..stocks(&venue) };
    let mut rig = Rig::run(&config, timing());
    let _mute = subscribe(&venue, &["AAPL", "IBM"]).await;
    let mute = loop {
        match within("silence", rig.seen_rx.recv()).await.unwrap() {
            Seen::Mute(parts) => break parts,
            Seen::Refused(none) => assert_eq!(none, []),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(mute, Parts::ALL, "told while the connection is open");
    rig.lost_by("no_data").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_mute_feed_is_mute_for_operators_until_data_come_on_any_connection() {
    let venue = Venue::bind().await;
    let config = config::Feed { mute_after: Some(Duration::from_secs(1)), ..stocks(&venue) };
    let mut rig = Rig::run(&config, timing());
    // The first mute connection is replaced at once.
    let _mute = subscribe(&venue, &["AAPL", "IBM"]).await;
    let mut next = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Mute).await;
    let report = rig.status.report();
    assert_eq!((report.reason.as_deref(), report.connections_up), (Some("no data come"), 1));
    next.send(STOCK_TRADE).await;
    rig.reached(FeedState::Live).await;
    assert_eq!(rig.status.report().reason, None);
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_feed_on_a_closed_day_says_so_and_stays_connected() {
    let venue = Venue::bind().await;
    let today = Date::of(Now::read().unix);
    let closed_days = (-2..=2).map(|days| today.plus(days)).collect();
    let schedule = Schedule::new(Hours::UsEquities, closed_days);
    let mute_after = Some(Duration::from_millis(50));
    let mut rig = Rig::run(&config::Feed { schedule, mute_after, ..stocks(&venue) }, timing());
    assert!(matches!(within("the hours", rig.seen_rx.recv()).await, Some(Seen::Closed(true))));
    let mut peer = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Quiet).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.send(STOCK_TRADE).await;
    assert_eq!(rig.prices(1).await, ["171.24"], "silence was no outage, and what comes is taken");
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
