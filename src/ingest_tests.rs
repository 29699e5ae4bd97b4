use super::*;
use crate::{
    cache::{Cache, RingLimits},
    config::Config,
    market::{FailoverLimits, Field, Halt, Origin, StatusUpdate, TradeUpdate},
    wire::Epoch,
};
use std::{
    io::{Read, pipe},
    time::Duration,
};

/// Symbols A to D, of which all but D have traded.
fn symbols() -> [Arc<SymbolState>; 4] {
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
    let register = |name: &str| cache.register(name.parse().unwrap(), "x".into(), Origin::Market, Now::read());
    let symbols = ["A", "B", "C", "D"].map(|name| register(name).unwrap());
    symbols[..3].iter().for_each(|symbol| trade(symbol, Now::read()));
    symbols
}

fn trade(symbol: &SymbolState, now: Now) {
    symbol.publish(&Update { trade: Some(TradeUpdate::default()), ..Update::default() }, now);
}

fn halt(symbol: &SymbolState) {
    let status = StatusUpdate { halted: Field::Set(Halt::Other), ..StatusUpdate::default() };
    symbol.publish(&Update { status: Some(status), ..Update::default() }, Now::read());
}

#[test]
fn symbols_that_wait_or_were_cut_off_before_the_connection_subscribed_are_unheard() {
    let symbols = symbols();
    let names = |since: Now| {
        let unheard = unheard(symbols.iter().map(|symbol| (symbol, None)), Source::Primary, since.unix);
        let names: Vec<_> = unheard.examples.iter().map(|symbol| symbol.as_str().to_owned()).collect();
        assert_eq!(unheard.count, names.len());
        names.concat()
    };
    let subscribed = Now::read();
    assert_eq!(names(subscribed), "D");
    symbols.iter().for_each(|symbol| _ = symbol.outage(Reason::ConnectionLost, subscribed));
    let again = subscribed.after(Duration::from_secs(1));
    trade(&symbols[0], again);
    assert_eq!(names(again), "BCD");
    symbols[1].set_refused(Some(Reason::NotGranted), again);
    assert_eq!(names(again), "CD", "a refusal has its own state");
    let later = again.after(Duration::from_secs(1));
    symbols.iter().for_each(|symbol| _ = symbol.mark_stale(Parts::ALL, Reason::Mute, later));
    assert_eq!(names(again), "CD", "A was heard, and is mute");
    symbols[2].set_closed(true, later);
    assert_eq!(names(again), "D");
}

#[test]
fn a_symbol_whose_state_the_venue_has_told_since_is_not_unheard_however_old_that_state_is() {
    let symbols = symbols();
    let begin = Now::read();
    symbols.iter().for_each(|symbol| _ = symbol.outage(Reason::ConnectionLost, begin));
    let count = |told: Option<Now>| {
        let told = told.map(|told| told.unix);
        unheard(symbols.iter().map(|symbol| (symbol, told)), Source::Primary, begin.unix).count
    };
    assert_eq!((count(None), count(Some(begin))), (4, 1), "D waits, so the venue has told nothing of it");
    let before = Now { unix: begin.unix.before(Duration::from_secs(1)), ..begin };
    assert_eq!(count(Some(before)), 4, "on another connection");
}

#[test]
fn rule_7_a_connection_is_halted_when_each_symbol_that_is_not_refused_is() {
    let symbols = symbols();
    assert!(!are_halted(symbols.iter(), Source::Primary));
    symbols[3].set_refused(Some(Reason::NotGranted), Now::read());
    symbols[..2].iter().for_each(|symbol| halt(symbol));
    assert!(!are_halted(symbols.iter(), Source::Primary), "one trades");
    halt(&symbols[2]);
    assert!(are_halted(symbols.iter(), Source::Primary));
    symbols[0].set_closed(true, Now::read());
    assert!(are_halted(symbols.iter(), Source::Primary), "a symbol whose session is over sends nothing either");
    symbols[0].set_closed(false, Now::read());
    assert!(!are_halted(symbols.iter(), Source::Primary), "one has opened");
    symbols[..3].iter().for_each(|symbol| _ = symbol.set_closed(true, Now::read()));
    assert!(are_halted(symbols.iter(), Source::Primary), "all sessions are over");
    symbols[..3].iter().for_each(|symbol| _ = symbol.set_closed(false, Now::read()));
    symbols[..3].iter().for_each(|symbol| halt(symbol));
    symbols[0].outage(Reason::ConnectionLost, Now::read());
    assert!(!are_halted(symbols.iter(), Source::Primary), "a halt from before an outage may be over");
    symbols.iter().for_each(|symbol| _ = symbol.set_refused(Some(Reason::NotGranted), Now::read()));
    assert!(!are_halted(symbols.iter(), Source::Primary), "nothing is halted where all is refused");
}

#[test]
fn failovers_are_logged_once_by_whichever_connection_of_the_standby_there_is_also_after_its_restart() {
    let symbols = symbols();
    let limits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(30) };
    let counts = Arc::<FailoverCounts>::default();
    for symbol in &symbols {
        symbol.add_standby("spare".into(), Origin::Market, limits, counts.clone(), Now::read()).unwrap();
    }
    let fails = |symbol: &SymbolState| {
        let update = Update { trade: Some(TradeUpdate::default()), ..Update::default() };
        symbol.through(None).of(Source::Standby).publish(&update, Now::read());
        symbol.outage(Reason::Gap, Now::read());
    };
    let workers = WorkerPool::start(&Config::default().fanout).unwrap().0;
    let log = || FailoverLog::new("main".into(), "spare".into(), counts.clone());
    let mut sinks = MakeIngest::new(workers.clone()).of_two(Source::Standby, Some(log()));
    let [mut first, mut second] = [sinks.make(), sinks.make()];
    let (mut lines, writer) = pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(std::sync::Mutex::new(writer)).finish();
    tracing::subscriber::with_default(subscriber, || {
        symbols[..2].iter().for_each(|symbol| fails(symbol));
        first.due(Now::read());
        second.due(Now::read());
        // Its list has become empty.
        drop(first);
        fails(&symbols[2]);
        second.due(Now::read());
        // Between its last look and the restart.
        trade(&symbols[0], Now::read());
        symbols[0].through(None).of(Source::Standby).outage(Reason::Gap, Now::read());
        drop((second, sinks));
        MakeIngest::new(workers).of_two(Source::Standby, Some(log())).make().due(Now::read());
    });
    let mut text = String::new();
    lines.read_to_string(&mut text).unwrap();
    let logged: Vec<_> =
        text.lines().filter_map(|line| line.split_once("failover")).map(|(_, fields)| fields).collect();
    let told = |symbols| format!(" from=\"main\" to=\"spare\" reason=\"gap\" symbols={symbols}");
    let back = " from=\"spare\" to=\"main\" reason=\"gap\" symbols=1";
    assert_eq!(logged, [told(2).as_str(), &told(1), back]);
}
