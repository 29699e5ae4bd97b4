//! What a trail holds: bounded, in order, and nothing that was not shown.

use super::{Excerpt, Point, Trails};
use crate::{
    cache::{Cache, RingLimits, SymbolState, WorkerIndex, WorkerMask},
    market::{Field, Now, Origin, Parts, QuoteUpdate, Reason, State, TradeUpdate, UnixMicros, Update},
    wire::Epoch,
};
use proptest::prelude::*;
use std::{collections::VecDeque, sync::Arc, time::Duration};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Symbols, their trails, and the time.
pub(super) struct Market {
    pub(super) states: Vec<Arc<SymbolState>>,
    pub(super) trails: Trails,
    pub(super) now: Now,
    start: Now,
}

fn worker() -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(0).unwrap())
}

impl Market {
    /// Symbols that no stream wants, and trails of `keep` seconds with a point a second.
    pub(super) fn new(symbols: usize, keep: u64, bytes_max: usize) -> Self {
        let start = Now::read();
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: SECOND });
        let state = |number: usize| {
            cache.register(format!("S{number:04}").parse().unwrap(), "sim".into(), Origin::Sim, start).unwrap()
        };
        let states = (0..symbols).map(state).collect();
        let trails = Trails::new(SECOND * keep as u32, SECOND, bytes_max, start.instant);
        Self { states, trails, now: start, start }
    }

    /// One symbol that a stream wants, with room for all.
    fn of_one(keep: u64) -> Self {
        let market = Self::new(1, keep, usize::MAX);
        market.join(0);
        market
    }

    pub(super) fn join(&self, symbol: usize) {
        self.states[symbol].join(worker(), Parts::ALL, &mut VecDeque::new());
    }

    pub(super) fn leave(&self, symbol: usize) {
        self.states[symbol].leave(worker(), Parts::ALL, self.now);
    }

    pub(super) fn trade(&self, symbol: usize, price: u64) {
        let price = Field::Set(price.to_string().parse().unwrap());
        let trade = TradeUpdate { price, ..TradeUpdate::default() };
        self.states[symbol].publish(&Update { trade: Some(trade), ..Update::default() }, self.now);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    pub(super) fn observe(&mut self) {
        self.trails.observe(&self.states, self.now.instant);
    }

    pub(super) fn request(&mut self, symbol: usize) -> Excerpt {
        self.trails.request(&self.states[symbol], None, usize::MAX, self.now.instant)
    }

    /// Asks without leaving a mark: of the first symbol.
    fn excerpt(&mut self, since: Option<UnixMicros>, count: usize) -> Excerpt {
        self.trails.request(&self.states[0], since, count, self.now.instant)
    }

    /// Seconds since the start, by the wall clock.
    fn at(&self, seconds: f64) -> UnixMicros {
        UnixMicros(self.start.unix.0 + (seconds * 1e6) as i64)
    }

    /// The first symbol's points: their seconds since the start and their prices.
    fn points(&mut self) -> Vec<(f64, String)> {
        let points = self.excerpt(None, usize::MAX).points;
        let start = self.start.unix.0;
        points.iter().map(|point| ((point.time().0 - start) as f64 / 1e6, price(point))).collect()
    }
}

pub(super) fn price(point: &Point) -> String {
    point.price().map_or_else(|| "none".to_owned(), |price| price.to_string())
}

fn prices(excerpt: &Excerpt) -> Vec<String> {
    excerpt.points.iter().map(price).collect()
}

fn list(points: &[(f64, &str)]) -> Vec<(f64, String)> {
    points.iter().map(|(seconds, price)| (*seconds, (*price).to_owned())).collect()
}

#[test]
fn a_trail_begins_when_a_stream_wants_its_symbol_and_goes_on_without_one() {
    let mut market = Market::new(2, 60, usize::MAX);
    market.trade(0, 1);
    market.observe();
    assert_eq!(market.points(), list(&[]));
    market.join(0);
    market.observe();
    market.leave(0);
    market.pass(SECOND);
    market.trade(0, 2);
    market.observe();
    assert_eq!(market.points(), list(&[(0.0, "1"), (1.0, "2")]));
    assert_eq!(market.request(1).points, [], "a symbol that no stream ever wanted has no trail");
    market.join(1);
    market.observe();
    assert_eq!(market.request(1).points, [], "nor has one without a tick");
}

