//! Kraken's spot streams, after its documentation of websocket API version 2.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::{rfc3339, time_of},
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "kraken",
    query: "",
    symbols: [("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")],
    refused: ("BAD-USD", "BAD/USD"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Kraken { refused, held: Held::default() })
    },
};

/// A connection.
struct Kraken {
    refused: Vec<String>,
    held: Held,
}

/// A ticker, which is always whole.
fn ticker(name: &str, number: u64, [bid, ask, high]: [&str; 3]) -> String {
    let time = rfc3339(time_of(number));
    format!(
        r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"{name}","bid":{bid},"bid_qty":0.56251979,"ask":{ask},"ask_qty":0.00044780,"last":{ask},"volume":3156.84782110,"vwap":{high},"low":0.5,"high":{high},"change":-429.3,"change_pct":-0.51,"trades":{number},"timestamp":"{time}"}}]}}"#
    )
}

fn status(system: &str) -> String {
    format!(
        r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}","api_version":"v2","connection_id":18125794168470749634,"upcoming_maintenance":[],"emergency":[]}}]}}"#
    )
}

const TIMES: &str = r#""time_in":"2024-08-08T13:54:15.829165Z","time_out":"2024-08-08T13:54:15.829217Z""#;

impl Dialect for Kraken {
    fn greeting(&mut self) -> Vec<String> {
        vec![status("online")]
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let begins = begins(&parsed["method"], ["subscribe", "unsubscribe"], request);
        let method = if begins { "subscribe" } else { "unsubscribe" };
        let id = parsed["req_id"].as_u64().unwrap_or_else(|| panic!("no id in {request}"));
        let params = &parsed["params"];
        let channel = params["channel"].as_str().unwrap_or_default();
        let names = params["symbol"].as_array().filter(|names| !names.is_empty());
        let names = names.unwrap_or_else(|| panic!("no symbols in {request}"));
        let mut expected = json!({ "channel": channel, "symbol": names });
        if begins {
            expected["snapshot"] = json!(true);
        }
        match channel {
            "trade" => {}
            "ticker" => expected["event_trigger"] = json!("bbo"),
            _ => panic!("channel {channel} in {request}"),
        }
        assert_eq!(params, &expected, "{request}");
        let answer = |name: &Value| {
            let name = name.as_str().filter(|name| name.contains('/'));
            let name = name.unwrap_or_else(|| panic!("a symbol without a slash in {request}"));
            if begins && self.refused.iter().any(|refused| refused == name) {
                return format!(
                    r#"{{"error":"Currency pair not supported {name}","method":"subscribe","success":false,"symbol":"{name}",{TIMES}}}"#
                );
            }
            if !self.held.set(name, channel, begins) && !begins {
                return format!(
                    r#"{{"error":"Subscription Not Found","method":"{method}","success":false,"symbol":"{name}",{TIMES},"req_id":{id}}}"#
                );
            }
            format!(
                r#"{{"method":"{method}","result":{{"channel":"{channel}","snapshot":true,"symbol":"{name}"}},"success":true,{TIMES},"req_id":{id}}}"#
            )
        };
        // One for each symbol, in any order.
        names.iter().rev().map(answer).collect()
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(2)
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let time = rfc3339(micros);
        format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{name}","side":"buy","price":{price},"qty":{size},"ord_type":"limit","trade_id":{number},"timestamp":"{time}"}}]}}"#
        )
    }

    /// The day's high is the ask, and a day's high is both bid and ask.
    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        Some(ticker(name, number, [bid, ask, ask]))
    }

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        Some(ticker(name, number, [high; 3]))
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(r#"{"channel":"heartbeat"}"#.to_owned())
    }

    fn halt(&mut self, _name: &str, _number: u64) -> Option<[String; 2]> {
        Some([status("maintenance"), status("online")])
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(format!(
            r#"{{"error":"ESession:Invalid session","method":"subscribe","status":"error","success":false,{TIMES}}}"#
        ))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(r#"{"Error":"Exceeded msg rate"}"#.to_owned())
    }
}
