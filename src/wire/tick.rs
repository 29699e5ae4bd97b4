//! Encodes a tick as JSON, and as the frame that carries it.

use super::{
    EventId,
    fields::{TickFields, write_changed_fields, write_fields},
};
use bytes::Bytes;

/// The capacity that a frame is first written into; most frames are shorter.
const FRAME_BYTES: usize = 512;
/// The same of a patch.
const PATCH_BYTES: usize = 256;

/// Encodes a tick as its frame. `id` is `None` for `seq` 0, the symbol before its first tick.
pub fn tick_frame(tick: TickFields<'_>, id: Option<EventId>) -> Bytes {
    let mut out = Vec::with_capacity(FRAME_BYTES);
    write_id(&mut out, id);
    out.extend_from_slice(b"data: ");
    write_tick(&mut out, tick);
    end_frame(out)
}

/// Encodes a tick as a JSON Merge Patch (RFC 7396) on the one before it, in the frame of a `patch` event.
pub fn patch_frame<'a>(before: TickFields<'a>, tick: TickFields<'a>, id: Option<EventId>) -> Bytes {
    let mut out = Vec::with_capacity(PATCH_BYTES);
    out.extend_from_slice(b"event: patch\n");
    write_id(&mut out, id);
    out.extend_from_slice(b"data: ");
    write_object(&mut out, |out| write_changed_fields(out, before, tick));
    end_frame(out)
}

/// Appends a tick as one JSON object without line breaks. What is unknown is left out.
pub fn write_tick(out: &mut Vec<u8>, tick: TickFields<'_>) {
    write_object(out, |out| write_fields(out, tick));
}

/// Appends an object of fields, of which there is at least one.
fn write_object(out: &mut Vec<u8>, write_fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write_fields(out);
    // Each field begins with a comma; in place of the first one stands the brace.
    out[start] = b'{';
    out.push(b'}');
}

fn write_id(out: &mut Vec<u8>, id: Option<EventId>) {
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        id.write_to(out);
        out.push(b'\n');
    }
}

fn end_frame(mut out: Vec<u8>) -> Bytes {
    out.extend_from_slice(b"\n\n");
    // Rings hold frames by the thousand, so a frame keeps no spare capacity.
    Bytes::from(out.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        market::{
            Correction, Decimal, Field, Guards, Halt, Now, Origin, Parts, QuoteUpdate, Reason, Sequence, Side,
            Snapshot, StatsUpdate, StatsWindow, StatusUpdate, TradeKey, TradeUpdate, TradingSession, UnixMicros,
            Update,
        },
        wire::Epoch,
    };
    use std::time::Instant;

    fn set(text: &str) -> Field<Decimal> {
        Field::Set(text.parse().unwrap())
    }

    /// The delay of the test's delayed data.
    fn delay_seconds(snapshot: &Snapshot) -> Option<u64> {
        (snapshot.origin == Origin::Delayed).then_some(900)
    }

    fn frame(snapshot: &Snapshot, seq: u64, changed: Parts) -> String {
        let symbol = "AAPL".parse().unwrap();
        let id = (seq > 0).then_some(EventId { epoch: Epoch::new(u64::MAX), n: 81723 });
        let bytes = tick_frame(
            TickFields {
                symbol: &symbol,
                seq,
                changed,
                delay_seconds: delay_seconds(snapshot),
                source: None,
                snapshot,
            },
            id,
        );
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_frame_carries_every_field_that_is_known_and_none_that_is_not() {
        let now = Now { instant: Instant::now(), unix: UnixMicros(1_732_283_045_124_001) };
        let mut snapshot = Snapshot::waiting(Origin::Sim, UnixMicros(5));
        let mut guards = Guards::default();
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
    fn a_patch_says_what_differs_and_what_is_not_known_any_longer() {
        let now = Now { instant: Instant::now(), unix: UnixMicros(7) };
        let symbol = "AAPL".parse().unwrap();
        let waiting = Snapshot::waiting(Origin::Sim, UnixMicros(5));
        let patch = |before: &Snapshot, after: &Snapshot, changed, delays: [u64; 2]| {
            let fields = |seq, delay, snapshot| {
                let delay_seconds = Some(delay);
                TickFields { symbol: &symbol, seq, changed, delay_seconds, source: None, snapshot }
            };
            let id = Some(EventId { epoch: Epoch::new(1 << 16), n: 9 });
            let frame = patch_frame(fields(4, delays[0], before), fields(5, delays[1], after), id);
            let text = String::from_utf8(frame.to_vec()).unwrap();
            let data = text.strip_prefix("event: patch\nid: 1-9\ndata: {\"symbol\":\"AAPL\",\"seq\":5,\"kind\":");
            data.unwrap().strip_suffix("}\n\n").unwrap().to_owned()
        };
        let mut guards = Guards::default();
        let mut first = waiting;
        let quote = QuoteUpdate { bid: set("1.5"), ask: set("2"), ..QuoteUpdate::default() };
        let quoted = first.apply(&Update { quote: Some(quote), ..Update::default() }, &mut guards, now).changed;
        assert_eq!(
            patch(&waiting, &first, quoted, [1, 1]),
            "\"quote\",\"state\":\"live\",\"since\":null,\"reason\":null,\"recv\":7,\"bid\":1.5,\"ask\":2"
        );
        let mut second = first;
        let quote = QuoteUpdate { bid: Field::Clear, ask: set("2.0"), ask_size: set("3"), ..QuoteUpdate::default() };
        let later = Now { unix: UnixMicros(8), ..now };
        second.apply(&Update { quote: Some(quote), ..Update::default() }, &mut guards, later);
        assert_eq!(patch(&first, &second, Parts::NONE, [1, 1]), "\"status\",\"recv\":8,\"bid\":null,\"ask_size\":3");
        let mut stale = second;
        let lost = stale.outage(Reason::ConnectionLost, &mut guards, later);
        assert_eq!(
            patch(&second, &stale, lost, [1, 1]),
            "\"status\",\"state\":\"stale\",\"since\":8,\"reason\":\"connection_lost\",\"stale\":[\"quote\"]"
        );
        assert!(patch(&stale, &second, lost, [1, 1]).ends_with("\"since\":null,\"reason\":null,\"stale\":null"));
        assert_eq!(patch(&second, &second, quoted, [1, 2]), "\"quote\",\"delay_seconds\":2");
        assert_eq!(patch(&second, &second, quoted, [1, 1]), "\"quote\"", "the kind is of this tick, the same or not");
    }

    #[test]
    fn a_frame_carries_a_trade_outside_the_session_a_halt_and_a_correction() {
        let now = Now { instant: Instant::now(), unix: UnixMicros(1_732_283_045_124_001) };
        let mut snapshot = Snapshot::waiting(Origin::Delayed, UnixMicros(5));
        let mut guards = Guards::default();
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
             \"delay_seconds\":900,\"recv\":1732283045124001,\"price\":10,\"size\":3,\"trade_ts\":1732283045123456,\"ext_price\":10.5,\
             \"ext_size\":3,\"ext_ts\":1732283045123456,\"trades\":2"
        ));
        let cancel = Update { correction: Some(Correction { of: key, now: None }), ..Update::default() };
        let cancelled = snapshot.apply(&cancel, &mut guards, now);
        let cancelled = frame(&snapshot, 2, cancelled.changed);
        assert!(cancelled.contains("\"kind\":\"correction\"") && !cancelled.contains("\"price\""), "{cancelled}");
    }
}
