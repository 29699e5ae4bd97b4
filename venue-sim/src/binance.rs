//! Binance's market streams, after its documentation of the websocket streams.

use crate::{
    Connection,
    dialect::{Dialect, Manner},
};
use serde_json::{Value, json};
use std::collections::HashSet;

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "binance",
    symbols: [("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")],
    refused: ("BAD-USDT", "BADUSDT"),
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|name| name.to_lowercase()).collect();
        Box::new(Binance { refused, streams: HashSet::new() })
    },
};

/// The most streams of a connection.
const STREAMS_MAX: usize = 1_024;

/// A connection to the combined streams.
struct Binance {
    refused: Vec<String>,
    streams: HashSet<String>,
}

impl Dialect for Binance {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let Subscribe { id, streams } = Subscribe::parse(request);
        let of_streams = |name: &String| streams.iter().any(|stream| stream.split('@').next() == Some(name.as_str()));
        if self.refused.iter().any(of_streams) {
            // It does not say which stream it means, and adds none.
            return vec![format!(r#"{{"error":{{"code":2,"msg":"Invalid request: a stream is invalid"}},"id":{id}}}"#)];
        }
        self.streams.extend(streams);
        assert!(self.streams.len() <= STREAMS_MAX, "{} streams on one connection", self.streams.len());
        vec![format!(r#"{{"result":null,"id":{id}}}"#)]
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let stream = name.to_lowercase();
        format!(
            r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{micros},"s":"{name}","t":{number},"p":"{price}","q":"{size}","T":{micros},"m":true,"M":true}}}}"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        Some(quote(name, number, bid, ask))
    }

    fn planned_end(&mut self) -> Option<String> {
        Some(r#"{"e":"serverShutdown","E":1770123456789}"#.to_owned())
    }
}

/// A request for streams.
struct Subscribe {
    id: u64,
    streams: Vec<String>,
}

impl Subscribe {
    fn parse(request: &str) -> Self {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        assert_eq!(parsed["method"], "SUBSCRIBE", "{request}");
        let id = parsed["id"].as_u64().unwrap_or_else(|| panic!("no id in {request}"));
        let params = parsed["params"].as_array().filter(|params| !params.is_empty());
        let params = params.unwrap_or_else(|| panic!("no streams in {request}"));
        let stream = |param: &Value| {
            let stream = param.as_str().unwrap_or_else(|| panic!("{param} in {request}"));
            let (name, kind) = stream.split_once('@').unwrap_or_else(|| panic!("{stream} in {request}"));
            let is_lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(is_lower && matches!(kind, "trade" | "bookTicker"), "{stream} in {request}");
            stream.to_owned()
        };
        Self { id, streams: params.iter().map(stream).collect() }
    }
}

/// Expects the feed's request for both streams of these symbols, named as the venue names them, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str]) {
    let wanted: Vec<String> =
        symbols.iter().flat_map(|symbol| [format!("{symbol}@trade"), format!("{symbol}@bookTicker")]).collect();
    let Subscribe { id, streams } = Subscribe::parse(&connection.text().await);
    assert_eq!(streams, wanted);
    connection.send(&json!({ "result": null, "id": id }).to_string()).await;
}

/// The frame of a trade.
#[must_use]
pub fn trade(name: &str, number: u64, price: &str) -> String {
    (MANNER.new)(&[]).trade(name, number, price, "0.02000000")
}

/// The frame of a quote.
#[must_use]
pub fn quote(name: &str, id: u64, bid: &str, ask: &str) -> String {
    let stream = name.to_lowercase();
    format!(
        r#"{{"stream":"{stream}@bookTicker","data":{{"u":{id},"s":"{name}","b":"{bid}","B":"3.78826000","a":"{ask}","A":"1.54698000"}}}}"#
    )
}
