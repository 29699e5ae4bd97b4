//! Twelve Data's stream of prices, after its documentation. The key stands in the address.

use crate::{
    alpaca::KEY,
    dialect::{Account, Dialect, Held, Manner, Part, begins, close},
    time::time_of,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "twelvedata",
    query: "",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(TwelveData { account: None, has_wrong_key: false, refused, held: Held::default() })
    },
};

/// A connection.
struct TwelveData {
    account: Option<Account>,
    has_wrong_key: bool,
    refused: Vec<String>,
    held: Held,
}

const HEARTBEAT: &str = r#"{"event":"heartbeat","status":"ok"}"#;

fn error(code: u16, words: &str) -> String {
    format!(r#"{{"status":"error","code":{code},"message":"{words}"}}"#)
}

impl Dialect for TwelveData {
    fn handshake(&mut self, target: &str) -> u16 {
        let key = target.strip_prefix("/v1/quotes/price?apikey=").unwrap_or_else(|| panic!("no key in {target}"));
        self.has_wrong_key = key != KEY;
        101
    }

    fn greeting(&mut self) -> Vec<String> {
        if self.has_wrong_key { self.fatal_error().into_iter().collect() } else { Vec::new() }
    }

    /// A connection over the plan's number closes the oldest, so that a new one always has its place.
    fn account(&mut self, account: Account) -> bool {
        self.account = Some(account);
        matches!(account, Account::Symbols(_) | Account::WithoutStream)
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        if parsed == json!({ "action": "heartbeat" }) {
            return vec![HEARTBEAT.to_owned()];
        }
        let names = parsed["params"]["symbols"].as_str().unwrap_or_else(|| panic!("no symbols in {request}"));
        let begins = begins(&parsed["action"], ["subscribe", "unsubscribe"], request);
        assert_eq!(parsed, json!({ "action": parsed["action"], "params": { "symbols": names } }));
        if begins && self.account == Some(Account::WithoutStream) {
            return vec![error(403, "Your API key has no permissions for this")];
        }
        let room = match self.account {
            Some(Account::Symbols(limit)) => limit - self.held.names(1).len(),
            _ => usize::MAX,
        };
        let mut begun = 0;
        let mut is_refused = |name: &&str| {
            begun += 1;
            begins && (begun > room || self.refused.iter().any(|refused| refused == name))
        };
        let (fails, taken): (Vec<&str>, Vec<&str>) = names.split(',').partition(&mut is_refused);
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

    /// Bid, ask and the day's volume are optional, and come with a price.
    fn beside_trades(&self) -> &'static [Part] {
        &[Part::Quote, Part::Statistics]
    }

    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, _: &str) -> String {
        let seconds = micros / 1_000_000;
        format!(
            r#"{{"event":"price","symbol":"{name}","currency":"USD","exchange":"NASDAQ","mic_code":"XNGS","type":"Common Stock","timestamp":{seconds},"price":{price},"bid":{price},"ask":{price},"day_volume":{number}}}"#
        )
    }

    fn quote(&mut self, _: &str, _: u64, _: &str, _: &str) -> Option<String> {
        None
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(HEARTBEAT.to_owned())
    }

    fn eviction(&mut self) -> Option<Vec<Message>> {
        Some(vec![close(1000, "")])
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(error(401, "apikey parameter is incorrect or not specified"))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(error(500, "internal error"))
    }
}
