//! Bitstamp's public channels, after its documentation of websocket API version 2.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::time_of,
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "bitstamp",
    query: "",
    symbols: [("BTC-USD", "btcusd"), ("ETH-USD", "ethusd")],
    refused: ("BAD-USD", "badusd"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Bitstamp { refused, held: Held::default() })
    },
};

/// The levels of each side of a book.
const LEVELS: usize = 100;
const HEARTBEAT: &str = r#"{"event":"bts:heartbeat","channel":"","data":""}"#;

/// A connection.
struct Bitstamp {
    refused: Vec<String>,
    held: Held,
}

impl Dialect for Bitstamp {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if parsed == json!({ "event": "bts:heartbeat" }) {
            return vec![HEARTBEAT.to_owned()];
        }
        let channel = parsed["data"]["channel"].as_str().unwrap_or_else(|| panic!("no channel in {request}"));
        let begins = begins(&parsed["event"], ["bts:subscribe", "bts:unsubscribe"], request);
        assert_eq!(parsed, json!({ "event": parsed["event"], "data": { "channel": channel } }));
        let name = channel.strip_prefix("live_trades_").or_else(|| channel.strip_prefix("order_book_"));
        let name = name.unwrap_or_else(|| panic!("{channel} in {request}"));
        let is_lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if begins && self.refused.iter().any(|refused| refused == name) || !is_lower {
            // It does not say which channel it means.
            let data = r#"{"code":null,"message":"Bad subscription string."}"#;
            return vec![format!(r#"{{"event":"bts:error","channel":"","data":{data}}}"#)];
        }
        self.held.set(name, channel, begins);
        let event = if begins { "subscription" } else { "unsubscription" };
        vec![format!(r#"{{"event":"bts:{event}_succeeded","channel":"{channel}","data":{{}}}}"#)]
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(2)
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let seconds = micros / 1_000_000;
        format!(
            r#"{{"data":{{"id":{number},"timestamp":"{seconds}","amount":{size},"amount_str":"{size}","price":{price},"price_str":"{price}","type":0,"microtimestamp":"{micros}","buy_order_id":2017614334640128,"sell_order_id":2017614282440706}},"channel":"live_trades_{name}","event":"trade"}}"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let micros = time_of(number);
        let seconds = micros / 1_000_000;
        let side = |best: &str, other: &str| {
            let others = format!(r#",["{other}","1.54698000"]"#).repeat(LEVELS - 1);
            format!(r#"["{best}","3.78826000"]{others}"#)
        };
        let (bids, asks) = (side(bid, "0.00000001"), side(ask, "99999999"));
        Some(format!(
            r#"{{"data":{{"timestamp":"{seconds}","microtimestamp":"{micros}","bids":[{bids}],"asks":[{asks}]}},"channel":"order_book_{name}","event":"data"}}"#
        ))
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(HEARTBEAT.to_owned())
    }

    fn planned_end(&mut self) -> Option<String> {
        Some(r#"{"event":"bts:request_reconnect","channel":"","data":""}"#.to_owned())
    }
}
