//! Plans of a reload of feeds with a standby.

use super::{
    tests::{check, feed, standby},
    *,
};
use crate::{config::Standby, market::FailoverLimits};
use std::time::Duration;

#[test]
fn a_standby_goes_before_its_primary_and_comes_after_it() {
    let running = [standby("s", "p", "BTC-USDT ETH-USDT"), feed("p", "BTC-USDT ETH-USDT SOL-USDT")];
    let [s, p] = &running;
    check(std::slice::from_ref(p), &running, "start s", "");
    check(&running, std::slice::from_ref(p), "end s", "");
    check(&running, &[feed("q", "ADA-USDT")], "end s, end p, start q", "");
    check(&[], &running, "start p, start s", "");
    let fewer = [standby("s", "p", "ETH-USDT"), feed("p", "ETH-USDT SOL-USDT")];
    check(&running, &fewer, "s -BTC-USDT, p -BTC-USDT, tell", "");
    check(&fewer, &running, "p +BTC-USDT, s +BTC-USDT, tell", "");
    let restarted = Feed { mute_after: Some(Duration::from_secs(7)), ..p.clone() };
    check(&running, &[s.clone(), restarted], "restart p", "");
    let other = Feed { url: Some("wss://other.example".to_owned()), ..s.clone() };
    check(&running, &[other, p.clone()], "restart s", "");
    let limits = FailoverLimits { age: Duration::from_secs(1), failback_after: Duration::from_secs(9) };
    let limited = Feed { standby: Some(Standby { primary: "p".to_owned(), limits }), ..s.clone() };
    let plan = check(&running, &[limited, p.clone()], "limits of s", "");
    assert_eq!(plan.changed[0].to, "with `failback_after`");
    // Both restart: the standby first, and lists in the order that leaves it symbols of its primary.
    let slow = |feed: &Feed| Feed { mute_after: Some(Duration::from_secs(7)), ..feed.clone() };
    let [s, p] = &fewer;
    check(&running, &[slow(s), slow(p)], "s -BTC-USDT, p -BTC-USDT, restart s, restart p, tell", "");
    let [s, p] = &running;
    check(&fewer, &[slow(s), slow(p)], "restart s, restart p, s +BTC-USDT, tell", "");
    check(&fewer, &[slow(s), p.clone()], "restart s, p +BTC-USDT, s +BTC-USDT, tell", "");
}

#[test]
fn a_standby_leaves_a_symbol_that_its_primary_gets_again_under_another_name() {
    let running = [standby("s", "p", "BTC-USDT ETH-USDT"), feed("p", "BTC-USDT ETH-USDT")];
    let mut renamed = running.clone();
    renamed[1].symbols[0].venue_name = Some("BTCUSDC".to_owned());
    check(&running, &renamed, "s -BTC-USDT, p -BTC-USDT, p +BTC-USDT, s +BTC-USDT, tell", "");
}

#[test]
fn a_symbol_that_moves_between_standbys_has_one_at_a_time() {
    let p = feed("p", "A-USDT B-USDT C-USDT");
    let running = [p.clone(), standby("s", "p", "A-USDT B-USDT"), standby("t", "p", "C-USDT")];
    let moved = [p, standby("s", "p", "A-USDT"), standby("t", "p", "B-USDT C-USDT")];
    check(&running, &moved, "end t, end s, start s, start t", "");
}
