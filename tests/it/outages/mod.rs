//! Venues with outages of every kind. Each time the gateway shows what `docs/outages.md` says, the other feed goes on
//! undisturbed, and no old price is ever shown as live.

mod silence;

use crate::support::{
    Client, PATIENCE,
    checker::{Checker, Numbering, Numbers, Shown},
    process::sum,
    running::{Running, binance, config},
    stream::Tick,
};
use std::time::{Duration, Instant};
use tickfan::{
    config::Feed,
    market::{Schedule, Symbol},
    venue::{self, Credentials},
};
use tickfan_loadtest::venue::{Bad, Command, Door, Flow, Load, Protocol, Setup, Venue};

/// Short, so that tests need not wait.
const MUTE_AFTER: Duration = Duration::from_secs(2);
/// The longest wait before the next attempt after a first failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The gateway changes some states at once.
const AT_ONCE: Duration = Duration::ZERO;
const CALM: &str = "SOL-USDT";

/// The venue sends the numbers of its trades and quotes as their sizes.
#[derive(Debug, Clone, Default)]
struct Sizes;

impl Numbering for Sizes {
    fn read(tick: &Tick) -> Numbers {
        [number(tick.text("size")), number(tick.text("bid_size")), 0]
    }
}

/// A size in units of the venue's smallest.
fn number(size: &str) -> u64 {
    let Some((whole, fraction)) = size.split_once('.') else {
        // Without a fraction it is a number of shares, or of whole coins.
        return size.parse().unwrap_or(0);
    };
    whole.parse::<u64>().unwrap() * 100_000_000 + format!("{fraction:0<8}").parse::<u64>().unwrap()
}

/// A gateway with two feeds, of which one has outages, and a client that watches all symbols of both.
struct Rig {
    venue: Venue,
    _calm_venue: Venue,
    gateway: Running,
    checker: Checker<Sizes>,
    name: String,
    symbols: &'static [&'static str],
}

/// Runs a test against a venue of each protocol, both at the same time.
fn to_each_venue(name: &str, fault: impl Fn(Rig) + Sync) {
    std::thread::scope(|scope| {
        for (protocol, kind) in [(Protocol::Binance, "crypto"), (Protocol::Alpaca, "stocks")] {
            let name = format!("{name}-{kind}");
            let fault = &fault;
            scope.spawn(move || fault(Rig::new(&name, protocol, Door::Open)));
        }
    });
}

impl Rig {
    fn new(name: &str, protocol: Protocol, door: Door) -> Self {
        let symbols: &[&str] = match protocol {
            Protocol::Binance => &["BTC-USDT", "ETH-USDT"],
            Protocol::Alpaca => &["AAPL", "MSFT"],
            Protocol::Coinbase => unreachable!("the faults happen to two kinds of feeds"),
        };
        let start = |protocol, symbols: &[&str]| {
            Venue::start(&Setup::new(protocol, symbols, Load::Steady { rate: 400.0 })).unwrap()
        };
        let venue = start(protocol, symbols);
        let calm_venue = start(Protocol::Binance, &[CALM]);
        venue.command(Command::Door(door));
        let faulty = match protocol {
            Protocol::Binance => binance(name, &venue.url(), symbols),
            Protocol::Alpaca => alpaca(name, &venue.url(), symbols),
            Protocol::Coinbase => unreachable!("as above"),
        };
        let faulty = Feed { mute_after: Some(MUTE_AFTER), ..faulty };
        let mut config = config(vec![faulty, binance(&format!("{name}-calm"), &calm_venue.url(), &[CALM])]);
        // A machine that is busy with other tests must not make holes.
        config.fanout.max_lag = Duration::from_secs(10);
        let gateway = Running::start(&config);
        let checker = Checker::start(gateway.address, &format!("{},{CALM}", symbols.join(",")));
        checker.wait(CALM, FIRST_BACKOFF, "live", |shown| shown.is_whole());
        Self { venue, _calm_venue: calm_venue, gateway, checker, name: name.to_owned(), symbols }
    }

