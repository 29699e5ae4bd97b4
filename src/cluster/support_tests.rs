//! What the tests of the cluster share: symbols as an owner has them, and updates to change them.

use super::{batch::NewTick, clock::Boot, token::Token};
use crate::{
    market::{
        Applied, Corrected, Correction, Decimal, Field, Guard, Guards, Halt, HaltEnd, Now, Origin, Part, Parts, Quote,
        QuoteUpdate, Reason, Sequence, Side, Snapshot, Stats, StatsUpdate, StatsWindow, StatusUpdate, Symbol, Trade,
        TradeKey, TradeUpdate, TradingSession, UnixMicros, Update,
    },
    wire::Epoch,
};
use proptest::{option, prelude::*, sample::select, strategy::Union};
use std::time::{Duration, Instant};

/// The time at which tests begin.
pub(super) const NOW_MICROS: i64 = 1_732_283_045_000_000;

pub(super) fn now() -> Now {
    Now { unix: UnixMicros(NOW_MICROS), instant: Instant::now() }
}

pub(super) fn token(term: u64, epoch: u64) -> Token {
    Token { term, epoch: Epoch::from_bits(epoch).unwrap() }
}

pub(super) fn millis(millis: u64) -> Boot {
    Boot(millis * 1_000)
}

/// A symbol as its owner has it.
#[derive(Debug, Clone)]
pub(super) struct OwnSymbol {
    pub(super) name: Symbol,
    pub(super) index: u32,
    pub(super) seq: u64,
    pub(super) n: u64,
    pub(super) changed: Parts,
    pub(super) prior: [u64; Part::ALL.len()],
    /// The state after the tick before the last one.
    pub(super) before: Snapshot,
    /// The state after the last tick.
    pub(super) shown: Snapshot,
    /// The state by now: it may have changed since the last tick, where no client sees it.
    pub(super) snapshot: Snapshot,
    /// The guards that went with the last tick.
    pub(super) shown_guards: Guards,
    pub(super) guards: Guards,
}

impl OwnSymbol {
    pub(super) fn new(index: u32, name: &str) -> Self {
        let snapshot = Snapshot::waiting(Origin::Sim, UnixMicros(NOW_MICROS));
        Self {
            name: name.parse().unwrap(),
            index,
            seq: 0,
            n: 0,
            changed: Parts::NONE,
            prior: [0; Part::ALL.len()],
            before: snapshot,
            shown: snapshot,
            snapshot,
            shown_guards: Guards::default(),
            guards: Guards::default(),
        }
    }

    /// Changes the state; returns whether there is a new tick, with this `n`.
    pub(super) fn change(&mut self, n: u64, change: impl FnOnce(&mut Snapshot, &mut Guards) -> Parts) -> bool {
        let changed = change(&mut self.snapshot, &mut self.guards);
        if changed.is_empty() {
            return false;
        }
        for part in self.changed.iter() {
            self.prior[part as usize] = self.seq;
        }
        (self.seq, self.n, self.changed) = (self.seq + 1, n, changed);
        (self.before, self.shown, self.shown_guards) = (self.shown, self.snapshot, self.guards);
        true
    }

    pub(super) fn apply(&mut self, n: u64, update: &Update, now: Now) -> bool {
        self.change(n, |snapshot, guards| snapshot.apply(update, guards, now).changed)
    }

    /// Trades, each at another price: there always is a new tick.
    pub(super) fn trade(&mut self, n: u64, price: i64) {
        let price = Field::Set(Decimal::new(price, 2).unwrap());
        let trade = Some(TradeUpdate { price, ..TradeUpdate::default() });
        assert!(self.apply(n, &Update { trade, ..Update::default() }, now()));
    }

    /// The last tick, or the symbol before its first.
    pub(super) fn tick(&self) -> NewTick<'_> {
        NewTick {
            index: self.index,
            name: &self.name,
            seq: self.seq,
            n: self.n,
            changed: self.changed,
            prior: self.prior,
            before: &self.before,
            snapshot: &self.shown,
            guards: &self.shown_guards,
        }
    }
}

