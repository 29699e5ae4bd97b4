//! Planned ends of connections: the next one takes over before the old one is dropped.

use super::*;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tickfan::market::{Guards, Origin, Snapshot};
use tokio::sync::{Mutex, oneshot};
use venue_sim::{DIALECTS, Dialect, Line, Manner};

/// Trades of each symbol in a row, before it is looked which of them are shown: more than a connection takes at once.
const BURST: u64 = 100;

/// What clients would see: each symbol's snapshot, with its guards, and the prices of its trades that were shown.
#[derive(Default)]
struct Clients {
    symbols: HashMap<FeedSymbol, (Option<Snapshot>, Guards)>,
    shown: HashMap<FeedSymbol, Vec<String>>,
    /// The bids of the first symbol that were shown.
    bids: Vec<String>,
    lost: Vec<Reason>,
}

impl Clients {
    fn see(&mut self, seen: Seen) {
        let now = Now::read();
        match seen {
            Seen::Updates(updates) => {
                for update in updates {
                    let (snapshot, guards) = self.symbols.entry(update.symbol).or_default();
                    let snapshot = snapshot.get_or_insert_with(|| Snapshot::waiting(Origin::Market, now.unix));
                    let changed = snapshot.apply(&update, guards, now).changed;
                    if changed.contains(Part::Trade) {
                        self.shown.entry(update.symbol).or_default().extend(price(&update));
                    }
                    if changed.contains(Part::Quote) && update.symbol == FeedSymbol(0) {
                        self.bids.extend(snapshot.quote.bid.map(|bid| bid.to_string()));
                    }
                }
            }
            Seen::Lost(reason) => self.lost.push(reason),
            Seen::Mute(_) => self.lost.push(Reason::Mute),
            Seen::Closed(closed) => assert!(!closed),
            Seen::Refused(refused) => assert!(refused.is_empty(), "{refused:?}"),
            Seen::Removed(symbol) => panic!("{symbol} was removed"),
        }
    }

    fn has(&self, number: u64) -> bool {
        let last = |symbol| self.shown.get(&FeedSymbol(symbol)).and_then(|prices| prices.last()).cloned();
        let wanted = format!("{number}.5");
        [0, 1].into_iter().all(|symbol| last(symbol).as_deref() == Some(wanted.as_str()))
    }
}

/// A feed of two symbols of a venue that is played, and all connections that it has opened.
struct Played {
    rig: Rig,
    manner: &'static Manner,
    /// Oldest first.
    lines: Arc<Mutex<Vec<Line>>>,
    /// How many of the next connections are cut within their handshakes.
    cut: Arc<AtomicUsize>,
    clients: Clients,
    number: u64,
    begun: Instant,
    listener: JoinHandle<()>,
}

impl Played {
    async fn start(manner: &'static Manner, timing: Timing) -> Self {
        let venue = Venue::bind().await;
        let rig = Rig::start(manner.venue, Some(venue.url.clone()), &manner.symbols.map(|(symbol, _)| symbol), timing);
        let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
        let cut: Arc<AtomicUsize> = Arc::default();
        let listener = tokio::spawn(listen(venue, manner, lines.clone(), cut.clone()));
        let mut played =
            Self { rig, manner, lines, cut, clients: Clients::default(), number: 0, begun: Instant::now(), listener };
        played.rig.reached(FeedState::Live).await;
        played.trades_until("the first", |_| true).await;
        played
    }

    /// Sends a trade of each symbol, which the venue's history has once, on every connection that has subscribed it by
    /// then: on the oldest first.
    async fn trade(&mut self) {
        self.number += 1;
        let (number, symbols) = (self.number, self.manner.symbols);
        for line in self.lines.lock().await.iter() {
            let (sent_tx, sent_rx) = oneshot::channel();
            line.act(move |dialect| {
                let _ = sent_tx.send(());
                let subscribed = dialect.subscribed();
                let has_it = |(_, name): &(_, &str)| subscribed.iter().any(|held| held == name);
                let trade = |(_, name)| Message::text(dialect.trade(name, number, &format!("{number}.5"), "3"));
                symbols.into_iter().filter(has_it).map(trade).collect()
            });
            // An error: the feed has left it.
            let _ = sent_rx.await;
        }
    }

