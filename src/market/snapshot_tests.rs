//! What an update does to a quote: tables, and any disorder.

use super::*;
use crate::market::{Corrected, Halt, TradeKey};
use proptest::prelude::*;
use std::time::Duration;

const NOW_MICROS: i64 = 1_732_283_045_000_000;

fn now() -> Now {
    Now { unix: UnixMicros(NOW_MICROS), instant: std::time::Instant::now() }
}

fn at(seconds: i64) -> Option<UnixMicros> {
    Some(UnixMicros(NOW_MICROS + seconds * 1_000_000))
}

fn number(value: i64) -> Field<Decimal> {
    Field::Set(Decimal::new(value, 0).unwrap())
}

fn trade(id: Option<u64>, time: Option<UnixMicros>, price: i64) -> Update {
    let trade = TradeUpdate {
        sequence: Sequence { id, time, by_arrival: false },
        price: number(price),
        ..TradeUpdate::default()
    };
    Update { trade: Some(trade), ..Update::default() }
}

fn book(id: Option<u64>, bid: Field<Decimal>) -> Update {
    let quote = QuoteUpdate { sequence: Sequence { id, ..Sequence::default() }, bid, ..QuoteUpdate::default() };
    Update { quote: Some(quote), ..Update::default() }
}

/// A trade's id and time.
type Place = (Option<u64>, Option<UnixMicros>);

/// Applies trades in turn; returns which of them were not late.
fn admitted(trades: &[Place]) -> Vec<usize> {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    let mut admitted = Vec::new();
    for (index, &(id, time)) in trades.iter().enumerate() {
        let applied = snapshot.apply(&trade(id, time, index as i64), &mut guards, now());
        assert_ne!(applied.late.is_empty(), applied.changed.is_empty(), "a trade is a tick or late");
        if applied.late.is_empty() {
            admitted.push(index);
        }
    }
    admitted
}

#[test]
fn rule_8_only_newer_moves_a_part() {
    let cases: [(&str, &[Place], &[usize]); 9] = [
        ("ids rise", &[(Some(1), at(0)), (Some(2), at(0)), (Some(3), at(0))], &[0, 1, 2]),
        ("a repeat is late", &[(Some(7), at(0)), (Some(7), at(0)), (Some(6), at(0))], &[0]),
        ("a higher id may have an older time", &[(Some(1), at(0)), (Some(2), at(-9)), (Some(2), at(-9))], &[0, 1]),
        (
            "ids restart under a newer time",
            &[(Some(900), at(0)), (Some(1), at(1)), (Some(2), at(1)), (Some(1), at(1))],
            &[0, 1, 2],
        ),
        ("times alone: equal ones pass", &[(None, at(0)), (None, at(0)), (None, at(-1)), (None, at(1))], &[0, 1, 3]),
        ("neither: arrival is the order", &[(None, None), (None, None)], &[0, 1]),
        (
            "a wild id does not shut the part",
            &[(Some(u64::MAX), at(0)), (Some(5), at(0)), (Some(5), at(1)), (Some(6), at(1))],
            &[0, 2, 3],
        ),
        ("a time over a minute ahead is none", &[(None, at(61)), (None, at(0)), (None, at(-1))], &[0, 1]),
        ("a time before 1990 is none", &[(None, Some(UnixMicros(0))), (None, at(-100)), (None, at(-101))], &[0, 1]),
    ];
    for (name, trades, expected) in cases {
        assert_eq!(admitted(trades), expected, "{name}");
    }
}

#[test]
fn rule_8_ids_alone_start_anew_with_each_connection() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    assert!(snapshot.apply(&book(Some(50), number(1)), &mut guards, now()).late.is_empty());
    assert!(!snapshot.apply(&book(Some(49), number(2)), &mut guards, now()).late.is_empty());
    snapshot.apply(&trade(Some(50), at(0), 1), &mut guards, now());
    snapshot.outage(Reason::ConnectionLost, &mut guards, now());
    assert!(snapshot.apply(&book(Some(3), number(2)), &mut guards, now()).late.is_empty());
    assert!(!snapshot.apply(&trade(Some(3), at(0), 1), &mut guards, now()).late.is_empty(), "a trade has times too");
}

proptest! {
    /// Any interleaving and repetition of a venue's trades never moves the price back in the venue's order.
    #[test]
    fn rule_8_no_disorder_moves_the_price_back(ids in prop::collection::vec(1_u64..40, 1..80)) {
        let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        let mut highest = 0;
        for id in ids {
            // The venue's time rises with its ids, as coarse as milliseconds can be.
            snapshot.apply(&trade(Some(id), at(id as i64 / 10 - 60), id as i64), &mut guards, now());
            highest = highest.max(id);
            prop_assert_eq!(snapshot.trade.price, Decimal::new(highest as i64, 0));
        }
    }
}

