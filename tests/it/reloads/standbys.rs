//! Standbys that come and go.

use super::{Rig, of};
use crate::support::Client;
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

    // The standby subscribes another symbol, and goes on.
    let more = format!("{}{alone}", stands_in("\"BTC-USDT\", \"ETH-USDT\"", "standby_age = \"1h\""));
    let mut of_main = main.grant(&["btcusdt", "ethusdt"]);
    let [changed, _] = rig.reload(&more);
    assert_eq!(changed, of([("spare", "+ETH-USDT")]));
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

#[test]
fn a_standby_whose_key_was_denied_gets_another_one_and_the_primary_goes_on() {
    let [main, spare] = [Venue::bind(), Venue::bind()];
    let url = &spare.url;
    let text = |key: &str| {
        let primary = feed("main", &main, "\"AAPL\"", "hours = \"always\"");
        format!(
            "{primary}[[feed]]\nname = \"spare\"\nvenue = \"alpaca\"\nurl = \"{url}\"\nsymbols = [\"AAPL\"]\n\
             hours = \"always\"\nkey_env = \"{key}\"\nsecret_env = \"SECRET\"\nstandby_for = \"main\"\n"
        )
    };
    let variables = [("KEY_A", "PKFIRST"), ("KEY_B", "PKSECOND"), ("SECRET", "hush-hush")];
    let rig = Rig::start_with("denied-standby", &text("KEY_A"), &variables);
    let mut of_main = main.grant(&["aapl"]);
    let mut stream = rig.stream("AAPL");
    of_main.send(&trade("AAPL", 1, "1"));
    stream.until("AAPL", "live");
    let signs_on = |key: &str, answer: &str| {
        spare.run(async |spare| {
            let mut connection = spare.accept().await;
            connection.send(r#"[{"T":"success","msg":"connected"}]"#).await;
            let login = connection.text().await;
            assert!(login.contains(key), "{login} is not with {key}");
            connection.send(answer).await;
            connection
        })
    };
    let denied = signs_on("PKFIRST", r#"[{"T":"error","code":402,"msg":"auth failed"}]"#);
    while rig.feed("spare").unwrap()["state"] != "failed" {}
    let [changed, at_restart] = rig.reload(&text("KEY_B"));
    assert_eq!((changed, at_restart), (of([("spare", "a new key")]), BTreeMap::new()));
    drop(denied);
    let _again = signs_on("PKSECOND", r#"[{"T":"success","msg":"authenticated"}]"#);
    of_main.send(&trade("AAPL", 2, "2"));
    let tick = stream.until("AAPL", "live").pop().unwrap();
    assert_eq!(["price", "source"].map(|field| tick.text(field)), ["2", "main"]);
    assert_eq!(Client::connect(rig.gateway.address).get("/v1/quotes/AAPL").status, 200);
    rig.gateway.stop().unwrap();
}
