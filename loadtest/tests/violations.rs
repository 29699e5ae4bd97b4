//! The checks find violations: a proxy between gateway and streams violates one rule, once, for one of the streams of
//! `smoke`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

#[path = "support/proxy.rs"]
mod proxy;

use proxy::{Proxy, Violation};
use std::time::Duration;
use support::gateway_program;
use tickfan_loadtest::{
    measure::{Asked, Process},
    report::{Outcome, Summary},
    run::{Gateway, Run, Server, Stop, gateway_config, run, start_venue},
    scenario,
    streams::{Setup, Wire},
};

/// Long enough for the hit and what follows; what takes longer is waited for.
const LOAD: Duration = Duration::from_secs(4);
/// A delayed tick must come before the load ends.
const LOAD_OF_DELAY: Duration = Duration::from_secs(8);

fn smoke(violation: Violation) -> Summary {
    smoke_with(violation, 0.0)
}

/// With watchlists that leave and come back: of them some holes are never seen. The proxy hits streams of one symbol.
fn smoke_with(violation: Violation, churn: f64) -> Summary {
    let (mut scenario, _) = scenario::load("smoke").unwrap();
    scenario.groups.iter_mut().filter(|group| group.symbols > 1).for_each(|group| group.churn = churn);
    if violation == Violation::DigitForAll {
        // It changes whole ticks, so what these streams make of patches differs from it.
        scenario.groups.retain(|group| !group.query.contains("patch"));
    }
    let (venue, symbols) = start_venue(&scenario.venue, ([127, 0, 0, 1], 0).into()).unwrap();
    let gateway = Gateway::start(&gateway_program(), &gateway_config(&scenario, &symbols, &venue.url(), None)).unwrap();
    let proxy = Proxy::start(gateway.address, violation);
    let server = Server { process: Some(Process::new(gateway.pid()).unwrap()), admin: Some(gateway.admin) };
    let streams = Setup {
        targets: vec![proxy.address],
        host: gateway.address.to_string(),
        tls: None,
        headers: Vec::new(),
        wire: Wire::Tickfan,
        symbols,
        groups: scenario.groups.clone(),
        connect_rate: scenario.connect_rate,
        answer_max: Setup::ANSWER_MAX,
        old_after: scenario.old_after.0,
        seed: 1,
        percentiles: Asked::default(),
        history: venue.history(),
    };
    let load = Run {
        name: "smoke",
        about: &scenario.about,
        streams,
        duration: if violation == Violation::Delay { LOAD_OF_DELAY } else { LOAD },
        outages: &[],
        server,
        venue: Some(&venue),
        cluster: None,
        thresholds: &[],
        stop: Stop::default(),
    };
    let summary = run(&load, &mut |_| {}).unwrap();
    assert_eq!(proxy.has_hit(), violation != Violation::None, "the proxy has hit a tick");
    assert_eq!(summary.streams.opened - summary.streams.resumed, summary.streams.asked);
    summary
}

/// The violation is found by this rule, once, and with evidence.
fn check(violation: Violation, rule: &str) {
    let summary = smoke(violation);
    let violations = &summary.violations;
    assert!(violations.by_rule.get(rule).is_some_and(|count| *count > 0), "{violations:#?}");
    assert!(violations.evidence.iter().any(|evidence| evidence.rule.name() == rule && !evidence.what.is_empty()));
    assert!(summary.outcome == Outcome::Failed);
}

#[test]
fn a_proxy_that_changes_nothing_violates_nothing() {
    let summary = smoke(Violation::None);
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    assert!(summary.outcome == Outcome::Passed && summary.streams.ticks > 1_000);
}

#[test]
fn a_dropped_tick_is_found() {
    check(Violation::Drop, "holes");
}

#[test]
fn a_dropped_tick_is_found_while_other_streams_come_and_go() {
    // So often that most of their holes are cut off; then the sum of all says nothing of one.
    let summary = smoke_with(Violation::Drop, 6_000.0);
    let evidence = &summary.violations.evidence;
    assert!(summary.streams.resumed > 0 && summary.outcome == Outcome::Failed, "{:#?}", summary.streams);
    // On a busy machine the gateway may have left out others.
    let is_one_more = |what: &str| {
        let mut counts = what.split(' ').filter_map(|word| word.parse::<u64>().ok());
        counts.next().zip(counts.next()).is_some_and(|(counted, missed)| counted == missed + 1)
    };
    assert!(evidence.iter().any(|of| of.rule.name() == "holes" && is_one_more(&of.what)), "{evidence:#?}");
}

#[test]
fn two_swapped_ticks_are_found() {
    check(Violation::Reorder, "order");
}

#[test]
fn a_repeated_tick_is_found() {
    check(Violation::Repeat, "order");
}

#[test]
fn a_delayed_tick_is_found() {
    check(Violation::Delay, "old");
}

#[test]
fn a_digit_that_is_changed_for_all_streams_is_found() {
    let violations = smoke(Violation::DigitForAll).violations;
    assert!(violations.by_rule.get("not_sent").is_some_and(|count| *count > 10), "{violations:#?}");
    assert_eq!(violations.by_rule.get("conflict"), None, "all copies are alike");
}

#[test]
fn a_changed_digit_is_found() {
    check(Violation::Digit, "conflict");
}
