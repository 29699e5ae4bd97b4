//! The venue: the trades of each symbol, and since when there is a newer one.

use tickfan::market::{Decimal, Field, Sequence, Snapshot, TradeUpdate, Update};

/// The symbols of each shard.
pub(crate) const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

/// A trade, by its place among the symbol's trades, from 1: that is its price and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) symbol: usize,
    pub(crate) number: u64,
}

/// The trades of a shard's symbols.
#[derive(Debug, Default)]
pub(crate) struct Market {
    /// For each symbol, the true times of its trades.
    trades: [Vec<u64>; SYMBOLS.len()],
}

impl Market {
    pub(crate) fn trade(&mut self, symbol: usize, now: u64) -> Trade {
        self.trades[symbol].push(now);
        Trade { symbol, number: self.trades[symbol].len() as u64 }
    }

    /// Each symbol's last trade: what the venue sends first.
    pub(crate) fn newest(&self) -> Vec<Trade> {
        let newest = self.trades.iter().enumerate().map(|(symbol, trades)| (symbol, trades.len() as u64));
        newest.filter(|(_, number)| *number > 0).map(|(symbol, number)| Trade { symbol, number }).collect()
    }

    /// For how long there has been a newer trade.
    pub(crate) fn age(&self, symbol: usize, number: u64, now: u64) -> u64 {
        self.trades[symbol].get(number as usize).map_or(0, |next| now - next)
    }
}

impl Trade {
    pub(crate) fn update(self) -> Update {
        let price = Field::Set(Decimal::new(self.number as i64, 0).unwrap());
        let sequence = Sequence { id: Some(self.number), ..Sequence::default() };
        Update { trade: Some(TradeUpdate { price, sequence, ..TradeUpdate::default() }), ..Update::default() }
    }
}

/// The number of the trade that a symbol shows, 0 for none.
pub(crate) fn shown(snapshot: &Snapshot) -> u64 {
    let mut digits = Vec::new();
    snapshot.trade.price.unwrap_or(Decimal::ZERO).write_to(&mut digits);
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
