//! What a delay line shows, and when.

use super::{DelayLines, DelayMetrics, Followed, Line, line::SLICE};
use crate::{
    cache::{Cache, Published, RingLimits, SymbolState, Tick, WorkerIndex, WorkerMask},
    market::{
        Correction, Decimal, Field, Halt, Kind, Now, Origin, Parts, QuoteUpdate, Reason, Snapshot, State, StatusUpdate,
        TradeKey, TradeUpdate, UnixMicros, Update,
    },
    wire::Epoch,
};
use proptest::{collection::vec, prelude::*};
use std::{
    collections::VecDeque,
    num::NonZero,
    sync::Arc,
    time::{Duration, Instant},
};

const DELAY: Duration = Duration::from_secs(900);
const STEP: Duration = Duration::from_secs(5);

/// Live and delayed states of some symbols, with a delay line between them, and a clock that only the test moves.
struct World {
    now: Now,
    cache: Cache,
    live: Vec<Arc<SymbolState>>,
    late: Vec<Arc<SymbolState>>,
    lines: DelayLines,
    price: i64,
    /// Of each symbol, when each of its live ticks was received, and what it said.
    ticks: Vec<Vec<(Instant, Snapshot)>>,
    /// Of each symbol, which of these is shown late.
    shown: Vec<usize>,
    notes_max: usize,
}

