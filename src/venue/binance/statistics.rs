//! The statistics of `ticker`, over the last 24 hours.

use super::event::scan_event;
use crate::{
    market::{Field, Sequence, StatsUpdate, StatsWindow, Update},
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Names,
            raw::{self, Exact, Plain, Raw, TimeUnit, Value, required, unless_zero},
        },
    },
};
use serde::Deserialize;

/// The fields that are used, under the venue's own names.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"), default)]
#[expect(non_snake_case, reason = "the venue's keys, which differ by case alone")]
struct Ticker<V> {
    s: V,
    E: V,
    o: V,
    h: V,
    l: V,
    v: V,
    x: V,
}

/// Statistics in their envelope.
#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"))]
struct Frame<V> {
    #[serde(default)]
    data: Option<Ticker<V>>,
}

/// Reads a frame that is known to hold statistics.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
    if let Some(ticker) = scanned(frame) {
        return ticker.read(names, batch);
    }
    match raw::exact::<Frame<Exact<'_>>>(frame)?.data {
        Some(ticker) => ticker.read(names, batch),
        None => raw::exact::<Ticker<Exact<'_>>>(frame)?.read(names, batch),
    }
}

fn scanned(frame: &[u8]) -> Option<Ticker<Plain<'_>>> {
    let mut ticker = Ticker::default();
    scan_event(frame, |key, value| ticker.set(key, value))?;
    Some(ticker)
}

impl<'a> Ticker<Plain<'a>> {
    /// Sets a field, if it is used. `None` if it is set already.
    fn set(&mut self, key: &str, value: Raw<'a>) -> Option<()> {
        let &[key] = key.as_bytes() else { return Some(()) };
        let field = match key {
            b's' => &mut self.s,
            b'E' => &mut self.E,
            b'o' => &mut self.o,
            b'h' => &mut self.h,
            b'l' => &mut self.l,
            b'v' => &mut self.v,
            b'x' => &mut self.x,
            _ => return Some(()),
        };
        (!field.is_there()).then(|| *field = Plain(value))
    }
}

impl<'a, V: Value<'a>> Ticker<V> {
    /// A pair that has not traded within the window has prices of zero.
    fn read(&self, names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
        let symbol = names.find(self.s)?;
        let errors = &mut batch.errors;
        let mut price = |value: V| unless_zero(required(value.decimal(errors), errors));
        let [open, high, low] = [self.o, self.h, self.l].map(&mut price);
        let stats = StatsUpdate {
            sequence: Sequence { time: self.E.time(TimeUnit::MillisOrMicros, errors), ..Sequence::default() },
            window: Field::Set(StatsWindow::Hours24),
            open,
            high,
            low,
            volume: required(self.v.decimal(errors), errors),
            // Futures have none.
            prev_close: unless_zero(self.x.decimal(errors)),
        };
        batch.push(Update { symbol, stats: Some(stats), ..Update::default() });
        Ok(Message::Data)
    }
}
