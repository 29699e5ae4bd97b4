//! What all streams share: what they testify to, and what is counted.

use super::{Group, Reads};
use crate::{
    check::{SeenTicks, Violations, Wanted},
    measure::{Ages, Ended, Histogram, StreamMeasures},
    wire::{Kind, Tick},
};
use memchr::memmem;
use std::time::Duration;

/// What a server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// tickfan's wire: all is checked.
    Tickfan,
    /// Any Server-Sent Events under a path: they are counted, and trades that tell their venue time are measured.
    Plain {
        /// The path and query of each stream, a template: see [`Wire::path`].
        path: String,
    },
}

impl Wire {
    /// The path and query of a stream with these symbols. In a template `{symbols}` stands for them joined by commas, and
    /// `{symbols:SEPARATOR}` for them joined by that separator, for servers that take a parameter per symbol.
    pub(crate) fn path(&self, symbols: &[&str]) -> String {
        match self {
            Self::Tickfan => format!("/v1/stream?symbols={}", symbols.join(",")),
            Self::Plain { path } => fill(path, symbols),
        }
    }
}

fn fill(template: &str, symbols: &[&str]) -> String {
    let Some((before, rest)) = template.split_once("{symbols") else { return template.to_owned() };
    let Some((separator, after)) = rest.split_once('}') else { return template.to_owned() };
    let separator = separator.strip_prefix(':').unwrap_or(",");
    format!("{before}{}{after}", symbols.join(separator))
}

/// What all streams share.
pub(super) struct Observer {
    pub(super) wire: Wire,
    /// The `host` header.
    pub(super) host: String,
    pub(super) seen_ticks: SeenTicks,
    pub(super) violations: Violations,
    pub(super) measures: StreamMeasures,
    /// Of this second.
    pub(super) latency: Histogram,
    /// Of this second.
    pub(super) age: Histogram,
    /// Of each symbol, by its number: of what counts.
    pub(super) symbol_ages: Vec<Ages>,
    /// All streams have had their first attempt: from now on, what is measured counts.
    pub(super) is_measuring: bool,
    /// When the load ended, in µs since 1970, or 0.
    pub(super) load_ended: i64,
    /// How late a tick may be that others have replaced; `None` while the reading itself is late.
    pub(super) old_after: Option<Duration>,
    /// What the first server said that did not open a stream.
    pub(super) refusal: Option<String>,
    pub(super) last_tick: i64,
}

/// What the streams of a group have in common.
#[derive(Debug, Clone)]
pub(super) struct GroupSettings {
    pub(super) query: String,
    pub(super) wanted: Wanted,
    pub(super) reads: Reads,
    /// The mean time that a stream stays.
    pub(super) stay: Option<Duration>,
}

impl GroupSettings {
    pub(super) fn new(group: &Group) -> Self {
        Self {
            query: group.query.clone(),
            wanted: Wanted::of_query(&group.query),
            reads: group.reads,
            stay: (group.churn > 0.0).then(|| Duration::from_secs_f64(60.0 * 100.0 / group.churn)),
        }
    }
}

impl Observer {
    pub(super) fn new(wire: Wire, host: String, old_after: Option<Duration>) -> Self {
        Self {
            wire,
            host,
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
            last_tick: 0,
        }
    }

    /// Measures a tick that was read at a time by a stream that opened at another; returns its age where that counts.
    pub(super) fn measure(
        &mut self,
        (symbol, tick): (u32, Tick),
        missed: u64,
        at: i64,
        opened: i64,
        reads_at_once: bool,
    ) -> Option<i64> {
        self.measures.ticks += 1;
        self.measures.holes += missed;
        self.last_tick = at;
        // What came to the gateway before is history to this stream, not news; and what comes after the load is none.
        if tick.recv < opened || self.is_after_load(tick.recv) {
            return None;
        }
        let age = at - tick.recv;
        if !reads_at_once {
            self.measures.slow_age.record(age);
            return None;
        }
        self.age.record(age);
        if self.is_measuring {
            self.measures.ticks_measured += 1;
            self.measures.age.record(age);
            self.age_of_symbol(symbol).add(age);
        }
        if let Some(trade_ts) = tick.trade_ts.filter(|_| tick.kind == Kind::Trade) {
            self.measure_trade(trade_ts, at);
        }
        self.is_measuring.then_some(age)
    }

