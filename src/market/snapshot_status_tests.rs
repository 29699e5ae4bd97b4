//! Outages, hours, refusals and halts.

use super::*;
use crate::market::Kind;

#[test]
fn rule_7_a_lost_connection_makes_a_symbol_stale_until_its_own_next_update() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(7));
    let mut guards = Guards::default();
    assert_eq!(snapshot.not_live_since(), Some((UnixMicros(7), Reason::NoData)));
    assert!(
        snapshot.outage(Reason::ConnectionLost, &mut guards, now()).is_empty(),
        "a waiting symbol has nothing to lose"
    );
    assert_eq!(snapshot.state(), State::Waiting);

    let first = snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert_eq!(Kind::of(first.changed), Kind::Trade);
    snapshot.apply(&quote(None, number(5)), &mut guards, now());
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::NONE));

    assert_eq!(Kind::of(snapshot.outage(Reason::ConnectionLost, &mut guards, now())), Kind::Status);
    assert_eq!(snapshot.state(), State::Stale);
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::ConnectionLost)));
    assert!(snapshot.outage(Reason::ConnectionLost, &mut guards, now().after(Duration::from_secs(9))).is_empty());
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::ConnectionLost)), "the first outage counts");

    let renewed = snapshot.apply(&quote(None, number(5)), &mut guards, now());
    assert_eq!(Kind::of(renewed.changed), Kind::Status, "the same bid again proves life");
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::from_iter([Part::Trade])));
    let traded = snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert!(traded.changed.contains(Part::Status));
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::NONE));
}

#[test]
fn rule_7_a_late_repeat_renews_nothing() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    snapshot.apply(&trade(Some(5), at(0), 1), &mut guards, now());
    snapshot.outage(Reason::ConnectionLost, &mut guards, now());
    assert!(snapshot.apply(&trade(Some(5), at(0), 1), &mut guards, now()).changed.is_empty());
    assert_eq!(snapshot.state(), State::Stale);
}

#[test]
fn rule_7_outside_its_hours_a_symbol_is_closed_whatever_arrives_and_stale_at_their_start() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    assert!(snapshot.set_closed(true, now()).is_empty(), "a waiting symbol stays waiting");
    snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::OutsideHours)));
    let recv = snapshot.recv;
    assert!(snapshot.outage(Reason::Mute, &mut guards, now()).contains(Part::Status), "a part is stale");
    snapshot.apply(&trade(None, at(0), 2), &mut guards, now());
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Closed, Parts::NONE));
    let later = now().after(Duration::from_secs(60));
    assert!(!snapshot.set_closed(false, later).is_empty());
    assert_eq!(snapshot.not_live_since(), Some((later.unix, Reason::Opening)));
    assert_eq!((snapshot.state(), snapshot.recv), (State::Stale, recv), "a state that the gateway sets keeps `recv`");
    assert!(snapshot.set_closed(false, later).is_empty());
    snapshot.apply(&quote(None, number(5)), &mut guards, later);
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::from_iter([Part::Trade])));
    assert!(snapshot.set_closed(false, later).is_empty(), "hours that go on change nothing");
}

#[test]
fn rule_7_a_trade_that_the_snapshot_does_not_keep_renews_nothing() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    let print = |session, seconds| {
        let sequence = Sequence { time: at(seconds), by_arrival: true, ..Sequence::default() };
        let trade = TradeUpdate { sequence, price: number(1), session, ..TradeUpdate::default() };
        Update { trade: Some(trade), ..Update::default() }
    };
    snapshot.apply(&print(TradingSession::Regular, -10), &mut guards, now());
    snapshot.outage(Reason::ConnectionLost, &mut guards, now());
    assert!(snapshot.apply(&print(TradingSession::Extended, -11), &mut guards, now()).changed.is_empty());
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Stale, Parts::from_iter([Part::Trade])));
    snapshot.apply(&print(TradingSession::Extended, -9), &mut guards, now());
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::NONE));
}

#[test]
fn rule_7_a_refusal_lasts_until_the_venue_grants_the_symbol() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    assert!(!snapshot.set_refused(Some(Reason::NotEntitled), now()).is_empty());
    assert!(snapshot.set_refused(Some(Reason::NotEntitled), now().after(Duration::from_secs(9))).is_empty());
    snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::NotEntitled)));
    assert!(!snapshot.set_refused(None, now()).is_empty());
    assert_eq!(snapshot.state(), State::Live);
}

#[test]
fn where_a_venue_does_not_report_resumes_the_next_trade_ends_a_halt_too() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    let mut state = |update: Update| {
        let applied = snapshot.apply(&update, &mut guards, now());
        (snapshot.state(), snapshot.not_live_since().map(|(_, reason)| reason), applied.changed.contains(Part::Status))
    };
    let halted = |halt, is_new| (State::Halted, Some(Reason::Halt(halt)), is_new);
    let live = |is_new| (State::Live, None, is_new);
    assert_eq!(state(status(Field::Set(Halt::News), at(-90))), halted(Halt::News, true), "the first halt");
    assert_eq!(state(quote(None, number(1))), halted(Halt::News, false), "a quote does not end a halt");
    assert_eq!(
        state(print(TradingSession::Regular, at(-91), 1, 1)),
        halted(Halt::News, false),
        "a trade from before the halt"
    );
    assert_eq!(state(print(TradingSession::Regular, at(-89), 1, 1)), live(true), "a trade after the halt");
    assert_eq!(state(status(Field::Set(Halt::Volatility), at(-80))), halted(Halt::Volatility, true));
    assert_eq!(
        state(status(Field::Clear, at(-85))),
        halted(Halt::Volatility, false),
        "a late resume belongs to another halt"
    );
    assert_eq!(state(status(Field::Keep, at(-79))), halted(Halt::Volatility, false));
    assert_eq!(state(status(Field::Set(Halt::Other), at(-78))), halted(Halt::Other, true));
    assert_eq!(state(status(Field::Clear, at(-70))), live(true), "resumed");
    let since = now().after(Duration::ZERO).unix;
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    snapshot.apply(&status(Field::Set(Halt::News), None), &mut Guards::default(), now());
    assert_eq!(
        snapshot.not_live_since(),
        Some((since, Reason::Halt(Halt::News))),
        "without a time the halt begins when it is received"
    );
}
