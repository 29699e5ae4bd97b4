//! Trades in and outside the regular session, their corrections and cancels.

use super::*;
use crate::market::Kind;

#[test]
fn a_trade_outside_the_regular_session_is_kept_beside_the_last_one_in_it_until_a_newer_one() {
    use TradingSession::{Extended, Regular};
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    for (name, session, second, price, is_tick, after) in [
        ("before the open", Extended, -100, 1, true, (None, Some(1))),
        ("the open", Regular, -90, 2, true, (Some(2), None)),
        ("older than the last", Extended, -91, 3, false, (Some(2), None)),
        ("after the close", Extended, -80, 4, true, (Some(2), Some(4))),
        ("a late closing print", Regular, -85, 5, true, (Some(5), Some(4))),
        ("the next day", Regular, -70, 6, true, (Some(6), None)),
    ] {
        let applied = snapshot.apply(&print(session, at(second), price, 1), &mut guards, now());
        assert_eq!((applied.changed.contains(Part::Trade), last_prices(&snapshot)), (is_tick, after), "{name}");
    }
    assert_eq!(snapshot.trades, 5);
}

#[test]
fn a_correction_of_the_last_trade_replaces_it_and_a_cancel_clears_it() {
    use TradingSession::{Extended, Regular};
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    let mut check = |name, update: Update, is_tick, after| {
        let applied = snapshot.apply(&update, &mut guards, now());
        assert_eq!((!applied.changed.is_empty(), last_prices(&snapshot)), (is_tick, after), "{name}");
        Kind::of(applied.changed)
    };
    check("no trade yet", correction(1, None), false, (None, None));
    check("the first", print(Regular, at(-9), 10, 1), true, (Some(10), None));
    check("the second", print(Regular, at(-8), 11, 2), true, (Some(11), None));
    check("a cancel of an older one", correction(1, None), false, (Some(11), None));
    check("another exchange's", correction(3, Some((9, Regular))), false, (Some(11), None));
    let kind = check("a correction", correction(2, Some((12, Regular))), true, (Some(12), None));
    assert_eq!(kind, Kind::Correction);
    check("of the trade before its correction", correction(2, Some((13, Regular))), false, (Some(12), None));
    check("of the corrected trade", correction(102, Some((14, Regular))), true, (Some(14), None));
    check("after the close", print(Extended, at(-7), 15, 5), true, (Some(14), Some(15)));
    check("a correction there", correction(5, Some((16, Extended))), true, (Some(14), Some(16)));
    check("into another session", correction(105, Some((16, Regular))), true, (Some(14), None));
    check("a cancel", correction(202, None), true, (None, None));
    check("again", correction(202, None), false, (None, None));
    check("the next", print(Regular, at(-6), 17, 6), true, (Some(17), None));
}

#[test]
fn a_snapshot_of_the_venue_brings_no_trade_back_that_was_cancelled_or_corrected() {
    for (name, now_is, price) in
        [("cancelled", None, None), ("corrected", Some((11, TradingSession::Regular)), Some(11))]
    {
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        snapshot.apply(&print(TradingSession::Regular, at(-9), 10, 1), &mut guards, now());
        snapshot.apply(&correction(1, now_is), &mut guards, now());
        let asked = Update { is_snapshot: true, ..print(TradingSession::Regular, at(-9), 10, 1) };
        snapshot.apply(&asked, &mut guards, now());
        assert_eq!((last_prices(&snapshot), snapshot.trades), ((price, None), 1), "{name}");
    }
}

#[test]
fn a_correction_goes_to_streams_that_want_trades_and_does_not_count_as_one() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    snapshot.apply(&print(TradingSession::Regular, at(-9), 10, 1), &mut guards, now());
    let applied = snapshot.apply(&correction(1, Some((11, TradingSession::Regular))), &mut guards, now());
    assert!(applied.changed.intersects(Parts::from_iter([Part::Trade])));
    assert!(!applied.changed.intersects(Parts::from_iter([Part::Quote, Part::Stats, Part::Status])));
    assert_eq!((snapshot.trades, snapshot.trade.time), (1, at(-9)));
}
