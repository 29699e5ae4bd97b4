//! The ticks that a client must see of a session, derived from its frames by a few rules that share no code with the
//! gateway.

use super::recording::Recording;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A tick's fields, each as its JSON text, so that numbers are compared digit by digit.
pub type Fields = BTreeMap<String, String>;

/// Each symbol's ticks, without the one field that only the gateway can know, `recv`.
pub type Expected = BTreeMap<&'static str, Vec<Fields>>;

#[derive(Deserialize)]
struct Envelope<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: BTreeMap<&'a str, &'a RawValue>,
}

/// The gateway's names of the venue's symbols.
const NAMES: [(&str, &str); 2] = [("BTCUSDT", "BTC-USDT"), ("ETHUSDT", "ETH-USDT")];

/// Each trade is a tick, and each quote that changes a field.
pub fn expected(recording: &Recording) -> Expected {
    let mut latest: BTreeMap<&str, Fields> = BTreeMap::new();
    let mut expected = Expected::new();
    for frame in &recording.frames {
        let Envelope { stream, data } = serde_json::from_str(&frame.text).unwrap();
        let text = |key: &str| data[key].get().trim_matches('"');
        let (_, symbol) = NAMES.into_iter().find(|(name, _)| *name == text("s")).unwrap();
        let fields = latest.entry(symbol).or_default();
        let ticks = expected.entry(symbol).or_default();
        let before = fields.clone();
        let mut set = |name: &str, value: String| fields.insert(name.to_owned(), value);
        let kind = if stream.ends_with("@trade") {
            set("price", plain(text("p")));
            set("size", plain(text("q")));
            set("side", if text("m") == "true" { "\"sell\"" } else { "\"buy\"" }.to_owned());
            set("trade_ts", micros(text("T")));
            let trades = before.get("trades").map_or(0, |trades| trades.parse().unwrap());
            set("trades", (trades + 1_u64).to_string());
            "\"trade\""
        } else {
            for (price, size, from_price, from_size) in [("bid", "bid_size", "b", "B"), ("ask", "ask_size", "a", "A")] {
                let values = [plain(text(from_price)), plain(text(from_size))];
                let is_empty = values == ["0", "0"];
                for (name, value) in [price, size].into_iter().zip(values) {
                    if is_empty {
                        fields.remove(name)
                    } else {
                        fields.insert(name.to_owned(), value)
                    };
                }
            }
            if *fields == before {
                continue;
            }
            "\"quote\""
        };
        let mut tick = fields.clone();
        let own = [("symbol", format!("\"{symbol}\"")), ("seq", (ticks.len() + 1).to_string())];
        let state = [("kind", kind.to_owned()), ("state", "\"live\"".to_owned())];
        tick.extend(own.into_iter().chain(state).map(|(name, value)| (name.to_owned(), value)));
        ticks.push(tick);
    }
    expected
}

/// Without trailing zeros, and without a point that nothing follows.
fn plain(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    }
}

/// The venue gives ms or µs: in this century they have 13 and 16 digits.
fn micros(time: &str) -> String {
    format!("{time:0<16}")
}
