//! How an update is merged into a snapshot, and the updates that the tests of a snapshot are made of.

use super::*;
use crate::market::{Corrected, Decimal, Halt, QuoteUpdate, TradeKey};
use std::time::Duration;

#[path = "snapshot_halt_tests.rs"]
mod halts;
#[path = "snapshot_order_tests.rs"]
mod order;
#[path = "snapshot_restart_tests.rs"]
mod restarts;
#[path = "snapshot_status_tests.rs"]
mod status;
#[path = "snapshot_trade_tests.rs"]
mod trades;

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

fn quote(id: Option<u64>, bid: Field<Decimal>) -> Update {
    let quote = QuoteUpdate { sequence: Sequence { id, ..Sequence::default() }, bid, ..QuoteUpdate::default() };
    Update { quote: Some(quote), ..Update::default() }
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
    Update {
        status: Some(StatusUpdate { sequence, closed: None, halted, resume_is_reported: false }),
        ..Update::default()
    }
}

/// The last prices in and outside the regular session.
fn last_prices(snapshot: &Snapshot) -> (Option<i64>, Option<i64>) {
    let whole = |price: Option<Decimal>| price.map(|price| price.to_string().parse().unwrap());
    (whole(snapshot.trade.price), whole(snapshot.ext.price))
}

#[test]
fn a_field_is_set_kept_or_cleared() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    snapshot.apply(&quote(None, number(5)), &mut guards, now());
    assert_eq!(snapshot.apply(&quote(None, Field::Keep), &mut guards, now()), Applied::default());
    assert_eq!(snapshot.quote.bid, Decimal::new(5, 0));
    assert!(snapshot.apply(&quote(None, Field::Clear), &mut guards, now()).changed.contains(Part::Quote));
    assert_eq!(snapshot.quote.bid, None);
}

#[test]
fn an_update_that_changes_nothing_makes_no_tick_but_a_trade_always_does() {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    snapshot.apply(&quote(None, number(5)), &mut guards, now());
    let recv = snapshot.recv;
    let later = now().after(Duration::from_secs(1));
    assert!(snapshot.apply(&quote(None, number(5)), &mut guards, later).changed.is_empty());
    assert_eq!(snapshot.recv, recv);
    for trades in 1..=3 {
        assert!(snapshot.apply(&trade(None, at(0), 1), &mut guards, now()).changed.contains(Part::Trade));
        assert_eq!(snapshot.trades, trades);
    }
}