impl World {
    fn new(symbols: usize, delay: Duration, step: Duration, notes_max: usize) -> Self {
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
        Self { now, cache, live, late, lines, price: 0, ticks: waiting, shown, notes_max }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Someone sets the wall clock.
    fn set_clock(&mut self, seconds: i64) {
        self.now.unix = UnixMicros(self.now.unix.0 + seconds * 1_000_000);
    }

    /// Changes a live state, as its feed does.
    fn change(&mut self, place: usize, change: impl FnOnce(&SymbolState, Now) -> Published) {
        if let Published::Tick { .. } = change(&self.live[place], self.now) {
            let tick = self.live[place].newest();
            self.ticks[place].push((tick.published, tick.snapshot));
        }
    }

    fn trade(&mut self, place: usize) {
        self.price += 1;
        let price = Decimal::new(self.price, 0).unwrap();
        self.change(place, |state, now| state.publish(&trade(price), now));
    }

    /// Does the work that is due by now, one piece after the other, and checks each.
    fn turn(&mut self) {
        while self.turn_once(self.now).is_some_and(|next| next <= self.now.instant) {}
    }

    /// Does one piece of work by this clock; returns when there is more.
    fn turn_once(&mut self, now: Now) -> Option<Instant> {
        let next = self.lines.turn(now, &mut |state, _| assert!(state.newest().published == now.instant));
        self.check(now.instant);
        next
    }

    /// Does all the work until then, each piece when it is due.
    fn run_for(&mut self, time: Duration) {
        let end = self.now.instant + time;
        while let Some(next) = self.turn_once(self.now).filter(|next| *next <= end) {
            self.wait(next.saturating_duration_since(self.now.instant));
        }
        self.wait(end - self.now.instant);
    }

    /// Checks that nothing is shown that is younger than the delay, and that no state goes back.
    fn check(&mut self, now: Instant) {
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
    fn newest(&self) -> Arc<Tick> {
        self.late[0].newest()
    }
}

/// What is shown, but for what a delayed state has of its own.
fn content(snapshot: &Snapshot) -> Snapshot {
    let mut content = *snapshot;
    content.recv = None;
    content.origin = Origin::Market;
    content
}

fn delay_of(late: &SymbolState) -> Duration {
    let tick = late.newest();
    Duration::from_secs(late.fields(&tick).delay_seconds.unwrap())
}

fn trade(price: Decimal) -> Update {
    let key = Some(TradeKey { exchange: b'K', id: 1 });
    Update { trade: Some(TradeUpdate { price: Field::Set(price), key, ..TradeUpdate::default() }), ..Update::default() }
}

fn quote(bid: i64) -> Update {
    let bid = Field::Set(Decimal::new(bid, 0).unwrap());
    Update { quote: Some(QuoteUpdate { bid, ..QuoteUpdate::default() }), ..Update::default() }
}

fn status(halted: Field<Halt>) -> Update {
    let status = StatusUpdate { halted, resume_is_reported: true, ..StatusUpdate::default() };
    Update { status: Some(status), ..Update::default() }
}

/// The price that a tick shows.
fn price(tick: &Tick) -> Option<String> {
    let mut out = Vec::new();
    tick.snapshot.trade.price?.write_to(&mut out);
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn a_price_is_shown_when_it_is_as_old_as_the_delay_and_not_before() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.run_for(STEP);
    world.wait(Duration::from_secs(2));
    world.trade(0);
    let start = world.now.instant;
    world.run_for(DELAY);
    let waiting = world.newest();
    assert_eq!((waiting.seq, waiting.snapshot.state()), (0, State::Waiting), "it waits for the delay");
    world.run_for(STEP);
    let shown = world.newest();
    assert_eq!((shown.seq, price(&shown).as_deref()), (1, Some("1")));
    let age = shown.published - start;
    assert!(age >= DELAY && age < DELAY + STEP, "{age:?}");
    let symbol = &world.late[0];
    let text = String::from_utf8(symbol.frame(&shown).to_vec()).unwrap();
    assert!(text.contains("\"origin\":\"delayed\",\"delay_seconds\":900,"), "{text}");
}

#[test]
fn a_late_timer_shows_late_and_a_tick_that_came_after_the_clock_was_read_is_not_shown_early() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    let read = world.now;
    world.wait(Duration::from_secs(3));
    world.trade(0);
    world.turn_once(read);
    world.now = read;
    world.wait(DELAY);
    world.turn();
    assert_eq!(world.newest().seq, 0, "it is noted 3 s before it was received");
    world.wait(Duration::from_secs(3));
    world.turn();
    assert_eq!(world.newest().seq, 1);
    for _ in 0..3 {
        world.trade(0);
        world.run_for(STEP);
    }
    world.wait(DELAY * 2);
    world.trade(0);
    world.turn();
    assert_eq!((world.newest().seq, price(&world.newest()).as_deref()), (4, Some("4")), "all in order, but the last");
}

#[test]
fn what_changes_between_two_looks_is_one_tick_with_all_its_parts() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
    world.late[0].join(worker, Parts::ALL, &mut VecDeque::new());
    world.run_for(STEP / 2);
    world.trade(0);
    world.change(0, |state, now| state.publish(&quote(1), now));
    world.run_for(STEP);
    world.change(0, |state, now| state.publish(&quote(2), now));
    world.run_for(STEP);
    let cancel = Correction { of: TradeKey { exchange: b'K', id: 1 }, now: None };
    world.change(0, |state, now| state.publish(&quote(3), now));
    world.change(0, |state, now| state.publish(&Update { correction: Some(cancel), ..Update::default() }, now));
    world.run_for(DELAY + STEP);
    let mut ticks = VecDeque::new();
    world.late[0].read_new(&mut ticks);
    let kinds: Vec<_> = ticks.iter().filter(|tick| tick.seq > 0).map(|tick| Kind::of(tick.changed).name()).collect();
    assert_eq!(kinds, ["trade", "quote", "correction"]);
    let changed: Vec<_> = ticks.iter().filter(|tick| tick.seq > 0).map(|tick| tick.changed.iter().count()).collect();
    assert_eq!(changed, [3, 1, 2], "the first came with the status");
    let mut only_trades = ticks.iter().map(|tick| tick.last_change(Parts::from_iter([crate::market::Part::Trade])));
    assert_eq!(only_trades.next_back(), Some(3));
}

