//! Coinbase's Advanced Trade streams, after its documentation of websocket channels.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::{rfc3339, time_of},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "coinbase",
    query: "",
    symbols: [("BTC-USD", "BTC-USD"), ("ETH-USD", "ETH-USD")],
    refused: ("BAD-USD", "BAD-USD"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Coinbase { refused, frames: 0, beats: 0, listed: BTreeMap::new() })
    },
};

/// The channels of products.
const CHANNELS: [&str; 3] = ["market_trades", "ticker", "status"];

/// A connection.
struct Coinbase {
    refused: Vec<String>,
    /// The number of the next frame.
    frames: u64,
    beats: u64,
    /// What is subscribed, by channel.
    listed: BTreeMap<String, Vec<String>>,
}

impl Coinbase {
    fn frame(&mut self, channel: &str, micros: u64, event: &str) -> String {
        let number = self.frames;
        self.frames += 1;
        let time = rfc3339(micros);
        format!(r#"{{"channel":"{channel}","timestamp":"{time}","sequence_num":{number},"events":[{event}]}}"#)
    }

    /// Quote and statistics come together.
    fn ticker(&mut self, name: &str, number: u64, bid: &str, ask: &str, high: &str) -> String {
        let event = format!(
            r#"{{"type":"update","tickers":[{{"type":"ticker","product_id":"{name}","price":"0.01","volume_24_h":"2867.54532609","low_24_h":"0.5","high_24_h":"{high}","low_52_w":"0.1","high_52_w":"126296","price_percent_chg_24_h":"0.09601107287722","best_bid":"{bid}","best_ask":"{ask}","best_bid_quantity":"0.20371215","best_ask_quantity":"0.24290402"}}]}}"#
        );
        self.frame("ticker", time_of(number), &event)
    }

    fn status(&mut self, name: &str, number: u64, status: &str) -> String {
        let event = format!(
            r#"{{"type":"update","products":[{{"product_type":"SPOT","id":"{name}","status":"{status}","status_message":""}}]}}"#
        );
        self.frame("status", time_of(number), &event)
    }
}

/// The products of a request for a channel.
fn products<'r>(parsed: &'r Value, request: &str) -> Vec<&'r str> {
    let products = parsed["product_ids"].as_array().filter(|products| !products.is_empty());
    let products = products.unwrap_or_else(|| panic!("no products in {request}"));
    let name = |product: &'r Value| {
        let name = product.as_str().unwrap_or_else(|| panic!("{product} in {request}"));
        let is_pair = name.split('-').filter(|part| !part.is_empty()).count() == 2 && name.to_uppercase() == name;
        assert!(is_pair, "{name} in {request}");
        name
    };
    products.iter().map(name).collect()
}

impl Dialect for Coinbase {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let keys = parsed.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.for_each(|key| assert!(matches!(&**key, "type" | "channel" | "product_ids"), "{key} in {request}"));
        let begins = begins(&parsed["type"], ["subscribe", "unsubscribe"], request);
        let channel = parsed["channel"].as_str().unwrap_or_else(|| panic!("no channel in {request}"));
        let asked = if channel == "heartbeats" {
            assert!(parsed["product_ids"].is_null(), "{request}");
            vec!["heartbeats"]
        } else {
            assert!(CHANNELS.contains(&channel), "{request}");
            products(&parsed, request)
        };
        if begins && asked.iter().any(|name| self.refused.iter().any(|refused| refused == name)) {
            // It does not say which product it means, and adds none.
            return vec![r#"{"type":"error","message":"a product does not exist"}"#.to_owned()];
        }
        let listed = self.listed.entry(channel.to_owned()).or_default();
        listed.retain(|name| !asked.contains(&name.as_str()));
        if begins {
            listed.extend(asked.into_iter().map(str::to_owned));
        }
        let event = json!({ "subscriptions": self.listed }).to_string();
        vec![self.frame("subscriptions", time_of(0), &event)]
    }

    fn subscribed(&self) -> Vec<String> {
        let mut held = Held::default();
        for channel in CHANNELS {
            for name in self.listed.get(channel).into_iter().flatten() {
                held.set(name, channel, true);
            }
        }
        held.names(CHANNELS.len())
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let time = rfc3339(micros);
        let event = format!(
            r#"{{"type":"update","trades":[{{"product_id":"{name}","trade_id":"{number}","price":"{price}","size":"{size}","time":"{time}","side":"SELL"}}]}}"#
        );
        self.frame("market_trades", micros, &event)
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        Some(self.ticker(name, number, bid, ask, ask))
    }

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        Some(self.ticker(name, number, high, high, high))
    }

    fn decimals(&mut self, name: &str) -> Option<String> {
        let event = format!(
            r#"{{"type":"snapshot","products":[{{"product_type":"SPOT","id":"{name}","base_currency":"BTC","quote_currency":"USD","base_increment":"0.00000001","quote_increment":"0.01","display_name":"BTC/USD","status":"online","status_message":"","min_market_funds":"1"}}]}}"#
        );
        Some(self.frame("status", time_of(1), &event))
    }

    fn heartbeat(&mut self) -> Option<String> {
        self.beats += 1;
        let counter = self.beats;
        let event = format!(
            r#"{{"current_time":"2024-08-08 13:54:15.854959523 +0000 UTC m=+41701.260604819","heartbeat_counter":{counter}}}"#
        );
        Some(self.frame("heartbeats", time_of(0), &event))
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        Some([self.status(name, number, "offline"), self.status(name, number + 1, "online")])
    }

    fn lose_a_frame(&mut self) -> bool {
        self.frames += 1;
        true
    }
}
