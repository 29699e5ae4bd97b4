//! What all streams together have seen.

use super::{Rule, Violations};
use crate::{
    venue::{History, Part},
    wire::{Block, Numbers, Tick, peek},
};
use foldhash::fast::FixedState;
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

/// Ticks whose bytes are kept: some 30 MB. A copy that comes after so many other ticks is read in full again.
const TICKS_MAX: usize = 65_536;

/// A tick that was read in full.
#[derive(Debug)]
pub struct SeenTick {
    /// What it says.
    pub tick: Tick,
    /// Its block.
    pub block: Box<[u8]>,
    /// When its first copy was read, in µs since 1970.
    pub first_seen: i64,
}

impl SeenTick {
    /// What a client that comes back names as its last.
    pub fn id(&self) -> Option<&str> {
        Block::read(&self.block).ok()?.id
    }

    /// Its JSON.
    pub fn data(&self) -> &str {
        Block::read(&self.block).ok().and_then(|block| block.data).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    epoch: u32,
    symbol: u32,
    seq: u64,
}

/// What all streams have seen.
#[derive(Debug, Default)]
pub struct SeenTicks {
    symbols: HashMap<Box<[u8]>, u32, FixedState>,
    names: Vec<Box<str>>,
    epochs: Vec<Box<str>>,
    ticks: HashMap<Key, Rc<SeenTick>, FixedState>,
    /// The order in which they came, for the oldest to leave.
    order: VecDeque<Key>,
    /// The newest of each symbol, and its epoch.
    newest: Vec<Option<(u32, Rc<SeenTick>)>>,
    /// What the venue sent lately.
    history: Option<Arc<History>>,
}

impl SeenTicks {
    /// What all streams see is compared with what the venue sent.
    pub fn new(history: Option<Arc<History>>) -> Self {
        Self { history, ..Self::default() }
    }

    /// The number of a symbol, which is its place among all that were ever asked for.
    pub fn symbol(&mut self, name: &str) -> u32 {
        if let Some(&symbol) = self.symbols.get(name.as_bytes()) {
            return symbol;
        }
        let symbol = self.names.len() as u32;
        self.symbols.insert(name.as_bytes().into(), symbol);
        self.names.push(name.into());
        self.newest.push(None);
        symbol
    }

    /// A symbol's name.
    pub fn name(&self, symbol: u32) -> &str {
        &self.names[symbol as usize]
    }

    /// The number of an epoch.
    pub fn epoch(&mut self, name: &str) -> u32 {
        if let Some(found) = self.epochs.iter().position(|epoch| **epoch == *name) {
            return found as u32;
        }
        self.epochs.push(name.into());
        self.epochs.len() as u32 - 1
    }

    /// The newest tick of a symbol that any stream has seen in an epoch.
    pub fn newest(&self, epoch: u32, symbol: u32) -> Option<&Rc<SeenTick>> {
        self.newest[symbol as usize].as_ref().filter(|(of, _)| *of == epoch).map(|(_, known)| known)
    }

    /// A tick, if its bytes are still kept.
    pub fn tick(&self, epoch: u32, symbol: u32, seq: u64) -> Option<&Rc<SeenTick>> {
        self.newest(epoch, symbol)
            .filter(|known| known.tick.seq == seq)
            .or_else(|| self.ticks.get(&Key { epoch, symbol, seq }))
    }

    /// Hears of a block without a name that a stream has read; returns its symbol and what is known of the tick, or `None` if
    /// it is none. What is wrong with it is noted.
    pub fn observe(
        &mut self,
        epoch: u32,
        stream: u32,
        block: &[u8],
        now: i64,
        violations: &mut Violations,
    ) -> Option<(u32, Rc<SeenTick>)> {
        if let Some((name, seq)) = peek(block)
            && let Some(&symbol) = self.symbols.get(name)
            && let Some(known) = self.ticks.get(&Key { epoch, symbol, seq })
            && *known.block == *block
        {
            return Some((symbol, known.clone()));
        }
        match self.read(epoch, block) {
            Ok((symbol, tick, numbers)) => {
                if self.tick(epoch, symbol, tick.seq).is_none()
                    && let Some(what) = self.what_was_not_sent(symbol, tick, numbers)
                {
                    violations.note(Rule::NotSent, Some(stream), now, what, block);
                }
                Some((symbol, self.keep(symbol, epoch, stream, tick, block, now, violations)))
            }
            Err(what) => {
                violations.note(Rule::Malformed, Some(stream), now, what, block);
                None
            }
        }
    }

    fn read<'a>(&self, epoch: u32, block: &'a [u8]) -> Result<(u32, Tick, Numbers<'a>), String> {
        let fields = Block::read(block).map_err(|error| error.to_string())?;
        let data = fields.data.filter(|_| fields.data_lines == 1).ok_or("a tick has one line of data")?;
        let (tick, name, numbers) = Tick::read(data).map_err(|error| format!("the data are no tick: {error}"))?;
        let symbol = *self.symbols.get(name.as_bytes()).ok_or_else(|| format!("nobody asked for {name}"))?;
        let is_of_epoch = |id: &str| {
            id.split_once('-').is_some_and(|(of, n)| *of == *self.epochs[epoch as usize] && n.parse::<u64>().is_ok())
        };
        match fields.id {
            Some(id) if tick.seq > 0 && !is_of_epoch(id) => Err(format!("the id {id} is not of the stream's epoch")),
            Some(_) if tick.seq == 0 => Err("seq 0 is no tick yet, and has no id".to_owned()),
            None if tick.seq > 0 => Err("the tick has no id".to_owned()),
            _ => Ok((symbol, tick, numbers)),
        }
    }