#[test]
fn a_state_is_shown_as_late_as_a_price_and_keeps_when_data_were_shown_last() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.trade(0);
    world.run_for(DELAY - STEP);
    world.set_clock(-3_600);
    world.run_for(STEP);
    assert_eq!(
        world.newest().snapshot.recv,
        Some(world.now.unix),
        "the moment at which it is shown, by the clock as it is"
    );
    world.run_for(STEP * 3);
    let halted = world.now;
    world.change(0, |state, now| state.publish(&status(Field::Set(Halt::News)), now));
    world.run_for(STEP * 3);
    let lost = world.now;
    world.change(0, |state, now| state.outage(Reason::ConnectionLost, now));
    world.run_for(STEP * 3);
    world.change(0, |state, now| state.set_closed(true, now));
    world.run_for(STEP * 3);
    world.change(0, |state, now| state.set_refused(Some(Reason::Unauthorized), now));
    let mut course = Vec::new();
    while world.newest().snapshot.state() != State::Refused {
        world.run_for(STEP);
        let snapshot = world.newest().snapshot;
        let seen = (snapshot.state(), snapshot.not_live_since().map(|(since, _)| since), snapshot.recv);
        if course.last() != Some(&seen) {
            course.push(seen);
        }
    }
    let states: Vec<_> = course.iter().map(|(state, ..)| state.name()).collect();
    assert_eq!(states, ["live", "halted", "stale", "closed", "refused"]);
    assert_eq!((course[1].1, course[2].1), (Some(halted.unix), Some(lost.unix)), "since when it was so");
    assert!(course[1].2 > course[0].2, "the venue has spoken");
    let gateway_alone: Vec<_> = course[1..].iter().map(|(_, _, recv)| *recv).collect();
    assert_eq!(gateway_alone, [course[1].2; 4], "the gateway's own words are no data");
}

#[test]
fn a_large_feed_is_shown_a_slice_at_a_time() {
    let mut world = World::new(SLICE * 4 + 1, DELAY, STEP, 10_000);
    (0..world.live.len()).for_each(|place| world.trade(place));
    let mut pieces = Vec::new();
    let end = world.now.instant + DELAY + STEP;
    let mut next = Some(world.now.instant);
    while let Some(at) = next.filter(|at| *at < end) {
        world.wait(at.saturating_duration_since(world.now.instant));
        let mut shown = 0;
        next = world.lines.turn(world.now, &mut |_, _| shown += 1);
        if shown > 0 {
            pieces.push((shown, world.now.instant));
        }
    }
    assert_eq!(pieces.iter().map(|(shown, _)| *shown).collect::<Vec<_>>(), [SLICE, SLICE, SLICE, SLICE, 1]);
    assert!(pieces.windows(2).all(|pair| pair[1].1 - pair[0].1 == STEP / 5), "evenly over the step");
    assert!(world.late.iter().all(|late| late.newest().seq == 1));
}

#[test]
fn rule_10_at_the_limit_of_notes_the_step_doubles_and_later_halves_again() {
    let limit = 2_000;
    let mut world = World::new(100, DELAY, STEP, limit);
    let trade_for = |world: &mut World, steps: u32, symbols: usize| {
        for _ in 0..steps {
            (0..symbols).for_each(|place| world.trade(place));
            world.run_for(STEP);
        }
    };
    trade_for(&mut world, 15, 100);
    assert_eq!(world.lines.notes(), 1_500, "each in each of fifteen looks");
    trade_for(&mut world, 400, 100);
    let step = |world: &World| world.lines.steps().next().unwrap();
    // 100 symbols in each of 900 / 80 steps are at most 1,200.
    assert_eq!(step(&world), STEP * 16);
    let shown: Vec<_> = world.late.iter().map(|late| late.newest().published).collect();
    assert!(shown.iter().all(|shown| world.now.instant - *shown <= STEP * 16), "all are shown");
    trade_for(&mut world, 1_500, 1);
    assert_eq!(step(&world), STEP, "the market is quiet");
    assert_eq!(world.cache.frames_encoded(), 0);
}

#[test]
fn rule_10_the_line_with_the_most_notes_makes_room_for_all() {
    let mut world = World::new(40, DELAY, STEP, 500);
    let now = world.now;
    let register = |cache: &Cache, name: &str, delay: Option<NonZero<u32>>| {
        let symbol = name.parse().unwrap();
        match delay {
            Some(delay) => cache.register_delayed(symbol, "y".into(), Origin::Sim, delay, now).unwrap(),
            None => cache.register(symbol, "y".into(), Origin::Sim, now).unwrap(),
        }
    };
    let live = register(&world.cache, "OTHER", None);
    let late = register(&world.cache, "OTHER", NonZero::new(900));
    let followed = |live: &[Arc<SymbolState>], late: &[Arc<SymbolState>]| {
        live.iter().zip(late).map(|(live, late)| Followed::new(live.clone(), late.clone())).collect()
    };
    let line = |symbols| Line::new(DELAY, STEP, symbols, DelayMetrics::register("x"), now);
    let lines = vec![
        ("small".into(), line(followed(&[live.clone()], &[late.clone()]))),
        ("large".into(), line(followed(&world.live, &world.late))),
    ];
    world.lines = DelayLines::new(lines, 500);
    for count in 1..300 {
        (0..40).for_each(|place| world.trade(place));
        live.publish(&trade(Decimal::new(count, 0).unwrap()), world.now);
        world.run_for(STEP);
    }
    let steps: Vec<_> = world.lines.steps().collect();
    assert_eq!(steps[0], STEP);
    assert!(steps[1] > STEP * 8, "{steps:?}");
    assert!(world.now.instant - late.newest().published <= STEP);
}

