//! The venue as a feed sees it, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test")]

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tickfan_loadtest::venue::{
    Bad, Change, Command, Door, Flow, Load, Protocol, Recorded, Recording, Sent, Setup, Venue,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Error, Message},
};

/// Only a broken test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Feed(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Feed {
    async fn connect(venue: &Venue) -> Result<Self, Error> {
        Ok(Self(connect_async(format!("{}/stream", venue.url())).await?.0))
    }

    /// Its kernel takes hardly anything that is not read.
    async fn with_little_room(venue: &Venue) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1_024).unwrap();
        let socket = MaybeTlsStream::Plain(socket.connect(venue.address()).await.unwrap());
        Self(client_async(format!("{}/stream", venue.url()), socket).await.unwrap().0)
    }

    async fn say(&mut self, request: &str) {
        self.0.send(Message::text(request)).await.unwrap();
    }

    /// The next message; `None` once the connection has ended.
    async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something comes");
        next.and_then(Result::ok)
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(self.next().await.unwrap().to_text().unwrap()).unwrap()
    }

    async fn binance(venue: &Venue) -> Self {
        let mut feed = Self::connect(venue).await.unwrap();
        let request = r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","nono@trade"],"id":7}"#;
        feed.say(request).await;
        assert_eq!(feed.json().await, serde_json::json!({ "result": null, "id": 7 }));
        feed
    }
}

fn venue(protocol: Protocol, symbols: &[&str], rate: f64) -> Venue {
    Venue::start(&Setup::new(protocol, symbols, Load::Steady { rate })).unwrap()
}

#[tokio::test]
async fn binance_trades_and_ends_on_its_newest_state() {
    let venue = venue(Protocol::Binance, &["BTC-USDT", "ETH-USDT"], 2_000.0);
    let mut feed = Feed::binance(&venue).await;
    let mut trades = 0;
    let mut quotes = 0;
    let mut last = (Value::Null, Value::Null);
    for _ in 0..500 {
        let message = feed.json().await;
        let data = &message["data"];
        assert_eq!(data["s"], "BTCUSDT", "no other symbol has a subscriber");
        if message["stream"] == "btcusdt@trade" {
            trades += 1;
            assert_eq!(data["t"], trades);
        } else {
            quotes += 1;
            assert_eq!(data["u"], quotes);
        }
    }
    assert!(trades > 100 && quotes > 100);
    venue.finish();
    let newest = venue.newest("BTC-USDT").unwrap();
    while (trades, quotes) != (newest.trades, newest.quotes) {
        let message = feed.json().await;
        let data = message["data"].clone();
        if message["stream"] == "btcusdt@trade" {
            trades += 1;
            last.0 = data;
        } else {
            quotes += 1;
            last.1 = data;
        }
    }
    let price = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(price(&last.0["p"]), newest.price.parse::<f64>().unwrap());
    assert_eq!(last.0["T"], newest.trade_ts);
    assert_eq!(price(&last.1["A"]), newest.ask_size.parse::<f64>().unwrap());
    assert_eq!(venue.newest("NONO"), None);
    assert_eq!(venue.sent().updates, trades + quotes);
}

