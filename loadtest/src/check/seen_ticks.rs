//! The ticks that any stream has seen.

use super::{Rule, Violations, patch};
use crate::{
    venue::{History, Part},
    wire::{Block, Numbers, Tick, peek},
};
use foldhash::fast::FixedState;
use std::{
    cell::OnceCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

/// The most ticks whose bytes are kept: some 30 MB. A copy that arrives after that many other ticks is parsed in full
/// again.
const TICKS_MAX: usize = 65_536;

/// A tick that was parsed in full.
#[derive(Debug)]
pub struct SeenTick {
    /// The tick.
    pub tick: Tick,
    /// Its event.
    pub block: Box<[u8]>,
    /// When its first copy was read, in µs since 1970.
    pub first_seen: i64,
    /// Its patch, once a stream has read it.
    patch: OnceCell<Box<[u8]>>,
}

impl SeenTick {
    /// Its event id, with which a client resumes.
    pub fn id(&self) -> Option<&str> {
        Block::read(&self.block).ok()?.id
    }

    /// Its JSON.
    pub fn data(&self) -> &str {
        Block::read(&self.block).ok().and_then(|block| block.data).unwrap_or_default()
    }
}

/// A copy of a tick as a stream has read it.
#[derive(Debug, Clone, Copy)]
pub struct TickCopy<'a> {
    /// The epoch of the stream.
    pub epoch: u32,
    /// The number of the stream.
    pub stream: u32,
    /// The event.
    pub block: &'a [u8],
    /// When it was read, in µs since 1970.
    pub now: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    epoch: u32,
    symbol: u32,
    seq: u64,
}

/// The ticks that any stream has seen.
#[derive(Debug, Default)]
pub struct SeenTicks {
    symbols: HashMap<Box<[u8]>, u32, FixedState>,
    names: Vec<Box<str>>,
    epochs: Vec<Box<str>>,
    ticks: HashMap<Key, Rc<SeenTick>, FixedState>,
    /// In order of arrival, to evict the oldest.
    order: VecDeque<Key>,
    /// The newest tick of each symbol in each epoch: the nodes of a cluster may be in several.
    newest: HashMap<(u32, u32), Rc<SeenTick>, FixedState>,
    /// Whether several gateways send them, as the nodes of a cluster.
    is_cluster: bool,
    /// Copies that were compared with one that was read before.
    compared: u64,
    /// The venue's recent trades and quotes.
    history: Option<Arc<History>>,
}

impl SeenTicks {
    /// Ticks are compared with this history, if there is one. Ticks of a cluster's nodes are compared over all nodes,
    /// by the epoch of the stream's `hello`; their ids may be of another one that a `hello` has named. A node that is
    /// cut off is in an epoch of its own, and its ticks have the ids of the owner's last ones.
    pub fn new(history: Option<Arc<History>>, is_cluster: bool) -> Self {
        Self { history, is_cluster, ..Self::default() }
    }

    /// Whether several gateways send the ticks.
    pub fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// How many copies of ticks were compared with one that was read before.
    pub fn compared(&self) -> u64 {
        self.compared
    }

