//! The protocols that the venue speaks, and how they write names and sizes.

/// The protocol of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Binance's spot streams: `trade` and `bookTicker`, combined, with times in µs.
    Binance,
    /// Alpaca's stock stream: trades and quotes.
    Alpaca,
    /// Coinbase's Advanced Trade streams: trades and tickers, in numbered frames.
    Coinbase,
}

impl Protocol {
    /// The venue's own name of a symbol.
    pub(super) fn name(self, symbol: &str) -> String {
        match self {
            Self::Binance => symbol.replace('-', ""),
            Self::Alpaca | Self::Coinbase => symbol.to_owned(),
        }
    }

    /// A size of this many units, where a unit is the venue's smallest size.
    pub(super) fn size(self, units: u64) -> String {
        match self {
            Self::Binance | Self::Coinbase => format!("{}.{:08}", units / 100_000_000, units % 100_000_000),
            Self::Alpaca => units.to_string(),
        }
    }

    /// The units of a size, written with any number of digits.
    pub(super) fn units(self, size: &str) -> Option<u64> {
        let places: usize = if self == Self::Alpaca { 0 } else { 8 };
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let missing = places.checked_sub(fraction.len())?;
        let whole: u64 = whole.parse().ok()?;
        let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        whole.checked_mul(10_u64.pow(places as u32))?.checked_add(fraction * 10_u64.pow(missing as u32))
    }
}
