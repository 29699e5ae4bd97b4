//! The categories of Bybit's market: an address each, and what comes from where.

use crate::{
    market::{Facts, InstrumentKind, Symbol},
    venue::kit::facts,
};

/// What a connection carries. One name, such as `BTCUSDT`, means another thing in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// Pairs.
    Spot,
    /// Contracts that are settled in USDT or USDC.
    Linear,
    /// Contracts of one dollar that are settled in the coin.
    Inverse,
}

/// A topic of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Trades,
    /// The best bid and ask.
    Book,
    /// Statistics, and of contracts the best bid and ask.
    Tickers,
}

impl Category {
    #[cfg(test)]
    pub(super) const ALL: [Self; 3] = [Self::Spot, Self::Linear, Self::Inverse];

    /// The last segment of its path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
        }
    }

    /// What its symbols are asked for. The tickers of contracts carry the quote: a second source of it, with another
    /// order, would make each of them late beside the other.
    pub(super) const fn channels(self) -> &'static [Channel] {
        match self {
            Self::Spot => &[Channel::Trades, Channel::Book, Channel::Tickers],
            Self::Linear | Self::Inverse => &[Channel::Trades, Channel::Tickers],
        }
    }

    /// Whether the tickers carry the best bid and ask.
    pub(super) fn quotes_in_tickers(self) -> bool {
        !self.channels().contains(&Channel::Book)
    }

    /// The assets that prices are in, where a name joins both without a separator.
    pub(super) const fn quotes(self) -> &'static [&'static str] {
        match self {
            Self::Spot => &["USDT", "USDC", "USDE", "BTC", "ETH", "EUR", "DAI", "MNT", "BRL", "PLN", "TRY", "SOL"],
            // One asset each, which the name of a contract ends with.
            Self::Linear | Self::Inverse => &[],
        }
    }

    /// The venue's name of a symbol, where it follows from it. Other contracts have names of their own: `BTCPERP`,
    /// `BTCUSDT-26SEP25`.
    pub(super) fn derive(self, symbol: &Symbol) -> Option<String> {
        let symbol = symbol.as_str();
        if symbol.contains(['.', '_']) {
            return None;
        }
        let settled_in = match self {
            Self::Spot => return (symbol.matches('-').count() < 2).then(|| symbol.replace('-', "")),
            Self::Linear => "USDT",
            Self::Inverse => "USD",
        };
        let (coin, quoted_in) = symbol.strip_suffix("-PERP")?.split_once('-')?;
        (quoted_in == settled_in).then(|| format!("{coin}{quoted_in}"))
    }
}

impl Category {
    /// What the venue's name of a symbol tells. Contracts on dollars: `BTCUSDT` or `BTCUSDT-26SEP25` in USDT, `BTCPERP`
    /// or `BTC-26SEP25` in USDC, `BTCUSD` or `BTCUSDU25` in the dollar itself.
    pub(super) fn facts(self, name: &str) -> Facts {
        let (asset, kind) = match (self, name.split_once('-')) {
            (Self::Spot, _) => return facts::joined_pair(name, self.quotes()),
            (Self::Linear, Some((coin, _))) => (coin, InstrumentKind::Future),
            (Self::Linear, None) => (name, InstrumentKind::Perpetual),
            (Self::Inverse, _) if name.ends_with("USD") => (name, InstrumentKind::Perpetual),
            (Self::Inverse, _) => (name, InstrumentKind::Future),
        };
        let currency = match self {
            Self::Inverse => "USD",
            _ if asset.ends_with("USDT") => "USDT",
            _ => "USDC",
        };
        facts::priced_in(currency, Some(kind))
    }
}

impl Channel {
    /// What its topics begin with; the symbol's name follows.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Trades => "publicTrade.",
            Self::Book => "orderbook.1.",
            Self::Tickers => "tickers.",
        }
    }

    /// A topic's channel, and the name of its symbol.
    pub(super) fn of(topic: &str) -> Option<(Self, &str)> {
        let all = [Self::Trades, Self::Book, Self::Tickers];
        all.into_iter().find_map(|channel| Some((channel, topic.strip_prefix(channel.prefix())?)))
    }
}
