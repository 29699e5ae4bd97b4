//! A point of a trail.

use crate::{
    cache::Tick,
    market::{Decimal, State, UnixMicros},
};

/// The scale of a number that is not known: above that of every [`Decimal`].
const UNKNOWN: u8 = u8::MAX;

/// What a chart shows of a tick. A gateway keeps millions, so the numbers are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    time: UnixMicros,
    price: i64,
    bid: i64,
    ask: i64,
    trades: u64,
    /// The span that the tick was published in.
    span: u32,
    /// Of price, bid and ask.
    scales: [u8; 3],
    state: State,
}

impl Point {
    /// The point of a tick that was published in this span.
    pub(super) fn new(tick: &Tick, span: u32) -> Self {
        let snapshot = &tick.snapshot;
        let [price, bid, ask] = [snapshot.trade.price, snapshot.quote.bid, snapshot.quote.ask].map(packed);
        Self {
            time: tick.time,
            price: price.0,
            bid: bid.0,
            ask: ask.0,
            trades: snapshot.trades,
            span,
            scales: [price.1, bid.1, ask.1],
            state: snapshot.state(),
        }
    }

    pub(super) fn span(&self) -> u32 {
        self.span
    }

    /// When it was shown, by the wall clock of that moment.
    pub fn time(&self) -> UnixMicros {
        self.time
    }

    /// The last trade's price.
    pub fn price(&self) -> Option<Decimal> {
        Decimal::new(self.price, self.scales[0])
    }

    /// The best bid.
    pub fn bid(&self) -> Option<Decimal> {
        Decimal::new(self.bid, self.scales[1])
    }

    /// The best ask.
    pub fn ask(&self) -> Option<Decimal> {
        Decimal::new(self.ask, self.scales[2])
    }

    /// The symbol's trades so far in this epoch.
    pub fn trades(&self) -> u64 {
        self.trades
    }

    /// The symbol's state.
    pub fn state(&self) -> State {
        self.state
    }
}

fn packed(number: Option<Decimal>) -> (i64, u8) {
    number.map_or((0, UNKNOWN), Decimal::mantissa_and_scale)
}
