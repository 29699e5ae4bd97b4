//! The parts of a snapshot, each whole: a mask of what is known, then the known fields in the order of the mask's bits.
//!
//! With each part goes the place that its order guard has reached, so that an heir takes no trade twice. A suspicion
//! that the venue's ids have restarted stays behind: the heir has a connection of its own, which begins without one.

use super::{error::DecodeError, reader::Reader, writer::Writer};
use crate::market::{
    Decimal, Guard, Guards, Halt, HaltEnd, Parts, Quote, Reason, Side, Since, Snapshot, Stats, StatsWindow, Status,
    Trade, TradeKey, UnixMicros,
};

/// The bits of a mask for a guard: it has an id; its highest time is the part's time; its highest time is another.
#[derive(Clone, Copy)]
struct GuardBits {
    id: u32,
    same_time: u32,
    own_time: u32,
}

const TRADE_GUARD: GuardBits = GuardBits { id: 1 << 5, same_time: 1 << 6, own_time: 1 << 7 };
const TRADE_TIME: u32 = 1 << 4;
const TRADE_KEY: u32 = 1 << 8;
/// The trade outside the regular session has the same five bits, so much higher.
const EXT_SHIFT: u32 = 9;
const EXT_KEY: u32 = 1 << 14;
const TRADE_MASK: u32 = (1 << 15) - 1;

const QUOTE_GUARD: GuardBits = GuardBits { id: 1 << 5, same_time: 1 << 6, own_time: 1 << 7 };
const QUOTE_TIME: u32 = 1 << 4;

const STATS_GUARD: GuardBits = GuardBits { id: 1 << 8, same_time: 1 << 9, own_time: 1 << 10 };
const STATS_TIME: u32 = 1 << 7;
const STATS_MASK: u32 = (1 << 11) - 1;

const STANDING_GUARD: GuardBits = GuardBits { id: 1 << 4, same_time: 0, own_time: 1 << 5 };
const STANDING_MASK: u32 = (1 << 6) - 1;

pub(super) fn write_trade(out: &mut Writer<'_>, snapshot: &Snapshot, guards: &Guards, base: u64) {
    let Snapshot { trade, ext, .. } = snapshot;
    let mask = trade_bits(trade)
        | guard_bits(&guards.trade, trade.time, TRADE_GUARD)
        | flag(guards.trade_key.is_some(), TRADE_KEY)
        | trade_bits(ext) << EXT_SHIFT
        | flag(guards.ext_key.is_some(), EXT_KEY);
    out.varint(u64::from(mask));
    write_one_trade(out, trade, base);
    write_guard(out, &guards.trade, mask, TRADE_GUARD, base);
    write_key(out, guards.trade_key);
    write_one_trade(out, ext, base);
    write_key(out, guards.ext_key);
    out.varint(snapshot.trades);
}

/// Reads what [`write_trade`] wrote, into the snapshot and its guards.
pub(super) fn read_trade(
    reader: &mut Reader<'_>,
    snapshot: &mut Snapshot,
    guards: &mut Guards,
    base: u64,
) -> Result<(), DecodeError> {
    let mask = read_mask(reader, TRADE_MASK)?;
    snapshot.trade = read_one_trade(reader, mask, base)?;
    guards.trade = read_guard(reader, snapshot.trade.time, mask, TRADE_GUARD, base)?;
    guards.trade_key = read_key(reader, mask & TRADE_KEY != 0)?;
    snapshot.ext = read_one_trade(reader, mask >> EXT_SHIFT, base)?;
    guards.ext_key = read_key(reader, mask & EXT_KEY != 0)?;
    snapshot.trades = reader.varint()?;
    Ok(())
}

pub(super) fn write_quote(out: &mut Writer<'_>, quote: &Quote, guard: &Guard, base: u64) {
    let fields = [quote.bid, quote.bid_size, quote.ask, quote.ask_size];
    let mask =
        known_bits(&fields) | flag(quote.time.is_some(), QUOTE_TIME) | guard_bits(guard, quote.time, QUOTE_GUARD);
    out.byte(mask as u8);
    fields.into_iter().flatten().for_each(|field| out.decimal(field));
    write_time(out, quote.time, base);
    write_guard(out, guard, mask, QUOTE_GUARD, base);
}

pub(super) fn read_quote(reader: &mut Reader<'_>, base: u64) -> Result<(Quote, Guard), DecodeError> {
    let mask = u32::from(reader.byte()?);
    let quote = Quote {
        bid: read_decimal(reader, mask & 1 != 0)?,
        bid_size: read_decimal(reader, mask & 2 != 0)?,
        ask: read_decimal(reader, mask & 4 != 0)?,
        ask_size: read_decimal(reader, mask & 8 != 0)?,
        time: read_time(reader, mask & QUOTE_TIME != 0, base)?,
    };
    let guard = read_guard(reader, quote.time, mask, QUOTE_GUARD, base)?;
    Ok((quote, guard))
}

