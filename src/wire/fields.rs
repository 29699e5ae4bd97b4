//! The fields of a tick, in one table. The writer is made from it; the schema in `openapi.json`, the type in
//! `examples/tick.d.ts` and the table in `docs/clients.md` are checked against it, and `TICKFAN_BLESS=1` writes them.
//!
//! A new field is one line here, and the place in [`Snapshot`] that it is read from.

use super::write;
use crate::market::{Kind, Origin, Part, Parts, Reason, Side, Snapshot, State, StatsWindow, Symbol, UnixMicros};

/// A tick to encode.
#[derive(Debug, Clone, Copy)]
pub struct TickFields<'a> {
    /// Whose tick it is.
    pub symbol: &'a Symbol,
    /// Its number among the symbol's ticks; 0 means that the symbol has not had a tick yet.
    pub seq: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// How late the symbol's data are at least, in seconds, where they are delayed.
    pub delay_seconds: Option<u64>,
    /// The name of the feed that says all this, where the symbol has two.
    pub source: Option<&'a str>,
    /// The symbol's whole latest state.
    pub snapshot: &'a Snapshot,
}

/// A field of a tick, as clients need to know it.
#[derive(Debug, Clone, Copy)]
pub struct TickField {
    /// Its key in the JSON object.
    pub name: &'static str,
    /// What its value looks like.
    pub value: ValueType,
    /// The part that it changes with; `None` for what describes the tick itself.
    pub part: Option<Part>,
    /// In which ticks it stands.
    pub presence: Presence,
    /// What it means, in one or two sentences of Markdown.
    pub meaning: &'static str,
}

/// What a field's value looks like in JSON.
#[derive(Debug, Clone, Copy)]
pub enum ValueType {
    /// A string: a canonical symbol.
    Symbol,
    /// A string: the name of a feed.
    Feed,
    /// A whole number, not below zero.
    Count,
    /// A whole number: µs since 1970.
    Micros,
    /// A number: an exact decimal in plain digits.
    Decimal,
    /// A string, one of these.
    Word(&'static [&'static str]),
    /// A string that clients show to people: these today, and others later.
    OpenWord(&'static [&'static str]),
    /// A list of strings, each one of these.
    Words(&'static [&'static str]),
}

/// In which ticks a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// In every tick.
    Always,
    /// In each tick since the venue first gave a value, until the venue clears it.
    Known,
    /// In each tick for which this holds.
    When(&'static str),
}

/// The names of a closed set, without its values.
const fn words<T: Copy, const N: usize>(names: [(T, &'static str); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut index = 0;
    while index < N {
        words[index] = names[index].1;
        index += 1;
    }
    words
}

/// The parts that an outage makes old. A halt is reported once and may hold for days, so the status never is.
const STALE_PARTS: [&str; 3] = ["trade", "quote", "stats"];

macro_rules! value_type {
    (symbol) => {
        ValueType::Symbol
    };
    (feed) => {
        ValueType::Feed
    };
    (count) => {
        ValueType::Count
    };
    (micros) => {
        ValueType::Micros
    };
    (decimal) => {
        ValueType::Decimal
    };
    (word $words:expr) => {
        ValueType::Word(&$words)
    };
    (open_word $words:expr) => {
        ValueType::OpenWord(&$words)
    };
    (words $words:expr) => {
        ValueType::Words(&$words)
    };
}

impl TickField {
    /// Whether it stands in each patch, changed or not: it says whose patch that is.
    pub const fn is_in_every_patch(&self) -> bool {
        is_in_every_patch(self.part, self.presence)
    }
}

const fn is_in_every_patch(part: Option<Part>, presence: Presence) -> bool {
    matches!((part, presence), (None, Presence::Always))
}

macro_rules! part {
    (tick) => {
        None
    };
    ($part:ident) => {
        Some(Part::$part)
    };
}

/// Makes [`TICK_FIELDS`] and the two writers from one list: `name: type, part, presence, value, meaning`. A writer is
/// one function without a loop, and each key is one constant string.
macro_rules! tick_fields {
    (
        let ($tick:ident, $snapshot:ident, $not_live:ident);
        $($name:ident: $type:ident $(($words:expr))?, $part:ident, $presence:expr, $value:expr, $meaning:literal;)+
    ) => {
        /// All fields, in the order of the wire.
        pub const TICK_FIELDS: [TickField; [$(stringify!($name)),+].len()] = {
            use Presence::{Always, Known, When};
            [$(TickField {
                name: stringify!($name),
                value: value_type!($type $($words)?),
                part: part!($part),
                presence: $presence,
                meaning: $meaning,
            }),+]
        };

        /// Appends the fields, each after a comma.
        pub(super) fn write_fields(out: &mut Vec<u8>, $tick: TickFields<'_>) {
            let $snapshot = $tick.snapshot;
            let $not_live = $snapshot.not_live_since();
            $(write::$type(out, concat!(",\"", stringify!($name), "\":"), $value);)+
        }

        /// Appends what makes a tick of the one before it: the fields that say whose patch it is, those that differ,
        /// and `null` for those that are not known any longer. Each stands after a comma.
        pub(super) fn write_changed_fields<'a>(out: &mut Vec<u8>, before: TickFields<'a>, tick: TickFields<'a>) {
            use Presence::{Always, Known, When};
            let not_live = [before, tick].map(|tick| tick.snapshot.not_live_since());
            $({
                const IS_KEY: bool = is_in_every_patch(part!($part), $presence);
                let of = |$tick: TickFields<'a>, $not_live: Option<(UnixMicros, Reason)>| {
                    let $snapshot = $tick.snapshot;
                    _ = ($snapshot, $not_live);
                    $value
                };
                let value = of(tick, not_live[1]);
                if IS_KEY || value != of(before, not_live[0]) {
                    let key = concat!(",\"", stringify!($name), "\":");
                    let start = out.len();
                    write::$type(out, key, value);
                    if out.len() == start {
                        write::null(out, key);
                    }
                }
            })+
        }
    };
}