    /// Counts what another server sent to a stream that opened at a time; what has no data is no event. A trade's event with
    /// `"kind":"trade"` and `"trade_ts"`, as tickfan's have, is measured too.
    pub(super) fn count(&mut self, block: &[u8], at: i64, opened: i64, reads_at_once: bool) {
        if !block.starts_with(b"data:") && memmem::find(block, b"\ndata:").is_none() {
            return;
        }
        self.measures.ticks += 1;
        self.last_tick = at;
        let is_measured = reads_at_once && !self.is_after_load(at);
        self.measures.ticks_measured += u64::from(self.is_measuring && is_measured);
        let is_trade = is_measured && memmem::find(block, b"\"kind\":\"trade\"").is_some();
        if let Some(trade_ts) = trade_ts(block).filter(|&trade_ts| is_trade && trade_ts >= opened) {
            self.measure_trade(trade_ts, at);
        }
    }

    fn is_after_load(&self, time: i64) -> bool {
        self.load_ended != 0 && time > self.load_ended
    }

    fn measure_trade(&mut self, trade_ts: i64, at: i64) {
        self.measures.exact_times += u64::from(trade_ts % 1_000 != 0);
        self.latency.record(at - trade_ts);
        if self.is_measuring {
            self.measures.latency.record(at - trade_ts);
        }
    }

    fn age_of_symbol(&mut self, symbol: u32) -> &mut Ages {
        let place = symbol as usize;
        if self.symbol_ages.len() <= place {
            self.symbol_ages.resize(place + 1, Ages::default());
        }
        &mut self.symbol_ages[place]
    }

    /// A server did not open a stream.
    pub(super) fn refuse(&mut self, what: String) -> Ended {
        self.refusal.get_or_insert(what);
        Ended::NoStream
    }
}

/// The digits behind the name, in any JSON.
fn trade_ts(block: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\"trade_ts\":";
    let digits = &block[memmem::find(block, NAME)? + NAME.len()..];
    let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::State;

    #[test]
    fn a_path_template_takes_the_symbols_with_its_separator() {
        for (template, path) in [
            ("/sub?id={symbols}", "/sub?id=A,B"),
            ("/hub?topic={symbols:&topic=}&x=1", "/hub?topic=A&topic=B&x=1"),
            ("/events", "/events"),
        ] {
            assert_eq!(Wire::Plain { path: template.to_owned() }.path(&["A", "B"]), path);
        }
        assert_eq!(Wire::Tickfan.path(&["A", "B"]), "/v1/stream?symbols=A,B");
    }

    #[test]
    fn events_of_another_server_are_counted_and_its_new_trades_measured() {
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
            observer.count(block.as_bytes(), 1_000_100, 1_000_000, true);
            let measured_now = observer.measures.latency.percentiles().map_or(0, |latency| latency.count);
            assert_eq!((observer.measures.ticks, measured_now), (ticks, measured), "{block}");
        }
        assert_eq!(observer.measures.latency.percentiles().map(|latency| latency.max), Some(99));
    }

    #[test]
    fn what_the_server_receives_after_the_load_is_not_measured() {
        let mut observer = Observer::new(Wire::Tickfan, String::new(), None);
        observer.is_measuring = true;
        for (load_ended, recv, measured) in [(0, 500, 1), (500, 500, 2), (500, 501, 2)] {
            observer.load_ended = load_ended;
            let tick = Tick { seq: 1, kind: Kind::Trade, state: State::Live, recv, trade_ts: Some(recv), trades: 1 };
            observer.measure((0, tick), 0, 600, 100, true);
            assert_eq!(observer.measures.ticks_measured, measured, "{recv} with a load until {load_ended}");
        }
        assert_eq!(observer.measures.ticks, 3);
    }
}
