//! A row of the fault table: one fault, played by every venue that can, each as a feed of one gateway.

use super::{
    address, credentials,
    mock::{Deaf, Mock},
    spec, symbols,
};
use crate::support::{
    Client, PATIENCE,
    checker::{Checker, Numbering, Numbers, Shown},
    running::{Running, config},
    stream::Tick,
};
use serde_json::Value;
use std::{
    cell::Cell,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::{Duration, Instant},
};
use tickfan::{
    config,
    feed::Timing,
    market::{Schedule, Symbol},
    venue::Credentials,
};
use venue_sim::{Account, DIALECTS, Dialect, Line, Manner};

/// How long a state may take that follows at once, on a machine that does much else.
const AT_ONCE: Duration = Duration::ZERO;
/// The time between two looks at a feed.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// A silence that no test reaches.
const NEVER: Duration = Duration::from_secs(600);

/// The venue's prices hold the numbers: trade 7 is at 7.5.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices;

impl Numbering for Prices {
    fn read(tick: &Tick) -> Numbers {
        // A venue without a high has a volume.
        let figure = if tick.text("high").is_empty() { "volume" } else { "high" };
        ["price", "bid", figure].map(|field| tick.text(field).split('.').next().unwrap().parse().unwrap_or(0))
    }
}

/// A fault, and the circumstances that it needs.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) timing: Timing,
    pub(super) mute_after: Duration,
    /// Which of the two symbols the venue refuses.
    pub(super) refused: &'static [usize],
    /// Whether the venue answers nothing.
    pub(super) deaf: bool,
    /// The account, where it lacks something.
    pub(super) account: Option<Account>,
    /// Whether the feed's key is not the account's.
    pub(super) has_wrong_key: bool,
    /// What the first handshakes are answered with.
    pub(super) handshakes: &'static [&'static str],
}

impl Row {
    /// Reconnects come soon, and no silence is an outage.
    pub(super) fn new(name: &'static str) -> Self {
        let backoff = Duration::from_millis(20);
        let timing = Timing {
            between_connects: Some(Duration::ZERO),
            publish_every: Duration::from_millis(20),
            backoff_first: backoff,
            backoff_max: backoff,
            acknowledgement: NEVER,
            ..Timing::default()
        };
        Self {
            name,
            timing,
            mute_after: NEVER,
            refused: &[],
            deaf: false,
            account: None,
            has_wrong_key: false,
            handshakes: &[],
        }
    }

    /// Plays the fault with each venue that can, all at once, beside a feed that must not notice.
    pub(super) fn play(self, can: impl Fn(&mut dyn Dialect) -> bool, fault: impl Fn(&Case<'_>) + Sync) {
        self.play_with(|manner| can(&mut *(manner.new)(&[])), fault);
    }

    pub(super) fn play_with(self, can: impl Fn(&Manner) -> bool, fault: impl Fn(&Case<'_>) + Sync) {
        let able = DIALECTS.iter().enumerate().filter(|(_, manner)| can(manner));
        let venues: Vec<Played> =
            able.map(|(place, manner)| Played::new(&self, &format!("Q{place}"), manner)).collect();
        assert!(!venues.is_empty(), "{}: no venue can", self.name);
        let calm_row = Row::new(self.name);
        let calm = Played::new(&calm_row, "CALM", manner("binance"));
        let mut config = config(venues.iter().map(|played| played.feed(&self)).collect());
        config.feeds.push(calm.feed(&calm_row));
        config.fanout.max_lag = Duration::from_secs(10);
        let gateway = Running::start_with(&config, self.timing);
        let all = venues.iter().chain([&calm]).flat_map(|played| &played.symbols).map(String::as_str);
        let checker = Checker::start(gateway.address, &all.collect::<Vec<_>>().join(","));
        let admin = Mutex::new(Client::connect(gateway.admin));
        let api = gateway.address;
        let case = |played| Case { played, checker: &checker, admin: &admin, api, number: Cell::new(1) };
        let calm_case = case(&calm);
        let calm_line = calm_case.start();
        let failed: Vec<&str> = std::thread::scope(|scope| {
            let fault = &fault;
            let case = &case;
            let play = |played| scope.spawn(move || catch_unwind(AssertUnwindSafe(|| fault(&case(played)))).is_err());
            let playing: Vec<_> = venues.iter().map(|played| (played.manner.venue, play(played))).collect();
            playing.into_iter().filter_map(|(venue, task)| task.join().unwrap().then_some(venue)).collect()
        });
        assert_eq!(failed, [""; 0], "the venues that failed in {}", self.name);
        calm_case.all_go_on(&calm_line);
        for symbol in &calm.symbols {
            assert_eq!(course(&checker.shown(symbol)), ["live"], "{symbol} of another feed");
            assert_eq!(checker.holes(symbol), 0, "{symbol} of another feed");
        }
        gateway.stop().unwrap();
        checker.end();
        venues.into_iter().chain([calm]).for_each(|played| played.mock.finish());
    }
}

fn manner(venue: &str) -> &'static Manner {
    DIALECTS.iter().find(|manner| manner.venue == venue).unwrap()
}

/// A venue in a row, with two symbols that no other has.
struct Played {
    manner: &'static Manner,
    mock: Mock,
    feed: String,
    symbols: [String; 2],
    names: [String; 2],
}

impl Played {
    fn new(row: &Row, base: &str, manner: &'static Manner) -> Self {
        let listed = symbols(manner, ["A", "B"].map(|last| format!("{base}{last}")).into_iter());
        let symbols = [0, 1].map(|place| listed[place].symbol.as_str().to_owned());
        let names = [0, 1].map(|place| (spec(manner).derive)(&listed[place].symbol).unwrap());
        let refused: Vec<String> = row.refused.iter().map(|&place| names[place].clone()).collect();
        let (deaf, account) = (row.deaf, row.account);
        let dialect = move || {
            let names: Vec<&str> = refused.iter().map(String::as_str).collect();
            let mut dialect = (manner.new)(&names);
            if let Some(account) = account {
                dialect.account(account);
            }
            if deaf { Box::new(Deaf(dialect)) } else { dialect }
        };
        let mock = Mock::start(dialect, row.handshakes);
        Self { manner, mock, feed: format!("{}-{}-{}", row.name, manner.venue, base.to_lowercase()), symbols, names }
    }

