//! Frames in any order, and repeated: no part moves back.

use super::tests::{trades, venue};
use crate::{
    market::{Decimal, Guards, Now, Origin, Snapshot},
    venue::{Batch, Venue},
};
use proptest::prelude::*;

fn ticker(place: u64) -> String {
    format!(
        r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{place},"bid_qty":1,"ask":{place},"ask_qty":1,"high":{place},"low":1,"volume":{place},"timestamp":"2026-06-14T05:36:39.{:06}Z"}}]}}"#,
        place / 3
    )
}

proptest! {
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(
        told in prop::collection::vec((0_u8..3, 1_u64..40, 1_u64..5), 1..80),
    ) {
        let mut venue = venue();
        venue.open();
        let mut batch = Batch::default();
        // The venue's times must not lie ahead of the clock.
        let now = Now { unix: crate::market::UnixMicros(1_781_415_400_000_000), ..Now::read() };
        let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
        let mut guards = Guards::default();
        let mut highest_trade = 0;
        let mut highest_time = 0;
        for (kind, place, count) in told {
            let frame = match kind {
                0 => ticker(place),
                1 => trades("update", &(place..place + count).map(|id| ("BTC/USD", id)).collect::<Vec<_>>()),
                _ => trades("snapshot", &(place..place + count).map(|id| ("BTC/USD", id)).collect::<Vec<_>>()),
            };
            let trades_before = snapshot.trades;
            prop_assert!(venue.read(frame.as_bytes(), &mut batch).is_ok());
            for update in batch.updates.drain(..) {
                let _ = snapshot.apply(&update, &mut guards, now);
            }
            let newest = place + count - 1;
            match kind {
                0 if place / 3 >= highest_time => {
                    highest_time = place / 3;
                    prop_assert_eq!((snapshot.quote.bid, snapshot.stats.high), (of(place), of(place)));
                }
                0 => prop_assert!(snapshot.quote.bid != of(place)),
                1 => prop_assert_eq!(snapshot.trades - trades_before, newest.saturating_sub(highest_trade.max(place - 1))),
                _ => prop_assert_eq!(snapshot.trades - trades_before, u64::from(newest > highest_trade)),
            }
            if kind > 0 {
                highest_trade = highest_trade.max(newest);
            }
            prop_assert_eq!(snapshot.trade.price, of(highest_trade).filter(|_| highest_trade > 0));
        }
        prop_assert_eq!(batch.errors.total(), 0);
    }
}

fn of(place: u64) -> Option<Decimal> {
    Decimal::new(place as i64, 0)
}