    /// Waits until all symbols are live and whole.
    fn settle(&self) {
        self.settle_after(FIRST_BACKOFF);
    }

    fn settle_after(&self, within: Duration) {
        self.symbols.iter().for_each(|symbol| self.whole(symbol, within));
    }

    fn whole(&self, symbol: &str, within: Duration) {
        self.checker.wait(symbol, within, "live and whole", |shown| {
            shown.is_whole() && shown.numbers[..2].iter().all(|&number| number > 0)
        });
    }

    /// Waits until all symbols of the faulty feed have this state.
    fn all_show(&self, state: &str, reason: &str, within: Duration) {
        self.symbols.iter().for_each(|symbol| self.shows(symbol, state, reason, within));
    }

    fn shows(&self, symbol: &str, state: &str, reason: &str, within: Duration) {
        self.checker.wait(symbol, within, &format!("{state} {reason}"), |shown| shown.is(state, reason));
    }

    /// The state of the first symbol.
    fn shown(&self) -> Shown<Sizes> {
        self.checker.shown(self.symbols[0])
    }

    /// The holes in the ticks of the first symbol.
    fn holes(&self) -> u64 {
        self.checker.holes(self.symbols[0])
    }

    fn all_go_on(&self) {
        self.symbols.iter().for_each(|symbol| self.goes_on(symbol));
    }

    /// Waits for 50 more ticks of a symbol.
    fn goes_on(&self, symbol: &str) {
        let seq = self.checker.shown(symbol).seq;
        self.checker.wait(symbol, AT_ONCE, "going on", |shown| shown.seq > seq + 50);
    }

    /// The numbers of the feed at one moment.
    fn metrics(&self) -> String {
        let labels = format!("feed=\"{}\"", self.name);
        let text = Client::connect(self.gateway.admin).get("/metrics").body;
        let of_feed: Vec<&str> = text.lines().filter(|line| line.contains(&labels)).collect();
        of_feed.join("\n")
    }

    fn metric(&self, name: &str, label: &str) -> u64 {
        sum(&self.metrics(), name, label)
    }

    fn lost_by(&self, reason: &str) -> u64 {
        self.metric("tickfan_feed_disconnects_total", &format!("reason=\"{reason}\""))
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
        self.lost_only_by(&[]);
    }

    /// No connection ended for another reason.
    fn lost_only_by(&self, reasons: &[&str]) {
        let metrics = self.metrics();
        let lost = |label: &str| sum(&metrics, "tickfan_feed_disconnects_total", label);
        let of_reasons: u64 = reasons.iter().map(|reason| lost(&format!("reason=\"{reason}\""))).sum();
        assert_eq!(lost(""), of_reasons, "{reasons:?}");
    }

    /// Checks that the other feed was not disturbed and that every symbol ends on the venue's newest state.
    fn finish(self) {
        let symbols = self.symbols;
        self.finish_with(symbols);
    }

    fn finish_with(self, symbols: &[&str]) {
        let calm = self.checker.shown(CALM);
        assert_eq!(calm.course.iter().filter(|state| *state != "waiting no_data").collect::<Vec<_>>(), ["live"]);
        assert_eq!(self.checker.holes(CALM), 0, "{calm:?}");
        let calm_losses = format!("feed=\"{}-calm\"", self.name);
        let text = Client::connect(self.gateway.admin).get("/metrics").body;
        assert_eq!(sum(&text, "tickfan_feed_disconnects_total", &calm_losses), 0);
        self.venue.finish();
        for symbol in symbols {
            let newest = self.venue.newest(symbol).unwrap();
            let wanted = [newest.trades, newest.quotes, 0];
            self.checker.wait(symbol, FIRST_BACKOFF, "newest", |shown| shown.numbers == wanted);
        }
        self.gateway.stop().unwrap();
        self.checker.end();
    }
}

