//! The latest known state of a symbol, and the order guard that keeps it from going back.

use super::{BookUpdate, Decimal, Now, Order, Part, Parts, Side, StatsUpdate, TradeUpdate, UnixMicros, Update, Window};

/// The latest known state of a symbol, merged from its updates. What is unknown is `None`, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// The last trade.
    pub trade: Trade,
    /// How many trades were merged in this epoch.
    pub trades: u64,
    /// The best bid and ask.
    pub book: Book,
    /// The venue's statistics.
    pub stats: Stats,
    /// When the update was received that last changed anything.
    pub recv: Option<UnixMicros>,
    /// The parts that nothing has renewed since an outage.
    pub stale: Parts,
    /// Where the data come from.
    pub origin: Origin,
    /// The parts that a venue has ever spoken of.
    known: Parts,
    /// Since when there is an outage that no update has ended yet, and why.
    outage: Option<(UnixMicros, Reason)>,
    waiting_since: UnixMicros,
}

/// The last trade of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trade {
    /// The price of one unit.
    pub price: Option<Decimal>,
    /// Shares, or the venue's units.
    pub size: Option<Decimal>,
    /// The taker's side.
    pub side: Option<Side>,
    /// When it happened, by the venue.
    pub time: Option<UnixMicros>,
}

/// The best bid and ask of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Book {
    /// The highest price that somebody pays.
    pub bid: Option<Decimal>,
    /// How much they would buy at it.
    pub bid_size: Option<Decimal>,
    /// The lowest price that somebody takes.
    pub ask: Option<Decimal>,
    /// How much they would sell at it.
    pub ask_size: Option<Decimal>,
    /// When it became so, by the venue.
    pub time: Option<UnixMicros>,
}

/// The venue's own figures over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// What the figures span.
    pub window: Option<Window>,
    /// The window's first price.
    pub open: Option<Decimal>,
    /// Its highest price.
    pub high: Option<Decimal>,
    /// Its lowest price.
    pub low: Option<Decimal>,
    /// How much was traded in it.
    pub volume: Option<Decimal>,
    /// The last price before it.
    pub prev_close: Option<Decimal>,
    /// When they were so, by the venue.
    pub time: Option<UnixMicros>,
}

/// What a quote is worth right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing has come yet.
    Waiting,
    /// As new as the venue makes it.
    Live,
    /// An outage has cut it off, and nothing of its own has come since.
    Stale,
}

/// Why a quote is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing has come yet.
    NoData,
    /// The connection to the venue is lost.
    ConnectionLost,
}

/// Where a quote's data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The market of this moment.
    Market,
    /// The built-in simulator.
    Sim,
}

/// What a tick is, by the first part that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A trade.
    Trade,
    /// The best bid or ask.
    Quote,
    /// The venue's statistics.
    Stats,
    /// Nothing but the state.
    Status,
}

impl Kind {
    /// The kind of a tick that changed these parts.
    pub fn of(changed: Parts) -> Self {
        match changed.iter().next() {
            Some(Part::Trade) => Self::Trade,
            Some(Part::Quote) => Self::Quote,
            Some(Part::Stats) => Self::Stats,
            Some(Part::Status) | None => Self::Status,
        }
    }
}

/// What came of an update. It makes a tick if it changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The parts that are other than before.
    pub changed: Parts,
    /// The parts that were refused as not newer.
    pub late: Parts,
}

/// Per part, the highest place in the venue's order that was seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    trade: Guard,
    quote: Guard,
    stats: Guard,
}

#[derive(Debug, Clone, Copy, Default)]
struct Guard {
    id: Option<u64>,
    time: Option<UnixMicros>,
}

impl Guard {
    /// Whether an event at this place is newer than all before it; if so, that is the highest place now.
    ///
    /// Id and time are kept apart: one wild time or a restart of the venue's ids must not shut a part for ever.
    fn admits(&mut self, order: Order) -> bool {
        let newer_time = matches!((order.time, self.time), (Some(time), Some(highest)) if time > highest);
        let admitted = match (order.id, self.id) {
            (Some(id), Some(highest)) => id > highest || newer_time,
            (Some(_), None) => true,
            (None, _) => !matches!((order.time, self.time), (Some(time), Some(highest)) if time < highest),
        };
        if admitted {
            self.id = order.id.or(self.id);
            self.time = self.time.max(order.time);
        }
        admitted
    }
}

