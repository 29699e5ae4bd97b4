//! Reloads beside a feed on demand.

use super::{Rig, of, sim};
use crate::support::{Client, PATIENCE};
use serde_json::json;
use std::{collections::BTreeMap, time::Instant};
use venue_sim::blocking::Venue;

const ANY: &str = "[[feed]]\nname = \"any\"\nvenue = \"sim\"\non_demand = true\nlinger = \"1h\"\n";

#[test]
fn a_symbol_that_streams_have_on_demand_moves_to_the_feed_that_lists_it() {
    let with = |symbols: &str| format!("{ANY}{}", sim("main", symbols, ""));
    let rig = Rig::start("on-demand", &with("AAPL"));
    let mut stream = rig.stream("MSFT,NVDA");
    for symbol in ["MSFT", "NVDA"] {
        stream.until(symbol, "live");
    }
    let [changed, at_restart] = rig.reload(&with("AAPL MSFT"));
    assert_eq!((changed, at_restart), (of([("main", "+MSFT")]), BTreeMap::new()));
    assert_eq!(stream.until("MSFT", "refused").pop().unwrap().text("reason"), "removed");
    stream.until("NVDA", "live");
    let listed = Client::connect(rig.gateway.address).get("/v1/symbols").json();
    let of_msft = listed["symbols"].as_array().unwrap().iter().find(|listed| listed["symbol"] == "MSFT").unwrap();
    assert_eq!((&of_msft["feed"], &of_msft["on_demand"]), (&json!("main"), &json!(null)));
    assert_eq!(rig.feed("any").unwrap()["symbols"], 1);
    // A new stream has it of that feed.
    rig.stream("MSFT").until("MSFT", "live");
    // And on demand again, once no feed lists it.
    let [changed, _] = rig.reload(&with("AAPL"));
    assert_eq!(changed, of([("main", "-MSFT")]));
    rig.stream("MSFT").until("MSFT", "live");
    assert_eq!(rig.feed("any").unwrap()["symbols"], 2);
    drop(stream);
    rig.gateway.stop().unwrap();
}

/// The venue of the feeds that come does not answer, so they have no verdict for as long as the test lasts. A gateway
/// that is older than `FIRST_VERDICTS_MAX` would be ready anyway; the test beside `HealthInputs` has no clock.
#[test]
fn a_gateway_that_is_ready_stays_so_while_feeds_come_and_go() {
    let venue = Venue::bind();
    let url = &venue.url;
    let slow = |name: &str, symbol: &str| {
        format!("[[feed]]\nname = \"{name}\"\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [\"{symbol}\"]\n")
    };
    let rig = Rig::start("ready", &sim("main", "AAPL", ""));
    let ready = || Client::connect(rig.gateway.admin).get("/readyz");
    let deadline = Instant::now() + PATIENCE;
    while ready().status != 200 {
        assert!(Instant::now() < deadline, "{}", ready().body);
    }
    for (text, name) in [
        (format!("{}{}", sim("main", "AAPL", ""), slow("one", "BTC-USDT")), "one"),
        // No feed is left of those that had a verdict.
        (slow("two", "ETH-USDT"), "two"),
    ] {
        rig.reload(&text);
        assert_eq!(rig.feed(name).unwrap()["state"], "connecting");
        let answer = ready();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    rig.gateway.stop().unwrap();
}
