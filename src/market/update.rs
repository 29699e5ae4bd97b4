//! Updates: a venue's message, decoded for one symbol.

use super::{Decimal, FeedSymbol, Part, Parts, UnixMicros, names::names};

/// Figures of a day have the time at which that day began.
const DAY_MICROS: i64 = 86_400_000_000;

/// A venue's message, decoded for one symbol: any of its parts, each field set, kept or cleared.
///
/// Several trades are several updates, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Update {
    /// The symbol, by its place in the connection's list.
    pub symbol: FeedSymbol,
    /// A trade.
    pub trade: Option<TradeUpdate>,
    /// The best bid and ask.
    pub quote: Option<QuoteUpdate>,
    /// The venue's own statistics over a window.
    pub stats: Option<StatsUpdate>,
    /// Whether the symbol may be traded.
    pub status: Option<StatusUpdate>,
    /// The correction or the cancel of an earlier trade.
    pub correction: Option<Correction>,
    /// Whether it answers a question for the latest state, rather than tells an event as it happens. The stream may be
    /// ahead of such an answer: a trade or a quote that is not newer than the latest known one moves nothing.
    pub is_snapshot: bool,
    /// Of a snapshot: when the feed's hours began. What is older is of an earlier session: it is known, and stays
    /// stale.
    pub opened: Option<UnixMicros>,
    /// Which connection brings it, while two overlap.
    pub overlap: Overlap,
}

/// Which of two connections that overlap brings an update. Both bring all events from some moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// There is one connection.
    #[default]
    None,
    /// The one that will be dropped. Where the other one has brought an event of the same time, an event that has no id
    /// is late: it is that one, or one before it, or will come on the other connection too.
    Predecessor,
    /// The one that stays.
    Successor,
}

impl Update {
    /// The parts that it has. A correction renews none.
    pub fn parts(&self) -> Parts {
        let parts = [
            (Part::Trade, self.trade.is_some()),
            (Part::Quote, self.quote.is_some()),
            (Part::Stats, self.stats.is_some()),
            (Part::Status, self.status.is_some()),
        ];
        parts.into_iter().filter(|(_, is_there)| *is_there).map(|(part, _)| part).collect()
    }

    /// The parts that are of a session before the one that began then, or of no time that would tell.
    pub(super) fn parts_before(&self, opened: UnixMicros, now: UnixMicros) -> Parts {
        let is_older = |sequence: Sequence, lasts: i64| {
            let time = sequence.time.filter(|time| time.plausible(now).is_some());
            time.is_none_or(|time| time.0.saturating_add(lasts) < opened.0)
        };
        let parts = [
            (Part::Trade, self.trade.is_some_and(|trade| is_older(trade.sequence, 0))),
            (Part::Quote, self.quote.is_some_and(|quote| is_older(quote.sequence, 0))),
            (Part::Stats, self.stats.is_some_and(|stats| is_older(stats.sequence, DAY_MICROS))),
        ];
        parts.into_iter().filter(|(_, is_older)| *is_older).map(|(part, _)| part).collect()
    }
}

/// What an update does to one field. Missing is not zero, and not gone either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The message does not have the field.
    #[default]
    Keep,
    /// The message says that the value is absent: a halted stock's bid, an empty string.
    Clear,
    /// The message gives the value.
    Set(T),
}

impl<T: Copy + PartialEq> Field<T> {
    /// Applies it to `value`; returns whether `value` changed.
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

/// The place of an update in the venue's order of one part of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The venue's own rising number, for this symbol and part.
    pub id: Option<u64>,
    /// The venue's time of the event.
    pub time: Option<UnixMicros>,
    /// Whether arrival is the venue's order. A consolidated feed marks late prints by their conditions, and neither ids
    /// nor times compare from one exchange to another; no update is late then.
    pub by_arrival: bool,
}

/// A trade. It always makes a tick, even at the price and size of the one before.
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
    /// The session that it counts in.
    pub session: TradingSession,
    /// The key that a correction will name it by.
    pub key: Option<TradeKey>,
}

/// The session that a trade counts in. A snapshot keeps the last trade of each apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TradingSession {
    /// The regular session, or the only one.
    #[default]
    Regular,
    /// Before or after the regular session.
    Extended,
}

/// How a venue names a trade that it corrects or cancels. Each exchange numbers its own trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeKey {
    /// The exchange's letter.
    pub exchange: u8,
    /// The exchange's number of the trade.
    pub id: u64,
}

/// The correction or the cancel of an earlier trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// The trade that it corrects.
    pub of: TradeKey,
    /// Its new values; `None` where it was cancelled, or may not set the last price any more.
    pub now: Option<Corrected>,
}

/// A trade after its correction. It keeps the time of the trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected {
    /// The key that the next correction will name it by.
    pub key: Option<TradeKey>,
    /// The price of one unit.
    pub price: Field<Decimal>,
    /// Shares, or the venue's units.
    pub size: Field<Decimal>,
    /// The session that it counts in.
    pub session: TradingSession,
}

/// Whether the symbol may be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusUpdate {
    /// Its place among the symbol's statuses.
    pub sequence: Sequence,
    /// Whether the venue itself says that the symbol's session is over, or has begun.
    pub closed: Option<bool>,
    /// Set: trading is halted, and why. Cleared: trading has resumed.
    pub halted: Field<Halt>,
    /// Whether the venue reports that trading has resumed. Else the next trade ends a halt.
    pub resume_is_reported: bool,
}

/// Why trading is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// News is pending, or was just released.
    News,
    /// The price moved too far or too fast.
    Volatility,
    /// The whole market moved too far.
    MarketWide,
    /// The exchange or the regulator investigates the company.
    Regulatory,
    /// Another reason, or none was given.
    Other,
}

/// The best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuoteUpdate {
    /// Its place among the symbol's quotes.
    pub sequence: Sequence,
    /// The highest price that a buyer offers.
    pub bid: Field<Decimal>,
    /// How much buyers want at that price.
    pub bid_size: Field<Decimal>,
    /// The lowest price that a seller accepts.
    pub ask: Field<Decimal>,
    /// How much sellers offer at that price.
    pub ask_size: Field<Decimal>,
}

/// The venue's own statistics over a window. The gateway computes none of them: what the venue does not send stays
/// unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsUpdate {
    /// Its place among the symbol's statistics.
    pub sequence: Sequence,
    /// The window that they span.
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

/// The side of the taker: the party that accepted the price of an order in the book.
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

/// The window that a venue's statistics span.
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
