//! Venues that fall silent, wholly or in part: an outage is always told, and a quiet market is not connected to again
//! and again.

use crate::support::{
    Client, PATIENCE,
    process::sum,
    running::{Running, binance, config},
    stream::{Stream, Tick},
};
use std::time::{Duration, Instant};
use tickfan::{
    config::Feed,
    market::{Date, Hours, Now, Schedule, Symbol},
    venue::{self, Credentials},
};
use venue_sim::{Connection, alpaca, binance::trade, blocking};

const MUTE_AFTER: Duration = Duration::from_millis(300);
/// A clock for tests: another feed that is mute after so long.
const LATER: Duration = Duration::from_millis(2_000);
const SYMBOLS: [&str; 2] = ["AAPL", "IBM"];

/// A gateway with a feed of two stocks, and a feed that shows how time passes.
struct Rig {
    venue: blocking::Venue,
    clock: blocking::Connection,
    gateway: Running,
    stream: Stream,
    /// The last trade of the clock.
    clock_ticks: u64,
    name: String,
    _clock_venue: blocking::Venue,
}

impl Rig {
    fn new(name: &str, change: impl Fn(Feed) -> Feed) -> Self {
        let venue = blocking::Venue::bind();
        let clock_venue = blocking::Venue::bind();
        let stocks = Feed {
            name: name.to_owned(),
            url: Some(venue.url.clone()),
            schedule: Schedule::always(),
            credentials: Some(Credentials::new(alpaca::KEY, alpaca::SECRET)),
            mute_after: Some(MUTE_AFTER),
            ..Feed::new(
                venue::find("alpaca").unwrap(),
                SYMBOLS.map(|name| name.parse::<Symbol>().unwrap().into()).into(),
            )
        };
        let clock =
            Feed { mute_after: Some(LATER), ..binance(&format!("{name}-clock"), &clock_venue.url, &["SOL-USDT"]) };
        let config = config(vec![change(stocks), clock]);
        let gateway = Running::start(&config);
        let mut stream = Stream::open(gateway.address, "/v1/stream?symbols=AAPL,IBM,SOL-USDT");
        stream.named("hello");
        let clock = clock_venue.grant(&["solusdt"]);
        (0..3).for_each(|_| assert!(matches!(stream.tick().text("state"), "waiting" | "closed")));
        Self { venue, clock, gateway, stream, clock_ticks: 0, name: name.to_owned(), _clock_venue: clock_venue }
    }

    fn connect(&self) -> Connection {
        self.venue.run(async |venue| {
            let mut connection = venue.accept().await;
            alpaca::grant(&mut connection, &SYMBOLS, &SYMBOLS).await;
            connection
        })
    }

    fn send(&self, connection: &mut Connection, frames: &[String]) {
        self.venue.run(async |_| connection.send(&format!("[{}]", frames.join(","))).await);
    }

    /// The state of the next ticks, by symbol.
    fn shows(&mut self, wanted: &[[&str; 4]]) {
        let mut shown: Vec<_> = wanted.iter().map(|_| worth(&self.stream.tick())).collect();
        shown.sort();
        assert_eq!(shown, wanted);
    }

