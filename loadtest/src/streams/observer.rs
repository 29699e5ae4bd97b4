//! What all streams share: the ticks that any of them has seen, the violations, and the measurements.

use super::{header::Header, plan::Protocol, server_wire::Wire};
use crate::{
    check::{SeenTicks, Violations},
    measure::{Ages, Ended, Histogram, StreamMeasures},
    tls::Negotiated,
    wire::{Decoder, Kind, Tick},
};
use memchr::memmem;
use std::{collections::BTreeMap, time::Duration};

/// The stream that reads an event, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// In µs since 1970.
    pub(super) now: i64,
    /// When the stream opened, in µs since 1970.
    pub(super) opened: i64,
    pub(super) reads_at_once: bool,
    /// Whether it gets each tick as it comes: others are older by their own choice.
    pub(super) is_whole: bool,
    /// The number of its target.
    pub(super) target: usize,
    /// The number of its group.
    pub(super) group: usize,
}

/// What all streams share.
pub(super) struct Observer {
    pub(super) wire: Wire,
    /// The `host` header.
    pub(super) host: String,
    /// Headers of each request.
    pub(super) headers: Vec<Header>,
    /// How many requests were made.
    pub(super) requests: usize,
    /// What reads compressed streams, if any of them is to be compressed.
    pub(super) decoder: Option<Box<Decoder>>,
    pub(super) seen_ticks: SeenTicks,
    pub(super) violations: Violations,
    pub(super) measures: StreamMeasures,
    /// Of the current second.
    pub(super) latency: Histogram,
    /// Of the current second.
    pub(super) age: Histogram,
    /// By symbol number, of the ticks that are measured.
    pub(super) symbol_ages: Vec<Ages>,
    /// Whether all streams have tried to connect: percentiles count from then on.
    pub(super) is_measuring: bool,
    /// When the load ended, in µs since 1970, or 0.
    pub(super) load_ended: i64,
    /// How late a stream may read a tick that other streams have replaced; `None` while the load tester itself is late.
    pub(super) old_after: Option<Duration>,
    /// The first answer that did not open a stream.
    pub(super) refusal: Option<String>,
    /// What the connections speak, and how many there were.
    pub(super) connections: BTreeMap<(Protocol, Option<Negotiated>), u64>,
    pub(super) last_tick: i64,
}

impl Observer {
    pub(super) fn new(wire: Wire, host: String, old_after: Option<Duration>) -> Self {
        Self {
            wire,
            host,
            headers: Vec::new(),
            requests: 0,
            decoder: None,
            seen_ticks: SeenTicks::default(),
            violations: Violations::default(),
            measures: StreamMeasures::default(),
            latency: Histogram::default(),
            age: Histogram::default(),
            symbol_ages: Vec::new(),
            is_measuring: false,
            load_ended: 0,
            old_after,
            refusal: None,
            connections: BTreeMap::new(),
            last_tick: 0,
        }
    }

    /// Measures a tick of tickfan's wire; returns its age if that counts for the evenness between streams.
    pub(super) fn measure(&mut self, symbol: u32, tick: Tick, missed: u64, reader: Reader) -> Option<i64> {
        self.measures.ticks += 1;
        self.measures.holes += missed;
        if let Some(group) = self.measures.groups.get_mut(reader.group) {
            group.holes += missed;
        }
        self.count_of_group(reader);
        self.last_tick = reader.now;
        if let Some(trade_ts) = tick.trade_ts.filter(|_| tick.kind == Kind::Trade) {
            self.measures.receipts += 1;
            self.measures.receipts_before_trade += u64::from(tick.recv < trade_ts);
            self.measure_trade(trade_ts, reader);
        }
        // The age of a tick from before the stream's time, or from after the load, says nothing.
        if tick.recv < reader.opened || self.is_after_load(tick.recv) {
            return None;
        }
        let age = reader.now - tick.recv;
        if let Some(group) = self.measures.groups.get_mut(reader.group) {
            group.age_now.record(age);
        }
        if !reader.reads_at_once {
            if !self.is_measuring {
                return None;
            }
            self.measures.slow_age.record(age);
            if let Some(group) = self.measures.groups.get_mut(reader.group) {
                group.age.record(age);
            }
            return None;
        }
        self.age.record(age);
        if self.is_measuring {
            self.measures.ticks_measured += 1;
            self.measures.age.record(age);
            if reader.is_whole {
                self.age_of_symbol(symbol).add(age);
            }
            if let Some(group) = self.measures.groups.get_mut(reader.group) {
                group.age.record(age);
            }
        }
        (self.is_measuring && reader.is_whole).then_some(age)
    }

