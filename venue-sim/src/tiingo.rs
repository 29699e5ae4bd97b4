//! Tiingo's stream of stocks, after its documentation of the IEX endpoint.

use crate::{
    alpaca::KEY,
    dialect::{Dialect, Held, Manner, begins},
    time::{rfc3339, time_of},
};
use serde_json::{Value, json};

/// How to play it.
pub const MANNER: Manner = Manner {
    venue: "tiingo",
    symbols: [("AAPL", "aapl"), ("BRK.B", "brk-b")],
    refused: ("NOPE", "nope"),
    checks_names: false,
    by_arrival: &[],
    new: |_| Box::new(Tiingo { is_subscribed: false, held: Held::default() }),
};

/// The number of each connection's subscription.
const SUBSCRIPTION: u64 = 2_563_367;

/// A connection.
struct Tiingo {
    is_subscribed: bool,
    held: Held,
}

impl Tiingo {
    /// A quote with a flag for a halt, as the levels 0 and 5 have it.
    fn book(name: &str, number: u64, bid: &str, ask: &str, halted: u8) -> String {
        let micros = time_of(number);
        let time = rfc3339(micros);
        format!(
            r#"{{"messageType":"A","service":"iex","data":["Q","{time}",{micros}000,"{name}",100,{bid},1,{ask},200,null,null,{halted},0,null,null,null]}}"#
        )
    }
}

impl Dialect for Tiingo {
    fn answer(&mut self, request: &str) -> Vec<String> {
        let parsed: Value = serde_json::from_str(request).unwrap_or_else(|_| panic!("{request} is not JSON"));
        assert_eq!(parsed["authorization"], KEY, "{request}");
        let begins = begins(&parsed["eventName"], ["subscribe", "unsubscribe"], request);
        let tickers = parsed["eventData"]["tickers"].as_array().unwrap_or_else(|| panic!("no tickers in {request}"));
        for ticker in tickers {
            let ticker = ticker.as_str().unwrap_or_else(|| panic!("{ticker} in {request}"));
            assert_eq!(ticker, ticker.to_lowercase(), "{request}");
            self.held.set(ticker, "iex", begins);
        }
        if !std::mem::replace(&mut self.is_subscribed, true) {
            assert!(begins, "{request}");
            assert_eq!(parsed["eventData"], json!({ "thresholdLevel": "6", "tickers": tickers }));
            return vec![format!(
                r#"{{"response":{{"code":200,"message":"Success"}},"data":{{"subscriptionId":{SUBSCRIPTION}}},"messageType":"I"}}"#
            )];
        }
        assert_eq!(parsed["eventData"], json!({ "subscriptionId": SUBSCRIPTION, "tickers": tickers }));
        let held = json!({ "tickers": self.held.names(1), "thresholdLevel": "6" });
        vec![format!(r#"{{"data":{held},"messageType":"I","response":{{"code":200,"message":"Success"}}}}"#)]
    }

    fn subscribed(&self) -> Vec<String> {
        self.held.names(1)
    }

    fn trade_at(&mut self, name: &str, _: u64, micros: u64, price: &str, _: &str) -> String {
        let time = rfc3339(micros);
        format!(r#"{{"service":"iex","messageType":"A","data":["{time}","{name}",{price}]}}"#)
    }

    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String> {
        Some(Self::book(name, number, bid, ask, 0))
    }

    fn halt(&mut self, name: &str, number: u64) -> Option<[String; 2]> {
        let book =
            |number: u64, halted| Self::book(name, number, &format!("{number}.25"), &format!("{number}.75"), halted);
        Some([book(number, 1), book(number + 1, 0)])
    }

    fn heartbeat(&mut self) -> Option<String> {
        Some(r#"{"response":{"code":200,"message":"HeartBeat"},"messageType":"H"}"#.to_owned())
    }

    fn fatal_error(&mut self) -> Option<String> {
        Some(
            r#"{"messageType":"E","response":{"code":400,"message":"thresholdLevel not valid for your subscription tier"}}"#
                .to_owned(),
        )
    }

    fn passing_error(&mut self) -> Option<String> {
        Some(r#"{"messageType":"E","response":{"code":500,"message":"Internal error"}}"#.to_owned())
    }
}