/// What may happen to a gateway.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes, and the line is called when it asks for it.
    Runs(u64),
    /// Time passes, and the line is not called: the machine sleeps, or does something else.
    Stalls(u64),
    /// The clock was read before so long a time, in which a symbol changed.
    Reads(u64, usize),
    SetsClock(i64),
    Trade(usize),
    Quote(usize),
    Halt(usize),
    Resume(usize),
    Outage,
    Reconnects,
    Closes(bool),
    Refuses(usize, bool),
}

const SYMBOLS: usize = 3;

fn event() -> impl Strategy<Value = Event> {
    let symbol = 0..SYMBOLS;
    prop_oneof![
        6 => (0_u64..6_000).prop_map(Event::Runs),
        1 => (0_u64..40_000).prop_map(Event::Stalls),
        2 => (0_u64..3_000, symbol.clone()).prop_map(|(time, place)| Event::Reads(time, place)),
        1 => (-7_200_i64..7_200).prop_map(Event::SetsClock),
        6 => symbol.clone().prop_map(Event::Trade),
        4 => symbol.clone().prop_map(Event::Quote),
        1 => symbol.clone().prop_map(Event::Halt),
        1 => symbol.clone().prop_map(Event::Resume),
        1 => Just(Event::Outage),
        1 => Just(Event::Reconnects),
        1 => any::<bool>().prop_map(Event::Closes),
        1 => (symbol, any::<bool>()).prop_map(|(place, refused)| Event::Refuses(place, refused)),
    ]
}

impl World {
    fn meet(&mut self, event: &Event) {
        match *event {
            Event::Runs(millis) => self.run_for(Duration::from_millis(millis)),
            Event::Stalls(millis) => {
                self.wait(Duration::from_millis(millis));
                self.turn();
            }
            Event::Reads(millis, place) => {
                let read = self.now;
                self.wait(Duration::from_millis(millis));
                self.trade(place);
                let _ = self.turn_once(read);
            }
            Event::SetsClock(seconds) => self.set_clock(seconds),
            Event::Trade(place) => self.trade(place),
            Event::Quote(place) => {
                self.price += 1;
                let update = quote(self.price);
                self.change(place, |state, now| state.publish(&update, now));
            }
            Event::Halt(place) => {
                self.change(place, |state, now| state.publish(&status(Field::Set(Halt::News)), now));
            }
            Event::Resume(place) => self.change(place, |state, now| state.publish(&status(Field::Clear), now)),
            Event::Outage => self.change_all(|state, now| state.outage(Reason::ConnectionLost, now)),
            Event::Reconnects => self.change_all(|state, now| state.start_over(now)),
            Event::Closes(closed) => self.change_all(|state, now| state.set_closed(closed, now)),
            Event::Refuses(place, refused) => {
                let reason = refused.then_some(Reason::NotEntitled);
                self.change(place, |state, now| state.set_refused(reason, now));
            }
        }
    }

    fn change_all(&mut self, change: impl Fn(&SymbolState, Now) -> Published) {
        (0..self.live.len()).for_each(|place| self.change(place, &change));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_younger_than_the_delay_is_ever_shown_and_in_the_end_all_is(
        events in vec(event(), 1..150),
        delay in 1_u64..30,
        step in 100_u64..4_000,
        notes_max in 4 * SYMBOLS..60,
    ) {
        let delay = Duration::from_secs(delay);
        let step = Duration::from_millis(step).min(delay);
        let mut world = World::new(SYMBOLS, delay, step, notes_max);
        for event in &events {
            world.meet(event);
        }
        world.run_for(delay * 4 + step);
        for (live, late) in world.live.iter().zip(&world.late) {
            prop_assert_eq!(content(&live.newest().snapshot), content(&late.newest().snapshot));
        }
        prop_assert_eq!(world.lines.notes(), 0);
    }
}
