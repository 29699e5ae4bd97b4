//! The ticks of a symbol that a stream that keeps up may still lack.

use crate::{
    cache::{SymbolState, Tick, WorkerMask},
    market::{Part, Parts},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many ticks are read at once for a stream that resumes: of hundreds of symbols, most bring few.
pub(super) const OLDER_AT_A_TIME: usize = 16;

/// A worker's copy of the young end of a symbol's ring: pointers to its newest ticks, without a hole in their versions.
///
/// It saves a lock per stream and write. It holds at least the newest tick, and all that are younger than `max_lag`: a
/// stream further behind gets the newest tick anyway.
pub(super) struct RecentTicks {
    ticks: VecDeque<Arc<Tick>>,
    /// The version up to which [`RecentTicks::refresh`] has reported changes. A join may have brought newer ticks,
    /// which the other streams are not marked for yet.
    reported: u64,
    /// Before this time [`RecentTicks::trim`] ignores the age of ticks: the stream that joined last starts at one.
    keep_until: Instant,
}

/// The limits of a worker's recent ticks, and of a stream's lag.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecentLimits {
    pub(super) max_lag: Duration,
    pub(super) count: usize,
}

/// Where a stream stands in a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The version of the first tick that was not sent.
    pub(super) next: u64,
    /// The version of the newest tick when the stream joined. The stream gets that tick, or a newer one, whatever parts
    /// it wants.
    pub(super) initial: u64,
}

/// How a stream reads a symbol's recent ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadPolicy {
    pub(super) now: Instant,
    pub(super) max_lag: Duration,
    /// When the stream was opened.
    pub(super) joined: Instant,
    /// The parts whose change makes the symbol due.
    pub(super) parts: Parts,
    /// Whether it only ever wants the newest.
    pub(super) newest_only: bool,
}

impl RecentTicks {
    /// No tick yet: the first stream is about to join.
    pub(super) fn new(now: Instant) -> Self {
        Self { ticks: VecDeque::new(), reported: 0, keep_until: now }
    }

    /// A stream joins, which starts at the newest tick.
    pub(super) fn join(
        &mut self,
        state: &SymbolState,
        worker: WorkerMask,
        parts: Parts,
        now: Instant,
        limits: RecentLimits,
    ) {
        let is_first = self.ticks.is_empty();
        state.join(worker, parts, &mut self.ticks);
        if is_first {
            self.reported = self.newest().version;
        }
        self.keep_until = now + limits.max_lag;
        self.trim(now, limits);
    }

    /// The tick before this version, if it is after `after`, of the newest one's generation, and not too old to be
    /// replayed. The ring is read some ticks at a time.
    pub(super) fn replayed(
        &mut self,
        state: &SymbolState,
        version: u64,
        after: u64,
        now: Instant,
    ) -> Option<&Arc<Tick>> {
        if version > self.newest().version {
            return None; // the stream starts behind it
        }
        if self.ticks[0].version == version && self.ticks[0].id.n > after {
            state.read_older(OLDER_AT_A_TIME, &mut self.ticks);
        }
        let index = usize::try_from(version.checked_sub(self.ticks[0].version + 1)?).ok()?;
        let generation = self.newest().generation;
        let is_missed = |tick: &&Arc<Tick>| tick.generation == generation && tick.id.n > after;
        self.ticks.get(index).filter(is_missed).filter(|tick| !state.is_outdated(tick, now))
    }

    /// Reads older ticks, from this version on: some at a time, up to the first that is too old for their stream. Where
    /// a stream lacks that one, it gets the newest alone.
    pub(super) fn read_from(&mut self, state: &SymbolState, version: u64, is_young: impl Fn(&Tick) -> bool) {
        while self.ticks[0].version > version && is_young(&self.ticks[0]) {
            let held = self.ticks.len();
            let missing = usize::try_from(self.ticks[0].version - version).unwrap_or(usize::MAX);
            state.read_older(missing.min(OLDER_AT_A_TIME), &mut self.ticks);
            if self.ticks.len() == held {
                return; // the ring goes no further
            }
        }
    }