    /// Trades on and on, and waits for each burst to be shown, until the feed's metrics are so.
    async fn trades_until(&mut self, what: &str, will_do: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for _ in 0..BURST {
                self.trade().await;
            }
            self.takes_all().await;
            if will_do(&self.rig.metrics.render()) {
                return;
            }
            assert!(Instant::now() < deadline, "{what} did not come:\n{}", self.rig.metrics.render());
        }
    }

    /// Waits until clients have seen the last trade of each symbol.
    async fn takes_all(&mut self) {
        while !self.clients.has(self.number) {
            let seen = within("an update", self.rig.seen_rx.recv()).await.unwrap();
            self.clients.see(seen);
        }
    }

    /// The bids of the first symbol that are shown until this one is; repeats of one count once.
    async fn sees_bid(&mut self, last: &str) -> Vec<String> {
        let mut shown: Vec<String> = Vec::new();
        while shown.last().is_none_or(|bid| bid != last) {
            let seen = within("a quote", self.rig.seen_rx.recv()).await.unwrap();
            self.clients.see(seen);
            let bids = std::mem::take(&mut self.clients.bids);
            shown.extend(bids);
        }
        shown
    }

    /// Makes the newest connection say that it will be closed.
    async fn announces_the_end(&self) {
        self.lines.lock().await.last().unwrap().send(|dialect| dialect.planned_end().unwrap());
    }

    /// Checks that clients have seen each trade once, in order, and no outage; where `TEST_ROTATION_RATE` is set, on a
    /// machine that is idle, also that there were so many updates a second.
    #[expect(clippy::print_stderr, reason = "how fast it was")]
    fn saw_all(&self) {
        let rate = 2.0 * self.number as f64 / self.begun.elapsed().as_secs_f64();
        eprintln!("{}: {} trades of each symbol, {rate:.0} updates a second", self.manner.venue, self.number);
        let rate_min = std::env::var("TEST_ROTATION_RATE").map_or(0.0, |rate| rate.parse().unwrap());
        assert!(rate >= rate_min, "{}: {rate:.0} updates a second", self.manner.venue);
        assert_eq!(self.clients.lost, [], "{}", self.manner.venue);
        let all: Vec<String> = (1..=self.number).map(|number| format!("{number}.5")).collect();
        for symbol in [0, 1] {
            assert_eq!(self.clients.shown[&FeedSymbol(symbol)], all, "symbol {symbol} of {}", self.manner.venue);
        }
    }

    async fn stop(self) {
        self.listener.abort();
        self.rig.stop().await;
    }
}

async fn listen(venue: Venue, manner: &Manner, lines: Arc<Mutex<Vec<Line>>>, cut: Arc<AtomicUsize>) {
    loop {
        let tcp = venue.next_tcp().await;
        if cut.load(Ordering::Relaxed) > 0 {
            cut.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let connection = Connection::accept(tcp).await;
        let (line, acts) = venue_sim::line();
        // The feed's requests are answered by the same task that then sends the trades: a trade that is shown after its
        // answer is not older than one that was sent before.
        lines.lock().await.push(line);
        tokio::spawn(venue_sim::serve(connection, (manner.new)(&[]), acts, |_| {}));
    }
}

/// The venues that announce the ends of connections.
fn planners() -> impl Iterator<Item = &'static Manner> {
    DIALECTS.iter().filter(|manner| has_planned_end(&mut *(manner.new)(&[])))
}

fn has_planned_end(dialect: &mut dyn Dialect) -> bool {
    dialect.planned_end().is_some()
}

fn rotations(result: &str, count: u64) -> String {
    format!("tickfan_feed_rotations_total{{feed=\"test\",result=\"{result}\"}} {count}\n")
}

#[tokio::test]
async fn a_connection_whose_end_is_announced_is_replaced_without_a_gap() {
    assert!(planners().count() > 3);
    for manner in planners() {
        let mut played = Played::start(manner, timing()).await;
        for rotated in 1..=3 {
            played.announces_the_end().await;
            let done = rotations("seamless", rotated);
            played.trades_until("the rotation", |metrics| metrics.contains(&done)).await;
        }
        played.trades_until("more", |_| true).await;
        played.saw_all();
        played.rig.counted("gaps_total{feed=\"test\"}", "0").await;
        played.rig.counted("disconnects_total{feed=\"test\",reason=\"closing\"}", "0").await;
        played.rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "4").await;
        played.rig.counted("up{feed=\"test\"}", "1").await;
        let lines = played.lines.lock().await.len();
        assert_eq!(lines, 4, "{}", manner.venue);
        played.stop().await;
    }
}