/// Waits until the venue has done what it is to do.
async fn sent_once(venue: &Venue, is_done: impl Fn(Sent) -> bool) -> Sent {
    let wait = async {
        while !is_done(venue.sent()) {
            tokio::task::yield_now().await;
        }
        venue.sent()
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is done")
}

/// The venue confirms a subscription before it takes effect.
async fn until_it_wants(venue: &Venue, symbols: usize) {
    let wait = async {
        while venue.wanted() < symbols {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it wants them");
}

#[tokio::test]
async fn an_update_that_a_client_reads_twice_counts_once_as_taken() {
    let venue = Venue::start(&Setup::new(Protocol::Binance, &["BTC-USDT", "ETH-USDT"], Load::Quiet)).unwrap();
    let mut feed = Feed::binance(&venue).await;
    until_it_wants(&venue, 1).await;
    let mut batches = 0;
    for flow in [Flow::Steady, Flow::Repeat] {
        venue.command(Command::Flow(flow));
        // Batches that were sent before the command still go out as before.
        let commanded = Instant::now();
        loop {
            assert!(commanded.elapsed() < PATIENCE, "the command takes effect");
            venue.send_one_of_each();
            batches += 1;
            let is_twice = feed.json().await == feed.json().await;
            if is_twice {
                feed.json().await;
                feed.json().await;
            }
            if is_twice == (flow == Flow::Repeat) {
                break;
            }
        }
    }
    let sent = sent_once(&venue, |sent| sent.taken >= sent.updates).await;
    assert_eq!((sent.updates, sent.taken, sent.lost), (2 * batches, 2 * batches, 0));
}

#[tokio::test]
async fn unread_updates_do_not_count_as_taken() {
    /// More batches than a connection may be behind.
    const BEHIND: u64 = 3_000;
    const SYMBOLS: u64 = 5;
    let names: Vec<String> = (0..SYMBOLS).map(|number| format!("A{number}-USDT")).collect();
    let symbols: Vec<&str> = names.iter().map(String::as_str).collect();
    let venue = Venue::start(&Setup::new(Protocol::Binance, &symbols, Load::Quiet)).unwrap();
    let mut feed = Feed::with_little_room(&venue).await;
    let wants: Vec<String> =
        (0..SYMBOLS).flat_map(|number| ["trade", "bookTicker"].map(|kind| format!("a{number}usdt@{kind}"))).collect();
    feed.say(&serde_json::json!({ "method": "SUBSCRIBE", "params": wants, "id": 1 }).to_string()).await;
    until_it_wants(&venue, symbols.len()).await;
    let each = 2 * SYMBOLS;
    // However much the kernel holds, it is full at some time.
    let begun = Instant::now();
    while venue.sent().taken + BEHIND * each > venue.sent().updates {
        assert!(begun.elapsed() < PATIENCE, "unread updates count as taken: {:?}", venue.sent());
        venue.send_one_of_each();
    }
    // As soon as it reads, the venue finds that it was too far behind. All else it takes.
    let read = async {
        loop {
            feed.next().await.unwrap();
        }
    };
    let sent = tokio::select! {
        // On a busy machine the venue may be behind before the kernel is full, and then it is itself to blame.
        sent = sent_once(&venue, |sent| {
            let missed = sent.lost + sent.dropped;
            missed > 0 && sent.taken + missed * each == sent.updates
        }) => sent,
        () = read => unreachable!("it reads until the test ends"),
    };
    assert!(sent.taken < sent.updates, "{sent:?}");
}

#[tokio::test]
async fn it_sends_one_of_each_while_nothing_is_due() {
    let venue = Venue::start(&Setup::new(Protocol::Binance, &["BTC-USDT", "ETH-USDT"], Load::Quiet)).unwrap();
    let mut feed = Feed::binance(&venue).await;
    until_it_wants(&venue, 1).await;
    for id in 1..=2 {
        venue.send_one_of_each();
        assert_eq!(feed.json().await["data"]["t"], id);
        assert_eq!(feed.json().await["data"]["u"], id);
    }
}

#[tokio::test]
async fn alpaca_requires_a_key_and_lists_what_it_grants() {
    let venue = venue(Protocol::Alpaca, &["AAPL", "MSFT"], 1_000.0);
    venue.command(Command::Door(Door::Half));
    let mut feed = Feed::connect(&venue).await.unwrap();
    assert_eq!(feed.json().await[0]["msg"], "connected");
    feed.say(r#"{"action":"auth","key":"k","secret":"s"}"#).await;
    assert_eq!(feed.json().await[0]["msg"], "authenticated");
    feed.say(r#"{"action":"subscribe","trades":["AAPL","MSFT"],"quotes":["AAPL","MSFT"]}"#).await;
    let list = feed.json().await;
    assert_eq!((&list[0]["trades"], &list[0]["quotes"]), (&serde_json::json!(["AAPL"]), &serde_json::json!(["AAPL"])));
    let first = feed.json().await;
    assert_eq!(first[0]["S"], "AAPL");
    assert!(humantime::parse_rfc3339(first[0]["t"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn alpaca_refuses_a_key() {
    let venue = venue(Protocol::Alpaca, &["AAPL"], 1_000.0);
    venue.command(Command::Door(Door::KeyRefused));
    let mut feed = Feed::connect(&venue).await.unwrap();
    feed.json().await;
    feed.say(r#"{"action":"auth","key":"k","secret":"s"}"#).await;
    assert_eq!(feed.json().await[0]["code"], 402);
}

#[tokio::test]
async fn its_door_opens_and_shuts() {
    let venue = venue(Protocol::Binance, &["BTC-USDT"], 10.0);
    venue.command(Command::Door(Door::Forbidden));
    let Err(Error::Http(response)) = Feed::connect(&venue).await else { panic!("let in") };
    assert_eq!(response.status(), 403);
    venue.command(Command::Door(Door::KeyRefused));
    let Err(Error::Http(response)) = Feed::connect(&venue).await else { panic!("let in") };
    assert_eq!(response.status(), 401);
    venue.command(Command::Door(Door::Shut));
    // It shuts in its own time.
    while !matches!(Feed::connect(&venue).await, Err(Error::Io(_))) {}
    venue.command(Command::Door(Door::Open));
    while Feed::connect(&venue).await.is_err() {}
}

#[tokio::test]
async fn it_breaks_and_mutes() {
    let venue = venue(Protocol::Binance, &["BTC-USDT"], 1_000.0);
    let mut feed = Feed::binance(&venue).await;
    venue.command(Command::Flow(Flow::Mute));
    let newest = venue.newest("BTC-USDT").unwrap();
    let mut seen = 0;
    while seen < newest.trades + newest.quotes {
        feed.json().await;
        seen += 1;
    }
    feed.0.send(Message::Ping("still there?".into())).await.unwrap();
    assert_eq!(feed.next().await, Some(Message::Pong("still there?".into())), "it is mute, not gone");
    venue.command(Command::Break);
    assert_eq!(feed.next().await, None);
    let mut feed = Feed::binance(&venue).await;
    venue.command(Command::Flow(Flow::Steady));
    assert_eq!(feed.json().await["data"]["s"], "BTCUSDT");
}

#[tokio::test]
async fn it_sends_malformed_messages() {
    let venue = venue(Protocol::Binance, &["BTC-USDT"], 1.0);
    let mut feed = Feed::binance(&venue).await;
    venue.command(Command::Flow(Flow::Drip));
    for bad in [Bad::Binary, Bad::Unknown, Bad::Truncated, Bad::WrongType, Bad::Oversize] {
        venue.command(Command::Send(bad));
        let sent = loop {
            match feed.next().await.unwrap() {
                Message::Text(text) if text.contains(r#""q":"0."#) || text.contains(r#""A":"0."#) => {}
                other => break other,
            }
        };
        let is_json = sent.to_text().is_ok_and(|text| serde_json::from_str::<Value>(text).is_ok());
        let is_as_told = match bad {
            Bad::Binary => sent.is_binary(),
            Bad::Oversize => sent.len() == 300 * 1_024,
            Bad::Truncated => !is_json,
            _ => is_json,
        };
        assert!(is_as_told, "{bad:?}: {sent}");
    }
    for bad in [Bad::NotAFrame, Bad::CutFrame] {
        let mut feed = Feed::binance(&venue).await;
        venue.command(Command::Send(bad));
        while feed.next().await.is_some() {}
    }
}

#[tokio::test]
async fn it_repeats_and_reorders() {
    let venue = venue(Protocol::Binance, &["BTC-USDT"], 20_000.0);
    let mut feed = Feed::binance(&venue).await;
    venue.command(Command::Flow(Flow::Repeat));
    let mut last = feed.json().await;
    loop {
        let next = feed.json().await;
        if next == last {
            break;
        }
        last = next;
    }
    venue.command(Command::Flow(Flow::Reorder));
    let mut highest = 0;
    loop {
        let message = feed.json().await;
        if let Some(id) = message["data"]["t"].as_u64() {
            if id < highest {
                break;
            }
            highest = id;
        }
    }
}

#[tokio::test]
async fn it_plays_a_recording_round_and_round() {
    let update = |millis, change| Recorded { at: Duration::from_millis(millis), name: "BTCUSDT".to_owned(), change };
    let number = |text: &str| text.to_owned();
    let trade = Change::Trade { price: number("1.50"), size: number("2"), buyer_is_maker: true };
    let quote = Change::Quote { bid_ask: [number("1.4"), number("10"), number("1.6"), number("20")] };
    let recording = Arc::new(Recording::new(vec![update(5, trade), update(7, quote)]).unwrap());
    let load = Load::Recording { recording, speed: None, looped: true };
    let venue = Venue::start(&Setup::new(Protocol::Binance, &["BTC-USDT"], load)).unwrap();
    let mut feed = Feed::binance(&venue).await;
    venue.begin_load();
    for round in 1..=3 {
        let trade = feed.json().await;
        assert_eq!((&trade["data"]["p"], &trade["data"]["t"]), (&"1.50".into(), &round.into()));
        let quote = feed.json().await;
        assert_eq!((&quote["data"]["A"], &quote["data"]["u"]), (&"20".into(), &round.into()));
    }
    assert_eq!(venue.newest("BTC-USDT").unwrap().price, "1.5");
}
