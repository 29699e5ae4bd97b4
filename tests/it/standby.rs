//! A symbol with a primary and a standby, from the venues' sockets to the client's.

use crate::support::{
    Client, PATIENCE,
    certificates::folder,
    running::{self, Running},
    stream::{Event, Stream, Tick},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs, thread,
    time::{Duration, Instant},
};
use tickfan::{
    config::{Config, Feed, Overrides, Standby, load},
    feed::Timing,
    market::{FailoverLimits, Schedule, Symbol},
    venue::{self, Credentials, ListedSymbol},
};
use tickfan_loadtest::venue::{Command, Door, Flow, Load, Protocol, Setup, Venue as Lab};
use venue_sim::{
    binance::{quote, trade},
    blocking::{Connection, Venue},
};

const NO_BODY: &str = "content-length: 0\r\n";

/// Two venues of the same kind, whose ids and prices are far apart, and a client.
struct Rig {
    primary: Venue,
    standby: Venue,
    gateway: Running,
    stream: Stream,
    /// The `seq` of the last tick.
    seq: u64,
}

fn config(name: &str, feeds: &str) -> Config {
    let file = folder(name).join("tickfan.toml");
    fs::write(&file, feeds).unwrap();
    let mut config = load(Some(&file), Vec::new(), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
    config.server.drain = Duration::ZERO;
    config
}

impl Rig {
    /// The standby stands first in the file: the order does not matter.
    fn start(name: &str, waits: &str) -> Self {
        let [primary, standby] = [Venue::bind(), Venue::bind()];
        let feed = |name: &str, venue: &Venue| {
            let url = &venue.url;
            format!("[[feed]]\nname = \"{name}\"\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [\"BTC-USDT\"]\n")
        };
        let feeds = format!("{}standby_for = \"main\"\n{waits}\n{}", feed("spare", &standby), feed("main", &primary));
        let gateway = Running::start(&config(name, &feeds));
        let mut stream = Stream::open(gateway.address, "/v1/stream/BTC-USDT");
        stream.named("hello");
        let waiting = stream.tick();
        assert_eq!([waiting.text("state"), waiting.text("source")], ["waiting", "main"]);
        Self { primary, standby, gateway, stream, seq: 0 }
    }

    /// The next tick, whose `seq` is the next one.
    fn tick(&mut self) -> Tick {
        let tick = self.stream.tick();
        self.seq += 1;
        assert_eq!(tick.number("seq"), self.seq, "{tick:?}");
        tick
    }

    /// The next tick says so.
    #[track_caller]
    fn says(&mut self, kind: &str, state: &str, source: &str, price: &str) -> Tick {
        let tick = self.tick();
        let said = ["kind", "state", "source", "price"].map(|field| tick.text(field));
        assert_eq!(said, [kind, state, source, price], "{tick:?}");
        tick
    }

    /// Waits until a feed has taken what its venue has sent: no tick shows it.
    fn taken(&self, feed: &str, messages: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.feed(feed)["counters"]["messages"]["trade"].as_u64().unwrap_or(0) < messages {
            assert!(Instant::now() < deadline, "{feed} takes nothing: {}", self.feed(feed));
        }
    }

    fn feed(&self, name: &str) -> Value {
        let all = Client::connect(self.gateway.admin).get("/debug/feeds").json();
        all["feeds"].as_array().unwrap().iter().find(|feed| feed["feed"] == name).unwrap().clone()
    }
}

fn trades(connection: &mut Connection, id: u64, price: &str) {
    connection.send(&trade("BTCUSDT", id, price));
}

#[test]
fn while_the_primary_is_gone_the_standby_s_prices_are_shown() {
    let mut rig = Rig::start("standby", "standby_age = \"10s\"\nfailback_after = \"1s\"");
    let mut main = rig.primary.grant(&["btcusdt"]);
    let mut spare = rig.standby.grant(&["btcusdt"]);
    trades(&mut main, 9_000, "1");
    rig.says("trade", "live", "main", "1");
    main.send(&quote("BTCUSDT", 9_000, "2", "3"));
    assert_eq!(rig.tick().text("bid"), "2");
    // Lower ids than the primary's, and nothing of it is shown.
    trades(&mut spare, 7, "100");
    rig.taken("spare", 1);
    trades(&mut main, 9_001, "4");
    rig.says("trade", "live", "main", "4");

    main.cut();
    let tick = rig.says("status", "live", "spare", "100");
    assert!(!tick.fields.contains_key("bid"), "the standby has not said one: {tick:?}");
    assert_eq!(tick.number("trades"), 2, "its trade came before it was shown");
    trades(&mut spare, 8, "101");
    assert_eq!(rig.says("trade", "live", "spare", "101").number("trades"), 3);
    assert_eq!([&rig.feed("main")["active_symbols"], &rig.feed("spare")["active_symbols"]], [0, 1]);
    assert_eq!(rig.feed("main")["symbol_states"], json!({"stale": 1}), "of the feed, not of what is shown");

    // The primary comes back, and is shown once it has been well for a second.
    let mut main = rig.primary.grant(&["btcusdt"]);
    trades(&mut main, 9_002, "5");
    rig.taken("main", 3);
    rig.says("status", "live", "main", "5");

    // An operator moves it.
    let prefer = |feed: &str| {
        Client::connect(rig.gateway.admin).request("POST", &format!("/debug/feeds/{feed}/prefer"), NO_BODY)
    };
    assert_eq!(prefer("spare").json()["moved"], 1);
    assert_eq!(prefer("nothing").status, 404);
    rig.says("status", "live", "spare", "101");
    let metrics = Client::connect(rig.gateway.admin).get("/metrics").body;
    for (from, to, reason) in
        [("main", "spare", "connection_lost"), ("spare", "main", "failback"), ("main", "spare", "preferred")]
    {
        let line = format!("tickfan_feed_failovers_total{{from=\"{from}\",to=\"{to}\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "no {line}");
    }
    assert!(metrics.contains("tickfan_feed_active_symbols{feed=\"spare\",role=\"standby\"} 1"));
    assert!(metrics.contains("\ntickfan_cache_symbols 1\n"));
    rig.gateway.stop().unwrap();
}

/// The simulated venue leaves a frame out, which its heartbeat gives away.
#[test]
fn a_gap_in_the_primary_s_frames_makes_the_standby_s_prices_shown() {
    let gap = "[[feed.event]]\nat = \"1s\"\ndo = \"gap\"\n";
    let feeds = format!(
        "[[feed]]\nname = \"main\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n{gap}\
         [[feed]]\nname = \"spare\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\nstandby_for = \"main\"\n"
    );
    let gateway = Running::start(&config("standby-gap", &feeds));
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    stream.named("hello");
    let deadline = Instant::now() + PATIENCE;
    let mut tick = stream.tick();
    while tick.text("source") == "main" {
        assert!(Instant::now() < deadline, "the gap is not seen: {tick:?}");
        tick = stream.tick();
    }
    assert_eq!(["kind", "state", "source"].map(|field| tick.text(field)), ["status", "live", "spare"], "{tick:?}");
    let metrics = Client::connect(gateway.admin).get("/metrics").body;
    let line = "tickfan_feed_failovers_total{from=\"main\",to=\"spare\",reason=\"gap\"} 1\n";
    assert!(metrics.contains(line), "no {line}");
    gateway.stop().unwrap();
}

#[test]
fn an_old_price_of_the_standby_is_not_shown_and_its_next_one_is() {
    let mut rig = Rig::start("standby-age", "standby_age = \"100ms\"");
    let mut main = rig.primary.grant(&["btcusdt"]);
    let mut spare = rig.standby.grant(&["btcusdt"]);
    trades(&mut spare, 7, "100");
    rig.taken("spare", 1);
    // Meanwhile that price is older than 100 ms.
    let (taken, mut id) = (Instant::now(), 0);
    while taken.elapsed() < Duration::from_millis(150) {
        id += 1;
        trades(&mut main, id, "1");
        rig.says("trade", "live", "main", "1");
    }
    main.cut();
    rig.says("status", "stale", "main", "1");
    trades(&mut spare, 8, "101");
    assert_eq!(rig.says("status", "live", "spare", "101").number("trades"), id + 1);
    rig.gateway.stop().unwrap();
}

#[test]
fn a_standby_that_does_not_fit_stops_the_start() {
    let main = "[[feed]]\nname = \"main\"\nvenue = \"sim\"\nsymbols = [\"A\", \"B\"]\n";
    let file = folder("standby-config").join("tickfan.toml");
    for (spare, says) in [
        ("standby_for = \"mian\"\nsymbols = [\"A\"]", "no feed has the name `mian`"),
        ("standby_for = \"mian\"\nsymbols = [\"A\"]", "did you mean `main`"),
        ("standby_for = \"spare\"\nsymbols = [\"A\"]", "a feed cannot stand in for itself"),
        ("standby_for = \"main\"\nsymbols = [\"A\", \"C\"]", "`C` is not a symbol of `main`"),
        ("standby_for = \"main\"\nsymbols = [\"A\"]\ndelay = \"1s\"", "a standby has live prices"),
        ("symbols = [\"C\"]\nstandby_age = \"1s\"", "`standby_age` requires `standby_for`"),
        ("symbols = [\"C\"]\nfailback_after = \"1s\"", "`failback_after` requires `standby_for`"),
        ("standby_for = \"main\"\nsymbols = [\"A\"]\nfailback_after = \"1ms\"", "`failback_after` is out of range"),
        ("symbols = [\"A\"]", "a second feed of it needs `standby_for`"),
        (
            "standby_for = \"main\"\nsymbols = [\"A\"]\n[[feed]]\nname = \"third\"\nvenue = \"sim\"\n\
             standby_for = \"main\"\nsymbols = [\"A\"]",
            "`A` has two standbys",
        ),
        (
            "standby_for = \"main\"\nsymbols = [\"A\"]\n[[feed]]\nname = \"third\"\nvenue = \"sim\"\n\
             standby_for = \"spare\"\nsymbols = [\"B\"]",
            "`spare` is a standby itself",
        ),
        ("standby_for = \"main\"\nvenue = \"binance\"\nsymbols = { A = \"X\" }", "not of the same origin"),
        (
            "standby_for = \"any\"\nsymbols = [\"C\"]\n[[feed]]\nname = \"any\"\nvenue = \"sim\"\non_demand = true",
            "`any` subscribes on demand, and cannot have a standby yet",
        ),
    ] {
        let venue = if spare.contains("venue = \"binance\"") { "" } else { "venue = \"sim\"\n" };
        fs::write(&file, format!("{main}[[feed]]\nname = \"spare\"\n{venue}{spare}\n")).unwrap();
        let error = load(Some(&file), Vec::new(), &Overrides::default()).expect_err(spare).to_string();
        assert!(error.contains(says), "{spare}: {error}");
    }
}

/// How long the primary of the chaos may be silent.
const MUTE_AFTER: Duration = Duration::from_secs(2);
const FAILBACK_AFTER: Duration = Duration::from_secs(2);
/// With a connection that is opened again.
const BACK_WITHIN: Duration = Duration::from_secs(4);
/// The most that a quote of the primary is late while it is live: it is mute after two seconds.
const YOUNG: Duration = Duration::from_secs(8);
/// How late the gateway and its clients may be on a machine that is busy with other tests, and on one that is idle.
const LATE: Duration = Duration::from_secs(3);
const LATE_IDLE: Duration = Duration::from_millis(500);
/// By how much the gateway's two clocks may differ meanwhile.
const CLOCKS: Duration = Duration::from_millis(100);
/// How far behind the standby's clock is.
const BEHIND: Duration = Duration::from_secs(20);
const SYMBOLS: [&str; 2] = ["BTC-USDT", "ETH-USDT"];

/// How long the feeds fail, and who looks.
#[derive(Clone, Copy)]
struct Chaos {
    seed: u64,
    lasts: Duration,
    clients: usize,
    /// The updates of each venue in a second.
    rate: f64,
    /// The longest time between two faults.
    calm: Duration,
    late: Duration,
}

/// From when to when something was so.
type Span = (Instant, Instant);

/// When feeds failed, until they were well again.
#[derive(Default)]
struct Failed {
    standby: Vec<Span>,
    both: Vec<Span>,
}

/// Whether this time has a part in one of those.
fn within_any(spans: &[Span], (from, to): Span) -> bool {
    spans.iter().any(|(begins, ends)| from <= *ends && *begins <= to)
}

/// The longest of these times that has no part in one of those.
fn longest_beside(spans: &[Span], times: impl IntoIterator<Item = Span>) -> Duration {
    let beside = times.into_iter().filter(|time| !within_any(spans, *time));
    beside.map(|(from, to)| to - from).max().unwrap_or_default()
}

impl Chaos {
    /// The longest time without an update that is shown as live: the primary is mute, and a symbol has its update of
    /// the standby. Venues draw which symbol moves, so an update may take many times the mean.
    fn gap_max(&self) -> Duration {
        let mean = SYMBOLS.len() as f64 / self.rate;
        MUTE_AFTER + Duration::from_secs_f64(15.0 * mean) + self.late
    }
}

/// What one client sees of a symbol.
#[derive(Default)]
struct Seen {
    seq: u64,
    trades: u64,
    source: String,
    /// When the feed that is shown took over, and when the last update of the one before had come, by the gateway's
    /// clock.
    since: Option<(Instant, u64)>,
    /// When the newest update had come.
    recv: u64,
    /// Whether the primary has taken over, and had no update since.
    is_back: bool,
    /// When the last live tick came.
    live: Option<Instant>,
    switches: usize,
    /// The longer times without a live tick.
    gaps: Vec<Span>,
    /// When it was shown as stale.
    stale_since: Option<Instant>,
    stale: Vec<Span>,
    /// The times between a switch to the standby and one to the primary, and how long they were by the gateway's
    /// clock: from the last update of the primary before to its first one after.
    backs: Vec<(Span, Duration)>,
}

/// Shorter ones are not kept.
const GAP_KEPT: Duration = Duration::from_millis(100);

impl Seen {
    fn take(&mut self, tick: &Tick) {
        let seq = tick.number("seq");
        assert!(self.seq == 0 || seq == self.seq + 1, "{seq} after {}: {tick:?}", self.seq);
        let trades = tick.text("trades").parse().unwrap_or(0);
        assert!(trades >= self.trades, "{tick:?}");
        let now = Instant::now();
        let source = tick.text("source");
        self.check_parts(tick, source);
        if !self.source.is_empty() && self.source != source {
            assert_eq!(tick.text("kind"), "status", "{tick:?}");
            self.is_back = source == "main" && self.since.is_some();
            if !self.is_back {
                self.since = Some((now, self.recv));
            }
            self.switches += 1;
        } else if tick.text("kind") != "status"
            && std::mem::take(&mut self.is_back)
            && let Some((since, left)) = self.since
        {
            self.backs.push(((since, now), Duration::from_micros(tick.number("recv").saturating_sub(left))));
        }
        self.recv = tick.number("recv");
        match tick.text("state") {
            "live" => {
                self.gaps.extend(self.live.filter(|live| now - *live >= GAP_KEPT).map(|live| (live, now)));
                self.stale.extend(self.stale_since.take().map(|since| (since, now)));
                self.live = Some(now);
            }
            "stale" => _ = self.stale_since.get_or_insert(now),
            _ => {}
        }
        (self.seq, self.trades) = (seq, trades);
        source.clone_into(&mut self.source);
    }

    /// Only the primary says a trade's side and the volume of a day, and the standby's clock is behind.
    fn check_parts(&self, tick: &Tick, source: &str) {
        let has = |field: &str| tick.fields.contains_key(field);
        let is_live = tick.text("state") == "live" && !has("stale");
        let age = has("quote_ts").then(|| tick.number("recv").saturating_sub(tick.number("quote_ts")));
        let age = age.filter(|_| is_live).map(Duration::from_micros);
        if source == "main" {
            assert!(!has("price") || has("side"), "{tick:?}");
            assert!(age.is_none_or(|age| age < YOUNG), "{tick:?}");
        } else {
            assert!(!has("side") && !has("volume") && (!has("bid") || has("quote_ts")), "{tick:?}");
            assert!(age.is_none_or(|age| age >= BEHIND / 2), "{tick:?}");
        }
    }
}

/// Waits until a feed is live for each symbol.
fn is_well(gateway: &Running, feed: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = Client::connect(gateway.admin).get("/debug/feeds").json();
        let of_feed = all["feeds"].as_array().unwrap().iter().find(|shown| shown["feed"] == feed).unwrap().clone();
        if of_feed["symbol_states"] == json!({ "live": SYMBOLS.len() }) {
            return;
        }
        assert!(Instant::now() < deadline, "{feed} does not come back: {of_feed}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What happens to a feed.
const FAULTS: [&[Command]; 7] = [
    &[Command::Break],
    &[Command::Door(Door::Shut), Command::Break],
    &[Command::Door(Door::KeyRefused), Command::Break],
    &[Command::Flow(Flow::Mute)],
    &[Command::Flow(Flow::Drip)],
    &[Command::Flow(Flow::Repeat), Command::Break],
    // The messages of one protocol alone have numbers.
    &[Command::Lose],
];

/// Feeds fail at random until then: the primary, where the standby is well, or the standby, where the primary is, or
/// both. The first failure is a gap of the primary, which then has the time to come back.
fn fail(gateway: &Running, [main, spare]: [&Lab; 2], ends: Instant, calm: Duration, seed: u64) -> Failed {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut failed = Failed::default();
    let mut first = Some(FAULTS.len() - 1);
    while Instant::now() < ends {
        let failing: &[&Lab] = match random.random_range(0..8) {
            0 if first.is_none() => &[spare],
            1 if first.is_none() => &[main, spare],
            _ => &[main],
        };
        let with_standby = failing.len() > 1 || std::ptr::eq(failing[0], spare);
        is_well(gateway, "spare");
        if with_standby {
            is_well(gateway, "main");
        }
        let begins = Instant::now();
        let calm = if first.is_some() { BACK_WITHIN..BACK_WITHIN + calm } else { Duration::ZERO..calm };
        for lab in failing {
            let fault = first.take().unwrap_or_else(|| random.random_range(0..FAULTS.len()));
            FAULTS[fault].iter().for_each(|fault| lab.command(*fault));
        }
        let lasts = Duration::from_millis(random.random_range(20..3_000));
        thread::sleep(lasts.min(ends.saturating_duration_since(Instant::now())));
        for lab in failing {
            lab.command(Command::Door(Door::Open));
            lab.command(Command::Flow(Flow::Steady));
        }
        if with_standby {
            is_well(gateway, "main");
            is_well(gateway, "spare");
            let span = (begins, Instant::now());
            failed.standby.push(span);
            failed.both.extend((failing.len() > 1).then_some(span));
        }
        thread::sleep(random.random_range(calm));
    }
    failed
}

/// The primary is cut, shut, mute, slow, doubled, gapped and flapping at random, and so is the standby at times:
/// for each client and each symbol `seq` has no hole, no tick mixes the two feeds, none of the primary's comes back
/// too soon, something live is never far, and what is shown as stale is so for a moment: the standby always has a
/// young price. Nothing of that is so where both fail.
#[expect(clippy::print_stderr, reason = "the figures of a nightly run")]
fn chaos(chaos: Chaos) {
    let Chaos { seed, lasts, clients, rate, calm, late } = chaos;
    let start = |protocol| Lab::start(&Setup::new(protocol, &SYMBOLS, Load::Steady { rate })).unwrap();
    let [main, spare] = [start(Protocol::Coinbase), start(Protocol::Alpaca)];
    spare.command(Command::Clock(-i64::try_from(BEHIND.as_micros()).unwrap()));
    // It has names of its own for them.
    let listed = SYMBOLS.map(|name| ListedSymbol { symbol: name.parse().unwrap(), venue_name: Some(name.to_owned()) });
    let limits = FailoverLimits { age: Duration::from_secs(5), failback_after: FAILBACK_AFTER };
    let primary = Feed {
        name: "main".to_owned(),
        url: Some(main.url()),
        mute_after: Some(MUTE_AFTER),
        ..Feed::new(venue::find("coinbase").unwrap(), SYMBOLS.map(|name| name.parse::<Symbol>().unwrap().into()).into())
    };
    let standby = Feed {
        name: "spare".to_owned(),
        url: Some(spare.url()),
        mute_after: Some(MUTE_AFTER),
        schedule: Schedule::always(),
        credentials: Some(Credentials::new("key", "secret")),
        standby: Some(Standby { primary: "main".to_owned(), limits }),
        ..Feed::new(venue::find("alpaca").unwrap(), listed.to_vec())
    };
    let mut config = running::config(vec![primary, standby]);
    // A machine that is busy with other tests must not make holes.
    config.fanout.max_lag = Duration::from_secs(30);
    config.fanout.ring_age = Duration::from_secs(60);
    config.fanout.ring = 65_536;
    // A venue that has failed, or has refused the key, is asked again at once, and not after minutes: the primary would
    // be away to the end.
    let soon = Duration::from_millis(100);
    let backoff = Timing { backoff_first: soon, backoff_max: soon, between_connects: Some(soon), ..Timing::default() };
    let gateway = Running::start_with(&config, Timing { denied: Duration::from_secs(1), ..backoff });
    let target = format!("/v1/stream?symbols={}", SYMBOLS.join(","));
    for symbol in SYMBOLS {
        let mut stream = Stream::open(gateway.address, &format!("/v1/stream/{symbol}"));
        stream.named("hello");
        while stream.tick().text("state") != "live" {}
    }
    let ends = Instant::now() + lasts;
    thread::scope(|scope| {
        let follow = || {
            let mut stream = Stream::open(gateway.address, &target);
            let mut seen = HashMap::<String, Seen>::new();
            while Instant::now() < ends {
                let Some(Event::Tick(tick)) = stream.next() else { continue };
                if tick.id.is_some() {
                    seen.entry(tick.text("symbol").to_owned()).or_default().take(&tick);
                }
            }
            seen
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(follow)).collect();
        let failed = fail(&gateway, [&main, &spare], ends, calm, seed);
        let [mut longest, mut stalest] = [Duration::ZERO; 2];
        let (mut shortest, mut most) = (None, 0);
        for client in clients {
            let seen = client.join().unwrap();
            assert_eq!(seen.len(), SYMBOLS.len());
            for (symbol, Seen { switches, live, gaps, stale, stale_since, backs, .. }) in seen {
                // The test ends within a gap, too.
                let to_end = |since: Option<Instant>| since.map(|since| (since, ends.max(since)));
                longest = longest.max(longest_beside(&failed.both, gaps.into_iter().chain(to_end(live))));
                stalest = stalest.max(longest_beside(&failed.both, stale.into_iter().chain(to_end(stale_since))));
                // A standby that fails gives way at once.
                let back = backs.into_iter().filter(|(span, _)| !within_any(&failed.standby, *span));
                shortest = back.map(|(_, took)| took).chain(shortest).min();
                most = most.max(switches);
                assert!(live.is_some() && switches > 0, "seed {seed}: nothing of {symbol} has failed");
            }
        }
        eprintln!(
            "seed {seed}: nothing live for {longest:?} at most, stale for {stalest:?} at most, back after {shortest:?} at \
             least, {most} changes; the standby failed {} times, {} of them with the primary",
            failed.standby.len(),
            failed.both.len()
        );
        assert!(longest <= chaos.gap_max(), "seed {seed}: nothing was live for {longest:?}");
        assert!(stalest <= late, "seed {seed}: stale for {stalest:?}");
        let is_soon = shortest.is_some_and(|back| back + CLOCKS < FAILBACK_AFTER);
        assert!(!is_soon, "seed {seed}: back after {shortest:?}");
        assert!(shortest.is_some(), "seed {seed}: the primary never came back");
        let metrics = Client::connect(gateway.admin).get("/metrics").body;
        let of_gap = "tickfan_feed_failovers_total{from=\"main\",to=\"spare\",reason=\"gap\"} ";
        let gaps =
            metrics.lines().find_map(|line| line.strip_prefix(of_gap)).map(|count| count.parse::<u32>().unwrap());
        assert!(gaps >= Some(1), "seed {seed}: no gap of the primary was seen");
    });
    gateway.stop().unwrap();
}

/// Twelve seconds with ten clients, and nightly `TEST_STANDBY_ROUNDS` minutes with 500.
#[test]
fn whatever_the_primary_does_clients_see_one_feed_at_a_time_and_no_gap() {
    match std::env::var("TEST_STANDBY_ROUNDS") {
        // Each client reads every tick, in a debug build.
        Ok(rounds) => {
            let minute = Duration::from_secs(60);
            let calm = FAILBACK_AFTER * 3;
            let round = |seed| Chaos { seed, lasts: minute, clients: 500, rate: 20.0, calm, late: LATE_IDLE };
            (0..rounds.parse().unwrap()).map(round).for_each(chaos);
        }
        Err(_) => {
            let [lasts, calm] = [12, 2].map(Duration::from_secs);
            chaos(Chaos { seed: 1, lasts, clients: 10, rate: 200.0, calm, late: LATE });
        }
    }
}
