//! A delay line with a clock that only its test moves. Each piece of work is checked: nothing is shown too early.

use super::{DelayLines, DelayMetrics, Followed, Line, LineChange};
use crate::{
    cache::{Cache, Published, RingLimits, SymbolState, Tick},
    market::{
        Decimal, Field, Halt, Now, Origin, QuoteUpdate, Snapshot, StatusUpdate, TradeKey, TradeUpdate, UnixMicros,
        Update,
    },
    wire::Epoch,
};
use std::{
    num::NonZero,
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) const DELAY: Duration = Duration::from_secs(900);
pub(super) const STEP: Duration = Duration::from_secs(5);

/// Live and delayed states of some symbols, with a delay line between them, and a clock that only the test moves.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) cache: Cache,
    pub(super) live: Vec<Arc<SymbolState>>,
    pub(super) late: Vec<Arc<SymbolState>>,
    pub(super) lines: DelayLines,
    pub(super) price: i64,
    /// Of each symbol, when each of its live ticks was received, and what it said.
    pub(super) ticks: Vec<Vec<(Instant, Snapshot)>>,
    /// Of each symbol, which of these is shown late.
    pub(super) shown: Vec<usize>,
    pub(super) notes_max: usize,
    delay: Duration,
    step: Duration,
}

impl World {
    pub(super) fn new(symbols: usize, delay: Duration, step: Duration, notes_max: usize) -> Self {
        let now = Now::read();
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 64, age: Duration::from_secs(60) });
        let name = |place: usize| format!("S{place:06}").parse().unwrap();
        let live: Vec<_> =
            (0..symbols).map(|place| cache.register(name(place), "x".into(), Origin::Market, now).unwrap()).collect();
        let seconds = NonZero::new(delay.as_secs() as u32).unwrap();
        let late: Vec<_> = (0..symbols)
            .map(|place| cache.register_delayed(name(place), "x".into(), Origin::Delayed, seconds, now).unwrap())
            .collect();
        let follow = |(live, late): (&Arc<_>, &Arc<_>)| Followed::new(Arc::clone(live), Arc::clone(late));
        let followed = live.iter().zip(&late).map(follow).collect();
        let line = Line::new(delay, step, followed, DelayMetrics::register("x"), now);
        let lines = DelayLines::new(vec![("x".into(), line)], notes_max);
        let waiting: Vec<_> = live.iter().map(|state| vec![(now.instant, state.newest().snapshot)]).collect();
        let shown = vec![0; symbols];
        Self { now, cache, live, late, lines, price: 0, ticks: waiting, shown, notes_max, delay, step }
    }

    /// The symbols at these places, as a line takes them.
    fn followed(&self, places: &[usize]) -> Vec<Followed> {
        places.iter().map(|place| Followed::new(self.live[*place].clone(), self.late[*place].clone())).collect()
    }

    /// The line of the first feed leaves symbols.
    pub(super) fn leave(&mut self, places: &[usize]) {
        let names = places.iter().map(|place| self.live[*place].symbol().clone()).collect();
        self.lines.change(LineChange::Leave("x".into(), names));
    }

    /// The line of the first feed follows symbols.
    pub(super) fn follow(&mut self, places: &[usize]) {
        let followed = self.followed(places);
        self.lines.change(LineChange::Follow("x".into(), followed));
    }

    /// The line of the first feed ends, and one of this feed starts with all symbols.
    pub(super) fn restart(&mut self, feed: &str) {
        self.lines.change(LineChange::End("x".into()));
        let all: Vec<usize> = (0..self.live.len()).collect();
        let line = Line::new(self.delay, self.step, self.followed(&all), DelayMetrics::register(feed), self.now);
        self.lines.change(LineChange::Start(feed.into(), line));
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Someone sets the wall clock.
    pub(super) fn set_clock(&mut self, seconds: i64) {
        self.now.unix = UnixMicros(self.now.unix.0 + seconds * 1_000_000);
    }

    /// Changes a live state, as its feed does.
    pub(super) fn change(&mut self, place: usize, change: impl FnOnce(&SymbolState, Now) -> Published) {
        if let Published::Tick { .. } = change(&self.live[place], self.now) {
            let tick = self.live[place].newest();
            self.ticks[place].push((tick.published, tick.snapshot));
        }
    }

    pub(super) fn trade(&mut self, place: usize) {
        self.price += 1;
        let price = Decimal::new(self.price, 0).unwrap();
        self.change(place, |state, now| state.publish(&trade(price), now));
    }

    /// Does the work that is due by now, one piece after the other, and checks each.
    pub(super) fn turn(&mut self) {
        while self.turn_once(self.now).is_some_and(|next| next <= self.now.instant) {}
    }

    /// Does one piece of work by this clock; returns when there is more.
    pub(super) fn turn_once(&mut self, now: Now) -> Option<Instant> {
        let next = self.lines.turn(now, &mut |state, _| assert!(state.newest().published == now.instant));
        self.check(now.instant);
        next
    }

    /// Does all the work until then, each piece when it is due.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now.instant + time;
        while let Some(next) = self.turn_once(self.now).filter(|next| *next <= end) {
            self.wait(next.saturating_duration_since(self.now.instant));
        }
        self.wait(end - self.now.instant);
    }

    /// Checks that nothing is shown that is younger than the delay, and that no state goes back.
    pub(super) fn check(&mut self, now: Instant) {
        assert!(self.lines.notes() <= self.notes_max, "{} notes", self.lines.notes());
        for (place, late) in self.late.iter().enumerate() {
            let newest = late.newest();
            if newest.seq == 0 {
                continue;
            }
            let from = self.shown[place];
            let ticks = &self.ticks[place][from..];
            let found = ticks.iter().position(|(_, live)| content(live) == content(&newest.snapshot));
            let found = found.unwrap_or_else(|| panic!("{place} shows what it never was: {:?}", newest.snapshot));
            let (received, _) = ticks[found];
            assert!(now >= received + delay_of(late), "{place} is shown {:?} after it was received", now - received);
            self.shown[place] = from + found;
        }
    }

    /// The delayed state of the first symbol.
    pub(super) fn newest(&self) -> Arc<Tick> {
        self.late[0].newest()
    }
}

/// What is shown, but for what a delayed state has of its own.
pub(super) fn content(snapshot: &Snapshot) -> Snapshot {
    let mut content = *snapshot;
    content.recv = None;
    content.origin = Origin::Market;
    content
}

fn delay_of(late: &SymbolState) -> Duration {
    let tick = late.newest();
    Duration::from_secs(late.fields(&tick).delay_seconds.unwrap())
}

pub(super) fn trade(price: Decimal) -> Update {
    let key = Some(TradeKey { exchange: b'K', id: 1 });
    Update { trade: Some(TradeUpdate { price: Field::Set(price), key, ..TradeUpdate::default() }), ..Update::default() }
}

pub(super) fn quote(bid: i64) -> Update {
    let bid = Field::Set(Decimal::new(bid, 0).unwrap());
    Update { quote: Some(QuoteUpdate { bid, ..QuoteUpdate::default() }), ..Update::default() }
}

pub(super) fn status(halted: Field<Halt>) -> Update {
    let status = StatusUpdate { halted, resume_is_reported: true, ..StatusUpdate::default() };
    Update { status: Some(status), ..Update::default() }
}

/// The price that a tick shows.
pub(super) fn price(tick: &Tick) -> Option<String> {
    let mut out = Vec::new();
    tick.snapshot.trade.price?.write_to(&mut out);
    Some(String::from_utf8(out).unwrap())
}
