//! Recorded sessions, where they are there: every frame is read, digit by digit.

use super::*;
use crate::{
    market::{Decimal, Guards, Now, Origin, Snapshot, UnixMicros},
    venue::kit::Given,
};
use serde_json::Value;
use std::{collections::BTreeMap, io::Read as _, path::PathBuf};

/// The frames of a file; `None` without recordings.
fn frames(file: &str) -> Option<Vec<String>> {
    let path = PathBuf::from(std::env::var_os("TEST_RECORDINGS")?).join(file);
    let mut text = String::new();
    let mut bytes = std::fs::File::open(&path).unwrap();
    if file.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        return Some(text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect());
    }
    bytes.read_to_string(&mut text).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

/// What a reader that merges every ticker and keeps the last of each topic shows: the obvious way, with a tree.
#[derive(Default)]
struct Obvious {
    tickers: BTreeMap<String, BTreeMap<String, String>>,
    trades: BTreeMap<String, (String, String, u64)>,
}

impl Obvious {
    fn take(&mut self, frame: &Value) {
        let Some((kind, name)) = frame["topic"].as_str().and_then(|topic| topic.split_once('.')) else { return };
        match kind {
            "tickers" => {
                let ticker = self.tickers.entry(name.to_owned()).or_default();
                for (key, value) in frame["data"].as_object().unwrap() {
                    ticker.insert(key.clone(), value.as_str().unwrap().to_owned());
                }
            }
            "publicTrade" => {
                let (last, count) = frame["data"].as_array().map(|all| (all.last().unwrap(), all.len())).unwrap();
                let text = |key: &str| last[key].as_str().unwrap().to_owned();
                let trade = self.trades.entry(name.to_owned()).or_default();
                *trade = (text("p"), text("v"), trade.2 + count as u64);
            }
            _ => {}
        }
    }
}

fn plain(number: Option<&String>) -> Option<Decimal> {
    number.map(|number| number.parse().unwrap())
}

/// Plays a session, and compares what is shown with the obvious way after each frame.
fn play(category: Category, file: &str, names: &[&str]) {
    let Some(frames) = frames(file) else { return };
    let listed: Vec<_> = names.iter().map(|name| (*name, Some(*name))).collect();
    let mut venue = Bybit::new(category, &Given::symbols(&listed).setup()).unwrap();
    let now = Now { unix: UnixMicros(1_900_000_000_000_000), ..Now::read() };
    let mut shown: Vec<_> =
        names.iter().map(|_| (Snapshot::waiting(Origin::Market, now.unix), Guards::default())).collect();
    let mut obvious = Obvious::default();
    let mut batch = Batch::default();
    for frame in &frames {
        let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
        let is_data = frame.contains("\"topic\"");
        assert_eq!(message, if is_data { Message::Data } else { Message::Control }, "{frame}");
        assert_eq!(batch.errors.total(), 0, "{frame}");
        for update in batch.updates.drain(..) {
            let (snapshot, guards) = &mut shown[update.symbol.index()];
            assert!(snapshot.apply(&update, guards, now).late.is_empty(), "{frame}");
        }
        obvious.take(&serde_json::from_str(frame).unwrap());
        for (name, (snapshot, _)) in names.iter().zip(&shown) {
            if let Some(ticker) = obvious.tickers.get(*name) {
                let field = |key: &str| plain(ticker.get(key));
                let (quote, stats) = (&snapshot.quote, &snapshot.stats);
                assert_eq!([quote.bid, quote.bid_size], [field("bid1Price"), field("bid1Size")], "{frame}");
                assert_eq!([quote.ask, quote.ask_size], [field("ask1Price"), field("ask1Size")], "{frame}");
                assert_eq!([stats.open, stats.high], [field("prevPrice24h"), field("highPrice24h")], "{frame}");
                assert_eq!([stats.low, stats.volume], [field("lowPrice24h"), field("volume24h")], "{frame}");
            }
            if let Some((price, size, count)) = obvious.trades.get(*name) {
                let trade = &snapshot.trade;
                assert_eq!([trade.price, trade.size], [plain(Some(price)), plain(Some(size))], "{frame}");
                assert_eq!(snapshot.trades, *count, "{frame}");
            }
        }
    }
}

#[test]
fn a_recorded_session_of_the_spot_market_is_shown_digit_by_digit() {
    play(Category::Spot, "bybit_spot.txt.gz", &["BTCUSDT", "ETHUSDT"]);
}

#[test]
fn a_recorded_session_of_linear_contracts_is_shown_digit_by_digit() {
    play(Category::Linear, "bybit_linear.txt.gz", &["BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT"]);
}

#[test]
fn single_frames_of_other_years_are_read() {
    let names = ["BTCUSDT", "BTCUSD", "BTCUSDU23", "BTCPERP"].map(|name| (name, Some(name)));
    for (category, file) in [
        (Category::Spot, "samples/bybit_spot-2.jsonl"),
        (Category::Linear, "samples/bybit_linear-2.jsonl"),
        (Category::Inverse, "samples/bybit_linear-2.jsonl"),
    ] {
        let mut venue = Bybit::new(category, &Given::symbols(&names).setup()).unwrap();
        for frame in frames(file).unwrap_or_default() {
            let mut batch = Batch::default();
            let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
            let topic = serde_json::from_str::<Value>(&frame).unwrap()["topic"].as_str().map(str::to_owned);
            let channel = topic.as_deref().and_then(Channel::of).map(|(channel, _)| channel);
            let expected = match channel {
                Some(channel) if category.channels().contains(&channel) => Message::Data,
                Some(_) => Message::Other,
                None => message,
            };
            assert_eq!((message, batch.errors.total()), (expected, 0), "{frame}");
            assert!(channel.is_some() || message != Message::Other, "{frame}");
            assert_eq!(batch.updates.is_empty(), message != Message::Data, "{frame}");
        }
    }
}
