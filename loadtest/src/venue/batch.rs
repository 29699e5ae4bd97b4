//! Updates, serialised once for all connections.

use super::recording::Change;
use std::ops::Range;

/// The kind of an update.
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

/// The content of an update.
pub(super) struct Update<'a> {
    /// The venue's name of the symbol.
    pub(super) name: &'a str,
    pub(super) change: &'a Change,
    pub(super) id: u64,
    /// Since 1970.
    pub(super) micros: u64,
}

/// Updates in order, each serialised once for all connections.
#[derive(Debug, Default)]
pub(super) struct Batch {
    json: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) symbol: u32,
    pub(super) kind: Kind,
    /// When it was due, in µs since 1970.
    pub(super) due: u64,
    bytes: Range<usize>,
}

impl Batch {
    pub(super) fn push(&mut self, symbol: u32, kind: Kind, due: u64, write: impl FnOnce(&mut String)) {
        let begin = self.json.len();
        write(&mut self.json);
        self.entries.push(Entry { symbol, kind, due, bytes: begin..self.json.len() });
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

    pub(super) fn json(&self, entry: &Entry) -> &str {
        &self.json[entry.bytes.clone()]
    }
}