fn alpaca(name: &str, url: &str, symbols: &[&str]) -> Feed {
    let symbols = symbols.iter().map(|name| name.parse::<Symbol>().unwrap().into()).collect();
    Feed {
        name: name.to_owned(),
        url: Some(url.to_owned()),
        schedule: Schedule::always(),
        credentials: Some(Credentials::new("key", "secret")),
        ..Feed::new(venue::find("alpaca").unwrap(), symbols)
    }
}

#[test]
fn a_venue_that_refuses_connections() {
    to_each_venue("refuses", |rig| {
        rig.settle();
        rig.venue.command(Command::Door(Door::Shut));
        rig.venue.command(Command::Break);
        rig.all_show("stale", "connection_lost", AT_ONCE);
        rig.counted("tickfan_feed_connects_total", "result=\"failed\"", 2);
        assert!(rig.shown().is("stale", "connection_lost"));
        rig.counted("tickfan_feed_disconnects_total", "reason=\"io\"", 3);
        rig.lost_only_by(&["io"]);
        rig.venue.command(Command::Door(Door::Open));
        // Four attempts have failed at most by then.
        rig.settle_after(FIRST_BACKOFF * 16);
        rig.finish();
    });
}

#[test]
fn a_venue_that_breaks() {
    to_each_venue("breaks", |rig| {
        for round in 1..=3 {
            rig.settle_after(FIRST_BACKOFF * 4);
            rig.venue.command(Command::Break);
            rig.counted("tickfan_feed_disconnects_total", "", round);
        }
        rig.settle_after(FIRST_BACKOFF * 8);
        let course = rig.shown().course;
        assert!(course.iter().filter(|state| *state == "stale connection_lost").count() >= 3, "{course:?}");
        rig.lost_only_by(&["io", "closed"]);
        rig.finish();
    });
}

#[test]
fn a_venue_that_is_mute_though_it_pongs() {
    to_each_venue("mute", |rig| {
        rig.settle();
        rig.venue.command(Command::Flow(Flow::Mute));
        rig.all_show("stale", "mute", MUTE_AFTER);
        // The next connections bring no data either: the symbols stay stale.
        rig.counted("tickfan_feed_disconnects_total", "reason=\"no_data\"", 2);
        rig.lost_only_by(&["no_data"]);
        assert_eq!(rig.shown().state, "stale");
        rig.venue.command(Command::Flow(Flow::Steady));
        rig.settle_after(FIRST_BACKOFF * 8);
        rig.finish();
    });
}

#[test]
fn a_venue_that_drips_single_bytes() {
    to_each_venue("drips", |rig| {
        rig.settle();
        rig.venue.command(Command::Flow(Flow::Drip));
        rig.all_go_on();
        rig.never_lost();
        assert_eq!(rig.metric("tickfan_feed_decode_errors_total", ""), 0);
        assert_eq!(rig.holes(), 0);
        rig.venue.command(Command::Flow(Flow::Steady));
        rig.finish();
    });
}

#[test]
fn rule_9_messages_that_mean_nothing_are_dropped_and_counted() {
    to_each_venue("nonsense", |rig| {
        rig.settle();
        let before = rig.shown().course.len();
        for (bad, reason) in [(Bad::Binary, "json"), (Bad::Truncated, "json"), (Bad::WrongType, "number")] {
            let label = format!("reason=\"{reason}\"");
            let dropped = rig.metric("tickfan_feed_decode_errors_total", &label);
            rig.venue.command(Command::Send(bad));
            rig.counted("tickfan_feed_decode_errors_total", &label, dropped + 1);
        }
        rig.venue.command(Command::Send(Bad::Unknown));
        rig.counted("tickfan_feed_messages_total", "kind=\"other\"", 1);
        rig.all_go_on();
        rig.never_lost();
        let shown = rig.shown();
        assert_eq!((shown.course.len(), rig.holes()), (before, 0), "{shown:?}");
        rig.finish();
    });
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    to_each_venue("oversize", |rig| {
        rig.settle();
        rig.venue.command(Command::Send(Bad::Oversize));
        rig.counted("tickfan_feed_disconnects_total", "reason=\"oversize\"", 1);
        rig.settle_after(FIRST_BACKOFF);
        rig.lost_only_by(&["oversize"]);
        assert!(rig.shown().course.contains(&"stale connection_lost".to_owned()));
        rig.finish();
    });
}

