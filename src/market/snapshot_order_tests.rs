//! The order guard: tables, and any disorder.

use super::*;
use crate::market::{Overlap, StatsUpdate};
use proptest::prelude::*;

/// A trade's id and time.
type Place = (Option<u64>, Option<UnixMicros>);

/// Applies trades in turn; returns which of them were not late.
fn admitted(trades: &[Place]) -> Vec<usize> {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    let mut admitted = Vec::new();
    for (index, &(id, time)) in trades.iter().enumerate() {
        let applied = snapshot.apply(&trade(id, time, index as i64), &mut guards, now());
        assert_ne!(applied.late.is_empty(), applied.changed.is_empty(), "a trade is either a tick or late");
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
        ("a time over a minute ahead does not count", &[(None, at(61)), (None, at(0)), (None, at(-1))], &[0, 1]),
        (
            "a time before 1990 does not count",
            &[(None, Some(UnixMicros(0))), (None, at(-100)), (None, at(-101))],
            &[0, 1],
        ),
    ];
    for (name, trades, expected) in cases {
        assert_eq!(admitted(trades), expected, "{name}");
    }
}

proptest! {
    /// Two connections bring the same events, which have no ids, and several of which have one time; the second one
    /// begins somewhere. However they are mixed, what the first one brings moves nothing back behind the second one,
    /// and both end on the last event.
    #[test]
    fn rule_8_the_older_of_two_connections_moves_nothing_back(
        pauses in prop::collection::vec(0_i64..3, 1..30),
        begins in 0_usize..30,
        turns in prop::collection::vec(any::<bool>(), 60),
    ) {
        let times: Vec<i64> = pauses.iter().scan(-60, |time, pause| { *time += pause; Some(*time) }).collect();
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        let mut next = [0, begins.min(times.len() - 1)];
        let mut by_successor = None;
        for is_successor in turns.into_iter().chain([false; 30]).chain([true; 30]) {
            let event = next[usize::from(is_successor)];
            let Some(time) = times.get(event) else { continue };
            next[usize::from(is_successor)] += 1;
            let overlap = if is_successor { Overlap::Successor } else { Overlap::Predecessor };
            let bid = number(event as i64 + 1);
            let sequence = Sequence { time: at(*time), ..Sequence::default() };
            let quote = QuoteUpdate { sequence, bid, ..QuoteUpdate::default() };
            let update = Update { quote: Some(quote), overlap, ..Update::default() };
            let is_admitted = snapshot.apply(&update, &mut guards, now()).late.is_empty();
            if is_successor {
                by_successor = Some(event);
            } else if is_admitted {
                prop_assert!(by_successor < Some(event), "{event} after {by_successor:?} of {times:?}");
            }
        }
        prop_assert_eq!(snapshot.quote.bid, Decimal::new(times.len() as i64, 0));
    }
}

#[test]
fn rule_8_ids_alone_restart_with_each_connection() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    assert!(snapshot.apply(&quote(Some(50), number(1)), &mut guards, now()).late.is_empty());
    assert!(!snapshot.apply(&quote(Some(49), number(2)), &mut guards, now()).late.is_empty());
    snapshot.apply(&trade(Some(50), at(0), 1), &mut guards, now());
    snapshot.outage(Reason::ConnectionLost, &mut guards, now());
    assert!(snapshot.apply(&quote(Some(3), number(2)), &mut guards, now()).late.is_empty());
    assert!(!snapshot.apply(&trade(Some(3), at(0), 1), &mut guards, now()).late.is_empty(), "a trade has times too");
}

#[test]
fn rule_8_a_venue_may_declare_arrival_as_its_order() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    for (id, second, price) in [(628, 0, 1), (75, -3, 2), (75, -3, 3), (1_465, -9, 4)] {
        let applied = snapshot.apply(&print(TradingSession::Regular, at(second), price, id), &mut guards, now());
        assert!(applied.changed.contains(Part::Trade) && applied.late.is_empty());
        assert_eq!((last_prices(&snapshot).0, snapshot.trade.time), (Some(price), at(second)));
    }
}

