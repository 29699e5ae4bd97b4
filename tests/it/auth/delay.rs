//! A delay line, from a venue's socket to those of its clients.

use super::{Site, changes::change};
use crate::support::{
    Client,
    stream::{Event, Stream, Tick},
};
use serde_json::{Value, json};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use venue_sim::{
    binance::{quote, trade},
    blocking::{Connection, Venue},
};

const DELAY: Duration = Duration::from_secs(1);
const TARGET: &str = "/v1/stream/BTC-USDT";
const QUOTES: &str = "/v1/quotes?symbols=BTC-USDT";
const HISTORY: &str = "/v1/history/BTC-USDT";

/// A venue that trades at prices from 1 up, and two clients of a gateway: one with a live right, and one with a delayed
/// one that shows when it got each event. Both also poll quotes and history after each trade.
struct Market {
    site: Site,
    connection: Connection,
    live: Stream,
    /// The tokens of the two clients.
    live_token: String,
    late_token: String,
    /// The connection over which both poll.
    polls: Client,
    /// Whether the live history was once younger than the delay.
    has_live_history: bool,
    /// The highest price of the delayed history.
    late_history: u64,
    /// Each tick that a stream showed: its `n` and its `seq`.
    live_ticks: Vec<(u64, u64)>,
    late_ticks: Vec<(u64, u64)>,
    late: mpsc::Receiver<(Instant, Event)>,
    /// By which the stream of the second client is changed.
    control: String,
    epoch: String,
    /// When the venue sent each trade.
    sent: Vec<Instant>,
    /// The highest price that was shown late.
    shown: u64,
}

impl Market {
    fn open() -> Self {
        let venue = Venue::bind();
        let feed = format!(
            "[[feed]]\nname = \"delayed\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n\
             delay = \"1s\"\ndelay_step = \"100ms\"\n[history]\nevery = \"100ms\"\n",
            venue.url
        );
        let site = Site::of(&feed, "keys = \"file:keys.json\"", "mode = \"required\"");
        let connection = venue.grant(&["btcusdt"]);
        let (live_token, late_token) = (site.issuer.live("u17", &["*"]), delayed(&site));
        let mut live = Stream::open_as(site.gateway.address, TARGET, &live_token);
        live.named("hello");
        live.tick();
        let mut late = Stream::open_as(site.gateway.address, TARGET, &late_token);
        let hello = late.named("hello");
        assert_eq!((&hello["symbols"], &hello["delayed"]), (&json!(["BTC-USDT"]), &json!(["BTC-USDT"])));
        let control = hello["control"].as_str().unwrap().to_owned();
        let epoch = hello["epoch"].as_str().unwrap().to_owned();
        let waiting = late.tick();
        assert_eq!((waiting.text("state"), waiting.number("delay_seconds")), ("waiting", 1));
        let (late_tx, late_rx) = mpsc::channel();
        thread::spawn(move || {
            while let Some(event) = late.next() {
                if late_tx.send((Instant::now(), event)).is_err() {
                    break;
                }
            }
        });
        let polls = Client::connect(site.gateway.address);
        Self {
            site,
            connection,
            live,
            live_token,
            late_token,
            polls,
            has_live_history: false,
            late_history: 0,
            live_ticks: Vec::new(),
            late_ticks: Vec::new(),
            late: late_rx,
            control,
            epoch,
            sent: Vec::new(),
            shown: 0,
        }
    }

    /// The venue trades and quotes, and the first client sees it at once. Then both poll.
    fn trade(&mut self) {
        let number = self.sent.len() as u64 + 1;
        self.sent.push(Instant::now());
        self.connection.send(&trade("BTCUSDT", number, &number.to_string()));
        self.connection.send(&quote("BTCUSDT", number, &number.to_string(), &(number + 1).to_string()));
        loop {
            let tick = self.live.tick();
            assert!(!tick.fields.contains_key("delay_seconds"), "{tick:?}");
            self.live_ticks.push(numbers(&tick));
            if tick.text("ask") == (number + 1).to_string() {
                break;
            }
        }
        self.poll();
    }

