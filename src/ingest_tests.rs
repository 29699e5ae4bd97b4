use super::*;
use crate::{
    cache::{Cache, RingLimits},
    market::{Field, Halt, Origin, StatusUpdate, TradeUpdate},
    wire::Epoch,
};
use std::time::Duration;

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