#[test]
fn a_point_is_the_last_tick_of_its_span_that_a_look_found() {
    let mut market = Market::of_one(60);
    for (wait, trade) in [(0, 1), (200, 2), (300, 3), (900, 4), (50, 5), (2_900, 6)] {
        market.pass(Duration::from_millis(wait));
        market.trade(0, trade);
        market.observe();
        market.observe();
    }
    // Published after 0, 0.2, 0.5, 1.4, 1.45 and 4.35 seconds.
    assert_eq!(market.points(), list(&[(0.5, "3"), (1.45, "5"), (4.35, "6")]));
    market.pass(SECOND);
    market.trade(0, 7);
    market.trade(0, 8);
    market.observe();
    assert_eq!(market.points().last(), Some(&(5.35, "8".to_owned())), "7 was gone when it looked");
}

#[test]
fn a_point_has_what_a_chart_shows_and_an_outage_is_one() {
    let mut market = Market::of_one(60);
    let set = |text: &str| Field::Set(text.parse().unwrap());
    let quote = QuoteUpdate { bid: set("1.25"), ask: Field::Clear, ..QuoteUpdate::default() };
    let trade = TradeUpdate { price: set("-0.00000001"), ..TradeUpdate::default() };
    let update = Update { quote: Some(quote), trade: Some(trade), ..Update::default() };
    market.states[0].publish(&update, market.now);
    market.states[0].publish(&update, market.now);
    market.observe();
    market.pass(SECOND * 5);
    market.states[0].outage(Reason::ConnectionLost, market.now);
    market.observe();
    let shown = |point: &Point| {
        let numbers = [point.price(), point.bid(), point.ask()].map(|number| number.map(|number| number.to_string()));
        (point.time(), numbers, point.trades(), point.state())
    };
    let numbers = [Some("-0.00000001".to_owned()), Some("1.25".to_owned()), None];
    let points: Vec<_> = market.excerpt(None, 9).points.iter().map(shown).collect();
    assert_eq!(points, [(market.at(0.0), numbers.clone(), 2, State::Live), (market.at(5.0), numbers, 2, State::Stale)]);
}

#[test]
fn a_trail_reaches_back_to_the_price_at_the_beginning_of_its_window() {
    let mut market = Market::of_one(10);
    for second in 0..40 {
        if second % 4 == 0 {
            market.trade(0, second);
        }
        market.observe();
        market.pass(SECOND);
    }
    assert_eq!(market.points(), list(&[(28.0, "28"), (32.0, "32"), (36.0, "36")]));
    market.pass(SECOND * 10_000);
    market.observe();
    assert_eq!(market.points(), list(&[(36.0, "36")]), "it still holds");
}

#[test]
fn a_symbol_that_falls_quiet_gives_its_room_back() {
    let mut market = Market::of_one(600);
    for second in 0..500 {
        market.trade(0, second);
        market.observe();
        market.pass(SECOND);
    }
    let busy = market.trails.usage().bytes;
    assert!(busy > 500 * super::POINT_BYTES, "{busy}");
    market.pass(SECOND * 10_000);
    market.observe();
    let quiet = market.trails.usage().bytes;
    assert!(quiet < 1_000, "{quiet}");
}

#[test]
fn what_was_shown_from_a_moment_on_begins_with_what_held_then() {
    let mut market = Market::of_one(60);
    for second in [0, 2, 4, 5] {
        market.now = market.start.after(SECOND * second);
        market.trade(0, second.into());
        market.observe();
    }
    for (since, expected) in [
        (-1.0, &["0", "2", "4", "5"][..]),
        (0.0, &["0", "2", "4", "5"]),
        (1.9, &["0", "2", "4", "5"]),
        (2.0, &["2", "4", "5"]),
        (4.5, &["4", "5"]),
        (5.0, &["5"]),
        (1e6, &["5"]),
    ] {
        let since = market.at(since);
        assert_eq!(prices(&market.excerpt(Some(since), 9)), expected, "{since:?}");
    }
}

#[test]
fn no_step_of_the_wall_clock_loses_a_point_or_keeps_one_for_longer() {
    for step in [-3_600, 3_600] {
        let mut market = Market::of_one(4);
        for second in 0..8 {
            if second == 6 {
                market.now.unix.0 += step * 1_000_000;
            }
            market.trade(0, second);
            market.observe();
            market.pass(SECOND);
        }
        let stepped = step as f64;
        let expected = [(3.0, "3"), (4.0, "4"), (5.0, "5"), (6.0 + stepped, "6"), (7.0 + stepped, "7")];
        assert_eq!(market.points(), list(&expected));
        let since = market.at(6.0 + stepped);
        assert_eq!(prices(&market.excerpt(Some(since), 9)), ["6", "7"], "by the clock as it is now");
    }
}

