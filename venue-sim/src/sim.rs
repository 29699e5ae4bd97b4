//! The simulator's protocol, which is able to say all that a tick can show.

use crate::{
    Connection,
    dialect::{Dialect, Held, Manner, begins},
    time::time_of,
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "sim",
    query: "",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Sim { refused: refused.iter().map(|&name| name.to_owned()).collect(), ..Sim::default() }),
};

/// A connection.
#[derive(Default)]
struct Sim {
    refused: Vec<String>,
    held: Held,
    /// The frames of data so far, the lost ones too.
    sent: u64,
}

impl Sim {
    fn data(&mut self, frame: Value) -> String {
        self.sent += 1;
        frame.to_string()
    }

    fn status(&mut self, name: &str, number: u64, trading: &str) -> String {
        self.data(json!({ "type": "status", "symbol": name, "time": time_of(number), "trading": trading }))
    }
}

impl Dialect for Sim {
    fn answer(&mut self, request: &str) -> Vec<String> {
        if request == "ping" {
            return vec!["pong".to_owned()];
        }
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let id = parsed["id"].as_u64().unwrap_or_else(|| panic!("no id in {request}"));
        let begins = begins(&parsed["op"], ["subscribe", "unsubscribe"], request);
        let names = parsed["symbols"].as_array().unwrap_or_else(|| panic!("no symbols in {request}"));
        let names: Vec<&str> = names.iter().map(|name| name.as_str().expect("a name")).collect();
        let is_refused = |name: &str| begins && self.refused.iter().any(|refused| refused == name);
        for name in names.iter().filter(|name| !is_refused(name)) {
            assert!(self.held.set(name, "", begins), "{name} is as it is asked for: {request}");
        }
        if names.iter().all(|name| !is_refused(name)) {
            return vec![json!({ "op": "ack", "id": id }).to_string()];
        }
        if names.iter().all(|name| is_refused(name)) {
            return vec![json!({ "op": "refuse", "id": id }).to_string()];
        }
        let answer = |name: &&str| {
            let op = if is_refused(name) { "refuse" } else { "ack" };
            json!({ "op": op, "id": id, "symbol": name }).to_string()
        };
        names.iter().map(answer).collect()
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(1)
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        self.data(json!({
            "type": "trade", "symbol": name, "id": number, "time": micros, "price": price, "size": size, "side": "buy"
        }))
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let time = time_of(number);
        Some(self.data(json!({
            "type": "quote", "symbol": name, "id": number, "time": time, "bid": bid, "bid_size": 3, "ask": ask,
            "ask_size": 2
        })))
    }

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        let time = time_of(number);
        Some(self.data(json!({
            "type": "stats", "symbol": name, "time": time, "window": "day", "open": "1", "high": high, "low": "0.5",
            "volume": number, "prev_close": "1.5"
        })))
    }

    fn decimals(&mut self, name: &str) -> Option<String> {
        Some(json!({ "op": "facts", "symbol": name, "price_digits": 2, "size_digits": 8 }).to_string())
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(json!({ "op": "heartbeat", "sent": self.sent }).to_string())
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        Some([self.status(name, number, "halted"), self.status(name, number + 1, "resumed")])
    }

    fn planned_end(&mut self) -> Option<String> {
        Some(json!({ "op": "closing" }).to_string())
    }

    fn lose_a_frame(&mut self) -> bool {
        self.sent += 1;
        true
    }
}

/// Expects the feed's request for these symbols, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str]) {
    connection.expect(&json!({ "id": 1, "op": "subscribe", "symbols": symbols })).await;
    connection.send(r#"{"op":"ack","id":1}"#).await;
}

/// Expects any request, and refuses it.
///
/// # Panics
///
/// If none comes.
pub async fn refuse(connection: &mut Connection) {
    connection.text().await;
    connection.send(r#"{"op":"refuse","id":1}"#).await;
}

/// A trade of MSFT, whose price is also its id.
#[must_use]
pub fn trade(price: u32) -> String {
    format!(r#"{{"type":"trade","symbol":"MSFT","id":{price},"price":"{price}","size":1,"side":"buy"}}"#)
}
