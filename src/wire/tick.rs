//! A tick as JSON, and as the frame that carries it.

use super::EventId;
use crate::market::{Decimal, Kind, Origin, Part, Parts, Side, Snapshot, StatsWindow, Symbol, UnixMicros};
use bytes::Bytes;

/// What a tick says.
#[derive(Debug, Clone, Copy)]
pub struct TickFields<'a> {
    /// Whose it is.
    pub symbol: &'a Symbol,
    /// Its number among the symbol's ticks; 0 is the symbol before its first.
    pub seq: u64,
    /// What it changed.
    pub changed: Parts,
    /// The whole latest state.
    pub snapshot: &'a Snapshot,
}

/// Most frames are shorter: the room that one is written into at first.
const FRAME_BYTES: usize = 512;

/// The frame of a tick. `id` is `None` for `seq` 0, which is no tick yet.
pub fn tick_frame(tick: TickFields<'_>, id: Option<EventId>) -> Bytes {
    let mut out = Vec::with_capacity(FRAME_BYTES);
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        id.write_to(&mut out);
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    write_tick(&mut out, tick);
    out.extend_from_slice(b"\n\n");
    // Frames live in rings by the thousand: none keeps room that it does not use.
    Bytes::from(out.into_boxed_slice())
}

/// Appends a tick as one JSON object without line breaks. What is unknown is left out.
pub fn write_tick(out: &mut Vec<u8>, tick: TickFields<'_>) {
    let TickFields { symbol, seq, changed, snapshot } = tick;
    out.extend_from_slice(b"{\"symbol\":\"");
    out.extend_from_slice(symbol.as_str().as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    out.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
    text(out, "kind", kind_name(Kind::of(changed)));
    write_state(out, snapshot);
    time(out, "recv", snapshot.recv);
    write_trade(out, snapshot);
    number(out, "bid", snapshot.quote.bid);
    number(out, "bid_size", snapshot.quote.bid_size);
    number(out, "ask", snapshot.quote.ask);
    number(out, "ask_size", snapshot.quote.ask_size);
    time(out, "quote_ts", snapshot.quote.time);
    write_stats(out, snapshot);
    out.push(b'}');
}

fn write_state(out: &mut Vec<u8>, snapshot: &Snapshot) {
    text(out, "state", snapshot.state().name());
    if let Some((since, reason)) = snapshot.not_live_since() {
        time(out, "since", Some(since));
        text(out, "reason", reason.name());
    }
    if !snapshot.stale().is_empty() {
        out.extend_from_slice(b",\"stale\":[");
        for (index, part) in snapshot.stale().iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(part_name(part).as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
    match snapshot.origin {
        Origin::Market => {}
        Origin::Sim => text(out, "origin", "sim"),
        Origin::Delayed => text(out, "origin", "delayed"),
    }
}

fn write_trade(out: &mut Vec<u8>, snapshot: &Snapshot) {
    number(out, "price", snapshot.trade.price);
    number(out, "size", snapshot.trade.size);
    match snapshot.trade.side {
        Some(Side::Buy) => text(out, "side", "buy"),
        Some(Side::Sell) => text(out, "side", "sell"),
        None => {}
    }
    time(out, "trade_ts", snapshot.trade.time);
    number(out, "ext_price", snapshot.ext.price);
    number(out, "ext_size", snapshot.ext.size);
    time(out, "ext_ts", snapshot.ext.time);
    if snapshot.trades > 0 {
        key(out, "trades");
        out.extend_from_slice(itoa::Buffer::new().format(snapshot.trades).as_bytes());
    }
}

fn write_stats(out: &mut Vec<u8>, snapshot: &Snapshot) {
    let stats = &snapshot.stats;
    number(out, "open", stats.open);
    number(out, "high", stats.high);
    number(out, "low", stats.low);
    number(out, "volume", stats.volume);
    number(out, "prev_close", stats.prev_close);
    match stats.window {
        Some(StatsWindow::Day) => text(out, "window", "day"),
        Some(StatsWindow::Hours24) => text(out, "window", "24h"),
        None => {}
    }
    time(out, "stats_ts", stats.time);
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Correction => "correction",
        Kind::Trade => "trade",
        Kind::Quote => "quote",
        Kind::Stats => "stats",
        Kind::Status => "status",
    }
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Trade => "trade",
        Part::Quote => "quote",
        Part::Stats => "stats",
        Part::Status => "status",
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, name: &str, value: Option<Decimal>) {
    if let Some(value) = value {
        key(out, name);
        value.write_to(out);
    }
}

fn time(out: &mut Vec<u8>, name: &str, value: Option<UnixMicros>) {
    if let Some(value) = value {
        key(out, name);
        out.extend_from_slice(itoa::Buffer::new().format(value.0).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        market::{
            Correction, Field, Guards, Halt, Now, QuoteUpdate, Reason, Sequence, StatsUpdate, StatusUpdate, TradeKey,
            TradeUpdate, TradingSession, Update,
        },
        wire::Epoch,
    };
    use std::time::Instant;

    fn set(text: &str) -> Field<Decimal> {
        Field::Set(text.parse().unwrap())
    }

    fn frame(snapshot: &Snapshot, seq: u64, changed: Parts) -> String {
        let symbol = "AAPL".parse().unwrap();
        let id = (seq > 0).then_some(EventId { epoch: Epoch::new(u64::MAX), n: 81723 });
        let bytes = tick_frame(TickFields { symbol: &symbol, seq, changed, snapshot }, id);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_frame_carries_every_field_that_is_known_and_none_that_is_not() {
        let now = Now { instant: Instant::now(), unix: UnixMicros(1_732_283_045_124_001) };
        let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Sim, UnixMicros(5)), Guards::default());
        assert_eq!(
            frame(&snapshot, 0, Parts::NONE),
            "data: {\"symbol\":\"AAPL\",\"seq\":0,\"kind\":\"status\",\"state\":\"waiting\",\"since\":5,\
             \"reason\":\"no_data\",\"origin\":\"sim\"}\n\n"
        );
        let sequence = |micros| Sequence { time: Some(UnixMicros(micros)), ..Sequence::default() };
        let update = Update {
            symbol: crate::market::FeedSymbol(0),
            trade: Some(TradeUpdate {
                sequence: sequence(1_732_283_045_123_456),
                price: set("182.340"),
                size: set("100"),
                side: Field::Set(Side::Buy),
                ..TradeUpdate::default()
            }),
            quote: Some(QuoteUpdate {
                sequence: sequence(1_732_283_045_119_000),
                bid: set("182.33"),
                bid_size: set("300"),
                ask: set("182.35"),
                ask_size: set("200"),
            }),
            stats: Some(StatsUpdate {
                sequence: sequence(1_732_283_045_000_000),
                window: Field::Set(StatsWindow::Day),
                open: set("180"),
                high: set("183.5"),
                low: set("179.01"),
                volume: set("1200300"),
                prev_close: set("-1e-8"),
            }),
            ..Update::default()
        };
        let applied = snapshot.apply(&update, &mut guards, now);
        assert_eq!(
            frame(&snapshot, 411, applied.changed),
            "id: 7prmxcikf3-81723\ndata: {\"symbol\":\"AAPL\",\"seq\":411,\"kind\":\"trade\",\"state\":\"live\",\
             \"origin\":\"sim\",\"recv\":1732283045124001,\"price\":182.34,\"size\":100,\"side\":\"buy\",\
             \"trade_ts\":1732283045123456,\"trades\":1,\"bid\":182.33,\"bid_size\":300,\"ask\":182.35,\
             \"ask_size\":200,\"quote_ts\":1732283045119000,\"open\":180,\"high\":183.5,\"low\":179.01,\
             \"volume\":1200300,\"prev_close\":-0.00000001,\"window\":\"day\",\"stats_ts\":1732283045000000}\n\n"
                .replace("7prmxcikf3", &Epoch::new(u64::MAX).to_string())
        );
        let lost = snapshot.outage(Reason::ConnectionLost, &mut guards, now);
        let stale = frame(&snapshot, 412, lost);
        assert!(stale.contains(
            "\"kind\":\"status\",\"state\":\"stale\",\"since\":1732283045124001,\"reason\":\"connection_lost\",\
             \"stale\":[\"trade\",\"quote\",\"stats\"],\"origin\":\"sim\""
        ));
    }

    #[test]
    fn a_trade_outside_the_session_a_halt_and_a_correction_are_told() {
        let now = Now { instant: Instant::now(), unix: UnixMicros(1_732_283_045_124_001) };
        let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Delayed, UnixMicros(5)), Guards::default());
        let key = TradeKey { exchange: b'K', id: 7 };
        let trade = |session, price: &str| TradeUpdate {
            sequence: Sequence { time: Some(UnixMicros(1_732_283_045_123_456)), ..Sequence::default() },
            price: set(price),
            size: set("3"),
            session,
            key: Some(key),
            ..TradeUpdate::default()
        };
        snapshot.apply(
            &Update { trade: Some(trade(TradingSession::Regular, "10")), ..Update::default() },
            &mut guards,
            now,
        );
        let trade = Some(trade(TradingSession::Extended, "10.5"));
        let status = Some(StatusUpdate { halted: Field::Set(Halt::News), ..StatusUpdate::default() });
        let applied = snapshot.apply(&Update { trade, status, ..Update::default() }, &mut guards, now);
        assert!(frame(&snapshot, 1, applied.changed).contains(
            "\"kind\":\"trade\",\"state\":\"halted\",\"since\":1732283045124001,\"reason\":\"news\",\"origin\":\"delayed\",\
             \"recv\":1732283045124001,\"price\":10,\"size\":3,\"trade_ts\":1732283045123456,\"ext_price\":10.5,\
             \"ext_size\":3,\"ext_ts\":1732283045123456,\"trades\":2"
        ));
        let cancel = Update { correction: Some(Correction { of: key, now: None }), ..Update::default() };
        let cancelled = snapshot.apply(&cancel, &mut guards, now);
        let cancelled = frame(&snapshot, 2, cancelled.changed);
        assert!(cancelled.contains("\"kind\":\"correction\"") && !cancelled.contains("\"price\""), "{cancelled}");
    }
}
