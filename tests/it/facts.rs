//! What is known of a symbol besides its prices, from the venue to `/v1/symbols`, through a whole gateway.

use crate::support::{
    Client,
    running::{Running, config},
    stream::Stream,
};
use serde_json::{Value, json};
use tickfan::{config::Feed, venue};

fn listed(gateway: &Running, query: &str) -> Value {
    let answer = Client::connect(gateway.address).get(&format!("/v1/symbols?{query}"));
    assert_eq!(answer.status, 200, "{query}");
    answer.json()["symbols"].clone()
}

/// Waits for the first data of a symbol: they follow its facts.
fn await_data(gateway: &Running, symbol: &str) {
    let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={symbol}"));
    stream.named("hello");
    while stream.tick().text("state") != "live" {}
}

#[test]
fn the_simulator_tells_the_facts_of_its_symbols_and_they_are_found_by_name() {
    let symbols = ["AAPL", "DOGE-USDT", "NEW"].map(|symbol| symbol.parse::<tickfan::market::Symbol>().unwrap().into());
    let gateway = Running::start(&config(vec![Feed::new(venue::find("sim").unwrap(), symbols.to_vec())]));
    ["AAPL", "DOGE-USDT", "NEW"].iter().for_each(|symbol| await_data(&gateway, symbol));
    let aapl = json!({
        "symbol": "AAPL", "feed": "sim", "state": "live", "name": "Apple Inc.", "currency": "USD", "kind": "stock",
        "price_digits": 2, "size_digits": 0
    });
    let doge = json!({
        "symbol": "DOGE-USDT", "feed": "sim", "state": "live", "name": "Dogecoin", "currency": "USDT",
        "kind": "crypto", "price_digits": 5, "size_digits": 3
    });
    let new = json!({
        "symbol": "NEW", "feed": "sim", "state": "live", "currency": "USD", "kind": "stock", "price_digits": 2,
        "size_digits": 0
    });
    assert_eq!(listed(&gateway, ""), json!([aapl, doge, new]));
    assert_eq!(listed(&gateway, "q=apple"), json!([aapl]));
    assert_eq!(listed(&gateway, "q=coin"), json!([doge]));
    assert_eq!(listed(&gateway, "symbols=new,aapl"), json!([aapl, new]));
    gateway.stop().unwrap();
}
