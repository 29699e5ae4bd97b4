//! Reloads of a primary and its standby.

use super::{Rig, of};
use crate::support::{Client, stream::Tick};
use std::thread;
use venue_sim::{binance::trade, blocking::Venue};

fn feed(name: &str, venue: &Venue, symbols: &str, more: &str) -> String {
    let url = &venue.url;
    format!("[[feed]]\nname = \"{name}\"\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [{symbols}]\n{more}\n")
}

fn spare(venue: &Venue, symbols: &str, more: &str) -> String {
    feed("spare", venue, symbols, &format!("standby_for = \"main\"\nstandby_age = \"1h\"\n{more}"))
}

fn fields(tick: &Tick) -> [&str; 3] {
    ["price", "source", "state"].map(|field| tick.text(field))
}

fn prefer(rig: &Rig, feed: &str) {
    let answer = Client::connect(rig.gateway.admin).request(
        "POST",
        &format!("/debug/feeds/{feed}/prefer"),
        "content-length: 0\r\n",
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn a_standby_that_is_shown_gets_another_list_and_limits_and_clients_see_nothing_of_it() {
    let [main, other] = [Venue::bind(), Venue::bind()];
    let primary = feed("main", &main, "\"BTC-USDT\", \"ETH-USDT\"", "");
    let rig = Rig::start("pair-list", &format!("{primary}{}", spare(&other, "\"BTC-USDT\"", "")));
    let mut of_main = main.grant(&["btcusdt", "ethusdt"]);
    let mut of_spare = other.grant(&["btcusdt"]);
    let mut stream = rig.stream("BTC-USDT");
    of_main.send(&trade("BTCUSDT", 1, "1"));
    stream.until("BTC-USDT", "live");
    of_spare.send(&trade("BTCUSDT", 7, "100"));
    while rig.feed("spare").unwrap()["symbol_states"]["live"] != 1 {}
    prefer(&rig, "spare");
    assert_eq!(fields(&stream.tick()), ["100", "spare", "live"]);

    let more = spare(&other, "\"BTC-USDT\", \"ETH-USDT\"", "failback_after = \"1h\"");
    let [changed, at_restart] = rig.reload(&format!("{primary}{more}"));
    assert_eq!((changed, at_restart.len()), (of([("spare", "with `failback_after`, +ETH-USDT")]), 0));
    of_spare.send(&trade("BTCUSDT", 8, "101"));
    assert_eq!(fields(&stream.tick()), ["101", "spare", "live"], "the next tick is the next price");

    let mut eth = rig.stream("ETH-USDT");
    eth.until("ETH-USDT", "waiting");
    of_main.send(&trade("ETHUSDT", 1, "5"));
    assert_eq!(fields(&eth.tick()), ["5", "main", "live"]);
    assert_eq!(rig.feed("spare").unwrap()["symbols_with_standby"], 2);

    let [changed, _] = rig.reload(&format!("{primary}{}", spare(&other, "\"ETH-USDT\"", "failback_after = \"1h\"")));
    assert_eq!(changed, of([("spare", "-BTC-USDT")]));
    assert_eq!(fields(&stream.tick()), ["1", "", "live"], "the primary's word");
    of_main.send(&trade("BTCUSDT", 2, "2"));
    assert_eq!(fields(&stream.tick()), ["2", "", "live"]);
    rig.gateway.stop().unwrap();
}

#[test]
fn both_feeds_of_a_pair_restart_and_one_of_them_is_always_live() {
    for shown in ["main", "spare"] {
        let [main, other] = [Venue::bind(), Venue::bind()];
        let both = |mute_after: &str| {
            let more = format!("mute_after = \"{mute_after}\"");
            format!("{}{}", feed("main", &main, "\"BTC-USDT\"", &more), spare(&other, "\"BTC-USDT\"", &more))
        };
        let rig = Rig::start(&format!("pair-restart-{shown}"), &both("2m"));
        let mut of_main = main.grant(&["btcusdt"]);
        let mut of_spare = other.grant(&["btcusdt"]);
        let mut stream = rig.stream("BTC-USDT");
        of_main.send(&trade("BTCUSDT", 1, "1"));
        stream.until("BTC-USDT", "live");
        of_spare.send(&trade("BTCUSDT", 1, "100"));
        while rig.feed("spare").unwrap()["symbol_states"]["live"] != 1 {}
        if shown == "spare" {
            prefer(&rig, "spare");
            assert_eq!(fields(&stream.tick()), ["100", "spare", "live"]);
        }
        // The feed that is not shown is the first to connect again.
        let (first, second) = if shown == "main" { (&other, &main) } else { (&main, &other) };
        let text = both("3m");
        thread::scope(|scope| {
            let reload = scope.spawn(|| rig.reload(&text));
            let mut of_first = first.grant(&["btcusdt"]);
            of_first.send(&trade("BTCUSDT", 2, "50"));
            let tick = stream.tick();
            let other_name = if shown == "main" { "spare" } else { "main" };
            assert_eq!(fields(&tick), ["50", other_name, "live"], "it takes over when the shown one goes");
            let mut of_second = second.grant(&["btcusdt"]);
            of_second.send(&trade("BTCUSDT", 2, "60"));
            let [changed, _] = reload.join().unwrap();
            let restarted = "restarted with `mute_after`";
            assert_eq!(changed, of([("main", restarted), ("spare", restarted)]));
        });
        rig.gateway.stop().unwrap();
    }
}
