//! The trades of `publicTrade`.

use super::category::Category;
use crate::{
    market::{FeedSymbol, Field, Sequence, Side, TradeUpdate, Update},
    venue::{
        Batch, DecodeError,
        kit::{
            raw::{Exact, Plain, Raw, TimeUnit, Value, required},
            scan,
        },
    },
};
use serde::Deserialize;

/// A trade.
#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"), default)]
#[expect(non_snake_case, reason = "the venue's keys, which differ by case alone")]
struct Trade<V> {
    T: V,
    S: V,
    v: V,
    p: V,
    i: V,
    BT: V,
}

impl<'a> Trade<Plain<'a>> {
    fn set(&mut self, key: &str, value: Raw<'a>) -> Option<()> {
        let field = match key.as_bytes() {
            b"T" => &mut self.T,
            b"S" => &mut self.S,
            b"v" => &mut self.v,
            b"p" => &mut self.p,
            b"i" => &mut self.i,
            b"BT" => &mut self.BT,
            _ => return Some(()),
        };
        (!field.is_there()).then(|| *field = Plain(value))
    }
}

impl<'a, V: Value<'a>> Trade<V> {
    fn read(&self, category: Category, symbol: FeedSymbol, batch: &mut Batch) {
        let errors = &mut batch.errors;
        if self.BT.word(errors, flag) == Field::Set(true) {
            batch.ineligible += 1;
            return;
        }
        // Ids of contracts have no order.
        let id = if category == Category::Spot { self.i.id(errors) } else { None };
        let trade = TradeUpdate {
            sequence: Sequence { id, time: self.T.time(TimeUnit::Millis, errors), by_arrival: false },
            price: required(self.p.decimal(errors), errors),
            size: required(self.v.decimal(errors), errors),
            side: required(self.S.word(errors, taker), errors),
            ..TradeUpdate::default()
        };
        batch.push(Update { symbol, trade: Some(trade), ..Update::default() });
    }
}

fn flag(word: &str) -> Option<bool> {
    match word {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn taker(side: &str) -> Option<Side> {
    match side {
        "Buy" => Some(Side::Buy),
        "Sell" => Some(Side::Sell),
        _ => None,
    }
}

/// Where the list of trades begins in a frame as the venue writes it, from what follows its topic.
pub(super) fn list(mut rest: &str) -> Option<&str> {
    loop {
        let (key, value) = scan::key(rest.strip_prefix(',')?)?;
        if key == "data" {
            return Some(value);
        }
        (_, rest) = scan::value(value)?;
    }
}

/// Reads a list of trades, oldest first, and what follows it; or until the batch is full: then `None`, and
/// [`Batch::read_on`] says where to go on. Trades before one that does not fit stand.
pub(super) fn read<'a>(
    list: &'a str,
    category: Category,
    symbol: FeedSymbol,
    batch: &mut Batch,
) -> Result<Option<&'a str>, DecodeError> {
    let from = std::mem::take(&mut batch.read_on);
    let mut rest = list.get(from..).ok_or(DecodeError::Shape)?;
    if from == 0 {
        rest = after_blanks(after_blanks(rest).strip_prefix('[').ok_or(DecodeError::Shape)?);
        if let Some(rest) = rest.strip_prefix(']') {
            return Ok(Some(rest));
        }
    }
    loop {
        rest = after_blanks(one(rest, category, symbol, batch)?);
        if let Some(rest) = rest.strip_prefix(']') {
            return Ok(Some(rest));
        }
        rest = after_blanks(rest.strip_prefix(',').ok_or(DecodeError::Shape)?);
        if batch.is_full() {
            batch.read_on = list.len() - rest.len();
            return Ok(None);
        }
    }
}

/// Reads one trade; returns what follows it.
fn one<'a>(trades: &'a str, category: Category, symbol: FeedSymbol, batch: &mut Batch) -> Result<&'a str, DecodeError> {
    let mut trade = Trade::default();
    if let Some(rest) = scan::fields(trades, |key, value| trade.set(key, value)) {
        trade.read(category, symbol, batch);
        return Ok(rest);
    }
    let mut values = serde_json::Deserializer::from_str(trades).into_iter::<Trade<Exact<'_>>>();
    let trade = values.next().and_then(Result::ok).ok_or(DecodeError::Shape)?;
    trade.read(category, symbol, batch);
    Ok(&trades[values.byte_offset()..])
}

fn after_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\t', '\r'])
}
