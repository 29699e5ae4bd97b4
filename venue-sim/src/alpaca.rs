//! Alpaca's market data streams, which begin with a login, after its documentation of real-time stock data.

use crate::{
    Connection,
    dialect::{Account, Dialect, Held, Manner, Part, begins},
    time::{rfc3339, time_of},
};
use serde_json::{Value, json};

/// The key that the venue knows.
pub const KEY: &str = "PKTEST";
/// Its secret.
pub const SECRET: &str = "hush";

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "alpaca",
    query: "",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: true,
    // Each exchange numbers its trades for itself, and a bar has the time of its day.
    by_arrival: &[Part::Trade, Part::Quote, Part::Statistics],
    new: |refused| Alpaca::boxed(&STOCK_CHANNELS, refused),
};

/// How to play its stream of coins, after its documentation of real-time crypto data.
pub const CRYPTO: Manner = Manner {
    venue: "alpaca-crypto",
    query: "",
    symbols: [("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")],
    refused: ("BAD-USD", "BAD/USD"),
    checks_names: true,
    // A bar has the time of its day.
    by_arrival: &[Part::Statistics],
    new: |refused| Alpaca::boxed(&COIN_CHANNELS, refused),
};

const WELCOME: &str = r#"[{"T":"success","msg":"connected"}]"#;
const LOGGED_IN: &str = r#"[{"T":"success","msg":"authenticated"}]"#;

/// The channels of an answer, and the requested channel that brings each.
const STOCK_CHANNELS: [(&str, &str); 7] = [
    ("trades", "trades"),
    ("quotes", "quotes"),
    ("dailyBars", "dailyBars"),
    ("statuses", "statuses"),
    ("lulds", "lulds"),
    ("corrections", "trades"),
    ("cancelErrors", "trades"),
];
const COIN_CHANNELS: [(&str, &str); 3] = [("trades", "trades"), ("quotes", "quotes"), ("dailyBars", "dailyBars")];

/// The symbols of a request for snapshots, by its head.
///
/// # Panics
///
/// If the venue would not answer it: another path or feed, another key, or no symbol.
#[must_use]
pub fn asked(head: &str) -> Vec<String> {
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let names = target.strip_prefix("/v2/stocks/snapshots?feed=iex&symbols=");
    let names = names.or_else(|| target.strip_prefix("/v1beta3/crypto/us/snapshots?symbols="));
    let names = names.unwrap_or_else(|| panic!("{target} is asked for"));
    let has = |field: String| head.to_ascii_lowercase().contains(&field.to_ascii_lowercase());
    assert!(has(format!("\r\napca-api-key-id: {KEY}\r\n")), "{head}");
    assert!(has(format!("\r\napca-api-secret-key: {SECRET}\r\n")), "{head}");
    assert!(!names.is_empty(), "{head}");
    names.split("%2C").map(|name| name.replace("%2F", "/")).collect()
}

/// A venue's answer about these symbols of the stream of stocks: a trade and a quote of the time of this number, and a
/// day's figures with the close before.
#[must_use]
pub fn snapshots(names: &[String], number: u64, price: &str, close: &str) -> String {
    let time = rfc3339(time_of(number));
    let state = |name: &String| {
        format!(
            r#""{name}":{{"dailyBar":{{"c":{price},"h":200,"l":100,"n":9,"o":150,"t":"2024-08-08T04:00:00Z","v":1000,"vw":150}},"latestQuote":{{"ap":171.3,"as":2,"ax":"V","bp":171.2,"bs":1,"bx":"V","c":["R"],"t":"{time}","z":"C"}},"latestTrade":{{"c":["@"],"i":{number},"p":{price},"s":100,"t":"{time}","x":"V","z":"C"}},"minuteBar":{{"c":1,"h":1,"l":1,"n":1,"o":1,"t":"{time}","v":1,"vw":1}},"prevDailyBar":{{"c":{close},"h":1,"l":1,"n":1,"o":1,"t":"2024-08-07T04:00:00Z","v":1,"vw":1}}}}"#
        )
    };
    format!("{{{}}}", names.iter().map(state).collect::<Vec<_>>().join(","))
}