#[tokio::test]
async fn a_connection_that_reaches_its_lifetime_is_replaced_without_a_gap() {
    for venue in ["binance", "binance-usdm"] {
        let manner = DIALECTS.iter().find(|manner| manner.venue == venue).unwrap();
        let lifetime = Some(Duration::from_millis(500));
        let mut played = Played::start(manner, Timing { lifetime, ..timing() }).await;
        let done = rotations("seamless", 3);
        played.trades_until("the rotations", |metrics| metrics.contains(&done)).await;
        played.saw_all();
        played.rig.counted("gaps_total{feed=\"test\"}", "0").await;
        played.stop().await;
    }
}

#[tokio::test]
async fn attempts_that_fail_are_repeated_while_the_old_connection_serves() {
    for manner in planners() {
        let mut played = Played::start(manner, timing()).await;
        played.cut.store(2, Ordering::Relaxed);
        played.announces_the_end().await;
        let done = rotations("seamless", 1);
        played.trades_until("the rotation", |metrics| metrics.contains(&done)).await;
        played.saw_all();
        played.rig.counted("connects_total{feed=\"test\",result=\"failed\"}", "2").await;
        played.rig.counted("gaps_total{feed=\"test\"}", "0").await;
        assert_eq!(played.rig.status.state(), FeedState::Live);
        played.stop().await;
    }
}

#[tokio::test]
async fn an_old_connection_that_breaks_before_the_next_one_is_up_is_one_gap() {
    for manner in planners() {
        let mut played = Played::start(manner, timing()).await;
        played.cut.store(usize::MAX, Ordering::Relaxed);
        played.announces_the_end().await;
        let none_failed = "connects_total{feed=\"test\",result=\"failed\"} 0\n";
        played.trades_until("a failure", |metrics| !metrics.contains(none_failed)).await;
        let last_message = played.rig.status.report().last_message;
        played.trades_until("more of the old one", |_| true).await;
        assert!(played.rig.status.report().last_message > last_message, "its messages are the feed's");
        played.saw_all();
        played.lines.lock().await.clear();
        assert_eq!(played.rig.lost().await, Reason::ConnectionLost, "{}", manner.venue);
        played.rig.reached(FeedState::Failed).await;
        played.cut.store(0, Ordering::Relaxed);
        played.rig.reached(FeedState::Live).await;
        played.trades_until("the next trades", |_| true).await;
        played.rig.counted(&rotations("gap", 1)["tickfan_feed_".len()..].replace(" 1\n", ""), "1").await;
        played.rig.counted("gaps_total{feed=\"test\"}", "1").await;
        played.rig.counted("up{feed=\"test\"}", "1").await;
        played.stop().await;
    }
}

/// Quotes of one time, as a venue whose clock has milliseconds sends them: what the old connection still has is older
/// than what the new one has brought, or comes there too.
#[tokio::test]
async fn an_old_connection_moves_no_part_back_within_the_time_of_its_newest_event() {
    let of_quotes = planners().filter(|manner| (manner.new)(&[]).quote("X", 1, "1", "2").is_some());
    let mut venues = Vec::new();
    for manner in of_quotes {
        // One symbol is silent, so the two overlap until the end.
        let mut played = Played::start(manner, Timing { overlap: PATIENCE, ..timing() }).await;
        played.announces_the_end().await;
        played.rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
        let name = manner.symbols[0].1;
        let lines = played.lines.clone();
        let send = async |line: usize, number: u64, bid: &'static str| {
            lines.lock().await[line].send(move |dialect| dialect.quote(name, number, bid, "100").unwrap());
        };
        let [old, new] = [0, 1];
        let begins = played.number + 1_000;
        send(new, begins, "2").await;
        played.sees_bid("2").await;
        send(old, begins, "1").await;
        send(old, begins + 1, "3").await;
        assert_eq!(played.sees_bid("3").await, ["3"], "{}: nothing older is shown", manner.venue);
        // Within its own time it goes on, and so does the new one.
        send(new, begins + 1, "3").await;
        send(new, begins + 2, "4").await;
        assert_eq!(played.sees_bid("4").await, ["4"], "{}", manner.venue);
        venues.push(manner.venue);
        played.stop().await;
    }
    assert!(venues.contains(&"bitstamp") && venues.contains(&"okx"), "{venues:?}");
}

