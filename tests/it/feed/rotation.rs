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
use tokio::sync::Mutex;
use venue_sim::{DIALECTS, Dialect, Line, Manner};

/// Trades of each symbol in a row, before it is looked which of them are shown.
const BURST: u64 = 25;

/// What clients would see: each symbol's snapshot, with its guards, and the prices of its trades that were shown.
#[derive(Default)]
struct Clients {
    symbols: HashMap<FeedSymbol, (Option<Snapshot>, Guards)>,
    shown: HashMap<FeedSymbol, Vec<String>>,
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
                    if snapshot.apply(&update, guards, now).changed.contains(Part::Trade) {
                        self.shown.entry(update.symbol).or_default().extend(price(&update));
                    }
                }
            }
            Seen::Lost(reason) => self.lost.push(reason),
            Seen::Mute(_) => self.lost.push(Reason::Mute),
            Seen::Closed(closed) => assert!(!closed),
            Seen::Refused(refused) => assert!(refused.is_empty(), "{refused:?}"),
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
    listener: JoinHandle<()>,
}

impl Played {
    async fn start(manner: &'static Manner, timing: Timing) -> Self {
        let venue = Venue::bind().await;
        let rig = Rig::start(manner.venue, Some(venue.url.clone()), &manner.symbols.map(|(symbol, _)| symbol), timing);
        let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
        let cut: Arc<AtomicUsize> = Arc::default();
        let listener = tokio::spawn(listen(venue, manner, lines.clone(), cut.clone()));
        let mut played = Self { rig, manner, lines, cut, clients: Clients::default(), number: 0, listener };
        played.rig.reached(FeedState::Live).await;
        played.trades_until("the first", |_| true).await;
        played
    }

    /// Sends a trade of each symbol on every connection, the oldest first, which the venue's history has once.
    async fn trade(&mut self) {
        self.number += 1;
        let number = self.number;
        for line in self.lines.lock().await.iter() {
            for (_, name) in self.manner.symbols {
                line.send(move |dialect| dialect.trade(name, number, &format!("{number}.5"), "3"));
            }
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

    /// Makes the newest connection say that it will be closed.
    async fn announces_the_end(&self) {
        self.lines.lock().await.last().unwrap().send(|dialect| dialect.planned_end().unwrap());
    }

    /// Checks that clients have seen each trade once, in order, and no outage.
    fn saw_all(&self) {
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