pub(super) fn write_stats(out: &mut Writer<'_>, stats: &Stats, guard: &Guard, base: u64) {
    let fields = [stats.open, stats.high, stats.low, stats.volume, stats.prev_close];
    let window = match stats.window {
        None => 0,
        Some(StatsWindow::Day) => 1 << 5,
        Some(StatsWindow::Hours24) => 1 << 6,
    };
    let mask = known_bits(&fields)
        | window
        | flag(stats.time.is_some(), STATS_TIME)
        | guard_bits(guard, stats.time, STATS_GUARD);
    out.varint(u64::from(mask));
    fields.into_iter().flatten().for_each(|field| out.decimal(field));
    write_time(out, stats.time, base);
    write_guard(out, guard, mask, STATS_GUARD, base);
}

pub(super) fn read_stats(reader: &mut Reader<'_>, base: u64) -> Result<(Stats, Guard), DecodeError> {
    let mask = read_mask(reader, STATS_MASK)?;
    let stats = Stats {
        window: match mask >> 5 & 0b11 {
            0 => None,
            1 => Some(StatsWindow::Day),
            2 => Some(StatsWindow::Hours24),
            _ => return Err(DecodeError::Value),
        },
        open: read_decimal(reader, mask & 1 != 0)?,
        high: read_decimal(reader, mask & 2 != 0)?,
        low: read_decimal(reader, mask & 4 != 0)?,
        volume: read_decimal(reader, mask & 8 != 0)?,
        prev_close: read_decimal(reader, mask & 16 != 0)?,
        time: read_time(reader, mask & STATS_TIME != 0, base)?,
    };
    let guard = read_guard(reader, stats.time, mask, STATS_GUARD, base)?;
    Ok((stats, guard))
}

pub(super) fn write_standing(out: &mut Writer<'_>, status: &Status, guard: &Guard, base: u64) {
    let sinces = [status.refused, status.closed, status.outage, status.halted];
    let mask = known_bits(&sinces) | guard_bits(guard, None, STANDING_GUARD);
    out.byte(mask as u8);
    out.byte(status.known.bits() << 4 | status.stale.bits());
    out.byte(match status.halt_end {
        HaltEnd::Resume => 0,
        HaltEnd::TradeSince => 1,
        HaltEnd::Trade => 2,
    });
    out.time(status.waiting_since, base);
    for (time, reason) in sinces.into_iter().flatten() {
        out.time(time, base);
        out.byte(reason_code(reason));
    }
    write_guard(out, guard, mask, STANDING_GUARD, base);
}

pub(super) fn read_standing(reader: &mut Reader<'_>, base: u64) -> Result<(Status, Guard), DecodeError> {
    let mask = u32::from(reader.byte()?);
    if mask & !STANDING_MASK != 0 {
        return Err(DecodeError::Value);
    }
    let sets = reader.byte()?;
    let status = Status {
        known: Parts::from_bits(sets >> 4).ok_or(DecodeError::Value)?,
        stale: Parts::from_bits(sets & 0b1111).ok_or(DecodeError::Value)?,
        halt_end: match reader.byte()? {
            0 => HaltEnd::Resume,
            1 => HaltEnd::TradeSince,
            2 => HaltEnd::Trade,
            _ => return Err(DecodeError::Value),
        },
        waiting_since: reader.time(base)?,
        refused: read_since(reader, mask & 1 != 0, base)?,
        closed: read_since(reader, mask & 2 != 0, base)?,
        outage: read_since(reader, mask & 4 != 0, base)?,
        halted: read_since(reader, mask & 8 != 0, base)?,
    };
    let guard = read_guard(reader, None, mask, STANDING_GUARD, base)?;
    Ok((status, guard))
}

fn flag(is_set: bool, bit: u32) -> u32 {
    if is_set { bit } else { 0 }
}

/// A bit for each field that is known, from the lowest on.
fn known_bits<T>(fields: &[Option<T>]) -> u32 {
    fields.iter().enumerate().fold(0, |mask, (place, field)| mask | flag(field.is_some(), 1 << place))
}

fn read_mask(reader: &mut Reader<'_>, allowed: u32) -> Result<u32, DecodeError> {
    let mask = reader.varint()?;
    if mask & !u64::from(allowed) == 0 { Ok(mask as u32) } else { Err(DecodeError::Value) }
}

fn trade_bits(trade: &Trade) -> u32 {
    let side = match trade.side {
        None => 0,
        Some(Side::Buy) => 1 << 2,
        Some(Side::Sell) => 1 << 3,
    };
    known_bits(&[trade.price, trade.size]) | side | flag(trade.time.is_some(), TRADE_TIME)
}

fn write_one_trade(out: &mut Writer<'_>, trade: &Trade, base: u64) {
    [trade.price, trade.size].into_iter().flatten().for_each(|field| out.decimal(field));
    write_time(out, trade.time, base);
}

