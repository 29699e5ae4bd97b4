//! The venue: what each symbol's price was, and since when.

use tickfan::market::{Decimal, Field, Sequence, TradeUpdate, Update};

/// The shard's symbols. The nodes have them in the same order, but for [`Node`](crate::node::Node)'s own.
pub(crate) const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

/// A trade, by its place among the symbol's trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) symbol: usize,
    pub(crate) number: u64,
}

/// The trades of a shard's symbols.
#[derive(Debug, Default)]
pub(crate) struct Market {
    /// For each symbol, the true times of its trades. The price of a trade is its place, from 1.
    trades: [Vec<u64>; SYMBOLS.len()],
}

impl Market {
    pub(crate) fn trade(&mut self, symbol: usize, now: u64) -> Trade {
        self.trades[symbol].push(now);
        Trade { symbol, number: self.trades[symbol].len() as u64 }
    }

    /// Each symbol's last trade: what the venue sends first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = Trade> {
        let newest = self.trades.iter().enumerate().map(|(symbol, trades)| (symbol, trades.len() as u64));
        newest.filter(|(_, number)| *number > 0).map(|(symbol, number)| Trade { symbol, number })
    }

    /// How old the trade is by now: for how long there has been a newer one.
    pub(crate) fn age(&self, trade: Trade, now: u64) -> u64 {
        self.trades[trade.symbol].get(trade.number as usize).map_or(0, |next| now - next)
    }
}

impl Trade {
    pub(crate) fn update(self) -> Update {
        let price = Field::Set(Decimal::new(self.number as i64, 2).unwrap());
        let sequence = Sequence { id: Some(self.number), ..Sequence::default() };
        Update { trade: Some(TradeUpdate { price, sequence, ..TradeUpdate::default() }), ..Update::default() }
    }

    /// The trade that has this price.
    pub(crate) fn of(symbol: usize, price: Option<Decimal>) -> Option<Self> {
        let price = price?;
        (1..).map_while(|number| (number < 1 << 20).then_some(number)).find(|_| true).map(|_| ())?;
        let mut digits = Vec::new();
        price.write_to(&mut digits);
        let text = String::from_utf8(digits).unwrap();
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        let cents = whole.parse::<u64>().unwrap() * 100 + format!("{part:0<2}").parse::<u64>().unwrap();
        Some(Self { symbol, number: cents })
    }
}
