//! The simulator's market: seeded random walks, in whole ticks. No float is near a price.

use crate::market::{Decimal, Symbol, UnixMicros};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{collections::HashSet, fmt::Write};

/// A symbol that the simulator knows, with a plausible price to start from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    /// The canonical name.
    pub(super) symbol: &'static str,
    /// The name for people.
    name: &'static str,
    /// The first price, in ticks.
    ticks: i64,
    /// How many decimals a tick has.
    scale: u8,
}

const fn listing(symbol: &'static str, name: &'static str, ticks: i64, scale: u8) -> Listing {
    Listing { symbol, name, ticks, scale }
}

/// Well-known symbols: what a gateway without a configuration shows.
pub(super) const LISTINGS: &[Listing] = &[
    listing("AAPL", "Apple Inc.", 22_987, 2),
    listing("MSFT", "Microsoft Corporation", 41_700, 2),
    listing("NVDA", "NVIDIA Corporation", 14_195, 2),
    listing("AMZN", "Amazon.com, Inc.", 19_712, 2),
    listing("GOOGL", "Alphabet Inc. Class A", 16_476, 2),
    listing("META", "Meta Platforms, Inc.", 55_914, 2),
    listing("TSLA", "Tesla, Inc.", 35_256, 2),
    listing("BRK.B", "Berkshire Hathaway Inc. Class B", 47_657, 2),
    listing("JPM", "JPMorgan Chase & Co.", 24_855, 2),
    listing("V", "Visa Inc.", 30_992, 2),
    listing("WMT", "Walmart Inc.", 9_044, 2),
    listing("XOM", "Exxon Mobil Corporation", 12_179, 2),
    listing("KO", "The Coca-Cola Company", 6_392, 2),
    listing("DIS", "The Walt Disney Company", 11_565, 2),
    listing("NFLX", "Netflix, Inc.", 89_779, 2),
    listing("AMD", "Advanced Micro Devices, Inc.", 13_835, 2),
    listing("INTC", "Intel Corporation", 2_450, 2),
    listing("BA", "The Boeing Company", 14_929, 2),
    listing("GE", "GE Aerospace", 18_003, 2),
    listing("F", "Ford Motor Company", 1_118, 2),
    listing("SPY", "SPDR S&P 500 ETF Trust", 59_551, 2),
    listing("QQQ", "Invesco QQQ Trust", 50_579, 2),
    listing("IWM", "iShares Russell 2000 ETF", 23_877, 2),
    listing("BTC-USDT", "Bitcoin", 9_899_754, 2),
    listing("ETH-USDT", "Ether", 332_711, 2),
    listing("SOL-USDT", "Solana", 25_637, 2),
    listing("XRP-USDT", "XRP", 14_663, 4),
    listing("DOGE-USDT", "Dogecoin", 42_412, 5),
    listing("ADA-USDT", "Cardano", 10_372, 4),
    listing("BTC-EUR", "Bitcoin", 9_504_620, 2),
];

/// A price may wander between half and twice of where it started: a demo that ran for a month still looks like a
/// market.
const WANDER: i64 = 2;
/// The share of a price that one step may move it by, one part in so many.
const STEP_PARTS: i64 = 10_000;

/// The symbols of one connection on their random walks. The same seed and steps give the same bytes, except for the
/// times.
#[derive(Debug)]
pub(super) struct RandomWalk {
    random: SmallRng,
    instruments: Vec<Instrument>,
    known: HashSet<Symbol>,
    /// A trade at a new high or low, of the instrument at this place. It follows the statistics that it changes: no
    /// price is outside its day's range.
    held_back: Option<(usize, String)>,
}

#[derive(Debug)]
struct Instrument {
    symbol: Symbol,
    name: Option<&'static str>,
    scale: u8,
    size_scale: u8,
    start: i64,
    step: i64,
    bid: i64,
    ask: i64,
    open: i64,
    high: i64,
    low: i64,
    prev_close: i64,
    volume: i64,
    trades: u64,
    quotes: u64,
}

