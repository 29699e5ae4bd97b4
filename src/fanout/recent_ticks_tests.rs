use super::*;
use crate::{
    cache::{Cache, RingLimits, WorkerIndex},
    market::{Decimal, Field, Now, Origin, QuoteUpdate, TradeUpdate, Update},
    wire::Epoch,
};

const LIMITS: RecentLimits = RecentLimits { max_lag: Duration::from_millis(250), count: 16 };

fn worker() -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(0).unwrap())
}

/// A symbol with recent ticks, and a stream that joined it at the start.
struct Fixture {
    start: Now,
    state: Arc<SymbolState>,
    recent: RecentTicks,
    policy: ReadPolicy,
    price: i64,
}

impl Fixture {
    fn new() -> Self {
        let start = Now::read();
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 32, age: Duration::from_secs(10) });
        let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, start).unwrap();
        let now = start.instant;
        let max_lag = LIMITS.max_lag;
        let mut recent = RecentTicks::new(now);
        recent.join(&state, worker(), Parts::ALL, now, LIMITS);
        let policy = ReadPolicy {
            now,
            max_lag,
            joined: now,
            parts: Parts::ALL,
            newest_only: false,
            patches: false,
            compresses: false,
        };
        Self { start, state, recent, policy, price: 0 }
    }

    fn publish(&mut self, millis: u64, part: Part) {
        self.price += 1;
        let price = Field::Set(Decimal::new(self.price, 0).unwrap());
        let update = match part {
            Part::Trade => Update { trade: Some(TradeUpdate { price, ..TradeUpdate::default() }), ..Update::default() },
            _ => Update { quote: Some(QuoteUpdate { bid: price, ..QuoteUpdate::default() }), ..Update::default() },
        };
        self.state.publish(&update, self.start.after(Duration::from_millis(millis)));
    }

    fn refresh(&mut self, millis: u64) -> Parts {
        let now = self.start.after(Duration::from_millis(millis)).instant;
        self.recent.refresh(&self.state, now, LIMITS)
    }

    fn pending(&self, next: u64, millis: u64, policy: ReadPolicy) -> Vec<u64> {
        let now = self.start.after(Duration::from_millis(millis)).instant;
        self.recent.pending(Cursor { next, initial: 0 }, ReadPolicy { now, ..policy }).map(|tick| tick.seq).collect()
    }

    /// What a stream gets whose join found the third tick.
    fn pending_after_join(&self, next: u64, policy: ReadPolicy) -> Vec<u64> {
        self.recent.pending(Cursor { next, initial: 3 }, policy).map(|tick| tick.seq).collect()
    }

    fn trades(&self) -> ReadPolicy {
        ReadPolicy { parts: Parts::from_iter([Part::Trade, Part::Status]), ..self.policy }
    }
}

#[test]
fn rule_2_a_stream_keeps_up_until_its_oldest_unsent_tick_is_max_lag_old() {
    let mut fixture = Fixture::new();
    for millis in [300, 400, 500] {
        fixture.publish(millis, Part::Trade); // seq 1, 2, 3
        fixture.refresh(millis);
    }
    let policy = fixture.policy;
    assert_eq!(fixture.pending(1, 550, policy), [1, 2, 3]);
    assert_eq!(fixture.pending(1, 551, policy), [3], "tick 1 is 251 ms old");
    assert_eq!(fixture.pending(2, 551, policy), [2, 3]);
    assert_eq!(fixture.pending(3, 9_999, policy), [3], "the newest always comes");
    assert_eq!(fixture.pending(4, 550, policy), [0; 0]);
    let joined = fixture.start.after(Duration::from_millis(540)).instant;
    let late = ReadPolicy { joined, ..policy };
    assert_eq!(fixture.pending(1, 790, late), [1, 2, 3], "counted from the join if that is later");
}

