//! The position of a stream in each of its symbols.

use super::{Rule, SeenTick, SeenTicks, TickCopy, Violations, unnamed};
use crate::wire::{Hello, ListChange, State, Tick};
use std::{rc::Rc, time::Duration};

/// One symbol of a stream.
#[derive(Debug, Clone, Copy)]
struct Slot {
    symbol: u32,
    /// The last tick; `None` before the first.
    last: Option<Tick>,
    /// `recv` of the last tick that an outage has made stale, until it is live again.
    stale_recv: Option<i64>,
}

/// The last tick of each symbol of a stream since it connected.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    epoch: Option<u32>,
    /// Sorted by symbol.
    slots: Box<[Slot]>,
}

/// The context of a read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The stream's number.
    pub stream: u32,
    /// Now, in µs since 1970.
    pub now: i64,
    /// When the stream connected. Ticks that the gateway received earlier are snapshots to it.
    pub opened: i64,
    /// How late a stream may read a tick that other streams have replaced. `None`: not checked, since the stream or the
    /// whole load tester is slow.
    pub old_after: Option<Duration>,
}

/// A tick that a stream has read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Its symbol's number.
    pub symbol: u32,
    /// The tick.
    pub seen: Rc<SeenTick>,
    /// How many of the symbol's ticks were skipped before it.
    pub missed: u64,
}

impl Slots {
    /// Starts over with a `hello`.
    pub fn begin(
        &mut self,
        hello: &Hello<'_>,
        asked: &[u32],
        reading: Reading,
        seen_ticks: &mut SeenTicks,
        violations: &mut Violations,
    ) {
        let mut got: Vec<u32> = hello.symbols.iter().map(|name| seen_ticks.symbol(name)).collect();
        got.sort_unstable();
        let mut missing = asked.iter().filter(|symbol| got.binary_search(symbol).is_err());
        if let Some(&symbol) = missing.next().filter(|_| hello.unknown.is_empty()) {
            let what = format!("hello does not list {}, which the stream asked for", seen_ticks.name(symbol));
            violations.note(Rule::Malformed, Some(reading.stream), reading.now, what, b"");
        }
        if let Some(&symbol) = got.iter().find(|symbol| asked.binary_search(symbol).is_err()) {
            let what = format!("hello lists {}, which the stream did not ask for", seen_ticks.name(symbol));
            violations.note(Rule::Malformed, Some(reading.stream), reading.now, what, b"");
        }
        self.epoch = Some(seen_ticks.epoch(&hello.epoch));
        self.slots = got.into_iter().map(|symbol| Slot { symbol, last: None, stale_recv: None }).collect();
    }

    /// Takes over another list. A symbol that stays goes on; one that is new, or comes back, begins with any tick.
    pub fn relist(&mut self, list: &ListChange<'_>, seen_ticks: &mut SeenTicks) {
        let mut listed: Vec<u32> = list.symbols.iter().map(|name| seen_ticks.symbol(name)).collect();
        listed.sort_unstable();
        let before = |symbol: u32| {
            let found = self.slots.binary_search_by_key(&symbol, |slot| slot.symbol).ok();
            found.map_or(Slot { symbol, last: None, stale_recv: None }, |found| self.slots[found])
        };
        self.slots = listed.into_iter().map(before).collect();
    }

    /// Checks the event of a tick, whole or a patch, notes its violations, and returns its tick.
    pub fn read(
        &mut self,
        block: &[u8],
        reading: Reading,
        seen_ticks: &mut SeenTicks,
        violations: &mut Violations,
    ) -> Option<Read> {
        let Reading { stream, now, .. } = reading;
        let Some(epoch) = self.epoch else {
            violations.note(Rule::Malformed, Some(stream), now, "a tick arrived before hello".to_owned(), block);
            return None;
        };
        let copy = TickCopy { epoch, stream, block: unnamed(block).unwrap_or(block), now };
        let (symbol, seen) = if unnamed(block).is_some() {
            let last = |symbol| {
                let found = self.slots.binary_search_by_key(&symbol, |slot| slot.symbol).ok()?;
                Some(self.slots[found].last?.seq)
            };
            seen_ticks.observe_patch(copy, last, violations)?
        } else {
            seen_ticks.observe(copy, violations)?
        };
        let tick = seen.tick;
        let Ok(found) = self.slots.binary_search_by_key(&symbol, |slot| slot.symbol) else {
            let what = format!("{} does not belong to this stream", seen_ticks.name(symbol));
            violations.note(Rule::Malformed, Some(stream), now, what, block);
            return None;
        };
        let name = seen_ticks.name(symbol);
        let missed = self.slots[found].advance(tick, seen_ticks.is_cluster()).unwrap_or_else(|(rule, what)| {
            violations.note(rule, Some(stream), now, format!("{name} {}: {what}", tick.seq), block);
            0
        });
        let late = u64::try_from(now - seen.first_seen).unwrap_or(0);
        if let Some(old_after) = reading.old_after
            && u128::from(late) > old_after.as_micros()
            && tick.state == State::Live
            && tick.recv >= reading.opened
            && let Some(newest) = seen_ticks.newest(epoch, symbol).filter(|newest| newest.tick.seq > tick.seq)
        {
            let what = format!(
                "{name} {} is shown as live {} ms after other streams have read it; they are at {}",
                tick.seq,
                late / 1_000,
                newest.tick.seq
            );
            violations.note(Rule::Old, Some(stream), now, what, block);
        }
        Some(Read { symbol, seen, missed })
    }

    /// The epoch, after the `hello`.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// Its symbols with the last tick of each.
    pub fn last(&self) -> impl Iterator<Item = (u32, Option<Tick>)> {
        self.slots.iter().map(|slot| (slot.symbol, slot.last))
    }
}

