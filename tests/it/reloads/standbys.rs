//! Standbys that come and go.

use super::{Rig, of};
use std::collections::BTreeMap;
use venue_sim::{binance::trade, blocking::Venue};

fn feed(name: &str, venue: &Venue, symbols: &str, more: &str) -> String {
    let url = &venue.url;
    format!("[[feed]]\nname = \"{name}\"\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [{symbols}]\n{more}\n")
}

#[test]
fn a_standby_comes_and_goes_and_the_primary_is_not_touched() {
    let [main, spare] = [Venue::bind(), Venue::bind()];
    let alone = feed("main", &main, "\"BTC-USDT\", \"ETH-USDT\"", "");
    let rig = Rig::start("standby", &alone);
    let mut of_main = main.grant(&["btcusdt", "ethusdt"]);
    let mut stream = rig.stream("BTC-USDT");
    stream.until("BTC-USDT", "waiting");
    of_main.send(&trade("BTCUSDT", 1, "1"));
    let tick = stream.until("BTC-USDT", "live").pop().unwrap();
    assert_eq!((tick.text("price"), tick.text("source")), ("1", ""));

    let stands_in =
        |symbols: &str, more: &str| feed("spare", &spare, symbols, &format!("standby_for = \"main\"\n{more}"));
    let both = format!("{}{alone}", stands_in("\"BTC-USDT\"", "standby_age = \"1h\""));
    let [changed, at_restart] = rig.reload(&both);
    assert_eq!((changed, at_restart), (of([("spare", "added")]), BTreeMap::new()));
    let mut of_spare = spare.grant(&["btcusdt"]);
    of_main.send(&trade("BTCUSDT", 2, "2"));
    let tick = stream.tick();
    assert_eq!(["price", "source", "state"].map(|field| tick.text(field)), ["2", "main", "live"]);
    of_spare.send(&trade("BTCUSDT", 7, "100"));
    let taken = || rig.feed("spare").unwrap()["symbol_states"]["live"] == 1;
    while !taken() {}
    of_main.cut();
    let tick = stream.tick();
    assert_eq!(["kind", "price", "source", "state"].map(|field| tick.text(field)), ["status", "100", "spare", "live"]);

    // Another list of the standby restarts it: what it says is shown as stale until it speaks again.
    let more = format!("{}{alone}", stands_in("\"BTC-USDT\", \"ETH-USDT\"", "standby_age = \"1h\""));
    let mut of_main = main.grant(&["btcusdt", "ethusdt"]);
    let [changed, _] = rig.reload(&more);
    assert_eq!(changed, of([("spare", "+ETH-USDT")]));
    let mut of_spare = spare.grant(&["btcusdt", "ethusdt"]);
    let tick = stream.tick();
    assert_eq!(["price", "state"].map(|field| tick.text(field)), ["2", "stale"]);
    of_spare.send(&trade("BTCUSDT", 8, "101"));
    let tick = stream.until("BTC-USDT", "live").pop().unwrap();
    assert_eq!(["price", "source"].map(|field| tick.text(field)), ["101", "spare"]);

    // Without it, the primary's word is all there is.
    let [changed, _] = rig.reload(&alone);
    assert_eq!(changed, of([("spare", "removed")]));
    let tick = stream.tick();
    assert_eq!(["price", "source", "state"].map(|field| tick.text(field)), ["2", "", "stale"]);
    of_main.send(&trade("BTCUSDT", 3, "3"));
    let tick = stream.tick();
    assert_eq!(["price", "source", "state"].map(|field| tick.text(field)), ["3", "", "live"]);
    assert!(rig.feed("spare").is_none());
    assert_eq!(rig.feed("main").unwrap()["symbols_with_standby"], 0);
    rig.gateway.stop().unwrap();
}