/// A connection.
struct Alpaca {
    account: Option<Account>,
    channels: &'static [(&'static str, &'static str)],
    refused: Vec<String>,
    is_logged_in: bool,
    /// What each channel has been granted, as the answer has it: in quotes, with commas.
    listed: Vec<String>,
}

impl Alpaca {
    fn boxed(channels: &'static [(&'static str, &'static str)], refused: &[&str]) -> Box<dyn Dialect> {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Self {
            account: None,
            channels,
            refused,
            is_logged_in: false,
            listed: vec![String::new(); channels.len()],
        })
    }

    fn has_coins(&self) -> bool {
        self.channels.len() == COIN_CHANNELS.len()
    }

    /// How many trades are subscribed with those that this request adds.
    fn listed_with(&self, request: &Value) -> usize {
        let before = self.listed[0].split(',').filter(|name| !name.is_empty()).count();
        before + request["trades"].as_array().map_or(0, Vec::len)
    }

    /// The answer lists all that is subscribed by then, in all channels, and leaves out what is refused.
    fn list_all_channels(&mut self, request: &Value) -> String {
        let mut answer = r#"[{"T":"subscription","bars":[],"updatedBars":[]"#.to_owned();
        let begins = request["action"] == "subscribe";
        for ((channel, comes_with), all) in self.channels.iter().zip(&mut self.listed) {
            for name in request[comes_with].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_else(|| panic!("{name} in {request}"));
                if !begins {
                    let quoted = format!("\"{name}\"");
                    let others = all.split(',').filter(|other| *other != quoted && !other.is_empty());
                    *all = others.collect::<Vec<_>>().join(",");
                } else if !self.refused.iter().any(|refused| refused == name) {
                    let comma = if all.is_empty() { "" } else { "," };
                    all.push_str(&format!("{comma}\"{name}\""));
                }
            }
            answer.push_str(&format!(",\"{channel}\":[{all}]"));
        }
        answer + "}]"
    }
}

