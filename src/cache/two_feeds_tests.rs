use super::*;
use crate::{
    cache::{Cache, RingLimits},
    market::{Decimal, Field, QuoteUpdate, Reason, Sequence, State, TradeUpdate},
    wire::Epoch,
};
use Source::{Primary, Standby as Second};
use std::time::Duration;

const LIMITS: FailoverLimits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(30) };

struct World {
    state: Arc<SymbolState>,
    counts: Arc<FailoverCounts>,
    now: Now,
}

impl World {
    fn new() -> Self {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 1_000, age: Duration::from_secs(60) });
        let now = Now::read();
        let state = cache.register("BTC-USD".parse().unwrap(), "kraken".into(), Origin::Market, now).unwrap();
        let counts = Arc::<FailoverCounts>::default();
        let stands_in = || state.add_standby("coinbase".into(), Origin::Market, LIMITS, counts.clone(), now);
        assert_eq!((stands_in(), stands_in()), (Ok(()), Err(HasStandby)));
        Self { state, counts, now }
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self
    }

    /// The prices of a feed say whose they are: the primary's are below 1,000.
    fn trade(&self, source: Source, price: u64, id: u64) -> Published {
        let price = Field::Set(price_of(source, price));
        let sequence = Sequence { id: Some(id), ..Sequence::default() };
        let trade = Some(TradeUpdate { price, sequence, ..TradeUpdate::default() });
        self.publish(source, Update { trade, ..Update::default() })
    }

    fn quote(&self, source: Source, bid: u64) -> Published {
        let quote = Some(QuoteUpdate { bid: Field::Set(price_of(source, bid)), ..QuoteUpdate::default() });
        self.publish(source, Update { quote, ..Update::default() })
    }

    fn publish(&self, source: Source, update: Update) -> Published {
        self.state.through(None).of(source).publish(&update, self.now)
    }

    fn outage(&self, source: Source, reason: Reason) -> Published {
        self.state.through(None).of(source).outage(reason, self.now)
    }

    fn frame(&self) -> String {
        String::from_utf8(self.state.frame(&self.state.newest()).to_vec()).unwrap()
    }
}

fn price_of(source: Source, price: u64) -> Decimal {
    (price + 1_000 * source as u64).to_string().parse().unwrap()
}

#[test]
fn a_delayed_state_says_whose_prices_it_shows() {
    let world = World::new();
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
    let delay = std::num::NonZero::new(900).unwrap();
    let symbol = world.state.symbol().clone();
    let delayed = cache.register_delayed(symbol, "kraken".into(), Origin::Delayed, delay, world.now).unwrap();
    delayed.name_source();
    assert_eq!(delayed.newest().source.as_deref(), Some("kraken"));
    let trade = Parts::from_iter([crate::market::Part::Trade]);
    world.trade(Primary, 1, 1);
    delayed.show(&world.state.newest(), trade, true, world.now);
    let heard = delayed.newest().snapshot.recv;
    world.trade(Second, 1, 1);
    world.outage(Primary, Reason::ConnectionLost);
    delayed.show(&world.state.newest(), trade, true, world.now.after(Duration::from_secs(1)));
    let tick = delayed.newest();
    assert_eq!(
        (tick.kind, tick.changed, tick.snapshot.recv),
        (Parts::STATUS, Parts::ALL, heard),
        "a switch brings no price"
    );
    let frame = String::from_utf8(delayed.frame(&delayed.newest()).to_vec()).unwrap();
    assert!(frame.contains("\"source\":\"coinbase\"") && frame.contains("\"delay_seconds\":900"), "{frame}");
}

#[test]
fn a_first_tick_comes_whole_since_the_one_before_may_have_been_named_meanwhile() {
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
    let now = Now::read();
    let state = cache.register("BTC-USD".parse().unwrap(), "kraken".into(), Origin::Market, now).unwrap();
    let counts = Arc::<FailoverCounts>::default();
    let mut world = World { state, counts, now };
    let unnamed = world.state.newest();
    world.state.add_standby("coinbase".into(), Origin::Market, LIMITS, world.counts.clone(), now).unwrap();
    let named = world.state.newest();
    assert_eq!((unnamed.source.as_deref(), named.source.as_deref()), (None, Some("kraken")));
    world.pass(1).trade(Primary, 1, 1);
    let first = world.state.newest();
    assert_eq!((first.version, first.seq), (1, 1));
    assert!(!first.follows(&unnamed) && !first.follows(&named), "a stream may have been sent either");
    world.pass(1).trade(Primary, 2, 2);
    assert!(world.state.newest().follows(&first));
}

