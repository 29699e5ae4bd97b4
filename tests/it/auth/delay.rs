//! A delay line, from a venue's socket to those of its clients.

use super::{Site, changes::change};
use crate::support::stream::{Event, Stream, Tick};
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

/// A venue that trades at prices from 1 up, and two clients of a gateway between them: one with a live right, and one
/// that shows when it got each event.
struct Market {
    site: Site,
    connection: Connection,
    live: Stream,
    late: mpsc::Receiver<(Instant, Event)>,
    /// By which the stream of the second client is changed.
    control: String,
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
             delay = \"1s\"\ndelay_step = \"100ms\"\n",
            venue.url
        );
        let site = Site::of(&feed, "keys = \"file:keys.json\"", "mode = \"required\"");
        let connection = venue.grant(&["btcusdt"]);
        let mut live = Stream::open_as(site.gateway.address, TARGET, &site.issuer.live("u17", &["*"]));
        live.named("hello");
        live.tick();
        let mut late = Stream::open_as(site.gateway.address, TARGET, &delayed(&site));
        let hello = late.named("hello");
        assert_eq!((&hello["symbols"], &hello["delayed"]), (&json!(["BTC-USDT"]), &json!(["BTC-USDT"])));
        let control = hello["control"].as_str().unwrap().to_owned();
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
        Self { site, connection, live, late: late_rx, control, sent: Vec::new(), shown: 0 }
    }

    /// The venue trades and quotes, and the first client sees it at once.
    fn trade(&mut self) {
        let number = self.sent.len() as u64 + 1;
        self.sent.push(Instant::now());
        self.connection.send(&trade("BTCUSDT", number, &number.to_string()));
        self.connection.send(&quote("BTCUSDT", number, &number.to_string(), &(number + 1).to_string()));
        loop {
            let tick = self.live.tick();
            assert!(!tick.fields.contains_key("delay_seconds"), "{tick:?}");
            if tick.text("ask") == (number + 1).to_string() {
                return;
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
        let newest = price.max(bid);
        let age = at - self.sent[newest as usize - 1];
        assert!(age >= DELAY, "{tick:?} is {age:?} old");
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
        let event = market.trade_until(|event| tick(event).is_some());
        let tick = tick(&event).unwrap();
        assert_eq!((tick.text("state"), tick.text("origin"), tick.number("delay_seconds")), ("live", "delayed", 1));
        seqs.push(tick.number("seq"));
    }
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");

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
