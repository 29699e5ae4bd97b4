//! The public streams of Binance's USD-margined futures, after its documentation.

use crate::{
    binance::Streams,
    dialect::{Dialect, Manner},
    time::time_of,
};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "binance-usdm",
    query: "",
    symbols: [("BTC-USDT-PERP", "BTCUSDT"), ("ETH-USDT-PERP", "ETHUSDT")],
    refused: ("BAD-USDT-PERP", "BADUSDT"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Usdm(Streams::new(&["trade", "bookTicker"], refused))),
};

/// A connection to the combined streams of the public path. Statistics come from another path.
struct Usdm(Streams);

impl Dialect for Usdm {
    fn answer(&mut self, request: &str) -> Vec<String> {
        self.0.answer(request)
    }

    fn subscribed(&self) -> Vec<String> {
        self.0.subscribed()
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let (stream, time) = (name.to_lowercase(), micros / 1_000);
        format!(
            r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{time},"T":{time},"s":"{name}","t":{number},"p":"{price}","q":"{size}","X":"MARKET","m":false}}}}"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let (stream, time) = (name.to_lowercase(), time_of(number) / 1_000);
        Some(format!(
            r#"{{"stream":"{stream}@bookTicker","data":{{"e":"bookTicker","u":{number},"s":"{name}","ps":"{name}","b":"{bid}","B":"2.507","a":"{ask}","A":"2.510","T":{time},"E":{time},"st":1}}}}"#
        ))
    }

    fn planned_end(&mut self) -> Option<String> {
        Some(r#"{"e":"serverShutdown","E":1770123456789}"#.to_owned())
    }
}