#[test]
fn a_symbol_that_is_added_later_has_the_preference_and_limits_change_in_place() {
    let mut world = World::new();
    world.trade(Primary, 1, 1);
    world.trade(Second, 1, 1);
    assert!(is_tick(world.state.through(None).of(Second).prefer(world.now)));
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
    let later = cache.register("ETH-USD".parse().unwrap(), "kraken".into(), Origin::Market, world.now).unwrap();
    let counts = world.state.failover_counts().unwrap();
    later.add_standby("coinbase".into(), Origin::Market, LIMITS, counts, world.now).unwrap();
    let added = World { state: later, counts: world.counts.clone(), now: world.now };
    added.trade(Primary, 1, 1);
    added.trade(Second, 1, 1);
    let mut added = added;
    added.pass(31).trade(Second, 2, 2);
    assert_eq!(added.state.newest().snapshot.source, Second, "it is preferred, and has been live for so long");

    // Back to the primary, after half the time.
    world.state.through(None).of(Primary).prefer(world.now);
    world.outage(Primary, Reason::ConnectionLost);
    world.trade(Second, 2, 2);
    world.trade(Primary, 2, 2);
    assert_eq!(world.state.newest().snapshot.source, Second);
    world.state.set_failover_limits(FailoverLimits { failback_after: Duration::from_secs(15), ..LIMITS });
    world.pass(16).trade(Primary, 3, 3);
    assert_eq!(world.state.newest().snapshot.source, Primary);
}

#[test]
fn a_standby_that_was_taken_away_says_nothing_more() {
    let world = World::new();
    world.trade(Primary, 1, 1);
    world.trade(Second, 1, 1);
    world.state.remove_standby(world.now);
    let before = world.state.newest();
    assert_eq!(world.trade(Second, 2, 2), Published::Unchanged);
    assert_eq!(world.outage(Second, Reason::ConnectionLost), Published::Unchanged);
    assert!(Arc::ptr_eq(&before, &world.state.newest()));
}

#[test]
fn a_standby_that_goes_leaves_what_the_primary_says_and_another_may_come() {
    let world = World::new();
    world.trade(Primary, 1, 1);
    assert_eq!(world.state.remove_standby(world.now), Published::Unchanged, "it was not shown");
    assert!(!world.state.has_standby());
    world.trade(Primary, 2, 2);
    assert!(!world.frame().contains("source"), "{}", world.frame());
    let standby = |name: &str| {
        world.state.add_standby(name.into(), Origin::Market, LIMITS, Arc::default(), world.now).unwrap();
    };
    standby("bybit");
    world.trade(Second, 1, 1);
    world.outage(Primary, Reason::ConnectionLost);
    assert!(world.frame().contains("\"source\":\"bybit\""), "{}", world.frame());
    let trades = world.state.newest().snapshot.trades;
    assert!(is_tick(world.state.remove_standby(world.now)));
    let tick = world.state.newest();
    assert_eq!((tick.kind, tick.changed, tick.snapshot.state()), (Parts::STATUS, Parts::ALL, State::Stale));
    assert_eq!((tick.snapshot.trades, tick.source.as_deref()), (trades, None), "trades never fall");
    assert!(is_tick(world.trade(Primary, 3, 3)));
    assert_eq!(world.state.newest().snapshot.trades, trades + 1);
    standby("okx");
}

fn counted(world: &World) -> Vec<(Source, &'static str, u64)> {
    world.counts.each().into_iter().filter(|(_, _, count)| *count > 0).collect()
}

fn is_tick(published: Published) -> bool {
    matches!(published, Published::Tick { .. })
}

#[test]
fn the_tick_of_a_switch_is_of_the_status_and_says_whose_it_is() {
    let world = World::new();
    assert!(world.frame().contains("\"state\":\"waiting\"") && world.frame().contains("\"source\":\"kraken\""));
    assert!(is_tick(world.trade(Primary, 1, 70)) && is_tick(world.quote(Primary, 2)));
    assert_eq!(world.trade(Second, 3, 7), Published::Hidden);
    assert!(is_tick(world.outage(Primary, Reason::ConnectionLost)));
    let tick = world.state.newest();
    assert_eq!((tick.seq, tick.kind, tick.changed, tick.snapshot.state()), (3, Parts::STATUS, Parts::ALL, State::Live));
    let frame = world.frame();
    for field in ["\"kind\":\"status\"", "\"source\":\"coinbase\"", "\"price\":1003", "\"trades\":1"] {
        assert!(frame.contains(field), "{frame}");
    }
    assert!(!frame.contains("\"bid\""), "the standby has said none");
    assert_eq!(counted(&world), [(Second, "connection_lost", 1)]);
}

