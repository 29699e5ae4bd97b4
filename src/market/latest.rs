//! The latest of each part that a venue sends, and how an update is merged into it.

use super::{Decimal, QuoteUpdate, Side, StatsUpdate, StatsWindow, TradeUpdate, UnixMicros};

/// The last trade of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trade {
    /// The price of one unit.
    pub price: Option<Decimal>,
    /// Shares, or the venue's units.
    pub size: Option<Decimal>,
    /// The taker's side.
    pub side: Option<Side>,
    /// When it happened, by the venue's clock.
    pub time: Option<UnixMicros>,
}

/// The best bid and ask of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quote {
    /// The highest price that a buyer offers.
    pub bid: Option<Decimal>,
    /// How much buyers want at that price.
    pub bid_size: Option<Decimal>,
    /// The lowest price that a seller accepts.
    pub ask: Option<Decimal>,
    /// How much sellers offer at that price.
    pub ask_size: Option<Decimal>,
    /// When it became so, by the venue's clock.
    pub time: Option<UnixMicros>,
}

/// The venue's own statistics over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// The window that they span.
    pub window: Option<StatsWindow>,
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
    /// When they were so, by the venue's clock.
    pub time: Option<UnixMicros>,
}

impl Trade {
    pub(super) fn merge(&mut self, update: &TradeUpdate, time: Option<UnixMicros>) {
        update.price.apply(&mut self.price);
        update.size.apply(&mut self.size);
        update.side.apply(&mut self.side);
        self.time = time;
    }
}

impl Quote {
    /// Returns whether a field changed; a new time alone is not a change.
    pub(super) fn merge(&mut self, update: &QuoteUpdate, time: Option<UnixMicros>) -> bool {
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
    /// Returns whether a field changed; a new time alone is not a change.
    pub(super) fn merge(&mut self, update: &StatsUpdate, time: Option<UnixMicros>) -> bool {
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