    /// Counts another server's event; a block without data is not an event. The latency of events with `"kind":"trade"`
    /// and `"trade_ts"`, as tickfan's have, is measured too.
    pub(super) fn count(&mut self, block: &[u8], reader: Reader) {
        if !block.starts_with(b"data:") && memmem::find(block, b"\ndata:").is_none() {
            return;
        }
        self.measures.ticks += 1;
        self.count_of_group(reader);
        self.last_tick = reader.now;
        let is_measured = reader.reads_at_once && !self.is_after_load(reader.now);
        self.measures.ticks_measured += u64::from(self.is_measuring && is_measured);
        let is_trade = reader.reads_at_once && memmem::find(block, b"\"kind\":\"trade\"").is_some();
        if let Some(trade_ts) = trade_ts(block).filter(|_| is_trade) {
            self.measure_trade(trade_ts, reader);
        }
    }

    /// Measures the time between two live ticks of a stream.
    pub(super) fn measure_live_gap(&mut self, before: i64, now: i64) {
        if self.is_measuring && before != 0 && !self.is_after_load(now) {
            self.measures.live_gap.record(now - before);
        }
    }

    fn is_after_load(&self, time: i64) -> bool {
        self.load_ended != 0 && time > self.load_ended
    }

    /// Measures a trade that was due since the stream opened and within the load, however late it is read.
    fn measure_trade(&mut self, trade_ts: i64, reader: Reader) {
        if !reader.reads_at_once || trade_ts < reader.opened || self.is_after_load(trade_ts) {
            return;
        }
        let now = reader.now;
        self.measures.exact_times += u64::from(trade_ts % 1_000 != 0);
        self.latency.record(now - trade_ts);
        if let Some(group) = self.measures.groups.get_mut(reader.group) {
            group.latency_now.record(now - trade_ts);
            if self.is_measuring {
                group.latency.record(now - trade_ts);
            }
        }
        if self.is_measuring {
            self.measures.latency.record(now - trade_ts);
            if let Some(latency) = self.measures.latency_by_target.get_mut(reader.target) {
                latency.record(now - trade_ts);
            }
        }
    }

    fn count_of_group(&mut self, reader: Reader) {
        if let Some(group) = self.measures.groups.get_mut(reader.group) {
            group.ticks += 1;
        }
    }

    fn age_of_symbol(&mut self, symbol: u32) -> &mut Ages {
        let index = symbol as usize;
        if self.symbol_ages.len() <= index {
            self.symbol_ages.resize(index + 1, Ages::default());
        }
        &mut self.symbol_ages[index]
    }

    /// Keeps the first answer that did not open a stream.
    pub(super) fn refuse(&mut self, answer: String) -> Ended {
        self.refusal.get_or_insert(answer);
        Ended::NoStream
    }
}

