//! A venue that does whatever venues do, and worse: each time what `docs/outages.md` says is seen, the other feed goes on untouched,
//! and no old price is ever shown as live.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod checker;

use checker::Checker;
use std::time::{Duration, Instant};
use support::{
    Client, PATIENCE,
    process::sum,
    running::{Running, binance, config},
};
use tickfan::{
    config::{Credentials, Feed, FeedSymbol, Secret, VenueKind},
    market::Schedule,
};
use tickfan_loadtest::venue::{Bad, Command, Door, Flow, Load, Protocol, Setup, Venue};

/// Short, so that tests need not wait.
const MUTE_AFTER: Duration = Duration::from_secs(2);
/// The longest wait before the next attempt after a first failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// A state that the gateway gives at once.
const AT_ONCE: Duration = Duration::ZERO;
const CALM: &str = "SOL-USDT";

/// A gateway with two feeds, one of which is in for something, and a client that watches all symbols of both.
struct Rig {
    venue: Venue,
    _calm_venue: Venue,
    gateway: Running,
    checker: Checker,
    name: &'static str,
}

impl Rig {
    fn binance(name: &'static str) -> Self {
        Self::new(name, Protocol::Binance, &["BTC-USDT", "ETH-USDT"], Door::Open)
    }

    fn new(name: &'static str, protocol: Protocol, symbols: &[&str], door: Door) -> Self {
        let start = |protocol, symbols: &[&str]| {
            Venue::start(&Setup::new(protocol, symbols, Load::Steady { rate: 400.0 })).unwrap()
        };
        let (venue, calm_venue) = (start(protocol, symbols), start(Protocol::Binance, &[CALM]));
        venue.command(Command::Door(door));
        let faulty = match protocol {
            Protocol::Binance => binance(name, &venue.url(), symbols),
            Protocol::Alpaca => alpaca(name, &venue.url(), symbols),
        };
        let faulty = Feed { mute_after: Some(MUTE_AFTER), ..faulty };
        let mut config = config(vec![faulty, binance(&format!("{name}-calm"), &calm_venue.url(), &[CALM])]);
        config.server.drain = Duration::ZERO;
        // A machine that is busy with other tests must not make holes.
        config.fanout.max_lag = Duration::from_secs(10);
        let gateway = Running::start(&config);
        let checker = Checker::start(gateway.address, &format!("{},{CALM}", symbols.join(",")));
        checker.wait(CALM, FIRST_BACKOFF, "live", |shown| shown.is_whole());
        Self { venue, _calm_venue: calm_venue, gateway, checker, name }
    }

    /// All is well at first.
    fn settle(&self) {
        self.settle_after(FIRST_BACKOFF);
    }

    fn settle_after(&self, within: Duration) {
        for symbol in ["BTC-USDT", "ETH-USDT"] {
            self.whole(symbol, within);
        }
    }

    fn whole(&self, symbol: &str, within: Duration) {
        self.checker.wait(symbol, within, "live and whole", |shown| {
            shown.is_whole() && shown.ordinals.iter().all(|&ordinal| ordinal > 0)
        });
    }

    fn shows(&self, symbol: &str, state: &str, reason: &str, within: Duration) {
        self.checker.wait(symbol, within, &format!("{state} {reason}"), |shown| shown.is(state, reason));
    }

    /// Waits until this many more updates of a symbol are shown.
    fn goes_on(&self, symbol: &str) {
        let seq = self.checker.shown(symbol).seq;
        self.checker.wait(symbol, AT_ONCE, "going on", |shown| shown.seq > seq + 50);
    }

    fn metric(&self, name: &str, label: &str) -> u64 {
        let labels = format!("feed=\"{}\"", self.name);
        let text = Client::connect(self.gateway.admin).get("/metrics").body;
        let of_feed: Vec<&str> = text.lines().filter(|line| line.contains(&labels)).collect();
        sum(&of_feed.join("\n"), name, label)
    }

    fn lost_by(&self, reason: &str) -> u64 {
        self.metric("tickfan_feed_losses_total", &format!("reason=\"{reason}\""))
    }

