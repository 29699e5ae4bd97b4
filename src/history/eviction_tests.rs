//! What goes when the trails have reached their limit of memory.

use super::{
    HistoryUsage, POINT_BYTES, TRAIL_BYTES,
    tests::{Market, SECOND, price},
};
use proptest::prelude::*;

/// A trail with room for eight points, as each begins.
const SMALL: usize = TRAIL_BYTES + 8 * POINT_BYTES;

impl Market {
    /// The symbols that have a trail.
    fn kept(&self) -> Vec<usize> {
        let has_trail = |symbol: &usize| self.trails.has_trail(self.states[*symbol].id());
        (0..self.states.len()).filter(has_trail).collect()
    }

    fn trade_all(&mut self) {
        self.pass(SECOND);
        (0..self.states.len()).for_each(|symbol| self.trade(symbol, 7));
        self.observe();
    }
}

#[test]
fn rule_10_trails_take_no_more_than_their_limit_and_the_least_wanted_go_first() {
    let mut market = Market::new(6, 100, 3 * SMALL);
    (0..3).for_each(|symbol| market.join(symbol));
    market.trade_all();
    assert_eq!(market.kept(), [0, 1, 2]);
    market.leave(1);
    market.pass(SECOND);
    market.leave(0);
    market.join(3);
    market.trade_all();
    assert_eq!(market.kept(), [0, 2, 3], "1 was left first");
    market.request(0);
    market.pass(SECOND);
    market.leave(3);
    market.join(4);
    market.trade_all();
    assert_eq!(market.kept(), [2, 3, 4], "3 was left after the request for 0");
    market.pass(SECOND);
    market.request(3);
    market.request(2);
    market.join(5);
    market.trade_all();
    assert_eq!(market.kept(), [2, 4, 5], "3 has no stream");
    market.join(0);
    market.pass(SECOND);
    market.request(0);
    market.trade_all();
    assert_eq!(market.kept(), [0, 2, 5], "of those with streams, 4 and 5 were never requested");
    assert_eq!(market.trails.usage(), HistoryUsage { trails: 3, bytes: 3 * SMALL, evicted: 4 });
}

#[test]
fn symbols_that_are_wanted_alike_do_not_push_each_other_out() {
    let mut market = Market::new(20, 100, 5 * SMALL);
    (0..20).for_each(|symbol| market.join(symbol));
    market.trade_all();
    let kept = market.kept();
    let evicted = market.trails.usage().evicted;
    assert_eq!(kept.len(), 5);
    (0..5).for_each(|_| market.trade_all());
    assert_eq!((market.kept(), market.trails.usage().evicted), (kept, evicted));
}

#[test]
fn trails_that_would_not_make_enough_room_stay() {
    let limit = TRAIL_BYTES + 90 * POINT_BYTES + 3 * SMALL;
    let mut market = Market::new(4, 1_000, limit);
    (0..4).for_each(|symbol| market.join(symbol));
    market.request(0);
    market.trade_all();
    for second in 0..100 {
        market.pass(SECOND);
        market.trade(0, second);
        market.observe();
    }
    assert_eq!(market.kept(), [0, 1, 2, 3]);
    assert_eq!(market.trails.usage(), HistoryUsage { trails: 4, bytes: limit, evicted: 0 });
}

#[test]
fn a_trail_that_may_not_grow_drops_its_oldest_points() {
    let mut market = Market::new(1, 100, SMALL + POINT_BYTES);
    market.join(0);
    for second in 0..30 {
        market.trade(0, second);
        market.observe();
        market.pass(SECOND);
    }
    let prices: Vec<String> = market.request(0).points.iter().map(price).collect();
    assert_eq!(prices, ["22", "23", "24", "25", "26", "27", "28", "29"]);
}

#[test]
fn a_limit_below_one_trail_keeps_none() {
    let mut market = Market::new(2, 100, SMALL - 1);
    market.join(0);
    market.trade_all();
    assert_eq!(market.trails.usage(), HistoryUsage { trails: 0, bytes: 0, evicted: 0 });
}

proptest! {
    #[test]
    fn rule_10_no_churn_exceeds_the_limit(
        limit in 0_usize..40,
        steps in prop::collection::vec((0_usize..30, 0_u8..5, 0_u64..3_000), 1..400),
    ) {
        let bytes_max = limit * SMALL / 2;
        let mut market = Market::new(30, 20, bytes_max);
        for (symbol, step, millis) in steps {
            match step {
                0 => market.join(symbol),
                1 => market.leave(symbol),
                2 => _ = market.request(symbol),
                _ => (symbol..30).for_each(|symbol| market.trade(symbol, millis)),
            }
            market.observe();
            market.pass(std::time::Duration::from_millis(millis));
            let usage = market.trails.usage();
            prop_assert!(usage.bytes <= bytes_max, "{usage:?}");
            prop_assert_eq!(usage.trails, market.kept().len());
            prop_assert_eq!(usage.bytes, market.trails.counted_bytes());
        }
    }
}