/// The value of `"trade_ts"` in any JSON.
fn trade_ts(block: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\"trade_ts\":";
    let digits = &block[memmem::find(block, NAME)? + NAME.len()..];
    let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::Asked, wire::State};

    #[test]
    fn another_servers_events_are_counted_and_its_new_trades_are_measured() {
        let mut observer = Observer::new(Wire::Plain { path: String::new() }, String::new(), None);
        observer.is_measuring = true;
        for (block, ticks, measured) in [
            (": a comment", 0, 0),
            ("retry: 5", 0, 0),
            ("id: 1\ndata: anything", 1, 0),
            (r#"data: {"kind":"trade","trade_ts":1000001}"#, 2, 1),
            (r#"data: {"kind":"quote","trade_ts":1000001}"#, 3, 1),
            (r#"data: {"kind":"trade","trade_ts":999999}"#, 4, 1),
            (r#"data: {"kind":"trade","trade_ts":null}"#, 5, 1),
        ] {
            observer.count(
                block.as_bytes(),
                Reader { now: 1_000_100, opened: 1_000_000, reads_at_once: true, is_whole: true, target: 0, group: 0 },
            );
            let measured_now =
                observer.measures.latency.percentiles(Asked::default()).map_or(0, |latency| latency.count);
            assert_eq!((observer.measures.ticks, measured_now), (ticks, measured), "{block}");
        }
        assert_eq!(observer.measures.latency.percentiles(Asked::default()).map(|latency| latency.max), Some(99));
    }

    #[test]
    fn ticks_that_the_server_received_after_the_load_are_not_measured() {
        let mut observer = Observer::new(Wire::Tickfan, String::new(), None);
        observer.is_measuring = true;
        for (load_ended, recv, measured) in [(0, 500, 1), (500, 500, 2), (500, 501, 2)] {
            observer.load_ended = load_ended;
            let tick = Tick { seq: 1, kind: Kind::Trade, state: State::Live, recv, trade_ts: Some(recv), trades: 1 };
            observer.measure(
                0,
                tick,
                0,
                Reader { now: 600, opened: 100, reads_at_once: true, is_whole: true, target: 0, group: 0 },
            );
            assert_eq!(observer.measures.ticks_measured, measured, "{recv} with a load until {load_ended}");
        }
        assert_eq!(observer.measures.ticks, 3);
    }

    #[test]
    fn a_trade_of_the_load_is_measured_however_late_it_is_received_and_read() {
        const LOAD_ENDED: i64 = 1_000_000;
        let count = |observer: &Observer| (observer.measures.latency.count(), observer.measures.age.count());
        let reader = Reader { now: 9_000_000, opened: 100, reads_at_once: true, is_whole: true, target: 0, group: 0 };
        let tick = |recv, trade_ts| Tick {
            seq: 1,
            kind: Kind::Trade,
            state: State::Live,
            recv,
            trade_ts: Some(trade_ts),
            trades: 1,
        };
        // A backlog of the gateway, a trade behind the load, and one from before the stream; then clocks that are ahead
        // and behind by more than the stream has been open.
        for (recv, trade_ts, measured) in [
            (8_000_000, 900_000, (1, 0)),
            (8_000_000, 1_000_001, (0, 0)),
            (8_000_000, 99, (0, 0)),
            (900_000, 900_000, (1, 1)),
            (11_000_000, 900_000, (1, 0)),
            (-5_000_000, 900_000, (1, 0)),
        ] {
            let mut observer = Observer::new(Wire::Tickfan, String::new(), None);
            (observer.is_measuring, observer.load_ended) = (true, LOAD_ENDED);
            observer.measure(0, tick(recv, trade_ts), 0, reader);
            assert_eq!(count(&observer), measured, "{recv} {trade_ts}");
            assert_eq!(observer.measures.receipts_before_trade, u64::from(recv < trade_ts));
            let mut other = Observer::new(Wire::Plain { path: String::new() }, String::new(), None);
            (other.is_measuring, other.load_ended) = (true, LOAD_ENDED);
            other.count(format!("data: {{\"kind\":\"trade\",\"trade_ts\":{trade_ts}}}").as_bytes(), reader);
            assert_eq!(count(&other).0, measured.0, "{trade_ts}");
        }
    }

    #[test]
    fn ages_of_a_clock_that_is_ahead_are_counted_as_impossible() {
        let mut observer = Observer::new(Wire::Tickfan, String::new(), None);
        observer.is_measuring = true;
        let reader = Reader { now: 600, opened: 100, reads_at_once: true, is_whole: true, target: 0, group: 0 };
        for recv in [500, 700] {
            let tick = Tick { seq: 1, kind: Kind::Quote, state: State::Live, recv, trade_ts: None, trades: 1 };
            observer.measure(0, tick, 0, reader);
        }
        assert_eq!((observer.measures.age.count(), observer.measures.age.negative()), (2, 1));
    }

    #[test]
    fn slow_readers_are_measured_from_the_load_on_as_all_are() {
        let mut observer = Observer::new(Wire::Tickfan, String::new(), None);
        let reader = Reader { now: 600, opened: 100, reads_at_once: false, is_whole: false, target: 0, group: 0 };
        let tick = Tick { seq: 1, kind: Kind::Quote, state: State::Live, recv: 500, trade_ts: None, trades: 1 };
        for measured in [0, 1] {
            observer.is_measuring = measured > 0;
            observer.measure(0, tick, 0, reader);
            assert_eq!(observer.measures.slow_age.count(), measured);
        }
    }
}