#[test]
fn a_field_is_set_kept_or_cleared() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    snapshot.apply(&book(None, number(5)), &mut guards, now());
    assert_eq!(snapshot.apply(&book(None, Field::Keep), &mut guards, now()), Applied::default());
    assert_eq!(snapshot.quote.bid, Decimal::new(5, 0));
    assert!(snapshot.apply(&book(None, Field::Clear), &mut guards, now()).changed.contains(Part::Quote));
    assert_eq!(snapshot.quote.bid, None);
}

#[test]
fn an_update_that_changes_nothing_is_no_tick_but_a_trade_always_is() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    snapshot.apply(&book(None, number(5)), &mut guards, now());
    let recv = snapshot.recv;
    let later = now().after(Duration::from_secs(1));
    assert!(snapshot.apply(&book(None, number(5)), &mut guards, later).changed.is_empty());
    assert_eq!(snapshot.recv, recv);
    for trades in 1..=3 {
        assert!(snapshot.apply(&trade(None, at(0), 1), &mut guards, now()).changed.contains(Part::Trade));
        assert_eq!(snapshot.trades, trades);
    }
}

#[test]
fn rule_7_a_lost_connection_makes_stale_until_the_symbols_own_next_update() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(7)), Guards::default());
    assert_eq!(snapshot.not_live_since(), Some((UnixMicros(7), Reason::NoData)));
    assert!(snapshot.outage(Reason::ConnectionLost, &mut guards, now()).is_empty(), "what waits has nothing to lose");
    assert_eq!(snapshot.state(), State::Waiting);

    let first = snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert_eq!(Kind::of(first.changed), Kind::Trade);
    snapshot.apply(&book(None, number(5)), &mut guards, now());
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::NONE));

    assert_eq!(Kind::of(snapshot.outage(Reason::ConnectionLost, &mut guards, now())), Kind::Status);
    assert_eq!(snapshot.state(), State::Stale);
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::ConnectionLost)));
    assert!(snapshot.outage(Reason::ConnectionLost, &mut guards, now().after(Duration::from_secs(9))).is_empty());
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::ConnectionLost)), "the first loss counts");

    let renewed = snapshot.apply(&book(None, number(5)), &mut guards, now());
    assert_eq!(Kind::of(renewed.changed), Kind::Status, "the same bid again proves life");
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::from_iter([Part::Trade])));
    let traded = snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert!(traded.changed.contains(Part::Status));
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::NONE));
}

#[test]
fn rule_7_a_late_repeat_renews_nothing() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    snapshot.apply(&trade(Some(5), at(0), 1), &mut guards, now());
    snapshot.outage(Reason::ConnectionLost, &mut guards, now());
    assert!(snapshot.apply(&trade(Some(5), at(0), 1), &mut guards, now()).changed.is_empty());
    assert_eq!(snapshot.state(), State::Stale);
}

const KEY: TradeKey = TradeKey { exchange: b'K', id: 7 };

/// A trade of a consolidated feed.
fn print(session: TradingSession, time: Option<UnixMicros>, price: i64, id: u64) -> Update {
    let sequence = Sequence { time, by_arrival: true, ..Sequence::default() };
    let key = Some(TradeKey { id, ..KEY });
    let trade = TradeUpdate { sequence, price: number(price), session, key, ..TradeUpdate::default() };
    Update { trade: Some(trade), ..Update::default() }
}

fn correction(id: u64, now: Option<(i64, TradingSession)>) -> Update {
    let corrected = |(price, session)| {
        let key = Some(TradeKey { id: id + 100, ..KEY });
        Corrected { key, price: number(price), size: Field::Keep, session }
    };
    let correction = Correction { of: TradeKey { id, ..KEY }, now: now.map(corrected) };
    Update { correction: Some(correction), ..Update::default() }
}

fn status(halted: Field<Halt>, time: Option<UnixMicros>) -> Update {
    let sequence = Sequence { time, ..Sequence::default() };
    Update { status: Some(StatusUpdate { sequence, halted }), ..Update::default() }
}

/// What is shown of the trades in and outside the regular session.
fn shown(snapshot: &Snapshot) -> (Option<i64>, Option<i64>) {
    let whole = |price: Option<Decimal>| price.map(|price| price.to_string().parse().unwrap());
    (whole(snapshot.trade.price), whole(snapshot.ext.price))
}