#[test]
fn trades_and_seq_go_on_and_each_feed_has_its_own_order() {
    let mut world = World::new();
    world.trade(Primary, 1, 1_000);
    world.trade(Second, 1, 5);
    world.outage(Primary, Reason::Gap);
    // Lower ids than the primary's, and none of them is late.
    for id in 6..9 {
        assert!(is_tick(world.trade(Second, id, id)));
    }
    assert_eq!(world.trade(Second, 9, 8), Published::Late);
    assert_eq!(world.trade(Primary, 2, 1_001), Published::Hidden);
    let tick = world.state.newest();
    assert_eq!((tick.seq, tick.snapshot.trades, tick.snapshot.trade.price), (5, 4, Some(price_of(Second, 8))));
    world.pass(30);
    assert_eq!(world.state.through(None).due(world.now), Published::Unchanged, "its last price is old");
    assert!(is_tick(world.trade(Primary, 3, 1_002)));
    let tick = world.state.newest();
    assert_eq!((tick.seq, tick.kind, tick.snapshot.source), (6, Parts::STATUS, Primary));
    assert_eq!((tick.snapshot.trades, tick.snapshot.trade.price), (5, Some(price_of(Primary, 3))));
    assert_eq!(counted(&world), [(Primary, "failback", 1), (Second, "gap", 1)]);
}

#[test]
fn a_standby_that_takes_over_with_an_update_counts_its_trade_once() {
    let mut world = World::new();
    world.trade(Primary, 1, 1);
    world.trade(Second, 1, 1);
    world.pass(6);
    assert!(is_tick(world.outage(Primary, Reason::Mute)));
    assert_eq!(world.state.newest().snapshot.state(), State::Stale);
    assert!(is_tick(world.trade(Second, 2, 2)));
    let tick = world.state.newest();
    assert_eq!((tick.kind, tick.snapshot.trades, tick.snapshot.state()), (Parts::STATUS, 2, State::Live));
}

#[test]
fn an_operator_moves_a_symbol_and_both_feeds_outages_are_told() {
    let world = World::new();
    world.trade(Primary, 1, 1);
    assert_eq!(world.state.through(None).of(Second).prefer(world.now), Published::Unchanged, "it has said nothing");
    world.trade(Second, 1, 1);
    assert!(is_tick(world.state.through(None).of(Second).prefer(world.now)));
    assert_eq!(world.outage(Primary, Reason::Gap), Published::Hidden);
    assert!(is_tick(world.outage(Second, Reason::Mute)));
    assert_eq!(world.state.newest().snapshot.not_live_since().unwrap().1, Reason::Mute);
    assert_eq!(world.state.said_by(Primary).not_live_since().unwrap().1, Reason::Gap);
}

/// Random updates and outages of both: each tick is of one feed alone, `seq` rises by one and `trades` never falls.
#[test]
fn parts_of_two_feeds_are_never_mixed() {
    use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
    for seed in 0..300 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut world = World::new();
        let (mut seq, mut trades) = (0, 0);
        for step in 1..200 {
            world.pass(random.random_range(0..3));
            let source = Source::ALL[random.random_range(0..2)];
            let published = match random.random_range(0..8) {
                0 => world.outage(source, Reason::ConnectionLost),
                1 => world.state.through(None).of(source).due(world.now),
                2 => world.state.through(None).of(source).prefer(world.now),
                3..5 => world.quote(source, step % 900),
                _ => world.trade(source, step % 900, step),
            };
            let tick = world.state.newest();
            assert_eq!(tick.seq, seq + u64::from(is_tick(published)), "seed {seed}");
            assert!(tick.snapshot.trades >= trades, "seed {seed}");
            (seq, trades) = (tick.seq, tick.snapshot.trades);
            for number in [tick.snapshot.trade.price, tick.snapshot.quote.bid].into_iter().flatten() {
                let is_of_second = number.to_string().parse::<u64>().unwrap() >= 1_000;
                assert_eq!(is_of_second, tick.snapshot.source == Second, "seed {seed}: {:?}", tick.snapshot);
            }
        }
    }
}

#[test]
fn what_a_snapshot_of_the_standby_confirms_is_not_a_price_that_has_just_come() {
    let mut world = World::new();
    let time = world.now.unix;
    let asked_for = |is_snapshot, price| {
        let sequence = Sequence { time: Some(time), by_arrival: true, ..Sequence::default() };
        let price = Field::Set(price_of(Second, price));
        let trade = Some(TradeUpdate { price, sequence, ..TradeUpdate::default() });
        Update { trade, is_snapshot, ..Update::default() }
    };
    world.trade(Primary, 1, 1);
    world.publish(Second, asked_for(false, 1));
    world.pass(600);
    world.outage(Primary, Reason::ConnectionLost);
    world.outage(Second, Reason::ConnectionLost);
    world.publish(Second, asked_for(true, 1));
    assert!(world.frame().contains(r#""price":1,"#), "{}", world.frame());
    world.trade(Second, 2, 2);
    assert!(world.frame().contains(r#""price":1002,"#), "{}", world.frame());
}