tick_fields! {
    let (tick, snapshot, not_live);

    symbol: symbol, tick, Always, tick.symbol, "Whose tick it is.";
    seq: count, tick, Always, Some(tick.seq), "Counts the symbol's ticks within the epoch of the last `hello`; 0 means that the symbol has not had a tick yet. A hole is what the gateway skipped (conflated, left out by options, or dropped from its ring), or what a reconnect lost.";
    kind: word(words(Kind::NAMES)), tick, Always, Some(Kind::of(tick.changed).name()), "The first in this list that the tick changed.";
    state: word(words(State::NAMES)), Status, Always, Some(snapshot.state().name()), "Whether the price may be trusted: only `live` is a live price, and only for parts that `stale` does not list.";
    since: micros, Status, When("the symbol is not live"), not_live.map(|(since, _)| since), "Since when the state holds.";
    reason: open_word(words(Reason::NAMES)), Status, When("the symbol is not live"), not_live.map(|(_, reason)| reason.name()), "Why the symbol is in that state. Later versions may add reasons.";
    stale: words(STALE_PARTS), Status, When("an outage made a part old"), snapshot.stale(), "The parts that an outage made old and that no update has renewed yet.";
    origin: word(Origin::NAMES), tick, When("the data are not the live market"), snapshot.origin.name(), "Where the data come from.";
    delay_seconds: count, tick, When("the data are delayed"), tick.delay_seconds, "How late the data are at least, in seconds.";
    source: feed, tick, When("the symbol has a standby feed"), tick.source, "The feed that the data come from: the symbol's own or its standby. The parts of a tick are never of two feeds.";
    recv: micros, tick, When("an update has come"), snapshot.recv, "When the gateway received the last update, by its own clock.";

    price: decimal, Trade, Known, snapshot.trade.price, "The price of the last eligible trade of the regular session.";
    size: decimal, Trade, Known, snapshot.trade.size, "The size of that trade, in shares or the venue's units.";
    side: word(words(Side::NAMES)), Trade, Known, snapshot.trade.side.map(Side::name), "The taker's side of that trade.";
    trade_ts: micros, Trade, Known, snapshot.trade.time, "The venue's time of that trade.";
    ext_price: decimal, Trade, When("the last trade outside the regular session is newer than the one in `price`"), snapshot.ext.price, "The price of the last trade outside the regular session.";
    ext_size: decimal, Trade, When("the last trade outside the regular session is newer than the one in `price`"), snapshot.ext.size, "The size of the trade outside the regular session.";
    ext_ts: micros, Trade, When("the last trade outside the regular session is newer than the one in `price`"), snapshot.ext.time, "The venue's time of the trade outside the regular session.";
    trades: count, Trade, When("there was a trade in this epoch"), (snapshot.trades > 0).then_some(snapshot.trades), "Counts the symbol's trades within the epoch; a tape or a candle shows a gap where it jumps.";

    bid: decimal, Quote, Known, snapshot.quote.bid, "The best bid.";
    bid_size: decimal, Quote, Known, snapshot.quote.bid_size, "The size of the best bid.";
    ask: decimal, Quote, Known, snapshot.quote.ask, "The best ask.";
    ask_size: decimal, Quote, Known, snapshot.quote.ask_size, "The size of the best ask.";
    quote_ts: micros, Quote, Known, snapshot.quote.time, "The venue's time of the quote.";

    open: decimal, Stats, Known, snapshot.stats.open, "The first price of the window, as the venue reports it.";
    high: decimal, Stats, Known, snapshot.stats.high, "The highest price of the window.";
    low: decimal, Stats, Known, snapshot.stats.low, "The lowest price of the window.";
    volume: decimal, Stats, Known, snapshot.stats.volume, "How much was traded in the window.";
    prev_close: decimal, Stats, Known, snapshot.stats.prev_close, "The last price before the window.";
    window: word(words(StatsWindow::NAMES)), Stats, Known, snapshot.stats.window.map(StatsWindow::name), "What the venue's statistics span.";
    stats_ts: micros, Stats, Known, snapshot.stats.time, "The venue's time of the statistics.";
}