impl RandomWalk {
    /// No symbols yet.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), instruments: Vec::new(), known: HashSet::new(), held_back: None }
    }

    /// How many symbols walk.
    pub(super) fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether this symbol walks.
    pub(super) fn has(&self, symbol: &Symbol) -> bool {
        self.known.contains(symbol)
    }

    /// Whether none does.
    pub(super) fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Adds a symbol, known or not; returns all that can be said of it: its facts, and three messages of data.
    pub(super) fn add(&mut self, symbol: Symbol, time: UnixMicros) -> (String, [String; 3]) {
        self.known.insert(symbol.clone());
        let mut instrument = Instrument::new(symbol, &mut self.random);
        instrument.requote(&mut self.random);
        let trade = instrument.trade(&mut self.random, time);
        let first = [instrument.stats(time), instrument.quote(time), trade];
        let facts = instrument.facts();
        self.instruments.push(instrument);
        (facts, first)
    }

    /// The symbol walks no longer. Returns whether it did.
    pub(super) fn remove(&mut self, symbol: &Symbol) -> bool {
        let Some(place) = self.instruments.iter().position(|instrument| instrument.symbol == *symbol) else {
            return false;
        };
        self.instruments.remove(place);
        self.known.remove(symbol);
        self.held_back = match self.held_back.take() {
            Some((held, _)) if held == place => None,
            Some((held, trade)) => Some((held - usize::from(held > place), trade)),
            None => None,
        };
        true
    }

    /// One step of one symbol, and its message: mostly trades and quotes, statistics now and then. `None`
    /// where no symbol walks, and where this one does not trade.
    pub(super) fn step(&mut self, time: UnixMicros, trades: impl Fn(&Symbol) -> bool) -> Option<String> {
        if self.instruments.is_empty() {
            return None;
        }
        if let Some((place, trade)) = self.held_back.take()
            && trades(&self.instruments[place].symbol)
        {
            return Some(trade);
        }
        let place = self.random.random_range(0..self.instruments.len());
        let instrument = &mut self.instruments[place];
        if !trades(&instrument.symbol) {
            return None;
        }
        Some(match self.random.random_range(0..20) {
            0 => instrument.stats(time),
            1..=9 => {
                let range = (instrument.low, instrument.high);
                let trade = instrument.trade(&mut self.random, time);
                if range == (instrument.low, instrument.high) {
                    trade
                } else {
                    self.held_back = Some((place, trade));
                    instrument.stats(time)
                }
            }
            _ => {
                instrument.requote(&mut self.random);
                instrument.quote(time)
            }
        })
    }
}

impl Instrument {
    fn new(symbol: Symbol, random: &mut SmallRng) -> Self {
        let known = LISTINGS.iter().find(|listing| listing.symbol == symbol.as_str());
        let (ticks, scale) = known.map_or_else(|| (start_of(&symbol), 2), |listing| (listing.ticks, listing.scale));
        let step = (ticks / STEP_PARTS).max(1);
        let open = ticks + random.random_range(-10..=10) * step;
        Self {
            scale,
            // Shares are traded whole, coins are not.
            size_scale: if symbol.as_str().contains('-') { 3 } else { 0 },
            symbol,
            name: known.map(|listing| listing.name),
            start: ticks,
            step,
            bid: open,
            ask: open + 1,
            open,
            high: open,
            low: open,
            prev_close: ticks,
            volume: random.random_range(100_000..10_000_000),
            trades: 0,
            quotes: 0,
        }
    }

    /// Moves bid and ask by a step.
    fn requote(&mut self, random: &mut SmallRng) {
        let moved = self.bid + random.random_range(-self.step..=self.step);
        self.bid = moved.clamp(self.start / WANDER, self.start * WANDER);
        self.ask = self.bid + random.random_range(1..=2 * self.step);
    }