    /// Reads what is new; returns the parts that have changed since the last time.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Instant, limits: RecentLimits) -> Parts {
        self.catch_up(state, now, limits);
        let newest = self.newest();
        let changed = Part::ALL
            .into_iter()
            .filter(|&part| newest.last_change(Parts::from_iter([part])) > self.reported)
            .collect();
        self.reported = newest.version;
        changed
    }

    /// Reads what is new, and reports no change.
    pub(super) fn catch_up(&mut self, state: &SymbolState, now: Instant, limits: RecentLimits) {
        state.read_new(&mut self.ticks);
        self.trim(now, limits);
    }

    pub(super) fn newest(&self) -> &Arc<Tick> {
        self.ticks.back().expect("there is a tick once a stream has joined")
    }

    /// The ticks that a stream still lacks, oldest first. A stream that keeps up gets every tick that it wants: the
    /// oldest of them is here, and younger than `max_lag`, counted from its publishing or the stream's join. Any other
    /// stream gets the newest tick alone, whatever it changed.
    pub(super) fn pending(&self, cursor: Cursor, policy: ReadPolicy) -> impl Iterator<Item = &Arc<Tick>> {
        let is_due = self.newest().last_change(policy.parts).max(cursor.initial) >= cursor.next;
        let first = if is_due { self.first_in_order(cursor, policy) } else { None };
        let skipped = match (is_due, first) {
            (false, _) => self.ticks.len(),
            (true, None) => self.ticks.len() - 1,
            (true, Some(first)) => first,
        };
        let alone = first.is_none();
        self.ticks.range(skipped..).filter(move |tick| alone || cursor.wants(tick, policy))
    }

    /// Where the ticks that the stream wants begin, if it keeps up: it lost none of them, and the oldest is young.
    fn first_in_order(&self, cursor: Cursor, policy: ReadPolicy) -> Option<usize> {
        let oldest = &self.ticks[0];
        let is_lost = cursor.next < oldest.version && cursor.last_wanted_before(oldest, policy) >= cursor.next;
        if policy.newest_only || is_lost {
            return None;
        }
        let start = usize::try_from(cursor.next.saturating_sub(oldest.version)).ok()?;
        let mut wanted = self.ticks.iter().enumerate().skip(start).filter(|(_, tick)| cursor.wants(tick, policy));
        let (first, tick) = wanted.next()?;
        (policy.now.saturating_duration_since(tick.published.max(policy.joined)) <= policy.max_lag).then_some(first)
    }

    /// How many ticks it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ticks.len()
    }

    fn trim(&mut self, now: Instant, limits: RecentLimits) {
        let hold = now <= self.keep_until; // as long as the newest stream's starting point counts as young
        while self.ticks.len() > 1 {
            let lag = now.saturating_duration_since(self.ticks[0].published);
            if self.ticks.len() <= limits.count.max(1) && (hold || lag <= limits.max_lag) {
                break;
            }
            self.ticks.pop_front();
        }
    }
}

impl Cursor {
    fn wants(self, tick: &Tick, policy: ReadPolicy) -> bool {
        tick.changed.intersects(policy.parts) || tick.version == self.initial
    }

    /// The last tick before this one that the stream wants, or has got.
    fn last_wanted_before(self, tick: &Tick, policy: ReadPolicy) -> u64 {
        let initial = if self.initial < tick.version { self.initial } else { 0 };
        tick.last_change_before(policy.parts).max(initial)
    }
}

#[cfg(test)]
mod tests {
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
            let policy = ReadPolicy { now, max_lag, joined: now, parts: Parts::ALL, newest_only: false };
            Self { start, state, recent, policy, price: 0 }
        }

        fn publish(&mut self, millis: u64, part: Part) {
            self.price += 1;
            let price = Field::Set(Decimal::new(self.price, 0).unwrap());
            let update = match part {
                Part::Trade => {
                    Update { trade: Some(TradeUpdate { price, ..TradeUpdate::default() }), ..Update::default() }
                }
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
            self.recent
                .pending(Cursor { next, initial: 0 }, ReadPolicy { now, ..policy })
                .map(|tick| tick.seq)
                .collect()
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
        assert_eq!(
            fixture.pending_after_join(3, late),
            [4],
            "the initial tick has become old: the newest is what it gets"
        );
        fixture.recent.ticks.drain(..4);
        assert_eq!(fixture.pending_after_join(3, policy), [4], "or it is gone");
    }
}