#[test]
fn rule_8_a_venue_may_declare_arrival_as_its_order() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    for (id, second, price) in [(628, 0, 1), (75, -3, 2), (75, -3, 3), (1_465, -9, 4)] {
        let applied = snapshot.apply(&print(TradingSession::Regular, at(second), price, id), &mut guards, now());
        assert!(applied.changed.contains(Part::Trade) && applied.late.is_empty());
        assert_eq!((shown(&snapshot).0, snapshot.trade.time), (Some(price), at(second)));
    }
}

#[test]
fn a_trade_outside_the_regular_session_stands_beside_its_last_until_a_newer_one() {
    use TradingSession::{Extended, Regular};
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    for (name, session, second, price, is_tick, after) in [
        ("before the open", Extended, -100, 1, true, (None, Some(1))),
        ("the open", Regular, -90, 2, true, (Some(2), None)),
        ("older than the last", Extended, -91, 3, false, (Some(2), None)),
        ("after the close", Extended, -80, 4, true, (Some(2), Some(4))),
        ("a closing print that is told late", Regular, -85, 5, true, (Some(5), Some(4))),
        ("the next day", Regular, -70, 6, true, (Some(6), None)),
    ] {
        let applied = snapshot.apply(&print(session, at(second), price, 1), &mut guards, now());
        assert_eq!((applied.changed.contains(Part::Trade), shown(&snapshot)), (is_tick, after), "{name}");
    }
    assert_eq!(snapshot.trades, 5);
}

#[test]
fn a_correction_of_the_shown_trade_replaces_it_and_a_cancel_clears_it() {
    use TradingSession::{Extended, Regular};
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    let mut check = |name, update: Update, is_tick, after| {
        let applied = snapshot.apply(&update, &mut guards, now());
        assert_eq!((!applied.changed.is_empty(), shown(&snapshot)), (is_tick, after), "{name}");
        Kind::of(applied.changed)
    };
    check("nothing is shown", correction(1, None), false, (None, None));
    check("the first", print(Regular, at(-9), 10, 1), true, (Some(10), None));
    check("the second", print(Regular, at(-8), 11, 2), true, (Some(11), None));
    check("a cancel of an older one", correction(1, None), false, (Some(11), None));
    check("another exchange's", correction(3, Some((9, Regular))), false, (Some(11), None));
    let kind = check("a correction", correction(2, Some((12, Regular))), true, (Some(12), None));
    assert_eq!(kind, Kind::Correction);
    check("of what it was", correction(2, Some((13, Regular))), false, (Some(12), None));
    check("of what it is", correction(102, Some((14, Regular))), true, (Some(14), None));
    check("after the close", print(Extended, at(-7), 15, 5), true, (Some(14), Some(15)));
    check("a correction there", correction(5, Some((16, Extended))), true, (Some(14), Some(16)));
    check("into another session", correction(105, Some((16, Regular))), true, (Some(14), None));
    check("a cancel", correction(202, None), true, (None, None));
    check("again", correction(202, None), false, (None, None));
    check("the next", print(Regular, at(-6), 17, 6), true, (Some(17), None));
}

#[test]
fn a_correction_is_told_to_those_who_want_trades_and_counts_no_trade() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    snapshot.apply(&print(TradingSession::Regular, at(-9), 10, 1), &mut guards, now());
    let applied = snapshot.apply(&correction(1, Some((11, TradingSession::Regular))), &mut guards, now());
    assert!(applied.changed.intersects(Parts::from_iter([Part::Trade])));
    assert!(!applied.changed.intersects(Parts::from_iter([Part::Quote, Part::Stats, Part::Status])));
    assert_eq!((snapshot.trades, snapshot.trade.time), (1, at(-9)));
}

#[test]
fn a_halt_ends_with_the_venues_resume_or_the_next_trade() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    let mut state = |update: Update| {
        let applied = snapshot.apply(&update, &mut guards, now());
        (snapshot.state(), snapshot.not_live_since().map(|(_, reason)| reason), applied.changed.contains(Part::Status))
    };
    let halted = |halt, news| (State::Halted, Some(Reason::Halt(halt)), news);
    let live = |news| (State::Live, None, news);
    assert_eq!(state(status(Field::Set(Halt::News), at(-90))), halted(Halt::News, true), "the first that is said");
    assert_eq!(state(book(None, number(1))), halted(Halt::News, false), "a quote ends no halt");
    assert_eq!(
        state(print(TradingSession::Regular, at(-91), 1, 1)),
        halted(Halt::News, false),
        "a trade from before it"
    );
    assert_eq!(state(print(TradingSession::Regular, at(-89), 1, 1)), live(true), "a trade after it");
    assert_eq!(state(status(Field::Set(Halt::Volatility), at(-80))), halted(Halt::Volatility, true));
    assert_eq!(
        state(status(Field::Clear, at(-85))),
        halted(Halt::Volatility, false),
        "a late resume is of another halt"
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
        "without a time it is that of its coming"
    );
}