#[test]
fn a_stream_that_joins_an_old_tick_does_not_lose_it_to_the_next() {
    let mut fixture = Fixture::new();
    fixture.publish(0, Part::Trade);
    let joined = fixture.start.after(Duration::from_secs(5)).instant;
    fixture.recent = RecentTicks::new(joined);
    fixture.recent.join(&fixture.state, worker(), Parts::ALL, joined, LIMITS);
    fixture.publish(5_001, Part::Trade);
    fixture.refresh(5_001);
    assert_eq!(fixture.pending(1, 5_001, ReadPolicy { joined, ..fixture.policy }), [1, 2]);
}

#[test]
fn rule_10_recent_ticks_have_a_limit() {
    let mut fixture = Fixture::new();
    for _ in 0..100 {
        fixture.publish(0, Part::Trade);
        fixture.refresh(0);
    }
    assert_eq!(fixture.recent.ticks.len(), LIMITS.count);
    assert_eq!(fixture.pending(90, 0, fixture.policy), (90..=100).collect::<Vec<u64>>());
    assert_eq!(fixture.pending(80, 0, fixture.policy), [100]);
}

#[test]
fn rule_10_a_stream_that_comes_back_to_a_symbol_reads_no_more_of_its_ring_than_it_may_get() {
    let mut fixture = Fixture::new();
    for _ in 0..25 {
        fixture.publish(0, Part::Trade);
    }
    fixture.publish(1_000, Part::Trade);
    fixture.publish(1_001, Part::Trade); // seq 27
    let after = |millis| fixture.start.after(Duration::from_millis(millis)).instant;
    let come_back = |seq, opened: u64, now: u64| {
        let mut recent = RecentTicks::new(after(now));
        recent.join(&fixture.state, worker(), Parts::ALL, after(now), LIMITS);
        let age = |tick: &Tick| after(now).saturating_duration_since(tick.published.max(after(opened)));
        recent.read_from(&fixture.state, seq, |tick| age(tick) <= LIMITS.max_lag);
        recent.len()
    };
    assert_eq!(come_back(1, 0, 1_250), 1 + OLDER_AT_A_TIME, "the second part would be too old");
    assert_eq!(come_back(25, 0, 1_250), 3);
    assert_eq!(come_back(1, 0, 1_252), 1, "even the newest is");
    assert_eq!(come_back(1, 1_100, 1_250), 27, "it has just been opened");
    assert_eq!(come_back(28, 0, 1_250), 1, "it has all");
}

#[test]
fn a_join_does_not_hide_a_change_from_the_streams_before_it() {
    let mut fixture = Fixture::new();
    fixture.publish(0, Part::Trade);
    fixture.refresh(0);
    fixture.publish(1, Part::Trade);
    let now = fixture.start.instant;
    fixture.recent.join(&fixture.state, worker(), Parts::ALL, now, LIMITS);
    assert_eq!(fixture.refresh(1), Parts::from_iter([Part::Trade]));
    assert_eq!(fixture.refresh(1), Parts::NONE);
}

#[test]
fn a_stream_of_trades_gets_trades_and_is_not_due_for_quotes() {
    let mut fixture = Fixture::new();
    let trades = fixture.trades();
    fixture.publish(0, Part::Trade); // the first tick changes the status too
    assert_eq!(fixture.refresh(0), Parts::from_iter([Part::Trade, Part::Status]));
    for part in [Part::Quote, Part::Trade, Part::Quote, Part::Trade, Part::Quote] {
        fixture.publish(10, part); // seq 2 to 6
    }
    assert_eq!(fixture.refresh(10), Parts::from_iter([Part::Trade, Part::Quote]));
    assert_eq!(fixture.pending(2, 10, trades), [3, 5]);
    assert_eq!(fixture.pending(6, 10, trades), [0; 0], "a quote makes nothing due");
    assert_eq!(fixture.pending(2, 500, trades), [6], "after a lag the newest goes, whatever its kind");
    assert_eq!(fixture.pending(2, 10, ReadPolicy { newest_only: true, ..trades }), [6]);
    assert_eq!(fixture.pending(6, 10, ReadPolicy { newest_only: true, ..trades }), [0; 0]);
}

