//! Twelve Data's stream of prices, after its documentation. The key stands in the address.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::time_of,
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "twelvedata",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(TwelveData { refused, held: Held::default() })
    },
};

/// A connection.
struct TwelveData {
    refused: Vec<String>,
    held: Held,
}

const HEARTBEAT: &str = r#"{"event":"heartbeat","status":"ok"}"#;

impl Dialect for TwelveData {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if parsed == json!({ "action": "heartbeat" }) {
            return vec![HEARTBEAT.to_owned()];
        }
        let names = parsed["params"]["symbols"].as_str().unwrap_or_else(|| panic!("no symbols in {request}"));
        let begins = begins(&parsed["action"], ["subscribe", "unsubscribe"], request);
        assert_eq!(parsed, json!({ "action": parsed["action"], "params": { "symbols": names } }));
        let is_refused = |name: &&str| begins && self.refused.iter().any(|refused| refused == name);
        let (fails, taken): (Vec<&str>, Vec<&str>) = names.split(',').partition(is_refused);
        taken.iter().for_each(|name| _ = self.held.set(name, "price", begins));
        if !begins {
            return vec![r#"{"event":"unsubscribe-status","status":"ok"}"#.to_owned()];
        }
        let success = |name: &&str| json!({ "symbol": name, "exchange": "NASDAQ", "mic_code": "XNGS", "country": "United States", "type": "Common Stock" });
        let success: Vec<Value> = taken.iter().map(success).collect();
        let failed: Vec<Value> = fails.iter().map(|name| json!({ "symbol": name })).collect();
        let status = if taken.is_empty() { "error" } else { "ok" };
        let fails = if failed.is_empty() { Value::Null } else { failed.into() };
        vec![json!({ "event": "subscribe-status", "status": status, "success": success, "fails": fails }).to_string()]
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(1)
    }

    /// Times are whole seconds: each number has one of its own.
    fn trade(&mut self, name: &str, number: u64, price: &str, size: &str) -> String {
        self.trade_at(name, number, time_of(1_000 * number), price, size)
    }

    fn trade_at(&mut self, name: &str, _: u64, micros: u64, price: &str, _: &str) -> String {
        let seconds = micros / 1_000_000;
        format!(
            r#"{{"event":"price","symbol":"{name}","currency":"USD","exchange":"NASDAQ","mic_code":"XNGS","type":"Common Stock","timestamp":{seconds},"price":{price}}}"#
        )
    }

    fn quote(&mut self, _: &str, _: u64, _: &str, _: &str) -> Option<String> {
        None
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(HEARTBEAT.to_owned())
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(r#"{"status":"error","code":401,"message":"apikey parameter is incorrect or not specified"}"#.to_owned())
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(r#"{"status":"error","code":500,"message":"internal error"}"#.to_owned())
    }
}
