//! Finnhub's stream of trades, after its documentation and its recorded frames. The key stands in the address.

use crate::{
    alpaca::KEY,
    dialect::{Account, Dialect, Held, Manner, begins},
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "finnhub",
    query: "",
    symbols: [("AAPL", "AAPL"), ("MSFT", "MSFT")],
    refused: ("NOPE", "NOPE"),
    checks_names: true,
    by_arrival: &[],
    new: |refused| {
        let refused = refused.iter().map(|&name| name.to_owned()).collect();
        Box::new(Finnhub { account: None, refused, held: Held::default() })
    },
};

/// A connection.
struct Finnhub {
    account: Option<Account>,
    refused: Vec<String>,
    held: Held,
}

impl Dialect for Finnhub {
    /// A second connection with a key is one request too many.
    fn handshake(&mut self, target: &str) -> u16 {
        let key = target.strip_prefix("/?token=").unwrap_or_else(|| panic!("no key in {target}"));
        match self.account {
            _ if key != KEY => 401,
            Some(Account::NoConnectionLeft) => 429,
            _ => 101,
        }
    }

    fn account(&mut self, account: Account) -> bool {
        self.account = Some(account);
        matches!(account, Account::Symbols(_) | Account::NoConnectionLeft)
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        let name = parsed["symbol"].as_str().unwrap_or_else(|| panic!("no symbol in {request}"));
        let begins = begins(&parsed["type"], ["subscribe", "unsubscribe"], request);
        assert_eq!(parsed, json!({ "type": parsed["type"], "symbol": name }));
        if begins && self.refused.iter().any(|refused| refused == name) {
            return vec![format!(r#"{{"msg":"Invalid symbol {name}","type":"error"}}"#)];
        }
        if begins
            && let Some(Account::Symbols(limit)) = self.account
            && self.held.names(1).len() == limit
        {
            // It does not say which.
            return vec![r#"{"msg":"Subscribing to too many symbols","type":"error"}"#.to_owned()];
        }
        // What it accepts it does not answer.
        self.held.set(name, "trade", begins);
        Vec::new()
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(1)
    }

    fn trade_at(&mut self, name: &str, _: u64, micros: u64, price: &str, size: &str) -> String {
        let millis = micros / 1_000;
        format!(r#"{{"data":[{{"c":["1","8"],"p":{price},"s":"{name}","t":{millis},"v":{size}}}],"type":"trade"}}"#)
    }

    fn quote(&mut self, _: &str, _: u64, _: &str, _: &str) -> Option<String> {
        None
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(r#"{"type":"ping"}"#.to_owned())
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(r#"{"msg":"Invalid API key","type":"error"}"#.to_owned())
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(r#"{"msg":"Internal error","type":"error"}"#.to_owned())
    }
}
