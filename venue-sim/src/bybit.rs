//! Bybit's public streams of version 5, after its documentation: spot, linear and inverse.

use crate::{
    dialect::{Dialect, Held, Manner, begins},
    time::time_of,
};
use serde_json::{Value, json};
use std::collections::HashSet;

/// How to play the spot market.
pub const SPOT: Manner = Manner {
    venue: "bybit-spot",
    query: "",
    symbols: [("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")],
    refused: ("BAD-USDT", "BADUSDT"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Bybit::new(true, refused)),
};

/// How to play contracts that are settled in USDT.
pub const LINEAR: Manner = Manner {
    venue: "bybit-linear",
    query: "",
    symbols: [("BTC-USDT-PERP", "BTCUSDT"), ("ETH-USDT-PERP", "ETHUSDT")],
    refused: ("BAD-USDT-PERP", "BADUSDT"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Bybit::new(false, refused)),
};

/// How to play contracts that are settled in coins.
pub const INVERSE: Manner = Manner {
    venue: "bybit-inverse",
    query: "",
    symbols: [("BTC-USD-PERP", "BTCUSD"), ("ETH-USD-PERP", "ETHUSD")],
    refused: ("BAD-USD-PERP", "BADUSD"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| Box::new(Bybit::new(false, refused)),
};

/// The most topics of a request, and the most characters of all topics of a connection.
const SPOT_TOPICS_PER_REQUEST: usize = 10;
const CHARACTERS_MAX: usize = 21_000;

/// A connection.
struct Bybit {
    is_spot: bool,
    refused: Vec<String>,
    topics: HashSet<String>,
    /// The contracts whose ticker was sent whole: what follows are changes.
    whole: HashSet<String>,
}

impl Bybit {
    fn new(is_spot: bool, refused: &[&str]) -> Self {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Self { is_spot, refused, topics: HashSet::new(), whole: HashSet::new() }
    }

    /// Why it refuses all of these topics, if it does.
    fn refusal(&self, topics: &[&str]) -> Option<String> {
        let held = topics.iter().find(|topic| self.topics.contains(**topic));
        if let Some(topic) = held {
            return Some(format!("error:already subscribed,topic:{topic}"));
        }
        let is_refused = |topic: &&str| self.refused.iter().any(|name| topic.rsplit('.').next() == Some(name.as_str()));
        topics.iter().any(is_refused).then(|| "error:handler not found".to_owned())
    }

    fn takes(&self, topic: &str) -> bool {
        let name = match topic.split_once('.') {
            Some(("publicTrade" | "tickers", name)) => name,
            Some(("orderbook", name)) if self.is_spot => name.strip_prefix("1.").unwrap_or_default(),
            _ => "",
        };
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
    }

    /// A ticker of a contract: these fields, and all others where it is the first one of the connection.
    fn contract(&mut self, name: &str, number: u64, fields: &str, others: &str) -> String {
        let is_first = self.whole.insert(name.to_owned());
        let (kind, others) = if is_first { ("snapshot", others) } else { ("delta", "") };
        let time = time_of(number) / 1_000;
        format!(
            r#"{{"topic":"tickers.{name}","type":"{kind}","data":{{"symbol":"{name}",{fields}{others}}},"cs":{number},"ts":{time}}}"#
        )
    }
}

impl Dialect for Bybit {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if parsed == json!({ "op": "ping" }) {
            let mut pong =
                json!({ "success": true, "ret_msg": "pong", "conn_id": "d9avt8shteepr00gfc1g", "op": "ping" });
            if !self.is_spot {
                pong["req_id"] = "".into();
            }
            return vec![pong.to_string()];
        }
        let begins = begins(&parsed["op"], ["subscribe", "unsubscribe"], request);
        let id = parsed["req_id"].as_str().unwrap_or_else(|| panic!("no req_id in {request}"));
        let topics = parsed["args"].as_array().unwrap_or_else(|| panic!("no args in {request}"));
        let topics: Vec<&str> = topics.iter().map(|topic| topic.as_str().expect("a topic")).collect();
        assert!(!topics.is_empty() && topics.iter().all(|topic| self.takes(topic)), "{request}");
        assert!(!self.is_spot || topics.len() <= SPOT_TOPICS_PER_REQUEST, "{} args: {request}", topics.len());
        if !begins {
            topics.iter().for_each(|topic| _ = self.topics.remove(*topic));
            let answer = json!({
                "success": true, "ret_msg": "", "conn_id": "d9avt8shteepr00gfc1g", "req_id": id, "op": "unsubscribe"
            });
            return vec![answer.to_string()];
        }
        let refusal = self.refusal(&topics);
        let is_granted = refusal.is_none();
        if is_granted {
            self.topics.extend(topics.into_iter().map(str::to_owned));
            let characters: usize = self.topics.iter().map(String::len).sum();
            assert!(characters <= CHARACTERS_MAX, "{characters} characters of topics on one connection");
        }
        let granted = if self.is_spot { "subscribe" } else { "" };
        let said = refusal.unwrap_or_else(|| granted.to_owned());
        let answer = json!({
            "success": is_granted, "ret_msg": said, "conn_id": "d9avt8shteepr00gfc1g", "req_id": id, "op": "subscribe"
        });
        vec![answer.to_string()]
    }

    fn subscribed(&self) -> Vec<String> {
        let mut held = Held::default();
        for topic in &self.topics {
            held.set(topic.rsplit('.').next().unwrap_or_default(), topic, true);
        }
        held.names(if self.is_spot { 3 } else { 2 })
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let time = micros / 1_000;
        if self.is_spot {
            return format!(
                r#"{{"topic":"publicTrade.{name}","ts":{time},"type":"snapshot","data":[{{"i":"{number}","T":{time},"p":"{price}","v":"{size}","S":"Buy","seq":{number},"s":"{name}","BT":false,"RPI":false}}]}}"#
            );
        }
        format!(
            r#"{{"topic":"publicTrade.{name}","type":"snapshot","ts":{time},"data":[{{"T":{time},"s":"{name}","S":"Buy","v":"{size}","p":"{price}","L":"PlusTick","i":"b9188a0a-82bc-50de-be60-{number:012x}","BT":false,"RPI":false,"seq":{number}}}]}}"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        if !self.is_spot {
            let quote = format!(r#""bid1Price":"{bid}","bid1Size":"6.054","ask1Price":"{ask}","ask1Size":"10.486""#);
            let others = format!(
                r#","lastPrice":"{ask}","prevPrice24h":"{bid}","highPrice24h":"{ask}","lowPrice24h":"{bid}","volume24h":"17573.9120","nextFundingTime":"""#
            );
            return Some(self.contract(name, number, &quote, &others));
        }
        let time = time_of(number) / 1_000;
        Some(format!(
            r#"{{"topic":"orderbook.1.{name}","ts":{time},"type":"snapshot","data":{{"s":"{name}","b":[["{bid}","0.885797"]],"a":[["{ask}","0.31"]],"u":{number},"seq":{number}}},"cts":{time}}}"#
        ))
    }

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        if !self.is_spot {
            let stats = format!(r#""highPrice24h":"{high}""#);
            let others = format!(
                r#","lastPrice":"{high}","prevPrice24h":"{high}","lowPrice24h":"{high}","volume24h":"17573.9120","bid1Price":"{high}","bid1Size":"6.054","ask1Price":"{high}","ask1Size":"10.486""#
            );
            return Some(self.contract(name, number, &stats, &others));
        }
        let time = time_of(number) / 1_000;
        Some(format!(
            r#"{{"topic":"tickers.{name}","ts":{time},"type":"snapshot","cs":{number},"data":{{"symbol":"{name}","lastPrice":"1","highPrice24h":"{high}","lowPrice24h":"0.5","prevPrice24h":"0.9","volume24h":"2953.835931","turnover24h":"191907024.69597728","price24hPcnt":"0.0015","usdIndexPrice":"1.000001"}}}}"#
        ))
    }
}