/// The symbols as an opening reads them.
pub(super) fn each(symbols: &[OwnSymbol]) -> impl FnOnce(&mut dyn FnMut(&NewTick<'_>)) + '_ {
    |with| symbols.iter().for_each(|symbol| with(&symbol.tick()))
}

/// A symbol with all that a snapshot can have, each field as long as it may be.
pub(super) fn largest(index: u32) -> OwnSymbol {
    let mut symbol = OwnSymbol::new(index, &format!("{index:0>32}"));
    let number = Some(Decimal::new(i64::MIN, 30).unwrap());
    let time = Some(UnixMicros(i64::MIN));
    let trade = Trade { price: number, size: number, side: Some(Side::Sell), time };
    let since = Some((UnixMicros(i64::MIN), Reason::NotGranted));
    let snapshot = &mut symbol.shown;
    (snapshot.trade, snapshot.ext, snapshot.trades, snapshot.recv) = (trade, trade, u64::MAX, time);
    snapshot.quote = Quote { bid: number, bid_size: number, ask: number, ask_size: number, time };
    snapshot.stats = Stats {
        window: Some(StatsWindow::Hours24),
        open: number,
        high: number,
        low: number,
        volume: number,
        prev_close: number,
        time,
    };
    let status = &mut snapshot.status;
    (status.waiting_since, status.known, status.stale) = (UnixMicros(i64::MIN), Parts::ALL, Parts::ALL);
    (status.refused, status.closed, status.outage, status.halted) = (since, since, since, since);
    status.halt_end = HaltEnd::Trade;
    let guard = Guard::at(Some(u64::MAX), Some(UnixMicros(i64::MAX)));
    let key = Some(TradeKey { exchange: 255, id: u64::MAX });
    symbol.shown_guards =
        Guards { trade: guard, quote: guard, stats: guard, status: guard, trade_key: key, ext_key: key };
    symbol.changed = Parts::from_bits(0b1000_1111).unwrap();
    (symbol.seq, symbol.n) = (u64::MAX, u64::MAX / 2);
    symbol
}

/// The guards without what an heir does not need: a suspicion that ids have restarted, which its own connection ends.
pub(super) fn places(guards: &Guards) -> impl PartialEq + std::fmt::Debug {
    let guard = |guard: &Guard| (guard.id, guard.time);
    let parts = [&guards.trade, &guards.quote, &guards.stats, &guards.status].map(guard);
    (parts, guards.trade_key, guards.ext_key)
}

/// Something that happens to a symbol.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Update(Box<Update>),
    Outage(Reason),
    MarkStale(Parts, Reason),
    Closed(bool),
    Refused(Option<Reason>),
}

impl Happening {
    pub(super) fn happen(&self, symbol: &mut OwnSymbol, n: u64, now: Now) -> bool {
        symbol.change(n, |snapshot, guards| match self {
            Self::Update(update) => {
                let Applied { changed, .. } = snapshot.apply(update, guards, now);
                changed
            }
            Self::Outage(reason) => snapshot.outage(*reason, guards, now),
            Self::MarkStale(parts, reason) => snapshot.mark_stale(*parts, *reason, now),
            Self::Closed(closed) => snapshot.set_closed(*closed, now),
            Self::Refused(reason) => snapshot.set_refused(*reason, now),
        })
    }
}

pub(super) fn happening() -> impl Strategy<Value = (Happening, Duration)> {
    let reason = || select(vec![Reason::ConnectionLost, Reason::Mute, Reason::Gap, Reason::Opening, Reason::Reconnect]);
    let refusal = select(vec![Reason::Unauthorized, Reason::NotEntitled, Reason::SymbolLimit, Reason::NotGranted]);
    let parts = prop::collection::vec(select(Part::ALL.to_vec()), 0..4).prop_map(Parts::from_iter);
    let happening = Union::new_weighted(vec![
        (12, update().prop_map(|update| Happening::Update(Box::new(update))).boxed()),
        (1, reason().prop_map(Happening::Outage).boxed()),
        (1, (parts, reason()).prop_map(|(parts, reason)| Happening::MarkStale(parts, reason)).boxed()),
        (1, any::<bool>().prop_map(Happening::Closed).boxed()),
        (1, option::of(refusal).prop_map(Happening::Refused).boxed()),
    ]);
    (happening, (0_u64..3_000_000).prop_map(Duration::from_micros))
}

fn update() -> impl Strategy<Value = Update> {
    let parts = (option::of(trade()), option::of(quote()), option::of(stats()), option::weighted(0.2, status()));
    (parts, option::weighted(0.2, correction())).prop_map(|((trade, quote, stats, status), correction)| Update {
        trade,
        quote,
        stats,
        status,
        correction,
        ..Update::default()
    })
}

fn decimal() -> impl Strategy<Value = Decimal> {
    let mantissa = prop_oneof![any::<i64>(), -1_000_i64..1_000_000, Just(i64::MIN), Just(i64::MAX), Just(0)];
    (mantissa, 0_u8..=30).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

fn field<T: Clone + std::fmt::Debug + 'static>(value: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Field<T>> {
    prop_oneof![Just(Field::Keep), Just(Field::Clear), value.prop_map(Field::Set)].boxed()
}

fn time() -> impl Strategy<Value = UnixMicros> {
    let near = (-10_000_000_i64..20_000_000).prop_map(|micros| UnixMicros(NOW_MICROS + micros));
    prop_oneof![4 => near, 1 => any::<i64>().prop_map(UnixMicros)]
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let id = prop_oneof![4 => 0_u64..100, 1 => any::<u64>()];
    (option::of(id), option::of(time()), prop::bool::weighted(0.2)).prop_map(|(id, time, by_arrival)| Sequence {
        id,
        time,
        by_arrival,
    })
}

fn key() -> impl Strategy<Value = TradeKey> {
    (select(b"KV".to_vec()), 0_u64..4).prop_map(|(exchange, id)| TradeKey { exchange, id })
}

fn session() -> impl Strategy<Value = TradingSession> {
    select(vec![TradingSession::Regular, TradingSession::Extended])
}

fn trade() -> impl Strategy<Value = TradeUpdate> {
    let side = field(select(vec![Side::Buy, Side::Sell]));
    (sequence(), field(decimal()), field(decimal()), side, session(), option::of(key())).prop_map(
        |(sequence, price, size, side, session, key)| TradeUpdate { sequence, price, size, side, session, key },
    )
}

fn quote() -> impl Strategy<Value = QuoteUpdate> {
    (sequence(), field(decimal()), field(decimal()), field(decimal()), field(decimal()))
        .prop_map(|(sequence, bid, bid_size, ask, ask_size)| QuoteUpdate { sequence, bid, bid_size, ask, ask_size })
}

fn stats() -> impl Strategy<Value = StatsUpdate> {
    let window = field(select(vec![StatsWindow::Day, StatsWindow::Hours24]));
    let fields = (field(decimal()), field(decimal()), field(decimal()), field(decimal()), field(decimal()));
    (sequence(), window, fields).prop_map(|(sequence, window, (open, high, low, volume, prev_close))| StatsUpdate {
        sequence,
        window,
        open,
        high,
        low,
        volume,
        prev_close,
    })
}

fn status() -> impl Strategy<Value = StatusUpdate> {
    let halt = select(vec![Halt::News, Halt::Volatility, Halt::MarketWide, Halt::Regulatory, Halt::Other]);
    (sequence(), option::of(any::<bool>()), field(halt), any::<bool>()).prop_map(
        |(sequence, closed, halted, resume_is_reported)| StatusUpdate { sequence, closed, halted, resume_is_reported },
    )
}

fn correction() -> impl Strategy<Value = Correction> {
    let corrected = (option::of(key()), field(decimal()), field(decimal()), session())
        .prop_map(|(key, price, size, session)| Corrected { key, price, size, session });
    (key(), option::of(corrected)).prop_map(|(of, now)| Correction { of, now })
}