    /// The number of a symbol, in the order of first use.
    pub fn symbol(&mut self, name: &str) -> u32 {
        if let Some(&symbol) = self.symbols.get(name.as_bytes()) {
            return symbol;
        }
        let symbol = self.names.len() as u32;
        self.symbols.insert(name.as_bytes().into(), symbol);
        self.names.push(name.into());
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

    /// The newest tick of a symbol in an epoch.
    pub fn newest(&self, epoch: u32, symbol: u32) -> Option<&Rc<SeenTick>> {
        self.newest.get(&(epoch, symbol))
    }

    /// A tick, if its bytes are still kept.
    pub fn tick(&self, epoch: u32, symbol: u32, seq: u64) -> Option<&Rc<SeenTick>> {
        self.newest(epoch, symbol)
            .filter(|seen| seen.tick.seq == seq)
            .or_else(|| self.ticks.get(&Key { epoch, symbol, seq }))
    }

    /// Checks an unnamed event that a stream has read, and notes its violations. Returns its symbol and its tick, or
    /// `None` if it is not a tick.
    pub fn observe(&mut self, copy: TickCopy<'_>, violations: &mut Violations) -> Option<(u32, Rc<SeenTick>)> {
        let TickCopy { epoch, stream, block, now } = copy;
        if let Some((name, seq)) = peek(block)
            && let Some(&symbol) = self.symbols.get(name)
            && let Some(seen) = self.ticks.get(&Key { epoch, symbol, seq })
            && *seen.block == *block
        {
            self.compared += 1;
            return Some((symbol, seen.clone()));
        }
        match self.read(epoch, block) {
            Ok((symbol, tick, numbers)) => {
                if self.tick(epoch, symbol, tick.seq).is_none()
                    && let Some(what) = self.unsent_part(symbol, tick, numbers)
                {
                    violations.note(Rule::NotSent, Some(stream), now, what, block);
                }
                Some((symbol, self.keep(symbol, tick, copy, violations)))
            }
            Err(what) => {
                violations.note(Rule::Malformed, Some(stream), now, what, block);
                None
            }
        }
    }

    /// The same of a patch, without its event's name: on the tick with this `seq`, which the stream has read last.
    pub fn observe_patch(
        &mut self,
        copy: TickCopy<'_>,
        last: impl FnOnce(u32) -> Option<u64>,
        violations: &mut Violations,
    ) -> Option<(u32, Rc<SeenTick>)> {
        let TickCopy { epoch, stream, block, now } = copy;
        let mut malformed = |what| violations.note(Rule::Malformed, Some(stream), now, what, block);
        let Some((symbol, seq)) = peek(block).and_then(|(name, seq)| Some((*self.symbols.get(name)?, seq))) else {
            malformed("a patch does not begin with symbol and seq".to_owned());
            return None;
        };
        let last = last(symbol);
        if seq == 0 || last != Some(seq - 1) {
            malformed(format!("a patch of {seq} follows {last:?}"));
            return None;
        }
        let known = self.tick(epoch, symbol, seq).cloned();
        if let Some(seen) = known.as_ref().filter(|seen| seen.patch.get().is_some_and(|patch| **patch == *block)) {
            self.compared += 1;
            return Some((symbol, seen.clone()));
        }
        // Only where the stream is tens of thousands of ticks behind others, the one before is not kept.
        let before = self.tick(epoch, symbol, seq - 1)?;
        match patch::applied(before.data(), block) {
            Ok(whole) => {
                let (symbol, seen) = self.observe(TickCopy { block: &whole, ..copy }, violations)?;
                let kept = self.tick(epoch, symbol, seq).unwrap_or(&seen);
                if **kept.patch.get_or_init(|| block.into()) != *block {
                    let what = format!("{} {seq}: another stream got another patch", self.name(symbol));
                    violations.note(Rule::Conflict, Some(stream), now, what, block);
                }
                Some((symbol, seen))
            }
            Err(what) => {
                malformed(what);
                None
            }
        }
    }

    fn read<'a>(&self, epoch: u32, block: &'a [u8]) -> Result<(u32, Tick, Numbers<'a>), String> {
        let fields = Block::read(block).map_err(|error| error.to_string())?;
        let data = fields.data.filter(|_| fields.data_lines == 1).ok_or("a tick must have exactly one line of data")?;
        let (tick, name, numbers) = Tick::read(data).map_err(|error| format!("the data are not a tick: {error}"))?;
        let symbol = *self.symbols.get(name.as_bytes()).ok_or_else(|| format!("no stream asked for {name}"))?;
        let is_of_epoch = |id: &str| {
            id.split_once('-').is_some_and(|(of, n)| {
                let is_it = *of == *self.epochs[epoch as usize];
                let is_known = || self.is_cluster && self.epochs.iter().any(|known| **known == *of);
                (is_it || is_known()) && n.parse::<u64>().is_ok()
            })
        };
        match fields.id {
            Some(id) if tick.seq > 0 && !is_of_epoch(id) => {
                Err(format!("the id {id} does not belong to the stream's epoch"))
            }
            Some(_) if tick.seq == 0 => Err("seq 0 must not have an id".to_owned()),
            None if tick.seq > 0 => Err("the tick has no id".to_owned()),
            _ => Ok((symbol, tick, numbers)),
        }
    }

    /// A trade or a quote of the tick that the venue never sent, as far as the history reaches.
    fn unsent_part(&self, symbol: u32, tick: Tick, numbers: Numbers<'_>) -> Option<String> {
        let history = self.history.as_ref()?;
        let name = self.name(symbol);
        let index = history.place(name)?;
        let [price, size, quote @ ..] = numbers;
        let has_trade = price.is_some() || size.is_some() || tick.trade_ts.is_some();
        let micros = tick.trade_ts.and_then(|micros| u64::try_from(micros).ok()).unwrap_or(0);
        let trade =
            has_trade.then(|| Part::Trade { price: price.unwrap_or_default(), size: size.unwrap_or_default(), micros });
        let quote = quote.iter().any(Option::is_some).then(|| Part::Quote(quote.map(Option::unwrap_or_default)));
        let mut parts = trade.into_iter().chain(quote);
        let part = parts.find(|part| history.has(index, part) == Some(false))?;
        Some(format!("{name} {}: the venue never sent {part:?}", tick.seq))
    }