    /// A trade or a quote that the venue never sent, as far as it can still be known.
    fn what_was_not_sent(&self, symbol: u32, tick: Tick, numbers: Numbers<'_>) -> Option<String> {
        let history = self.history.as_ref()?;
        let name = self.name(symbol);
        let place = history.place(name)?;
        let [price, size, book @ ..] = numbers;
        let has_trade = price.is_some() || size.is_some() || tick.trade_ts.is_some();
        let micros = tick.trade_ts.and_then(|micros| u64::try_from(micros).ok()).unwrap_or(0);
        let (price, size) = (price.unwrap_or_default(), size.unwrap_or_default());
        let trade = has_trade.then_some(Part::Trade { price, size, micros });
        let quote = book.iter().any(Option::is_some).then(|| Part::Quote(book.map(Option::unwrap_or_default)));
        let mut parts = trade.into_iter().chain(quote);
        let part = parts.find(|part| history.has(place, part) == Some(false))?;
        Some(format!("{name} {}: the venue never sent {part:?}", tick.seq))
    }

    #[expect(clippy::too_many_arguments, reason = "they are what one copy of a tick is")]
    fn keep(
        &mut self,
        symbol: u32,
        epoch: u32,
        stream: u32,
        tick: Tick,
        block: &[u8],
        now: i64,
        violations: &mut Violations,
    ) -> Rc<SeenTick> {
        let key = Key { epoch, symbol, seq: tick.seq };
        let known = Rc::new(SeenTick { tick, block: block.into(), first_seen: now });
        // What stands before the first tick is written for each stream, and may differ in time.
        if tick.seq == 0 {
            return known;
        }
        if let Some(other) = self.tick(epoch, symbol, tick.seq) {
            if other.block != known.block {
                let what = format!("{} {}: another stream was told {}", self.name(symbol), tick.seq, other.data());
                violations.note(Rule::Conflict, Some(stream), now, what, block);
            }
            return Rc::new(SeenTick { first_seen: other.first_seen, tick, block: block.into() });
        }
        self.ticks.insert(key, known.clone());
        self.order.push_back(key);
        if self.order.len() > TICKS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ticks.remove(&oldest);
        }
        let newest = &mut self.newest[symbol as usize];
        if newest.as_ref().is_none_or(|(of, newest)| *of < epoch || (*of == epoch && newest.tick.seq < tick.seq)) {
            *newest = Some((epoch, known.clone()));
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seq: u64, price: &str) -> String {
        format!(
            "id: e-{seq}\ndata: {{\"symbol\":\"A\",\"seq\":{seq},\"kind\":\"trade\",\"state\":\"live\",\"recv\":1,\"price\":{price}}}"
        )
    }

    fn seen_ticks() -> (SeenTicks, u32) {
        let mut seen_ticks = SeenTicks::default();
        seen_ticks.symbol("A");
        let epoch = seen_ticks.epoch("e");
        (seen_ticks, epoch)
    }

    #[test]
    fn a_digit_that_differs_between_two_copies_is_found() {
        let ((mut seen_ticks, epoch), mut violations) = (seen_ticks(), Violations::default());
        for text in ["1.5", "1.5", "1.6", "1.5"] {
            assert!(seen_ticks.observe(epoch, 0, block(1, text).as_bytes(), 0, &mut violations).is_some());
        }
        assert_eq!((violations.of(Rule::Conflict), violations.total()), (1, 1));
        assert!(violations.kept()[0].what.contains("1.5") && violations.kept()[0].bytes.contains("1.6"));
    }

    #[test]
    fn the_newest_stays_and_old_ones_leave() {
        let ((mut seen_ticks, epoch), mut violations) = (seen_ticks(), Violations::default());
        for seq in 1..=TICKS_MAX as u64 + 10 {
            seen_ticks.observe(epoch, 0, block(seq, "1").as_bytes(), 0, &mut violations);
        }
        assert_eq!((seen_ticks.ticks.len(), violations.total()), (TICKS_MAX, 0));
        assert!(seen_ticks.tick(epoch, 0, 10).is_none() && seen_ticks.tick(epoch, 0, 11).is_some());
        assert_eq!(seen_ticks.newest(epoch, 0).unwrap().tick.seq, TICKS_MAX as u64 + 10);
    }

    #[test]
    fn what_is_no_tick_of_the_stream_is_malformed() {
        let (mut seen_ticks, epoch) = seen_ticks();
        for (from, to) in
            [("id: e-1\n", ""), ("id: e", "id: f"), ("\"A\"", "\"B\""), ("}", "}}"), ("data", "date"), ("e-1", "e-x")]
        {
            let mut violations = Violations::default();
            let bytes = block(1, "1").replace(from, to);
            assert!(seen_ticks.observe(epoch, 0, bytes.as_bytes(), 0, &mut violations).is_none());
            assert_eq!(violations.of(Rule::Malformed), 1, "{from} → {to}");
        }
    }
}