impl Slot {
    /// Advances to a tick; returns how many were skipped before it.
    /// `is_cluster`: a node that has just started shows symbols without data, and then at once all that their owner
    /// knows.
    fn advance(&mut self, tick: Tick, is_cluster: bool) -> Result<u64, (Rule, String)> {
        let last = self.last.replace(tick);
        let stale_recv = self.stale_recv;
        match tick.state {
            State::Stale => self.stale_recv = Some(tick.recv),
            State::Live => self.stale_recv = None,
            _ => {}
        }
        let Some(last) = last else { return Ok(0) };
        if tick.seq <= last.seq {
            self.last = Some(last);
            return Err((Rule::Order, format!("it follows {}", last.seq)));
        }
        let had_no_data = is_cluster && last.seq == 0;
        if tick.trades < last.trades || (tick.trades - last.trades > tick.seq - last.seq && !had_no_data) {
            return Err((Rule::Order, format!("trades changes from {} to {}", last.trades, tick.trades)));
        }
        if tick.state == State::Live && stale_recv.is_some_and(|recv| tick.recv <= recv) {
            return Err((Rule::StaleAsLive, "it is live again without an update of its own".to_owned()));
        }
        Ok(tick.seq - last.seq - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading { stream: 0, now: 1_000_000, opened: 0, old_after: Some(Duration::from_secs(1)) };

    struct Fixture {
        seen_ticks: SeenTicks,
        violations: Violations,
        streams: [Slots; 2],
    }

    impl Fixture {
        fn new() -> Self {
            let mut new = Self {
                seen_ticks: SeenTicks::default(),
                violations: Violations::default(),
                streams: Default::default(),
            };
            let asked = [new.seen_ticks.symbol("A")];
            let hello = Hello { epoch: "e".into(), symbols: vec!["A".into()], unknown: vec![], stream: "".into() };
            for stream in &mut new.streams {
                stream.begin(&hello, &asked, READING, &mut new.seen_ticks, &mut new.violations);
            }
            new
        }

        fn read(&mut self, stream: usize, now: i64, seq: u64, state: &str, recv: i64) -> Option<u64> {
            let block = format!(
                "id: e-{seq}\ndata: {{\"symbol\":\"A\",\"seq\":{seq},\"kind\":\"trade\",\"state\":\"{state}\",\"recv\":{recv},\"trades\":{seq}}}"
            );
            let reading = Reading { now, ..READING };
            let read = self.streams[stream].read(block.as_bytes(), reading, &mut self.seen_ticks, &mut self.violations);
            read.map(|read| read.missed)
        }
    }

    #[test]
    fn holes_are_counted_and_are_not_a_violation() {
        let mut fixture = Fixture::new();
        assert_eq!([7, 8, 11].map(|seq| fixture.read(0, 0, seq, "live", 1)), [Some(0), Some(0), Some(2)]);
        assert_eq!(fixture.violations.total(), 0);
    }

    #[test]
    fn after_a_change_a_stream_has_another_list() {
        let mut fixture = Fixture::new();
        let relist = |fixture: &mut Fixture, names: &[&'static str]| {
            let list = ListChange { symbols: names.iter().map(|name| (*name).into()).collect() };
            fixture.streams[0].relist(&list, &mut fixture.seen_ticks);
        };
        fixture.read(0, 0, 7, "live", 1);
        relist(&mut fixture, &["B", "A"]);
        assert_eq!(fixture.read(0, 0, 9, "live", 1), Some(1), "it goes on");
        relist(&mut fixture, &["B"]);
        assert_eq!((fixture.read(0, 0, 10, "live", 1), fixture.violations.of(Rule::Malformed)), (None, 1));
        relist(&mut fixture, &["A"]);
        assert_eq!(fixture.read(0, 0, 10, "live", 1), Some(0), "its newest comes again");
        assert_eq!(fixture.violations.total(), 1);
    }

    #[test]
    fn a_tick_that_repeats_or_goes_back_is_found() {
        let mut fixture = Fixture::new();
        for seq in [7, 8, 8, 7, 9] {
            fixture.read(0, 0, seq, "live", 1);
        }
        assert_eq!(fixture.violations.of(Rule::Order), 2);
    }

    #[test]
    fn a_tick_that_other_streams_have_long_replaced_is_found() {
        let mut fixture = Fixture::new();
        fixture.read(0, 0, 7, "live", 1);
        fixture.read(1, 1_000_001, 7, "live", 1);
        assert_eq!(fixture.violations.total(), 0, "it is still the newest");
        fixture.read(0, 1_000_002, 8, "live", 2);
        fixture.read(0, 1_000_003, 9, "live", 3);
        fixture.read(1, 2_000_002, 8, "live", 2);
        assert_eq!(fixture.violations.total(), 0, "it is not long ago");
        let mut late = Fixture::new();
        late.read(0, 0, 7, "live", 1);
        late.read(0, 0, 8, "live", 1);
        late.read(1, 1_000_001, 7, "live", 1);
        assert_eq!(late.violations.of(Rule::Old), 1);
    }

    #[test]
    fn a_stale_symbol_is_live_again_only_with_an_update() {
        let mut fixture = Fixture::new();
        for (seq, state, recv) in [(1, "live", 5), (2, "stale", 5), (3, "live", 6), (4, "stale", 6)] {
            fixture.read(0, 0, seq, state, recv);
        }
        assert_eq!(fixture.violations.total(), 0);
        fixture.read(0, 0, 5, "live", 6);
        assert_eq!(fixture.violations.of(Rule::StaleAsLive), 1);
    }
}
