//! What of a symbol a stream that keeps up may still lack.

use crate::cache::{SymbolState, Tick};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// A worker's copy of the young end of a symbol's ring: pointers to its newest ticks, without a hole in `seq`.
///
/// It saves a lock per stream and write. It holds at least the newest tick, and beyond that what is younger than
/// `max_lag`: a stream further behind gets the newest anyway.
pub(super) struct Window {
    ticks: VecDeque<Arc<Tick>>,
    /// A stream has joined: until then its starting point must not be dropped, however old it is.
    keep_until: Instant,
}

/// What bounds a window, and how far a stream may be behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowLimits {
    pub(super) max_lag: Duration,
    pub(super) count: usize,
}

impl Window {
    /// A worker's first stream joins a symbol: its interest is known from now on.
    pub(super) fn open(state: &SymbolState, worker: u64, now: Instant, limits: WindowLimits) -> Self {
        let mut window = Self { ticks: VecDeque::new(), keep_until: now };
        window.join(state, worker, now, limits);
        window
    }

    /// Another stream joins; it starts at what is the newest now. Returns its `seq`.
    pub(super) fn join(&mut self, state: &SymbolState, worker: u64, now: Instant, limits: WindowLimits) -> u64 {
        state.join(worker, &mut self.ticks);
        self.keep_until = now + limits.max_lag;
        self.trim(now, limits);
        self.newest().seq
    }

    /// Reads what is new. The symbol's mark must be cleared before.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Instant, limits: WindowLimits) {
        state.read_new(&mut self.ticks);
        self.trim(now, limits);
    }

    pub(super) fn newest(&self) -> &Arc<Tick> {
        self.ticks.back().expect("a window is never empty")
    }

    /// What a stream that `joined` then and wants `next` still lacks, oldest first: every tick while the oldest of them
    /// is here and younger than `max_lag`, counted from its publishing or the stream's join; else the newest alone.
    pub(super) fn pending(
        &self,
        next: u64,
        joined: Instant,
        now: Instant,
        max_lag: Duration,
    ) -> impl Iterator<Item = &Arc<Tick>> {
        let newest = self.newest().seq;
        let oldest = newest + 1 - self.ticks.len() as u64;
        let skipped = if next > newest {
            self.ticks.len()
        } else if next >= oldest && self.is_young(next - oldest, joined, now, max_lag) {
            (next - oldest) as usize // below the window's length
        } else {
            self.ticks.len() - 1
        };
        self.ticks.range(skipped..)
    }

    fn is_young(&self, place: u64, joined: Instant, now: Instant, max_lag: Duration) -> bool {
        let published = self.ticks[place as usize].published; // below the window's length
        now.saturating_duration_since(published.max(joined)) <= max_lag
    }

    fn trim(&mut self, now: Instant, limits: WindowLimits) {
        let hold = now < self.keep_until;
        while self.ticks.len() > 1 {
            let lag = now.saturating_duration_since(self.ticks[0].published);
            if self.ticks.len() <= limits.count.max(1) && (hold || lag <= limits.max_lag) {
                break;
            }
            self.ticks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, RingLimits},
        market::{Field, Now, Origin, TradeUpdate, Update},
        wire::Epoch,
    };

    const LIMITS: WindowLimits = WindowLimits { max_lag: Duration::from_millis(250), count: 16 };
    const WORKER: u64 = 1;

    fn trade() -> Update {
        let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
        Update { trade: Some(trade), ..Update::default() }
    }

    fn state(now: Now) -> Arc<SymbolState> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 64, age: Duration::from_secs(10) });
        cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap()
    }

    fn pending(window: &Window, next: u64, joined: Now, now: Now) -> Vec<u64> {
        window.pending(next, joined.instant, now.instant, LIMITS.max_lag).map(|tick| tick.seq).collect()
    }

    #[test]
    fn rule_2_a_stream_keeps_up_until_its_oldest_unsent_tick_is_max_lag_old() {
        let start = Now::read();
        let state = state(start);
        let mut window = Window::open(&state, WORKER, start.instant, LIMITS);
        let later = |millis| start.after(Duration::from_millis(millis));
        for millis in [300, 400, 500] {
            state.publish(&trade(), later(millis)); // seq 1, 2, 3
            window.refresh(&state, later(millis).instant, LIMITS);
        }
        assert_eq!(pending(&window, 1, start, later(550)), [1, 2, 3]);
        assert_eq!(pending(&window, 1, start, later(551)), [3], "tick 1 is 251 ms old");
        assert_eq!(pending(&window, 2, start, later(551)), [2, 3]);
        assert_eq!(pending(&window, 3, start, later(9_999)), [3], "the newest always comes");
        assert_eq!(pending(&window, 4, start, later(550)), Vec::<u64>::new());
        assert_eq!(pending(&window, 1, later(540), later(790)), [1, 2, 3], "counted from the join if that is later");
    }

    #[test]
    fn a_stream_that_joins_an_old_tick_does_not_lose_it_to_the_next() {
        let start = Now::read();
        let state = state(start);
        state.publish(&trade(), start);
        let joined = start.after(Duration::from_secs(5));
        let mut window = Window::open(&state, WORKER, joined.instant, LIMITS);
        let now = joined.after(Duration::from_millis(1));
        state.publish(&trade(), now);
        window.refresh(&state, now.instant, LIMITS);
        assert_eq!(pending(&window, 1, joined, now), [1, 2]);
    }

    #[test]
    fn rule_10_a_window_has_a_limit() {
        let start = Now::read();
        let state = state(start);
        let mut window = Window::open(&state, WORKER, start.instant, LIMITS);
        for _ in 0..100 {
            state.publish(&trade(), start);
            window.refresh(&state, start.instant, LIMITS);
        }
        assert_eq!(window.ticks.len(), LIMITS.count);
        assert_eq!(pending(&window, 90, start, start), (90..=100).collect::<Vec<u64>>());
        assert_eq!(pending(&window, 80, start, start), [100]);
    }
}
