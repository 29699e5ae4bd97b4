//! The symbols that the venue trades: a random walk per symbol, and the newest state that was sent of each. The size of
//! a trade or a quote is its ordinal, so that a tick itself identifies the trade and the quote that it shows.

use super::{
    batch::{Batch, Kind, Update},
    history::{History, Part},
    protocol::Protocol,
    recording::Change,
    setup::Setup,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{collections::HashMap, sync::Arc};

/// The lowest price in a walk, in cents.
const CENTS_MIN: i64 = 100;

/// The newest state of a symbol, as a gateway must show it: numbers in plain digits without trailing zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    /// Trades that were sent. In a random walk it is also the size of the last one, in units of the protocol's smallest
    /// size.
    pub trades: u64,
    /// Quotes that were sent. In a random walk it is also both sizes of the last one.
    pub quotes: u64,
    /// The last trade's price.
    pub price: String,
    /// The last trade's size.
    pub size: String,
    /// The last trade's venue time, in µs since 1970.
    pub trade_ts: u64,
    /// The last quote's bid.
    pub bid: String,
    /// The size of that bid.
    pub bid_size: String,
    /// The last quote's ask.
    pub ask: String,
    /// The size of that ask.
    pub ask_size: String,
}

impl Newest {
    fn part(&self, kind: Kind) -> Part<'_> {
        match kind {
            Kind::Trade => Part::Trade { price: &self.price, size: &self.size, micros: self.trade_ts },
            Kind::Quote => Part::Quote([&self.bid, &self.bid_size, &self.ask, &self.ask_size]),
        }
    }
}

struct Listing {
    symbol: String,
    /// The venue's own name.
    name: String,
    cents: i64,
    /// The number of subscribed connections per kind.
    wanted: [u32; 2],
    newest: Newest,
}

impl Listing {
    fn wants(&self, kind: Kind) -> bool {
        self.wanted[kind as usize] > 0
    }
}

/// All symbols of the venue.
pub(super) struct Market {
    protocol: Protocol,
    listings: Vec<Listing>,
    by_name: HashMap<String, u32>,
    /// The indices of the symbols that have a subscriber.
    active: Vec<u32>,
    /// The id before the first trade and the first quote.
    ids_after: u64,
    history: Option<Arc<History>>,
    random: SmallRng,
    /// Whether due updates are dropped.
    pub(super) paused: bool,
    /// Whether the load has ended for good.
    pub(super) closed: bool,
    /// The error of the venue's clock in µs.
    pub(super) clock_offset: i64,
}

impl Market {
    pub(super) fn new(setup: &Setup, history: Option<Arc<History>>) -> Self {
        let Setup { protocol, ids_after, .. } = *setup;
        let mut random = SmallRng::seed_from_u64(setup.seed);
        let mut listings = Vec::new();
        let mut by_name = HashMap::new();
        for (index, symbol) in (0..).zip(&setup.symbols) {
            let name = protocol.name(symbol);
            by_name.insert(name.clone(), index);
            listings.push(Listing {
                symbol: symbol.clone(),
                name,
                cents: random.random_range(1_000..50_000),
                wanted: [0; 2],
                newest: Newest::default(),
            });
        }
        Self {
            protocol,
            listings,
            by_name,
            active: Vec::new(),
            ids_after,
            history,
            random,
            paused: false,
            closed: false,
            clock_offset: 0,
        }
    }

    /// The symbol with this venue's name.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The venue's name of a symbol.
    pub(super) fn name(&self, symbol: u32) -> &str {
        &self.listings[symbol as usize].name
    }

    pub(super) fn newest(&self, symbol: &str) -> Option<Newest> {
        Some(self.listings.iter().find(|listing| listing.symbol == symbol)?.newest.clone())
    }

    pub(super) fn wanted(&self) -> usize {
        self.active.len()
    }

    /// Subscribes a connection to a kind of update of a symbol.
    pub(super) fn subscribe(&mut self, symbol: u32, kind: Kind) {
        self.listings[symbol as usize].wanted[kind as usize] += 1;
        self.find_active();
    }

    /// Removes the subscriptions of a connection that has ended.
    pub(super) fn unsubscribe(&mut self, subscriptions: &[(u32, Kind)]) {
        for &(symbol, kind) in subscriptions {
            self.listings[symbol as usize].wanted[kind as usize] -= 1;
        }
        self.find_active();
    }