impl Guards {
    /// A new connection begins: a part that is ordered by ids alone starts anew, for its ids may too.
    fn restart_ids(&mut self) {
        for guard in [&mut self.trade, &mut self.quote, &mut self.stats] {
            if guard.time.is_none() {
                guard.id = None;
            }
        }
    }
}

impl Quote {
    /// A symbol that nothing is known of yet.
    pub fn waiting(origin: Origin, since: UnixMicros) -> Self {
        Self {
            trade: Trade::default(),
            trades: 0,
            book: Book::default(),
            stats: Stats::default(),
            recv: None,
            stale: Parts::NONE,
            origin,
            known: Parts::NONE,
            outage: None,
            waiting_since: since,
        }
    }

    /// Merges an update that was received `now`. Each part is judged for itself: only newer moves it.
    ///
    /// An update that changes nothing still proves life: it ends an outage, which is a change of the state.
    pub fn apply(&mut self, update: &Update, guards: &mut Guards, now: Now) -> Applied {
        let state_before = self.state();
        let mut applied = Applied::default();
        let mut renewed = Parts::NONE;
        let mut judge = |part: Part, guard: &mut Guard, order: Order| {
            let order = Order { time: order.time.and_then(|time| time.plausible(now.unix)), ..order };
            let admitted = guard.admits(order);
            if admitted {
                renewed.insert(part)
            } else {
                applied.late.insert(part)
            }
            admitted.then_some(order.time)
        };
        if let Some(trade) = &update.trade
            && let Some(time) = judge(Part::Trade, &mut guards.trade, trade.order)
        {
            self.trade.merge(trade, time);
            self.trades += 1;
            applied.changed.insert(Part::Trade);
        }
        if let Some(book) = &update.quote
            && let Some(time) = judge(Part::Quote, &mut guards.quote, book.order)
            && self.book.merge(book, time)
        {
            applied.changed.insert(Part::Quote);
        }
        if let Some(stats) = &update.stats
            && let Some(time) = judge(Part::Stats, &mut guards.stats, stats.order)
            && self.stats.merge(stats, time)
        {
            applied.changed.insert(Part::Stats);
        }
        if self.renew(renewed) || self.state() != state_before {
            applied.changed.insert(Part::Status);
        }
        if !applied.changed.is_empty() {
            self.recv = Some(now.unix);
        }
        applied
    }

    /// The connection is lost: all that is known is stale until its own next update. Returns what changed.
    pub fn connection_lost(&mut self, guards: &mut Guards, now: Now) -> Parts {
        guards.restart_ids();
        let before = (self.state(), self.stale);
        self.stale = self.known;
        if self.outage.is_none() && !self.known.is_empty() {
            self.outage = Some((now.unix, Reason::ConnectionLost));
        }
        if (self.state(), self.stale) == before { Parts::NONE } else { Parts::from_iter([Part::Status]) }
    }

    /// The first that holds of waiting, stale, live.
    pub fn state(&self) -> State {
        if self.known.is_empty() {
            State::Waiting
        } else if self.outage.is_some() {
            State::Stale
        } else {
            State::Live
        }
    }

    /// Since when it is not live, and why.
    pub fn not_live_since(&self) -> Option<(UnixMicros, Reason)> {
        match self.state() {
            State::Waiting => Some((self.waiting_since, Reason::NoData)),
            State::Stale => self.outage,
            State::Live => None,
        }
    }

    /// Marks parts as come from the living venue; returns whether some were stale.
    fn renew(&mut self, parts: Parts) -> bool {
        if parts.is_empty() {
            return false;
        }
        self.outage = None;
        let mut was_stale = false;
        for part in parts.iter() {
            self.known.insert(part);
            was_stale |= self.stale.remove(part);
        }
        was_stale
    }
}

impl Trade {
    fn merge(&mut self, update: &TradeUpdate, time: Option<UnixMicros>) {
        update.price.apply(&mut self.price);
        update.size.apply(&mut self.size);
        update.side.apply(&mut self.side);
        self.time = time;
    }
}