    /// Keeps the first copy of a tick; compares any other with it.
    fn keep(&mut self, symbol: u32, tick: Tick, copy: TickCopy<'_>, violations: &mut Violations) -> Rc<SeenTick> {
        let TickCopy { epoch, stream, block, now } = copy;
        let key = Key { epoch, symbol, seq: tick.seq };
        let seen = Rc::new(SeenTick { tick, block: block.into(), first_seen: now, patch: OnceCell::new() });
        // The snapshot before the first tick is written for each stream, and its times may differ.
        if tick.seq == 0 {
            return seen;
        }
        self.compared += u64::from(self.tick(epoch, symbol, tick.seq).is_some());
        if let Some(other) = self.tick(epoch, symbol, tick.seq) {
            if other.block != seen.block && !(other.id() == seen.id() && patch::is_same(other.data(), seen.data())) {
                let what = format!("{} {}: another stream got {}", self.name(symbol), tick.seq, other.data());
                violations.note(Rule::Conflict, Some(stream), now, what, block);
            }
            return Rc::new(SeenTick {
                first_seen: other.first_seen,
                tick,
                block: block.into(),
                patch: OnceCell::new(),
            });
        }
        self.ticks.insert(key, seen.clone());
        self.order.push_back(key);
        if self.order.len() > TICKS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ticks.remove(&oldest);
        }
        if self.newest(epoch, symbol).is_none_or(|newest| newest.tick.seq < tick.seq) {
            self.newest.insert((epoch, symbol), seen.clone());
        }
        seen
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

    fn observe(seen_ticks: &mut SeenTicks, epoch: u32, block: &str, violations: &mut Violations) -> bool {
        seen_ticks.observe(TickCopy { epoch, stream: 0, block: block.as_bytes(), now: 0 }, violations).is_some()
    }

    fn seen_ticks() -> (SeenTicks, u32) {
        let mut seen_ticks = SeenTicks::default();
        seen_ticks.symbol("A");
        let epoch = seen_ticks.epoch("e");
        (seen_ticks, epoch)
    }

    #[test]
    fn a_digit_that_differs_between_two_copies_is_found() {
        let (mut seen_ticks, epoch) = seen_ticks();
        let mut violations = Violations::default();
        for price in ["1.5", "1.5", "1.6", "1.5"] {
            assert!(observe(&mut seen_ticks, epoch, &block(1, price), &mut violations));
        }
        assert_eq!((violations.of(Rule::Conflict), violations.total()), (1, 1));
        assert!(violations.kept()[0].what.contains("1.5") && violations.kept()[0].bytes.contains("1.6"));
    }

    #[test]
    fn the_nodes_of_a_cluster_are_compared_by_the_epoch_of_hello_whatever_the_ids() {
        let mut seen_ticks = SeenTicks::new(None, true);
        seen_ticks.symbol("A");
        let [owners, own] = ["e", "own"].map(|name| seen_ticks.epoch(name));
        let mut violations = Violations::default();
        for (epoch, seq, price) in [(owners, 1, "1"), (own, 2, "1"), (owners, 2, "2"), (owners, 3, "3"), (own, 3, "1")]
        {
            assert!(observe(&mut seen_ticks, epoch, &block(seq, price), &mut violations));
        }
        assert_eq!(violations.total(), 0);
        let newest = |epoch| seen_ticks.newest(epoch, 0).map(|seen| seen.tick.seq);
        assert_eq!([newest(owners), newest(own)], [Some(3), Some(3)]);
        observe(&mut seen_ticks, own, &block(3, "2"), &mut violations);
        assert_eq!((violations.of(Rule::Conflict), violations.total()), (1, 1));
        for id in ["id: -1", "id: other-1", "id: e-", "id: e-x"] {
            let bytes = block(1, "1").replace("id: e-1", id);
            assert!(!observe(&mut seen_ticks, owners, &bytes, &mut violations), "{id}");
        }
    }

    #[test]
    fn the_newest_tick_stays_and_old_ones_are_evicted() {
        let (mut seen_ticks, epoch) = seen_ticks();
        let mut violations = Violations::default();
        for seq in 1..=TICKS_MAX as u64 + 10 {
            observe(&mut seen_ticks, epoch, &block(seq, "1"), &mut violations);
        }
        assert_eq!((seen_ticks.ticks.len(), violations.total()), (TICKS_MAX, 0));
        assert!(seen_ticks.tick(epoch, 0, 10).is_none() && seen_ticks.tick(epoch, 0, 11).is_some());
        assert_eq!(seen_ticks.newest(epoch, 0).unwrap().tick.seq, TICKS_MAX as u64 + 10);
    }

    #[test]
    fn an_event_that_is_not_a_tick_of_the_stream_is_malformed() {
        let (mut seen_ticks, epoch) = seen_ticks();
        for (from, to) in
            [("id: e-1\n", ""), ("id: e", "id: f"), ("\"A\"", "\"B\""), ("}", "}}"), ("data", "date"), ("e-1", "e-x")]
        {
            let mut violations = Violations::default();
            let bytes = block(1, "1").replace(from, to);
            assert!(!observe(&mut seen_ticks, epoch, &bytes, &mut violations));
            assert_eq!(violations.of(Rule::Malformed), 1, "{from} → {to}");
        }
    }
}