fn error(code: u16, words: &str) -> String {
    format!(r#"[{{"T":"error","code":{code},"msg":"{words}"}}]"#)
}

impl Dialect for Alpaca {
    fn handshake(&mut self, target: &str) -> u16 {
        assert_eq!(target, if self.has_coins() { "/v1beta3/crypto/us" } else { "/v2/iex" });
        101
    }

    fn account(&mut self, account: Account) -> bool {
        self.account = Some(account);
        true
    }

    fn greeting(&mut self) -> Vec<String> {
        vec![WELCOME.to_owned()]
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if !self.is_logged_in {
            let [key, secret] = [&parsed["key"], &parsed["secret"]];
            assert_eq!(parsed, json!({ "action": "auth", "key": key, "secret": secret }));
            let answer = match self.account {
                _ if key != KEY || secret != SECRET => error(402, "auth failed"),
                Some(Account::NoConnectionLeft) => error(406, "connection limit exceeded"),
                Some(Account::WithoutStream) => error(409, "insufficient subscription"),
                _ => LOGGED_IN.to_owned(),
            };
            self.is_logged_in = answer == LOGGED_IN;
            return vec![answer];
        }
        let keys = parsed.as_object().into_iter().flat_map(serde_json::Map::keys);
        let is_known =
            |key: &str| key == "action" || self.channels.iter().any(|(channel, by)| key == *channel && by == channel);
        keys.for_each(|key| assert!(is_known(key), "{key} in {request}"));
        let begins = begins(&parsed["action"], ["subscribe", "unsubscribe"], request);
        match self.account {
            // What was subscribed before stays so.
            Some(Account::Symbols(limit)) if begins && self.listed_with(&parsed) > limit => {
                return vec![error(405, "symbol limit exceeded")];
            }
            Some(Account::TradesOnly) if begins && parsed["trades"].is_null() => {
                return vec![error(410, "invalid subscribe action for this feed")];
            }
            _ => {}
        }
        vec![self.list_all_channels(&parsed)]
    }

    fn subscribed(&self) -> Vec<String> {
        let mut held = Held::default();
        for ((channel, _), all) in self.channels.iter().zip(&self.listed) {
            all.split(',')
                .filter(|name| !name.is_empty())
                .for_each(|name| _ = held.set(name.trim_matches('"'), channel, true));
        }
        held.names(self.channels.len())
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let time = rfc3339(micros);
        if self.has_coins() {
            return format!(r#"[{{"T":"t","S":"{name}","p":{price},"s":{size},"t":"{time}","i":{number},"tks":"B"}}]"#);
        }
        format!(
            r#"[{{"T":"t","S":"{name}","i":{number},"x":"V","p":{price},"s":{size},"c":["@"],"z":"C","t":"{time}"}}]"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let time = rfc3339(time_of(number));
        if self.has_coins() {
            return Some(format!(
                r#"[{{"T":"q","S":"{name}","bp":{bid},"bs":1.25,"ap":{ask},"as":0.5,"t":"{time}"}}]"#
            ));
        }
        Some(format!(
            r#"[{{"T":"q","S":"{name}","bx":"V","bp":{bid},"bs":2,"ax":"V","ap":{ask},"as":1,"c":["R"],"z":"C","t":"{time}"}}]"#
        ))
    }

    fn statistics(&mut self, name: &str, number: u64, high: &str) -> Option<String> {
        Some(format!(
            r#"[{{"T":"d","S":"{name}","o":1,"h":{high},"l":0.5,"c":1,"v":{number},"t":"2024-08-08T04:00:00Z","n":{number},"vw":1}}]"#
        ))
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        if self.has_coins() {
            return None;
        }
        let status = |number: u64, code: &str, words: &str, reason: &str| {
            let time = rfc3339(time_of(number));
            format!(
                r#"[{{"T":"s","S":"{name}","sc":"{code}","sm":"{words}","rc":"{reason}","rm":"","t":"{time}","z":"C"}}]"#
            )
        };
        Some([status(number, "H", "Trading Halt", "T1"), status(number + 1, "T", "Trading Resumption", "T3")])
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(error(402, "auth failed"))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(error(407, "slow client"))
    }
}

/// Greets the feed and returns its login.
///
/// # Panics
///
/// If none comes.
pub async fn greet(connection: &mut Connection) -> String {
    connection.send(WELCOME).await;
    connection.text().await
}

/// Greets the feed and expects a login with [`KEY`] and [`SECRET`], which it does not answer.
///
/// # Panics
///
/// If the feed logs in with another key.
pub async fn log_in(connection: &mut Connection) {
    let login = greet(connection).await;
    assert_eq!(login, format!(r#"{{"action":"auth","key":"{KEY}","secret":"{SECRET}"}}"#));
}

/// Lets the feed in and expects its request for the prices of all these symbols, of which it grants some. If it grants
/// all, it also grants the request that follows, for bars, statuses and price bands.
///
/// # Panics
///
/// If another request comes.
pub async fn grant(connection: &mut Connection, symbols: &[&str], granted: &[&str]) {
    log_in(connection).await;
    connection.send(LOGGED_IN).await;
    connection.expect(&json!({ "action": "subscribe", "quotes": symbols, "trades": symbols })).await;
    acknowledge(connection, granted).await;
    if granted.len() == symbols.len() {
        grant_extras(connection, granted).await;
    }
}

/// Acknowledges the prices of these symbols.
///
/// # Panics
///
/// If the feed has hung up.
pub async fn acknowledge(connection: &mut Connection, granted: &[&str]) {
    let answer = json!([{ "T": "subscription", "trades": granted, "quotes": granted }]);
    connection.send(&answer.to_string()).await;
}

/// Expects the request for bars, statuses and price bands of these symbols, and grants it.
///
/// # Panics
///
/// If another request comes.
pub async fn grant_extras(connection: &mut Connection, granted: &[&str]) {
    let extras = json!({ "action": "subscribe", "dailyBars": granted, "statuses": granted, "lulds": granted });
    connection.expect(&extras).await;
    let answer = json!([{ "T": "subscription", "dailyBars": granted, "statuses": granted, "lulds": granted }]);
    connection.send(&answer.to_string()).await;
}