    /// Both clients ask for quotes and for the history. What is delayed is old enough, and what is live is not delayed.
    fn poll(&mut self) {
        let quote = self.get(QUOTES, false).1["quotes"][0].clone();
        assert_eq!((quote.get("delay_seconds"), &quote["bid"]), (None, &json!(self.sent.len())), "{quote}");
        let (at, history) = self.get(HISTORY, false);
        assert_ne!(history["origin"], "delayed");
        assert_eq!(history.get("delay_seconds"), None, "{history}");
        self.has_live_history |= newest_of(&history).is_some_and(|newest| self.age(at, newest) < DELAY);

        let (at, quotes) = self.get(QUOTES, true);
        assert_eq!(quotes["delayed"], json!(["BTC-USDT"]));
        let quote = &quotes["quotes"][0];
        let newest = [&quote["price"], &quote["bid"]].into_iter().filter_map(Value::as_u64).max();
        self.check_age(at, newest, quote);
        assert_eq!(quote["delay_seconds"], 1, "{quote}");
        let (at, history) = self.get(HISTORY, true);
        let newest = newest_of(&history);
        self.check_age(at, newest, &history);
        assert_eq!((&history["origin"], &history["delay_seconds"]), (&json!("delayed"), &json!(1)), "{history}");
        self.late_history = self.late_history.max(newest.unwrap_or(0));
    }

    /// What a client polls, and when it had the answer.
    fn get(&mut self, target: &str, is_late: bool) -> (Instant, Value) {
        let token = if is_late { &self.late_token } else { &self.live_token };
        let answer = self.polls.request("GET", target, &format!("authorization: Bearer {token}\r\n"));
        assert_eq!(answer.status, 200, "{answer:?}");
        (Instant::now(), answer.json())
    }

    /// How old a price was.
    fn age(&self, at: Instant, price: u64) -> Duration {
        at - self.sent[price as usize - 1]
    }

    /// Checks that the newest price of what was shown late is old enough.
    fn check_age(&self, at: Instant, newest: Option<u64>, shown: &impl std::fmt::Debug) {
        let Some(newest) = newest else { return };
        let age = self.age(at, newest);
        assert!(age >= DELAY, "{shown:?} is {age:?} old");
    }

    /// Resumes a stream behind the tick with this `n`, whatever stream showed that one; returns each tick up to the one
    /// with this `seq`.
    fn resume(&self, is_late: bool, after: u64, up_to: u64) -> Vec<(u64, u64)> {
        let token = if is_late { &self.late_token } else { &self.live_token };
        let target = format!("{TARGET}?last_event_id={}-{after}", self.epoch);
        let mut stream = Stream::open_as(self.site.gateway.address, &target, token);
        stream.named("hello");
        let mut ticks = Vec::new();
        loop {
            let tick = stream.tick();
            assert_eq!(tick.fields.contains_key("delay_seconds"), is_late, "{tick:?}");
            if is_late {
                self.check_age(Instant::now(), Some(tick.number("price").max(tick.number("bid"))), &tick);
            }
            ticks.push(numbers(&tick));
            if tick.number("seq") >= up_to {
                return ticks;
            }
        }
    }

    /// Trades until the second client has an event that will do.
    fn trade_until(&mut self, will_do: impl Fn(&Event) -> bool) -> Event {
        loop {
            while let Ok((at, event)) = self.late.try_recv() {
                self.judge(at, &event);
                if will_do(&event) {
                    return event;
                }
            }
            self.trade();
        }
    }

    /// Checks that a tick with a delayed price is old enough, and not older than the one before.
    fn judge(&mut self, at: Instant, event: &Event) {
        let Event::Tick(tick) = event else { return };
        if !tick.fields.contains_key("delay_seconds") {
            return;
        }
        let price: u64 = tick.number("price");
        let bid: u64 = tick.number("bid");
        self.check_age(at, Some(price.max(bid)), tick);
        self.late_ticks.push(numbers(tick));
        assert!(price >= self.shown, "{tick:?} after {}", self.shown);
        self.shown = price;
    }

    /// Renews the stream of the second client.
    fn renew(&self, token: &str) -> Value {
        let renewed = change(&self.site, &self.control, token, "{}");
        assert_eq!(renewed.status, 200, "{renewed:?}");
        renewed.json()
    }
}

/// A token of delayed rights.
fn delayed(site: &Site) -> String {
    site.issuer.token("u18", 600, &json!({"live": [], "delayed": ["*"]}))
}