#[test]
fn an_excerpt_keeps_the_first_point_and_the_last_of_each_stretch() {
    let mut market = Market::of_one(600);
    market.trade(0, 1_000);
    market.observe();
    market.pass(SECOND * 10);
    for second in 10..20 {
        market.trade(0, second);
        market.observe();
        market.pass(SECOND);
    }
    for (count, every, expected) in [
        (11, 1, &["1000", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"][..]),
        (10, 2, &["1000", "11", "13", "15", "17", "19"]),
        (5, 3, &["1000", "11", "14", "17", "19"]),
        (4, 5, &["1000", "14", "19"]),
        (3, 9, &["1000", "17", "19"]),
        (2, 10, &["1000", "19"]),
        (1, 20, &["19"]),
    ] {
        let excerpt = market.excerpt(None, count);
        assert_eq!(
            (excerpt.every, prices(&excerpt)),
            (SECOND * every, expected.iter().map(|&price| price.into()).collect()),
            "{count}"
        );
    }
}

/// What happens to a symbol.
#[derive(Debug, Clone, Copy)]
enum Event {
    Trade,
    Look,
    Outage,
    Pass(u64),
    StepWall(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Trade),
        3 => Just(Event::Look),
        1 => Just(Event::Outage),
        3 => (0_u64..2_500).prop_map(Event::Pass),
        1 => (10_000_u64..40_000).prop_map(Event::Pass),
        1 => (-5_000_i64..5_000).prop_map(Event::StepWall),
    ]
}

proptest! {
    #[test]
    fn a_trail_is_bounded_and_holds_what_was_shown_in_order(
        keep in 1_u64..30,
        events in prop::collection::vec(event(), 1..300),
        count in 1_usize..40,
    ) {
        let mut market = Market::of_one(keep);
        let mut shown = Vec::new();
        let mut looked = market.now;
        for (number, event) in events.into_iter().enumerate() {
            match event {
                Event::Trade => market.trade(0, number as u64),
                Event::Outage => _ = market.states[0].outage(Reason::Gap, market.now),
                Event::Pass(millis) => market.pass(Duration::from_millis(millis)),
                Event::StepWall(millis) => market.now.unix.0 += millis * 1_000,
                Event::Look => {
                    market.observe();
                    looked = market.now;
                    let tick = market.states[0].newest();
                    if tick.seq > 0 && shown.last().is_none_or(|(seq, _, _)| *seq < tick.seq) {
                        let span = tick.published.duration_since(market.start.instant).as_secs();
                        shown.push((tick.seq, span, Point::new(&tick, span as u32)));
                    }
                }
            }
        }
        // The last of each span, from the one that held when the window began.
        let last_before = looked.instant.duration_since(market.start.instant).as_secs().saturating_sub(keep);
        let mut expected: Vec<(u64, Point)> = Vec::new();
        for (_, span, point) in shown {
            expected.pop_if(|(last, _)| *last == span);
            expected.push((span, point));
        }
        let first = expected.iter().rposition(|(span, _)| *span <= last_before).unwrap_or(0);
        let expected: Vec<Point> = expected[first..].iter().map(|(_, point)| *point).collect();
        let all = market.excerpt(None, usize::MAX);
        prop_assert_eq!(&all.points, &expected);
        prop_assert!(all.points.len() <= market.trails.points_max());

        // A part of it is a thinned copy, with its ends.
        let some = market.excerpt(None, count);
        prop_assert!(some.points.len() <= count);
        prop_assert_eq!(some.points.last(), all.points.last());
        prop_assert!(count < 2 || some.points.first() == all.points.first());
        let mut rest = all.points.iter();
        prop_assert!(some.points.iter().all(|point| rest.any(|other| other == point)));
    }
}

#[test]
fn another_symbol_with_the_same_id_begins_with_an_empty_trail() {
    let mut market = Market::of_one(60);
    market.trade(0, 7);
    market.observe();
    assert_eq!((market.request(0).points.len(), market.trails.usage().trails), (1, 1));
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: SECOND });
    market.states[0] = cache.register("OTHER".parse().unwrap(), "sim".into(), Origin::Sim, market.now).unwrap();
    assert!(market.request(0).points.is_empty());
    assert_eq!((market.trails.usage().trails, market.trails.usage().bytes), (0, 0));
    market.join(0);
    market.observe();
    assert_eq!(market.trails.usage().trails, 0, "it has not had a tick");
    market.trade(0, 8);
    market.observe();
    assert_eq!(market.request(0).points.len(), 1);
    // Once its state is dropped, nothing is left of it, though no symbol has its id.
    drop(cache);
    market.states.clear();
    market.observe();
    assert_eq!((market.trails.usage().trails, market.trails.counted_bytes()), (0, 0));
}