#[test]
fn rule_7_outside_its_hours_a_symbol_is_closed_whatever_arrives_and_stale_at_their_start() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    assert!(snapshot.set_closed(true, now()).is_empty(), "what waits, waits");
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
    snapshot.apply(&book(None, number(5)), &mut guards, later);
    assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::from_iter([Part::Trade])));
    assert!(snapshot.set_closed(false, later).is_empty(), "hours that go on begin nothing");
}

#[test]
fn rule_7_a_trade_that_is_not_shown_makes_no_older_one_fresh() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
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
fn rule_7_a_refusal_lasts_until_it_is_taken_back() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    assert!(!snapshot.set_refused(Some(Reason::NotEntitled), now()).is_empty());
    assert!(snapshot.set_refused(Some(Reason::NotEntitled), now().after(Duration::from_secs(9))).is_empty());
    snapshot.apply(&trade(None, at(0), 1), &mut guards, now());
    assert_eq!(snapshot.not_live_since(), Some((now().unix, Reason::NotEntitled)));
    assert!(!snapshot.set_refused(None, now()).is_empty());
    assert_eq!(snapshot.state(), State::Live);
}

#[test]
fn rule_8_after_a_gap_the_same_connections_ids_go_on() {
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
    snapshot.apply(&book(Some(50), number(1)), &mut guards, now());
    snapshot.outage(Reason::Gap, &mut guards, now());
    assert!(!snapshot.apply(&book(Some(49), number(2)), &mut guards, now()).late.is_empty());
    snapshot.outage(Reason::Mute, &mut guards, now());
    assert!(snapshot.apply(&book(Some(3), number(2)), &mut guards, now()).late.is_empty());
}

/// Something that a venue says at its `place`: trades, quotes, statistics, statuses and corrections of earlier trades.
fn said(what: u8, place: u64) -> Update {
    let sequence = Sequence { id: Some(place), time: at(place as i64 / 4 - 60), by_arrival: false };
    let value = number(place as i64);
    match what {
        0 | 1 => {
            let session = if what == 0 { TradingSession::Regular } else { TradingSession::Extended };
            let key = Some(TradeKey { id: place, ..KEY });
            let trade = TradeUpdate { sequence, price: value, session, key, ..TradeUpdate::default() };
            Update { trade: Some(trade), ..Update::default() }
        }
        2 => {
            Update { quote: Some(QuoteUpdate { sequence, bid: value, ..QuoteUpdate::default() }), ..Update::default() }
        }
        3 => Update {
            stats: Some(StatsUpdate { sequence, volume: value, ..StatsUpdate::default() }),
            ..Update::default()
        },
        4 => status(if place.is_multiple_of(2) { Field::Clear } else { Field::Set(Halt::News) }, sequence.time),
        // A correction to the same price: what is shown must still be the same trade.
        _ => correction(place, Some((place as i64, TradingSession::Regular))),
    }
}

proptest! {
    /// Any interleaving and repetition of what a venue says never moves a part back; cancels apart, which clear.
    #[test]
    fn rule_8_no_disorder_moves_any_part_back(
        told in prop::collection::vec((0_u8..6, 1_u64..40, 0_u8..8), 1..120),
    ) {
        let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        for (what, place, outage) in told {
            let before = snapshot;
            let applied = snapshot.apply(&said(what, place), &mut guards, now());
            let unmoved = applied.changed.is_empty();
            prop_assert!(snapshot.trade.price.is_none() || before.trade.price.map(whole) <= snapshot.trade.price.map(whole));
            prop_assert!(snapshot.quote.bid.is_none() || before.quote.bid.map(whole) <= snapshot.quote.bid.map(whole));
            prop_assert!(snapshot.stats.volume.is_none() || before.stats.volume.map(whole) <= snapshot.stats.volume.map(whole));
            prop_assert!(before.trade.time <= snapshot.trade.time && before.trades <= snapshot.trades);
            prop_assert!(snapshot.ext.time.is_none() || snapshot.ext.time >= snapshot.trade.time);
            prop_assert!(!unmoved || seen(&before) == seen(&snapshot), "no tick, no change");
            if outage == 0 {
                snapshot.outage(Reason::ConnectionLost, &mut guards, now());
            }
        }
    }
}

/// All that a client sees.
fn seen(snapshot: &Snapshot) -> impl PartialEq + use<> {
    let Snapshot { trade, ext, trades, quote, stats, recv, .. } = *snapshot;
    (trade, ext, trades, quote, stats, recv, snapshot.stale(), snapshot.not_live_since())
}

fn whole(price: Decimal) -> i64 {
    price.to_string().parse().unwrap()
}