/// Trades of AAPL and MSFT of the simulator.
fn trades(number: u32) -> [String; 2] {
    ["AAPL", "MSFT"].map(|symbol| {
        format!(r#"{{"type":"trade","symbol":"{symbol}","id":{number},"price":"{number}","size":1,"side":"buy"}}"#)
    })
}

#[tokio::test]
async fn a_symbol_that_is_silent_keeps_the_old_connection_for_so_long_and_is_not_lost() {
    let overlap = Duration::from_millis(300);
    let (mut rig, venue) = Rig::against(Timing { overlap, ..timing() }).await;
    let mut old = grant(&venue).await;
    for trade in trades(1) {
        old.send(&trade).await;
    }
    assert_eq!(rig.prices(2).await, ["1", "1"]);
    old.send(r#"{"op":"closing"}"#).await;
    let mut new = grant(&venue).await;
    let began = Instant::now();
    send_trade(&mut new, 2).await;
    send_trade(&mut old, 2).await;
    assert_eq!(rig.prices(2).await, ["2", "2"], "both are read");
    rig.counted("rotations_total{feed=\"test\",result=\"seamless\"}", "1").await;
    assert!(began.elapsed() >= overlap / 2, "{:?}", began.elapsed());
    send_trade(&mut new, 3).await;
    assert_eq!(rig.prices(1).await, ["3"], "nothing was lost before");
    rig.stop().await;
}

#[tokio::test]
async fn a_symbol_whose_new_subscription_brings_nothing_is_stale_when_the_old_one_goes() {
    let (mut rig, venue) = Rig::against(Timing { overlap: Duration::from_secs(3), ..timing() }).await;
    let mut old = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    old.send(r#"{"op":"closing"}"#).await;
    let mut new = grant(&venue).await;
    send_trade(&mut new, 1).await;
    rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
    let trades_until_lost = async {
        for number in 1.. {
            old.send(&trades(number)[0]).await;
            if let Some(Seen::Lost(reason)) = within("a loss", rig.seen_rx.recv()).await {
                return reason;
            }
        }
        unreachable!()
    };
    assert_eq!(trades_until_lost.await, Reason::Reconnect);
    rig.counted("rotations_total{feed=\"test\",result=\"gap\"}", "1").await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"closing\"}", "1").await;
    rig.counted("up{feed=\"test\"}", "1").await;
    send_trade(&mut new, 2).await;
    assert_eq!(rig.prices(1).await, ["2"], "the new one serves");
    rig.stop().await;
}

#[tokio::test]
async fn what_the_new_connection_refuses_is_served_by_the_old_one_until_it_goes() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut old = grant(&venue).await;
    assert_eq!(rig.refused().await, []);
    old.send(r#"{"op":"closing"}"#).await;
    let mut new = venue.accept().await;
    new.text().await;
    new.send(r#"{"op":"ack","id":1,"symbol":"AAPL"}"#).await;
    new.send(r#"{"op":"refuse","id":1,"symbol":"MSFT"}"#).await;
    rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
    send_trade(&mut old, 7).await;
    assert_eq!(rig.prices(1).await, ["7"], "nothing is refused yet");
    new.send(&trades(8)[0]).await;
    assert_eq!(rig.refused().await, refusals([1], Reason::NotGranted));
    rig.stop().await;
}

#[tokio::test]
async fn a_feed_that_stops_takes_leave_of_both_connections() {
    let (rig, venue) = Rig::against(timing()).await;
    let mut old = grant(&venue).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    old.send(r#"{"op":"closing"}"#).await;
    let mut new = grant(&venue).await;
    rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
    rig.shutdown_tx.send_replace(true);
    for peer in [&mut old, &mut new] {
        assert!(matches!(within("a close", peer.socket.next()).await, Some(Ok(Message::Close(_)))));
    }
    within("the end", rig.task).await.unwrap().unwrap();
}