    fn feed(&self, row: &Row) -> config::Feed {
        let spec = spec(self.manner);
        let key = credentials(spec);
        config::Feed {
            name: self.feed.clone(),
            url: Some(address(self.manner, &self.mock.url)),
            schedule: Schedule::always(),
            credentials: if row.has_wrong_key { key.map(|_| Credentials::new("PKOTHER", "loud")) } else { key },
            mute_after: Some(row.mute_after),
            ..config::Feed::new(spec, self.symbols.iter().map(|name| name.parse::<Symbol>().unwrap().into()).collect())
        }
    }
}

/// A venue that plays the fault.
pub(super) struct Case<'a> {
    played: &'a Played,
    checker: &'a Checker<Prices>,
    admin: &'a Mutex<Client>,
    /// Where clients connect.
    api: SocketAddr,
    /// Of the next frame.
    number: Cell<u64>,
}

impl Case<'_> {
    pub(super) fn manner(&self) -> &'static Manner {
        self.played.manner
    }

    pub(super) fn mock(&self) -> &Mock {
        &self.played.mock
    }

    pub(super) fn name(&self, place: usize) -> String {
        self.played.names[place].clone()
    }

    /// The next number.
    pub(super) fn next(&self) -> u64 {
        self.number.replace(self.number.get() + 1)
    }

    /// The next connection, once the feed has all its answers.
    pub(super) fn connect(&self) -> Line {
        let line = self.mock().line();
        self.reports("connected", |report| report["connections_up"] == 1);
        line
    }

    /// The first connection, with data of both symbols.
    pub(super) fn start(&self) -> Line {
        let line = self.connect();
        self.all_go_on(&line);
        line
    }

    /// Sends a trade of a symbol; returns its number.
    pub(super) fn trade(&self, line: &Line, place: usize) -> u64 {
        let number = self.next();
        self.trade_again(line, place, number);
        number
    }

    pub(super) fn trade_again(&self, line: &Line, place: usize, number: u64) {
        let name = self.name(place);
        line.send(move |dialect| dialect.trade(&name, number, &format!("{number}.5"), "3"));
    }

    /// Sends a quote, where the venue has quotes; returns its number.
    pub(super) fn quote(&self, line: &Line, place: usize) -> Option<u64> {
        (self.manner().new)(&[]).quote(&self.name(place), 1, "1", "2")?;
        let number = self.next();
        self.quote_again(line, place, number);
        Some(number)
    }

    pub(super) fn quote_again(&self, line: &Line, place: usize, number: u64) {
        let name = self.name(place);
        let [bid, ask] = [format!("{number}.25"), format!("{number}.75")];
        line.send(move |dialect| dialect.quote(&name, number, &bid, &ask).unwrap());
    }

    /// Sends statistics, where the venue has some; returns their number.
    fn statistics(&self, line: &Line, place: usize) -> Option<u64> {
        (self.manner().new)(&[]).statistics(&self.name(place), 1, "2")?;
        let name = self.name(place);
        let number = self.next();
        line.send(move |dialect| dialect.statistics(&name, number, &format!("{number}.9")).unwrap());
        Some(number)
    }

    /// Sends all parts of both symbols, and waits until they are live and show them.
    pub(super) fn all_go_on(&self, line: &Line) {
        [0, 1].into_iter().for_each(|place| self.goes_on(line, place));
    }

    /// Sends all parts of a symbol, and waits until it is live and shows them.
    pub(super) fn goes_on(&self, line: &Line, place: usize) {
        let trade = self.trade(line, place);
        let sent = [Some(trade), self.quote(line, place), self.statistics(line, place)].map(Option::unwrap_or_default);
        self.waits(place, &format!("live with trade {trade}"), |shown| {
            shown.is_whole() && shown.numbers.iter().zip(sent).all(|(shown, sent)| *shown >= sent)
        });
    }

    pub(super) fn waits(&self, place: usize, what: &str, will_do: impl Fn(&Shown<Prices>) -> bool) {
        self.checker.wait(&self.played.symbols[place], AT_ONCE, what, will_do);
    }

    /// Waits until a symbol has this state.
    pub(super) fn shows(&self, place: usize, state: &str, reason: &str) {
        self.waits(place, &format!("{state} {reason}"), |shown| shown.is(state, reason));
    }

    /// Waits until both symbols have this state.
    pub(super) fn both_show(&self, state: &str, reason: &str) {
        [0, 1].into_iter().for_each(|place| self.shows(place, state, reason));
    }

    /// Trades on the newest connection until clients have seen both symbols live, however short a silence ends it.
    /// Returns all connections.
    pub(super) fn trades_until_live(&self) -> Vec<Line> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = vec![self.mock().line()];
        let was_live = |place: usize| self.shown(place).course.iter().any(|state| state == "live");
        while !(was_live(0) && was_live(1)) {
            assert!(Instant::now() < deadline, "{} is not live", self.played.feed);
            lines.extend(self.mock().more_lines());
            [0, 1].into_iter().for_each(|place| _ = self.trade(&lines[lines.len() - 1], place));
            std::thread::sleep(LOOK_EVERY);
        }
        lines
    }

    /// Waits until both symbols were live, and had one of these states later.
    pub(super) fn were_live_then(&self, states: &[&str]) {
        for place in [0, 1] {
            self.waits(place, &format!("{states:?} after it was live"), |shown| {
                let mut since_live = shown.course.iter().skip_while(|state| *state != "live");
                since_live.any(|state| states.contains(&state.as_str()))
            });
        }
    }

    /// What clients see of a symbol.
    pub(super) fn shown(&self, place: usize) -> Shown<Prices> {
        self.checker.shown(&self.played.symbols[place])
    }

    /// Checks that clients saw nothing of the fault.
    pub(super) fn is_unseen(&self, place: usize) {
        assert_eq!(course(&self.shown(place)), ["live"]);
    }

    /// How many ticks clients missed.
    pub(super) fn holes(&self) -> u64 {
        self.played.symbols.iter().map(|symbol| self.checker.holes(symbol)).sum()
    }

    /// After an outage, with a new connection: a trade makes its symbol live, and the parts that it does not renew are
    /// told to be stale; then all go on.
    pub(super) fn recovers(&self) -> Line {
        let line = self.connect();
        let trade = self.trade(&line, 0);
        self.waits(0, &format!("live with trade {trade}"), |shown| shown.state == "live" && shown.numbers[0] == trade);
        assert_ne!(self.shown(1).state, "live", "without an update of its own");
        self.all_go_on(&line);
        line
    }

    /// Waits until the feed's report for operators is so; returns it.
    pub(super) fn reports(&self, what: &str, will_do: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let report = self.report();
            if will_do(&report) {
                return report;
            }
            assert!(Instant::now() < deadline, "{} is not {what}: {report:#}", self.played.feed);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The symbol's entry in `/v1/symbols`.
    pub(super) fn listed(&self, place: usize) -> Value {
        let symbol = &self.played.symbols[place];
        Client::connect(self.api).get(&format!("/v1/symbols?symbols={symbol}")).json()["symbols"][0].clone()
    }

    pub(super) fn report(&self) -> Value {
        let feeds = self.admin.lock().unwrap().get("/debug/feeds").json();
        let of_feed = feeds["feeds"].as_array().unwrap().iter().find(|feed| feed["feed"] == *self.played.feed);
        of_feed.unwrap().clone()
    }

    /// Waits until the feed was lost so often, each time for this reason.
    pub(super) fn lost_by(&self, reason: &str, at_least: u64) {
        let report = self.reports(&format!("lost by {reason}"), |report| {
            count(&report["counters"]["disconnects"][reason]) >= at_least
        });
        let others = report["counters"]["disconnects"].as_object().unwrap().keys().filter(|key| *key != reason);
        assert_eq!(others.count(), 0, "{report:#}");
    }

    /// Checks that the connection has lived all the time.
    pub(super) fn never_lost(&self) {
        let report = self.report();
        assert_eq!(report["counters"]["disconnects"], serde_json::json!({}), "{report:#}");
    }
}

/// The states that clients have seen since data came: a stream may begin before or after the first.
fn course(shown: &Shown<Prices>) -> Vec<&str> {
    shown.course.iter().map(String::as_str).skip_while(|state| *state == "waiting no_data").collect()
}

/// A counter, which is left out while it is zero.
pub(super) fn count(counter: &Value) -> u64 {
    counter.as_u64().unwrap_or_default()
}