    fn size(&self, random: &mut SmallRng) -> i64 {
        if self.size_scale == 0 { random.random_range(1..=500) } else { random.random_range(1..=5_000) }
    }

    fn price(&self, ticks: i64) -> Decimal {
        decimal(ticks, self.scale)
    }

    /// A trade at the bid or the ask: what it shows fits the quote beside it.
    fn trade(&mut self, random: &mut SmallRng, time: UnixMicros) -> String {
        let (ticks, side) = if random.random() { (self.ask, "buy") } else { (self.bid, "sell") };
        let size = self.size(random);
        (self.high, self.low) = (self.high.max(ticks), self.low.min(ticks));
        self.volume = self.volume.saturating_add(size);
        self.trades += 1;
        let price = self.price(ticks);
        let size = decimal(size, self.size_scale);
        let mut message = self.message("trade", Some(self.trades), time);
        let _ = write!(message, r#","price":"{price}","size":"{size}","side":"{side}"}}"#);
        message
    }

    fn quote(&mut self, time: UnixMicros) -> String {
        self.quotes += 1;
        let bid = self.price(self.bid);
        let ask = self.price(self.ask);
        // Derived from the price, not drawn, so that a repeated quote has the same size.
        let size = |ticks: i64| decimal(100 + ticks.rem_euclid(37) * 25, self.size_scale);
        let bid_size = size(self.bid);
        let ask_size = size(self.ask + 11);
        let mut message = self.message("quote", Some(self.quotes), time);
        let _ = write!(message, r#","bid":"{bid}","bid_size":"{bid_size}","ask":"{ask}","ask_size":"{ask_size}"}}"#);
        message
    }

    /// What is known of it besides its prices. None of it holds what a JSON string would have to escape.
    fn facts(&self) -> String {
        let Self { symbol, scale, size_scale, .. } = self;
        let (currency, kind) =
            symbol.as_str().rsplit_once('-').map_or(("USD", "stock"), |(_, quote)| (quote, "crypto"));
        let name = self.name.map_or_else(String::new, |name| format!(r#","name":"{name}""#));
        format!(
            r#"{{"op":"facts","symbol":"{symbol}"{name},"currency":"{currency}","kind":"{kind}","price_digits":{scale},"size_digits":{size_scale}}}"#
        )
    }

    fn stats(&self, time: UnixMicros) -> String {
        let window = if self.size_scale == 0 { "day" } else { "24h" };
        let [open, high, low, prev_close] =
            [self.open, self.high, self.low, self.prev_close].map(|ticks| self.price(ticks));
        let volume = decimal(self.volume, self.size_scale);
        let mut message = self.message("stats", None, time);
        let _ = write!(
            message,
            r#","window":"{window}","open":"{open}","high":"{high}","low":"{low}","volume":"{volume}","prev_close":"{prev_close}"}}"#
        );
        message
    }

    /// The beginning that all messages share. A symbol holds nothing that a JSON string would have to escape.
    fn message(&self, kind: &str, id: Option<u64>, time: UnixMicros) -> String {
        let mut message = String::with_capacity(200);
        let symbol = &self.symbol;
        let time = time.0;
        let _ = write!(message, r#"{{"type":"{kind}","symbol":"{symbol}","time":{time}"#);
        if let Some(id) = id {
            let _ = write!(message, r#","id":{id}"#);
        }
        message
    }
}

fn decimal(mantissa: i64, scale: u8) -> Decimal {
    Decimal::new(mantissa, scale).expect("scales of the simulator are below ten")
}

/// A price for a symbol that has no listing, 10.00 to 500.00, the same each time.
fn start_of(symbol: &Symbol) -> i64 {
    let hash = symbol
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    1_000 + (hash % 49_000) as i64
}

#[cfg(test)]
#[path = "random_walk_tests.rs"]
mod tests;
