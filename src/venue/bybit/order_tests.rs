//! Sessions: what a symbol's snapshot shows after many frames.

use super::{tests::venue, *};
use crate::market::{Decimal, Guards, Now, Origin, Snapshot, UnixMicros};
use proptest::prelude::*;

/// One symbol's snapshot, fed by a venue.
struct Shown {
    venue: Bybit,
    batch: Batch,
    snapshot: Snapshot,
    guards: Guards,
    now: Now,
}

impl Shown {
    fn new(category: Category) -> Self {
        let now = Now { unix: UnixMicros(1_900_000_000_000_000), ..Now::read() };
        let snapshot = Snapshot::waiting(Origin::Market, now.unix);
        Self { venue: venue(category), batch: Batch::default(), snapshot, guards: Guards::default(), now }
    }

    fn take(&mut self, frame: &str) {
        assert_eq!(self.venue.read(frame.as_bytes(), &mut self.batch), Ok(Message::Data), "{frame}");
        assert_eq!(self.batch.errors.total(), 0, "{frame}");
        for update in self.batch.updates.drain(..) {
            let _ = self.snapshot.apply(&update, &mut self.guards, self.now);
        }
    }

    fn bid(&self) -> Option<String> {
        self.snapshot.quote.bid.map(|bid| bid.to_string())
    }
}

const BEGIN: u64 = 1_781_415_763_000;

fn book(kind: &str, id: u64, millis: u64, bid: u64) -> String {
    let time = BEGIN + millis;
    format!(
        r#"{{"topic":"orderbook.1.BTCUSDT","ts":{time},"type":"{kind}","data":{{"s":"BTCUSDT","b":[["{bid}","1"]],"a":[["{}","1"]],"u":{id},"seq":5}},"cts":{time}}}"#,
        bid + 1
    )
}

#[test]
fn a_restart_of_the_venues_service_begins_its_ids_at_one() {
    let mut shown = Shown::new(Category::Spot);
    shown.take(&book("snapshot", 62_505_425, 0, 100));
    shown.take(&book("snapshot", 62_505_424, 0, 99));
    assert_eq!(shown.bid().as_deref(), Some("100"), "late");
    shown.take(&book("snapshot", 1, 900, 90));
    assert_eq!(shown.bid().as_deref(), Some("90"), "restarted");
    shown.take(&book("snapshot", 2, 900, 91));
    assert_eq!(shown.bid().as_deref(), Some("91"), "in the same millisecond");
    shown.take(&book("snapshot", 1, 900, 90));
    assert_eq!(shown.bid().as_deref(), Some("91"), "repeated");
}

#[test]
fn a_book_that_is_sent_again_without_a_change_is_no_change() {
    let mut shown = Shown::new(Category::Spot);
    shown.take(&book("snapshot", 7, 0, 100));
    let before = shown.snapshot;
    shown.take(&book("snapshot", 7, 0, 100));
    shown.take(&book("snapshot", 7, 3_000, 100));
    assert_eq!((shown.snapshot.quote.bid, shown.snapshot.recv), (before.quote.bid, before.recv));
}

#[test]
fn trades_of_a_contract_in_one_millisecond_all_pass_and_an_older_one_does_not() {
    let mut shown = Shown::new(Category::Linear);
    let trade = |millis: u64, price: u64| {
        format!(
            r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{{"T":{},"s":"BTCUSDT","S":"Buy","v":"1","p":"{price}","i":"x-y"}}]}}"#,
            BEGIN + millis
        )
    };
    for (millis, price, shown_price) in [(5, 10, 10), (5, 11, 11), (4, 99, 11), (6, 12, 12)] {
        shown.take(&trade(millis, price));
        assert_eq!(shown.snapshot.trade.price, Decimal::new(shown_price, 0));
    }
    assert_eq!(shown.snapshot.trades, 3);
}

proptest! {
    /// Any interleaving and repetition of frames, several to a millisecond. Each number is id and price, so a part has
    /// moved back where it shows less than its highest.
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(
        told in prop::collection::vec((0_usize..3, 1_u64..40), 1..80),
    ) {
        let mut spot = Shown::new(Category::Spot);
        let mut linear = Shown::new(Category::Linear);
        let mut highest = [0; 3];
        for (part, place) in told {
            let time = BEGIN + place / 8;
            match part {
                0 => spot.take(&format!(
                    r#"{{"topic":"publicTrade.BTCUSDT","ts":1,"type":"snapshot","data":[{{"i":"{place}","T":{time},"p":"{place}","v":"1","S":"Buy","s":"BTCUSDT"}}]}}"#
                )),
                1 => spot.take(&book("delta", place, place / 8, place)),
                _ => linear.take(&format!(
                    r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT","bid1Price":"{place}","bid1Size":"1","volume24h":"{place}"}},"cs":{place},"ts":{time}}}"#
                )),
            }
            highest[part] = highest[part].max(place as i64);
            let known = highest.map(|place| Decimal::new(place, 0).filter(|_| place > 0));
            let shown = [spot.snapshot.trade.price, spot.snapshot.quote.bid, linear.snapshot.quote.bid];
            prop_assert_eq!(shown, known);
            prop_assert_eq!(linear.snapshot.stats.volume, known[2]);
        }
    }
}
