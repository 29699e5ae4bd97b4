//! Binance's market streams, after its documentation of the websocket streams: spot, and what futures share.

use crate::{
    Connection,
    dialect::{Dialect, Manner, begins},
    time::time_of,
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "binance",
    query: "",
    symbols: [("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")],
    refused: ("BAD-USDT", "BADUSDT"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Binance(Streams::new(&["trade", "bookTicker", "ticker"], refused))),
};

/// The most streams of a connection.
const STREAMS_MAX: usize = 1_024;

/// The streams of a connection.
pub(crate) struct Streams {
    kinds: &'static [&'static str],
    refused: Vec<String>,
    streams: HashSet<String>,
}

impl Streams {
    /// None so far. A symbol has streams of these kinds.
    pub(crate) fn new(kinds: &'static [&'static str], refused: &[&str]) -> Self {
        let refused = refused.iter().map(|name| name.to_lowercase()).collect();
        Self { kinds, refused, streams: HashSet::new() }
    }

    /// The names whose streams are all subscribed.
    pub(crate) fn subscribed(&self) -> Vec<String> {
        let is_whole = |name: &&str| self.kinds.iter().all(|kind| self.streams.contains(&format!("{name}@{kind}")));
        let names: BTreeSet<&str> = self.streams.iter().filter_map(|stream| stream.split('@').next()).collect();
        names.into_iter().filter(is_whole).map(str::to_uppercase).collect()
    }

    /// The answer to a request for streams.
    pub(crate) fn answer(&mut self, request: &str) -> Vec<String> {
        let Subscribe { id, streams, begins } = Subscribe::parse(request);
        if !begins {
            streams.iter().for_each(|stream| _ = self.streams.remove(stream));
            return vec![format!(r#"{{"result":null,"id":{id}}}"#)];
        }
        let kind = |stream: &String| stream.split('@').nth(1).map(str::to_owned).unwrap_or_default();
        assert!(streams.iter().all(|stream| self.kinds.contains(&kind(stream).as_str())), "{request}");
        let of_streams = |name: &String| streams.iter().any(|stream| stream.split('@').next() == Some(name.as_str()));
        if self.refused.iter().any(of_streams) {
            // It does not say which stream it means, and adds none.
            return vec![format!(r#"{{"error":{{"code":2,"msg":"Invalid request: a stream is invalid"}},"id":{id}}}"#)];
        }
        self.streams.extend(streams);
        assert!(self.streams.len() <= STREAMS_MAX, "{} streams on one connection", self.streams.len());
        vec![format!(r#"{{"result":null,"id":{id}}}"#)]
    }
}

/// A connection to the spot market's combined streams.
struct Binance(Streams);

impl Dialect for Binance {
    fn answer(&mut self, request: &str) -> Vec<String> {
        self.0.answer(request)
    }

    fn subscribed(&self) -> Vec<String> {
        self.0.subscribed()
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

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        let (stream, time) = (name.to_lowercase(), time_of(number));
        Some(format!(
            r#"{{"stream":"{stream}@ticker","data":{{"e":"24hrTicker","E":{time},"s":"{name}","p":"-88.17000000","P":"-0.142","w":"1.10000000","x":"1.20000000","c":"1.00000000","Q":"0.00209000","b":"1.00000000","B":"3.78826000","a":"1.10000000","A":"1.54698000","o":"1.20000000","h":"{high}","l":"0.50000000","v":"20248.90010000","q":"22273.79011000","O":{time},"C":{time},"F":1,"L":32424,"n":32424}}}}"#
        ))
    }

    fn planned_end(&mut self) -> Option<String> {
        Some(r#"{"e":"serverShutdown","E":1770123456789}"#.to_owned())
    }
}

/// A request for streams.
struct Subscribe {
    id: u64,
    begins: bool,
    streams: Vec<String>,
}

impl Subscribe {
    fn parse(request: &str) -> Self {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let begins = begins(&parsed["method"], ["SUBSCRIBE", "UNSUBSCRIBE"], request);
        let id = parsed["id"].as_u64().unwrap_or_else(|| panic!("no id in {request}"));
        let params = parsed["params"].as_array().filter(|params| !params.is_empty());
        let params = params.unwrap_or_else(|| panic!("no streams in {request}"));
        let stream = |param: &Value| {
            let stream = param.as_str().unwrap_or_else(|| panic!("{param} in {request}"));
            let (name, kind) = stream.split_once('@').unwrap_or_else(|| panic!("{stream} in {request}"));
            let is_lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(is_lower && !kind.is_empty(), "{stream} in {request}");
            stream.to_owned()
        };
        Self { id, begins, streams: params.iter().map(stream).collect() }
    }
}

/// Expects the feed's request for the streams of these symbols, named as the venue names them, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str]) {
    let kinds = ["trade", "bookTicker", "ticker"];
    let wanted: Vec<String> = symbols.iter().flat_map(|symbol| kinds.map(|kind| format!("{symbol}@{kind}"))).collect();
    let Subscribe { id, streams, .. } = Subscribe::parse(&connection.text().await);
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
