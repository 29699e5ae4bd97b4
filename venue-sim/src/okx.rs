//! OKX's public channels, after its documentation of version 5.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::time_of,
};
use serde_json::Value;

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "okx",
    query: "",
    symbols: [("BTC-USDT", "BTC-USDT"), ("ETH-USDT-PERP", "ETH-USDT-SWAP")],
    refused: ("BAD-USDT", "BAD-USDT"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Okx { refused, held: Held::default() })
    },
};

/// What an argument has besides its channel and its name.
const ARG_BYTES: usize = r#"{"channel":"","instId":""},"#.len();
/// The most bytes of the arguments of a connection.
const BYTES_MAX: usize = 64_000;

/// A connection.
struct Okx {
    refused: Vec<String>,
    held: Held,
}

impl Okx {
    /// The answer for one channel of one instrument.
    fn answer_one(&mut self, begins: bool, arg: &Value, request: &str) -> String {
        let keys = arg.as_object().unwrap_or_else(|| panic!("{arg} in {request}"));
        let text = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("no {key} in {request}"));
        let (channel, name) = (text("channel"), text("instId"));
        assert!(keys.len() == 2 && matches!(channel, "trades" | "bbo-tbt" | "tickers"), "{arg} in {request}");
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.contains('-') && !name.ends_with("-PERP") && name.bytes().all(is_name), "{arg} in {request}");
        if begins && self.refused.iter().any(|refused| refused == name) {
            return format!(
                r#"{{"event":"error","msg":"Subscribe failed, wrong URL or channel:{channel},instId:{name} doesn't exist. Please use the correct URL, channel and parameters referring to API document.","code":"60018","connId":"a4d3ae55"}}"#
            );
        }
        self.held.set(name, channel, begins);
        let bytes: usize = self.held.iter().map(|(name, channel)| name.len() + channel.len() + ARG_BYTES).sum();
        assert!(bytes <= BYTES_MAX, "{bytes} bytes of arguments");
        let event = if begins { "subscribe" } else { "unsubscribe" };
        format!(r#"{{"event":"{event}","arg":{{"channel":"{channel}","instId":"{name}"}},"connId":"a4d3ae55"}}"#)
    }
}

impl Dialect for Okx {
    fn answer(&mut self, request: &str) -> Vec<String> {
        if request == "ping" {
            return vec!["pong".to_owned()];
        }
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let begins = begins(&parsed["op"], ["subscribe", "unsubscribe"], request);
        let args = parsed["args"].as_array().filter(|args| !args.is_empty());
        let args = args.unwrap_or_else(|| panic!("no arguments in {request}"));
        let mut answers: Vec<String> = args.iter().map(|arg| self.answer_one(begins, arg, request)).collect();
        let channel = &args[0]["channel"];
        answers.push(format!(
            r#"{{"event":"channel-conn-count","channel":{channel},"connCount":"1","connId":"a4d3ae55"}}"#
        ));
        answers
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(3)
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let millis = micros / 1_000;
        format!(
            r#"{{"arg":{{"channel":"trades","instId":"{name}"}},"data":[{{"instId":"{name}","tradeId":"{number}","px":"{price}","sz":"{size}","side":"buy","ts":"{millis}","count":"1","source":"0","seqId":81625379835}}]}}"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let millis = time_of(number) / 1_000;
        Some(format!(
            r#"{{"arg":{{"channel":"bbo-tbt","instId":"{name}"}},"data":[{{"asks":[["{ask}","0.25697131","0","3"]],"bids":[["{bid}","0.65302934","0","9"]],"ts":"{millis}","seqId":{number}}}]}}"#
        ))
    }

    /// Its last price, bid and ask are wrong: other channels have the right ones.
    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        let millis = time_of(number) / 1_000;
        Some(format!(
            r#"{{"arg":{{"channel":"tickers","instId":"{name}"}},"data":[{{"instType":"SPOT","instId":"{name}","last":"0.01","lastSz":"0","askPx":"0.03","askSz":"1","bidPx":"","bidSz":"","open24h":"1","high24h":"{high}","low24h":"0.5","sodUtc0":"1","sodUtc8":"1","volCcy24h":"458903124.056360828","vol24h":"5449.95415651","ts":"{millis}"}}]}}"#
        ))
    }

    fn planned_end(&mut self) -> Option<String> {
        let message = "The connection will soon be closed for a service upgrade. Please reconnect.";
        Some(format!(r#"{{"event":"notice","code":"64008","msg":"{message}","connId":"a4d3ae55"}}"#))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(r#"{"event":"error","code":"60014","msg":"Requests too frequent","connId":"a4d3ae55"}"#.to_owned())
    }
}