#[test]
fn a_trade_behind_quotes_that_raced_past_the_limit_is_not_lost() {
    let mut fixture = Fixture::new();
    let trades = fixture.trades();
    fixture.publish(0, Part::Trade);
    for _ in 0..40 {
        fixture.publish(0, Part::Quote); // seq 2 to 41, none of them wanted
    }
    fixture.publish(0, Part::Trade);
    fixture.publish(0, Part::Quote);
    fixture.refresh(0);
    assert_eq!(fixture.pending(2, 0, trades), [42], "what was lost was not wanted: it keeps up");
    for _ in 0..40 {
        fixture.publish(0, Part::Quote);
    }
    fixture.refresh(0);
    assert_eq!(fixture.pending(2, 0, trades), [83], "the ring no longer holds the trade: the newest goes");
    assert_eq!(fixture.pending(43, 0, trades), [0; 0]);
}

#[test]
fn rule_3_the_newest_tick_of_the_join_comes_whatever_its_kind() {
    let mut fixture = Fixture::new();
    for part in [Part::Trade, Part::Trade, Part::Quote, Part::Quote] {
        fixture.publish(10, part); // seq 1 to 4
    }
    fixture.refresh(10);
    let joined = fixture.start.after(Duration::from_millis(10)).instant;
    let policy = ReadPolicy { now: joined, joined, ..fixture.trades() };
    assert_eq!(fixture.pending_after_join(1, policy), [1, 2, 3]);
    assert_eq!(fixture.pending_after_join(2, policy), [2, 3], "a part of the replay is out");
    assert_eq!(fixture.pending_after_join(3, policy), [3], "and then all of it");
    assert_eq!(fixture.pending_after_join(4, policy), [0; 0]);
    let late = ReadPolicy { now: joined + 2 * policy.max_lag, ..policy };
    assert_eq!(fixture.pending_after_join(3, late), [4], "the initial tick has become old: the newest is what it gets");
    fixture.recent.ticks.drain(..4);
    assert_eq!(fixture.pending_after_join(3, policy), [4], "or it is gone");
}

#[test]
fn the_tick_before_is_at_hand_for_patches_however_long_the_symbol_was_quiet() {
    let mut fixture = Fixture::new();
    let before = |fixture: &mut Fixture, millis| {
        fixture.publish(millis, Part::Trade);
        fixture.refresh(millis);
        let newest = fixture.recent.newest();
        (fixture.recent.len(), fixture.recent.before(newest).map(|tick| tick.seq))
    };
    assert_eq!(before(&mut fixture, 1_000), (1, None));
    assert_eq!(before(&mut fixture, 2_000), (1, None), "no stream wants patches");
    fixture.recent.keep_for_patches();
    assert_eq!(before(&mut fixture, 60_000), (1, Some(2)));
    assert_eq!(before(&mut fixture, 60_001), (2, Some(3)));
    assert_eq!(fixture.pending(3, 60_001, fixture.policy), [3, 4], "it is at hand for patches alone");
    (0..40).for_each(|_| fixture.publish(60_002, Part::Trade));
    assert_eq!(before(&mut fixture, 60_003), (16, Some(44)));
    let oldest = fixture.recent.ticks[0].clone();
    assert_eq!(fixture.recent.before(&oldest).map(|tick| tick.seq), Some(oldest.seq - 1));
    fixture.recent.keep_for_patches();
    fixture.recent.unkeep_for_patches();
    assert!(fixture.recent.before(&oldest).is_some(), "another stream wants them still");
    fixture.recent.unkeep_for_patches();
    assert!(fixture.recent.before(&oldest).is_none() && fixture.recent.dropped.is_none());
    assert_eq!(before(&mut fixture, 120_000), (1, None), "nothing is kept any more");
    assert!(fixture.recent.dropped.is_none());
}