    fn find_active(&mut self) {
        let wanted = (0..).zip(&self.listings).filter(|(_, listing)| listing.wanted != [0; 2]);
        self.active = wanted.map(|(index, _)| index).collect();
    }

    /// Appends an update of a subscribed symbol, due at this time. `false`: there is not a single subscription.
    pub(super) fn walk(&mut self, due_micros: u64, batch: &mut Batch) -> bool {
        if self.is_silent() || self.active.is_empty() {
            return false;
        }
        let symbol = self.active[self.random.random_range(0..self.active.len())];
        let listing = &self.listings[symbol as usize];
        let kind = match (listing.wants(Kind::Trade), listing.wants(Kind::Quote)) {
            (true, true) => Kind::from_coin(self.random.random()),
            (true, false) => Kind::Trade,
            _ => Kind::Quote,
        };
        self.step(symbol, kind, due_micros, batch);
        true
    }

    /// Appends an update of a recording. `false`: the symbol has no subscription.
    pub(super) fn replay(&mut self, name: &str, change: &Change, due_micros: u64, batch: &mut Batch) -> bool {
        let Some(symbol) = self.find(name).filter(|_| !self.is_silent()) else { return false };
        let kind = match change {
            Change::Trade { .. } => Kind::Trade,
            Change::Quote { .. } => Kind::Quote,
        };
        if !self.listings[symbol as usize].wants(kind) {
            return false;
        }
        self.push(symbol, change, due_micros, batch);
        true
    }

    /// The last updates: one of each subscribed symbol and kind.
    pub(super) fn close_of_business(&mut self, now_micros: u64) -> Batch {
        let batch = self.one_of_each(now_micros);
        self.closed = true;
        batch
    }

    /// One update of each subscribed symbol and kind.
    pub(super) fn one_of_each(&mut self, now_micros: u64) -> Batch {
        let mut batch = Batch::default();
        for symbol in self.active.clone() {
            for kind in [Kind::Trade, Kind::Quote] {
                if self.listings[symbol as usize].wants(kind) {
                    self.step(symbol, kind, now_micros, &mut batch);
                }
            }
        }
        batch
    }

    fn is_silent(&self) -> bool {
        self.paused || self.closed
    }

    fn step(&mut self, symbol: u32, kind: Kind, due_micros: u64, batch: &mut Batch) {
        let listing = &mut self.listings[symbol as usize];
        listing.cents = (listing.cents + self.random.random_range(-2..=2)).max(CENTS_MIN);
        let change = match kind {
            Kind::Trade => Change::Trade {
                price: price(listing.cents),
                size: self.protocol.size(listing.newest.trades + 1),
                buyer_is_maker: self.random.random(),
            },
            Kind::Quote => {
                let size = self.protocol.size(listing.newest.quotes + 1);
                Change::Quote { bid_ask: [price(listing.cents), size.clone(), price(listing.cents + 1), size] }
            }
        };
        self.push(symbol, &change, due_micros, batch);
        if let Some(history) = &self.history {
            history.note(symbol as usize, &self.listings[symbol as usize].newest.part(kind));
        }
    }

    fn push(&mut self, symbol: u32, change: &Change, due_micros: u64, batch: &mut Batch) {
        let Listing { name, newest, .. } = &mut self.listings[symbol as usize];
        let micros = due_micros.saturating_add_signed(self.clock_offset);
        let (kind, ordinal) = match change {
            Change::Trade { price, size, .. } => {
                newest.trades += 1;
                newest.trade_ts = micros;
                set(&mut newest.price, price);
                set(&mut newest.size, size);
                (Kind::Trade, newest.trades)
            }
            Change::Quote { bid_ask: [bid, bid_size, ask, ask_size] } => {
                newest.quotes += 1;
                set(&mut newest.bid, bid);
                set(&mut newest.bid_size, bid_size);
                set(&mut newest.ask, ask);
                set(&mut newest.ask_size, ask_size);
                (Kind::Quote, newest.quotes)
            }
        };
        let update = Update { name, change, id: self.ids_after + ordinal, micros };
        batch.push(symbol, kind, due_micros, |json| self.protocol.write(&update, json));
    }
}

fn price(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Stores a number in plain digits.
fn set(field: &mut String, number: &str) {
    let plain = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    field.clear();
    field.push_str(plain);
}