fn read_one_trade(reader: &mut Reader<'_>, mask: u32, base: u64) -> Result<Trade, DecodeError> {
    Ok(Trade {
        side: match mask >> 2 & 0b11 {
            0 => None,
            1 => Some(Side::Buy),
            2 => Some(Side::Sell),
            _ => return Err(DecodeError::Value),
        },
        price: read_decimal(reader, mask & 1 != 0)?,
        size: read_decimal(reader, mask & 2 != 0)?,
        time: read_time(reader, mask & TRADE_TIME != 0, base)?,
    })
}

fn guard_bits(guard: &Guard, time: Option<UnixMicros>, bits: GuardBits) -> u32 {
    let of_time = match guard.time {
        None => 0,
        Some(highest) if bits.same_time != 0 && time == Some(highest) => bits.same_time,
        Some(_) => bits.own_time,
    };
    flag(guard.id.is_some(), bits.id) | of_time
}

fn write_guard(out: &mut Writer<'_>, guard: &Guard, mask: u32, bits: GuardBits, base: u64) {
    if let Some(id) = guard.id {
        out.varint(id);
    }
    write_time(out, guard.time.filter(|_| mask & bits.own_time != 0), base);
}

fn read_guard(
    reader: &mut Reader<'_>,
    time: Option<UnixMicros>,
    mask: u32,
    bits: GuardBits,
    base: u64,
) -> Result<Guard, DecodeError> {
    let id = if mask & bits.id != 0 { Some(reader.varint()?) } else { None };
    let time = match (mask & bits.same_time != 0, mask & bits.own_time != 0) {
        (false, has_own) => read_time(reader, has_own, base)?,
        (true, false) if time.is_some() => time,
        (true, _) => return Err(DecodeError::Value),
    };
    Ok(Guard::at(id, time))
}

fn write_key(out: &mut Writer<'_>, key: Option<TradeKey>) {
    if let Some(key) = key {
        out.byte(key.exchange);
        out.varint(key.id);
    }
}

fn read_key(reader: &mut Reader<'_>, is_there: bool) -> Result<Option<TradeKey>, DecodeError> {
    if !is_there {
        return Ok(None);
    }
    Ok(Some(TradeKey { exchange: reader.byte()?, id: reader.varint()? }))
}

fn read_decimal(reader: &mut Reader<'_>, is_there: bool) -> Result<Option<Decimal>, DecodeError> {
    if is_there { reader.decimal().map(Some) } else { Ok(None) }
}

fn write_time(out: &mut Writer<'_>, time: Option<UnixMicros>, base: u64) {
    if let Some(time) = time {
        out.time(time, base);
    }
}

fn read_time(reader: &mut Reader<'_>, is_there: bool, base: u64) -> Result<Option<UnixMicros>, DecodeError> {
    if is_there { reader.time(base).map(Some) } else { Ok(None) }
}

fn read_since(reader: &mut Reader<'_>, is_there: bool, base: u64) -> Result<Option<Since>, DecodeError> {
    if !is_there {
        return Ok(None);
    }
    let time = reader.time(base)?;
    let code = usize::from(reader.byte()?);
    let reason = REASONS.get(code).ok_or(DecodeError::Value)?;
    Ok(Some((time, *reason)))
}

/// The reasons by their codes. A code never changes its meaning; a new reason is added at the end.
const REASONS: [Reason; 21] = [
    Reason::NoData,
    Reason::ConnectionLost,
    Reason::Mute,
    Reason::Gap,
    Reason::Restart,
    Reason::Opening,
    Reason::Reconnect,
    Reason::Ended,
    Reason::OutsideHours,
    Reason::Halt(Halt::News),
    Reason::Halt(Halt::Volatility),
    Reason::Halt(Halt::MarketWide),
    Reason::Halt(Halt::Regulatory),
    Reason::Halt(Halt::Other),
    Reason::Unauthorized,
    Reason::NotEntitled,
    Reason::SymbolLimit,
    Reason::NotGranted,
    Reason::NoOwner,
    Reason::Removed,
    Reason::Limit,
];

fn reason_code(reason: Reason) -> u8 {
    match reason {
        Reason::NoData => 0,
        Reason::ConnectionLost => 1,
        Reason::Mute => 2,
        Reason::Gap => 3,
        Reason::Restart => 4,
        Reason::Opening => 5,
        Reason::Reconnect => 6,
        Reason::Ended => 7,
        Reason::OutsideHours => 8,
        Reason::Halt(Halt::News) => 9,
        Reason::Halt(Halt::Volatility) => 10,
        Reason::Halt(Halt::MarketWide) => 11,
        Reason::Halt(Halt::Regulatory) => 12,
        Reason::Halt(Halt::Other) => 13,
        Reason::Unauthorized => 14,
        Reason::NotEntitled => 15,
        Reason::SymbolLimit => 16,
        Reason::NotGranted => 17,
        Reason::NoOwner => 18,
        Reason::Removed => 19,
        Reason::Limit => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_code_of_its_own() {
        assert_eq!(REASONS.len(), Reason::NAMES.len());
        for (reason, name) in Reason::NAMES {
            assert_eq!(REASONS[usize::from(reason_code(reason))], reason, "{name}");
        }
    }
}