impl Book {
    /// Returns whether a field is another one now: a new time alone is no news.
    fn merge(&mut self, update: &BookUpdate, time: Option<UnixMicros>) -> bool {
        let changed = update.bid.apply(&mut self.bid)
            | update.bid_size.apply(&mut self.bid_size)
            | update.ask.apply(&mut self.ask)
            | update.ask_size.apply(&mut self.ask_size);
        if changed {
            self.time = time;
        }
        changed
    }
}

impl Stats {
    /// Returns whether a field is another one now: a new time alone is no news.
    fn merge(&mut self, update: &StatsUpdate, time: Option<UnixMicros>) -> bool {
        let changed = update.window.apply(&mut self.window)
            | update.open.apply(&mut self.open)
            | update.high.apply(&mut self.high)
            | update.low.apply(&mut self.low)
            | update.volume.apply(&mut self.volume)
            | update.prev_close.apply(&mut self.prev_close);
        if changed {
            self.time = time;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Field;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW_MICROS: i64 = 1_732_283_045_000_000;

    fn now() -> Now {
        Now { unix: UnixMicros(NOW_MICROS), instant: std::time::Instant::now() }
    }

    fn at(seconds: i64) -> Option<UnixMicros> {
        Some(UnixMicros(NOW_MICROS + seconds * 1_000_000))
    }

    fn number(value: i64) -> Field<Decimal> {
        Field::Set(Decimal::new(value, 0).unwrap())
    }

    fn trade(id: Option<u64>, time: Option<UnixMicros>, price: i64) -> Update {
        let trade = TradeUpdate { order: Order { id, time }, price: number(price), ..TradeUpdate::default() };
        Update { trade: Some(trade), ..Update::default() }
    }

    fn book(id: Option<u64>, bid: Field<Decimal>) -> Update {
        let quote = BookUpdate { order: Order { id, time: None }, bid, ..BookUpdate::default() };
        Update { quote: Some(quote), ..Update::default() }
    }

    /// A trade's id and time.
    type Place = (Option<u64>, Option<UnixMicros>);

    /// Applies trades in turn; returns which of them were not late.
    fn admitted(trades: &[Place]) -> Vec<usize> {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        let mut admitted = Vec::new();
        for (index, &(id, time)) in trades.iter().enumerate() {
            let applied = quote.apply(&trade(id, time, index as i64), &mut guards, now());
            assert_ne!(applied.late.is_empty(), applied.changed.is_empty(), "a trade is a tick or late");
            if applied.late.is_empty() {
                admitted.push(index);
            }
        }
        admitted
    }

    #[test]
    fn rule_8_only_newer_moves_a_part() {
        let cases: [(&str, &[Place], &[usize]); 9] = [
            ("ids rise", &[(Some(1), at(0)), (Some(2), at(0)), (Some(3), at(0))], &[0, 1, 2]),
            ("a repeat is late", &[(Some(7), at(0)), (Some(7), at(0)), (Some(6), at(0))], &[0]),
            ("a higher id may have an older time", &[(Some(1), at(0)), (Some(2), at(-9)), (Some(2), at(-9))], &[0, 1]),
            (
                "ids restart under a newer time",
                &[(Some(900), at(0)), (Some(1), at(1)), (Some(2), at(1)), (Some(1), at(1))],
                &[0, 1, 2],
            ),
            (
                "times alone: equal ones pass",
                &[(None, at(0)), (None, at(0)), (None, at(-1)), (None, at(1))],
                &[0, 1, 3],
            ),
            ("neither: arrival is the order", &[(None, None), (None, None)], &[0, 1]),
            (
                "a wild id does not shut the part",
                &[(Some(u64::MAX), at(0)), (Some(5), at(0)), (Some(5), at(1)), (Some(6), at(1))],
                &[0, 2, 3],
            ),
            ("a time over a minute ahead is none", &[(None, at(61)), (None, at(0)), (None, at(-1))], &[0, 1]),
            ("a time before 1990 is none", &[(None, Some(UnixMicros(0))), (None, at(-100)), (None, at(-101))], &[0, 1]),
        ];
        for (name, trades, expected) in cases {
            assert_eq!(admitted(trades), expected, "{name}");
        }
    }

    #[test]
    fn rule_8_ids_alone_start_anew_with_each_connection() {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        assert!(quote.apply(&book(Some(50), number(1)), &mut guards, now()).late.is_empty());
        assert!(!quote.apply(&book(Some(49), number(2)), &mut guards, now()).late.is_empty());
        quote.apply(&trade(Some(50), at(0), 1), &mut guards, now());
        quote.connection_lost(&mut guards, now());
        assert!(quote.apply(&book(Some(3), number(2)), &mut guards, now()).late.is_empty());
        assert!(!quote.apply(&trade(Some(3), at(0), 1), &mut guards, now()).late.is_empty(), "a trade has times too");
    }

    proptest! {
        /// Any interleaving and repetition of a venue's trades never moves the price back in the venue's order.
        #[test]
        fn rule_8_no_disorder_moves_the_price_back(ids in prop::collection::vec(1_u64..40, 1..80)) {
            let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
            let mut highest = 0;
            for id in ids {
                // The venue's time rises with its ids, as coarse as milliseconds can be.
                quote.apply(&trade(Some(id), at(id as i64 / 10 - 60), id as i64), &mut guards, now());
                highest = highest.max(id);
                prop_assert_eq!(quote.trade.price, Decimal::new(highest as i64, 0));
            }
        }
    }

    #[test]
    fn a_field_is_set_kept_or_cleared() {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        quote.apply(&book(None, number(5)), &mut guards, now());
        assert_eq!(quote.apply(&book(None, Field::Keep), &mut guards, now()), Applied::default());
        assert_eq!(quote.book.bid, Decimal::new(5, 0));
        assert!(quote.apply(&book(None, Field::Clear), &mut guards, now()).changed.contains(Part::Quote));
        assert_eq!(quote.book.bid, None);
    }

    #[test]
    fn an_update_that_changes_nothing_is_no_tick_but_a_trade_always_is() {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        quote.apply(&book(None, number(5)), &mut guards, now());
        let recv = quote.recv;
        let later = now().after(Duration::from_secs(1));
        assert!(quote.apply(&book(None, number(5)), &mut guards, later).changed.is_empty());
        assert_eq!(quote.recv, recv);
        for trades in 1..=3 {
            assert!(quote.apply(&trade(None, at(0), 1), &mut guards, now()).changed.contains(Part::Trade));
            assert_eq!(quote.trades, trades);
        }
    }

    #[test]
    fn rule_7_a_lost_connection_makes_stale_until_the_symbols_own_next_update() {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(7)), Guards::default());
        assert_eq!(quote.not_live_since(), Some((UnixMicros(7), Reason::NoData)));
        assert!(quote.connection_lost(&mut guards, now()).is_empty(), "what waits has nothing to lose");
        assert_eq!(quote.state(), State::Waiting);

        let first = quote.apply(&trade(None, at(0), 1), &mut guards, now());
        assert_eq!(Kind::of(first.changed), Kind::Trade);
        quote.apply(&book(None, number(5)), &mut guards, now());
        assert_eq!((quote.state(), quote.stale), (State::Live, Parts::NONE));

        assert_eq!(Kind::of(quote.connection_lost(&mut guards, now())), Kind::Status);
        assert_eq!(quote.state(), State::Stale);
        assert_eq!(quote.not_live_since(), Some((now().unix, Reason::ConnectionLost)));
        assert!(quote.connection_lost(&mut guards, now().after(Duration::from_secs(9))).is_empty());
        assert_eq!(quote.not_live_since(), Some((now().unix, Reason::ConnectionLost)), "the first loss counts");

        let renewed = quote.apply(&book(None, number(5)), &mut guards, now());
        assert_eq!(Kind::of(renewed.changed), Kind::Status, "the same bid again proves life");
        assert_eq!((quote.state(), quote.stale), (State::Live, Parts::from_iter([Part::Trade])));
        let traded = quote.apply(&trade(None, at(0), 1), &mut guards, now());
        assert!(traded.changed.contains(Part::Status));
        assert_eq!((quote.state(), quote.stale), (State::Live, Parts::NONE));
    }

    #[test]
    fn rule_7_a_late_repeat_renews_nothing() {
        let (mut quote, mut guards) = (Quote::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        quote.apply(&trade(Some(5), at(0), 1), &mut guards, now());
        quote.connection_lost(&mut guards, now());
        assert!(quote.apply(&trade(Some(5), at(0), 1), &mut guards, now()).changed.is_empty());
        assert_eq!(quote.state(), State::Stale);
    }
}