#[test]
fn bytes_that_are_no_websocket_end_the_connection() {
    to_each_venue("no-frame", |rig| {
        rig.settle();
        rig.venue.command(Command::Send(Bad::NotAFrame));
        rig.counted("tickfan_feed_disconnects_total", "reason=\"protocol\"", 1);
        rig.settle_after(FIRST_BACKOFF);
        // It ends in the middle of a frame.
        rig.venue.command(Command::Send(Bad::CutFrame));
        rig.counted("tickfan_feed_disconnects_total", "", 2);
        rig.settle_after(FIRST_BACKOFF * 4);
        rig.lost_only_by(&["protocol", "io", "closed"]);
        assert!(rig.shown().course.contains(&"stale connection_lost".to_owned()));
        rig.finish();
    });
}

#[test]
fn a_venue_that_refuses_the_key() {
    let rig = Rig::new("bad-key", Protocol::Alpaca, Door::KeyRefused);
    rig.all_show("refused", "unauthorized", AT_ONCE);
    rig.counted("tickfan_feed_disconnects_total", "reason=\"denied\"", 1);
    rig.goes_on(CALM);
    assert_eq!(rig.lost_by("denied"), 1, "it does not knock again soon");
    assert!(rig.shown().is("refused", "unauthorized"));
    rig.finish_with(&[]);
}

#[test]
fn a_venue_that_acknowledges_half_of_the_symbols() {
    let rig = Rig::new("half", Protocol::Alpaca, Door::Half);
    rig.shows("MSFT", "refused", "not_granted", FIRST_BACKOFF);
    rig.whole("AAPL", FIRST_BACKOFF);
    rig.never_lost();
    // With the next connection all are granted.
    rig.venue.command(Command::Door(Door::Open));
    rig.venue.command(Command::Break);
    rig.whole("MSFT", FIRST_BACKOFF);
    rig.whole("AAPL", FIRST_BACKOFF);
    rig.finish();
}

#[test]
fn a_connection_that_is_half_open() {
    to_each_venue("half-open", |rig| {
        rig.settle();
        rig.venue.command(Command::Flow(Flow::HalfOpen));
        rig.all_show("stale", "mute", MUTE_AFTER);
        rig.counted("tickfan_feed_disconnects_total", "reason=\"no_data\"", 1);
        rig.venue.command(Command::Flow(Flow::Steady));
        rig.settle_after(FIRST_BACKOFF * 8);
        rig.finish();
    });
}

#[test]
fn a_venue_whose_clock_jumps() {
    to_each_venue("clock", |rig| {
        rig.settle();
        let hour = 3_600_000_000;
        for offset in [hour, -hour, 0] {
            rig.venue.command(Command::Clock(offset));
            rig.all_go_on();
        }
        rig.never_lost();
        let shown = rig.shown();
        assert_eq!((rig.holes(), shown.state.as_str()), (0, "live"), "{shown:?}");
        rig.finish();
    });
}

/// Binance only: Alpaca's messages are ordered by arrival, so that a repetition cannot be told from a new message.
#[test]
fn a_venue_that_repeats_and_reorders() {
    let rig = Rig::new("repeats", Protocol::Binance, Door::Open);
    rig.settle();
    let late = |rig: &Rig| {
        let text = Client::connect(rig.gateway.admin).get("/metrics").body;
        sum(&text, "tickfan_cache_updates_total", "result=\"late\"")
    };
    for flow in [Flow::Repeat, Flow::Reorder] {
        let before = late(&rig);
        rig.venue.command(Command::Flow(flow));
        rig.all_go_on();
        let deadline = Instant::now() + PATIENCE;
        while flow == Flow::Repeat && late(&rig) < before + 10 {
            assert!(Instant::now() < deadline, "what was repeated is not counted as late");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    rig.venue.command(Command::Flow(Flow::Steady));
    rig.all_go_on();
    rig.never_lost();
    rig.finish();
}