    /// Waits until a counter of the feed has been reached: they are published once a second.
    fn counted(&self, name: &str, label: &str, at_least: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name, label) < at_least {
            let text = || Client::connect(self.gateway.admin).get("/metrics").body;
            assert!(Instant::now() < deadline, "{name}{{{label}}} is {}: {}", self.metric(name, label), text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn never_lost(&self) {
        assert_eq!(self.metric("tickfan_feed_losses_total", ""), 0);
    }

    /// The other feed has noticed nothing; after the end all that was shown is what the venue sent last.
    fn finish(self, symbols: &[&str]) {
        let calm = self.checker.shown(CALM);
        assert_eq!(calm.course.iter().filter(|state| *state != "waiting no_data").collect::<Vec<_>>(), ["live"]);
        assert_eq!(calm.holes, 0, "{calm:?}");
        let calm_losses = format!("feed=\"{}-calm\"", self.name);
        let text = Client::connect(self.gateway.admin).get("/metrics").body;
        assert_eq!(sum(&text, "tickfan_feed_losses_total", &calm_losses), 0);
        self.venue.finish();
        for symbol in symbols {
            let newest = self.venue.newest(symbol).unwrap();
            let wanted = [newest.trades, newest.quotes];
            self.checker.wait(symbol, FIRST_BACKOFF, "newest", |shown| shown.ordinals == wanted);
        }
        self.gateway.stop().unwrap();
        self.checker.end();
    }

    fn finish_crypto(self) {
        self.finish(&["BTC-USDT", "ETH-USDT"]);
    }
}

fn alpaca(name: &str, url: &str, symbols: &[&str]) -> Feed {
    let symbols = symbols.iter().map(|name| FeedSymbol { symbol: name.parse().unwrap(), venue_name: None }).collect();
    Feed {
        name: name.to_owned(),
        url: Some(url.to_owned()),
        schedule: Schedule::always(),
        credentials: Some(Credentials { key: Secret::new("key"), secret: Secret::new("secret") }),
        ..Feed::new(VenueKind::Alpaca, symbols)
    }
}

#[test]
fn a_venue_that_refuses_connections() {
    let rig = Rig::binance("refuses");
    rig.settle();
    rig.venue.command(Command::Door(Door::Shut));
    rig.venue.command(Command::Break);
    for symbol in ["BTC-USDT", "ETH-USDT"] {
        rig.shows(symbol, "stale", "connection_lost", AT_ONCE);
    }
    rig.counted("tickfan_feed_connects_total", "result=\"failed\"", 2);
    assert!(rig.checker.shown("BTC-USDT").is("stale", "connection_lost"));
    rig.venue.command(Command::Door(Door::Open));
    // Three attempts have failed at most by then.
    rig.settle_after(FIRST_BACKOFF * 8);
    rig.finish_crypto();
}

#[test]
fn a_venue_that_breaks() {
    let rig = Rig::binance("breaks");
    for round in 1..=3 {
        rig.settle_after(FIRST_BACKOFF * 4);
        rig.venue.command(Command::Break);
        rig.counted("tickfan_feed_losses_total", "", round);
    }
    rig.settle_after(FIRST_BACKOFF * 8);
    let course = rig.checker.shown("BTC-USDT").course;
    assert!(course.iter().filter(|state| *state == "stale connection_lost").count() >= 3, "{course:?}");
    rig.finish_crypto();
}

#[test]
fn a_venue_that_is_mute_though_it_pongs() {
    let rig = Rig::binance("mute");
    rig.settle();
    rig.venue.command(Command::Flow(Flow::Mute));
    for symbol in ["BTC-USDT", "ETH-USDT"] {
        rig.shows(symbol, "stale", "mute", MUTE_AFTER);
    }
    // The next connections bring nothing either: it stays stale.
    rig.counted("tickfan_feed_losses_total", "reason=\"mute\"", 2);
    assert_eq!(rig.metric("tickfan_feed_losses_total", ""), rig.lost_by("mute"));
    assert_eq!(rig.checker.shown("BTC-USDT").state, "stale");
    rig.venue.command(Command::Flow(Flow::Steady));
    rig.settle_after(FIRST_BACKOFF * 8);
    rig.finish_crypto();
}

#[test]
fn a_venue_that_drips_single_bytes() {
    let rig = Rig::binance("drips");
    rig.settle();
    rig.venue.command(Command::Flow(Flow::Drip));
    rig.goes_on("BTC-USDT");
    rig.goes_on("ETH-USDT");
    rig.never_lost();
    assert_eq!(rig.metric("tickfan_feed_decode_errors_total", ""), 0);
    assert_eq!(rig.checker.shown("BTC-USDT").holes, 0);
    rig.venue.command(Command::Flow(Flow::Steady));
    rig.finish_crypto();
}

#[test]
fn rule_9_messages_that_mean_nothing_are_dropped_and_counted() {
    let rig = Rig::binance("nonsense");
    rig.settle();
    let before = rig.checker.shown("BTC-USDT").course.len();
    for (bad, reason) in [(Bad::Binary, "json"), (Bad::Truncated, "json"), (Bad::WrongType, "number")] {
        let label = format!("reason=\"{reason}\"");
        let dropped = rig.metric("tickfan_feed_decode_errors_total", &label);
        rig.venue.command(Command::Send(bad));
        rig.counted("tickfan_feed_decode_errors_total", &label, dropped + 1);
    }
    rig.venue.command(Command::Send(Bad::Unknown));
    rig.counted("tickfan_feed_messages_total", "kind=\"other\"", 1);
    rig.goes_on("BTC-USDT");
    rig.never_lost();
    let shown = rig.checker.shown("BTC-USDT");
    assert_eq!((shown.course.len(), shown.holes), (before, 0), "{shown:?}");
    rig.finish_crypto();
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let rig = Rig::binance("oversize");
    rig.settle();
    rig.venue.command(Command::Send(Bad::Oversize));
    rig.counted("tickfan_feed_losses_total", "reason=\"oversize\"", 1);
    rig.settle_after(FIRST_BACKOFF);
    assert!(rig.checker.shown("BTC-USDT").course.contains(&"stale connection_lost".to_owned()));
    rig.finish_crypto();
}

#[test]
fn bytes_that_are_no_websocket_end_the_connection() {
    let rig = Rig::binance("no-frame");
    rig.settle();
    rig.venue.command(Command::Send(Bad::NotAFrame));
    rig.counted("tickfan_feed_losses_total", "reason=\"protocol\"", 1);
    rig.settle_after(FIRST_BACKOFF);
    // It ends in the middle of a frame.
    rig.venue.command(Command::Send(Bad::CutFrame));
    rig.counted("tickfan_feed_losses_total", "", 2);
    rig.settle_after(FIRST_BACKOFF * 4);
    assert!(rig.checker.shown("BTC-USDT").course.contains(&"stale connection_lost".to_owned()));
    rig.finish_crypto();
}

#[test]
fn a_venue_that_refuses_the_key() {
    let rig = Rig::new("bad-key", Protocol::Alpaca, &["AAPL", "MSFT"], Door::KeyRefused);
    for symbol in ["AAPL", "MSFT"] {
        rig.shows(symbol, "refused", "unauthorized", AT_ONCE);
    }
    rig.counted("tickfan_feed_losses_total", "reason=\"denied\"", 1);
    rig.goes_on(CALM);
    assert_eq!(rig.lost_by("denied"), 1, "it does not knock again soon");
    assert!(rig.checker.shown("AAPL").is("refused", "unauthorized"));
    rig.finish(&[]);
}

#[test]
fn a_venue_that_acknowledges_half_of_the_symbols() {
    let rig = Rig::new("half", Protocol::Alpaca, &["AAPL", "MSFT"], Door::Half);
    rig.shows("MSFT", "refused", "not_granted", FIRST_BACKOFF);
    rig.whole("AAPL", FIRST_BACKOFF);
    rig.never_lost();
    // With the next connection all are granted.
    rig.venue.command(Command::Door(Door::Open));
    rig.venue.command(Command::Break);
    rig.whole("MSFT", FIRST_BACKOFF);
    rig.whole("AAPL", FIRST_BACKOFF);
    rig.finish(&["AAPL", "MSFT"]);
}

#[test]
fn a_connection_that_is_half_open() {
    let rig = Rig::binance("half-open");
    rig.settle();
    rig.venue.command(Command::Flow(Flow::HalfOpen));
    for symbol in ["BTC-USDT", "ETH-USDT"] {
        rig.shows(symbol, "stale", "mute", MUTE_AFTER);
    }
    rig.venue.command(Command::Flow(Flow::Steady));
    rig.settle_after(FIRST_BACKOFF * 8);
    rig.finish_crypto();
}

#[test]
fn a_venue_whose_clock_jumps() {
    let rig = Rig::binance("clock");
    rig.settle();
    let hour = 3_600_000_000;
    for offset in [hour, -hour, 0] {
        rig.venue.command(Command::Clock(offset));
        rig.goes_on("BTC-USDT");
        rig.goes_on("ETH-USDT");
    }
    rig.never_lost();
    let shown = rig.checker.shown("BTC-USDT");
    assert_eq!((shown.holes, shown.state.as_str()), (0, "live"), "{shown:?}");
    rig.finish_crypto();
}

#[test]
fn a_venue_that_repeats_and_reorders() {
    let rig = Rig::binance("repeats");
    rig.settle();
    let late = |rig: &Rig| {
        let text = Client::connect(rig.gateway.admin).get("/metrics").body;
        sum(&text, "tickfan_cache_updates_total", "result=\"late\"")
    };
    for flow in [Flow::Repeat, Flow::Reorder] {
        let before = late(&rig);
        rig.venue.command(Command::Flow(flow));
        rig.goes_on("BTC-USDT");
        let deadline = Instant::now() + PATIENCE;
        while flow == Flow::Repeat && late(&rig) < before + 10 {
            assert!(Instant::now() < deadline, "what was repeated is not counted as late");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    rig.venue.command(Command::Flow(Flow::Steady));
    rig.goes_on("ETH-USDT");
    rig.never_lost();
    rig.finish_crypto();
}
