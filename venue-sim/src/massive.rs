//! Massive's stream of stocks, which begins with a login, after its documentation and its own clients.

use crate::{
    alpaca::KEY,
    dialect::{Account, Dialect, Held, Manner, Part, begins, close},
    time::time_of,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "massive",
    query: "",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: false,
    // The feed is consolidated, and each exchange numbers its trades for itself.
    by_arrival: &[Part::Trade, Part::Quote],
    new: |_| Box::new(Massive { account: None, is_logged_in: false, held: Held::default() }),
};

const CHANNELS: [&str; 4] = ["T", "Q", "A", "LULD"];

/// A connection.
struct Massive {
    account: Option<Account>,
    is_logged_in: bool,
    held: Held,
}

fn status(status: &str, words: &str) -> String {
    format!(r#"[{{"ev":"status","status":"{status}","message":"{words}"}}]"#)
}

/// It comes after the login.
fn too_many_connections() -> String {
    status("max_connections", "Maximum number of websocket connections exceeded. ")
}

impl Massive {
    /// Whether the plan has this channel.
    fn has(&self, channel: &str) -> bool {
        match self.account {
            Some(Account::WithoutStream) => false,
            Some(Account::TradesOnly) => channel == "T",
            _ => true,
        }
    }
}

impl Dialect for Massive {
    fn handshake(&mut self, target: &str) -> u16 {
        assert_eq!(target, "/stocks");
        101
    }

    /// Stocks have no limit on symbols.
    fn account(&mut self, account: Account) -> bool {
        self.account = Some(account);
        !matches!(account, Account::Symbols(_))
    }

    fn greeting(&mut self) -> Vec<String> {
        vec![status("connected", "Connected Successfully")]
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if !self.is_logged_in {
            let key = &parsed["params"];
            assert_eq!(parsed, json!({ "action": "auth", "params": key }));
            if key != KEY {
                return vec![status("auth_failed", "authentication failed")];
            }
            self.is_logged_in = true;
            return vec![status("auth_success", "authenticated")];
        }
        let topics = parsed["params"].as_str().unwrap_or_else(|| panic!("no topics in {request}"));
        let begins = begins(&parsed["action"], ["subscribe", "unsubscribe"], request);
        assert_eq!(parsed, json!({ "action": parsed["action"], "params": topics }));
        assert!(topics.split(',').count() <= 200, "{request}");
        let word = if begins { "subscribed" } else { "unsubscribed" };
        let mut answers = Vec::new();
        for topic in topics.split(',') {
            let (channel, name) = topic.split_once('.').unwrap_or_else(|| panic!("{topic} in {request}"));
            assert!(CHANNELS.contains(&channel), "{topic} in {request}");
            if begins && !self.has(channel) {
                answers.push(status("error", "not authorized"));
            // A topic that is held already gets no answer.
            } else if self.held.set(name, channel, begins) {
                answers.push(status("success", &format!("{word} to: {topic}")));
            }
        }
        if self.account == Some(Account::NoConnectionLeft) {
            answers.push(too_many_connections());
        }
        answers
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(CHANNELS.len())
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String {
        let millis = micros / 1_000;
        format!(
            r#"[{{"ev":"T","sym":"{name}","i":"{number}","x":4,"p":{price},"s":1,"c":[14],"t":{millis},"q":{number},"z":3,"ds":"{size}"}}]"#
        )
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        let millis = time_of(number) / 1_000;
        Some(format!(
            r#"[{{"ev":"Q","sym":"{name}","i":[604],"bx":15,"ax":12,"bp":{bid},"ap":{ask},"bs":80,"as":100,"t":{millis},"q":{number},"z":3}}]"#
        ))
    }

    /// Only the volume and the open are of the day.
    fn statistics(&mut self, name: &str, number: u64, volume: &str) -> Option<String> {
        let millis = time_of(number) / 1_000;
        Some(format!(
            r#"[{{"ev":"A","sym":"{name}","v":100,"av":{number},"op":1.5,"vw":1,"o":1,"c":1,"h":1,"l":1,"a":1,"z":62,"s":{millis},"e":{millis},"dav":"{volume}"}}]"#
        ))
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        let limits = |number: u64, indicator: u8| {
            let micros = time_of(number);
            format!(
                r#"[{{"ev":"LULD","h":3.63,"l":2.97,"i":[{indicator}],"z":3,"T":"{name}","t":{micros}385,"q":{number}}}]"#
            )
        };
        Some([limits(number, 17), limits(number + 1, 18)])
    }

    fn closing(&self) -> Option<Message> {
        (self.account == Some(Account::NoConnectionLeft) && self.is_logged_in).then(|| close(1008, "policy violation"))
    }

    fn eviction(&mut self) -> Option<Vec<Message>> {
        Some(vec![close(1008, "policy violation")])
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(status("auth_failed", "authentication failed"))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(status("auth_timeout", "No authentication request received."))
    }
}