    /// Lets time pass, in which no tick of the stocks comes.
    fn time_passes_without_a_tick(&mut self) {
        self.clock_ticks += 1;
        self.clock.send(&trade("SOLUSDT", self.clock_ticks, "153.10000000"));
        self.shows(&[["SOL-USDT", "live", "", ""]]);
        self.shows(&[["SOL-USDT", "stale", "mute", r#"["trade"]"#]]);
    }

    fn metric(&self, name: &str, label: &str) -> u64 {
        let text = Client::connect(self.gateway.admin).get("/metrics").body;
        let labels = format!("feed=\"{}\"", self.name);
        let of_feed: Vec<&str> = text.lines().filter(|line| line.contains(&labels)).collect();
        sum(&of_feed.join("\n"), name, label)
    }

    fn end(self) {
        self.gateway.stop().unwrap();
    }
}

/// Symbol, state, reason and stale parts.
fn worth(tick: &Tick) -> [String; 4] {
    let text = |name: &str| tick.fields.get(name).map_or("", |text| text.trim_matches('"')).to_owned();
    [text("symbol"), text("state"), text("reason"), tick.fields.get("stale").cloned().unwrap_or_default()]
}

fn price(symbol: &str) -> String {
    format!(
        r#"{{"T":"t","S":"{symbol}","i":1,"x":"V","p":171.24,"s":100,"c":["@"],"z":"C","t":"2024-03-28T16:59:00.1Z"}}"#
    )
}

fn bid(symbol: &str, size: u64) -> String {
    format!(
        r#"{{"T":"q","S":"{symbol}","bx":"V","bp":171.2,"bs":{size},"ax":"V","ap":171.3,"as":1,"c":["R"],"z":"C","t":"2024-03-28T16:59:00.1Z"}}"#
    )
}

/// A halt (`H`) or its end (`T`).
fn status(symbol: &str, code: &str) -> String {
    format!(r#"{{"T":"s","S":"{symbol}","sc":"{code}","sm":"","rc":"M","rm":"","t":"2024-03-28T17:00:00Z","z":"C"}}"#)
}

fn each(frame: impl Fn(&str) -> String) -> Vec<String> {
    SYMBOLS.iter().map(|symbol| frame(symbol)).collect()
}

const LIVE: [[&str; 4]; 2] = [["AAPL", "live", "", ""], ["IBM", "live", "", ""]];
const MUTE: [[&str; 4]; 2] = [["AAPL", "stale", "mute", r#"["trade"]"#], ["IBM", "stale", "mute", r#"["trade"]"#]];

#[test]
fn rule_7_a_market_wide_halt_neither_reconnects_nor_hides_that_symbols_are_halted() {
    let mut rig = Rig::new("all-halted", |feed| feed);
    let mut connection = rig.connect();
    rig.send(&mut connection, &each(price));
    rig.shows(&LIVE);
    rig.send(&mut connection, &each(|symbol| status(symbol, "H")));
    rig.shows(&[["AAPL", "halted", "halt", ""], ["IBM", "halted", "halt", ""]]);
    rig.time_passes_without_a_tick();
    assert_eq!(rig.metric("tickfan_feed_disconnects_total", ""), 0);
    // One resumes: from then on silence is an outage, of all symbols.
    rig.send(&mut connection, &[status("AAPL", "T")]);
    rig.shows(&[["AAPL", "live", "", ""]]);
    rig.shows(&MUTE);
    rig.connect();
    assert_eq!(rig.metric("tickfan_feed_disconnects_total", "reason=\"no_data\""), 1);
    rig.end();
}

#[test]
fn rule_7_the_silence_of_a_list_that_is_halted_by_half_is_an_outage() {
    let mut rig = Rig::new("half-halted", |feed| feed);
    let mut connection = rig.connect();
    rig.send(&mut connection, &each(price));
    rig.shows(&LIVE);
    rig.send(&mut connection, &[status("IBM", "H")]);
    rig.shows(&[["IBM", "halted", "halt", ""]]);
    rig.shows(&MUTE);
    // The halt was not forgotten.
    let mut connection = rig.connect();
    rig.send(&mut connection, &[bid("IBM", 1)]);
    rig.shows(&[["IBM", "halted", "halt", r#"["trade"]"#]]);
    rig.end();
}

#[test]
fn rule_7_a_silence_outside_of_the_hours_is_not_an_outage_and_shows_a_halted_symbol_as_closed() {
    let today = Date::of(Now::read().unix);
    let closed_days = (-2..=2).map(|days| today.plus(days)).collect();
    let schedule = Schedule::new(Hours::UsEquities, closed_days);
    let mut rig = Rig::new("closed", |feed| Feed { schedule: schedule.clone(), ..feed });
    let mut connection = rig.connect();
    rig.send(&mut connection, &each(price));
    let closed = [["AAPL", "closed", "outside_hours", ""], ["IBM", "closed", "outside_hours", ""]];
    rig.shows(&closed);
    rig.send(&mut connection, &[status("IBM", "H")]);
    rig.time_passes_without_a_tick();
    assert_eq!(rig.metric("tickfan_feed_disconnects_total", ""), 0);
    rig.end();
}

#[test]
fn rule_7_a_rare_stock_is_stale_after_each_silence_and_its_feed_does_not_reconnect_each_time() {
    let mut rig = Rig::new("rare", |feed| feed);
    let mut connection = rig.connect();
    rig.send(&mut connection, &each(price));
    rig.shows(&LIVE);
    rig.shows(&MUTE);
    // The first silence may be an outage of this connection.
    let mut connection = rig.connect();
    for _ in 0..6 {
        rig.send(&mut connection, &[price("AAPL")]);
        rig.shows(&LIVE[..1]);
        rig.shows(&MUTE[..1]);
    }
    assert_eq!(rig.metric("tickfan_feed_connects_total", ""), 2);
    rig.end();
}

#[test]
fn rule_7_a_channel_that_stops_while_another_flows_makes_its_part_stale_until_it_flows_again() {
    for (stopped, flowing) in [("trade", "quote"), ("quote", "trade")] {
        let mut rig = Rig::new(&format!("{stopped}-stops"), |feed| Feed {
            part_mute_after: Some(MUTE_AFTER),
            mute_after: Some(PATIENCE), // a machine that stops for longer than a part may does not count as an outage
            ..feed
        });
        let mut connection = rig.connect();
        let frame = |part: &str, symbol: &str, count| if part == "trade" { price(symbol) } else { bid(symbol, count) };
        rig.send(&mut connection, &each(|symbol| frame(stopped, symbol, 1)));
        rig.shows(&LIVE);
        let stale = format!("[\"{stopped}\"]");
        // The venue sends one symbol's, and the other symbol's part is as old.
        let mut stale_symbols = Vec::new();
        let mut count = 1;
        rig.send(&mut connection, &[frame(flowing, "AAPL", count)]);
        let deadline = Instant::now() + PATIENCE;
        while stale_symbols.len() < 2 {
            assert!(Instant::now() < deadline, "{stopped} has stopped, and only {stale_symbols:?} are told");
            let tick = rig.stream.tick();
            if tick.text("symbol") == "AAPL" && tick.text("kind") == flowing {
                count += 1;
                rig.send(&mut connection, &[frame(flowing, "AAPL", count)]);
            }
            if tick.text("kind") == "status" {
                stale_symbols.push(worth(&tick));
            }
        }
        stale_symbols.sort();
        let wanted = [["AAPL", "live", "", &stale], ["IBM", "stale", "mute", &stale]];
        assert_eq!(stale_symbols, wanted, "AAPL has a living part, IBM has none");
        assert_eq!(rig.metric("tickfan_feed_disconnects_total", ""), 0);
        rig.send(&mut connection, &[frame(stopped, "IBM", 2)]);
        let renewed = loop {
            let tick = rig.stream.tick();
            if tick.text("symbol") == "IBM" {
                break tick;
            }
        };
        assert_eq!(worth(&renewed), ["IBM", "live", "", ""]);
        rig.end();
    }
}
