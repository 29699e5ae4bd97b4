//! The venue's list of pairs: how many decimals their prices and sizes have.

use crate::{
    market::{Digits, Facts, FeedSymbol},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, NAME_BYTES_MAX,
        kit::{
            Names, facts,
            list::{self, Place},
            object::{self, Object},
            raw::{self, Exact, Raw, Value},
        },
    },
};

/// The most pairs that are kept. The venue has some 1,500.
pub(super) const PAIRS_MAX: usize = 8_192;

/// What the venue has said of its pairs on this connection, those that nothing lists among them: a symbol that is added
/// later is told what was said before.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    pairs: foldhash::HashMap<Box<str>, Decimals>,
    /// Symbols that were added, for the next batch.
    added: Vec<FeedSymbol>,
}

/// The decimals of a pair.
#[derive(Debug, Clone, Copy)]
struct Decimals {
    price: Option<Digits>,
    size: Option<Digits>,
}

impl Decimals {
    fn facts(self) -> Facts {
        Facts { price_digits: self.price, size_digits: self.size, ..Facts::default() }
    }
}

impl Instruments {
    /// Begins a connection.
    pub(super) fn restart(&mut self) {
        self.pairs.clear();
        self.added.clear();
    }

    /// These symbols were added to the list.
    pub(super) fn add(&mut self, added: impl Iterator<Item = FeedSymbol>) {
        if !self.pairs.is_empty() {
            self.added.extend(added);
        }
    }

    /// Tells what is known of the symbols that were added since the last frame.
    pub(super) fn tell_added(&mut self, names: &Names, batch: &mut Batch) {
        for symbol in std::mem::take(&mut self.added) {
            if let Some(pair) = self.pairs.get(names.of(symbol)) {
                batch.tell(symbol, pair.facts());
            }
        }
    }

    /// Reads a message's data: the whole list at first, then the pairs that change.
    ///
    /// # Errors
    /// [`DecodeError`] of the first pair that does not fit; those before it stand.
    pub(super) fn read(&mut self, data: &str, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
        let data: Reference<'_> = object::read(data.as_bytes())?;
        // An update of assets has no pairs.
        if !data.pairs.is_there() {
            return Ok(());
        }
        let Raw::Json(pairs) = data.pairs.raw() else { return Err(DecodeError::Shape) };
        let begin = list::begin(pairs.as_bytes(), 0).ok_or_else(|| raw::misfit(pairs.as_bytes()))?;
        let read = object::each(pairs, begin, |pair: Pair<'_>| {
            self.pair(&pair, names, batch);
            true
        });
        match read? {
            Place::End(at) if at == pairs.len() => Ok(()),
            _ => Err(DecodeError::Json),
        }
    }

    fn pair(&mut self, pair: &Pair<'_>, names: &Names, batch: &mut Batch) {
        let Some(name) = pair.symbol.text().filter(|name| name.len() <= NAME_BYTES_MAX) else {
            return batch.errors.count(DecodeError::Shape);
        };
        let decimals = pair.decimals(&mut batch.errors);
        if let Some(symbol) = names.symbol(&name) {
            batch.tell(symbol, decimals.facts());
        }
        if self.pairs.len() < PAIRS_MAX || self.pairs.contains_key(&*name) {
            self.pairs.insert(name.into(), decimals);
        }
    }
}

/// The venue's reference data.
#[derive(Default)]
struct Reference<'a> {
    pairs: Exact<'a>,
}

impl<'a> Object<'a> for Reference<'a> {
    fn field(&mut self, key: &str) -> Option<&mut Exact<'a>> {
        (key == "pairs").then_some(&mut self.pairs)
    }
}

/// A pair of the list.
#[derive(Default)]
struct Pair<'a> {
    symbol: Exact<'a>,
    price_precision: Exact<'a>,
    qty_precision: Exact<'a>,
}

impl<'a> Object<'a> for Pair<'a> {
    fn field(&mut self, key: &str) -> Option<&mut Exact<'a>> {
        Some(match key {
            "symbol" => &mut self.symbol,
            "price_precision" => &mut self.price_precision,
            "qty_precision" => &mut self.qty_precision,
            _ => return None,
        })
    }
}

impl Pair<'_> {
    fn decimals(&self, errors: &mut Tally<DecodeError>) -> Decimals {
        Decimals { price: facts::digits(self.price_precision, errors), size: facts::digits(self.qty_precision, errors) }
    }
}
