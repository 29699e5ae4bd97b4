//! Tiingo's stream of stocks, after its documentation of the IEX endpoint.

use crate::{
    alpaca::KEY,
    dialect::{Account, Dialect, Held, Manner, begins},
    time::{rfc3339, time_of},
};
use serde_json::{Value, json};

/// How to play the level of usual plans: prices that the venue derives.
pub const MANNER: Manner = manner("", |_| Tiingo::boxed("6"));
/// How to play a level that needs an agreement with the exchange.
pub const WITH_QUOTES: Manner = manner("?thresholdLevel=5", |_| Tiingo::boxed("5"));

const fn manner(query: &'static str, new: fn(&[&str]) -> Box<dyn Dialect>) -> Manner {
    Manner {
        venue: "tiingo",
        query,
        symbols: [("AAPL", "aapl"), ("BRK.B", "brk-b")],
        refused: ("NOPE", "nope"),
        checks_names: false,
        by_arrival: &[],
        new,
    }
}

/// The number of each connection's subscription.
const SUBSCRIPTION: u64 = 2_563_367;

/// A connection.
struct Tiingo {
    level: &'static str,
    account: Option<Account>,
    is_subscribed: bool,
    held: Held,
}

impl Tiingo {
    fn boxed(level: &'static str) -> Box<dyn Dialect> {
        Box::new(Self { level, account: None, is_subscribed: false, held: Held::default() })
    }

    fn has_quotes(&self) -> bool {
        self.level != "6"
    }

    /// A quote with a flag for a halt, as the levels 0 and 5 have it.
    fn book(name: &str, number: u64, bid: &str, ask: &str, halted: u8) -> String {
        let micros = time_of(number);
        let time = rfc3339(micros);
        format!(
            r#"{{"messageType":"A","service":"iex","data":["Q","{time}",{micros}000,"{name}",100,{bid},1,{ask},200,null,null,{halted},0,null,null,null]}}"#
        )
    }
}

fn error(code: u16, words: &str) -> String {
    format!(r#"{{"messageType":"E","response":{{"code":{code},"message":"{words}"}}}}"#)
}

impl Dialect for Tiingo {
    fn handshake(&mut self, target: &str) -> u16 {
        let query = if self.has_quotes() { "?thresholdLevel=5" } else { "" };
        assert_eq!(target, format!("/iex{query}"));
        101
    }

    /// The venue documents no limit on symbols or connections.
    fn account(&mut self, account: Account) -> bool {
        self.account = Some(account);
        account == Account::WithoutStream
    }

    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        assert!(parsed["authorization"].is_string(), "{request}");
        if parsed["authorization"] != KEY {
            return vec![error(401, "Invalid authorization token")];
        }
        if self.account == Some(Account::WithoutStream) {
            return vec![error(403, "Not authorized for service: iex")];
        }
        let begins = begins(&parsed["eventName"], ["subscribe", "unsubscribe"], request);
        let tickers = parsed["eventData"]["tickers"].as_array().unwrap_or_else(|| panic!("no tickers in {request}"));
        for ticker in tickers {
            let ticker = ticker.as_str().unwrap_or_else(|| panic!("{ticker} in {request}"));
            assert_eq!(ticker, ticker.to_lowercase(), "{request}");
            self.held.set(ticker, "iex", begins);
        }
        if !std::mem::replace(&mut self.is_subscribed, true) {
            assert!(begins, "{request}");
            assert_eq!(parsed["eventData"], json!({ "thresholdLevel": self.level, "tickers": tickers }));
            return vec![format!(
                r#"{{"response":{{"code":200,"message":"Success"}},"data":{{"subscriptionId":{SUBSCRIPTION}}},"messageType":"I"}}"#
            )];
        }
        assert_eq!(parsed["eventData"], json!({ "subscriptionId": SUBSCRIPTION, "tickers": tickers }));
        let held = json!({ "tickers": self.held.names(1), "thresholdLevel": self.level });
        vec![format!(r#"{{"data":{held},"messageType":"I","response":{{"code":200,"message":"Success"}}}}"#)]
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(1)
    }

    fn trade_at(&mut self, name: &str, _: u64, micros: u64, price: &str, size: &str) -> String {
        let time = rfc3339(micros);
        if self.has_quotes() {
            return format!(
                r#"{{"messageType":"A","service":"iex","data":["T","{time}",{micros}000,"{name}",null,null,null,null,null,{price},{size},null,0,0,0,0]}}"#
            );
        }
        format!(r#"{{"service":"iex","messageType":"A","data":["{time}","{name}",{price}]}}"#)
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        self.has_quotes().then(|| Self::book(name, number, bid, ask, 0))
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        let book =
            |number: u64, halted| Self::book(name, number, &format!("{number}.25"), &format!("{number}.75"), halted);
        self.has_quotes().then(|| [book(number, 1), book(number + 1, 0)])
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(r#"{"response":{"code":200,"message":"HeartBeat"},"messageType":"H"}"#.to_owned())
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(error(400, "thresholdLevel not valid for your subscription tier"))
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(error(500, "Internal error"))
    }
}