#[test]
fn rule_8_ids_restart_after_each_reason_to_reconnect() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    snapshot.apply(&quote(Some(50), number(1)), &mut guards, now());
    for reason in [Reason::Gap, Reason::Mute, Reason::ConnectionLost, Reason::Reconnect] {
        snapshot.outage(reason, &mut guards, now());
        assert!(snapshot.apply(&quote(Some(3), number(2)), &mut guards, now()).late.is_empty(), "{reason:?}");
        assert!(!snapshot.apply(&quote(Some(2), number(1)), &mut guards, now()).late.is_empty(), "{reason:?}");
    }
}

proptest! {
    /// Any interleaving and repetition of a venue's trades never moves the price back in the venue's order.
    #[test]
    fn rule_8_no_disorder_moves_the_price_back(ids in prop::collection::vec(1_u64..40, 1..80)) {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        let mut highest = 0;
        for id in ids {
            // The venue's time rises with its ids, as coarse as milliseconds can be.
            snapshot.apply(&trade(Some(id), at(id as i64 / 10 - 60), id as i64), &mut guards, now());
            highest = highest.max(id);
            prop_assert_eq!(snapshot.trade.price, Decimal::new(highest as i64, 0));
        }
    }
}

/// A venue's message at this place in its order: a trade, a quote, statistics, a status or a correction.
fn message(kind: u8, place: u64) -> Update {
    let sequence = Sequence { id: Some(place), time: at(place as i64 / 4 - 60), by_arrival: false };
    let value = number(place as i64);
    match kind {
        0 | 1 => {
            let session = if kind == 0 { TradingSession::Regular } else { TradingSession::Extended };
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
        // A correction to the same price: the snapshot must still hold the same trade.
        _ => correction(place, Some((place as i64, TradingSession::Regular))),
    }
}

proptest! {
    /// No interleaving or repetition of a venue's messages moves a part back. Cancels are left out: they clear.
    #[test]
    fn rule_8_no_disorder_moves_any_part_back(
        messages in prop::collection::vec((0_u8..6, 1_u64..40, 0_u8..8), 1..120),
    ) {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        for (kind, place, outage) in messages {
            let before = snapshot;
            let applied = snapshot.apply(&message(kind, place), &mut guards, now());
            let unmoved = applied.changed.is_empty();
            prop_assert!(snapshot.trade.price.is_none() || before.trade.price.map(whole) <= snapshot.trade.price.map(whole));
            prop_assert!(snapshot.quote.bid.is_none() || before.quote.bid.map(whole) <= snapshot.quote.bid.map(whole));
            prop_assert!(snapshot.stats.volume.is_none() || before.stats.volume.map(whole) <= snapshot.stats.volume.map(whole));
            prop_assert!(before.trade.time <= snapshot.trade.time && before.trades <= snapshot.trades);
            prop_assert!(snapshot.ext.time.is_none() || snapshot.ext.time >= snapshot.trade.time);
            prop_assert!(!unmoved || visible(&before) == visible(&snapshot), "a change without a tick");
            if outage == 0 {
                snapshot.outage(Reason::ConnectionLost, &mut guards, now());
            }
        }
    }
}

/// Everything that a client sees.
fn visible(snapshot: &Snapshot) -> impl PartialEq + use<> {
    let Snapshot { trade, ext, trades, quote, stats, recv, .. } = *snapshot;
    (trade, ext, trades, quote, stats, recv, snapshot.stale(), snapshot.not_live_since())
}

fn whole(price: Decimal) -> i64 {
    price.to_string().parse().unwrap()
}

/// The answer to a question for the latest trade.
fn asked_for(time: Option<UnixMicros>, price: i64) -> Update {
    Update { is_snapshot: true, ..trade(None, time, price) }
}

#[test]
fn rule_8_a_snapshot_moves_a_trade_only_if_it_is_newer_and_confirms_the_one_that_is_known() {
    for (name, time, price, trades, is_stale) in [
        ("newer", at(1), 7, 2, false),
        ("the known one", at(0), 5, 1, false),
        ("another of the same moment: the stream may be ahead", at(0), 7, 1, false),
        ("older", at(-1), 7, 1, true),
        ("of no time", None, 7, 1, true),
    ] {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        let mut streamed = trade(None, at(0), 5);
        streamed.trade.as_mut().unwrap().sequence.by_arrival = true;
        snapshot.apply(&streamed, &mut guards, now());
        snapshot.outage(Reason::ConnectionLost, &mut guards, now());
        snapshot.apply(&asked_for(time, price), &mut guards, now());
        let shown = if trades == 2 { price } else { 5 };
        assert_eq!((snapshot.trades, whole(snapshot.trade.price.unwrap())), (trades, shown), "{name}");
        assert_eq!(snapshot.stale() != Parts::NONE, is_stale, "{name}");
    }
}

#[test]
fn a_snapshot_is_the_first_word_of_a_symbol_whatever_its_time() {
    for time in [at(0), None] {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        snapshot.apply(&asked_for(time, 5), &mut Guards::default(), now());
        assert_eq!((snapshot.state(), snapshot.trades), (State::Live, 1));
    }
}

/// The answer to a question for the latest state: a trade, a quote and a day's figures of these times, in seconds.
fn told(times: [i64; 3], opened: Option<UnixMicros>) -> Update {
    let [trade_time, quote_time, day] = times;
    let sequence = |seconds| Sequence { time: at(seconds), ..Sequence::default() };
    let quote = QuoteUpdate { sequence: sequence(quote_time), bid: number(4), ..QuoteUpdate::default() };
    let figures = StatsUpdate { sequence: sequence(day), open: number(1), ..StatsUpdate::default() };
    Update { quote: Some(quote), stats: Some(figures), opened, ..asked_for(at(trade_time), 5) }
}

#[test]
fn rule_7_what_a_snapshot_tells_of_an_earlier_session_is_shown_as_stale() {
    // The hours began a minute ago, four hours after midnight; the day before began at the midnight before that.
    let opened = at(-60);
    let [today, yesterday] = [-60 - 4 * 3_600, -60 - 28 * 3_600];
    use Part::{Quote, Stats, Trade};
    for (name, times, opened, stale, state) in [
        ("all of yesterday", [-3_600, -3_601, yesterday], opened, &[Trade, Quote, Stats][..], State::Stale),
        ("a quote of today", [-3_600, -59, yesterday], opened, &[Trade, Stats], State::Live),
        ("the very moment of the opening", [-60, -60, today], opened, &[], State::Live),
        ("of no hours", [-3_600, -3_601, yesterday], None, &[], State::Live),
    ] {
        let stale: Parts = stale.iter().copied().collect();
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        let answer = told(times, opened);
        for connection in 0..2 {
            snapshot.apply(&answer, &mut guards, now());
            assert_eq!((snapshot.state(), snapshot.stale()), (state, stale), "{name}, connection {connection}");
            assert_eq!((snapshot.trades, last_prices(&snapshot).0), (1, Some(5)), "{name}: it is shown");
            if state == State::Stale {
                let since = opened.unwrap();
                assert_eq!(snapshot.not_live_since(), Some((since, Reason::Opening)), "{name}");
            }
            snapshot.outage(Reason::ConnectionLost, &mut guards, now());
        }
        snapshot.apply(&trade(None, at(-1), 8), &mut guards, now());
        assert_eq!((snapshot.state(), snapshot.stale().contains(Trade)), (State::Live, false), "{name}");
    }
}

#[test]
fn rule_7_a_snapshot_without_times_renews_nothing_within_hours() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let answer = Update { opened: at(-60), ..asked_for(None, 5) };
    snapshot.apply(&answer, &mut Guards::default(), now());
    assert_eq!((snapshot.state(), snapshot.trades), (State::Stale, 1));
}

#[test]
fn rule_7_at_an_opening_a_snapshot_renews_only_what_is_newer_than_the_opening() {
    // The gateway saw the opening at second 10, be it that of the feed's hours or the venue's own word.
    for (time, price, trades, state) in
        [(at(0), 5, 1, State::Stale), (at(9), 7, 2, State::Stale), (at(10), 7, 2, State::Live)]
    {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        snapshot.apply(&trade(None, at(0), 5), &mut guards, now());
        let later = now().after(Duration::from_secs(10));
        snapshot.set_closed(true, now());
        snapshot.set_closed(false, later);
        let asked_for = asked_for(time, price);
        let figures = StatsUpdate { open: number(1), ..StatsUpdate::default() };
        snapshot.apply(&Update { stats: Some(figures), ..asked_for }, &mut guards, later);
        assert_eq!((snapshot.state(), snapshot.trades), (state, trades), "{time:?}");
        assert!(snapshot.stale().contains(Part::Stats), "figures of no time");
        snapshot.apply(&trade(None, at(11), 8), &mut guards, later);
        assert_eq!((snapshot.state(), snapshot.stale()), (State::Live, Parts::from_iter([Part::Stats])));
    }
}
