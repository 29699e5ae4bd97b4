//! What the venue's protocols have in common, and which there are.

use super::{alpaca, binance, market::Market, recording::Change};
use std::{ops::Range, sync::Arc};

/// What a venue speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Binance's spot streams: `trade` and `bookTicker`, combined, with times in µs.
    Binance,
    /// Alpaca's stock stream: trades and quotes.
    Alpaca,
}

/// What an update is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Trade,
    Quote,
}

impl Kind {
    pub(super) fn from_coin(heads: bool) -> Self {
        if heads { Self::Trade } else { Self::Quote }
    }
}

/// What a message tells.
pub(super) struct Update<'a> {
    /// The venue's name of the symbol.
    pub(super) name: &'a str,
    pub(super) change: &'a Change,
    pub(super) id: u64,
    /// Since 1970.
    pub(super) micros: u64,
}

/// Updates in their order, each written out once for all connections.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) symbol: u32,
    pub(super) kind: Kind,
    pub(super) bytes: Range<usize>,
}

impl Batch {
    pub(super) fn push(&mut self, symbol: u32, kind: Kind, write: impl FnOnce(&mut String)) {
        let begin = self.text.len();
        write(&mut self.text);
        self.entries.push(Entry { symbol, kind, bytes: begin..self.text.len() });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn text(&self, entry: &Entry) -> &str {
        &self.text[entry.bytes.clone()]
    }
}

/// What a connection may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permissions {
    /// Whether its key is taken.
    pub(super) key: bool,
    /// Whether of the symbols only every other one is granted.
    pub(super) half: bool,
}

impl Permissions {
    /// Whether a symbol is granted.
    pub(super) fn grant(self, symbol: u32) -> bool {
        !self.half || symbol.is_multiple_of(2)
    }
}

/// What comes of a client's request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// To be sent back.
    pub(super) messages: Vec<String>,
    /// What it is now subscribed to beside what it had.
    pub(super) subscribed: Vec<(u32, Kind)>,
}

impl Protocol {
    /// The venue's own name of a symbol.
    pub(super) fn name(self, symbol: &str) -> String {
        match self {
            Self::Binance => symbol.replace('-', ""),
            Self::Alpaca => symbol.to_owned(),
        }
    }

    /// So many of the smallest size that the venue knows.
    pub(super) fn size(self, units: u64) -> String {
        match self {
            Self::Binance => format!("{}.{:08}", units / 100_000_000, units % 100_000_000),
            Self::Alpaca => units.to_string(),
        }
    }

    /// How many of the smallest size a size is, in any number of digits.
    pub(super) fn units(self, size: &str) -> Option<u64> {
        let places: usize = if self == Self::Binance { 8 } else { 0 };
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let missing = places.checked_sub(fraction.len())?;
        let whole: u64 = whole.parse().ok()?;
        let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        whole.checked_mul(10_u64.pow(places as u32))?.checked_add(fraction * 10_u64.pow(missing as u32))
    }

    /// What a connection hears first.
    pub(super) fn welcome(self) -> Option<&'static str> {
        match self {
            Self::Binance => None,
            Self::Alpaca => Some(alpaca::WELCOME),
        }
    }

    /// Whether a wrong key is found out by the protocol, else only the handshake can refuse it.
    pub(super) fn has_keys(self) -> bool {
        self == Self::Alpaca
    }

    /// Answers a client that has these subscriptions already.
    pub(super) fn answer(self, request: &str, permissions: Permissions, had: &[(u32, Kind)], market: &Market) -> Reply {
        match self {
            Self::Binance => binance::answer(request, permissions, market),
            Self::Alpaca => alpaca::answer(request, permissions, had, market),
        }
    }

    /// Writes an update: a message, or what several of are put together to one.
    pub(super) fn write(self, update: &Update<'_>, text: &mut String) {
        match self {
            Self::Binance => binance::write(update, text),
            Self::Alpaca => alpaca::write(update, text),
        }
    }

    /// The messages for a connection that wants some of a batch, in their order.
    pub(super) fn messages(self, batch: &Arc<Batch>, wants: impl Fn(&Entry) -> bool) -> Vec<String> {
        let wanted = batch.entries().iter().filter(|entry| wants(entry)).map(|entry| batch.text(entry));
        match self {
            Self::Binance => wanted.map(str::to_owned).collect(),
            Self::Alpaca => alpaca::arrays(wanted),
        }
    }

    /// A message whose price is an object.
    pub(super) fn wrong_type(self, name: &str) -> String {
        match self {
            Self::Binance => binance::wrong_type(name),
            Self::Alpaca => alpaca::wrong_type(name),
        }
    }

    /// A message of a kind that nobody knows.
    pub(super) fn unknown(self) -> &'static str {
        match self {
            Self::Binance => {
                r#"{"stream":"moon@phase","data":{"e":"moonPhase","E":1732283045124040,"s":"MOON","x":[1,2,3]}}"#
            }
            Self::Alpaca => r#"[{"T":"moon","S":"MOON","x":[1,2,3]}]"#,
        }
    }
}
