//! What one venue message says of one symbol.

use super::{Decimal, UnixMicros, names::names};

/// What one venue message says of one symbol: any of its parts, each field set, kept or cleared.
///
/// Several trades are several updates, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Update {
    /// The symbol, by its index in the list that the connection was made with.
    pub symbol: u32,
    /// A trade.
    pub trade: Option<TradeUpdate>,
    /// The best bid and ask.
    pub quote: Option<QuoteUpdate>,
    /// The venue's own figures over a window.
    pub stats: Option<StatsUpdate>,
    /// Whether the symbol may be traded.
    pub status: Option<StatusUpdate>,
    /// What became of a trade that was told before.
    pub correction: Option<Correction>,
}

/// What an update does to one field. Missing is not zero, and not gone either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The message does not speak of it.
    #[default]
    Keep,
    /// The message says that there is none: a halted stock's bid, an empty string.
    Clear,
    /// The message says what it is.
    Set(T),
}

impl<T: Copy + PartialEq> Field<T> {
    /// Does it; returns whether `value` is another one now.
    pub(super) fn apply(self, value: &mut Option<T>) -> bool {
        let before = *value;
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::Set(new) => *value = Some(new),
        }
        *value != before
    }
}

/// Where an update stands in the venue's order of a symbol's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The venue's own rising number for this symbol and part.
    pub id: Option<u64>,
    /// The venue's time of the event.
    pub time: Option<UnixMicros>,
    /// The venue's order is that of arrival: a consolidated feed, whose late prints are told by their conditions, and where
    /// neither ids nor times compare from one exchange to another. Nothing is late then.
    pub by_arrival: bool,
}

/// A trade: it always makes a tick, even at the price and size of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TradeUpdate {
    /// Its place among the symbol's trades.
    pub sequence: Sequence,
    /// The price of one unit.
    pub price: Field<Decimal>,
    /// Shares, or the venue's units.
    pub size: Field<Decimal>,
    /// The taker's side.
    pub side: Field<Side>,
    /// In which session it counts.
    pub session: TradingSession,
    /// What a correction will call it.
    pub key: Option<TradeKey>,
}

/// In which session a trade counts: the last of each is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TradingSession {
    /// The regular one, or the only one.
    #[default]
    Regular,
    /// Before or after it.
    Extended,
}

/// What a venue calls a trade when it corrects or cancels it: its exchanges number their trades on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeKey {
    /// The exchange's letter.
    pub exchange: u8,
    /// The exchange's number of the trade.
    pub id: u64,
}

/// What became of a trade that was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// The trade as it was told.
    pub of: TradeKey,
    /// What it is now; `None` where it was cancelled, or may not be shown any more.
    pub now: Option<Corrected>,
}

/// A trade after its correction. It happened when it happened, so it has no time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected {
    /// What the next correction will call it.
    pub key: Option<TradeKey>,
    /// The price of one unit.
    pub price: Field<Decimal>,
    /// Shares, or the venue's units.
    pub size: Field<Decimal>,
    /// In which session it counts.
    pub session: TradingSession,
}

/// Whether the symbol may be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusUpdate {
    /// Its place among the symbol's statuses.
    pub sequence: Sequence,
    /// Set: trading is halted, and why. Cleared: it goes on.
    pub halted: Field<Halt>,
}

/// Why trading is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// News are pending, or were just told.
    News,
    /// The price moved too far or too fast.
    Volatility,
    /// The whole market moved too far.
    MarketWide,
    /// The exchange or the regulator looks into the company.
    Regulatory,
    /// Any other reason, or none that was told.
    Other,
}

/// The best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuoteUpdate {
    /// Its place among the symbol's quotes.
    pub sequence: Sequence,
    /// The highest price that somebody pays.
    pub bid: Field<Decimal>,
    /// How much they would buy at it.
    pub bid_size: Field<Decimal>,
    /// The lowest price that somebody takes.
    pub ask: Field<Decimal>,
    /// How much they would sell at it.
    pub ask_size: Field<Decimal>,
}

/// The venue's own figures over a window. Nothing is summed here: what the venue does not say is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsUpdate {
    /// Its place among the symbol's statistics.
    pub sequence: Sequence,
    /// What the figures span.
    pub window: Field<StatsWindow>,
    /// The window's first price.
    pub open: Field<Decimal>,
    /// Its highest price.
    pub high: Field<Decimal>,
    /// Its lowest price.
    pub low: Field<Decimal>,
    /// How much was traded in it.
    pub volume: Field<Decimal>,
    /// The last price before it.
    pub prev_close: Field<Decimal>,
}

/// Who took the other's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

names! {
    Side {
        Buy = "buy",
        Sell = "sell",
    }
}

/// What a venue's statistics span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsWindow {
    /// The trading day.
    Day,
    /// The last 24 hours.
    Hours24,
}

names! {
    StatsWindow {
        Day = "day",
        Hours24 = "24h",
    }
}

/// What of a quote changes together, each with its own version and venue time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The last trade.
    Trade,
    /// The best bid and ask.
    Quote,
    /// The venue's statistics.
    Stats,
    /// What can be said of the others: live, stale, ...
    Status,
}

names! {
    Part {
        Trade = "trade",
        Quote = "quote",
        Stats = "stats",
        Status = "status",
    }
}

impl Part {
    /// All of them, in the order in which a tick's `kind` names the first that changed.
    pub const ALL: [Self; 4] = [Self::Trade, Self::Quote, Self::Stats, Self::Status];
}

/// A set of [`Part`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts(u8);

impl Parts {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b1111);
    /// The status alone.
    pub const STATUS: Self = Self(1 << Part::Status as u8);
    const CORRECTION: u8 = 1 << 7;

    /// Adds one.
    pub fn insert(&mut self, part: Part) {
        self.0 |= 1 << part as u8;
    }

    /// Takes one out; returns whether it was in.
    pub fn remove(&mut self, part: Part) -> bool {
        let was_in = self.contains(part);
        self.0 &= !(1 << part as u8);
        was_in
    }

    /// Whether one is in.
    pub fn contains(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// Adds the mark that the trade was corrected, and did not happen anew. It is no part: whoever wants trades wants it too.
    pub(super) fn mark_correction(&mut self) {
        self.insert(Part::Trade);
        self.0 |= Self::CORRECTION;
    }

    /// Whether the trade was corrected.
    pub fn has_correction(self) -> bool {
        self.0 & Self::CORRECTION != 0
    }

    /// Whether none is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some part is in both.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 & Self::ALL.0 != 0
    }

    /// Those that are in one or the other.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in, in the order of [`Part::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(move |&part| self.contains(part))
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let mut set = Self::NONE;
        parts.into_iter().for_each(|part| set.insert(part));
        set
    }
}