/// The `n` and the `seq` of a tick.
fn numbers(tick: &Tick) -> (u64, u64) {
    let (_, n) = tick.id.as_ref().unwrap().split_once('-').unwrap();
    (n.parse().unwrap(), tick.number("seq"))
}

/// The newest price, bid or ask of a history, by the trade that it came with.
fn newest_of(history: &Value) -> Option<u64> {
    let points = history["points"].as_array().unwrap();
    let prices =
        points.iter().flat_map(|point| [point[1].as_u64(), point[2].as_u64(), point[3].as_u64().map(|ask| ask - 1)]);
    prices.flatten().max()
}

fn tick(event: &Event) -> Option<&Tick> {
    match event {
        Event::Tick(tick) => Some(tick),
        Event::Named(..) => None,
    }
}

fn is_symbols(event: &Event) -> bool {
    matches!(event, Event::Named(name, _) if name == "symbols")
}

#[test]
fn nothing_younger_than_the_delay_is_shown_to_a_client_with_delayed_rights_beside_one_with_live_ones() {
    let mut market = Market::open();
    let mut seqs = Vec::new();
    while seqs.len() < 8 {
        if seqs.len() == 4 {
            market.site.reload_with("heartbeat = \"5s\"");
        }
        let event = market.trade_until(|event| tick(event).is_some());
        let tick = tick(&event).unwrap();
        assert_eq!((tick.text("state"), tick.text("origin"), tick.number("delay_seconds")), ("live", "delayed", 1));
        seqs.push(tick.number("seq"));
    }
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    while !market.has_live_history || market.late_history == 0 {
        market.trade();
    }

    // A renewal to live rights, and back.
    let live = market.site.issuer.live("u18", &["*"]);
    assert_eq!(market.renew(&live)["delayed"], json!([]));
    market.trade_until(is_symbols);
    let event = market.trade_until(|event| tick(event).is_some_and(|tick| !tick.fields.contains_key("delay_seconds")));
    let price = tick(&event).unwrap().number("price");
    assert!(price > market.shown, "{event:?}");
    let renewed = market.renew(&delayed(&market.site));
    assert_eq!((&renewed["symbols"], &renewed["delayed"]), (&json!(["BTC-USDT"]), &json!(["BTC-USDT"])));
    market.trade_until(is_symbols);
    let event = market.trade_until(|event| tick(event).is_some());
    assert_eq!(tick(&event).unwrap().number("delay_seconds"), 1, "no live tick comes behind the event");

    // An outage is shown as late as a price.
    market.trade_until(|event| tick(event).is_some());
    let cut = Instant::now();
    let Market { connection, mut live, late, .. } = market;
    connection.cut();
    while live.tick().text("state") != "stale" {}
    let mut before = 0;
    let at = loop {
        let (at, event) = late.recv_timeout(crate::support::PATIENCE).unwrap();
        match tick(&event).unwrap().text("state") {
            "stale" => break at,
            _ => before += 1,
        }
    };
    assert!(at - cut >= DELAY, "the outage is shown {:?} after it began", at - cut);
    assert!(before > 0, "prices from before the outage go on meanwhile");
}

/// It gets all that its own ring holds, and nothing young.
#[test]
fn a_stream_resumes_where_one_of_the_other_tier_was_cut() {
    let mut market = Market::open();
    market.trade_until(|event| tick(event).is_some());
    let after = |ticks: &[(u64, u64)], n: u64| ticks.iter().copied().filter(|tick| tick.0 > n).collect::<Vec<_>>();

    // A client of the live stream comes back with delayed rights.
    let (cut, _) = *market.live_ticks.last().unwrap();
    while after(&market.late_ticks, cut).len() < 3 {
        market.trade_until(|event| tick(event).is_some());
    }
    let missed = after(&market.late_ticks, cut);
    assert_eq!(market.resume(true, cut, missed.last().unwrap().1), missed);

    // And the reverse.
    let (cut, _) = *market.late_ticks.last().unwrap();
    while after(&market.live_ticks, cut).len() < 10 {
        market.trade();
    }
    let missed = after(&market.live_ticks, cut);
    assert_eq!(market.resume(false, cut, missed.last().unwrap().1), missed);
}
